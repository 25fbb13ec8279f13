// Answers by device and address, side by side in one piece of memory: objects for each of them cost the processor a wait for
// every one that it has to fetch, and the garbage collector a copy.
import { hashTwo } from '../seeded-hash.ts'

/** Fields of a row, in words of four bytes; the time takes two. */
const DEVICE = 0
const IP = 1
const NAME = 2
const HEARD_AGAIN = 3
/** The next row with the same hash. */
const IN_BUCKET = 4
const NEXT = 5
const TIME_MS = 6
const ROW = 8

/** Rows at the beginning; a power of two. */
const FIRST_ROWS = 1024

/** A table of rows, found by the numbers of a device and an address. Row 0 is none. */
export class AnswerRows {
  #words = new Int32Array(FIRST_ROWS * ROW)
  #doubles = new Float64Array(this.#words.buffer)
  #buckets = new Int32Array(FIRST_ROWS)
  /** Rows up to this one were used. */
  #used = 0
  /** Removed rows, by `NEXT`. */
  #free = 0
  /** Rows that are there. */
  size = 0

  /** The row of a device and an address, 0 if there is none. */
  find(device: number, ip: number): number {
    const words = this.#words
    let row = this.#buckets[this.#bucket(device, ip)] as number
    while (row !== 0) {
      const at = row * ROW
      if (words[at + IP] === ip && words[at + DEVICE] === device) break
      row = words[at + IN_BUCKET] as number
    }
    return row
  }

  /** Makes the row of a pair that has none; its answer is to be set. */
  insert(device: number, ip: number): number {
    const row = this.#take()
    const at = row * ROW
    const bucket = this.#bucket(device, ip)
    const words = this.#words
    words[at + DEVICE] = device
    words[at + IP] = ip
    words[at + HEARD_AGAIN] = 0
    words[at + NEXT] = 0
    words[at + IN_BUCKET] = this.#buckets[bucket] as number
    this.#buckets[bucket] = row
    this.size++
    return row
  }

  /** Takes a row out; its number may stand for another pair from now on. */
  remove(row: number): void {
    const words = this.#words
    const bucket = this.#bucket(words[row * ROW + DEVICE] as number, this.ip(row))
    const after = words[row * ROW + IN_BUCKET] as number
    let before = this.#buckets[bucket] as number
    if (before === row) this.#buckets[bucket] = after
    else {
      while (words[before * ROW + IN_BUCKET] !== row) {
        before = words[before * ROW + IN_BUCKET] as number
      }
      words[before * ROW + IN_BUCKET] = after
    }
    words[row * ROW + NEXT] = this.#free
    this.#free = row
    this.size--
  }

  /** Sets the answer of a row: the number of a name, and when it was told (epoch, ms). */
  set(row: number, name: number, timeMs: number): void {
    this.#words[row * ROW + NAME] = name
    this.#doubles[(row * ROW + TIME_MS) >> 1] = timeMs
  }

  name(row: number): number {
    return this.#words[row * ROW + NAME] as number
  }

  timeMs(row: number): number {
    return this.#doubles[(row * ROW + TIME_MS) >> 1] as number
  }

  ip(row: number): number {
    return this.#words[row * ROW + IP] as number
  }

  /** Whether the pair was answered again since it came, or since this was last taken back. */
  isHeardAgain(row: number): boolean {
    return this.#words[row * ROW + HEARD_AGAIN] !== 0
  }

  setHeardAgain(row: number, heard: boolean): void {
    this.#words[row * ROW + HEARD_AGAIN] = heard ? 1 : 0
  }

  /** The row that follows in a list of the caller's. */
  next(row: number): number {
    return this.#words[row * ROW + NEXT] as number
  }

  setNext(row: number, next: number): void {
    this.#words[row * ROW + NEXT] = next
  }

  #bucket(device: number, ip: number): number {
    return hashTwo(device, ip) & (this.#buckets.length - 1)
  }

  #take(): number {
    const free = this.#free
    if (free !== 0) {
      this.#free = this.next(free)
      return free
    }
    if ((this.#used + 1) * ROW === this.#words.length) this.#grow()
    return ++this.#used
  }

  #grow(): void {
    const words = new Int32Array(this.#words.length * 2)
    words.set(this.#words)
    this.#words = words
    this.#doubles = new Float64Array(words.buffer)
    this.#buckets = new Int32Array(words.length / ROW)
    // No row is free here: else it would have been taken.
    for (let row = 1; row <= this.#used; row++) {
      const bucket = this.#bucket(words[row * ROW + DEVICE] as number, this.ip(row))
      words[row * ROW + IN_BUCKET] = this.#buckets[bucket] as number
      this.#buckets[bucket] = row
    }
  }
}
