// A connection that only one of several instances with the same agent id speaks on: to all behind it, it stands while it is
// this one's turn, and is away otherwise.
import type { Topics } from '../../protocol/topics.ts'
import type { LinkHandlers, PublishOptions, PublishOutcome, ReplyTo } from './mqtt-link.ts'
import type { PresenceOptions } from './presence-desk.ts'
import { PresenceDesk } from './presence-desk.ts'
import type { Link } from './publisher.ts'

export interface SoleLinkOptions
  extends Omit<PresenceOptions, 'send' | 'onState' | 'onGone' | 'instance'> {
  topics: Topics
  instance: string
  /** It stands by for another instance; undefined: no more. */
  onStandBy: (other: string | undefined) => void
}

interface Held {
  topic: string
  payload: Buffer
  retained: boolean
  reply?: ReplyTo
}

/** What comes before it is known whose turn it is: retained messages, and orders. */
const MAX_HELD = 4096
const MAX_HELD_BYTES = 8 * 1024 * 1024

/** The same link, for one instance at a time. */
export class SoleLink implements Link {
  readonly #link: Link
  readonly #options: SoleLinkOptions
  readonly #presence: PresenceDesk
  #handlers: LinkHandlers | undefined
  #open = false
  #held: Held[] = []
  #heldBytes = 0

  constructor(link: Link, options: SoleLinkOptions) {
    this.#link = link
    this.#options = options
    const { topics, onStandBy } = options
    this.#presence = new PresenceDesk({
      ...options,
      send: (payload) => void link.publish(topics.instance, payload, { qos: 1, retain: false }),
      onState: (state, other) => {
        if (state === 'standing_by') {
          this.#close()
          onStandBy(other)
          return
        }
        onStandBy(undefined)
        this.#begin()
      },
      // What is retained is told anew to a new connection only.
      onGone: () => link.reconnect?.(),
    })
  }

  start(handlers: LinkHandlers): void {
    this.#handlers = handlers
    this.#link.start({
      connected: () => {
        this.#presence.connected()
        if (this.#presence.state === 'active') this.#begin()
      },
      disconnected: () => {
        this.#presence.disconnected()
        this.#close()
      },
      message: (topic, payload, retained, reply) => {
        const { topics } = this.#options
        if (topic === topics.instance) this.#presence.heard(payload)
        else if (this.#open) handlers.message(topic, payload, retained, reply)
        else if (this.#presence.state === 'waiting') this.#hold(topic, payload, retained, reply)
        else if (topic === topics.status && payload.toString('latin1') === 'offline')
          this.#presence.gone()
      },
    })
  }

  async stop(): Promise<void> {
    if (this.#link.connected) this.#presence.bye()
    this.#presence.disconnected()
    this.#open = false
    await this.#link.stop()
  }

  get connected(): boolean {
    return this.#open && this.#link.connected
  }

  get maxPacketBytes(): number {
    return this.#link.maxPacketBytes
  }

  get bufferedBytes(): number {
    return this.#link.bufferedBytes
  }

  publish(
    topic: string,
    payload: string | Buffer,
    options: PublishOptions,
  ): Promise<PublishOutcome> {
    return this.#open ? this.#link.publish(topic, payload, options) : Promise.resolve('lost')
  }

  hearRetained(filters: readonly string[]): (() => void) | undefined {
    return this.#link.hearRetained?.(filters)
  }

  #begin(): void {
    if (this.#open || !this.#link.connected) return
    this.#open = true
    this.#handlers?.connected()
    const held = this.#held
    this.#forgetHeld()
    for (const { topic, payload, retained, reply } of held)
      this.#handlers?.message(topic, payload, retained, reply)
  }

  #close(): void {
    this.#forgetHeld()
    if (!this.#open) return
    this.#open = false
    this.#handlers?.disconnected()
  }

  #hold(topic: string, payload: Buffer, retained: boolean, reply: ReplyTo | undefined): void {
    const bytes = this.#heldBytes + topic.length + payload.length
    if (this.#held.length >= MAX_HELD || bytes > MAX_HELD_BYTES) return
    this.#heldBytes = bytes
    this.#held.push({ topic, payload, retained, ...(reply === undefined ? {} : { reply }) })
  }

  #forgetHeld(): void {
    this.#held = []
    this.#heldBytes = 0
  }
}
