// The topics that are ours alone to write, though every account of the broker can: what was told last is kept, and whoever
// writes something else there is put right. Retained state is told again with each connection and whenever that is asked for.
import type { Log } from '../log.ts'
import { Outbox } from '../mqtt/outbox.ts'
import type { Link } from '../mqtt/publisher.ts'

/** What was heard on a topic. `cleared`: somebody else took it off the broker. `unknown`: nothing is told there. */
export type Heard = 'own' | 'foreign' | 'cleared' | 'unknown'

/** A foreign message is put right after so long, unless our own has come by then: what we hear lags behind what we say. */
const CORRECT_MS = 500
/** Retained topics: an announcement and three states for each device, and the agent's own. */
const MAX_TOPICS = 6000

/** Our retained topics. */
export class OwnTopics {
  readonly #outbox: Outbox
  readonly #told = new Map<string, string>()
  /** Topics on which somebody else was heard last, and when (of performance.now()). */
  readonly #foreign = new Map<string, number>()
  /** Empty payloads of our own that were not heard back yet. */
  readonly #clearing = new Map<string, number>()

  constructor(publish: Link['publish'], log: Log) {
    const send: ConstructorParameters<typeof Outbox>[0] = (topic, payload, retain) => {
      if (payload === '') this.#clearing.set(topic, (this.#clearing.get(topic) ?? 0) + 1)
      return publish(topic, payload, { qos: 1, retain })
    }
    this.#outbox = new Outbox(send, log, { maxStates: MAX_TOPICS, maxEvents: 1000 })
  }

  /** A connection stands: everything is told. */
  open(): void {
    this.#clearing.clear()
    this.#foreign.clear()
    this.#outbox.open()
  }

  close(): void {
    this.#outbox.close()
  }

  /** Everything is told again, to somebody who came later. */
  again(): void {
    for (const [topic, payload] of this.#told) this.#outbox.setState(topic, payload)
  }

  /** Messages that were dropped. */
  get dropped(): number {
    return this.#outbox.dropped
  }

  has(topic: string): boolean {
    return this.#told.has(topic)
  }

  /** Tells a state, if it is another one than was told. */
  set(topic: string, payload: string): void {
    if (this.#told.get(topic) === payload) return
    this.#told.set(topic, payload)
    this.#outbox.setState(topic, payload)
  }

  /** Takes a topic off the broker, if anything was told there. */
  clear(topic: string): void {
    if (this.#told.delete(topic)) this.#outbox.setState(topic, '')
    this.#foreign.delete(topic)
  }

  /** What somebody else cleared is not told any more. */
  abandon(topic: string): void {
    this.#told.delete(topic)
    this.#foreign.delete(topic)
    this.#outbox.abandon(topic)
  }

  /** Takes something off the broker that an earlier run has left there. */
  clean(topic: string): void {
    if (!this.#told.has(topic)) this.#outbox.setState(topic, '')
  }

  event(topic: string, payload: string): void {
    this.#outbox.addEvent(topic, payload)
  }

  /** Something was heard on one of our topics. */
  heard(topic: string, payload: Buffer): Heard {
    const told = this.#told.get(topic)
    if (payload.length === 0 && this.#isOwnClearing(topic)) return 'own'
    if (told === undefined) return 'unknown'
    if (payload.length === 0) {
      this.#foreign.set(topic, performance.now())
      return 'cleared'
    }
    if (payload.toString('utf8') === told) {
      this.#foreign.delete(topic)
      return 'own'
    }
    if (!this.#foreign.has(topic)) this.#foreign.set(topic, performance.now())
    return 'foreign'
  }

  /** Once a second: puts right what others wrote. */
  tick(): void {
    const due = performance.now() - CORRECT_MS
    for (const [topic, sinceMs] of this.#foreign) {
      const told = this.#told.get(topic)
      if (told === undefined) this.#foreign.delete(topic)
      else if (sinceMs <= due) {
        this.#foreign.set(topic, performance.now())
        this.#outbox.setState(topic, told)
      }
    }
  }

  #isOwnClearing(topic: string): boolean {
    const count = this.#clearing.get(topic)
    if (count === undefined) return false
    if (count > 1) this.#clearing.set(topic, count - 1)
    else this.#clearing.delete(topic)
    return true
  }
}
