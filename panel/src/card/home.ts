// Which devices of Home Assistant's registry are Homespin's, and which of their entities is what. Pure.
import type { AgentEntityKey, DeviceEntityKey } from '../../../protocol/home-assistant.ts'
import { AGENT_ID } from '../../../protocol/topics.ts'
import type { Hass, HassDevice } from './hass.ts'

/** The entities of a device that the card reads, by the keys that their unique ids end in. */
export const DEVICE_KEYS = [
  'internet',
  'quarantine',
  'pause_minutes',
  'pause',
  'downloaded',
  'connected',
  'anomaly',
  'last_incident',
] as const satisfies readonly DeviceEntityKey[]
export type DeviceKey = (typeof DEVICE_KEYS)[number]

/** Those of an agent. */
const AGENT_KEYS = ['status', 'problem'] as const satisfies readonly AgentEntityKey[]
export type AgentKey = (typeof AGENT_KEYS)[number]

/** A device of the home, or an agent, in Home Assistant's registry. */
export interface Registered<Key extends string> {
  /** The registry's id. */
  registry_id: string
  /** Homespin's id of the agent. */
  agent: string
  /** As the person or the network named it. */
  name: string
  /** Ids of those entities that are there and enabled. */
  entities: Partial<Record<Key, string>>
}

export interface HomeDevice extends Registered<DeviceKey> {
  /** Homespin's id of the device. */
  id: string
}

/** What of Homespin is in the registry. */
export interface Home {
  agents: Registered<AgentKey>[]
  devices: HomeDevice[]
}

const DEVICE = /^homespin_([a-z0-9_-]{1,32})_([0-9a-f]{12}|[0-9a-f]{16})$/

/** The ids of all entities that belong to a device of Homespin's. */
export function ourEntityIds({ devices, entities }: Pick<Hass, 'devices' | 'entities'>): string[] {
  const ours = new Set<string>()
  for (const device of Object.values(devices)) {
    if (identifierOf(device) !== undefined) ours.add(device.id)
  }
  return Object.values(entities)
    .filter(({ device_id }) => device_id !== undefined && ours.has(device_id))
    .map(({ entity_id }) => entity_id)
    .sort()
}

/** The home, from the registry; `uniqueIds` by entity id. */
export function homeOf(
  { devices, entities }: Pick<Hass, 'devices' | 'entities'>,
  uniqueIds: ReadonlyMap<string, string>,
): Home {
  const byDevice = new Map<string, Map<string, string>>()
  for (const { entity_id, device_id } of Object.values(entities)) {
    const unique = uniqueIds.get(entity_id)
    if (device_id === undefined || unique === undefined) continue
    const own = byDevice.get(device_id) ?? new Map<string, string>()
    own.set(unique, entity_id)
    byDevice.set(device_id, own)
  }
  const home: Home = { agents: [], devices: [] }
  for (const device of Object.values(devices)) {
    const identifier = identifierOf(device)
    if (identifier === undefined) continue
    const own = byDevice.get(device.id) ?? new Map<string, string>()
    const found = device.via_device_id === null ? null : DEVICE.exec(identifier)
    const common = { registry_id: device.id, name: device.name_by_user ?? device.name ?? '' }
    if (found?.[1] !== undefined && found[2] !== undefined) {
      const [, agent, id] = found
      const of = entitiesOf(DEVICE_KEYS, identifier, own)
      home.devices.push({ ...common, agent, id, entities: of })
    } else {
      const agent = identifier.slice('homespin_'.length)
      if (!AGENT_ID.test(agent)) continue
      home.agents.push({ ...common, agent, entities: entitiesOf(AGENT_KEYS, identifier, own) })
    }
  }
  return home
}

/** Whether a registered device is one that Homespin watches. */
export function isOurDevice(device: HassDevice | undefined): boolean {
  if (device === undefined || device.via_device_id === null) return false
  return DEVICE.test(identifierOf(device) ?? '')
}

function identifierOf({ identifiers, disabled_by }: HassDevice): string | undefined {
  if ((disabled_by ?? null) !== null) return undefined
  return identifiers.find(([domain, id]) => domain === 'mqtt' && id.startsWith('homespin_'))?.[1]
}

function entitiesOf<Key extends string>(
  keys: readonly Key[],
  identifier: string,
  own: ReadonlyMap<string, string>,
): Partial<Record<Key, string>> {
  const entities: Partial<Record<Key, string>> = {}
  for (const key of keys) {
    const entity = own.get(`${identifier}_${key}`)
    if (entity !== undefined) entities[key] = entity
  }
  return entities
}
