// Records that wait for a broker that is away or slow: bounded, the oldest go first, and what went is counted.
import type { BatchSpan } from './batch.ts'

/** A bounded, ordered set of serialised records; a later record under the same key takes the place of the earlier one. */
export class Backlog {
  readonly #maxRecords: number
  readonly #maxBytes: number
  readonly #records = new Map<string, string>()
  #bytes = 0
  #dropped = 0
  #span: BatchSpan | undefined

  constructor(maxRecords: number, maxBytes: number) {
    this.#maxRecords = maxRecords
    this.#maxBytes = maxBytes
  }

  /** Adds an interval's records; `keys[i]` belongs to `records[i]`. */
  add(span: BatchSpan, keys: readonly string[], records: readonly string[]): void {
    for (let i = 0; i < records.length; i++) this.#set(keys[i] as string, records[i] as string)
    const before = this.#span
    this.#span = {
      from_ms: before === undefined ? span.from_ms : Math.min(before.from_ms, span.from_ms),
      to_ms: before === undefined ? span.to_ms : Math.max(before.to_ms, span.to_ms),
      complete: span.complete && before?.complete !== false,
    }
  }

  /** Everything that waits, as one span; undefined where nothing does. */
  take(): { span: BatchSpan; keys: string[]; records: string[] } | undefined {
    const span = this.#span
    if (span === undefined) return undefined
    const taken = { span, keys: [...this.#records.keys()], records: [...this.#records.values()] }
    this.#records.clear()
    this.#bytes = 0
    this.#span = undefined
    return taken
  }

  /** Puts back what could not be sent; records that have come since are newer and stay. */
  putBack(span: BatchSpan, keys: readonly string[], records: readonly string[]): void {
    const newer = this.take()
    this.add(span, keys, records)
    if (newer !== undefined) this.add(newer.span, newer.keys, newer.records)
  }

  /** Drops the oldest records until the bounds hold. */
  trim(): void {
    for (const [key, record] of this.#records) {
      if (this.#records.size <= this.#maxRecords && this.#bytes <= this.#maxBytes) break
      this.#records.delete(key)
      this.#bytes -= record.length
      this.#dropped++
      if (this.#span !== undefined) this.#span = { ...this.#span, complete: false }
    }
  }

  get empty(): boolean {
    return this.#span === undefined
  }

  /** UTF-16 units of all records, which for our JSON is bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** Records dropped since the start. */
  get dropped(): number {
    return this.#dropped
  }

  #set(key: string, record: string): void {
    const before = this.#records.get(key)
    if (before !== undefined) {
      this.#bytes -= before.length
      this.#records.delete(key)
    }
    this.#records.set(key, record)
    this.#bytes += record.length
  }
}
