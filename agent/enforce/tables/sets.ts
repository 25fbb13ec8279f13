// The kernel's sets as data: what of a `Desired` becomes an element where. Elements are written as nft writes them, with
// ` . ` between the parts of a key, so that what was wanted and what was read back can be compared as text.

export type Family = 'inet' | 'netdev' | 'bridge'

/** One set of one of our tables. */
export interface SetSpec {
  family: Family
  table: string
  name: string
  /** As in nft: `ether_addr . ipv4_addr`. */
  key: string
  /** Instead of a type by name: keys are like this part of a packet, as nft writes it. */
  like?: string
  /** Holds prefixes and ranges, not only single values. */
  interval: boolean
  /** Elements can end by themselves. */
  timeout: boolean
  /** Each element counts the packets that matched it. */
  counter: boolean
  /** Filled by the DNS gate while it runs, not by `Desired`: the reconciler leaves its elements alone. */
  dynamic: boolean
}

/** `family table set`. */
export type SetId = `${Family} ${string} ${string}`

/** One element that shall be there. */
export interface ElementSpec {
  /** By CLOCK_BOOTTIME; absent: without an end. */
  untilBootMs?: number
  /** The rules that it belongs to (several may ask for the same). */
  ruleIds: readonly string[]
  deviceId?: string
}

/** By set, then by key. */
export type Elements = ReadonlyMap<SetId, ReadonlyMap<string, ElementSpec>>

export function setId({ family, table, name }: SetSpec): SetId {
  return `${family} ${table} ${name}`
}
