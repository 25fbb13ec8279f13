// One connection for two: what the publisher needs of a link, and somebody who listens along and publishes too.
import type { LinkHandlers } from './mqtt-link.ts'
import type { Link } from './publisher.ts'

/** Who listens along. */
export interface Guest {
  /** Filters of topics that it wants to hear, besides the publisher's. */
  readonly subscribe: readonly string[]
  /** The connection stands, after the publisher was told. */
  connected(link: Link): void
  disconnected(): void
  /** Every message but orders; also those that it did not ask for. */
  message(topic: string, payload: Buffer, retained: boolean): void
}

/** The same link, whose handlers are the publisher's and a guest's. `commands`: what orders' topics begin with. */
export function withGuest(link: Link, guest: Guest, commands: string): Link {
  return {
    get connected() {
      return link.connected
    },
    get maxPacketBytes() {
      return link.maxPacketBytes
    },
    get bufferedBytes() {
      return link.bufferedBytes
    },
    start: (handlers: LinkHandlers) =>
      link.start({
        connected: () => {
          handlers.connected()
          guest.connected(link)
        },
        disconnected: () => {
          handlers.disconnected()
          guest.disconnected()
        },
        message: (topic, payload, retained, reply) => {
          handlers.message(topic, payload, retained, reply)
          if (!topic.startsWith(commands)) guest.message(topic, payload, retained)
        },
      }),
    stop: () => link.stop(),
    hearRetained: (filters) => link.hearRetained?.(filters),
    publish: (topic, payload, options) => link.publish(topic, payload, options),
  }
}
