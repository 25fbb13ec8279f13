// The last look at what is desired before it becomes elements: whatever way it came here, nothing protected goes on to the
// kernel, nor what this place can't hold.
import type { Level } from '../../../protocol/policy.ts'
import type { Desired, DesiredDevice, DesiredLevel, DesiredMatch } from '../../policy/desired.ts'
import { levelsOf } from '../../policy/desired.ts'
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

function rulesOf(device: DesiredDevice): string[] {
  return [
    ...levelsOf(device).map(({ ruleId }) => ruleId),
    ...Object.values(device.restrictions).map(({ ruleId }) => ruleId),
    ...device.matches.map(({ ruleId }) => ruleId),
  ]
}

/** Every rule that it names. */
export function rulesOfDesired({ devices, everyone, unknown }: Desired): string[] {
  return [
    ...devices.flatMap(rulesOf),
    ...everyone.map(({ ruleId }) => ruleId),
    ...levelsOf(unknown ?? {}).map(({ ruleId }) => ruleId),
  ]
}

/** Lets through what may be written. `levels`: those that can be held here. */
export function admit(desired: Desired, list: ProtectedList, levels: ReadonlySet<Level>): Admitted {
  const failed = new Map<string, string>()
  const spared = new Map<string, string>()
  const free: string[] = []
  const forUnknown = new Set(levelsOf(desired.unknown ?? {}).map(({ ruleId }) => ruleId))
  /** Those of its levels that can be held here. */
  const admitLevels = (
    of: Pick<DesiredDevice, 'level' | 'further'>,
  ): Pick<DesiredDevice, 'level' | 'further'> => {
    const held: DesiredLevel[] = []
    for (const one of levelsOf(of)) {
      if (levels.has(one.level)) held.push(one)
      else failed.set(one.ruleId, `Level ${one.level} can't be held here.`)
    }
    const [level, ...further] = held
    if (level === undefined) return {}
    return further.length === 0 ? { level } : { level, further }
  }
  const devices = desired.devices.flatMap((device): DesiredDevice[] => {
    const what = list.deviceIs(device)
    if (what !== undefined) {
      const sentence = `Device ${device.deviceId} is ${what} and can't be shut off.`
      for (const rule of rulesOf(device)) if (!forUnknown.has(rule)) failed.set(rule, sentence)
      // Without an entry of its own it would be held as an unknown one.
      free.push(device.mac ?? device.deviceId)
      spared.set(device.deviceId, sentence)
      return []
    }
    // An address of a protected machine is never matched as a device's, though it says that it has it.
    const ips = device.ips.filter((ip) => !list.isMachine(ip))
    const matches = admitMatches(device.matches, true, list, failed)
    const { level: _, further: __, ...rest } = device
    return [{ ...rest, ips, matches, ...admitLevels(device) }]
  })
  const everyone = admitMatches(desired.everyone, false, list, failed)
  const unknown = desired.unknown && {
    ...admitLevels(desired.unknown),
    free: [...desired.unknown.free, ...free],
  }
  return { desired: { devices, everyone, unknown }, failed, spared }
}
