// The card's subscriptions to MQTT through Home Assistant, which serves them to administrators alone.
import { topicsOf } from '../../../protocol/topics.ts'
import type { HassConnection, MqttMessage } from './hass.ts'
import { LiveAgent } from './live-agent.ts'
import { readFlowBatch, readIncident } from './live-messages.ts'

type Unsubscribe = () => Promise<void>

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000

/** Follows agents between `start()` and `stop()`. */
export class LiveFeed {
  readonly #connection: HassConnection
  readonly #prefix: string
  readonly #onChange: () => void
  readonly #agents = new Map<string, LiveAgent>()
  readonly #held: Unsubscribe[] = []
  #timer: ReturnType<typeof setInterval> | undefined
  readonly #firstPauseMs: number
  readonly #retries = new Set<ReturnType<typeof setTimeout>>()
  #isStopped = false

  /** `prefix` is one that `isTopicPrefix` takes; `firstPauseMs`: how long to wait after a first refusal. */
  constructor(
    connection: HassConnection,
    prefix: string,
    onChange: () => void,
    firstPauseMs: number = FIRST_PAUSE_MS,
  ) {
    this.#connection = connection
    this.#prefix = prefix
    this.#onChange = onChange
    this.#firstPauseMs = firstPauseMs
  }

  /** Subscribes to what each of these agents says. Until it is taken, the card has what the entities say. */
  start(agents: readonly string[]): void {
    for (const agent of agents) {
      const live = new LiveAgent()
      this.#agents.set(agent, live)
      const topics = topicsOf(agent, this.#prefix)
      void this.#follow(topics.flow, ({ payload }) => {
        const batch = readFlowBatch(payload)
        if (batch !== undefined && live.takeFlows(batch, performance.now())) this.#onChange()
      })
      void this.#follow(topics.incidents, ({ topic, payload }) => {
        const id = topic.slice(topic.lastIndexOf('/') + 1)
        const incident = payload === '' ? undefined : readIncident(payload, id)
        if (payload !== '' && incident === undefined) return
        live.takeIncident(id, incident)
        this.#onChange()
      })
    }
    this.#timer = setInterval(() => {
      const now_ms = performance.now()
      const rested = [...this.#agents.values()].map((live) => live.rest(now_ms))
      if (rested.includes(true)) this.#onChange()
    }, 1000)
  }

  /** Ends every subscription, also those that are still being made. */
  stop(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
    for (const retry of this.#retries) clearTimeout(retry)
    for (const unsubscribe of this.#held.splice(0)) void this.#end(unsubscribe)
  }

  /** What an agent said; undefined for one that is not followed. */
  of(agent: string): LiveAgent | undefined {
    return this.#agents.get(agent)
  }

  async #follow(
    topic: string,
    take: (message: MqttMessage) => void,
    pauseMs: number = this.#firstPauseMs,
  ): Promise<void> {
    try {
      const unsubscribe = await this.#connection.subscribeMessage<MqttMessage>(
        (message) => {
          if (!this.#isStopped) take(message)
        },
        { type: 'mqtt/subscribe', topic },
      )
      if (this.#isStopped) await this.#end(unsubscribe)
      else this.#held.push(unsubscribe)
    } catch {
      // Refused, or MQTT is not set up in this moment, or is just starting.
      if (this.#isStopped) return
      const retry = setTimeout(() => {
        this.#retries.delete(retry)
        void this.#follow(topic, take, Math.min(LONGEST_PAUSE_MS, pauseMs * 2))
      }, pauseMs)
      this.#retries.add(retry)
    }
  }

  async #end(unsubscribe: Unsubscribe): Promise<void> {
    try {
      await unsubscribe()
    } catch {
      // The connection is gone, and the subscription with it.
    }
  }
}
