// What Homespin is in Home Assistant: identifiers of its devices, keys of their entities, and topics of MQTT discovery.

/** The discovery prefix that Home Assistant has unless told otherwise. */
export const DISCOVERY_PREFIX = 'homeassistant'

/** The entities of a device, by key: `unique_id` is `<identifier>_<key>`, the value is their platform. */
export const DEVICE_ENTITIES = {
  internet: 'switch',
  quarantine: 'select',
  pause_minutes: 'number',
  pause: 'button',
  downloaded: 'sensor',
  uploaded: 'sensor',
  download_rate: 'sensor',
  upload_rate: 'sensor',
  connected: 'binary_sensor',
  anomaly: 'binary_sensor',
  last_incident: 'sensor',
  detection: 'event',
  forget: 'button',
} as const
export type DeviceEntityKey = keyof typeof DEVICE_ENTITIES

/** Those that are enabled without anybody's doing: what most homes look at, and what the recorder keeps rows of. */
export const ENABLED_ENTITIES: readonly DeviceEntityKey[] = [
  'internet',
  'quarantine',
  'pause_minutes',
  'pause',
  'downloaded',
  'uploaded',
  'anomaly',
  'last_incident',
  'detection',
]

/** The entities of the agent, by key. */
export const AGENT_ENTITIES = {
  status: 'binary_sensor',
  visibility: 'sensor',
  devices: 'sensor',
  loss: 'sensor',
  problem: 'binary_sensor',
  release_all: 'button',
  default_policy: 'select',
  new_device: 'event',
} as const
export type AgentEntityKey = keyof typeof AGENT_ENTITIES

/** Options of the sensor `visibility`: where traffic is seen. */
export const VISIBILITIES = [
  'host',
  'broadcast',
  'mirror',
  'bridge',
  'gateway_one_armed',
  'gateway_two_armed',
  'remote',
  'file',
] as const
export type Visibility = (typeof VISIBILITIES)[number]

/** The option of a select of levels that means no level. Not `none`: that is how Home Assistant's MQTT says unknown. */
export const OPEN = 'open'

/** How many remotes and points of history the attributes of `downloaded` have at most. */
export const MAX_TOP_REMOTES = 10
export const MAX_HISTORY_POINTS = 48

/** The length of one of those points. */
export const HISTORY_POINT_MS = 1_800_000

/** How long a pause may last that is set in Home Assistant, in minutes; and how long it lasts unless set. */
export const MAX_PAUSE_MINUTES = 1440
export const DEFAULT_PAUSE_MINUTES = 30

/** The identifier of an agent, or of one of its devices, in Home Assistant's device registry (domain `mqtt`). */
export function identifierOf(agent: string, deviceId?: string): string {
  return deviceId === undefined ? `homespin_${agent}` : `homespin_${agent}_${deviceId}`
}

/** Where an agent or one of its devices is announced: retained, QoS 1. */
export function discoveryTopic(prefix: string, agent: string, deviceId?: string): string {
  return `${prefix}/device/${identifierOf(agent, deviceId)}/config`
}
