// What is told of rules and devices: what is ordered beside what the kernel says that it has. Pure.
import type { DevicePolicy, Level, Restriction, RuleView } from '../../protocol/policy.ts'
import type { ActualDevice } from '../enforce/contract.ts'
import type { DesiredLevel } from './desired.ts'
import { isWhole } from './match.ts'
import type { Outcome, Resolved } from './resolve.ts'
import { levelOfRule } from './resolve.ts'
import type { StandingRule } from './rules.ts'
import { covers, publicRule } from './rules.ts'
import type { Timers } from './timers.ts'

/** What both are told by. */
export interface Readings {
  timers: Timers
  resolved: Resolved
  /** Read back from the kernel, by device. */
  actual: ReadonlyMap<string, ActualDevice>
  /** Rules that the kernel refused, each with a sentence. */
  failed: ReadonlyMap<string, string>
  /** Why nothing is held at all, a sentence. */
  off: string | undefined
}

const OVER = 'Its time is over.'

/** Its end has come: the kernel lets go at that moment, and what stands follows a few milliseconds later. */
function isOver(ruleId: string, { resolved, timers }: Readings): boolean {
  const end = resolved.expected.get(ruleId)?.untilBootMs
  return end !== undefined && end <= timers.bootNow
}

/** A rule, and what the kernel has of it. */
export function ruleView(rule: StandingRule, readings: Readings): RuleView {
  const told = publicRule(rule, readings.timers)
  if (readings.off !== undefined) return { ...told, state: 'idle', state_reason: readings.off }
  const failed = readings.failed.get(rule.id)
  if (failed !== undefined) return { ...told, state: 'failed', state_reason: failed }
  const expected = readings.resolved.expected.get(rule.id)
  if (expected === undefined) return { ...told, state: 'idle', state_reason: 'It is gone.' }
  if (expected.idle !== undefined) return { ...told, state: 'idle', state_reason: expected.idle }
  const missing = expected.devices.filter((id) => !isHeld(rule, id, readings))
  if (missing.length === 0) return { ...told, state: 'active' }
  if (isOver(rule.id, readings)) return { ...told, state: 'idle', state_reason: OVER }
  const [first] = missing
  const others = missing.length > 1 ? ` and for ${missing.length - 1} more devices` : ''
  return {
    ...told,
    state: 'failed',
    state_reason: `The kernel does not have it for device ${first}${others}.`,
  }
}

/** Whether the kernel has a rule for a device; what needs nothing in the kernel is there. */
function isHeld(rule: StandingRule, deviceId: string, { actual, resolved }: Readings): boolean {
  const outcome = resolved.outcomes.get(deviceId)
  if (outcome !== undefined && !outcome.listed) return true
  const level = levelOfRule(rule)
  if (level === 'observe') return true
  const has = actual.get(deviceId)
  if (has?.spared !== undefined && isWide(rule)) return true
  if (level !== undefined) return levelsIn(has).some((one) => covers(one, level))
  if (rule.restriction !== undefined) return has?.restrictions.has(rule.restriction) ?? false
  if (rule.match === undefined || isWhole(rule.match)) return true
  return has?.rules.has(rule.id) ?? false
}

/** Protected machines are left out of it. */
function isWide({ subject }: StandingRule): boolean {
  return 'everyone' in subject || 'new_devices' in subject
}

/** The levels that the kernel has of a device, the strictest first. */
function levelsIn(has: ActualDevice | undefined): readonly Level[] {
  return has?.level === undefined ? [] : [has.level, ...(has.further ?? [])]
}

/** A device's message stays small, however much is ordered about it. */
const MAX_TOLD_RULES = 100

/** What holds for a device. */
export function devicePolicy(
  deviceId: string,
  accepted: boolean,
  ruleOf: (id: string) => StandingRule | undefined,
  readings: Readings,
): DevicePolicy {
  const { resolved, actual, timers } = readings
  const outcome = resolved.outcomes.get(deviceId)
  const has = actual.get(deviceId)
  const everyone = resolved.desired.everyone.map(({ ruleId }) => ruleId)
  const rules = [...(outcome?.rules ?? []), ...everyone]
  const due = levelsDue(outcome, timers).filter(({ ruleId }) => {
    const rule = ruleOf(ruleId)
    return has?.spared === undefined || rule === undefined || !isWide(rule)
  })
  const [desired] = due
  const levels = levelsNow({ outcome, due, has, readings })
  const restrictions = (outcome?.restrictions ?? []).filter((one) => has?.restrictions.has(one))
  const problem =
    readings.off !== undefined && (desired !== undefined || rules.length > 0)
      ? readings.off
      : problemOf({ outcome, due, rules, levels, restrictions, has, readings, ruleOf })
  const [level, also] = levels
  return {
    accepted,
    ...(desired === undefined ? {} : { desired_level: desired.level }),
    ...(level === undefined ? {} : { level }),
    ...(isBeside(level, also) ? { also_level: also } : {}),
    ...(desired?.untilBootMs === undefined
      ? {}
      : { level_until_ms: timers.wallAt(desired.untilBootMs) }),
    ...(desired === undefined
      ? {}
      : { level_reason: ruleOf(desired.ruleId)?.reason ?? '', level_rule_id: desired.ruleId }),
    rules: rules.slice(0, MAX_TOLD_RULES),
    ...(rules.length > MAX_TOLD_RULES ? { more_rules: rules.length - MAX_TOLD_RULES } : {}),
    restrictions,
    in_force: problem === undefined,
    ...(problem === undefined ? {} : { problem }),
    ...(has?.uncovered === undefined ? {} : { uncovered: has.uncovered }),
  }
}

/** Those that are ordered and whose time is not over: the kernel lets go at that moment, what stands follows a little later. */
function levelsDue(outcome: Outcome | undefined, timers: Timers): readonly DesiredLevel[] {
  return (outcome?.levels ?? []).filter(
    ({ untilBootMs }) => untilBootMs === undefined || untilBootMs > timers.bootNow,
  )
}

function levelsNow(of: {
  outcome: Outcome | undefined
  due: readonly DesiredLevel[]
  has: ActualDevice | undefined
  readings: Readings
}): readonly Level[] {
  const { outcome, due, has, readings } = of
  const held = levelsIn(has)
  if (readings.off !== undefined || held.length > 0) return held
  // Nothing in the kernel says that a device is observed, nor which of the unknown ones are held as such.
  const untold = due.filter(
    ({ level, ruleId }) =>
      level === 'observe' || (outcome?.listed === false && !readings.failed.has(ruleId)),
  )
  return untold.map(({ level }) => level)
}

/** `internet_only` beside `local_only`: what one leaves open the other closes. */
function isBeside(level: Level | undefined, also: Level | undefined): also is Level {
  return level !== undefined && also !== undefined && !covers(level, also)
}

function levelProblem(due: readonly DesiredLevel[], held: readonly Level[]): string | undefined {
  const missing = due.find(({ level }) => !held.some((one) => covers(one, level)))
  if (missing !== undefined) {
    return `Level ${missing.level} is ordered, the kernel has ${held.join(' and ') || 'none'}.`
  }
  const much = held.find((one) => !due.some(({ level }) => covers(level, one)))
  return much === undefined ? undefined : `The kernel still holds level ${much}.`
}

function problemOf(of: {
  outcome: Outcome | undefined
  due: readonly DesiredLevel[]
  rules: readonly string[]
  levels: readonly Level[]
  restrictions: readonly Restriction[]
  has: ActualDevice | undefined
  readings: Readings
  ruleOf: (id: string) => StandingRule | undefined
}): string | undefined {
  const { outcome, due, rules, levels, restrictions, has, readings, ruleOf } = of
  const refused = [...rules, ...(outcome?.levels ?? []).map(({ ruleId }) => ruleId)]
    .map((id) => readings.failed.get(id))
    .find((sentence) => sentence !== undefined)
  if (refused !== undefined) return refused
  const wrong = levelProblem(due, levels)
  if (wrong !== undefined) return wrong
  if (restrictions.length !== (outcome?.restrictions.length ?? 0)) {
    return 'The kernel does not have every restriction that is ordered.'
  }
  const missing = outcome?.rules.find((id) => {
    const match = ruleOf(id)?.match
    const due = match !== undefined && !isWhole(match) && !isOver(id, readings)
    return due && !has?.rules.has(id)
  })
  return missing === undefined ? undefined : `The kernel does not have rule ${missing}.`
}
