// Whether all that should be captured is: an interval in which an interface was away is not complete, whatever else was seen.
import type { InterfaceCounters } from '../native/index.ts'

/** Looks at the interfaces of each batch. */
export class CapturedInterfaces {
  readonly #named: ReadonlySet<string>
  /** Those that were up at some time since they are in the list. */
  #captured = new Set<string>()
  #wasMissing = false

  /** `named`: those that a person asked for. One that the mode took by itself and that was never up (a port without a cable) is not missed. */
  constructor(named: readonly string[]) {
    this.#named = new Set(named)
  }

  /** To be called with each batch: whether one was missing at its end, or at the end of the one before. */
  isMissing(interfaces: readonly InterfaceCounters[]): boolean {
    const before = this.#captured
    const isWanted = (name: string): boolean => this.#named.has(name) || before.has(name)
    this.#captured = new Set(
      interfaces.filter(({ name, up }) => up || before.has(name)).map(({ name }) => name),
    )
    const wasMissing = this.#wasMissing
    this.#wasMissing = interfaces.some(({ name, up }) => !up && isWanted(name))
    return this.#wasMissing || wasMissing
  }
}
