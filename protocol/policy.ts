// What is ordered: rules, groups, schedules, and the journal of every change. What the kernel has of it is in `DevicePolicy`.

/**
 * How far a device is shut off.
 * `observe`: nothing is closed, an incident is raised. `internet_only`: no device of the home but Home Assistant and chosen
 * controllers, which may begin. `local_only`: no internet. `full`: nothing but DHCP, ARP, ND and RA.
 */
export type Level = 'observe' | 'internet_only' | 'local_only' | 'full'

/** The levels, from the mildest to the strictest. */
export const LEVELS = ['observe', 'internet_only', 'local_only', 'full'] as const

/**
 * What a device is held to besides levels and blocks.
 * `allow_list`: it reaches only what `allow` rules name. `no_dns_no_connect`: only addresses that it resolved before.
 * `no_encrypted_dns`: no DoT (RFC 7858), DoQ (RFC 9250) or known DoH resolver, and the canary name is answered NXDOMAIN.
 * `ask`: the first packet of each new connection waits for a verdict.
 */
export type Restriction = 'allow_list' | 'no_dns_no_connect' | 'no_encrypted_dns' | 'ask'

/** Whom a rule is about: exactly one key. */
export type Subject =
  /** Id of a device. */
  | { device_id: string }
  /** Id of a group. */
  | { group_id: string }
  /** Every device of the home. */
  | { everyone: true }
  /** Every device that was not accepted yet: the default policy. */
  | { new_devices: true }

/** The other side of a block or an exception. Absent keys match everything; with none at all the whole device is meant. */
export interface Match {
  /** Address or CIDR prefix, in RFC 5952 form for IPv6. */
  endpoint?: string
  /** A name and all its subdomains: lower-case ASCII (A-label), without a dot at the end. */
  domain?: string
  /** `tcp`, `udp`, `icmp`, `icmpv6` or a protocol number (IANA). */
  protocol?: 'tcp' | 'udp' | 'icmp' | 'icmpv6' | number
  /** Port of the remote side; only with `tcp` or `udp`. */
  port?: number
  /** With `port`: the last port of a range. */
  port_to?: number
}

/** A span of every week. Ends before it begins: over midnight. Times are the clock on the wall of `Schedule.time_zone`. */
export interface Window {
  /** Days on which the window begins: 1 (Monday) to 7 (Sunday), ISO 8601. */
  days: number[]
  /** `HH:MM`. */
  from: string
  /** `HH:MM`; the same as `from`: the whole day. */
  to: string
}

/** When a rule holds. */
export interface Schedule {
  /** IANA name, such as `Europe/Amsterdam`. */
  time_zone: string
  /** At most 32. */
  windows: Window[]
}

/** Who ordered something. */
export interface Actor {
  kind: 'person' | 'flow' | 'automation' | 'detector' | 'system'
  /** As they call themselves; text from outside. */
  name?: string
  via: 'http' | 'socket' | 'mqtt' | 'detector' | 'timer' | 'file'
}

/** One order that stands. */
export interface Rule {
  /** Unique per agent for ever. */
  id: string
  action: 'block' | 'allow' | 'quarantine' | 'restrict'
  subject: Subject
  /** For `block` and `allow`. */
  match?: Match
  /** For `quarantine`. */
  level?: Level
  /** For `restrict`. */
  restriction?: Restriction
  /** Holds only in these windows. */
  schedule?: Schedule
  /** When it ends, by the clock on the wall as it is now; the box keeps it on boot time. */
  until_ms?: number
  /** Released when no new evidence came for so long. */
  probation_s?: number
  /** Rolled back at this time unless confirmed. */
  confirm_until_ms?: number
  reason: string
  actor: Actor
  created_ms: number
}

/** What the kernel does with a rule. */
export type RuleState =
  /** The kernel has it. */
  | 'active'
  /** Outside its windows, or about a group without members. */
  | 'idle'
  /** The kernel does not have it, though it should; `reason` says why. */
  | 'failed'

/** A rule, and what the kernel has of it. */
export interface RuleView extends Rule {
  state: RuleState
  /** One sentence, for `failed` and `idle`. */
  state_reason?: string
  /** Packets dropped by it since the agent started; absent where it is not counted. */
  dropped_packets?: number
}

/** Devices that are ordered about together. */
export interface Group {
  /** `[a-z0-9_-]{1,32}` */
  id: string
  name: string
  device_ids: string[]
  /** Members that leave again at `confirm_until_ms` unless the change with which they came is confirmed. */
  joining?: string[]
  confirm_until_ms?: number
}

/** What holds for a device: what is ordered, and what the kernel has. They differ for moments, or where something failed. */
export interface DevicePolicy {
  /** False: nobody has accepted this device, the default policy holds. */
  accepted: boolean
  /** What is ordered; absent: not quarantined. */
  desired_level?: Level
  /** What the kernel has, read back; absent: not quarantined. The strictest where there are several. */
  level?: Level
  /** A level that the kernel holds at once and that closes what `level` leaves open: `internet_only` beside `local_only`. */
  also_level?: Level
  /** When the level ends, by the clock on the wall. */
  level_until_ms?: number
  /** Why, in the words of who ordered it. */
  level_reason?: string
  /** The rule that says so: the strictest, and of those the one that lasts longest. */
  level_rule_id?: string
  /** Ids of the block and allow rules that hold for it, at most 100. */
  rules: string[]
  /** How many further ones there are. */
  more_rules?: number
  restrictions: Restriction[]
  /** The kernel has exactly what is ordered. */
  in_force: boolean
  /** Why not, in one sentence. */
  problem?: string
  /** What is left open here though ordered, such as IPv6 that goes round a one-armed gateway. */
  uncovered?: string
}

/** One change, and how it is undone. */
export interface JournalEntry {
  /** Counts from 1; never used again. */
  seq: number
  time_ms: number
  actor: Actor
  /** The method that was called, such as `quarantine`; `expire`, `roll-back` for what the box did itself. */
  verb: string
  /** One English sentence. */
  sentence: string
  reason: string
  /** Rules that came and that went; undoing swaps them. */
  added: Rule[]
  removed: Rule[]
  groups_before?: Group[]
  groups_after?: Group[]
  accepted?: { device_id: string; before: boolean; after: boolean }[]
  /** The entry that took this one back. */
  undone_by?: number
  /** The entry that this one took back. */
  undoes?: number
}
