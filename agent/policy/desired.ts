// What the kernel shall hold at this moment: made by policy/ out of rules, groups, schedules and the clock; carried out by
// enforce/. Plain data; times are milliseconds of CLOCK_BOOTTIME, so that no step of the clock on the wall moves an end.
import type { Level, Restriction } from '../../protocol/policy.ts'

/** One level, and the rule that says so. */
export interface DesiredLevel {
  level: Level
  ruleId: string
  /** The kernel lets go by itself then. */
  untilBootMs?: number
}

/** One block or exception of one device, or of all. */
export interface DesiredMatch {
  ruleId: string
  action: 'block' | 'allow'
  /** A prefix in CIDR notation, /32 or /128 for one address. Absent with `domain` or `protocol` alone. */
  prefix?: string
  /** With all subdomains; lower-case A-label. */
  domain?: string
  /** IANA number; `icmp` is 1, `icmpv6` 58. */
  protocol?: number
  /** Ports of the remote side, both included. */
  ports?: readonly [from: number, to: number]
  /** The kernel lets go by itself then. */
  untilBootMs?: number
}

/** All that holds for one device. */
export interface DesiredDevice {
  deviceId: string
  /** Matched by it; absent for a device known by addresses alone and for one whose MAC is shared. */
  mac?: string
  /** Its addresses: matched where there is no MAC, and needed where only addresses are seen. */
  ips: readonly string[]
  /** The strictest. */
  level?: DesiredLevel
  /** What holds besides: `internet_only` beside `local_only` (then neither is open), and what outlasts a stricter one. */
  further?: readonly DesiredLevel[]
  /** Each with the rule that says so. */
  restrictions: Partial<Record<Restriction, { ruleId: string; untilBootMs?: number }>>
  matches: readonly DesiredMatch[]
}

/** Everything. A device without an entry is free. */
export interface Desired {
  devices: readonly DesiredDevice[]
  /** Blocks and exceptions for the whole home. */
  everyone: readonly DesiredMatch[]
  /**
   * What holds for every device of the home that is not listed in `devices` or `free`: the default policy for devices that
   * nobody knows yet, so that not even the first packet of a new MAC passes. `free` holds MACs as 12 hex digits (as ids of
   * devices are); shared MACs are among them, since they can't be held by MAC.
   */
  unknown:
    | { level?: DesiredLevel; further?: readonly DesiredLevel[]; free: readonly string[] }
    | undefined
}

/** All that closes a device, or those that nobody knows, the strictest first. */
export function levelsOf({
  level,
  further = [],
}: Pick<DesiredDevice, 'level' | 'further'>): readonly DesiredLevel[] {
  return level === undefined ? [] : [level, ...further]
}

/** Nothing is ordered. */
export const NOTHING: Desired = { devices: [], everyone: [], unknown: undefined }
