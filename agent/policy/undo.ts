// Taking changes back: the last one, one of them, or everything since a time. What would have ended by now stays away.
import { checkOn, checkRule } from './checks.ts'
import type { By } from './contract.ts'
import { PolicyError } from './contract.ts'
import type { StandingGroup } from './groups.ts'
import { isSameGroup } from './groups.ts'
import type { Desk, Plan } from './plan.ts'
import { planBy, SYSTEM_VERBS } from './plan.ts'
import type { StandingRule } from './rules.ts'
import { MAX_RULES } from './rules.ts'
import { checkSafeChange, checkSafeEntry } from './safe-changes.ts'
import type { Change, PolicyState } from './state.ts'
import { inverseOf } from './state.ts'
import type { StoredEntry } from './stored.ts'
import { isRule } from './stored.ts'
import type { Timers } from './timers.ts'

/** Entries that are looked through for the last one. */
const MAX_LOOK = 10_000

/** These have nothing that could be taken back. */
const FINAL: readonly string[] = [SYSTEM_VERBS.expired, SYSTEM_VERBS.disabled, SYSTEM_VERBS.enabled]

function conflict(message: string): PolicyError {
  return new PolicyError('conflict', message)
}

export function planUndo(
  desk: Desk,
  { seq, toMs }: { seq?: number; toMs?: number },
  by: By,
): Plan | undefined {
  const plan =
    toMs === undefined ? planUndoOf(desk, entryOf(desk, seq), by) : planBackTo(desk, toMs, by)
  if (plan !== undefined && by.safeOnly) checkSafeChange(plan.change)
  return plan
}

/** The entry of this number, else the last one. */
function entryOf(desk: Desk, seq: number | undefined): StoredEntry {
  if (seq === undefined) return lastEntry(desk)
  const entry = desk.journal.get(seq)
  if (entry === undefined) throw new PolicyError('not_found', 'The journal has no such entry.')
  return entry
}

/** The last one that somebody did, which is not undone and of which something is left. */
function lastEntry({ journal, state, timers }: Desk): StoredEntry {
  let looked = 0
  for (const entry of journal.newestFirst()) {
    if (++looked > MAX_LOOK) break
    if (entry.actor.kind === 'system' || entry.undone_by !== undefined) continue
    if (entry.verb === 'undo' || entry.verb === 'confirm') continue
    if (isLeft(entry, state, timers)) return entry
  }
  throw conflict('There is nothing to undo.')
}

/** Whether taking it back would change anything: something of it stands, or would come back and is not over. */
function isLeft(entry: StoredEntry, state: PolicyState, timers: Timers): boolean {
  const { added, removed, groups_before, accepted, closing } = entry
  const comesBack = ({ until }: StandingRule): boolean =>
    until === undefined || timers.left(timers.carryOver(until, undefined)) > 0
  return (
    groups_before !== undefined ||
    accepted !== undefined ||
    closing !== undefined ||
    added.some(({ id }) => state.rules.has(id)) ||
    removed.filter(isRule).some(comesBack)
  )
}

/** The change of one entry, taken back. */
export function planUndoOf(desk: Desk, entry: StoredEntry, by: By): Plan {
  const { seq, undone_by } = entry
  if (undone_by !== undefined) throw conflict(`Entry ${seq} is already undone, by ${undone_by}.`)
  if (FINAL.includes(entry.verb)) {
    throw conflict(`Entry ${seq} can't be undone: what is over stays over.`)
  }
  if (by.safeOnly) checkSafeEntry(entry)
  const change = restored(desk, inverseOf(changeOf(entry)), by)
  const standing = change.removed.filter(({ id }) => desk.state.rules.has(id))
  checkReplaced(desk, change, seq)
  checkGroups(desk, change, seq)
  const rest = { ...change, removed: standing.map(({ id }) => desk.state.rules.get(id)!) }
  if (isEmpty(rest)) {
    throw conflict(`Nothing is left of entry ${seq}: what it ordered has ended or was lifted.`)
  }
  return {
    ...planBy(by, {
      change: rest,
      verb: 'undo',
      sentence: `Undone: ${entry.sentence}`.slice(0, 512),
    }),
    undoes: seq,
    undid: [seq],
    ...(entry.undid === undefined ? {} : { revived: entry.undid }),
  }
}

function changeOf(entry: StoredEntry): Change {
  const { added, removed, groups_before, groups_after, accepted, closing } = entry
  return {
    added: added.filter(isRule),
    removed: removed.filter(isRule),
    ...(groups_before && groups_after
      ? { groups: { before: groups_before, after: groups_after } }
      : {}),
    ...(accepted && { accepted }),
    ...(closing && { closing }),
  }
}

function isEmpty({ added, removed, groups, accepted, closing }: Change): boolean {
  return (
    added.length + removed.length + (accepted?.length ?? 0) === 0 &&
    groups === undefined &&
    closing === undefined
  )
}

/** Rules that come back get their ends as they are now; those that would be over do not come. */
function restored(desk: Desk, change: Change, by: By): Change {
  const { timers } = desk
  const added: StandingRule[] = []
  for (const rule of change.added) {
    const { until, ...rest } = rule
    const end = until && timers.carryOver(until, undefined)
    if (end !== undefined && timers.left(end) <= 0) continue
    added.push({
      ...rest,
      ...(end && { until: end }),
      ...(rule.probation_s === undefined
        ? {}
        : { probation: timers.after(rule.probation_s * 1000) }),
      ...(rule.confirm_s === undefined ? {} : { confirm: timers.after(rule.confirm_s * 1000) }),
    })
  }
  if (added.length > 0) checkOn(desk)
  const back = new Set(change.groups?.after.map(({ id }) => id))
  for (const rule of added) {
    const group = 'group_id' in rule.subject ? rule.subject.group_id : undefined
    const members = change.groups?.after.find(({ id }) => id === group)?.device_ids
    checkRule(desk, rule, by.asker, group !== undefined && back.has(group) ? members : undefined)
  }
  if (desk.state.rules.size + added.length - change.removed.length > MAX_RULES) {
    throw conflict(`No more than ${MAX_RULES} rules can stand; release some first.`)
  }
  return { ...change, added }
}

function checkReplaced({ state }: Desk, { added, removed }: Change, seq: number): void {
  const goes = new Set(removed.map(({ id }) => id))
  for (const rule of [...removed, ...added]) {
    const other = state.withKey(rule.key)
    if (other === undefined || other.id === rule.id || goes.has(other.id)) continue
    const since = other.seq === undefined ? '' : ` (entry ${other.seq})`
    throw conflict(`Entry ${seq} can't be undone: its rule was ordered anew since${since}.`)
  }
}

function checkGroups({ state }: Desk, { groups, accepted, removed }: Change, seq: number): void {
  for (const { id } of [...(groups?.before ?? []), ...(groups?.after ?? [])]) {
    const expected = groups?.before.find((group) => group.id === id)
    if (!isSameGroup(state.groups.get(id), expected)) {
      throw conflict(`Entry ${seq} can't be undone: group ${id} was changed since.`)
    }
    const goes = !groups?.after.some((group) => group.id === id)
    const gone = new Set(removed.map((rule) => rule.id))
    if (goes && state.about(`group:${id}`).some((rule) => !gone.has(rule.id))) {
      throw conflict(`Entry ${seq} can't be undone: rules are about group ${id}.`)
    }
  }
  for (const { device_id, before } of accepted ?? []) {
    if (state.isAccepted(device_id) !== before) {
      throw conflict(`Entry ${seq} can't be undone: what was said of ${device_id} has changed.`)
    }
  }
}

/** Everything after a time, the newest first, as one change. */
function planBackTo(desk: Desk, toMs: number, by: By): Plan | undefined {
  const { state, journal } = desk
  const rules = new Map(state.rules)
  const groups = new Map(state.groups)
  const accepted = new Map<string, boolean>()
  let closing: Change['closing']
  const undid: number[] = []
  let oldest = Number.POSITIVE_INFINITY
  let reached = false
  for (const entry of journal.newestFirst()) {
    if (entry.time_ms <= toMs) {
      reached = true
      break
    }
    oldest = entry.seq
    const back = inverseOf(changeOf(entry))
    for (const { id } of back.removed) rules.delete(id)
    for (const rule of back.added) rules.set(rule.id, rule)
    for (const { id } of back.groups?.before ?? []) groups.delete(id)
    for (const group of back.groups?.after ?? []) groups.set(group.id, group)
    for (const { device_id, after } of back.accepted ?? []) accepted.set(device_id, after)
    if (back.closing) closing = back.closing
    if (entry.undone_by !== undefined || FINAL.includes(entry.verb)) continue
    if (by.safeOnly) checkSafeEntry(entry)
    undid.push(entry.seq)
  }
  if (!reached && oldest > 1 && oldest !== Number.POSITIVE_INFINITY) {
    throw conflict('The journal does not go back so far.')
  }
  const groupsChange = difference(state.groups, groups)
  const said = [...accepted]
    .map(([device_id, after]) => ({ device_id, before: state.isAccepted(device_id), after }))
    .filter(({ before, after }) => before !== after)
  const change = restored(
    desk,
    {
      removed: [...state.rules.values()].filter((rule) => !isSame(rule, rules.get(rule.id))),
      added: [...rules.values()].filter((rule) => !isSame(rule, state.rules.get(rule.id))),
      ...(groupsChange && { groups: groupsChange }),
      ...(said.length > 0 && { accepted: said }),
      ...(closing && closing.after !== state.closed && { closing }),
    },
    by,
  )
  if (isEmpty(change)) return undefined
  const when = new Date(toMs).toISOString()
  return {
    ...planBy(by, {
      change,
      verb: 'undo',
      sentence: `Everything is as it was at ${when}: ${undid.length} changes undone.`,
    }),
    undid,
  }
}

/** A rule of one id is only ever changed by confirming it. */
function isSame(a: StandingRule, b: StandingRule | undefined): boolean {
  return b !== undefined && (a.confirm === undefined) === (b.confirm === undefined)
}

function difference(
  now: ReadonlyMap<string, StandingGroup>,
  then: ReadonlyMap<string, StandingGroup>,
): Change['groups'] {
  const differs = (id: string): boolean => !isSameGroup(now.get(id), then.get(id))
  const before = [...now.values()].filter(({ id }) => differs(id))
  const after = [...then.values()].filter(({ id }) => differs(id))
  return before.length + after.length === 0 ? undefined : { before, after }
}
