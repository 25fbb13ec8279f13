// What has come since the last write, by minute; bounded, for a disk that stays away.
import type { Interval } from '../interval.ts'
import { bucketStart } from './buckets.ts'
import type { LooseMinute } from './roll-up.ts'
import type { TallyLimits } from './tally.ts'
import { Tally } from './tally.ts'

/** Minutes that may wait for the disk. */
const MAX_MINUTES = 60
/** An interval longer than this is a machine that slept, not one that watched. */
const MAX_INTERVAL_MS = 120_000

/** Minutes in memory. */
export class Pending {
  readonly #limits: TallyLimits
  #minutes = new Map<number, LooseMinute>()
  #dropped = 0

  constructor(limits: TallyLimits) {
    this.#limits = limits
  }

  get minutes(): ReadonlyMap<number, LooseMinute> {
    return this.#minutes
  }

  /** Minutes dropped since this was last asked. */
  takeDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }

  /** Adds an interval: its bytes to the minute in which it begins, its time to each minute that it touches. */
  add(interval: Interval): void {
    const { to_ms, traffic } = interval
    const slept = to_ms - interval.from_ms > MAX_INTERVAL_MS
    const from_ms = slept ? to_ms - MAX_INTERVAL_MS : interval.from_ms
    const complete = interval.complete && !slept
    const first = this.#at(minuteOf(from_ms))
    for (const { device_id, remote, sent_bytes, received_bytes } of traffic) {
      first.tally.add(device_id, remote, counted(sent_bytes), counted(received_bytes))
    }
    first.lossless &&= complete
    for (let at = from_ms; at < to_ms; ) {
      const start = minuteOf(at)
      const end = Math.min(to_ms, (start + 60) * 1000)
      const minute = this.#at(start)
      minute.observed_ms += end - at
      minute.lossless &&= complete
      at = end
    }
    this.#trim()
  }

  /** Takes everything out, to be written. */
  take(): Map<number, LooseMinute> {
    const taken = this.#minutes
    this.#minutes = new Map()
    return taken
  }

  /** Puts back what could not be written. */
  putBack(minutes: ReadonlyMap<number, LooseMinute>): void {
    const newer = this.#minutes
    this.#minutes = new Map(minutes)
    for (const [time, { observed_ms, lossless, tally }] of newer) {
      const minute = this.#at(time)
      minute.observed_ms += observed_ms
      minute.lossless &&= lossless
      minute.tally.merge(tally)
    }
    this.#trim()
  }

  #at(minute: number): LooseMinute {
    let found = this.#minutes.get(minute)
    if (found === undefined) {
      found = { observed_ms: 0, lossless: true, tally: new Tally(this.#limits) }
      this.#minutes.set(minute, found)
    }
    return found
  }

  #trim(): void {
    if (this.#minutes.size <= 2) return
    let entries = 0
    for (const { tally } of this.#minutes.values()) entries += tally.entries
    for (const [time, { tally }] of this.#minutes) {
      if (this.#minutes.size <= 2) break
      if (this.#minutes.size <= MAX_MINUTES && entries <= this.#limits.maxEntries) break
      this.#minutes.delete(time)
      entries -= tally.entries
      this.#dropped++
    }
  }
}

function minuteOf(time_ms: number): number {
  return bucketStart('minute', Math.floor(time_ms / 1000))
}

function counted(bytes: number): number {
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : 0
}
