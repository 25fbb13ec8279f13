// A stream of pcap of this machine's order, cut where its records end.

const HEAD_BYTES = 24
const RECORD_BYTES = 16
const MOST_CAPTURED = 262_144

/** Cuts one stream; what is left of a record when it ends is nobody's. */
export class PcapRecords {
  #rest: Buffer = Buffer.alloc(0)
  #head: Buffer | undefined

  /** The head of the file; empty before it has come. */
  get head(): Buffer {
    return this.#head ?? Buffer.alloc(0)
  }

  /** The records that are whole now, one after the other. Throws an Error for what is not pcap. */
  take(piece: Buffer): Buffer[] {
    const data = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece])
    let at = 0
    if (this.#head === undefined) {
      if (data.length < HEAD_BYTES) {
        this.#rest = data
        return []
      }
      this.#head = Buffer.from(data.subarray(0, HEAD_BYTES))
      at = HEAD_BYTES
    }
    const from = at
    while (data.length - at >= RECORD_BYTES) {
      const captured = data.readUInt32LE(at + 8)
      if (captured > MOST_CAPTURED) throw new Error('what came is not pcap')
      if (data.length - at < RECORD_BYTES + captured) break
      at += RECORD_BYTES + captured
    }
    this.#rest = Buffer.from(data.subarray(at))
    return at > from ? [data.subarray(from, at)] : []
  }
}
