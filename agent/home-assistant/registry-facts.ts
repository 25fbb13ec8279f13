// What Home Assistant's registries say of the devices with a MAC. Pure: their answers in, facts by MAC out.
import { parseMac } from '../address.ts'
import type { RegistryFacts } from './device-entities.ts'

/** What is known of one MAC. */
export interface NamedFacts extends RegistryFacts {
  name?: string
}

/** Entries that are read of an answer. */
const MAX_ENTRIES = 50_000
const MAX_NAME = 63

/** One entry of `config/device_registry/list`, as far as it is read here; nothing of it is believed unseen. */
interface Entry {
  connections?: unknown
  identifiers?: unknown
  name?: unknown
  name_by_user?: unknown
  manufacturer?: unknown
  model?: unknown
  area_id?: unknown
}

/**
 * Facts by the key that `parseMac` gives. A name that a person gave counts first, wherever: on our own entry or on another
 * integration's for the same MAC (since 2026.8 these are devices side by side). What we ourselves said there never counts.
 */
export function registryFacts(devices: unknown, areas: unknown): Map<number, NamedFacts> {
  const areaNames = new Map<string, string>()
  for (const area of listOf(areas)) {
    const { area_id, name } = area as { area_id?: unknown; name?: unknown }
    const text = textOf(name)
    if (typeof area_id === 'string' && text !== undefined) areaNames.set(area_id, text)
  }
  const facts = new Map<number, NamedFacts>()
  // Later ones do not overwrite: names by people first, then what integrations say.
  const entries = listOf(devices).map((device) => device as Entry)
  for (const byPeople of [true, false]) {
    for (const entry of entries) {
      for (const mac of macsOf(entry.connections)) {
        const known = facts.get(mac) ?? {}
        facts.set(mac, { ...factsOf(entry, byPeople, areaNames), ...known })
      }
    }
  }
  return facts
}

function factsOf(
  entry: Entry,
  byPeople: boolean,
  areaNames: ReadonlyMap<string, string>,
): NamedFacts {
  const area = typeof entry.area_id === 'string' ? areaNames.get(entry.area_id) : undefined
  const isOurs = isHomespins(entry.identifiers)
  if (byPeople) return present({ name: textOf(entry.name_by_user) })
  if (isOurs) return present({ area })
  return present({
    name: textOf(entry.name),
    manufacturer: textOf(entry.manufacturer),
    model: textOf(entry.model),
    area,
  })
}

function present(facts: Record<keyof NamedFacts, string | undefined> | object): NamedFacts {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined))
}

function isHomespins(identifiers: unknown): boolean {
  return listOf(identifiers).some(
    (pair) =>
      Array.isArray(pair) &&
      pair[0] === 'mqtt' &&
      typeof pair[1] === 'string' &&
      pair[1].startsWith('homespin_'),
  )
}

function macsOf(connections: unknown): number[] {
  return listOf(connections).flatMap((pair) => {
    if (!Array.isArray(pair) || pair[0] !== 'mac' || typeof pair[1] !== 'string') return []
    return parseMac(pair[1]) ?? []
  })
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value)
    ? value.slice(0, MAX_ENTRIES).filter((one) => typeof one === 'object' && one !== null)
    : []
}

/** One line; undefined where there is nothing to read. */
function textOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const line = value
    .slice(0, MAX_NAME * 4)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
  const short = [...line].slice(0, MAX_NAME).join('').trim()
  return short === '' ? undefined : short
}
