// How much is too much: the reverse firewall's limits, for all, for a group, for one device.
import type { Level } from '../../protocol/policy.ts'

/** What is done when a device goes over its limits. */
export type DetectPolicy = 'notify' | 'ask' | 'quarantine'

export interface Limits {
  /** New connections within the window. */
  connections: number
  /** Different remote addresses within the window. */
  remotes: number
  /** Seconds, 1 to 600. */
  windowS: number
  policy: DetectPolicy
  /** For `ask` and `quarantine`. */
  level: Level
  forS: number
}

/** Whose limits differ from those for all, by device id and by group id. Absent keys are as for all. */
export interface LimitExceptions {
  devices: ReadonlyMap<string, Partial<Limits>>
  groups: ReadonlyMap<string, Partial<Limits>>
}

/** The limits of a device: its own, else those of the strictest of its groups, else those for all; key by key. */
export function limitsOf(
  deviceId: string,
  groupIds: readonly string[],
  all: Limits,
  exceptions: LimitExceptions,
): Limits {
  const ofGroups = groupIds
    .flatMap((id) => exceptions.groups.get(id) ?? [])
    .sort((a, b) => (b.connections ?? all.connections) - (a.connections ?? all.connections))
  return Object.assign({}, all, ...ofGroups, exceptions.devices.get(deviceId))
}
