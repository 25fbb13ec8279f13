// Which of what was dropped, which held first packets, and which incidents a node lets through.
import type { Blocked, Connection, Incident } from '../protocol/act.ts'
import type { FlowFilter } from './filter.ts'
import { deviceSet, flowTest } from './filter.ts'
import { entriesOf } from './match.ts'

/** What a node of blocked traffic filters by; absent or empty lets all through. */
export interface BlockedFilter {
  /** Ids or MACs. */
  devices?: unknown
  /** Ids of rules. */
  rule?: unknown
  /** What did it: `full`, `block`, `dns`, … */
  cause?: unknown
}

/** What a node of incidents filters by; absent or empty lets all through. */
export interface IncidentFilter {
  /** Ids or MACs. */
  devices?: unknown
  /** Kinds of incident. */
  kinds?: unknown
  /** The least severity: `info`, `low`, `medium` or `high`. */
  severity?: unknown
}

export const BLOCKED_FILTER_KEYS = ['devices', 'rule', 'cause'] as const
export const INCIDENT_FILTER_KEYS = ['devices', 'kinds', 'severity'] as const

/** What a node of held first packets filters by: as traffic, but nothing has been sent yet. */
export const CONNECTION_FILTER_KEYS = ['devices', 'direction', 'remote', 'port'] as const

const SEVERITIES = ['info', 'low', 'medium', 'high'] as const

/** Compiles `filter`. Throws an Error that says which entry is wrong. */
export function blockedTest(filter: BlockedFilter): (blocked: Blocked) => boolean {
  const devices = deviceSet(filter.devices)
  const rules = new Set(entriesOf(filter.rule, 'rule'))
  const causes = new Set(entriesOf(filter.cause, 'cause'))
  return (blocked) =>
    (devices.size === 0 || devices.has(blocked.device_id)) &&
    (rules.size === 0 || (blocked.rule_id !== undefined && rules.has(blocked.rule_id))) &&
    (causes.size === 0 || causes.has(blocked.cause))
}

/** Compiles `filter`. Throws an Error that says which entry is wrong. */
export function incidentTest(filter: IncidentFilter): (incident: Incident) => boolean {
  const devices = deviceSet(filter.devices)
  const kinds = new Set<string>(entriesOf(filter.kinds, 'kinds'))
  const from = (SEVERITIES as readonly unknown[]).indexOf(filter.severity || 'info')
  if (from < 0) throw new Error(`severity must be one of ${SEVERITIES.join(', ')}`)
  return (incident) =>
    (devices.size === 0 || devices.has(incident.device_id)) &&
    (kinds.size === 0 || kinds.has(incident.kind)) &&
    SEVERITIES.indexOf(incident.severity) >= from
}

/** Compiles `filter`. Throws an Error that says which entry is wrong. */
export function connectionTest(filter: FlowFilter): (connection: Connection) => boolean {
  const test = flowTest(filter)
  return (connection) => test(connection)
}
