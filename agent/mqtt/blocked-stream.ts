// What was dropped, on its way to the broker: one message a second, and while the broker is away or slow sums of what it missed.
import type { Blocked, BlockedBatch } from '../../protocol/act.ts'
import { MAX_PAYLOAD_BYTES } from '../../protocol/topics.ts'
import { packRecords } from './batch.ts'
import type { StreamLink } from './batch-stream.ts'
import { PACKET_OVERHEAD } from './packed-lines.ts'

/** What differs in rule, device, cause, remote or direction; more of that is dropped and counted. */
const MAX_SUMS = 5000

/** Numbers, sums up and sends the batches of one topic (QoS 0). */
export class BlockedStream {
  readonly #link: StreamLink
  readonly #topic: string
  #sums = new Map<string, Blocked>()
  #fromMs = Number.POSITIVE_INFINITY
  #toMs = 0
  #seq = 0
  #dropped = 0
  #sending = false

  constructor(link: StreamLink, topic: string) {
    this.#link = link
    this.#topic = topic
  }

  add({ from_ms, to_ms, blocked }: Pick<BlockedBatch, 'from_ms' | 'to_ms' | 'blocked'>): void {
    this.#fromMs = Math.min(this.#fromMs, from_ms)
    this.#toMs = Math.max(this.#toMs, to_ms)
    for (const one of blocked) this.#sum(one)
    this.flush()
  }

  /** Sends what there is, where a connection stands. */
  flush(): void {
    if (this.#sending || !this.#link.connected || this.#sums.size === 0) return
    this.#sending = true
    void this.#send().then(() => {
      this.#sending = false
    })
  }

  /** Entries that were dropped since the start. */
  get dropped(): number {
    return this.#dropped
  }

  #sum(one: Blocked): void {
    const { rule_id, device_id, cause, remote, direction } = one
    const key = JSON.stringify([rule_id, device_id, cause, remote, direction])
    const before = this.#sums.get(key)
    if (before === undefined && this.#sums.size >= MAX_SUMS) {
      this.#dropped++
      return
    }
    const { packets = 0, bytes = 0 } = before ?? {}
    this.#sums.set(key, { ...one, packets: packets + one.packets, bytes: bytes + one.bytes })
  }

  async #send(): Promise<void> {
    while (this.#link.connected && this.#sums.size > 0) {
      const [from_ms, to_ms, all] = [this.#fromMs, this.#toMs, [...this.#sums.values()]]
      this.#sums = new Map()
      this.#fromMs = Number.POSITIVE_INFINITY
      const sent = await this.#sendAll(from_ms, to_ms, all)
      if (sent === all.length) continue
      this.#fromMs = Math.min(this.#fromMs, from_ms)
      for (const one of all.slice(sent)) this.#sum(one)
    }
  }

  /** How many of `all` left before the connection did. */
  async #sendAll(from_ms: number, to_ms: number, all: readonly Blocked[]): Promise<number> {
    const { maxPacketBytes } = this.#link
    const most = Math.min(MAX_PAYLOAD_BYTES, maxPacketBytes - this.#topic.length - PACKET_OVERHEAD)
    const records = all.map((one) => JSON.stringify(one))
    const { runs, oversize } = packRecords(records, most)
    this.#dropped += oversize
    let sent = oversize
    for (const run of runs) {
      this.#seq++
      const head = JSON.stringify({ type: 'blocked_batch', seq: this.#seq, from_ms, to_ms })
      const message = `${head.slice(0, -1)},"blocked":[${run.join(',')}]}`
      const outcome = await this.#link.publish(this.#topic, message, { qos: 0, retain: false })
      if (outcome === 'lost') return sent
      sent += run.length
    }
    return sent
  }
}
