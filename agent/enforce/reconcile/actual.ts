// What the kernel has of each device, out of what was read back: never out of what was ordered.
import type { Restriction } from '../../../protocol/policy.ts'
import type { DesiredDevice } from '../../policy/desired.ts'
import { levelsOf } from '../../policy/desired.ts'
import type { ActualDevice } from '../contract.ts'
import type { HeldSets } from './reconciler-diff.ts'
import { isOver, missing } from './reconciler-diff.ts'
import type { Written } from './reconciler-writer.ts'

/** Rules with an element that is not there: for all, and by device. */
interface Lost {
  forAll: ReadonlySet<string>
  byDevice: ReadonlyMap<string, ReadonlySet<string>>
}

function lostOf(written: Written, held: HeldSets, bootMs: number): Lost {
  const forAll = new Set<string>()
  const byDevice = new Map<string, Set<string>>()
  for (const { element } of missing(written.wanted, held, bootMs)) {
    const { deviceId } = element
    if (deviceId === undefined) for (const rule of element.ruleIds) forAll.add(rule)
    else {
      const rules = byDevice.get(deviceId) ?? new Set()
      byDevice.set(deviceId, rules)
      for (const rule of element.ruleIds) rules.add(rule)
    }
  }
  return { forAll, byDevice }
}

/** By device id. `uncovered`: what is open here for a device though ordered. */
export function actualOf(
  written: Written,
  held: HeldSets,
  bootMs: number,
  uncovered: (device: DesiredDevice) => string | undefined,
): ReadonlyMap<string, ActualDevice> {
  const lost = lostOf(written, held, bootMs)
  const all = new Map<string, ActualDevice>()
  const forAll = written.desired.everyone.map(({ ruleId }) => ruleId)
  for (const device of written.desired.devices) {
    const open = uncovered(device)
    const gone = lost.byDevice.get(device.deviceId)
    const holds = (rule: string): boolean => gone?.has(rule) !== true && !lost.forAll.has(rule)
    all.set(device.deviceId, {
      ...actualDevice(device, holds, bootMs),
      ...(open === undefined ? {} : { uncovered: open }),
    })
  }
  for (const [id, spared] of written.spared) {
    all.set(id, { rules: new Set(), restrictions: new Set(), spared, uncovered: spared })
  }
  // What holds for the whole home holds for each of them.
  const common = forAll.filter((rule) => !lost.forAll.has(rule) && !written.failed.has(rule))
  if (common.length > 0) {
    for (const [id, device] of all)
      all.set(id, { ...device, rules: new Set([...device.rules, ...common]) })
  }
  return all
}

function actualDevice(
  device: DesiredDevice,
  holds: (rule: string) => boolean,
  bootMs: number,
): ActualDevice {
  const rules = new Set<string>()
  const there = new Set<Restriction>()
  const isThere = (one: { ruleId: string; untilBootMs?: number }): boolean => {
    if (!holds(one.ruleId) || isOver(one.untilBootMs, bootMs)) return false
    rules.add(one.ruleId)
    return true
  }
  for (const match of device.matches) isThere(match)
  for (const [name, one] of Object.entries(device.restrictions)) {
    if (isThere(one)) there.add(name as Restriction)
  }
  const levels = levelsOf(device).filter(isThere)
  const [level, ...further] = levels.map((one) => one.level)
  return {
    rules,
    restrictions: there,
    ...(level === undefined ? {} : { level }),
    ...(further.length === 0 ? {} : { further }),
  }
}
