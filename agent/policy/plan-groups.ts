// What a change of a group would do: its rules are about its new members, too.
import type { Group } from '../../protocol/policy.ts'
import { checkDevice, checkRule, checkWeight } from './checks.ts'
import { CONFIRM_S, isRisky } from './confirm.ts'
import type { By } from './contract.ts'
import { PolicyError } from './contract.ts'
import type { StandingGroup } from './groups.ts'
import { isSameGroup, settledMembers } from './groups.ts'
import type { Desk, Plan } from './plan.ts'
import { planBy } from './plan.ts'
import { canonicalGroup, MAX_GROUPS } from './rules.ts'
import { checkSafeChange } from './safe-changes.ts'
import type { Change } from './state.ts'

export function planGroup(desk: Desk, given: Group, by: By): Plan | undefined {
  const { state, book, timers } = desk
  const group = canonicalGroup(given)
  const before = state.groups.get(group.id)
  if (isSameGroup(before, group)) return undefined
  if (before === undefined && state.groups.size >= MAX_GROUPS) {
    throw new PolicyError('refused', `There can be no more than ${MAX_GROUPS} groups.`)
  }
  const had = new Set(before?.device_ids)
  const joined = group.device_ids.filter((id) => !had.has(id))
  for (const id of joined) checkDevice(desk, id)
  const rules = state.about(`group:${group.id}`)
  const more = group.device_ids.length - (before?.device_ids.length ?? 0)
  if (more > 0) checkWeight(state.weight + more * rules.length)
  if (joined.length > 0) for (const rule of rules) checkRule(desk, rule, by.asker, joined)
  const settled = new Set(settledMembers(before))
  const unsettled = group.device_ids.filter((id) => !settled.has(id))
  const joining = unsettled.map((id) => book.named(id))
  const after: StandingGroup = rules.some((rule) => isRisky(rule, joining, book.count))
    ? { ...group, joining: { device_ids: unsettled, confirm: timers.after(CONFIRM_S * 1000) } }
    : group
  return planBy(by, {
    change: {
      added: [],
      removed: [],
      groups: { before: before === undefined ? [] : [before], after: [after] },
    },
    verb: 'group-set',
    sentence: `Group ${group.name} has ${group.device_ids.length} devices.`,
  })
}

/** Keeps the members that would have to leave again. */
export function planGroupConfirm(desk: Desk, id: string, by: By): Plan {
  const group = desk.state.groups.get(id)
  if (group === undefined) throw new PolicyError('not_found', 'There is no such group.')
  if (group.joining === undefined) {
    throw new PolicyError('conflict', 'This group does not wait to be confirmed.')
  }
  const { joining: _, ...kept } = group
  const change: Change = { added: [], removed: [], groups: { before: [group], after: [kept] } }
  if (by.safeOnly) checkSafeChange(change)
  return planBy(by, {
    change,
    verb: 'confirm',
    sentence: `Confirmed: group ${group.name} has ${group.device_ids.length} devices.`,
  })
}

export function planGroupRemoval(desk: Desk, id: string, by: By): Plan {
  const { state } = desk
  const group = state.groups.get(id)
  if (group === undefined) throw new PolicyError('not_found', 'There is no such group.')
  const rules = state.about(`group:${id}`).length
  if (rules > 0) {
    throw new PolicyError(
      'conflict',
      `${rules} rules are about group ${group.name}; release them first.`,
    )
  }
  return planBy(by, {
    change: { added: [], removed: [], groups: { before: [group], after: [] } },
    verb: 'group-remove',
    sentence: `Group ${group.name} is removed.`,
  })
}
