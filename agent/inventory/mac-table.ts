// MAC → device, in arrays: a Map keeps each key that is no small integer in a place of its own.
import { hashTwo } from '../seeded-hash.ts'
import type { DeviceEntry } from './device-entry.ts'

/** An open hash table with linear probing, never more than half full. */
export class MacTable {
  #keys = new Float64Array(256)
  #entries = new Array<DeviceEntry | undefined>(256).fill(undefined)
  #size = 0

  /** `mac` as `macKey` makes it; not 0. */
  get(mac: number): DeviceEntry | undefined {
    return this.#entries[this.#place(mac)]
  }

  set(mac: number, entry: DeviceEntry): void {
    if (this.#size * 2 >= this.#keys.length) this.#grow()
    const place = this.#place(mac)
    if (this.#keys[place] === 0) this.#size++
    this.#keys[place] = mac
    this.#entries[place] = entry
  }

  delete(mac: number): void {
    const mask = this.#keys.length - 1
    let hole = this.#place(mac)
    if (this.#keys[hole] === 0) return
    this.#size--
    // Whoever was pushed past the hole moves up, so that no search ends at it too early.
    for (let at = (hole + 1) & mask; this.#keys[at] !== 0; at = (at + 1) & mask) {
      const home = hash(this.#keys[at] as number) & mask
      if (((at - home) & mask) < ((at - hole) & mask)) continue
      this.#keys[hole] = this.#keys[at] as number
      this.#entries[hole] = this.#entries[at]
      hole = at
    }
    this.#keys[hole] = 0
    this.#entries[hole] = undefined
  }

  /** Where `mac` is, or would be. */
  #place(mac: number): number {
    const keys = this.#keys
    const mask = keys.length - 1
    let at = hash(mac) & mask
    while (keys[at] !== mac && keys[at] !== 0) at = (at + 1) & mask
    return at
  }

  #grow(): void {
    const keys = this.#keys
    const entries = this.#entries
    this.#keys = new Float64Array(keys.length * 2)
    this.#entries = new Array<DeviceEntry | undefined>(keys.length * 2).fill(undefined)
    for (const [i, mac] of keys.entries()) {
      if (mac === 0) continue
      const place = this.#place(mac)
      this.#keys[place] = mac
      this.#entries[place] = entries[i]
    }
  }
}

/** A MAC's two halves of 24 bits. */
function hash(mac: number): number {
  return hashTwo((mac / 16777216) | 0, (mac % 16777216) | 0)
}
