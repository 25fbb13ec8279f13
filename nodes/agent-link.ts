// What the nodes of one config node share: one connection, the agent's state, its devices, its incidents, and orders to it.
import type { BlockedBatch, Connection as Waiting } from '../protocol/act.ts'
import type { Dns, DnsBatch, FlowBatch } from '../protocol/messages.ts'
import { PROTOCOL } from '../protocol/messages.ts'
import type { Level } from '../protocol/policy.ts'
import type { Topics } from '../protocol/topics.ts'
import { DEVICE_ID, INCIDENT_ID, topicsOf } from '../protocol/topics.ts'
import type { BackOff, BrokerOptions, ConnectionState } from './connection.ts'
import { Connection } from './connection.ts'
import type { FlowStep } from './flow-memory.ts'
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
import { asBlockedBatch, asConnection, asIncident, asResponse } from './guard-act.ts'
import type { IncidentChange } from './incident-board.ts'
import { IncidentBoard } from './incident-board.ts'
import type { DeviceChange } from './inventory.ts'
import { Inventory } from './inventory.ts'
import { OrderDesk } from './order-desk.ts'

/**
 * `waiting`: the broker is there, and nothing was heard of the agent yet. `offline`: the agent has left.
 * `protocol`: the agent speaks another major version, and nothing that it says is passed on.
 */
export type LinkState =
  | Exclude<ConnectionState, 'connected'>
  | 'waiting'
  | 'offline'
  | 'protocol'
  | 'online'

/** Topics that are followed only while a node wants them. */
export type Want = 'flow' | 'dns' | 'event' | 'blocked' | 'connection' | 'incidents'

/** A node that uses a link. */
export interface LinkUser {
  wants: readonly Want[]
  /** Orders that it gives: their answers are followed. */
  verbs?: readonly string[]
  state: (state: LinkState) => void
  /** `complete`: nothing was lost up to here. */
  flows?: (steps: FlowStep[], complete: boolean) => void
  dns?: (dns: Dns[]) => void
  device?: (change: DeviceChange) => void
  /** The agent has spoken of a device, whether or not anything about it changed. */
  heard?: (id: string) => void
  blocked?: (batch: BlockedBatch) => void
  connection?: (connection: Waiting) => void
  incident?: (change: IncidentChange) => void
}

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

/** Where a link tells what a person should know; each problem at most once a minute. */
export interface LinkLog {
  log: (sentence: string) => void
  warn: (sentence: string) => void
  error: (sentence: string) => void
}

/** How long after the agent's `info` its retained devices may take to come. */
const SWEEP_AFTER_MS = 10000
const REPEAT_AFTER_MS = 60000
const QOS = { flow: 0, dns: 0, event: 1, blocked: 0, connection: 0, incidents: 1 } as const

/** One agent, seen through one broker. */
export class AgentLink {
  readonly inventory: Inventory = new Inventory()
  readonly board: IncidentBoard = new IncidentBoard()
  readonly orders: OrderDesk
  readonly #agent: string
  readonly #topics: Topics
  readonly #connection: Connection
  readonly #log: LinkLog
  readonly #users = new Set<LinkUser>()
  readonly #memory = new FlowMemory()
  readonly #lastSeq = new Map<Want, number>()
  readonly #told = new Map<string, number>()
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
    this.orders = new OrderDesk({
      agent,
      topics: this.#topics,
      ...(commandKey && { key: commandKey }),
      publish: (...order) => this.#connection.publish(...order),
    })
    const listener = {
      state: (state: ConnectionState, reason?: string) => this.#onConnection(state, reason),
      message: (topic: string, payload: Uint8Array, retained: boolean) =>
        this.#onMessage(topic, payload, retained),
    }
    this.#connection = new Connection(broker, listener, backOff)
    // Devices first: a broker that answers in order has sent them all before `info`.
    this.#connection.subscribe(this.#topics.devices, 1)
    this.#connection.subscribe(this.#topics.status, 1)
    this.#connection.subscribe(this.#topics.info, 1)
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
    this.#users.add(user)
    for (const want of user.wants) this.#connection.subscribe(this.#topics[want], QOS[want])
    for (const verb of user.verbs ?? []) this.#connection.subscribe(this.#topics.response(verb), 1)
    if (user.wants.includes('incidents')) this.#sweepSoon()
    if (this.#users.size === 1) this.#connection.start()
    this.#call(() => user.state(this.#state))
  }

  /** Removes a node; the last one closes the connection. */
  async release(user: LinkUser): Promise<void> {
    if (!this.#users.delete(user)) return
    for (const want of user.wants) {
      if ([...this.#users].some((other) => other.wants.includes(want))) continue
      this.#connection.unsubscribe(this.#topics[want])
      this.#lastSeq.delete(want)
      if (want === 'flow') this.#memory.clear()
      if (want === 'incidents') this.board.forget()
    }
    for (const verb of user.verbs ?? []) {
      if ([...this.#users].some((other) => other.verbs?.includes(verb))) continue
      this.#connection.unsubscribe(this.#topics.response(verb))
    }
    if (this.#users.size === 0) await this.#close()
  }

  /** Closes the connection, whoever still uses it. */
  async stop(): Promise<void> {
    this.#users.clear()
    await this.#close()
  }

  async #close(): Promise<void> {
    clearTimeout(this.#sweepTimer)
    this.orders.stop()
    const stopped = this.#connection.stop()
    this.#onConnection('disconnected')
    await stopped
  }

  #onConnection(state: ConnectionState, reason?: string): void {
    this.#connectionState = state
    if (state !== 'connected') clearTimeout(this.#sweepTimer)
    if (state === 'connected') {
      this.#status = undefined
      this.#protocol = undefined
      this.#lastSeq.clear()
      this.inventory.beginSession()
      this.board.beginSession()
      this.#told.delete('connection')
      this.#log.log('connected to the broker')
    } else if (reason !== undefined) {
      this.#tell('connection', 'warn', reason)
    }
    this.#updateState()
  }

  #updateState(): void {
    const state = this.#nextState()
    if (state === this.#state) return
    this.#state = state
    this.orders.setOpen(state === 'online')
    for (const user of this.#users) this.#call(() => user.state(state))
  }

  #nextState(): LinkState {
    if (this.#connectionState !== 'connected') return this.#connectionState
    if (this.#protocol !== undefined && this.#protocol !== PROTOCOL) return 'protocol'
    if (this.#status === 'offline') return 'offline'
    return this.#status === 'online' && this.#protocol !== undefined ? 'online' : 'waiting'
  }

  #onMessage(topic: string, payload: Uint8Array, retained: boolean): void {
    const name = topic.slice(topic.lastIndexOf('/') + 1)
    try {
      if (topic === this.#topics.status) this.#onStatus(payload)
      else if (topic === this.#topics.info) this.#onInfo(payload)
      else if (this.#protocol !== undefined && this.#protocol !== PROTOCOL) return
      else if (topic === this.#topics.flow) this.#onFlow(asFlowBatch(readJson(payload)))
      else if (topic === this.#topics.dns) this.#onDns(asDnsBatch(readJson(payload)))
      else if (topic === this.#topics.event) this.#onEvent(asEvent(readJson(payload)))
      else if (topic === this.#topics.blocked) this.#onBlocked(asBlockedBatch(readJson(payload)))
      else if (topic === this.#topics.connection) this.#onWaiting(asConnection(readJson(payload)))
      else if (this.#isBelow(this.#topics.incidents, topic)) {
        this.#onIncident(name, payload, retained)
      } else if (this.#isBelow(this.#topics.devices, topic)) this.#onDevice(name, payload)
      else this.#onResponse(name, payload)
    } catch (error) {
      const kind = topic.split('/').at(-2) === this.#agent ? name : (topic.split('/').at(-2) ?? '')
      this.#tell(kind, 'warn', `${kind}: ${error instanceof Error ? error.message : error}`)
    }
  }

  #onStatus(payload: Uint8Array): void {
    const word = payload.byteLength <= 16 ? new TextDecoder().decode(payload) : ''
    this.#status = word === 'online' || word === 'offline' ? word : undefined
    this.#updateState()
  }

  #onInfo(payload: Uint8Array): void {
    const info = payload.byteLength === 0 ? undefined : asInfo(readJson(payload))
    this.#protocol = info?.protocol
    this.#levels = info?.levels
    if (info && info.instance !== this.#instance) {
      this.#instance = info.instance
      this.#memory.clear()
      this.#lastSeq.clear()
    }
    if (info && info.protocol !== PROTOCOL) {
      this.#tell(
        'protocol',
        'error',
        `the agent ${this.#agent} (version ${info.version}) speaks protocol ${info.protocol}, and these nodes ` +
          `${PROTOCOL}: update the older one`,
      )
    }
    this.#updateState()
    this.#sweepSoon()
    if (payload.byteLength > 0 && !info) throw new Error('the message has not the shape of info')
  }

  #onFlow(checked: Checked<FlowBatch> | undefined): void {
    const batch = this.#checked('flow', checked)
    if (!batch) return
    const complete = this.#follows('flow', batch.seq) && batch.complete && checked?.refused === 0
    const steps = this.#memory.take(batch)
    for (const user of this.#users) this.#call(() => user.flows?.(steps, complete))
  }

  #onDns(checked: Checked<DnsBatch> | undefined): void {
    const batch = this.#checked('dns', checked)
    if (!batch) return
    for (const user of this.#users) this.#call(() => user.dns?.(batch.dns))
  }

  #onEvent(event: ReturnType<typeof asEvent>): void {
    if (!event) throw new Error('the message has not the shape of an event')
    if (this.#protocol !== undefined) this.#onChange(this.inventory.takeEvent(event))
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
    for (const user of this.#users) this.#call(() => user.heard?.(id))
  }

  #onBlocked(checked: Checked<BlockedBatch> | undefined): void {
    const batch = this.#checked('blocked', checked)
    if (!batch) return
    for (const user of this.#users) this.#call(() => user.blocked?.(batch))
  }

  #onWaiting(connection: Waiting | undefined): void {
    if (!connection) throw new Error('the message has not the shape of a connection')
    if (this.#protocol === undefined) return
    for (const user of this.#users) this.#call(() => user.connection?.(connection))
  }

  #onIncident(id: string, payload: Uint8Array, retained: boolean): void {
    if (!INCIDENT_ID.test(id)) return
    if (payload.byteLength === 0) {
      this.#onIncidentChange(this.board.clear(id))
      return
    }
    const incident = asIncident(readJson(payload))
    if (incident?.id !== id) throw new Error('the message has not the shape of an incident')
    this.#onIncidentChange(this.board.take(incident, retained))
  }

  #onIncidentChange(change: IncidentChange | undefined): void {
    if (!change) return
    for (const user of this.#users) this.#call(() => user.incident?.(change))
  }

  #onResponse(verb: string, payload: Uint8Array): void {
    const response = asResponse(readJson(payload))
    if (!response) throw new Error('the message has not the shape of an answer')
    this.orders.take(verb, response)
  }

  #onChange(change: DeviceChange | undefined): void {
    if (!change) return
    for (const user of this.#users) this.#call(() => user.device?.(change))
  }

  /** The batch, unless it has another shape, or came before we know which protocol the agent speaks. */
  #checked<Batch>(kind: Want, checked: Checked<Batch> | undefined): Batch | undefined {
    if (!checked) throw new Error(`the message has not the shape of a batch of ${kind}`)
    if (checked.refused > 0) {
      this.#tell(kind, 'warn', `${kind}: ${checked.refused} entries had not their shape`)
    }
    return this.#protocol === PROTOCOL ? checked.batch : undefined
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

  /** A node that throws does so alone. */
  #call(tell: () => void): void {
    try {
      tell()
    } catch (error) {
      this.#tell('node', 'error', `a node failed: ${error instanceof Error ? error.stack : error}`)
    }
  }

  /** Each kind of problem at most once a minute: a broker may send thousands a second. */
  #tell(kind: string, level: 'warn' | 'error', sentence: string): void {
    const now = performance.now()
    const told = this.#told.get(kind)
    if (told !== undefined && now - told < REPEAT_AFTER_MS) return
    this.#told.set(kind, now)
    this.#log[level](sentence)
  }
}
