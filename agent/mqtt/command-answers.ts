// Answers on their way to the broker: some at once, the others wait their turn; a lost one is asked for again by its id.
import type { Log } from '../log.ts'
import type { Incoming, PublishOptions, PublishOutcome } from './mqtt-link.ts'

/** The part of a link that answers need. */
export interface AnswerLink {
  readonly connected: boolean
  publish(topic: string, payload: string, options: PublishOptions): Promise<PublishOutcome>
}

interface Answer {
  topic: string
  payload: string
  correlation?: Buffer
}

/** Answers under way at once. */
const WINDOW = 16
const MAX_WAITING = 8192
const MAX_WAITING_CHARACTERS = 16_000_000
const MAX_TOPIC_LENGTH = 256
/** What an agent says of its own accord, and what it is told: no answer belongs there. */
const RESERVED = [
  'status',
  'info',
  'instance',
  'flow',
  'dns',
  'event',
  'blocked',
  'connection',
  'incident',
  'command',
  'device',
]

/** Sends answers at QoS 1, without keeping them over a lost connection. */
export class CommandAnswers {
  readonly #link: AnswerLink
  readonly #log: Log
  readonly #waiting = new Set<Answer>()
  #characters = 0
  #flying = 0
  /** Answers that were left out because too many waited. */
  dropped = 0

  constructor(link: AnswerLink, log: Log) {
    this.#link = link
    this.#log = log
  }

  /** Answers a message on `topic`, and at its own response topic where that may be (MQTT 5, 4.10). */
  send(topic: string, payload: string, to: Incoming, prefix: string): void {
    const correlation = to.correlation === undefined ? {} : { correlation: to.correlation }
    this.#add({ topic, payload, ...correlation })
    const { responseTopic } = to
    if (
      responseTopic !== undefined &&
      responseTopic !== topic &&
      mayAnswerAt(responseTopic, prefix)
    ) {
      this.#add({ topic: responseTopic, payload, ...correlation })
    }
  }

  #add(answer: Answer): void {
    const size = this.#characters + answer.payload.length
    if (this.#waiting.size >= MAX_WAITING || size > MAX_WAITING_CHARACTERS) {
      if (this.dropped++ === 0)
        this.#log.warn('more commands come than can be answered: some answers are left out')
      return
    }
    this.#waiting.add(answer)
    this.#characters = size
    this.#pump()
  }

  #pump(): void {
    for (const answer of this.#waiting) {
      if (this.#flying >= WINDOW) return
      this.#waiting.delete(answer)
      this.#characters -= answer.payload.length
      if (!this.#link.connected) continue
      this.#flying++
      const { topic, payload, correlation } = answer
      const options = {
        qos: 1,
        retain: false,
        ...(correlation === undefined ? {} : { correlation }),
      } as const
      void this.#link.publish(topic, payload, options).then(() => {
        this.#flying--
        this.#pump()
      })
    }
  }
}

/** Whether an order may have its answer there: below the prefix, and not where agents speak or are spoken to. */
export function mayAnswerAt(topic: string, prefix: string): boolean {
  if (topic.length > MAX_TOPIC_LENGTH || !topic.startsWith(`${prefix}/`)) return false
  const levels = topic.slice(prefix.length + 1).split('/')
  if (!levels.every((level) => /^[A-Za-z0-9_-]+$/.test(level))) return false
  return !levels.some((level) => RESERVED.includes(level))
}
