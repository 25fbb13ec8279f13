// The card's subscriptions to MQTT through Home Assistant, which serves them to administrators alone.
import { topicsOf } from '../../../protocol/topics.ts'
import type { HassConnection, MqttMessage } from './hass.ts'
import { LiveAgent } from './live-agent.ts'
import { readFlowBatch, readIncident } from './live-messages.ts'

type Unsubscribe = () => Promise<void>

/** Follows agents between `start()` and `stop()`. */
export class LiveFeed {
  readonly #connection: HassConnection
  readonly #prefix: string
  readonly #onChange: () => void
  readonly #agents = new Map<string, LiveAgent>()
  readonly #held: Unsubscribe[] = []
  #timer: ReturnType<typeof setInterval> | undefined
  #isStopped = false

  /** `prefix` is one that `isTopicPrefix` takes. */
  constructor(connection: HassConnection, prefix: string, onChange: () => void) {
    this.#connection = connection
    this.#prefix = prefix
    this.#onChange = onChange
  }

  /** Subscribes to what each of these agents says. A refusal leaves the card with what the entities say. */
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
    for (const unsubscribe of this.#held.splice(0)) void this.#end(unsubscribe)
  }

  /** What an agent said; undefined for one that is not followed. */
  of(agent: string): LiveAgent | undefined {
    return this.#agents.get(agent)
  }

  async #follow(topic: string, take: (message: MqttMessage) => void): Promise<void> {
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
      // Refused, or MQTT is not set up in this moment.
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
