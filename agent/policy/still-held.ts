// What goes on closing a device after somebody lifted what was ordered of it: said with the answer, and what to do about it.
import type { Subject } from '../../protocol/policy.ts'
import type { Selector } from './contract.ts'
import type { Holder } from './holder.ts'
import { canonicalMatch, isWhole } from './match.ts'
import type { StandingRule } from './rules.ts'
import type { Words } from './sentences.ts'
import { ruleText } from './sentences.ts'
import type { PolicyState } from './state.ts'

/** What was lifted: an action, and what narrows it. */
export type Lifted = Pick<Selector, 'action' | 'match' | 'restriction'>

/** One sentence; undefined: nothing does, or the subject is no device and no group. */
export function stillHeld(
  lifted: Lifted,
  subject: Subject,
  words: Words,
  holder: Holder,
): string | undefined {
  for (const id of targetsOf(subject, words.state)) {
    const rule = ruleThatHolds(lifted, id, words.state, holder)
    if (rule === undefined) continue
    const name = words.book.nameOf(id)
    return `${name} is still held: ${ruleText(rule, words)}. ${adviceOf(rule)}`
  }
  return undefined
}

/** The devices that a lift is to open. */
export function targetsOf(subject: Subject, { groups }: PolicyState): readonly string[] {
  if ('device_id' in subject) return [subject.device_id]
  return 'group_id' in subject ? (groups.get(subject.group_id)?.device_ids ?? []) : []
}

function ruleThatHolds(
  { action, match, restriction }: Lifted,
  id: string,
  state: PolicyState,
  holder: Holder,
): StandingRule | undefined {
  if (action === 'allow') return undefined
  const outcome = holder.outcomeOf(id)
  if (action === 'restrict') {
    const held = outcome?.restrictions.filter((one) => one === (restriction ?? one)) ?? []
    return rulesAbout(id, state).find((one) => held.some((each) => each === one.restriction))
  }
  const [level] = outcome?.levels ?? []
  if (level !== undefined && level.level !== 'observe') return state.rules.get(level.ruleId)
  if (match === undefined || isWhole(match)) return undefined
  const text = JSON.stringify(canonicalMatch(match))
  return [...(outcome?.rules ?? []), ...holder.everyone]
    .flatMap((one) => state.rules.get(one) ?? [])
    .find((rule) => rule.action === 'block' && JSON.stringify(rule.match) === text)
}

function rulesAbout(id: string, state: PolicyState): StandingRule[] {
  const groups = [...state.groups.values()].filter(({ device_ids }) => device_ids.includes(id))
  const subjects = [
    `device:${id}`,
    ...groups.map((group) => `group:${group.id}`),
    'new',
    'everyone',
  ]
  return subjects.flatMap((subject) => state.about(subject))
}

const WAYS_BACK = {
  quarantine: 'Release',
  block: 'Unblock',
  restrict: 'Unrestrict',
  allow: 'Unblock',
} as const

function adviceOf({ action, subject }: StandingRule): string {
  const verb = WAYS_BACK[action]
  if ('device_id' in subject) return `${verb} it, too.`
  if ('group_id' in subject) return `${verb} group ${subject.group_id}, too.`
  if ('everyone' in subject) return `${verb} everyone, too.`
  return `Accept the device, or ${verb.toLowerCase()} new devices.`
}
