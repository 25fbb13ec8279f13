// What was heard on its way to the gate's thread: some at a time, so that a day's memory of names stalls nothing.
import type { HeardAddresses } from '../../../native/dns-gate.ts'

/** Handed over at once: less than a millisecond's work. */
const AT_ONCE = 256
/** That wait; beyond, the oldest are left out. More than are remembered. */
const MOST = 16_384

export class Hearing {
  readonly #hand: (heard: readonly HeardAddresses[]) => void
  #waiting: HeardAddresses[] = []
  #next: NodeJS.Immediate | undefined

  constructor(hand: (heard: readonly HeardAddresses[]) => void) {
    this.#hand = hand
  }

  push(heard: readonly HeardAddresses[]): void {
    this.#waiting.push(...heard)
    if (this.#waiting.length > MOST) this.#waiting = this.#waiting.slice(-MOST)
    if (this.#waiting.length > 0) this.#next ??= setImmediate(() => this.#some())
  }

  stop(): void {
    clearImmediate(this.#next)
    this.#next = undefined
    this.#waiting = []
  }

  #some(): void {
    this.#next = undefined
    this.#hand(this.#waiting.splice(0, AT_ONCE))
    if (this.#waiting.length > 0) this.#next = setImmediate(() => this.#some())
  }
}
