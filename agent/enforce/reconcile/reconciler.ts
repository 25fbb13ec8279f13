// Keeps the kernel at what is desired: calls that come together become one transaction, foreign changes are repaired, and
// nothing is told before the kernel was read to hold it.
import type { Level } from '../../../protocol/policy.ts'
import type { Log } from '../../log.ts'
import type { Desired } from '../../policy/desired.ts'
import type { Applied } from '../contract.ts'
import type { ForeignChange } from '../kernel/kernel.ts'
import type { Place } from '../place/place.ts'
import { rulesOfDesired } from '../place/protected-desired.ts'
import { Pace } from './reconciler-pace.ts'
import type { Ruleset } from './reconciler-ruleset.ts'
import type { KernelWriter, Written } from './reconciler-writer.ts'

export interface ReconcilerParts {
  writer: KernelWriter
  /** To see whether chains and sets of another place are the same. */
  ruleset?: Ruleset
  log: Log
  /** Somebody else changed our tables; `problem`: why they are not as they shall be. */
  onTampering: (sentence: string, problem?: string) => void
  /** What the kernel holds was read anew. `asked`: callers learn what came of it. */
  onWritten: (written: Written, asked: boolean) => void
  /** The kernel takes nothing; it is tried again. */
  onFailure: (why: string) => void
}

interface Caller {
  resolve: (applied: Applied) => void
}

/** Others who never stop writing next to us are believed to leave our tables alone after so many tries. */
const MAX_DOUBTS = 3

/** Waits after failures in a row. */
const RETRY_MS = [500, 1000, 2000, 5000, 15_000, 30_000]

function names(changes: readonly ForeignChange[]): string {
  const by = new Map(changes.flatMap((change) => change.by).map((one) => [one.pid, one.name]))
  const list = [...by].slice(0, 3).map(([pid, name]) => `${name} (process ${pid})`)
  return list.length === 0 ? 'Another program' : list.join(', ')
}

export class Reconciler {
  readonly #parts: ReconcilerParts
  readonly #pace = new Pace()
  #desired: Desired | undefined
  #callers: Caller[] = []
  #whole = true
  #placed = false
  /** Chains and sets of the place, and what they are tied to. */
  #frame = ''
  /** The place is another one, as far as elements tell. */
  #moved = false
  /** Taken with the next transaction: never in the midst of one. */
  #next: { place: Place; levels: ReadonlySet<Level> } | undefined
  #foreign: ForeignChange[] = []
  #failures = 0
  #repairs = 0
  /** Whole writes in a row during which others wrote too: what was remembered of them may be theirs. */
  #doubts = 0
  #timer: NodeJS.Timeout | undefined
  #turning: Promise<void> | undefined
  #stopped = false

  constructor(parts: ReconcilerParts) {
    this.#parts = parts
  }

  /** As `Enforcement.apply`. */
  apply(desired: Desired): Promise<Applied> {
    this.#desired = desired
    return new Promise((resolve) => {
      this.#callers.push({ resolve })
      this.#wake()
    })
  }

  /** As `apply`, for when it is not known where: it is written once that is known. */
  want(desired: Desired): void {
    this.#desired = desired
    this.#wake()
  }

  /**
   * It is known where this box stands, or it stands elsewhere. `links`: which interfaces it has, however they are called.
   * Chains are tied to interfaces, so with others everything is written anew. Where only addresses or MACs differ elements do, and
   * where rules do chains change around their sets: packets that wait in a queue are dropped by the kernel with any hook.
   */
  begin(place: Place, levels: ReadonlySet<Level>, links = ''): void {
    const { ruleset } = this.#parts
    const frame = JSON.stringify([
      ruleset?.sets(place),
      place.position,
      place.interfaces,
      place.ports,
      place.queues,
      place.features,
      links,
    ])
    this.#next = { place, levels }
    this.#moved = true
    if (ruleset !== undefined && frame === this.#frame && this.#placed) {
      this.#wake()
      return
    }
    this.#frame = frame
    this.#placed = true
    this.refresh()
  }

  /** Somebody else changed something. */
  foreign(change: ForeignChange): void {
    // Of a storm only the latest are named.
    this.#foreign = [...this.#foreign.slice(-7), change]
    this.#wake()
  }

  /** Everything may be different: what is there is written anew. */
  refresh(): void {
    this.#whole = true
    this.#failures = 0
    this.#wake()
  }

  /** Ends after the transaction at work; who still waits learns that it is not done. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#turning
    this.#answer(this.#callers.splice(0), 'The agent is stopping; the kernel holds what it held.')
  }

  /** When there is something to do: milliseconds from now; undefined: nothing is. */
  #due(): number | undefined {
    if (!this.#placed || this.#desired === undefined) return undefined
    if (this.#callers.length > 0 || ((this.#whole || this.#moved) && this.#failures === 0))
      return this.#pace.turnIn()
    if (this.#failures > 0) {
      const wait = RETRY_MS[Math.min(this.#failures, RETRY_MS.length) - 1] as number
      return Math.max(this.#pace.turnIn(), this.#pace.sinceTurn(wait))
    }
    return this.#foreign.length > 0 ? this.#pace.checkIn() : undefined
  }

  #wake(): void {
    if (this.#stopped || this.#turning !== undefined) return
    clearTimeout(this.#timer)
    const due = this.#due()
    if (due === undefined) return
    if (due > 0) {
      this.#timer = setTimeout(() => this.#wake(), Math.ceil(due))
      return
    }
    this.#turning = this.#turn().finally(() => {
      this.#turning = undefined
      this.#wake()
    })
  }

  /** One transaction at most. */
  async #turn(): Promise<void> {
    const mayCheck = this.#pace.checkIn() <= 0
    this.#pace.turn()
    const callers = this.#callers.splice(0)
    const desired = this.#desired as Desired
    const isRetry = this.#failures > 0
    let whole = this.#whole
    this.#whole = false
    if (this.#next !== undefined) this.#parts.writer.setPlace(this.#next.place, this.#next.levels)
    this.#next = undefined
    const moved = this.#moved
    this.#moved = false
    const foreign = whole || mayCheck ? this.#foreign.splice(0) : []
    let tampered = false
    try {
      // What will be written whole anyway need not be compared.
      if (foreign.length > 0 && !whole) {
        this.#pace.check()
        const found = await this.#parts.writer.compare()
        this.#pace.checked()
        tampered = found !== 'same'
        const doubtful = this.#doubts > 0 && this.#doubts <= MAX_DOUBTS
        whole = found === 'rules' || doubtful
      }
      if (callers.length === 0 && !whole && !tampered && !isRetry && !moved) return
      const written = await this.#parts.writer.write(desired, whole || isRetry)
      this.#failures = 0
      const isWhole = whole || isRetry || written.mended
      this.#doubts = isWhole && this.#foreign.length > 0 ? this.#doubts + 1 : 0
      if (tampered || written.mended) this.#repaired(foreign)
      this.#parts.onWritten(written, callers.length > 0)
      for (const { resolve } of callers) resolve({ failed: written.failed })
    } catch (error) {
      this.#whole = true
      this.#failures++
      const why = `The kernel did not take the rules: ${(error as Error).message}`
      if (this.#failures === 1) this.#parts.log.error(why)
      this.#parts.onFailure(why)
      // What it holds now is not known to be what it held.
      await this.#parts.writer.lookAgain().catch(() => {})
      if (tampered) this.#repaired(foreign, why)
      this.#answer(callers, why)
    }
  }

  #answer(callers: readonly Caller[], why: string): void {
    if (callers.length === 0) return
    const rules = this.#desired === undefined ? [] : rulesOfDesired(this.#desired)
    const failed = new Map(rules.map((rule) => [rule, why]))
    for (const { resolve } of callers) resolve({ failed })
  }

  /** A storm is told once in a while, not each time. */
  #repaired(foreign: readonly ForeignChange[], problem?: string): void {
    this.#pace.repaired()
    this.#repairs++
    if (!this.#pace.mayTell() && problem === undefined) return
    const times = this.#repairs === 1 ? '' : ` ${this.#repairs} times`
    this.#repairs = 0
    const sentence = `${names(foreign)} changed Homespin's firewall tables${times}; ${problem === undefined ? 'they were put back' : 'they could not be put back yet'}.`
    this.#parts.onTampering(sentence, problem)
  }
}
