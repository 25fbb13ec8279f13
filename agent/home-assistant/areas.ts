// Where Homespin's devices are in Home Assistant: in the area of what else Home Assistant knows by the same MAC, as long as no
// person has put them elsewhere. Pure: the registry's answer in, what is to be set out.
import { identifierOf } from '../../protocol/home-assistant.ts'
import { DEVICE_ID } from '../../protocol/topics.ts'
import type { Entry } from './registry-facts.ts'
import { entriesOf, isHomespins, macsOf } from './registry-facts.ts'

/** One device of ours whose area is to be set. */
export interface AreaChange {
  /** Homespin's id. */
  deviceId: string
  /** The registry's id of it. */
  registryId: string
  areaId: string
}

/**
 * What is to be set. `setBefore`: the area that was set of a device the last time; undefined: none ever was. One that has
 * another now, or none any more, was moved by a person, and stays where it is.
 */
export function areaChanges(
  devices: unknown,
  agent: string,
  setBefore: (deviceId: string) => string | undefined,
): AreaChange[] {
  const entries = entriesOf(devices)
  const areaOfMac = new Map<number, string>()
  for (const entry of entries) {
    const { area_id, identifiers, connections } = entry
    if (typeof area_id !== 'string' || isHomespins(identifiers)) continue
    for (const mac of macsOf(connections)) if (!areaOfMac.has(mac)) areaOfMac.set(mac, area_id)
  }
  return entries.flatMap((entry) => {
    const { id, area_id } = entry
    const deviceId = ourId(entry, agent)
    const areaId = macsOf(entry.connections)
      .map((mac) => areaOfMac.get(mac))
      .find((area) => area !== undefined)
    if (deviceId === undefined || areaId === undefined || typeof id !== 'string') return []
    const isOurs = (area_id ?? undefined) === setBefore(deviceId)
    return isOurs && area_id !== areaId ? [{ deviceId, registryId: id, areaId }] : []
  })
}

/** Homespin's id of a device of this agent. */
function ourId({ identifiers }: Entry, agent: string): string | undefined {
  const begin = identifierOf(agent, '')
  for (const pair of Array.isArray(identifiers) ? identifiers : []) {
    if (!Array.isArray(pair) || pair[0] !== 'mqtt' || typeof pair[1] !== 'string') continue
    const id = pair[1].startsWith(begin) ? pair[1].slice(begin.length) : ''
    if (DEVICE_ID.test(id)) return id
  }
  return undefined
}
