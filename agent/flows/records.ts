// Views on the flow records of one batch, and the keeping of the last record of each live flow.
import { FLOW, FLOW_FLAGS, FLOW_RECORD_BYTES } from '../../native/layout.ts'

/** Flow records in one buffer. `base` is where a record begins, in bytes. */
export class FlowRecords {
  readonly bytes: Buffer
  readonly words: Uint16Array
  readonly longs: Uint32Array
  /** The same, signed: how addresses are looked up. */
  readonly ints: Int32Array
  readonly doubles: Float64Array

  constructor(buffer: ArrayBuffer) {
    this.bytes = Buffer.from(buffer)
    this.words = new Uint16Array(buffer)
    this.longs = new Uint32Array(buffer)
    this.ints = new Int32Array(buffer)
    this.doubles = new Float64Array(buffer)
  }

  slot(base: number): number {
    return this.longs[(base + FLOW.SLOT) >> 2] as number
  }

  /** The double at `base + field`; `field` is one of the f64 fields of `FLOW`. */
  double(base: number, field: number): number {
    return this.doubles[(base + field) >> 3] as number
  }

  /** The byte at `base + field`. */
  byte(base: number, field: number): number {
    return this.bytes[base + field] as number
  }

  /** The port at `base + field`. */
  port(base: number, field: number): number {
    return this.words[(base + field) >> 1] as number
  }

  ipv6(base: number): boolean {
    return (this.byte(base, FLOW.FLAGS) & FLOW_FLAGS.IPV6) !== 0
  }
}

/** Slots per chunk: memory follows the flows that live. */
const CHUNK = 1024

/** The last record of each slot, so that live flows need no object each. */
export class RecordStore {
  readonly #chunks: (FlowRecords | undefined)[] = []

  /** Keeps the record at `base`. */
  put(records: FlowRecords, base: number): void {
    const slot = records.slot(base)
    const index = Math.floor(slot / CHUNK)
    let chunk = this.#chunks[index]
    if (chunk === undefined) {
      chunk = new FlowRecords(new ArrayBuffer(CHUNK * FLOW_RECORD_BYTES))
      this.#chunks[index] = chunk
    }
    const from = base >> 3
    const to = ((slot % CHUNK) * FLOW_RECORD_BYTES) >> 3
    for (let i = 0; i < FLOW_RECORD_BYTES >> 3; i++) {
      chunk.doubles[to + i] = records.doubles[from + i] as number
    }
  }

  /** The chunk that holds `slot`, undefined where nothing was ever put there. */
  chunk(slot: number): FlowRecords | undefined {
    return this.#chunks[Math.floor(slot / CHUNK)]
  }

  /** Where the record of `slot` begins in its chunk. */
  base(slot: number): number {
    return (slot % CHUNK) * FLOW_RECORD_BYTES
  }
}
