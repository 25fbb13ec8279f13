// Slots in the order in which they changed, as links in typed arrays: a Set of 100 000 would be rebuilt all the time.

const NONE = -1

/** A doubly linked list of small numbers; the last one added is the newest. */
export class RecentList {
  #older = new Int32Array(1024).fill(NONE)
  #newer = new Int32Array(1024).fill(NONE)
  #listed = new Uint8Array(1024)
  #newest = NONE
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Makes `slot` the newest. */
  touch(slot: number): void {
    if (slot === this.#newest) return
    if (slot >= this.#listed.length) this.#grow(slot)
    if (this.#listed[slot] === 1) this.#unlink(slot)
    else this.#size++
    this.#listed[slot] = 1
    this.#older[slot] = this.#newest
    this.#newer[slot] = NONE
    if (this.#newest !== NONE) this.#newer[this.#newest] = slot
    this.#newest = slot
  }

  delete(slot: number): void {
    if (this.#listed[slot] !== 1) return
    this.#unlink(slot)
    this.#listed[slot] = 0
    this.#size--
  }

  /** From the newest to the oldest. */
  *[Symbol.iterator](): Generator<number> {
    for (let at = this.#newest; at !== NONE; at = this.#older[at] as number) yield at
  }

  #unlink(slot: number): void {
    const older = this.#older[slot] as number
    const newer = this.#newer[slot] as number
    if (older !== NONE) this.#newer[older] = newer
    if (newer === NONE) this.#newest = older
    else this.#older[newer] = older
  }

  #grow(slot: number): void {
    const length = Math.max(this.#listed.length * 2, slot + 1)
    const enlarge = (from: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> => {
      const to = new Int32Array(length).fill(NONE)
      to.set(from)
      return to
    }
    this.#older = enlarge(this.#older)
    this.#newer = enlarge(this.#newer)
    const listed = new Uint8Array(length)
    listed.set(this.#listed)
    this.#listed = listed
  }
}
