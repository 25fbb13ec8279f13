// What happens to traffic because of rules: what was dropped, what waits for a verdict, and what was found suspicious.
import type { Direction, Endpoint } from './messages.ts'
import type { Level } from './policy.ts'

/** What one rule dropped of one device in one interval. */
export interface Blocked {
  device_id: string
  /** Absent where several devices' packets count together. */
  rule_id?: string
  /** What did it: a level, a block, a missing name, the end of a list. */
  cause:
    | Level
    | 'block'
    | 'allow_list'
    | 'no_dns_no_connect'
    | 'no_encrypted_dns'
    | 'verdict'
    | 'dns'
  /** Address or name of the other side, where it is known. */
  remote?: string
  /** From the device, or to it. */
  direction: 'from_device' | 'to_device'
  packets: number
  bytes: number
}

/** Published under `blocked`, at most once a second, at most 64 KiB. */
export interface BlockedBatch {
  type: 'blocked_batch'
  seq: number
  from_ms: number
  to_ms: number
  blocked: Blocked[]
}

/** Published under `connection`: a first packet that waits. Answer with the method `verdict` before `deadline_ms`. */
export interface Connection {
  type: 'connection'
  /** Answer with this id. */
  id: string
  device_id: string
  direction: Direction
  protocol: string
  originator: Endpoint
  responder: Endpoint
  remote_name?: string
  service?: string
  asked_ms: number
  deadline_ms: number
  /** What is done when nobody answers. */
  default: 'accept' | 'drop'
}

/** Kinds of `Incident`. */
export const INCIDENT_KINDS = [
  'connection_rate',
  'horizontal_scan',
  'vertical_scan',
  'flood',
  'brute_force',
  'propagation',
  'beacon',
  'dns_tunnel',
  'dga',
  'exfiltration',
  'new_remote',
  'direct_ip',
  'insecure_service',
  'arp_spoof',
  'rogue_dhcp',
  'rogue_ra',
  'rogue_gateway',
  'threat_list',
  'mud_violation',
  'anomaly',
] as const
export type IncidentKind = (typeof INCIDENT_KINDS)[number]

/** One observation that speaks for an incident. */
export interface Evidence {
  /** What was counted, such as `connections`. */
  what: string
  observed: number
  /** What is usual for this device; absent where nothing was learned. */
  usual?: number
  /** 0: none, it is only told. */
  /** 0: there is none, it is only told. */
  threshold: number
  /** Its share in the decision, 0 to 1. */
  weight: number
  /** At most 20. */
  flow_ids: string[]
}

/** Something that a device did and should not have done. */
export interface Incident {
  type: 'incident'
  id: string
  device_id: string
  mac?: string
  ips: string[]
  kind: IncidentKind
  severity: 'info' | 'low' | 'medium' | 'high'
  state: 'open' | 'closed'
  opened_ms: number
  /** When evidence came last. */
  last_ms: number
  closed_ms?: number
  closed_by?: 'person' | 'quiet' | 'released'
  sentence: string
  /** What the sentence is made of: numbers and words by name, for other languages. */
  params: Record<string, string | number>
  evidence: Evidence[]
  /** What was done about it, if anything. */
  action?: { level: Level; rule_id: string }
  /** What was to be done, and why it was not. */
  action_failed?: string
  /** What is proposed to the person: the policy is `ask`. */
  asks?: { level: Level; for_s: number }
}
