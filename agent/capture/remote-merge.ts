// Several pcap streams of one router become one, in the order of their packets' times and by this box's clock.

const MAGIC = 0xa1b2c3d4
const HEAD_BYTES = 24
const RECORD_BYTES = 16
const ETHERNET = 1
const MOST_CAPTURED = 262_144
/** So long a packet waits for others that were before it. */
const HOLD_MS = 40
const TICK_MS = 20
/** Waiting bytes above which nothing more is taken in: the router's kernel then counts what it has no room for. */
const MOST_WAITING = 4 << 20
/** A router's clock that is off by more than this from what was thought was set. */
const SET_US = 10_000_000
/** So often the difference of the clocks is looked at. */
const DRIFT_MS = 10_000

/** The head of what comes out (pcap-savefile(5)): microseconds, Ethernet, this machine's order. */
export function pcapHead(): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt32LE(MAGIC, 0)
  head.writeUInt16LE(2, 4)
  head.writeUInt16LE(4, 6)
  head.writeUInt32LE(MOST_CAPTURED, 16)
  head.writeUInt32LE(ETHERNET, 20)
  return head
}

interface Waiting {
  /** A record, its head already as it goes out. */
  record: Buffer
  us: number
  arrivedMs: number
}

/** One stream. */
export class MergeInput {
  readonly waiting: Waiting[] = []
  /** Of `waiting` these are gone. */
  taken = 0
  #rest: Buffer = Buffer.alloc(0)
  #bigEndian: boolean | undefined
  /** Packets so far. */
  packets = 0
  readonly #clock: RouterClock

  constructor(clock: RouterClock) {
    this.#clock = clock
  }

  /** Takes a piece; gives the bytes that wait for their turn now. Throws an Error for what is not pcap of Ethernet. */
  push(piece: Buffer, nowMs: number): number {
    const data = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece])
    let at = 0
    if (this.#bigEndian === undefined) {
      if (data.length < HEAD_BYTES) {
        this.#rest = data
        return 0
      }
      this.#bigEndian = byteOrder(data)
      at = HEAD_BYTES
    }
    let begun = at
    const word = this.#bigEndian
      ? (offset: number): number => data.readUInt32BE(offset)
      : (offset: number): number => data.readUInt32LE(offset)
    while (data.length - at >= RECORD_BYTES) {
      // Several tcpdumps may write one stream, each with a head of its own; no packet is of the year 2055.
      if (word(at) === MAGIC) {
        if (data.length - at < HEAD_BYTES) break
        byteOrder(data.subarray(at))
        at += HEAD_BYTES
        begun += HEAD_BYTES
        continue
      }
      const captured = word(at + 8)
      if (captured > MOST_CAPTURED) throw new Error('tcpdump wrote what is not pcap')
      const end = at + RECORD_BYTES + captured
      if (data.length < end) break
      const length = word(at + 12)
      const us = this.#clock.own(word(at) * 1e6 + word(at + 4), nowMs)
      data.writeUInt32LE(Math.floor(us / 1e6), at)
      data.writeUInt32LE(us % 1e6, at + 4)
      data.writeUInt32LE(captured, at + 8)
      data.writeUInt32LE(length, at + 12)
      this.#put({ record: data.subarray(at, end), us, arrivedMs: nowMs })
      this.packets++
      at = end
    }
    // Its own memory: what waits must not be written over, nor a large piece be kept for a small rest.
    this.#rest = Buffer.from(data.subarray(at))
    return at - begun
  }

  /** In order: what several write may be out of it by moments. */
  #put(next: Waiting): void {
    let at = this.waiting.length
    while (at > this.taken && (this.waiting[at - 1] as Waiting).us > next.us) at--
    if (at === this.waiting.length) this.waiting.push(next)
    else this.waiting.splice(at, 0, next)
  }
}

/** How far a router's clock is from this box's: as the quickest packet came, all others came later. */
export class RouterClock {
  #offsetUs: number | undefined
  #leastLagUs = Number.POSITIVE_INFINITY
  #sinceMs = 0

  /** A time of the router, by the clock of this box. */
  own(us: number, nowMs: number): number {
    const nowUs = nowMs * 1000
    const lag = this.#offsetUs === undefined ? Number.NaN : nowUs - us - this.#offsetUs
    // Nothing comes before it was sent; and what came by far too late was sent by a clock that was set.
    if (!(lag >= 0 && lag < SET_US)) {
      this.#offsetUs = nowUs - us
      this.#leastLagUs = Number.POSITIVE_INFINITY
      this.#sinceMs = nowMs
      return nowUs
    }
    this.#leastLagUs = Math.min(this.#leastLagUs, lag)
    if (nowMs - this.#sinceMs > DRIFT_MS) {
      this.#offsetUs = (this.#offsetUs as number) + this.#leastLagUs
      this.#leastLagUs = Number.POSITIVE_INFINITY
      this.#sinceMs = nowMs
    }
    return us + (this.#offsetUs as number)
  }
}

export class PcapMerge {
  readonly #inputs = new Set<MergeInput>()
  readonly #write: (data: Buffer) => boolean
  #clock = new RouterClock()
  #waitingBytes = 0
  #timer: NodeJS.Timeout | undefined
  #blocked = false
  /** There is too much waiting, or no more. */
  onFull: (full: boolean) => void = () => {}
  #full = false

  /** `write` takes records; false: only after `drained` any more. */
  constructor(write: (data: Buffer) => boolean) {
    this.#write = write
  }

  /** A new stream of the router. */
  add(): MergeInput {
    const input = new MergeInput(this.#clock)
    this.#inputs.add(input)
    return input
  }

  /** A stream has ended; what waits of it still goes out. */
  remove(input: MergeInput): void {
    if (input.taken >= input.waiting.length) this.#inputs.delete(input)
    else setTimeout(() => this.#inputs.delete(input), HOLD_MS * 4).unref()
  }

  /** Another boot of the router may have another clock. */
  forgetClock(): void {
    this.#clock = new RouterClock()
  }

  /** Throws an Error for what is not pcap of Ethernet. */
  push(input: MergeInput, piece: Buffer): void {
    this.#waitingBytes += input.push(piece, Date.now())
    this.#timer ??= setTimeout(() => this.#tick(), TICK_MS)
    this.#setFull()
  }

  /** What was written has been taken. */
  drained(): void {
    this.#blocked = false
    if (this.#waitingBytes > 0) this.#tick()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#flush(Number.POSITIVE_INFINITY)
    this.#inputs.clear()
  }

  #tick(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (!this.#blocked) this.#flush(Date.now() - HOLD_MS)
    this.#setFull()
    if (this.#waitingBytes > 0 && !this.#blocked) {
      this.#timer = setTimeout(() => this.#tick(), TICK_MS)
    }
  }

  /** Writes all that arrived until `horizonMs`, the earliest first. */
  #flush(horizonMs: number): void {
    const records: Buffer[] = []
    let bytes = 0
    for (;;) {
      let first: MergeInput | undefined
      let head: Waiting | undefined
      for (const input of this.#inputs) {
        const next = input.waiting[input.taken]
        if (next !== undefined && (head === undefined || next.us < head.us)) {
          first = input
          head = next
        }
      }
      if (first === undefined || head === undefined || head.arrivedMs > horizonMs) break
      records.push(head.record)
      bytes += head.record.length
      first.taken++
    }
    for (const input of this.#inputs) {
      if (input.taken > 0) input.waiting.splice(0, input.taken)
      input.taken = 0
    }
    if (records.length === 0) return
    this.#waitingBytes -= bytes
    this.#blocked = !this.#write(Buffer.concat(records, bytes))
  }

  #setFull(): void {
    const full = this.#waitingBytes > (this.#full ? MOST_WAITING / 2 : MOST_WAITING)
    if (full === this.#full) return
    this.#full = full
    this.onFull(full)
  }
}

function byteOrder(data: Buffer): boolean {
  const little = data.readUInt32LE(0) === MAGIC
  if (!little && data.readUInt32BE(0) !== MAGIC) throw new Error('tcpdump wrote what is not pcap')
  const link = (little ? data.readUInt32LE(20) : data.readUInt32BE(20)) & 0xffff
  if (link !== ETHERNET) {
    throw new Error(
      `it is not Ethernet (link type ${link}), and devices are known by their MACs: name the interface towards the devices`,
    )
  }
  return !little
}
