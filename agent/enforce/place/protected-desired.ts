// The last look at what is desired before it becomes elements: whatever way it came here, nothing protected goes on to the
// kernel, nor what this place can't hold.
import type { Level } from '../../../protocol/policy.ts'
import type { Desired, DesiredDevice, DesiredMatch } from '../../policy/desired.ts'
import type { ProtectedList } from './protected.ts'

/** What may go on, and which rules may not, each with a sentence. */
export interface Admitted {
  desired: Desired
  failed: Map<string, string>
  /** By device id: protected machines that are left out of what is ordered for unknown devices, each with a sentence. */
  spared: Map<string, string>
}

function admitMatches(
  matches: readonly DesiredMatch[],
  forDevice: boolean,
  list: ProtectedList,
  failed: Map<string, string>,
): readonly DesiredMatch[] {
  return matches.filter((match) => {
    const fault = match.action === 'block' ? list.targetFault({ ...match, forDevice }) : undefined
    const whole = !forDevice && match.action === 'block' && isWhole(match)
    if (fault === undefined && !whole) return true
    failed.set(match.ruleId, fault?.message ?? 'Blocking everything for everyone is refused.')
    return false
  })
}

function isWhole({ prefix, domain, protocol, ports }: DesiredMatch): boolean {
  return [prefix, domain, protocol, ports].every((part) => part === undefined)
}

function rulesOf({ level, restrictions, matches }: DesiredDevice): string[] {
  return [
    ...(level === undefined ? [] : [level.ruleId]),
    ...Object.values(restrictions).map(({ ruleId }) => ruleId),
    ...matches.map(({ ruleId }) => ruleId),
  ]
}

/** Every rule that it names. */
export function rulesOfDesired({ devices, everyone, unknown }: Desired): string[] {
  return [
    ...devices.flatMap(rulesOf),
    ...everyone.map(({ ruleId }) => ruleId),
    ...(unknown?.level === undefined ? [] : [unknown.level.ruleId]),
  ]
}

/** Lets through what may be written. `levels`: those that can be held here. */
export function admit(desired: Desired, list: ProtectedList, levels: ReadonlySet<Level>): Admitted {
  const failed = new Map<string, string>()
  const spared = new Map<string, string>()
  const free: string[] = []
  const forUnknown = desired.unknown?.level?.ruleId
  const cannot = (level: Level): string => `Level ${level} can't be held here.`
  const devices = desired.devices.flatMap((device): DesiredDevice[] => {
    const what = list.deviceIs(device)
    if (what !== undefined) {
      const sentence = `Device ${device.deviceId} is ${what} and can't be shut off.`
      for (const rule of rulesOf(device)) if (rule !== forUnknown) failed.set(rule, sentence)
      // Without an entry of its own it would be held as an unknown one.
      free.push(device.mac ?? device.deviceId)
      spared.set(device.deviceId, sentence)
      return []
    }
    // An address of a protected machine is never matched as a device's, though it says that it has it.
    const ips = device.ips.filter((ip) => !list.isMachine(ip))
    const matches = admitMatches(device.matches, true, list, failed)
    const { level, ...rest } = device
    const held = level !== undefined && levels.has(level.level)
    if (level !== undefined && !held) failed.set(level.ruleId, cannot(level.level))
    return [{ ...rest, ips, matches, ...(held ? { level } : {}) }]
  })
  const everyone = admitMatches(desired.everyone, false, list, failed)
  const admitted = (unknown: Desired['unknown']): Admitted => {
    const known = unknown && { ...unknown, free: [...unknown.free, ...free] }
    return { desired: { devices, everyone, unknown: known }, failed, spared }
  }
  const { unknown } = desired
  if (unknown?.level === undefined || levels.has(unknown.level.level)) return admitted(unknown)
  failed.set(unknown.level.ruleId, cannot(unknown.level.level))
  return admitted({ free: unknown.free })
}
