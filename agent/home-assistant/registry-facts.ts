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
export interface Entry {
  id?: unknown
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
export function registryFacts(devices: unknown): Map<number, NamedFacts> {
  const facts = new Map<number, NamedFacts>()
  // Later ones do not overwrite: names by people first, then what integrations say.
  const entries = entriesOf(devices)
  for (const byPeople of [true, false]) {
    for (const entry of entries) {
      for (const mac of macsOf(entry.connections)) {
        const known = facts.get(mac) ?? {}
        facts.set(mac, { ...factsOf(entry, byPeople), ...known })
      }
    }
  }
  return facts
}

/** The entries of an answer, at most so many. */
export function entriesOf(devices: unknown): Entry[] {
  return listOf(devices).map((device) => device as Entry)
}

function factsOf(entry: Entry, byPeople: boolean): NamedFacts {
  if (byPeople) return present({ name: textOf(entry.name_by_user) })
  if (isHomespins(entry.identifiers)) return {}
  return present({
    name: textOf(entry.name),
    manufacturer: textOf(entry.manufacturer),
    model: textOf(entry.model),
  })
}

function present(facts: Record<keyof NamedFacts, string | undefined> | object): NamedFacts {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined))
}

/** Whether an entry is a device of Homespin's, of whichever agent. */
export function isHomespins(identifiers: unknown): boolean {
  return listOf(identifiers).some(
    (pair) =>
      Array.isArray(pair) &&
      pair[0] === 'mqtt' &&
      typeof pair[1] === 'string' &&
      pair[1].startsWith('homespin_'),
  )
}

/** By the key that `parseMac` gives. */
export function macsOf(connections: unknown): number[] {
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
