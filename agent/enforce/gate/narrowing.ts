// What a change of orders takes back from devices: connections that go on by their mark, and addresses in the kernel's sets that an
// earlier run of this program learned, of which nobody knows the names.
import type { Desired, DesiredDevice, DesiredMatch } from '../../policy/desired.ts'

/** Devices, and everybody. */
export interface Whose {
  devices: readonly DesiredDevice[]
  everyone: boolean
}

function namesOf(matches: readonly DesiredMatch[], action: DesiredMatch['action']): string[] {
  return matches.flatMap((match) =>
    match.action === action && match.domain !== undefined ? [match.domain] : [],
  )
}

/** Whether each of these names is in the other list, or below one that is. */
function covers(names: readonly string[], by: readonly string[]): boolean {
  const domains = new Set(by)
  return names.every((name) => {
    for (let rest = name; ; ) {
      if (domains.has(rest)) return true
      const dot = rest.indexOf('.')
      if (dot < 0) return false
      rest = rest.slice(dot + 1)
    }
  })
}

function allowedNames({ matches }: DesiredDevice, { everyone }: Desired): string[] {
  return namesOf([...matches, ...everyone], 'allow')
}

/** Whether a device reaches only what its names say. */
export function isClosed({ restrictions }: DesiredDevice): boolean {
  return restrictions.allow_list !== undefined || restrictions.no_dns_no_connect !== undefined
}

/** Whether something that a device reached because of names it may reach no more. */
function isNarrower(earlier: DesiredDevice | undefined, before: Desired) {
  return (device: DesiredDevice, after: Desired): boolean => {
    const listed = device.restrictions.allow_list !== undefined
    if (listed && earlier?.restrictions.allow_list === undefined) return true
    if (isClosed(device) && (earlier === undefined || !isClosed(earlier))) return true
    return (
      earlier !== undefined && !covers(allowedNames(earlier, before), allowedNames(device, after))
    )
  }
}

/** Of whom some names are allowed no more, or all others closed. */
export function narrowed(before: Desired, after: Desired): Whose {
  const had = new Map(before.devices.map((device) => [device.deviceId, device]))
  return {
    devices: after.devices.filter((device) =>
      isNarrower(had.get(device.deviceId), before)(device, after),
    ),
    everyone: !covers(namesOf(before.everyone, 'allow'), namesOf(after.everyone, 'allow')),
  }
}

/**
 * Of these the devices on an allow list: connections that they have begun may be on it no more. What `no_dns_no_connect` alone
 * closes was resolved, however it was begun.
 */
export function onLists({ devices }: Whose): DesiredDevice[] {
  return devices.filter(({ restrictions }) => restrictions.allow_list !== undefined)
}

/** Of whom no name is blocked any more. As long as one is, what is shut may be its address. */
export function unblocked(before: Desired, after: Desired): Whose {
  const has = (matches: readonly DesiredMatch[]): boolean => namesOf(matches, 'block').length > 0
  const had = new Set(before.devices.flatMap((one) => (has(one.matches) ? [one.deviceId] : [])))
  return {
    devices: after.devices.filter(({ deviceId, matches }) => had.has(deviceId) && !has(matches)),
    everyone: has(before.everyone) && !has(after.everyone),
  }
}
