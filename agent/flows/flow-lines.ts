// The flows of a batch as lines of JSON: notes are gathered here, the lines are written by native at once.

import type { Batch, flowLines } from '../../native/index.ts'
import { FLOW, FLOW_NOTE, FLOW_RECORD_BYTES } from '../../native/layout.ts'
import type { ChangedFlows } from '../interval.ts'
import type { FlowView } from './flow-view.ts'
import { TextTable } from './text-table.ts'

/** Flows of one piece: some 100 KB. */
const PIECE = 256

/** Gathers a batch, then writes it. */
export class FlowLines {
  readonly #write: typeof flowLines
  readonly #texts = new TextTable()
  #notes = new Uint32Array(0)
  #room = Buffer.allocUnsafeSlow(65536)

  constructor(write: typeof flowLines) {
    this.#write = write
  }

  /** A batch of `count` flows follows. */
  begin(count: number): void {
    this.#texts.renew()
    if (this.#notes.length < count * FLOW_NOTE.WORDS) {
      this.#notes = new Uint32Array(count * FLOW_NOTE.WORDS * 2)
    }
  }

  add(flow: FlowView): void {
    flow.note(this.#texts, this.#notes)
  }

  /** All flows of the batch, a line each; good until the next call. `run` is that of the reader of these flows. */
  lines(records: ArrayBuffer, count: number, run: string): Buffer {
    return this.#written(records, this.#notes, count, run, 0)
  }

  /** The same bit by bit: each piece is good until the next. `names`: whether those of remotes are told. */
  *pieces(records: ArrayBuffer, count: number, run: string, names: boolean): Generator<Buffer> {
    const notes = names ? this.#notes : withoutNames(this.#notes, count)
    for (let from = 0; from < count; from += PIECE) {
      yield this.#written(records, notes, Math.min(PIECE, count - from), run, from)
    }
  }

  #written(
    records: ArrayBuffer,
    notes: Uint32Array,
    count: number,
    run: string,
    from: number,
  ): Buffer {
    for (;;) {
      const bytes = this.#write(records, notes, count, run, this.#texts.bytes, this.#room, from)
      if (bytes >= 0) return this.#room.subarray(0, bytes)
      this.#room = Buffer.allocUnsafeSlow(-bytes)
    }
  }
}

function withoutNames(notes: Uint32Array, count: number): Uint32Array {
  const discreet = notes.slice(0, count * FLOW_NOTE.WORDS)
  for (let at = 0; at < discreet.length; at += FLOW_NOTE.WORDS) {
    discreet[at + FLOW_NOTE.NAME] = 0
    discreet[at + FLOW_NOTE.SNI] = 0
  }
  return discreet
}

/** The flows of a batch that `lines` has gathered, written when somebody asks. */
export class BatchFlows implements ChangedFlows {
  readonly count: number
  readonly #lines: FlowLines
  readonly #records: ArrayBuffer
  readonly #doubles: Float64Array
  readonly #run: string

  constructor(lines: FlowLines, batch: Pick<Batch, 'flows' | 'flowCount'>, run: string) {
    this.count = batch.flowCount
    this.#lines = lines
    this.#records = batch.flows
    this.#doubles = new Float64Array(batch.flows)
    this.#run = run
  }

  lines(names: boolean): Iterable<Buffer> {
    return this.#lines.pieces(this.#records, this.count, this.#run, names)
  }

  bytes(index: number): number {
    const at = (index * FLOW_RECORD_BYTES) >> 3
    const sent = this.#doubles[at + (FLOW.ORIG_BYTES >> 3)] as number
    return sent + (this.#doubles[at + (FLOW.RESP_BYTES >> 3)] as number)
  }
}
