// What the agent answers over HTTP: REST below `api/`, one live feed. URLs are relative, so that a proxy may prefix them.
// GET api/info → Info · GET api/devices → DeviceList · GET api/flows → FlowList · GET api/history → History
// GET api/history/remotes → RemoteList · GET api/live → server-sent events, see LiveEvents.
import type { BlockedBatch, Connection, Incident } from './act.ts'
import type { AgentEvent, Device, Dns, Flow, Info } from './messages.ts'
import type { Group, JournalEntry, Level, RuleView } from './policy.ts'

/** Why a request was refused, with a 4xx or 5xx status. */
export interface HttpError {
  error: { code: string; message: string }
}

/** A device with its rates over the last interval. */
export interface DeviceRate {
  device_id: string
  /** Bytes per second. */
  sent_rate: number
  /** Bytes per second. */
  received_rate: number
}

export interface DeviceList {
  devices: Device[]
  rates: DeviceRate[]
}

/** `GET api/flows?device=ID&limit=N`: the live flows, most recently changed first (limit 1–5000, default 500). */
export interface FlowList {
  flows: Flow[]
  /** How many there are without the limit. */
  total: number
}

export type Resolution = 'minute' | 'hour' | 'day'

/** One bucket of history. */
export interface HistoryPoint {
  /** When the bucket begins. */
  time_ms: number
  sent_bytes: number
  received_bytes: number
  /** False where packets were lost, or where the agent ran for only a part of the bucket. */
  complete: boolean
}

/**
 * `GET api/history?device=ID&resolution=minute|hour|day&from_ms=&to_ms=`: traffic over time, of one device or of all.
 * A bucket that is absent is one without data (the agent did not run, or it is older than what is kept), never zero;
 * a bucket with zeros is silence that was observed.
 */
export interface History {
  resolution: Resolution
  device_id?: string
  from_ms: number
  to_ms: number
  points: HistoryPoint[]
  /** How far back each resolution goes, absent where there is none yet. */
  kept_from_ms: { minute?: number; hour?: number; day?: number }
}

/** One remote of a device over a span of time. */
export interface RemoteTotal {
  device_id: string
  /** Name, else address of the remote; absent for the sum of all that were not among the top 200 of their period. */
  remote?: string
  sent_bytes: number
  received_bytes: number
}

/** `GET api/history/remotes?device=ID&resolution=&from_ms=&to_ms=&limit=N`: most bytes first (limit 1–1000, default 50). */
export interface RemoteList {
  remotes: RemoteTotal[]
}

/** `GET api/rules`: every order that stands, oldest first. */
export interface RuleList {
  rules: RuleView[]
}

/** `GET api/groups` */
export interface GroupList {
  groups: Group[]
}

/** `GET api/journal?before=SEQ&limit=N`: the latest change first (limit 1–1000, default 50). */
export interface JournalList {
  entries: JournalEntry[]
  /** How many there are. */
  total: number
}

/** `GET api/incidents?device=ID&state=open|closed&limit=N`: the latest first (limit 1–1000, default 100). */
export interface IncidentList {
  incidents: Incident[]
}

/** How much is too much: `reverse_firewall` of the configuration, or of one device or group where it has its own. */
export interface LimitView {
  device_id?: string
  group_id?: string
  /** New connections in the window. */
  connections?: number
  /** Different remotes in the window. */
  remotes?: number
  window_s?: number
  policy?: 'notify' | 'ask' | 'quarantine'
  level?: Level
  for_s?: number
}

/** `GET api/limits` */
export interface LimitList {
  /** For all that have none of their own. */
  all: LimitView
  /** Of devices and groups; what is absent is as for all. */
  exceptions: LimitView[]
}

/** Named server-sent events of `GET api/live`; each `data` is JSON. The first ones are `info` and `devices`. */
export interface LiveEvents {
  info: Info
  devices: DeviceList
  /**
   * At least once a second while flows change, most bytes first; `changed` is how many did. At most 1000 in one event, and 250
   * where 4096 and more changed, as there are then several in a second.
   */
  flows: { flows: Flow[]; changed: number; complete: boolean; to_ms: number }
  /** DNS queries of the same time, where there were any: at most 250; `asked` is how many there were. */
  dns: { dns: Dns[]; asked: number; to_ms: number }
  /** Once a second. */
  rates: { rates: DeviceRate[]; to_ms: number }
  device: Device
  event: AgentEvent
  /** Whole, whenever a rule or its state changes; also at the start. */
  rules: RuleList
  /** Whole, whenever a group changes; also at the start. */
  groups: GroupList
  journal: JournalEntry
  /** Open ones also at the start. */
  incident: Incident
  blocked: BlockedBatch
  connection: Connection
}
