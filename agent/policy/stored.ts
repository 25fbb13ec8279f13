// What the store keeps, and how it is read back: every record is checked, for a damaged file must not become a wrong rule.
import type { JournalEntry } from '../../protocol/policy.ts'
import { LEVELS } from '../../protocol/policy.ts'
import { DEVICE_ID } from '../../protocol/topics.ts'
import type { StandingGroup } from './groups.ts'
import type { StandingRule } from './rules.ts'
import { GROUP_ID } from './rules.ts'
import type { Change } from './state.ts'
import type { Deadline, Mark } from './timers.ts'

/** An entry with rules and groups as they are kept. */
export interface StoredEntry
  extends Omit<JournalEntry, 'added' | 'removed' | 'groups_before' | 'groups_after'> {
  added: readonly StandingRule[]
  removed: readonly StandingRule[]
  groups_before?: readonly StandingGroup[]
  groups_after?: readonly StandingGroup[]
  closing?: Change['closing']
  /** Entries that it took back. */
  undid?: readonly number[]
}

/** What is remembered of a device that something is ordered about, for when nobody sees it. */
export interface RememberedDevice {
  id: string
  mac?: string
  ips: readonly string[]
  shared?: boolean
  name?: string
  /** What was said about it; absent: nothing. */
  accepted?: boolean
}

/** One row of its own. */
export interface StoreState {
  /** Counts writes: of two copies the larger one is the newer. */
  revision: number
  /** The last number of the journal. */
  seq: number
  /** A default policy was ordered once. */
  closed: boolean
  mark?: Mark
}

export interface Stored {
  rules: StandingRule[]
  groups: StandingGroup[]
  devices: RememberedDevice[]
  state: StoreState
}

export const EMPTY_STATE: StoreState = { revision: 0, seq: 0, closed: false }

/** What a write changes; undefined: it goes. */
export interface Pending {
  rules: Map<string, StandingRule | undefined>
  groups: Map<string, StandingGroup | undefined>
  devices: Map<string, RememberedDevice | undefined>
  entries: Map<number, StoredEntry | undefined>
  /** `undone_by` of entries that are stored. */
  marks: Map<number, number | undefined>
  /** Rules, groups and devices are all that there are: others in the database go. */
  whole: boolean
}

export function nothingPending(): Pending {
  return {
    rules: new Map(),
    groups: new Map(),
    devices: new Map(),
    entries: new Map(),
    marks: new Map(),
    whole: false,
  }
}

/** Whether there is nothing to write. */
export function isNothing({ rules, groups, devices, entries, marks, whole }: Pending): boolean {
  return !whole && rules.size + groups.size + devices.size + entries.size + marks.size === 0
}

/** It is written. */
export function clearPending(pending: Pending): void {
  for (const map of [pending.rules, pending.groups, pending.devices]) map.clear()
  pending.entries.clear()
  pending.marks.clear()
  pending.whole = false
}

/** A record of this shape, or undefined. */
export function readRecord<T>(text: unknown, isRight: (value: unknown) => boolean): T | undefined {
  try {
    const value: unknown = JSON.parse(String(text))
    return isRight(value) ? (value as T) : undefined
  } catch {
    return undefined
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what is read is of any shape; these functions find out.
type Any = any

export function isRule(value: Any): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof value.id === 'string' &&
    typeof value.key === 'string' &&
    typeof value.reason === 'string' &&
    typeof value.actor?.kind === 'string' &&
    Number.isFinite(value.created_ms) &&
    isSubject(value.subject) &&
    isWhat(value) &&
    [value.until, value.probation, value.confirm].every((d) => d === undefined || isDeadline(d)) &&
    (value.schedule === undefined || Array.isArray(value.schedule.windows))
  )
}

function isSubject(value: Any): boolean {
  const keys = Object.keys(value ?? {})
  if (keys.length !== 1) return false
  return (
    DEVICE_ID.test(value.device_id ?? '') ||
    GROUP_ID.test(value.group_id ?? '') ||
    value.everyone === true ||
    value.new_devices === true
  )
}

function isWhat(value: Any): boolean {
  switch (value.action) {
    case 'block':
    case 'allow':
      return typeof value.match === 'object' && value.match !== null
    case 'quarantine':
      return LEVELS.includes(value.level)
    case 'restrict':
      return typeof value.restriction === 'string'
    default:
      return false
  }
}

function isDeadline(value: Any): value is Deadline {
  return (
    typeof value?.boot_id === 'string' &&
    Number.isFinite(value.boot_ms) &&
    Number.isFinite(value.wall_ms)
  )
}

export function isGroup(value: Any): boolean {
  return (
    GROUP_ID.test(value?.id ?? '') &&
    typeof value.name === 'string' &&
    Array.isArray(value.device_ids) &&
    value.device_ids.every((id: unknown) => typeof id === 'string' && DEVICE_ID.test(id)) &&
    (value.joining === undefined ||
      (Array.isArray(value.joining.device_ids) && isDeadline(value.joining.confirm)))
  )
}

export function isDevice(value: Any): boolean {
  return DEVICE_ID.test(value?.id ?? '') && Array.isArray(value.ips)
}

export function isEntry(value: Any): boolean {
  return (
    Number.isSafeInteger(value?.seq) &&
    Number.isFinite(value.time_ms) &&
    typeof value.verb === 'string' &&
    Array.isArray(value.added) &&
    Array.isArray(value.removed)
  )
}

export function isState(value: Any): boolean {
  const { mark } = value ?? {}
  return (
    Number.isSafeInteger(value?.revision) &&
    Number.isSafeInteger(value.seq) &&
    typeof value.closed === 'boolean' &&
    (mark === undefined || isDeadline(mark))
  )
}
