// What an earlier run has left on the broker: devices that are forgotten and incidents that were closed while it was away, of
// which nobody else would ever say so. Everybody can write there, so what is heard is bounded, and nothing of it is believed.
import type { Topics } from '../../protocol/topics.ts'
import { DEVICE_ID, INCIDENT_ID } from '../../protocol/topics.ts'
import type { Log } from '../log.ts'
import type { Link } from './publisher.ts'

export interface LeftoverOptions {
  link: Link
  topics: Topics
  /** Whether something is told on a topic now. */
  isTold: (topic: string) => boolean
  log: Log
  /** Messages that are heard in one connection, at most. */
  maxHeard: number
  /** How long the broker has to tell what it retains. Default 10000. */
  listenMs?: number
}

/** Topics that are cleared at once. */
const WINDOW = 32

/** Looks once in each connection, and clears what nobody tells. */
export class Leftovers {
  readonly #options: LeftoverOptions
  readonly #found = new Set<string>()
  #heard = 0
  #end: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: LeftoverOptions) {
    this.#options = options
  }

  /** A connection stands, and all that there is to tell has been. */
  look(): void {
    const { link, topics, listenMs = 10_000 } = this.#options
    this.stop()
    this.#end = link.hearRetained?.([topics.devices, topics.incidents])
    if (this.#end === undefined) return
    this.#timer = setTimeout(() => void this.#clear(), listenMs)
    this.#timer.unref()
  }

  /** The connection is gone, or this agent stops. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#end?.()
    this.#end = undefined
    this.#found.clear()
    this.#heard = 0
  }

  /** A message of the broker's; true: it is one of these, and nobody else's. */
  take(topic: string, payload: Buffer, retained: boolean): boolean {
    const isOurs = this.#isOurs(topic)
    if (!isOurs || !retained || this.#end === undefined) return isOurs
    if (payload.length > 0 && !this.#options.isTold(topic)) this.#found.add(topic)
    if (++this.#heard >= this.#options.maxHeard) void this.#clear()
    return true
  }

  #isOurs(topic: string): boolean {
    const { devices, incidents } = this.#options.topics
    const at = topic.lastIndexOf('/') + 1
    const id = topic.slice(at)
    const filter = `${topic.slice(0, at)}+`
    return (
      (filter === devices && DEVICE_ID.test(id)) || (filter === incidents && INCIDENT_ID.test(id))
    )
  }

  async #clear(): Promise<void> {
    const { link, isTold, log } = this.#options
    const left = [...this.#found].filter((topic) => !isTold(topic))
    this.stop()
    for (let at = 0; at < left.length && link.connected; at += WINDOW) {
      const topics = left.slice(at, at + WINDOW).filter((topic) => !isTold(topic))
      await Promise.all(topics.map((topic) => link.publish(topic, '', { qos: 1, retain: true })))
    }
    if (left.length > 0)
      log.info(`${left.length} devices and incidents of an earlier run were taken off the broker`)
  }
}
