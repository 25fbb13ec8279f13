// How much may be dropped because it is too old. That is for the clock on the wall to say, and it may be wrong: what it takes
// in a minute nobody brings back.
import type { Resolution } from '../../protocol/http.ts'

/** Buckets that may go, by resolution. */
export type Allowance = Record<Resolution, number>

export interface ExpiryClocks {
  now: () => number
  /** Milliseconds since the box was started: nobody sets it. */
  bootMs: () => number
  /** Whether the clock on the wall can be believed. */
  isSynchronised: () => boolean
}

/** A clock that was set by more than this has jumped. */
const JUMP_MS = 10 * 60_000
/** What is newer than this was stored when the clock was as it is now, or the agent was away for long. */
const AWAY_S = 86_400
/** How long a clock that has jumped is not believed. */
const WAIT_MS = 60 * 60_000

/** In one run, and of hours and days in an hour: more than comes in the same time, and far less than there is. */
const MINUTES = 120
const HOURS = 12
const DAYS = 1
const HOUR_MS = 60 * 60_000

const NOTHING: Allowance = { minute: 0, hour: 0, day: 0 }

/** Watches the clocks from run to run. */
export class Expiry {
  readonly #clocks: ExpiryClocks
  #offsetMs: number | undefined
  #waitUntilMs = Number.NEGATIVE_INFINITY
  #hourMs = Number.NEGATIVE_INFINITY
  #left = { hour: 0, day: 0 }

  constructor(clocks: ExpiryClocks) {
    this.#clocks = clocks
  }

  /** For one run. `newest_s`: when something was stored last before this start, by the clock of then; 0: nothing was. */
  allowance(newest_s: number): Allowance {
    const { now, bootMs, isSynchronised } = this.#clocks
    const boot = bootMs()
    const offset = now() - boot
    const jumped =
      this.#offsetMs === undefined
        ? newest_s > 0 && now() / 1000 - newest_s > AWAY_S
        : offset - this.#offsetMs > JUMP_MS
    this.#offsetMs = offset
    if (jumped) this.#waitUntilMs = boot + WAIT_MS
    if (boot < this.#waitUntilMs || !isSynchronised()) return NOTHING
    if (boot - this.#hourMs >= HOUR_MS) {
      this.#hourMs = boot
      this.#left = { hour: HOURS, day: DAYS }
    }
    return { minute: MINUTES, ...this.#left }
  }

  /** What of the allowance is left after a run. */
  spent({ hour, day }: Allowance): void {
    this.#left = { hour, day }
  }
}
