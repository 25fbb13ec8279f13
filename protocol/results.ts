// What each method answers: the `result` of a response by MQTT and of JSON-RPC, the body over HTTP.
import type { Incident } from './act.ts'
import type {
  DeviceList,
  FlowList,
  GroupList,
  History,
  IncidentList,
  JournalList,
  LimitList,
  LimitView,
  RemoteList,
  RuleList,
} from './http.ts'
import type { Info } from './messages.ts'
import type { DevicePolicy, Group, RuleView } from './policy.ts'

/** What stands after an order. */
export interface Ordered {
  rules: RuleView[]
  /** Of the devices that it is about (at most 100). */
  policies: Record<string, DevicePolicy>
  /** Those that changed, as they are now; some of their members may have to be confirmed. */
  groups?: Group[]
  /** Absent where nothing changed. */
  journal_seq?: number
  /** The kernel has it, but the disk did not take it: why, in one sentence. It is tried again. */
  not_stored?: string
  /** After `release`, `unblock` and `unrestrict`: what still holds those that were to be opened, and what to do, in one sentence. */
  still_held?: string
}

/** A first packet was decided about. */
export interface VerdictGiven {
  connection: string
  verdict: 'accept' | 'drop'
}

/** A device and its name; empty: its own again. */
export interface DeviceNamed {
  device_id: string
  name: string
}

export interface DeviceForgotten {
  device_id: string
}

/** How long a pause of a device lasts that says nothing. */
export interface PauseMinutes {
  device_id: string
  minutes: number
}

/** `limits-set` */
export interface LimitExceptionList {
  exceptions: LimitView[]
}

/** A blueprint that Home Assistant has now. */
export interface BlueprintInstalled {
  /** Below its folder `blueprints/automation`. */
  path: string
  name: string
  /** One of this path was there before. */
  replaced: boolean
}

export interface BlueprintList {
  blueprints: BlueprintInstalled[]
}

/** Every type that a method answers, by its name. */
export interface Results {
  Info: Info
  DeviceList: DeviceList
  FlowList: FlowList
  History: History
  RemoteList: RemoteList
  RuleList: RuleList
  GroupList: GroupList
  JournalList: JournalList
  IncidentList: IncidentList
  Incident: Incident
  Ordered: Ordered
  VerdictGiven: VerdictGiven
  DeviceNamed: DeviceNamed
  DeviceForgotten: DeviceForgotten
  PauseMinutes: PauseMinutes
  LimitList: LimitList
  LimitExceptionList: LimitExceptionList
  BlueprintList: BlueprintList
}
