// Random numbers that are the same for the same seed on every machine.

/** A stream of random numbers (sfc32), wholly determined by its seed. */
export class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  /** `seed`: any 32-bit integer. */
  constructor(seed: number) {
    this.#a = seed | 0
    this.#b = 0x9e3779b9 ^ seed
    this.#c = 0x243f6a88
    for (let i = 0; i < 12; i++) this.uint32()
  }

  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** 0 ≤ x < 1 */
  unit(): number {
    return this.uint32() / 0x1_0000_0000
  }

  /** An integer, `low` ≤ x < `high`. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low))
  }

  /** A number, `low` ≤ x < `high`. */
  between(low: number, high: number): number {
    return low + this.unit() * (high - low)
  }

  /** Times between events that come at random, with this mean; cut at six times the mean. */
  exponential(mean: number): number {
    return Math.min(6, -Math.log(1 - this.unit())) * mean
  }

  chance(probability: number): boolean {
    return this.unit() < probability
  }

  pick<T>(from: readonly T[]): T {
    const one = from[this.integer(0, from.length)]
    if (one === undefined) throw new RangeError('there is nothing to pick from')
    return one
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length)
    for (let i = 0; i < length; i++) bytes[i] = this.uint32() & 0xff
    return bytes
  }
}
