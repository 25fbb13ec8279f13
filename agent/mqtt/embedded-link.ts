// The agent's way to the broker that it carries itself: calls, no socket, and none of the package mqtt in memory.
import type { EmbeddedBroker } from './embedded-broker.ts'
import type { LinkHandlers, PublishOptions, PublishOutcome } from './mqtt-link.ts'

/** A connection that stands from `start` to `stop`. */
export class EmbeddedLink {
  readonly #broker: EmbeddedBroker
  readonly #subscribe: readonly string[]
  readonly #commands: string | undefined
  #connected = false

  /** `subscribe`: filters of topics. `commands`: filter of orders, told as they were published. */
  constructor(broker: EmbeddedBroker, subscribe: readonly string[], commands?: string) {
    this.#broker = broker
    this.#subscribe = subscribe
    this.#commands = commands
  }

  start(handlers: LinkHandlers): void {
    for (const filter of this.#subscribe) {
      this.#broker.hear(filter, (payload, topic) => {
        // As to any subscriber, what comes while it listens comes without the mark of being retained.
        if (this.#connected) handlers.message(topic, payload, false)
      })
    }
    if (this.#commands !== undefined) {
      this.#broker.hear(this.#commands, (payload, topic, retained) => {
        if (this.#connected) handlers.message(topic, payload, retained)
      })
    }
    this.#connected = true
    handlers.connected()
  }

  async stop(): Promise<void> {
    this.#connected = false
  }

  get connected(): boolean {
    return this.#connected
  }

  get maxPacketBytes(): number {
    return Number.POSITIVE_INFINITY
  }

  /** Bytes that the clients' connections have not taken yet. */
  get bufferedBytes(): number {
    return this.#broker.bufferedBytes
  }

  /** Resolves when every client has got it, or too much waits for one to send it more. */
  publish(
    topic: string,
    payload: string | Buffer,
    options: PublishOptions,
  ): Promise<PublishOutcome> {
    if (!this.#connected) return Promise.resolve('lost')
    return this.#broker.publish(
      topic,
      typeof payload === 'string' ? Buffer.from(payload) : payload,
      options,
    )
  }
}
