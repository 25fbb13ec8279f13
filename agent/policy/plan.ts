// What each call would change: asked of the state as it is at that moment, carried out elsewhere. Throws a `PolicyError`
// where it can't be done.
import type { Actor, JournalEntry } from '../../protocol/policy.ts'
import type { Enforcement } from '../enforce/contract.ts'
import { checkDevice, checkOn, checkRule, checkWeight, reachOf } from './checks.ts'
import { confirmSeconds, isRisky } from './confirm.ts'
import type { By, Order, Selector } from './contract.ts'
import { PolicyError } from './contract.ts'
import type { DeviceBook } from './device-book.ts'
import type { Journal } from './journal.ts'
import { isWhole } from './match.ts'
import {
  cleanActor,
  cleanText,
  MAX_RULES,
  notShorter,
  ruleOf,
  selects,
  subjectKey,
  supersedes,
} from './rules.ts'
import { checkSafeChange } from './safe-changes.ts'
import { rulesText, ruleText } from './sentences.ts'
import type { Change, PolicyState } from './state.ts'
import type { Timers } from './timers.ts'

/** Devices of which somebody said whether they are accepted. */
const MAX_SAID = 65_536

/** What plans are made of. */
export interface Desk {
  state: PolicyState
  book: DeviceBook
  timers: Timers
  journal: Journal
  enforcement: Enforcement
  /** Why nothing can be held, a sentence. */
  off: () => string | undefined
}

/** A change, and how it is told. */
export interface Plan {
  change: Change
  verb: string
  sentence: string
  reason: string
  actor: Actor
  /** Entries that it takes back. */
  undid?: readonly number[]
  /** The one that it undoes, where that is one. */
  undoes?: number
  /** Entries that stand again. */
  revived?: readonly number[]
}

/** `plan` by somebody, in their words. */
export function planBy(by: By, plan: Pick<Plan, 'change' | 'verb' | 'sentence'>): Plan {
  return { ...plan, reason: cleanText(by.reason), actor: cleanActor(by.actor) }
}

export function planOrder(desk: Desk, order: Order, by: By): Plan {
  const { state, timers } = desk
  const asked = ruleOf(order, by, timers)
  const ordered = notShorter(asked, state.withKey(asked.key))
  const { subject, match } = ordered
  checkOn(desk)
  if ('everyone' in subject && order.action === 'allow' && match && isWhole(match)) {
    throw new PolicyError(
      'refused',
      'To open everything, use release or panic; an exception names the other side.',
    )
  }
  const removed = state
    .about(subjectKey(subject))
    .filter((rule) => rule.key === ordered.key || supersedes(ordered, rule))
  if (state.rules.size - removed.length >= MAX_RULES) {
    throw new PolicyError('refused', `No more than ${MAX_RULES} rules can stand; release some.`)
  }
  checkWeight(state.weight + state.weightOf(ordered))
  checkRule(desk, ordered, by.asker)
  const seconds = confirmSeconds(
    order.term.confirmS,
    isRisky(ordered, reachOf(desk, subject), desk.book.count),
  )
  const rule =
    seconds === 0
      ? ordered
      : { ...ordered, confirm_s: seconds, confirm: timers.after(seconds * 1000) }
  const closing =
    'new_devices' in subject && !state.closed
      ? { after: true, device_ids: unsaidDevices(desk) }
      : undefined
  return planBy(by, {
    change: { added: [rule], removed, ...(closing && { closing }) },
    verb: order.action,
    sentence: `${ruleText(rule, desk)}.`,
  })
}

/** Those that are there when the default policy is first ordered are accepted, unless somebody said otherwise. */
function unsaidDevices({ book, state }: Desk): string[] {
  return [...book.all()].map(({ id }) => id).filter((id) => !state.said.has(id))
}

export function planLift(desk: Desk, selector: Selector, by: By): Plan | undefined {
  const isChosen = selects(selector)
  const { ruleId, subject } = selector
  const { state } = desk
  const one = ruleId === undefined ? undefined : state.rules.get(ruleId)
  const pool =
    ruleId !== undefined
      ? one === undefined
        ? []
        : [one]
      : subject === undefined
        ? state.rules.values()
        : state.about(subjectKey(subject))
  const removed = [...pool].filter(isChosen)
  if (removed.length === 0) return undefined
  return planBy(by, {
    change: { added: [], removed },
    verb: removed.every(({ action }) => action === 'quarantine') ? 'release' : 'unblock',
    sentence: rulesText(removed, desk, (rule) => `No longer: ${rule}`),
  })
}

export function planPanic(desk: Desk, by: By): Plan | undefined {
  const removed = [...desk.state.rules.values()]
  if (removed.length === 0) return undefined
  return planBy(by, {
    change: { added: [], removed },
    verb: 'panic',
    sentence: `Everything is released: ${removed.length} rules.`,
  })
}

export function planConfirm(desk: Desk, ruleId: string, by: By): Plan {
  const rule = desk.state.rules.get(ruleId)
  if (rule === undefined) {
    throw new PolicyError('not_found', 'There is no such rule; it may have been rolled back.')
  }
  if (rule.confirm === undefined) {
    throw new PolicyError('conflict', 'This rule does not wait to be confirmed.')
  }
  const { confirm: _, confirm_s: __, ...kept } = rule
  const change: Change = { added: [kept], removed: [rule] }
  if (by.safeOnly) checkSafeChange(change)
  return planBy(by, { change, verb: 'confirm', sentence: `Confirmed: ${ruleText(kept, desk)}.` })
}

export function planAccept(
  desk: Desk,
  deviceId: string,
  accepted: boolean,
  by: By,
): Plan | undefined {
  const { state, book } = desk
  checkDevice(desk, deviceId)
  const before = state.isAccepted(deviceId)
  if (before === accepted && state.said.has(deviceId)) return undefined
  if (state.said.size >= MAX_SAID && !state.said.has(deviceId)) {
    throw new PolicyError('refused', `No more than ${MAX_SAID} devices can be accepted.`)
  }
  return planBy(by, {
    change: {
      added: [],
      removed: [],
      accepted: [{ device_id: deviceId, before, after: accepted }],
    },
    verb: 'device-accept',
    sentence: `${book.nameOf(deviceId)} is ${accepted ? '' : 'no longer '}accepted.`,
  })
}

/** The ids of the devices that a change is about, at most `most`. */
export function devicesOf({ state, book }: Desk, { change }: Plan, most: number): string[] {
  const ids = new Set<string>()
  const add = (list: Iterable<string>): void => {
    for (const id of list) if (ids.size < most) ids.add(id)
  }
  add(change.accepted?.map(({ device_id }) => device_id) ?? [])
  for (const { device_ids } of change.groups?.after ?? []) add(device_ids)
  for (const { subject } of [...change.added, ...change.removed]) {
    if (ids.size >= most) break
    if ('device_id' in subject) add([subject.device_id])
    else if ('group_id' in subject) add(state.groups.get(subject.group_id)?.device_ids ?? [])
    else
      for (const { id } of book.seen())
        if ('everyone' in subject || !state.isAccepted(id)) add([id])
  }
  return [...ids]
}

/** The verbs of what the box does by itself. */
export const SYSTEM_VERBS = {
  expired: 'expire',
  quiet: 'probation-end',
  unconfirmed: 'roll-back',
  disabled: 'disable',
  enabled: 'enable',
} as const satisfies Record<string, JournalEntry['verb']>
