// Rules in the reader's language. What comes from outside is cleaned here, and bound as text by the templates.
import type { DevicePolicy, Level, Match, Rule, RuleView, Subject } from '../../protocol/policy.ts'
import { shownName, shownRemote } from './display-name.ts'
import type { I18n } from './i18n.ts'
import { leftOf } from './spans.ts'
import type { PanelState } from './store.ts'

const MONDAY = Date.UTC(2024, 0, 1)
const DAY_MS = 86_400_000

/** Whom a rule is about. */
export function whomText(subject: Subject, { devices, policy }: PanelState, i18n: I18n): string {
  if ('device_id' in subject) {
    return shownName(devices.get(subject.device_id)?.name, subject.device_id).text
  }
  if ('everyone' in subject) return i18n.t('subject_everyone')
  if ('new_devices' in subject) return i18n.t('subject_new_devices')
  const group = policy.groups?.find(({ id }) => id === subject.group_id)
  return i18n.t('subject_group', { name: shownName(group?.name, subject.group_id).text })
}

/** What a rule does. */
export function whatText(rule: Rule, i18n: I18n): string {
  const { action, level, restriction, match = {} } = rule
  if (action === 'quarantine') {
    return i18n.t('rule_quarantine', { level: i18n.t(`level_${level ?? 'full'}`) })
  }
  if (action === 'restrict') return i18n.t(`restriction_${restriction ?? 'allow_list'}`)
  const other = matchText(match, i18n)
  if (other === '') return i18n.t(action === 'block' ? 'rule_block_all' : 'rule_allow_all')
  return i18n.t(action === 'block' ? 'rule_block' : 'rule_allow', { other })
}

/** What a rule is about, without what it does: a level, or the other side. */
export function objectText(rule: Rule, i18n: I18n): string {
  if (rule.level !== undefined) return i18n.t(`level_${rule.level}`)
  return matchText(rule.match ?? {}, i18n) || i18n.t('everything')
}

/** The other side; empty where it is everything. */
export function matchText(
  { endpoint, domain, protocol, port, port_to }: Match,
  i18n: I18n,
): string {
  const ports = port === undefined ? '' : ` ${port}${port_to === undefined ? '' : `–${port_to}`}`
  const parts = [
    endpoint === undefined ? '' : shownRemote(endpoint).text,
    domain === undefined ? '' : shownRemote(domain).text,
    protocol === undefined
      ? ''
      : `${typeof protocol === 'number' ? i18n.t('protocol_n', { n: String(protocol) }) : protocol.toUpperCase()}${ports}`,
  ]
  return parts.filter(Boolean).join(', ')
}

/** When it ends or holds; undefined: until it is removed. */
export function termText(rule: Rule, i18n: I18n, now_ms: number): string | undefined {
  const { until_ms, schedule, probation_s } = rule
  if (until_ms !== undefined) {
    return i18n.t('term_left', { left: leftText(until_ms, now_ms, i18n) })
  }
  if (schedule !== undefined) {
    const windows = schedule.windows.slice(0, 7).map(({ days, from, to }) => {
      const names = days.length === 7 ? i18n.t('every_day') : daysText(days, i18n)
      return from === to ? names : `${names} ${from}–${to}`
    })
    return `${windows.join('; ')} (${shownName(schedule.time_zone).text})`
  }
  if (probation_s === undefined) return undefined
  return i18n.t('term_probation', { length: lengthText(probation_s, i18n) })
}

/** What remains until a time: `4:05`, `2 days 3:04:05`. */
export function leftText(until_ms: number, now_ms: number, i18n: I18n): string {
  const { days, clock } = leftOf(until_ms, now_ms)
  return days === 0 ? clock : `${i18n.count('days_n', days)} ${clock}`
}

/** A number of seconds in its largest whole unit: `30 minutes`. */
export function lengthText(seconds: number, i18n: I18n): string {
  const units = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ] as const
  const [unit, size] = units.find(([, each]) => seconds >= each && seconds % each === 0) ?? [
    'second' as const,
    1,
  ]
  return new Intl.NumberFormat(i18n.locale, { style: 'unit', unit, unitDisplay: 'long' }).format(
    seconds / size,
  )
}

function daysText(days: readonly number[], { locale }: I18n): string {
  const format = new Intl.DateTimeFormat(locale, { weekday: 'short', timeZone: 'UTC' })
  return days.map((day) => format.format(MONDAY + (day - 1) * DAY_MS)).join(' ')
}

/** The method that takes a rule away. */
export function wayBack({ action }: Rule): 'unblock' | 'release' | 'unrestrict' {
  if (action === 'quarantine') return 'release'
  return action === 'restrict' ? 'unrestrict' : 'unblock'
}

/** What of a device is closed, as the kernel has it. */
export type Closure =
  | { kind: 'open' }
  /** Some remotes, or a restriction, by orders about this device. */
  | { kind: 'partly' }
  /** The same by orders about a group, new devices or everyone alone; how many there are. */
  | { kind: 'wider'; blocks: number; limits: number }
  | { kind: 'blocked'; until_ms?: number }
  /** `both`: what the level leaves open is closed by another that holds at once. */
  | { kind: 'level'; level: Level; both?: true; until_ms?: number }

/** What of a device is closed: a block of everything, its level, or less. `rules`: those for it, see `rulesFor`. */
export function closureOf(policy: DevicePolicy, rules: readonly RuleView[]): Closure {
  const holding = rules.filter(({ id, state }) => policy.rules.includes(id) && state === 'active')
  const whole = holding.find(
    ({ action, match = {} }) => action === 'block' && Object.keys(match).length === 0,
  )
  const { level, also_level, level_until_ms: until_ms } = policy
  if (whole !== undefined && level !== 'full') {
    return {
      kind: 'blocked',
      ...(whole.until_ms === undefined ? {} : { until_ms: whole.until_ms }),
    }
  }
  if (level !== undefined) {
    return {
      kind: 'level',
      level,
      ...(also_level === undefined ? {} : { both: true }),
      ...(until_ms === undefined ? {} : { until_ms }),
    }
  }
  const blocks = holding.filter(({ action }) => action === 'block')
  const limits = policy.restrictions.length
  if (blocks.length + limits === 0) return { kind: 'open' }
  const wider = rules.filter(({ subject }) => !('device_id' in subject))
  const areWide =
    blocks.every((rule) => wider.includes(rule)) &&
    policy.restrictions.every((one) => wider.some(({ restriction }) => restriction === one))
  return areWide ? { kind: 'wider', blocks: blocks.length, limits } : { kind: 'partly' }
}

/** What of a device is closed, in words. */
export function closureText(closure: Closure, i18n: I18n): string {
  if (closure.kind === 'level')
    return i18n.t(closure.both ? 'level_both' : `level_${closure.level}`)
  if (closure.kind !== 'wider') return i18n.t(`closure_${closure.kind}`)
  const { blocks, limits } = closure
  return [
    ...(blocks > 0 ? [i18n.count('blocks_n', blocks)] : []),
    ...(limits > 0 ? [i18n.count('limits_n', limits)] : []),
  ].join(', ')
}

/** Every rule that holds for a device: its own, those of its groups, of everyone, and of new devices. */
export function rulesFor(deviceId: string, { policy, devices }: PanelState): RuleView[] {
  const groups = new Set(
    policy.groups?.filter((group) => group.device_ids.includes(deviceId)).map(({ id }) => id),
  )
  const isNew = devices.get(deviceId)?.policy?.accepted === false
  return (policy.rules ?? []).filter(({ subject }) => {
    if ('device_id' in subject) return subject.device_id === deviceId
    if ('group_id' in subject) return groups.has(subject.group_id)
    return 'everyone' in subject || isNew
  })
}

/** Whether a name or address is meant by a match: itself, or a subdomain of its domain. */
export function isAbout({ endpoint, domain }: Match, remote: string): boolean {
  if (endpoint !== undefined) return endpoint === remote
  return domain !== undefined && (remote === domain || remote.endsWith(`.${domain}`))
}

/** Digits, dots and colons, with a prefix: an address (the agent says if it is none). Anything else is a name. */
export function isAddress(text: string): boolean {
  return /^[0-9.]+(?:\/\d+)?$/.test(text) || /^\[?[0-9a-f:.]*:[0-9a-f:.]*\]?(?:\/\d+)?$/i.test(text)
}
