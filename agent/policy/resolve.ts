// Rules, groups, accepted devices, windows and the time → what the kernel shall hold now. Pure.
//
// Of several levels each closes what it closes: the stricter of each column of their table holds. With one exception: `allow` of a whole device (or group) takes it out of what is
// ordered more widely: of groups, of new devices, of everyone. Exceptions that name the other side pass through everything.
import type { Level, Restriction } from '../../protocol/policy.ts'
import { LEVELS } from '../../protocol/policy.ts'
import type { Desired, DesiredDevice, DesiredLevel, DesiredMatch } from './desired.ts'
import { levelsOf } from './desired.ts'
import type { StandingGroup } from './groups.ts'
import { cidrOf, isWhole, protocolNumber } from './match.ts'
import type { StandingRule } from './rules.ts'
import { covers } from './rules.ts'
import type { PolicyState } from './state.ts'

/** What policy has to know of a device. */
export interface PolicyDevice {
  id: string
  mac?: string
  ips: readonly string[]
  /** Its MAC carries the traffic of several devices: never matched by MAC. */
  shared?: boolean
  /** Text from the network. */
  name?: string
}

/** Whether a rule holds at this moment; `idle` says in a sentence why it does not. */
export type Holding = { idle: string } | { untilBootMs?: number }

/** What is ordered of one device. */
export interface Outcome {
  /** Those that hold, the strictest first; see `DesiredDevice`. */
  levels: readonly DesiredLevel[]
  /** Block and allow rules. */
  rules: readonly string[]
  restrictions: readonly Restriction[]
  /** It has an entry of its own; else it is held as an unknown one is. */
  listed: boolean
}

/** Where the kernel should have a rule. */
export interface Expected {
  /** Why nowhere, a sentence. */
  idle?: string
  devices: string[]
  /** When the kernel lets go by itself. */
  untilBootMs?: number
}

export interface Resolved {
  desired: Desired
  outcomes: ReadonlyMap<string, Outcome>
  /** By id of the rule. */
  expected: ReadonlyMap<string, Expected>
}

/** Devices that are held exactly as unknown ones are get an entry each only up to here: a flood of made-up MACs must not fill the kernel. */
const MAX_LISTED_UNKNOWN = 1024

type Held = StandingRule & { untilBootMs: number | undefined }

interface Sides {
  device: Map<string, Held[]>
  groupsOf: Map<string, Held[]>
  fresh: Held[]
  everyone: Held[]
  everyoneMatches: Held[]
}

export function resolve(
  state: PolicyState,
  devices: Iterable<PolicyDevice>,
  holding: (rule: StandingRule) => Holding,
): Resolved {
  const expected = new Map<string, Expected>()
  const sides = sortBySubject(state, holding, expected)
  const unknown = closingOf([...sides.fresh, ...sides.everyone])
  const outcomes = new Map<string, Outcome>()
  const listed: DesiredDevice[] = []
  const free: string[] = []
  let alike = 0
  for (const device of devices) {
    const rules = rulesOf(device.id, state, sides)
    const entry = rules.length === 0 ? undefined : entryOf(device, rules, sides)
    const mac = device.mac?.replaceAll(':', '').toLowerCase()
    const isFree = entry === undefined || isEmpty(entry)
    if (isFree || (device.shared && mac !== undefined)) free.push(mac ?? device.id)
    if (entry === undefined) continue
    const likeUnknown =
      device.mac !== undefined && !device.shared && isOnly(entry, unknown) && ++alike
    const isListed = !likeUnknown || alike <= MAX_LISTED_UNKNOWN
    outcomes.set(device.id, { ...outcomeOf(entry, rules), listed: isListed })
    if (isListed && !isFree) listed.push(entry)
    for (const rule of rules) expected.get(rule.id)?.devices.push(device.id)
  }
  for (const [id, entry] of expected) {
    if (entry.devices.length > 0 || entry.idle !== undefined) continue
    const idle = whyNowhere(state.rules.get(id) as StandingRule, state, unknown)
    if (idle !== undefined) entry.idle = idle
  }
  return {
    desired: {
      devices: listed,
      everyone: sides.everyoneMatches.map(matchOf),
      unknown: unknown.length === 0 ? undefined : { ...asDesired(unknown), free },
    },
    outcomes,
    expected,
  }
}

function sortBySubject(
  state: PolicyState,
  holding: (rule: StandingRule) => Holding,
  expected: Map<string, Expected>,
): Sides {
  const sides: Sides = {
    device: new Map(),
    groupsOf: new Map(),
    fresh: [],
    everyone: [],
    everyoneMatches: [],
  }
  for (const rule of state.rules.values()) {
    const now = holding(rule)
    if ('idle' in now) {
      expected.set(rule.id, { idle: now.idle, devices: [] })
      continue
    }
    expected.set(rule.id, withEnd({ devices: [] }, now.untilBootMs))
    const held: Held = { ...rule, untilBootMs: now.untilBootMs }
    const { subject } = rule
    if ('device_id' in subject) push(sides.device, subject.device_id, held)
    else if ('group_id' in subject) pushMembers(sides, state.groups.get(subject.group_id), held)
    else if ('new_devices' in subject) sides.fresh.push(held)
    else if (held.match !== undefined && !isWhole(held.match)) sides.everyoneMatches.push(held)
    else sides.everyone.push(held)
  }
  return sides
}

/** Of those whose joining has to be confirmed the kernel lets go by then. */
function pushMembers({ groupsOf }: Sides, group: StandingGroup | undefined, rule: Held): void {
  const { device_ids = [], joining } = group ?? {}
  const joined = new Set(joining?.device_ids)
  const never = Number.POSITIVE_INFINITY
  const end = Math.min(joining?.confirm.boot_ms ?? never, rule.untilBootMs ?? never)
  for (const id of device_ids) {
    push(groupsOf, id, joined.has(id) ? { ...rule, untilBootMs: end } : rule)
  }
}

function push(map: Map<string, Held[]>, id: string, rule: Held): void {
  const list = map.get(id)
  if (list) list.push(rule)
  else map.set(id, [rule])
}

/** What is ordered of one device at whatever time: its levels, and the rules that are exceptions from them. */
export function heldAtAnyTime(
  deviceId: string,
  state: PolicyState,
): { levels: readonly Level[]; exceptions: ReadonlySet<string> } {
  const sides = sortBySubject(state, () => ({}), new Map())
  const rules = rulesOf(deviceId, state, sides)
  const exceptions = [...rules, ...sides.everyoneMatches].filter(({ action }) => action === 'allow')
  return {
    levels: closingOf(rules).map(({ level }) => level),
    exceptions: new Set(exceptions.map(({ id }) => id)),
  }
}

/** From the widest (0) to the narrowest. */
function rankOf({ subject }: StandingRule): number {
  if ('everyone' in subject) return 0
  if ('new_devices' in subject) return 1
  return 'group_id' in subject ? 2 : 3
}

function isExemption({ action, match }: StandingRule): boolean {
  return action === 'allow' && match !== undefined && isWhole(match)
}

/** Those that hold for a device, without what it is exempt from. */
function rulesOf(id: string, state: PolicyState, sides: Sides): Held[] {
  const own = sides.device.get(id) ?? []
  const groups = sides.groupsOf.get(id) ?? []
  if (own.length + groups.length + sides.fresh.length + sides.everyone.length === 0) return []
  const fresh = state.isAccepted(id) ? [] : sides.fresh
  const all = [...own, ...groups, ...fresh, ...sides.everyone]
  const rank = exemptRank(all)
  return rank === 0 ? all : all.filter((rule) => rankOf(rule) >= rank || rule.action === 'allow')
}

function exemptRank(rules: readonly StandingRule[]): number {
  return rules.reduce((most, rule) => (isExemption(rule) ? Math.max(most, rankOf(rule)) : most), 0)
}

function entryOf(device: PolicyDevice, rules: readonly Held[], sides: Sides): DesiredDevice {
  const levels = closingOf(rules)
  const restrictions: DesiredDevice['restrictions'] = {}
  for (const { id, restriction, untilBootMs } of rules) {
    if (restriction === undefined) continue
    const other = restrictions[restriction]
    if (other === undefined || endsLater(untilBootMs, other.untilBootMs)) {
      restrictions[restriction] = withEnd({ ruleId: id }, untilBootMs)
    }
  }
  const matches = rules.filter(({ match }) => match !== undefined && !isWhole(match)).map(matchOf)
  const held = levels.length > 0 || Object.keys(restrictions).length > 0
  const exemption = rules.find((rule) => isExemption(rule) && rankOf(rule) > 0)
  if (exemption !== undefined && !held && !matches.some(({ action }) => action === 'block')) {
    // Out of what is blocked for everyone; not where something of its own is closed, which these would open.
    for (const rule of sides.everyoneMatches) {
      if (rule.action === 'block') {
        const passed = { ...matchOf(rule), action: 'allow' as const, ruleId: exemption.id }
        delete passed.untilBootMs
        matches.push(withEnd(passed, exemption.untilBootMs))
      }
    }
  }
  return {
    deviceId: device.id,
    ...(device.mac === undefined || device.shared ? {} : { mac: device.mac }),
    ips: device.ips,
    ...asDesired(levels),
    restrictions,
    matches,
  }
}

function asDesired([level, ...further]: readonly DesiredLevel[]): Pick<
  DesiredDevice,
  'level' | 'further'
> {
  if (level === undefined) return {}
  return further.length === 0 ? { level } : { level, further }
}

/** The levels that hold, the strictest first: of those that are alike the one that lasts longest, and none that another covers to its end. */
function closingOf(rules: readonly Held[]): DesiredLevel[] {
  const longest = new Map<Level, DesiredLevel>()
  for (const rule of rules) {
    const level = levelOfRule(rule)
    if (level === undefined) continue
    const known = longest.get(level)
    if (known === undefined || endsLater(rule.untilBootMs, known.untilBootMs)) {
      longest.set(level, withEnd({ level, ruleId: rule.id }, rule.untilBootMs))
    }
  }
  const found = LEVELS.toReversed().flatMap((level) => longest.get(level) ?? [])
  return found.filter(({ level, untilBootMs }, at) => {
    if (level === 'observe') return at === 0
    const stricter = found.slice(0, at)
    return !stricter.some(
      (one) => covers(one.level, level) && !endsLater(untilBootMs, one.untilBootMs),
    )
  })
}

/** The level that a rule asks for; a block of a whole device is one, too. */
export function levelOfRule({ action, level, match }: StandingRule): Level | undefined {
  if (action === 'block' && match !== undefined && isWhole(match)) return 'full'
  return level
}

function endsLater(a: number | undefined, b: number | undefined): boolean {
  return b !== undefined && (a === undefined || a > b)
}

function withEnd<T extends object>(what: T, untilBootMs: number | undefined): T {
  return untilBootMs === undefined ? what : { ...what, untilBootMs }
}

function matchOf({ id, action, match = {}, untilBootMs }: Held): DesiredMatch {
  const { endpoint, domain, protocol, port, port_to } = match
  return withEnd(
    {
      ruleId: id,
      action: action as 'block' | 'allow',
      ...(endpoint === undefined ? {} : { prefix: cidrOf(endpoint) }),
      ...(domain === undefined ? {} : { domain }),
      ...(protocol === undefined ? {} : { protocol: protocolNumber(protocol) }),
      ...(port === undefined ? {} : { ports: [port, port_to ?? port] as const }),
    },
    untilBootMs,
  )
}

/** Exempt from all there is. */
function isEmpty({ level, restrictions, matches }: DesiredDevice): boolean {
  return level === undefined && matches.length === 0 && Object.keys(restrictions).length === 0
}

function isOnly(entry: DesiredDevice, unknown: readonly DesiredLevel[]): boolean {
  const levels = levelsOf(entry)
  return (
    levels.length === unknown.length &&
    levels.every(({ ruleId }, n) => ruleId === unknown[n]?.ruleId) &&
    levels.length > 0 &&
    entry.matches.length === 0 &&
    Object.keys(entry.restrictions).length === 0
  )
}

function outcomeOf(entry: DesiredDevice, rules: readonly Held[]): Omit<Outcome, 'listed'> {
  return {
    levels: levelsOf(entry),
    rules: rules.filter(({ match }) => match !== undefined).map(({ id }) => id),
    restrictions: Object.keys(entry.restrictions).sort() as Restriction[],
  }
}

function whyNowhere(
  rule: StandingRule,
  state: PolicyState,
  unknown: readonly DesiredLevel[],
): string | undefined {
  const { subject } = rule
  if ('group_id' in subject) {
    const members = state.groups.get(subject.group_id)?.device_ids.length ?? 0
    return members === 0 ? 'The group has no devices.' : 'All devices of the group are exempt.'
  }
  if ('new_devices' in subject && levelOfRule(rule) === undefined) {
    return 'There is no new device now.'
  }
  if ('everyone' in subject || 'new_devices' in subject) {
    const level = levelOfRule(rule)
    return level !== undefined && unknown.length === 0 ? 'No device is affected.' : undefined
  }
  return undefined
}
