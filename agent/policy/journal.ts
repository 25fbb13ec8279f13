// The journal: entries that are stored, and those that wait for the disk, as one list.
import type { Group, JournalEntry } from '../../protocol/policy.ts'
import type { StandingGroup } from './groups.ts'
import { publicRule } from './rules.ts'
import type { Pending, StoredEntry } from './stored.ts'
import type { Timers } from './timers.ts'

/** Entries that wait for a disk that is away; the oldest go. */
const MAX_WAITING = 5_000
const PAGE = 200

/** Where entries are stored. */
export interface EntryStore {
  readonly entries: number
  /** Before `before`, newest first. */
  journal: (before: number, limit: number) => StoredEntry[]
}

/** Every change of the policy, by number. */
export class Journal {
  readonly #store: EntryStore
  readonly #pending: Pending
  /** The last number that was given out. */
  seq = 0

  /** `pending`: entries and marks that the store does not have yet; whoever writes them empties it. */
  constructor(store: EntryStore, pending: Pending) {
    this.#store = store
    this.#pending = pending
  }

  get total(): number {
    return this.#store.entries + [...this.#pending.entries.values()].filter(Boolean).length
  }

  append(entry: Omit<StoredEntry, 'seq'>): StoredEntry {
    const numbered = { seq: ++this.seq, ...entry }
    const { entries } = this.#pending
    entries.set(numbered.seq, numbered)
    if (entries.size > MAX_WAITING) entries.delete(entries.keys().next().value as number)
    return numbered
  }

  /** The kernel did not take it: it never was. Its number is not used again. */
  takeBack(seq: number): void {
    this.#pending.entries.set(seq, undefined)
    this.#pending.marks.delete(seq)
  }

  /** Says which entry took another back; undefined: it stands again. */
  mark(seq: number, undoneBy: number | undefined): void {
    const waiting = this.#pending.entries.get(seq)
    if (waiting !== undefined) this.#pending.entries.set(seq, withMark(waiting, undoneBy))
    else this.#pending.marks.set(seq, undoneBy)
  }

  get(seq: number): StoredEntry | undefined {
    const [entry] = this.page(seq + 1, 1)
    return entry?.seq === seq ? entry : undefined
  }

  /** Entries before `before`, newest first. */
  page(before: number, limit: number): StoredEntry[] {
    const { entries, marks } = this.#pending
    const waiting = [...entries.entries()].filter(([seq]) => seq < before)
    const stored = this.#store
      .journal(before, limit + waiting.length)
      .filter(({ seq }) => !entries.has(seq))
      .map((entry) => (marks.has(entry.seq) ? withMark(entry, marks.get(entry.seq)) : entry))
    return [...waiting.flatMap(([, entry]) => (entry === undefined ? [] : [entry])), ...stored]
      .sort((a, b) => b.seq - a.seq)
      .slice(0, limit)
  }

  /** All of them, newest first. */
  *newestFirst(): Generator<StoredEntry> {
    for (let before = Number.MAX_SAFE_INTEGER; ; ) {
      const page = this.page(before, PAGE)
      yield* page
      const last = page.at(-1)
      if (last === undefined) return
      before = last.seq
    }
  }
}

function withMark({ undone_by: _, ...entry }: StoredEntry, undoneBy: number | undefined) {
  return undoneBy === undefined ? entry : { ...entry, undone_by: undoneBy }
}

/** The entry as others see it. */
export function publicEntry(entry: StoredEntry, timers: Timers): JournalEntry {
  const { added, removed, groups_before, groups_after, closing: _, undid: __, ...rest } = entry
  const told = (groups: readonly StandingGroup[]): Group[] =>
    groups.map(({ joining: ___, ...group }) => group)
  return {
    ...rest,
    ...(groups_before && { groups_before: told(groups_before) }),
    ...(groups_after && { groups_after: told(groups_after) }),
    added: added.map((rule) => publicRule(rule, timers)),
    removed: removed.map((rule) => publicRule(rule, timers)),
  }
}
