// Elements that follow from the place itself, and switches: interfaces on which more than single devices are held.
import type { Desired, DesiredDevice, DesiredLevel } from '../../policy/desired.ts'
import { levelsOf } from '../../policy/desired.ts'
import { ENCRYPTED_RESOLVER_ADDRESSES } from '../gate/encrypted-resolvers.ts'
import type { Place } from '../place/place.ts'
import { disjoint } from './elements-boxes.ts'
import { addressKey, addressSpan, macText } from './elements-keys.ts'
import { machineElements, machineMacs } from './elements-machines.ts'
import { netdevInterfaces, sidesOf, TABLE } from './ruleset-sets.ts'
import type { ElementSpec, Family, SetId } from './sets.ts'

/** Never the internet, wherever the home is: link-local, multicast, broadcast, and no address yet. */
const ALWAYS_HOME = [
  ...['0.0.0.0', '169.254.0.0/16', '224.0.0.0/4', '255.255.255.255'],
  ...['::', 'fe80::/10', 'ff00::/8'],
]

function withoutOverlap(texts: readonly string[]): { version: 4 | 6; key: string }[] {
  return ([4, 6] as const).flatMap((version) => {
    const boxes = texts.flatMap((text) => {
      const address = addressSpan(text)
      if (address?.version !== version) return []
      return [{ spans: [address.span], untilBootMs: undefined, ruleIds: [] }]
    })
    return disjoint(boxes).flatMap(({ spans: [span] }) =>
      span ? [{ version, key: addressKey(span, version) }] : [],
    )
  })
}

function single(texts: readonly string[]): { version: 4 | 6; key: string }[] {
  return texts.flatMap((text) => {
    const address = addressSpan(text)
    if (!address || address.span[0] !== address.span[1]) return []
    const { version, span } = address
    return [{ version, key: addressKey(span, version) }]
  })
}

/** MACs of devices that are known, protected machines among them: an id of 12 hex digits is a MAC. */
function knownMacs({ devices, unknown }: Desired, place: Place): string[] {
  if (!unknown) return []
  const texts = [...devices.flatMap(({ mac, deviceId }) => [mac ?? deviceId]), ...unknown.free]
  return [...new Set([...texts.flatMap((text) => macText(text) ?? []), ...machineMacs(place)])]
}

/** Whether a device is judged by rules of its own. */
function isHeld({ level, restrictions, matches }: DesiredDevice): boolean {
  const { ask: _, ...others } = restrictions
  const shut = level !== undefined && level.level !== 'observe'
  return shut || matches.length > 0 || Object.keys(others).length > 0
}

/** Interfaces as a table's chains see them: in a bridge's table its ports, before a flowtable both. */
function interfacesOf(family: Family, place: Place): readonly string[] {
  if (family === 'bridge') return place.ports
  return family === 'netdev' ? netdevInterfaces(place) : place.interfaces
}

/** Why packets of devices that are not held by MAC are looked at at all. */
function generalRules({ devices, everyone, unknown }: Desired, place: Place): string[] {
  const byAddress = devices.filter(({ mac }) => mac === undefined || !place.features.egress)
  return [
    ...byAddress.flatMap((device) => [
      ...levelsOf(device).map(({ ruleId }) => ruleId),
      ...Object.values(device.restrictions).map(({ ruleId }) => ruleId),
      ...device.matches.map(({ ruleId }) => ruleId),
    ]),
    ...everyone.map(({ ruleId }) => ruleId),
    ...levelsOf(unknown ?? {}).map(({ ruleId }) => ruleId),
  ]
}

/** As long as any of these levels. */
function whileAny(levels: readonly DesiredLevel[]): ElementSpec {
  const ends = levels.map(({ untilBootMs = Number.POSITIVE_INFINITY }) => untilBootMs)
  const untilBootMs = Math.max(...ends)
  return {
    ruleIds: levels.map(({ ruleId }) => ruleId),
    ...(Number.isFinite(untilBootMs) ? { untilBootMs } : {}),
  }
}

/** Elements of the sets that say what is home, own, infrastructure, known, and where more than single devices are held. */
export function placeElements(
  desired: Desired,
  place: Place,
): Map<SetId, Map<string, ElementSpec>> {
  const found = new Map<SetId, Map<string, ElementSpec>>()
  const sides = sidesOf(place)
  const { unknown, everyone } = desired
  const levels = levelsOf(unknown ?? {}).filter(({ level }) => level !== 'observe')
  const put = (family: Family, name: string, key: string, spec: ElementSpec): void => {
    const set: SetId = `${family} ${TABLE} ${name}`
    const elements = found.get(set) ?? new Map<string, ElementSpec>()
    found.set(set, elements.set(key, spec))
  }
  const add = (family: Family, name: string, key: string, ruleIds: readonly string[] = []): void =>
    put(family, name, key, { ruleIds })
  const own = single(place.own)
  const controllers = single(place.controllers)
  const home = withoutOverlap([...ALWAYS_HOME, ...place.lan, ...place.own])
  const infrastructure = place.infrastructure.flatMap((mac) => macText(mac) ?? [])
  const routers = (place.routers ?? place.infrastructure).flatMap((mac) => macText(mac) ?? [])
  const known = knownMacs(desired, place)
  const machines = machineElements(place)
  const held = new Set(
    desired.devices.filter(isHeld).flatMap(({ mac }) => (mac === undefined ? [] : macText(mac))),
  )
  const free =
    levels.length === 0 ? [] : [...known, ...infrastructure].filter((mac) => !held.has(mac))
  const encrypted = desired.devices.flatMap(
    ({ restrictions }) => restrictions.no_encrypted_dns?.ruleId ?? [],
  )
  const doh = encrypted.length > 0 ? single(ENCRYPTED_RESOLVER_ADDRESSES) : []
  const resolvers = single([...new Set(place.resolvers ?? [])])
  const asked = desired.devices.flatMap(({ ips, restrictions: { ask } }) =>
    ask === undefined ? [] : single(ips).map((one) => ({ ...one, ruleIds: [ask.ruleId] })),
  )
  for (const family of new Set(sides.map((side) => side.family))) {
    for (const mac of infrastructure) add(family, 'infrastructure', mac)
    for (const mac of routers) add(family, 'routers', mac)
    for (const mac of known) add(family, 'known', mac)
    for (const mac of free) add(family, 'free', mac)
    for (const { version, key } of own) add(family, `own${version}`, key)
    for (const { version, key } of controllers) add(family, `controllers${version}`, key)
    for (const { version, key } of home) add(family, `home${version}`, key)
    for (const { set, key } of machines) add(family, set, key)
    if (family === 'netdev') continue
    if (family === 'inet') {
      for (const { version, key, ruleIds } of asked) add(family, `asked${version}`, key, ruleIds)
    }
    for (const { version, key } of resolvers) add(family, `resolvers${version}`, key)
    for (const { version, key } of doh) add(family, `doh${version}`, key, encrypted)
  }
  const general = [...new Set(generalRules(desired, place))]
  for (const { family, direction } of sides) {
    for (const name of interfacesOf(family, place)) {
      if (general.length > 0) add(family, `${direction}_guarded`, name, general)
      if (levels.length === 0) continue
      put(family, `${direction}_unknown`, name, whileAny(levels))
      for (const each of levels) {
        put(family, `${direction}_unknown_${each.level}`, name, whileAny([each]))
      }
    }
  }
  const named = everyone.filter(({ domain }) => domain !== undefined).map(({ ruleId }) => ruleId)
  for (const name of place.interfaces) {
    if (named.length > 0) add('inet', 'gate_all', name, named)
    const local = levels.filter(({ level }) => level === 'local_only')
    if (local.length > 0) put('inet', 'gate_unknown', name, whileAny(local))
  }
  return found
}
