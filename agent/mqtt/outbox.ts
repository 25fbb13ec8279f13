// What must arrive (QoS 1): state, of which only the last value counts, and events, in order. Kept until the broker
// has acknowledged it, sent again after a lost connection.
import type { Log } from '../log.ts'
import type { PublishOutcome } from './mqtt-link.ts'

export interface OutboxLimits {
  /** Events that may wait. Default 10000. */
  maxEvents?: number
  /** Bytes of events that may wait. Default 4 MiB. */
  maxEventBytes?: number
  /** Retained topics but those of devices. Default 8192. */
  maxStates?: number
  /** Retained topics of devices, which have room of their own: no flood of devices takes that of anything else. Default 16384. */
  maxDevices?: number
}

/** Whose room a retained topic takes. */
export type StateKind = 'own' | 'device'

/** As `devices.max` of the configuration unless told otherwise. */
export const MAX_DEVICES = 16_384

/** Publishes at QoS 1; resolves when acknowledged, refused or lost. */
export type Send = (topic: string, payload: string, retain: boolean) => Promise<PublishOutcome>

interface Item {
  topic: string
  payload: string
  retain: boolean
  /** Was under way when a connection was lost: now sent alone, to see whether it is the cause. */
  suspect: boolean
  /** Connections lost while this was the only one under way. */
  cuts: number
  /** Called once it has been delivered or dropped. */
  onGone?: () => void
}

interface State extends Item {
  kind: StateKind
  /** Handed to a broker in this run. */
  sent: boolean
  /** No broker takes this payload: held back until there is another. */
  poison: boolean
  flying: boolean
}

/** Messages under way at once. */
const WINDOW = 32
/** A message that alone ended this many connections is given up. */
const MAX_CUTS = 3

/** State and events on their way to the broker. */
export class Outbox {
  readonly #send: Send
  readonly #log: Log
  readonly #limits: Required<OutboxLimits>
  readonly #states = new Map<string, State>()
  readonly #dirty = new Set<State>()
  /** States that are to be cleared; those make room first, oldest first. */
  readonly #clearing = new Set<State>()
  readonly #count: Record<StateKind, number> = { own: 0, device: 0 }
  readonly #events = new Map<number, Item>()
  readonly #flying = new Set<Item>()
  #eventBytes = 0
  #lastEvent = 0
  #nextEvent = 1
  #open = false
  #dropped = 0
  #idle: (() => void)[] = []

  constructor(send: Send, log: Log, limits: OutboxLimits = {}) {
    this.#send = send
    this.#log = log
    this.#limits = {
      maxEvents: 10_000,
      maxEventBytes: 4 * 1024 * 1024,
      maxStates: 8192,
      maxDevices: MAX_DEVICES,
      ...limits,
    }
  }

  /**
   * Sets the last value of a retained topic. An empty payload clears the topic and is then forgotten; of a device that no
   * broker has heard of it is at once.
   */
  setState(topic: string, payload: string, kind: StateKind = 'own'): void {
    let state = this.#states.get(topic)
    if (state === undefined) {
      if (!this.#hasRoom(kind)) {
        if (payload !== '') this.#dropped++
        return
      }
      this.#count[kind]++
      state = {
        kind,
        sent: false,
        topic,
        payload,
        retain: true,
        suspect: false,
        cuts: 0,
        poison: false,
        flying: false,
      }
      this.#states.set(topic, state)
    } else if (state.payload !== payload) {
      state.payload = payload
      state.poison = false
      state.cuts = 0
    }
    this.#dirty.add(state)
    if (payload === '') {
      if (kind === 'device' && !state.sent) this.abandon(topic)
      else this.#clearing.add(state)
    } else this.#clearing.delete(state)
    this.#pump()
  }

  /** Whether a retained topic has a value now. */
  tells(topic: string): boolean {
    return (this.#states.get(topic)?.payload ?? '') !== ''
  }

  /** Forgets a retained topic without a word: somebody else took it off the broker. */
  abandon(topic: string): void {
    const state = this.#states.get(topic)
    if (state === undefined) return
    this.#states.delete(topic)
    this.#count[state.kind]--
    this.#dirty.delete(state)
    this.#clearing.delete(state)
  }

  /** Appends an event; when too many wait, the oldest go. `onGone` is called once it has gone, either way. */
  addEvent(topic: string, payload: string, onGone?: () => void): void {
    const event: Item = { topic, payload, retain: false, suspect: false, cuts: 0 }
    if (onGone !== undefined) event.onGone = onGone
    this.#events.set(++this.#lastEvent, event)
    this.#eventBytes += payload.length
    for (const id of this.#events.keys()) {
      if (
        this.#events.size <= this.#limits.maxEvents &&
        this.#eventBytes <= this.#limits.maxEventBytes
      )
        break
      this.#removeEvent(id)
      this.#dropped++
    }
    this.#pump()
  }

  /** A connection stands: all state goes out again, in the order in which the topics were first set, then the events. */
  open(): void {
    this.#open = true
    this.#dirty.clear()
    for (const state of this.#states.values()) {
      if (!state.poison) this.#dirty.add(state)
    }
    this.#nextEvent = this.#events.keys().next().value ?? this.#lastEvent + 1
    this.#pump()
  }

  /** The connection is gone; what was under way comes back as lost. */
  close(): void {
    this.#open = false
    const alone = this.#flying.size === 1
    for (const item of this.#flying) {
      item.suspect = true
      if (alone) item.cuts++
    }
  }

  /** Resolves when nothing waits and nothing is under way; at once where no connection stands. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve)
      this.#pump()
    })
  }

  /** Messages dropped since the start: from a full spool, refused by the broker, or taken by none. */
  get dropped(): number {
    return this.#dropped
  }

  get waitingEvents(): number {
    return this.#events.size
  }

  get waitingEventBytes(): number {
    return this.#eventBytes
  }

  #hasRoom(kind: StateKind): boolean {
    const { maxStates, maxDevices } = this.#limits
    if (this.#count[kind] < (kind === 'device' ? maxDevices : maxStates)) return true
    for (const { topic, kind: of, flying } of this.#clearing) {
      if (of !== kind || flying) continue
      this.abandon(topic)
      return true
    }
    return false
  }

  #pump(): void {
    while (this.#open && this.#flying.size < WINDOW) {
      const state = this.#firstDirty()
      const event = state === undefined ? this.#events.get(this.#nextEvent) : undefined
      const item = state ?? event
      if (item === undefined) break
      if (this.#flying.size > 0 && (item.suspect || this.#carriesSuspect())) return
      if (state === undefined) void this.#launchEvent(this.#nextEvent++, item)
      else void this.#launchState(state)
    }
    if (this.#flying.size > 0 && this.#open) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** A suspect is only ever alone under way. */
  #carriesSuspect(): boolean {
    for (const item of this.#flying) return item.suspect
    return false
  }

  #firstDirty(): State | undefined {
    for (const state of this.#dirty) if (!state.flying) return state
    return undefined
  }

  async #launchState(state: State): Promise<void> {
    this.#dirty.delete(state)
    const { topic, payload } = state
    state.flying = true
    state.sent = true
    const outcome = await this.#fly(state)
    state.flying = false
    if (outcome === 'lost') {
      if (state.payload === payload && this.#isPoison(state)) state.poison = true
      else if (this.#states.get(topic) === state) this.#dirty.add(state)
    } else if (payload === '' && state.payload === '') {
      if (this.#states.get(topic) === state) this.abandon(topic)
    }
    this.#pump()
  }

  async #launchEvent(id: number, event: Item): Promise<void> {
    const outcome = await this.#fly(event)
    if (outcome !== 'lost' || this.#isPoison(event)) this.#removeEvent(id)
    this.#pump()
  }

  async #fly(item: Item): Promise<PublishOutcome> {
    this.#flying.add(item)
    const outcome = await this.#send(item.topic, item.payload, item.retain)
    this.#flying.delete(item)
    if (outcome !== 'lost') {
      item.suspect = false
      item.cuts = 0
    }
    if (outcome === 'refused') this.#dropped++
    return outcome
  }

  #isPoison(item: Item): boolean {
    if (item.cuts < MAX_CUTS) return false
    this.#dropped++
    this.#log.warn(
      `the broker ended the connection ${MAX_CUTS} times over one message on ${item.topic}; it is dropped`,
    )
    return true
  }

  #removeEvent(id: number): void {
    const event = this.#events.get(id)
    if (event === undefined) return
    this.#events.delete(id)
    this.#eventBytes -= event.payload.length
    if (this.#nextEvent <= id) this.#nextEvent = id + 1
    event.onGone?.()
  }
}
