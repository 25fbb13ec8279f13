// How fast the reconciler may go: the first of everything at once, storms ever more slowly, and the last one never left out.

/** At most 20 transactions a second. */
const TURN_MS = 50
/** Looking for foreign changes costs reading everything. */
const CHECK_MS = 100
/** A check may cost this share of one processor. */
const CHECK_SHARE = 0.1
/** Repairs that are at once, in a row. */
const EAGER_REPAIRS = 3
const MAX_REPAIR_MS = 800
/** After so long without a repair a storm is over. */
const CALM_MS = 10_000
const TELL_MS = 5000

/** Long enough ago for everything. */
const NEVER = -1e9

export class Pace {
  readonly #now: () => number
  #turnAt = NEVER
  #checkBegan = NEVER
  #checkEnded = NEVER
  #repairedAt = NEVER
  #inRow = 0
  #toldAt = NEVER

  /** Milliseconds of any steady clock. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** A transaction begins. */
  turn(): void {
    this.#turnAt = this.#now()
  }

  /** Milliseconds until the next one may begin. */
  turnIn(): number {
    return Math.max(0, this.#turnAt + TURN_MS - this.#now())
  }

  /** Milliseconds until `wait` after the last one. */
  sinceTurn(wait: number): number {
    return Math.max(0, this.#turnAt + wait - this.#now())
  }

  /** Reading begins, and has ended. */
  check(): void {
    this.#checkBegan = this.#now()
  }

  checked(): void {
    this.#checkEnded = this.#now()
  }

  /** Milliseconds until the kernel may be read again for foreign changes. */
  checkIn(): number {
    const cost = Math.max(0, this.#checkEnded - this.#checkBegan)
    const next = Math.min(MAX_REPAIR_MS, Math.max(CHECK_MS, cost / CHECK_SHARE))
    const afterCheck = this.#checkBegan + next - this.#now()
    const afterRepair = this.#repairedAt + this.#patience() - this.#now()
    return Math.max(this.turnIn(), afterCheck, afterRepair, 0)
  }

  /** A foreign change was put right. */
  repaired(): void {
    const now = this.#now()
    this.#inRow = now - this.#repairedAt > CALM_MS ? 1 : this.#inRow + 1
    this.#repairedAt = now
  }

  /** Whether a repair may be told now; if so it counts as told. */
  mayTell(): boolean {
    if (this.#now() - this.#toldAt < TELL_MS) return false
    this.#toldAt = this.#now()
    return true
  }

  #patience(): number {
    if (this.#inRow <= EAGER_REPAIRS) return 0
    return Math.min(MAX_REPAIR_MS, TURN_MS * 2 ** (this.#inRow - EAGER_REPAIRS))
  }
}
