// Counts per key over a window that slides, with a threshold: who is above, and who is below again. Memory is bounded
// whatever comes in.

/** What is counted: messages or amounts together, or distinct values. */
export type Counting = 'sum' | 'distinct'

/** A key that crossed the threshold. */
export interface Crossing {
  key: string
  /** False: it is back at the threshold or below. */
  above: boolean
  /** It was told of before, and is above still. */
  again: boolean
  observed: number
  /** Distinct values that were seen last, at most 20. */
  values: string[]
  /** What was told with `add` last, at most 20. */
  marks: string[]
}

export interface SlidingCountsOptions {
  counting: Counting
  windowMs: number
  /** Above means: more than this. */
  threshold: number
  /** While more is counted of a key that is above, it is told of again after so long; absent or 0: never. */
  againMs?: number
  /** Keys that are counted at once; absent: 4096, fewer where many distinct values are kept for each. */
  maxKeys?: number
}

/** The window moves in steps of this part of it: what is older than the window never counts. */
const SLOTS = 64
const MAX_KEYS = 4096
/** Distinct values that are kept over all keys. */
const MAX_VALUES = 262_144
/** Beyond this a threshold of distinct values can't be kept. */
export const MAX_DISTINCT = 10_000
/** Beyond this sums of fractions are no longer exact. */
export const MAX_SUM = 1e15
const MAX_SHOWN = 20
/** Keys that are looked at for one to give up. */
const MAX_LOOKED_AT = 64

interface Entry {
  above: boolean
  /** When it was last told that it is above. */
  toldMs: number
  /** The last slot that was counted in. */
  slot: number
  sum: number
  slots: Float64Array | undefined
  /** Distinct values and when each was seen last, that order too. */
  values: Map<string, number> | undefined
  marks: string[]
}

/** Times are of one clock that never goes back, in milliseconds. */
export class SlidingCounts {
  readonly #options: Required<SlidingCountsOptions>
  readonly #stepMs: number
  readonly #entries = new Map<string, Entry>()
  #above = 0

  /** Throws a RangeError where the options make no window. */
  constructor(options: SlidingCountsOptions) {
    const { counting, windowMs, threshold, againMs = 0 } = options
    if (!(windowMs >= 1000 && windowMs <= 86_400_000)) {
      throw new RangeError('the window must be from 1 to 86400 seconds')
    }
    const most = counting === 'distinct' ? MAX_DISTINCT : MAX_SUM
    if (!(threshold >= 0 && threshold <= most)) {
      throw new RangeError(`the threshold must be a number from 0 to ${most}`)
    }
    if (!(againMs === 0 || (againMs >= 1000 && againMs <= 604_800_000))) {
      throw new RangeError('the time to tell again after must be 0 or from 1 to 604800 seconds')
    }
    const room = counting === 'distinct' ? Math.floor(MAX_VALUES / (threshold + 1)) : MAX_KEYS
    this.#options = { ...options, againMs, maxKeys: options.maxKeys ?? Math.min(MAX_KEYS, room) }
    this.#stepMs = windowMs / SLOTS
  }

  /** Keys that are counted. */
  get size(): number {
    return this.#entries.size
  }

  /** Keys that are above. */
  get above(): number {
    return this.#above
  }

  /**
   * Counts for `key`: an amount, or where distinct values are counted a value. Returns what crossed, or is to be told again: the
   * key itself, and one that had to be given up for it while it was above.
   */
  add(key: string, counted: number | string, mark: string | undefined, nowMs: number): Crossing[] {
    const crossings: Crossing[] = []
    const slot = this.#slotOf(nowMs)
    let entry = this.#entries.get(key)
    if (entry) this.#entries.delete(key)
    else {
      if (this.#entries.size >= this.#options.maxKeys) crossings.push(...this.#giveUp())
      entry = this.#newEntry(slot)
    }
    // Taken out and put back, so that the map's order is the order of last use.
    this.#entries.set(key, entry)
    this.#advance(entry, slot)
    this.#count(entry, counted, slot)
    if (mark !== undefined) {
      entry.marks.push(mark)
      if (entry.marks.length > MAX_SHOWN) entry.marks.shift()
    }
    const crossing = this.#crossing(key, entry, nowMs) ?? this.#again(key, entry, nowMs)
    return crossing ? [...crossings, crossing] : crossings
  }

  /** What is back below because time has passed; keys with nothing in the window are forgotten. */
  expire(nowMs: number): Crossing[] {
    const slot = this.#slotOf(nowMs)
    return [...this.#entries].flatMap(([key, entry]) => {
      this.#advance(entry, slot)
      const crossing = this.#crossing(key, entry, nowMs)
      if (observedOf(entry) === 0 && !entry.above) this.#entries.delete(key)
      return crossing ?? []
    })
  }

  /** Forgets all, also who is above. */
  clear(): void {
    this.#entries.clear()
    this.#above = 0
  }

  #newEntry(slot: number): Entry {
    const isDistinct = this.#options.counting === 'distinct'
    return {
      above: false,
      toldMs: 0,
      slot,
      sum: 0,
      slots: isDistinct ? undefined : new Float64Array(SLOTS),
      values: isDistinct ? new Map() : undefined,
      marks: [],
    }
  }

  #slotOf(nowMs: number): number {
    return Math.floor(nowMs / this.#stepMs)
  }

  /** Takes out of the count what the window has left behind. */
  #advance(entry: Entry, slot: number): void {
    if (entry.values) {
      for (const [value, seen] of entry.values) {
        if (slot - seen < SLOTS) break
        entry.values.delete(value)
      }
    }
    if (entry.slots && slot > entry.slot) {
      const steps = Math.min(SLOTS, slot - entry.slot)
      for (let step = 1; step <= steps; step += 1) entry.slots[(entry.slot + step) % SLOTS] = 0
      // Added up anew: what is added and taken away as fractions would drift.
      entry.sum = entry.slots.reduce((sum, part) => sum + part, 0)
    }
    entry.slot = Math.max(entry.slot, slot)
  }

  #count(entry: Entry, counted: number | string, slot: number): void {
    if (entry.values) {
      const value = String(counted)
      entry.values.delete(value)
      entry.values.set(value, slot)
      // One more than the threshold says it all; the one seen longest ago would leave the window first anyway.
      const [oldest] = entry.values.keys()
      if (entry.values.size > this.#options.threshold + 1 && oldest !== undefined) {
        entry.values.delete(oldest)
      }
      return
    }
    const amount = Number(counted)
    const at = entry.slot % SLOTS
    if (entry.slots) entry.slots[at] = (entry.slots[at] ?? 0) + amount
    entry.sum += amount
  }

  #crossing(key: string, entry: Entry, nowMs: number): Crossing | undefined {
    const above = observedOf(entry) > this.#options.threshold
    if (above === entry.above) return undefined
    entry.above = above
    entry.toldMs = nowMs
    this.#above += above ? 1 : -1
    return crossingOf(key, entry, false)
  }

  #again(key: string, entry: Entry, nowMs: number): Crossing | undefined {
    const { againMs } = this.#options
    if (!entry.above || againMs === 0 || nowMs - entry.toldMs < againMs) return undefined
    entry.toldMs = nowMs
    return crossingOf(key, entry, true)
  }

  /** Gives the key up that was quiet for longest, rather one that is not above. */
  #giveUp(): Crossing[] {
    let looked = 0
    let [victim] = this.#entries.keys()
    for (const [key, entry] of this.#entries) {
      if (!entry.above) victim = key
      looked += 1
      if (!entry.above || looked === MAX_LOOKED_AT) break
    }
    const entry = victim === undefined ? undefined : this.#entries.get(victim)
    if (victim === undefined || !entry) return []
    this.#entries.delete(victim)
    if (!entry.above) return []
    entry.above = false
    this.#above -= 1
    return [crossingOf(victim, entry, false)]
  }
}

function observedOf(entry: Entry): number {
  return entry.values?.size ?? entry.sum
}

function crossingOf(key: string, entry: Entry, again: boolean): Crossing {
  return {
    key,
    above: entry.above,
    again,
    observed: observedOf(entry),
    values: [...(entry.values?.keys() ?? [])].slice(-MAX_SHOWN),
    marks: [...entry.marks],
  }
}
