// What the nodes of one config node share: one connection, the agent's state, its devices, its incidents, and orders to it.
import type { BlockedBatch, Connection as Waiting } from '../protocol/act.ts'
import type { DnsBatch, FlowBatch } from '../protocol/messages.ts'
import { PROTOCOL } from '../protocol/messages.ts'
import type { Level } from '../protocol/policy.ts'
import type { Topics } from '../protocol/topics.ts'
import { DEVICE_ID, INCIDENT_ID, topicsOf } from '../protocol/topics.ts'
import type { BackOff, BrokerOptions, ConnectionState } from './connection.ts'
import { Connection } from './connection.ts'
import { FlowMemory } from './flow-memory.ts'
import type { Checked } from './guard.ts'
import {
  asDevice,
  asDnsBatch,
  asEvent,
  asFlowBatch,
  asInfo,
  MAX_DEVICE_BYTES,
  readJson,
} from './guard.ts'
import {
  asBlockedBatch,
  asConnection,
  asIncident,
  asResponse,
  MAX_INCIDENT_BYTES,
} from './guard-act.ts'
import type { IncidentChange } from './incident-board.ts'
import { IncidentBoard } from './incident-board.ts'
import type { DeviceChange } from './inventory.ts'
import { Inventory } from './inventory.ts'
import type { LinkLog } from './link-log.ts'
import { SparingLog } from './link-log.ts'
import type { LinkState, LinkUser, Want } from './link-user.ts'
import { ABSENCES, needsOf, topicsOfUser } from './link-user.ts'
import { LinkUsers } from './link-users.ts'
import { OrderDesk } from './order-desk.ts'

/** Which agent, and where. */
export interface AgentLinkOptions {
  broker: BrokerOptions
  agent: string
  prefix: string
  /** `mqtt.command_key` of the agent; absent: orders are not signed. */
  commandKey?: string
  log: LinkLog
  backOff?: BackOff
}

/** How long after the agent's `info` its retained devices may take to come. */
const SWEEP_AFTER_MS = 10000

/** One agent, seen through one broker. */
export class AgentLink {
  readonly inventory: Inventory = new Inventory()
  readonly board: IncidentBoard = new IncidentBoard()
  readonly orders: OrderDesk
  readonly #agent: string
  readonly #topics: Topics
  readonly #connection: Connection
  readonly #sparing: SparingLog
  readonly #log: LinkLog
  readonly #users: LinkUsers
  readonly #memory = new FlowMemory()
  readonly #lastSeq = new Map<Want, number>()
  /** What is read, and of which of it the broker has said that it may be (`true`), or may not. */
  #read = new Map<string, 0 | 1>()
  readonly #granted = new Map<string, boolean>()
  #connectionState: ConnectionState = 'disconnected'
  #status: string | undefined
  #protocol: number | undefined
  #levels: Level[] | undefined
  #instance: string | undefined
  #state: LinkState = 'disconnected'
  #sweepTimer: NodeJS.Timeout | undefined

  /** Throws a RangeError for an impossible `agent` or `prefix`. */
  constructor({ broker, agent, prefix, commandKey, log, backOff }: AgentLinkOptions) {
    this.#agent = agent
    this.#topics = topicsOf(agent, prefix)
    this.#log = log
    this.#sparing = new SparingLog(log)
    this.#users = new LinkUsers(this.#sparing)
    this.orders = new OrderDesk({
      agent,
      topics: this.#topics,
      ...(commandKey && { key: commandKey }),
      publish: (...order) => this.#connection.publish(...order),
      absence: () => ABSENCES[this.#state],
      isDenied: (topic) => this.#granted.get(topic) === false,
    })
    const listener = {
      state: (state: ConnectionState, reason?: string) => this.#onConnection(state, reason),
      granted: (topic: string, refusal: string | undefined) => this.#onGranted(topic, refusal),
      message: (topic: string, payload: Uint8Array, retained: boolean) =>
        this.#onMessage(topic, payload, retained),
    }
    this.#connection = new Connection(broker, listener, backOff)
    this.#readOn()
  }

  get state(): LinkState {
    return this.#state
  }

  /** The levels of quarantine that the agent can hold where it is; undefined: it has not said. */
  get levels(): readonly Level[] | undefined {
    return this.#levels
  }

  /** Adds a node; the first one opens the connection. It is told the state at once. */
  use(user: LinkUser): void {
    this.#users.add(user, this.#stateOf(user))
    this.#readOn()
    if (user.wants.includes('incidents')) this.#sweepSoon()
    if (this.#users.size === 1) this.#connection.start()
    this.#users.tellState(user)
  }

  /** Removes a node; the last one closes the connection. */
  async release(user: LinkUser): Promise<void> {
    if (!this.#users.delete(user)) return
    for (const want of user.wants) {
      if (this.#users.want(want)) continue
      this.#lastSeq.delete(want)
      if (want === 'flow') this.#memory.clear()
      if (want === 'incidents') this.board.forget()
    }
    this.#readOn()
    if (this.#users.size === 0) await this.#close()
  }

  /** Closes the connection, whoever still uses it. */
  async stop(): Promise<void> {
    this.#users.clear()
    await this.#close()
  }

  async #close(): Promise<void> {
    this.orders.stop()
    const stopped = this.#connection.stop()
    this.#onConnection('disconnected')
    this.#forget()
    await stopped
  }

  /** What the agent has said is forgotten: when it speaks again, it begins anew. */
  #forget(): void {
    this.inventory.clear()
    this.board.forget()
    this.#memory.clear()
  }

  /** The agent speaks our protocol. Before that is known nothing of it is read but who it is. */
  get #isUnderstood(): boolean {
    return this.#connectionState === 'connected' && this.#protocol === PROTOCOL
  }

  /** Reads what the nodes want, as far as the agent can be understood, and no more. */
  #readOn(): void {
    const wanted = new Map<string, 0 | 1>([
      [this.#topics.status, 1],
      [this.#topics.info, 1],
    ])
    if (this.#isUnderstood) {
      wanted.set(this.#topics.devices, 1)
      for (const user of this.#users.all()) {
        for (const [topic, qos] of topicsOfUser(user, this.#topics)) wanted.set(topic, qos)
      }
    }
    const before = this.#read
    this.#read = wanted
    for (const topic of before.keys()) {
      if (wanted.has(topic)) continue
      this.#connection.unsubscribe(topic)
      this.#granted.delete(topic)
    }
    for (const [topic, qos] of wanted) {
      if (!before.has(topic)) this.#connection.subscribe(topic, qos)
    }
  }

  #onConnection(state: ConnectionState, reason?: string): void {
    this.#connectionState = state
    this.#status = undefined
    this.#granted.clear()
    this.#understand(undefined)
    if (state === 'connected') {
      this.#sparing.isOver('connection')
      this.#log.log('connected to the broker')
    } else if (reason !== undefined) {
      this.#sparing.tell('connection', 'warn', reason)
    }
    this.#updateState()
  }

  #onGranted(topic: string, refusal: string | undefined): void {
    const kind = `read ${topic}`
    this.#granted.set(topic, refusal === undefined)
    if (refusal === undefined) this.#sparing.isOver(kind)
    else this.#sparing.tell(kind, 'warn', `the broker does not let us read ${topic}: ${refusal}`)
    this.#updateState()
  }

  /** Which protocol the agent speaks; undefined: it has not said. */
  #understand(protocol: number | undefined): void {
    const wasUnderstood = this.#isUnderstood
    this.#protocol = protocol
    if (this.#isUnderstood && !wasUnderstood) {
      this.#lastSeq.clear()
      this.inventory.beginSession()
      this.board.beginSession()
    }
    if (!this.#isUnderstood) clearTimeout(this.#sweepTimer)
    if (protocol !== undefined && protocol !== PROTOCOL) this.#forget()
    this.#readOn()
  }

  #updateState(): void {
    const state = this.#nextState()
    this.#state = state
    this.orders.setOpen(state === 'online')
    this.#users.tellStates((user) => this.#stateOf(user))
  }

  #nextState(): LinkState {
    if (this.#connectionState !== 'connected') return this.#connectionState
    if (this.#protocol !== undefined && this.#protocol !== PROTOCOL) return 'protocol'
    if (this.#status === 'offline') return 'offline'
    return this.#status === 'online' && this.#protocol !== undefined ? 'online' : 'waiting'
  }

  /** The broker may refuse one node what it lets another read; and until it has answered, nothing would be heard. */
  #stateOf(user: LinkUser): LinkState {
    if (this.#connectionState !== 'connected') return this.#state
    const needs = needsOf(user, this.#topics)
    if (needs.some((topic) => this.#granted.get(topic) === false)) return 'refused'
    const isHeard = [this.#topics.devices, ...needs].every((topic) => this.#granted.has(topic))
    return this.#state === 'online' && !isHeard ? 'waiting' : this.#state
  }

  #onMessage(topic: string, payload: Uint8Array, retained: boolean): void {
    const name = topic.slice(topic.lastIndexOf('/') + 1)
    try {
      if (topic === this.#topics.status) this.#onStatus(payload)
      else if (topic === this.#topics.info) this.#onInfo(payload)
      else if (!this.#isUnderstood) return
      else if (this.#isBelow(this.#topics.incidents, topic)) {
        this.#onIncident(name, payload, retained)
      } else if (this.#isBelow(this.#topics.devices, topic)) this.#onDevice(name, payload)
      // What these tell of is over when the next one reads it: no agent has them kept.
      else if (retained) throw new Error(`${topic} is retained, which no agent does: left out`)
      else if (topic === this.#topics.flow) this.#onFlow(asFlowBatch(readJson(payload)))
      else if (topic === this.#topics.dns) this.#onDns(asDnsBatch(readJson(payload)))
      else if (topic === this.#topics.event) this.#onEvent(asEvent(readJson(payload)))
      else if (topic === this.#topics.blocked) this.#onBlocked(asBlockedBatch(readJson(payload)))
      else if (topic === this.#topics.connection) this.#onWaiting(asConnection(readJson(payload)))
      else this.#onResponse(name, payload)
    } catch (error) {
      const kind = topic.split('/').at(-2) === this.#agent ? name : (topic.split('/').at(-2) ?? '')
      const why = error instanceof Error ? error.message : error
      this.#sparing.tell(retained ? `${kind} retained` : kind, 'warn', `${kind}: ${why}`)
    }
  }

  #onStatus(payload: Uint8Array): void {
    const word = payload.byteLength <= 16 ? new TextDecoder().decode(payload) : ''
    this.#status = word === 'online' || word === 'offline' ? word : undefined
    this.#updateState()
  }

  #onInfo(payload: Uint8Array): void {
    const info = payload.byteLength === 0 ? undefined : asInfo(readJson(payload))
    this.#levels = info?.levels
    if (info && info.instance !== this.#instance) {
      this.#instance = info.instance
      this.#memory.clear()
      this.#lastSeq.clear()
    }
    if (info && info.protocol !== PROTOCOL) {
      this.#sparing.tell(
        'protocol',
        'error',
        `the agent ${this.#agent} (version ${info.version}) speaks protocol ${info.protocol}, and these nodes ` +
          `${PROTOCOL}: update the older one`,
      )
    }
    this.#understand(info?.protocol)
    this.#updateState()
    this.#sweepSoon()
    if (payload.byteLength > 0 && !info) throw new Error('the message has not the shape of info')
  }

  #onFlow(checked: Checked<FlowBatch> | undefined): void {
    const batch = this.#checked('flow', checked)
    const complete = this.#follows('flow', batch.seq) && batch.complete && checked?.refused === 0
    const steps = this.#memory.take(batch)
    this.#users.each((user) => user.flows?.(steps, complete))
  }

  #onDns(checked: Checked<DnsBatch> | undefined): void {
    const batch = this.#checked('dns', checked)
    this.#users.each((user) => user.dns?.(batch.dns))
  }

  #onEvent(event: ReturnType<typeof asEvent>): void {
    if (!event) throw new Error('the message has not the shape of an event')
    this.#onChange(this.inventory.takeEvent(event))
  }

  #onDevice(id: string, payload: Uint8Array): void {
    if (!DEVICE_ID.test(id)) return
    if (payload.byteLength === 0) {
      this.#onChange(this.inventory.forget(id))
      return
    }
    const device = asDevice(readJson(payload, MAX_DEVICE_BYTES))
    if (device?.id !== id) throw new Error('the message has not the shape of a device')
    this.#onChange(this.inventory.take(device))
    this.#users.each((user) => user.heard?.(id))
  }

  #onBlocked(checked: Checked<BlockedBatch> | undefined): void {
    const batch = this.#checked('blocked', checked)
    this.#users.each((user) => user.blocked?.(batch))
  }

  #onWaiting(connection: Waiting | undefined): void {
    if (!connection) throw new Error('the message has not the shape of a connection')
    this.#users.each((user) => user.connection?.(connection))
  }

  #onIncident(id: string, payload: Uint8Array, retained: boolean): void {
    if (!INCIDENT_ID.test(id)) return
    if (payload.byteLength === 0) {
      this.#onIncidentChange(this.board.clear(id))
      return
    }
    const incident = asIncident(readJson(payload, MAX_INCIDENT_BYTES))
    if (incident?.id !== id) throw new Error('the message has not the shape of an incident')
    this.#onIncidentChange(this.board.take(incident, retained))
  }

  #onIncidentChange(change: IncidentChange | undefined): void {
    if (!change) return
    this.#users.each((user) => user.incident?.(change))
  }

  #onResponse(verb: string, payload: Uint8Array): void {
    const response = asResponse(readJson(payload))
    if (!response) throw new Error('the message has not the shape of an answer')
    this.orders.take(verb, response)
  }

  #onChange(change: DeviceChange | undefined): void {
    if (!change) return
    this.#users.each((user) => user.device?.(change))
  }

  /** The batch. Throws an Error where it has another shape. */
  #checked<Batch>(kind: Want, checked: Checked<Batch> | undefined): Batch {
    if (!checked) throw new Error(`the message has not the shape of a batch of ${kind}`)
    if (checked.refused > 0) {
      this.#sparing.tell(kind, 'warn', `${kind}: ${checked.refused} entries had not their shape`)
    }
    return checked.batch
  }

  /** Whether no message is missing between this one and the last. */
  #follows(want: Want, seq: number): boolean {
    const last = this.#lastSeq.get(want)
    this.#lastSeq.set(want, seq)
    return last === undefined || seq === last + 1
  }

  #sweepSoon(): void {
    clearTimeout(this.#sweepTimer)
    if (this.#state !== 'online') return
    this.#sweepTimer = setTimeout(() => {
      for (const change of this.inventory.sweep()) this.#onChange(change)
      for (const change of this.board.sweep()) this.#onIncidentChange(change)
    }, SWEEP_AFTER_MS)
    this.#sweepTimer.unref()
  }

  /** Whether `topic` is one level below the filter `<topic>/+`. */
  #isBelow(filter: string, topic: string): boolean {
    const parent = filter.slice(0, -1)
    return topic.startsWith(parent) && !topic.includes('/', parent.length)
  }
}
