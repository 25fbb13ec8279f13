// What happened, in one English sentence: for the journal and for events.
import type { DeviceBook } from './device-book.ts'
import { isWhole } from './match.ts'
import type { StandingRule } from './rules.ts'
import type { PolicyState } from './state.ts'
import type { Timers } from './timers.ts'

const RESTRICTION_TEXTS = {
  allow_list: 'held to what is allowed',
  no_dns_no_connect: 'held to addresses that it resolved',
  no_encrypted_dns: 'kept from encrypted DNS',
  ask: 'asked about before each new connection',
} as const

/** What sentences are made of. */
export interface Words {
  book: DeviceBook
  state: PolicyState
  timers: Timers
}

/** Whom a rule is about. */
export function subjectText({ subject }: StandingRule, { book, state }: Words): string {
  if ('device_id' in subject) return book.nameOf(subject.device_id)
  if ('everyone' in subject) return 'every device'
  if ('new_devices' in subject) return 'every new device'
  const group = state.groups.get(subject.group_id)
  return `group ${group?.name ?? subject.group_id}`
}

/** `Camera is quarantined (full) for 30 minutes`. */
export function ruleText(rule: StandingRule, words: Words): string {
  const whom = subjectText(rule, words)
  return `${whatText(rule, whom)}${termText(rule, words.timers)}`
}

function whatText({ action, match = {}, level, restriction }: StandingRule, whom: string): string {
  if (action === 'quarantine') return `${whom} is quarantined (${level})`
  if (action === 'restrict' && restriction !== undefined) {
    return `${whom} is ${RESTRICTION_TEXTS[restriction]}`
  }
  if (isWhole(match)) {
    return action === 'block' ? `${whom} is blocked` : `${whom} is exempt from wider rules`
  }
  const ports = match.port === undefined ? '' : ` port ${match.port}`
  const last = match.port_to === undefined ? '' : `–${match.port_to}`
  const protocol = match.protocol === undefined ? '' : `protocol ${match.protocol}${ports}${last}`
  const other = match.endpoint ?? match.domain
  const what = [other, protocol].filter(Boolean).join(', ')
  return `${what} is ${action === 'block' ? 'blocked' : 'allowed'} for ${whom}`
}

function termText({ until, schedule, probation_s }: StandingRule, timers: Timers): string {
  if (schedule !== undefined) return ' at set times'
  if (until !== undefined) {
    const seconds = timers.left(until) / 1000
    return seconds < 0.5 ? '' : ` for ${spanText(seconds)}`
  }
  return probation_s === undefined ? '' : ` until it is quiet for ${spanText(probation_s)}`
}

/** Seconds as people say them. */
export function spanText(seconds: number): string {
  const units = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
    ['second', 1],
  ] as const
  const [name, size] = units.find(([, each]) => Math.round(seconds) >= each) ?? ['second', 1]
  const tenths = size === 1 ? 1 : 10
  const count = Math.round((seconds / size) * tenths) / tenths
  return `${count} ${name}${count === 1 ? '' : 's'}`
}

/** Several rules at once: the first in full. */
export function rulesText(
  rules: readonly StandingRule[],
  words: Words,
  tell: (rule: string) => string,
): string {
  const [first] = rules
  if (first === undefined) return tell('nothing')
  const more = rules.length > 1 ? ` (and ${rules.length - 1} more rules)` : ''
  return `${tell(ruleText(first, words))}${more}`
}
