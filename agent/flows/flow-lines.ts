// The flows of a batch as lines of JSON: notes are gathered here, the lines are written by native at once.

import type { flowLines } from '../../native/index.ts'
import { FLOW_NOTE } from '../../native/layout.ts'
import type { FlowView } from './flow-view.ts'
import { TextTable } from './text-table.ts'

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

  /** All flows of the batch, a line each; good until the next batch. `run` is that of the reader of these flows. */
  lines(records: ArrayBuffer, count: number, run: string): Buffer {
    for (;;) {
      const bytes = this.#write(records, this.#notes, count, run, this.#texts.bytes, this.#room)
      if (bytes >= 0) return this.#room.subarray(0, bytes)
      this.#room = Buffer.allocUnsafeSlow(-bytes)
    }
  }
}
