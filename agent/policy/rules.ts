// Rules as they are kept: in one form, each under a key, so that the same order again is the same rule.
import { randomBytes } from 'node:crypto'
import type { Actor, Group, Level, Rule, Subject } from '../../protocol/policy.ts'
import { LEVELS } from '../../protocol/policy.ts'
import { DEVICE_ID } from '../../protocol/topics.ts'
import type { By, Order, Selector, Term } from './contract.ts'
import { PolicyError } from './contract.ts'
import type { StandingGroup } from './groups.ts'
import { canonicalMatch } from './match.ts'
import { canonicalSchedule } from './schedule.ts'
import type { Deadline, Timers } from './timers.ts'

/** Rules that may stand at once. */
export const MAX_RULES = 10_000
/** Groups that may be there at once. */
export const MAX_GROUPS = 1_000
/** Devices in one group. */
export const MAX_MEMBERS = 4_096
/** Rules times the devices of their group, in all. */
export const MAX_WEIGHT = 65_536

const MAX_TERM_S = 31_622_400
const MAX_TEXT = 512
const RESTRICTIONS = ['allow_list', 'no_dns_no_connect', 'no_encrypted_dns', 'ask'] as const

/** A rule with its ends on boot time. */
export interface StandingRule extends Omit<Rule, 'until_ms' | 'confirm_until_ms'> {
  /** Two rules of one key can't stand at once. */
  key: string
  until?: Deadline
  probation?: Deadline
  confirm?: Deadline
  /** Seconds that it may be confirmed in; kept for when it is restored. */
  confirm_s?: number
  /** The entry of the journal with which it came. */
  seq?: number
}

/** An id that no rule of any agent had before. */
export function newRuleId(): string {
  return BigInt(`0x${randomBytes(9).toString('hex')}`)
    .toString(36)
    .padStart(14, '0')
}

/** `device:…`, `group:…`, `everyone`, `new`: a subject as text. */
export function subjectKey(subject: Subject): string {
  if ('device_id' in subject) return `device:${subject.device_id}`
  if ('group_id' in subject) return `group:${subject.group_id}`
  return 'everyone' in subject ? 'everyone' : 'new'
}

/** The subject with nothing but its one key. Throws a `PolicyError` where it has another. */
export function canonicalSubject(subject: Subject): Subject {
  const [key, ...more] = Object.keys(subject)
  const [value] = Object.values(subject)
  const sound =
    more.length === 0 &&
    ((key === 'device_id' && typeof value === 'string' && DEVICE_ID.test(value)) ||
      (key === 'group_id' && typeof value === 'string' && GROUP_ID.test(value)) ||
      ((key === 'everyone' || key === 'new_devices') && value === true))
  if (sound) return { [key as string]: value } as unknown as Subject
  throw new PolicyError(
    'refused',
    'A rule is about exactly one of: a device, a group, everyone, new devices.',
  )
}

/** What the id of a group looks like. */
export const GROUP_ID = /^[a-z0-9_-]{1,32}$/

/** Text from outside, as it is kept: no control or direction characters, at most 512 characters. */
export function cleanText(text: string, most = MAX_TEXT): string {
  const plain = text
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ')
    .trim()
  return [...plain].slice(0, most).join('')
}

/** Who ordered it, with text that can be shown. */
export function cleanActor({ kind, name, via }: Actor): Actor {
  return { kind, via, ...(name === undefined ? {} : { name: cleanText(name, 64) }) }
}

/** The rule that an order makes. Throws a `PolicyError` that says what is wrong with the order. */
export function ruleOf(order: Order, by: By, timers: Timers): StandingRule {
  const { term } = order
  checkTerm(term)
  const schedule = term.schedule === undefined ? undefined : canonicalSchedule(term.schedule)
  const rule: Omit<StandingRule, 'key'> = {
    id: newRuleId(),
    action: order.action,
    subject: canonicalSubject(order.subject),
    ...whatOf(order),
    ...(schedule === undefined ? {} : { schedule }),
    ...(term.forS === undefined ? {} : { until: timers.after(term.forS * 1000) }),
    ...(term.probationS === undefined
      ? {}
      : { probation_s: term.probationS, probation: timers.after(term.probationS * 1000) }),
    reason: cleanText(by.reason),
    actor: cleanActor(by.actor),
    created_ms: timers.wallNow,
  }
  return { ...rule, key: ruleKey(rule) }
}

function whatOf(order: Order): Pick<Rule, 'match' | 'level' | 'restriction'> {
  switch (order.action) {
    case 'block':
    case 'allow':
      return { match: canonicalMatch(order.match) }
    case 'quarantine':
      if (LEVELS.includes(order.level)) return { level: order.level }
      throw new PolicyError('refused', `The level is one of ${LEVELS.join(', ')}.`)
    case 'restrict':
      if (RESTRICTIONS.includes(order.restriction)) return { restriction: order.restriction }
      throw new PolicyError('refused', `The restriction is one of ${RESTRICTIONS.join(', ')}.`)
    default:
      throw new PolicyError('refused', 'The action is block, allow, quarantine or restrict.')
  }
}

/** What a rule says, and of whom; not when. */
function contentOf(rule: Omit<StandingRule, 'key'>): string {
  const what = rule.level ?? rule.restriction ?? JSON.stringify(rule.match)
  return `${rule.action} ${subjectKey(rule.subject)} ${what}`
}

/**
 * One for a rule that lasts, one for a rule that ends by itself, one for windows: a pause takes neither what stands under it
 * nor the night's windows away. What a detector orders is a rule of its own, so that it shortens nothing that others ordered.
 */
function ruleKey(rule: Omit<StandingRule, 'key'>): string {
  const when = rule.schedule !== undefined ? 'scheduled' : isLasting(rule) ? 'lasting' : 'timed'
  const who = rule.actor.kind === 'detector' ? 'detector' : 'others'
  return `${when} ${who} ${contentOf(rule)}`
}

function checkTerm({ forS, schedule, probationS, confirmS }: Term): void {
  const isSpan = (seconds: number, least: number): boolean =>
    Number.isFinite(seconds) && seconds >= least && seconds <= MAX_TERM_S
  if (forS !== undefined && schedule !== undefined) {
    throw new PolicyError('refused', 'Give a duration or a schedule, not both.')
  }
  if (
    (forS !== undefined && !isSpan(forS, 1)) ||
    (probationS !== undefined && !isSpan(probationS, 1)) ||
    (confirmS !== undefined && !isSpan(confirmS, 0))
  ) {
    throw new PolicyError('refused', 'A duration is 1 second to 366 days.')
  }
}

/** Whether it holds until somebody takes it away. */
export function isLasting({
  until,
  probation,
  schedule,
}: Pick<StandingRule, 'until' | 'probation' | 'schedule'>): boolean {
  return until === undefined && probation === undefined && schedule === undefined
}

/**
 * Whether `order` takes `standing` away though its key is another: what is ordered to last replaces what was ordered for a
 * while of the same, and a level that is to last every level of the same subject. What is ordered for a while is laid over
 * what stands, and what a detector orders leaves all else alone.
 */
export function supersedes(order: StandingRule, standing: StandingRule): boolean {
  if (standing.key === order.key || standing.schedule !== undefined) return false
  if (!isLasting(order) || order.actor.kind === 'detector') return false
  const bothLevels = order.action === 'quarantine' && standing.action === 'quarantine'
  return bothLevels || sameContent(order, standing)
}

/** Where thousands stand, most differ in what is quick to compare. */
function sameContent(a: StandingRule, b: StandingRule): boolean {
  if (a.action !== b.action) return false
  if (a.match?.endpoint !== b.match?.endpoint || a.match?.domain !== b.match?.domain) return false
  return contentOf(a) === contentOf(b)
}

/** What a detector orders again ends no earlier than what it ordered before: `before` has the same key. */
export function notShorter(order: StandingRule, before: StandingRule | undefined): StandingRule {
  if (order.actor.kind !== 'detector' || order.until === undefined) return order
  const end = before?.until
  return end !== undefined && end.boot_ms > order.until.boot_ms ? { ...order, until: end } : order
}

/** A test for the rules that a selector takes away. Throws a `PolicyError` where it has no key. */
export function selects(selector: Selector): (rule: StandingRule) => boolean {
  const { ruleId, action, restriction } = selector
  const subject = selector.subject && subjectKey(canonicalSubject(selector.subject))
  const match = selector.match && JSON.stringify(canonicalMatch(selector.match))
  if ([ruleId, action, restriction, subject, match].every((key) => key === undefined)) {
    throw new PolicyError('refused', 'Say which rules go; to release everything, use panic.')
  }
  return (rule) =>
    (ruleId === undefined || rule.id === ruleId) &&
    (action === undefined || rule.action === action) &&
    (restriction === undefined || rule.restriction === restriction) &&
    (subject === undefined || subjectKey(rule.subject) === subject) &&
    (match === undefined || (rule.match !== undefined && JSON.stringify(rule.match) === match))
}

/** A group in its only form. Throws a `PolicyError` that says what is wrong with it. */
export function canonicalGroup({ id, name, device_ids }: Group): StandingGroup {
  if (!GROUP_ID.test(id)) {
    throw new PolicyError('refused', 'The id of a group is 1 to 32 of a-z, 0-9, _ and -.')
  }
  const members = [...new Set(device_ids)].sort()
  if (members.length > MAX_MEMBERS) {
    throw new PolicyError('refused', `A group has at most ${MAX_MEMBERS} devices.`)
  }
  return { id, name: cleanText(name, 64) || id, device_ids: members }
}

/**
 * Whether a device at level `a` is closed wherever `b` closes it. `internet_only` and `local_only` close different sides:
 * neither covers the other.
 */
export function covers(a: Level, b: Level): boolean {
  return a === b || a === 'full' || b === 'observe'
}

/** The rule as others see it. */
export function publicRule(rule: StandingRule, timers: Timers): Rule {
  const { key: _, until, probation: __, confirm, confirm_s: ___, seq: ____, ...rest } = rule
  return {
    ...rest,
    ...(until === undefined ? {} : { until_ms: timers.wallOf(until) }),
    ...(confirm === undefined ? {} : { confirm_until_ms: timers.wallOf(confirm) }),
  }
}
