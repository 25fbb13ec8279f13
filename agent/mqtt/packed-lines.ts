// Lines of JSON as messages that fit, all in one buffer: a busy second is many megabytes, and each copy of it would be more.

/** Bytes of an MQTT packet besides topic and payload, with room for MQTT 5 properties. */
export const PACKET_OVERHEAD = 16

/** Room for everything in a batch but its records: type, seq, times, part, parts, names and brackets. */
export const HEADER_BYTES = 256

/** After a run's records: the brackets that end the message. */
const TAIL_BYTES = 2
const MIN_BYTES = 65_536
const LINE_FEED = 10
const COMMA = 44
const QUOTE = 34
const BRACKET = 93
const BRACE = 125

/** Where the id of a flow begins in its line. */
const ID_AT = '{"type":"flow","id":"'.length

/** Records of one message: where they begin and end in the buffer, and the number of the first. */
interface Run {
  from: number
  to: number
  first: number
}

/** Lines packed into runs. Can be packed again as soon as nobody reads its messages any more. */
export class PackedLines {
  #buffer = Buffer.alloc(0)
  /** Begin and end of each record that is in a run. */
  #bounds = new Uint32Array(0)
  #records = 0
  #runs: Run[] = []
  #oversize = 0

  /** Takes lines in, in the fewest runs, in order, that fit `maxBytes` with a header. What alone does not fit is left out. */
  pack(pieces: Iterable<Buffer>, maxBytes: number): void {
    const room = Math.max(maxBytes - HEADER_BYTES, 1)
    this.#records = 0
    this.#oversize = 0
    this.#runs = [{ from: HEADER_BYTES, to: HEADER_BYTES, first: 0 }]
    this.#reserve(0)
    for (const lines of pieces) {
      for (let at = 0, end = 0; at < lines.length; at = end) {
        const feed = lines.indexOf(LINE_FEED, at)
        end = feed < 0 ? lines.length : feed + 1
        if (end - at > room) this.#oversize++
        else this.#put(lines, at, end, room)
      }
    }
  }

  /** Messages that there are; one without records where there were none. */
  get messages(): number {
    return this.#runs.length
  }

  /** Records that were left out. */
  get oversize(): number {
    return this.#oversize
  }

  /** One of the messages, after `head`, which is ASCII and at most HEADER_BYTES long, up to the bracket of the list. */
  message(index: number, head: string): Buffer {
    const { from, to } = this.#runs[index] as Run
    const begin = from - head.length
    const end = to > from ? to - 1 : to
    this.#buffer.write(head, begin, 'latin1')
    this.#buffer[end] = BRACKET
    this.#buffer[end + 1] = BRACE
    return this.#buffer.subarray(begin, end + TAIL_BYTES)
  }

  /** The records from a message on, with their ids, each in memory of its own. */
  rest(index: number): { keys: string[]; records: string[] } {
    const keys: string[] = []
    const records: string[] = []
    const first = this.#runs[index]?.first ?? this.#records
    for (let i = first; i < this.#records; i++) {
      const begin = this.#bounds[i * 2] as number
      const end = this.#bounds[i * 2 + 1] as number
      keep(this.#buffer, begin, end, keys, records)
    }
    return { keys, records }
  }

  #put(lines: Buffer, at: number, end: number, room: number): void {
    const size = end - at
    this.#reserve(size)
    let run = this.#runs.at(-1) as Run
    if (run.to + size - run.from > room) {
      const from = run.to + TAIL_BYTES + HEADER_BYTES
      run = { from, to: from, first: this.#records }
      this.#runs.push(run)
    }
    this.#bound(run.to, run.to + size - 1)
    lines.copy(this.#buffer, run.to, at, end)
    run.to += size
    this.#buffer[run.to - 1] = COMMA
  }

  #bound(begin: number, end: number): void {
    const at = this.#records++ * 2
    if (at >= this.#bounds.length) {
      const larger = new Uint32Array(Math.max(1024, at * 2))
      larger.set(this.#bounds)
      this.#bounds = larger
    }
    this.#bounds[at] = begin
    this.#bounds[at + 1] = end
  }

  /** Room for a record of so many bytes, in a run of its own if need be. */
  #reserve(size: number): void {
    const needed = (this.#runs.at(-1) as Run).to + 2 * TAIL_BYTES + HEADER_BYTES + size
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#buffer.length, needed, MIN_BYTES))
    this.#buffer.copy(larger)
    this.#buffer = larger
  }
}

/** Flows as lines of JSON → each by itself, with its id. */
export function readRecords(pieces: Iterable<Buffer>): { keys: string[]; records: string[] } {
  const keys: string[] = []
  const records: string[] = []
  for (const lines of pieces) {
    for (let at = 0, end = 0; at < lines.length; at = end + 1) {
      const feed = lines.indexOf(LINE_FEED, at)
      end = feed < 0 ? lines.length : feed
      keep(lines, at, end, keys, records)
    }
  }
  return { keys, records }
}

function keep(bytes: Buffer, begin: number, end: number, keys: string[], records: string[]): void {
  const id = begin + ID_AT
  keys.push(bytes.toString('latin1', id, bytes.indexOf(QUOTE, id)))
  records.push(bytes.toString('utf8', begin, end))
}
