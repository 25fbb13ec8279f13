// One topic of batches (QoS 0): messages go one after the other, so that a slow broker makes records merge and wait.
import { MAX_PAYLOAD_BYTES } from '../../protocol/topics.ts'
import type { Backlog } from './backlog.ts'
import type { BatchSpan } from './batch.ts'
import { batchMessage, packRecords } from './batch.ts'
import type { PublishOutcome } from './mqtt-link.ts'
import { PACKET_OVERHEAD } from './mqtt-link.ts'

/** The part of a link that a stream needs. */
export interface StreamLink {
  readonly connected: boolean
  readonly maxPacketBytes: number
  publish(
    topic: string,
    payload: string,
    options: { qos: 0 | 1; retain: boolean },
  ): Promise<PublishOutcome>
}

/** Numbers, packs and sends the batches of one topic. */
export class BatchStream {
  readonly #link: StreamLink
  readonly #topic: string
  readonly #key: 'flows' | 'dns'
  readonly #backlog: Backlog
  #seq = 0
  #unnamed = 0
  #unsendable = 0
  #sending = false

  constructor(link: StreamLink, topic: string, key: 'flows' | 'dns', backlog: Backlog) {
    this.#link = link
    this.#topic = topic
    this.#key = key
    this.#backlog = backlog
  }

  /** Takes an interval's records. `keys[i]` names `records[i]`, a later record replaces a waiting one; without keys none does. */
  add(span: BatchSpan, keys: readonly string[] | undefined, records: readonly string[]): void {
    this.#backlog.add(span, keys ?? records.map(() => `${++this.#unnamed}`), records)
    this.flush()
    // Only what could not leave at once is bounded: a busy second with a broker at hand is not a loss.
    this.#backlog.trim()
  }

  /** Sends what waits, where a connection stands. */
  flush(): void {
    if (!this.#sending && this.#link.connected) void this.#sendAll()
  }

  /** Records dropped since the start. */
  get dropped(): number {
    return this.#backlog.dropped + this.#unsendable
  }

  async #sendAll(): Promise<void> {
    this.#sending = true
    while (this.#link.connected) {
      const waiting = this.#backlog.take()
      if (waiting === undefined) break
      const maxBytes = Math.min(
        MAX_PAYLOAD_BYTES,
        this.#link.maxPacketBytes - this.#topic.length - PACKET_OVERHEAD,
      )
      const { runs, oversize } = packRecords(waiting.records, maxBytes)
      this.#unsendable += oversize
      const span = oversize === 0 ? waiting.span : { ...waiting.span, complete: false }
      const sent = await this.#sendRuns(span, runs)
      const rest = waiting.records.length - oversize - sent
      if (rest > 0 && oversize > 0) this.#unsendable += rest
      else if (rest > 0)
        this.#backlog.putBack(waiting.span, waiting.keys.slice(-rest), waiting.records.slice(-rest))
    }
    this.#sending = false
  }

  /** How many records left before the connection did. */
  async #sendRuns(span: BatchSpan, runs: readonly string[][]): Promise<number> {
    let sent = 0
    for (const [i, run] of runs.entries()) {
      const message = batchMessage(this.#key, ++this.#seq, span, i + 1, runs.length, run)
      const outcome = await this.#link.publish(this.#topic, message, { qos: 0, retain: false })
      if (outcome === 'lost') return sent
      sent += run.length
    }
    return sent
  }
}
