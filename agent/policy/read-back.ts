// What is told of rules and devices: what is ordered beside what the kernel says that it has. Pure.
import type { DevicePolicy, Restriction, RuleView } from '../../protocol/policy.ts'
import type { ActualDevice } from '../enforce/contract.ts'
import { isWhole } from './match.ts'
import type { Outcome, Resolved } from './resolve.ts'
import { levelOfRule } from './resolve.ts'
import type { StandingRule } from './rules.ts'
import { isStricter, publicRule } from './rules.ts'
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
  if (level !== undefined) return has?.level === level || isAtLeast(has, level)
  if (rule.restriction !== undefined) return has?.restrictions.has(rule.restriction) ?? false
  if (rule.match === undefined || isWhole(rule.match)) return true
  return has?.rules.has(rule.id) ?? false
}

function isAtLeast(has: ActualDevice | undefined, level: NonNullable<Outcome['level']>['level']) {
  return has?.level !== undefined && isStricter(has.level, level)
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
  const ordered = outcome?.level
  const desired = ordered && isOver(ordered.ruleId, readings) ? undefined : ordered
  const level = levelNow(outcome, has, readings)
  const restrictions = (outcome?.restrictions ?? []).filter((one) => has?.restrictions.has(one))
  const problem =
    readings.off !== undefined && (desired !== undefined || rules.length > 0)
      ? readings.off
      : problemOf({ outcome, desired, rules, level, restrictions, has, readings, ruleOf })
  return {
    accepted,
    ...(desired === undefined ? {} : { desired_level: desired.level }),
    ...(level === undefined ? {} : { level }),
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

function levelNow(outcome: Outcome | undefined, has: ActualDevice | undefined, readings: Readings) {
  if (readings.off !== undefined) return has?.level
  const desired = outcome?.level
  if (desired === undefined || has?.level !== undefined) return has?.level
  // Nothing in the kernel says that a device is observed, nor which of the unknown ones are held as such.
  const heldAsUnknown = outcome?.listed === false && !readings.failed.has(desired.ruleId)
  return desired.level === 'observe' || heldAsUnknown ? desired.level : undefined
}

function problemOf(of: {
  outcome: Outcome | undefined
  desired: Outcome['level']
  rules: readonly string[]
  level: string | undefined
  restrictions: readonly Restriction[]
  has: ActualDevice | undefined
  readings: Readings
  ruleOf: (id: string) => StandingRule | undefined
}): string | undefined {
  const { outcome, rules, level, restrictions, has, readings, ruleOf } = of
  const refused = [...rules, ...(outcome?.level ? [outcome.level.ruleId] : [])]
    .map((id) => readings.failed.get(id))
    .find((sentence) => sentence !== undefined)
  if (refused !== undefined) return refused
  const desired = of.desired?.level
  if (desired !== level) {
    return desired === undefined
      ? `The kernel still holds level ${level}.`
      : `Level ${desired} is ordered, the kernel has ${level ?? 'none'}.`
  }
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
