// What is wanted beside what the kernel has, as data: which elements have to come and go, and what is missing.
import type { ElementChange, ElementNow } from '../kernel/kernel.ts'
import type { ElementSpec, Elements, SetId, SetSpec } from '../tables/sets.ts'

/** Ends that are no further apart are the same one: the kernel counts time in jiffies, and reading takes time too. */
export const SAME_END_MS = 1500

/** What the kernel has of one set, by key: when each ends by CLOCK_BOOTTIME, undefined: never. */
export type Held = Map<string, number | undefined>

/** By set. */
export type HeldSets = Map<SetId, Held>

/** What was read, with ends instead of what is left. */
export function heldOf(now: ReadonlyMap<string, ElementNow>, bootMs: number): Held {
  const held: Held = new Map()
  for (const [key, { remainingMs }] of now) {
    held.set(key, remainingMs === undefined ? undefined : bootMs + remainingMs)
  }
  return held
}

/** Whether two ends are the same, as far as can be told. */
export function sameEnd(a: number | undefined, b: number | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return Math.abs(a - b) <= SAME_END_MS
}

/** Whether its time is up: the kernel lets go of it by itself. */
export function isOver(end: number | undefined, bootMs: number): boolean {
  return end !== undefined && end <= bootMs
}

const NONE: ReadonlyMap<string, never> = new Map<string, never>()

/** The change that adds an element now; undefined: its time is up. */
export function addition(
  set: SetSpec,
  key: string,
  end: number | undefined,
  bootMs: number,
): ElementChange | undefined {
  if (end === undefined) return { do: 'add', set, key }
  const timeoutMs = Math.ceil(end - bootMs)
  return timeoutMs < 1 ? undefined : { do: 'add', set, key, timeoutMs }
}

/** Brings what is held to what is wanted: in one transaction, or in those of `inSteps`. */
export function difference(
  sets: ReadonlyMap<SetId, SetSpec>,
  wanted: Elements,
  held: HeldSets,
  bootMs: number,
): ElementChange[] {
  const additions: ElementChange[] = []
  const deletions: ElementChange[] = []
  for (const [id, set] of sets) {
    if (set.dynamic) continue
    const want: ReadonlyMap<string, ElementSpec> = wanted.get(id) ?? NONE
    const have: ReadonlyMap<string, number | undefined> = held.get(id) ?? NONE
    // A prefix that covers another one can come only after that one has gone.
    for (const key of have.keys()) if (!want.has(key)) deletions.push({ do: 'delete', set, key })
    for (const [key, { untilBootMs }] of want) {
      if (have.has(key) && sameEnd(have.get(key), untilBootMs)) continue
      const change = addition(set, key, untilBootMs, bootMs)
      if (change !== undefined) additions.push(change)
    }
  }
  return [...deletions, ...additions]
}

/**
 * Changes as transactions one behind the other: two where an element goes from one set to another. The kernel looks which
 * elements hold with each look-up (nft_rhash_lookup in nft_set_hash.c), so that a packet that is under way meanwhile would find
 * it in neither: in the one not yet, and in the other no longer.
 */
export function inSteps(changes: readonly ElementChange[]): (readonly ElementChange[])[] {
  const going = new Set<string>()
  for (const { do: what, set, key } of changes)
    if (what === 'delete' && !set.interval) going.add(key)
  const arrives = (change: ElementChange): boolean =>
    change.do === 'add' && !change.set.interval && going.has(change.key)
  const arriving = changes.filter(arrives)
  if (arriving.length === 0) return [changes]
  return [arriving, changes.filter((change) => !arrives(change))]
}

/** Elements that are wanted, whose time is not up, and which are not there. */
export function missing(
  wanted: Elements,
  held: HeldSets,
  bootMs: number,
): { set: SetId; key: string; element: ElementSpec }[] {
  const lost: { set: SetId; key: string; element: ElementSpec }[] = []
  for (const [set, elements] of wanted) {
    const have = held.get(set)
    for (const [key, element] of elements) {
      const there = have?.has(key) === true && sameEnd(have.get(key), element.untilBootMs)
      if (!there && !isOver(element.untilBootMs, bootMs)) lost.push({ set, key, element })
    }
  }
  return lost
}

/** Whether the kernel holds just what is remembered; what ended by itself at its time is no difference. */
export function isSame(remembered: Held, read: Held, bootMs: number): boolean {
  for (const [key, end] of read) {
    if (!remembered.has(key) || !sameEnd(remembered.get(key), end)) return false
  }
  for (const [key, end] of remembered) {
    if (!read.has(key) && !isOver(end === undefined ? undefined : end - SAME_END_MS, bootMs)) {
      return false
    }
  }
  return true
}
