// One topic of batches (QoS 0): messages go one after the other, so that a slow broker makes records merge and wait.
import { MAX_PAYLOAD_BYTES } from '../../protocol/topics.ts'
import type { Backlog } from './backlog.ts'
import type { BatchSpan } from './batch.ts'
import { batchHead, packRecords } from './batch.ts'
import type { PublishOutcome } from './mqtt-link.ts'
import { PACKET_OVERHEAD, PackedLines, readRecords } from './packed-lines.ts'

/** The part of a link that a stream needs. */
export interface StreamLink {
  readonly connected: boolean
  readonly maxPacketBytes: number
  /** Bytes of what was published that are still held: none, and what they were in can be used again. */
  readonly bufferedBytes: number
  publish(
    topic: string,
    payload: string | Buffer,
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
  #work: Promise<void> | undefined
  #packed = new PackedLines()

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

  /** Takes an interval's flows, each a line of JSON; the pieces need not stay as they are. */
  addLines(span: BatchSpan, lines: Iterable<Buffer>): void {
    if (this.#sending || !this.#link.connected || !this.#backlog.empty) {
      const { keys, records } = readRecords(lines)
      this.add(span, keys, records)
      return
    }
    if (this.#link.bufferedBytes > 0) this.#packed = new PackedLines()
    this.#packed.pack(lines, this.#maxBytes())
    this.#sending = true
    this.#work = this.#sendPacked(span).then(() => this.#sendAll())
  }

  /** Sends what waits, where a connection stands. */
  flush(): void {
    if (this.#sending || !this.#link.connected) return
    this.#sending = true
    this.#work = this.#sendAll()
  }

  /** While messages are under way, resolves when they have gone. */
  get busy(): Promise<void> | undefined {
    return this.#sending ? this.#work : undefined
  }

  /** Records dropped since the start. */
  get dropped(): number {
    return this.#backlog.dropped + this.#unsendable
  }

  #maxBytes(): number {
    const { maxPacketBytes } = this.#link
    return Math.min(MAX_PAYLOAD_BYTES, maxPacketBytes - this.#topic.length - PACKET_OVERHEAD)
  }

  async #sendPacked(whole: BatchSpan): Promise<void> {
    const packed = this.#packed
    const { messages, oversize } = packed
    this.#unsendable += oversize
    const span = oversize === 0 ? whole : { ...whole, complete: false }
    for (let i = 0; i < messages; i++) {
      const message = packed.message(i, this.#head(span, i + 1, messages))
      const outcome = await this.#publish(message)
      if (outcome !== 'lost') continue
      const { keys, records } = packed.rest(i)
      this.#backlog.putBack(span, keys, records)
      this.#backlog.trim()
      return
    }
  }

  /** Whoever calls has set `#sending`. */
  async #sendAll(): Promise<void> {
    while (this.#link.connected) {
      const waiting = this.#backlog.take()
      if (waiting === undefined) break
      const { runs, oversize } = packRecords(waiting.records, this.#maxBytes())
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
      const outcome = await this.#publish(
        `${this.#head(span, i + 1, runs.length)}${run.join(',')}]}`,
      )
      if (outcome === 'lost') return sent
      sent += run.length
    }
    return sent
  }

  #head(span: BatchSpan, part: number, parts: number): string {
    return batchHead(this.#key, ++this.#seq, span, part, parts)
  }

  #publish(message: string | Buffer): Promise<PublishOutcome> {
    return this.#link.publish(this.#topic, message, { qos: 0, retain: false })
  }
}
