// The protected list as elements need it: whom orders about many must leave alone, and whom blocks by port alone must spare.
import { parsePrefix } from '../../inventory/locality.ts'
import { overlap, textOf } from './protected.ts'
import type { ProtectedRange, Surroundings } from './surroundings.ts'

/** Machines of the protected list. */
export interface Machines {
  /** MACs of those that the kernel knows: never unknown devices. */
  macs: readonly string[]
  /** Prefixes (CIDR) of those on the home's own networks whose MACs it does not know: these are told by their addresses. */
  unresolved: readonly string[]
  /** Prefixes (CIDR) that no block by protocol and port alone closes. */
  kept: readonly string[]
  /** Addresses of this box's own resolvers: of them only DNS is kept open. */
  resolvers: readonly string[]
}

function isSingle({ prefix }: ProtectedRange): boolean {
  return prefix.length === prefix.bytes.length * 8
}

/** `lan`: the home's prefixes. Where a MAC is known its address alone proves nothing, as anybody can take an address. */
export function machinesOf({ ranges, macs }: Surroundings, lan: readonly string[]): Machines {
  const home = lan.flatMap((text) => parsePrefix(text) ?? [])
  const hosts = ranges.filter(({ host }) => host)
  const near = hosts.filter(
    (range) =>
      (range.macs.length === 0 || !isSingle(range)) &&
      home.some((prefix) => overlap(prefix, range.prefix)),
  )
  const texts = (some: readonly ProtectedRange[]): string[] =>
    [...new Set(some.map(({ prefix }) => textOf(prefix)))].sort()
  return {
    macs: [...new Set([...macs.keys(), ...hosts.flatMap((range) => range.macs)])].sort(),
    unresolved: texts(near),
    kept: texts(hosts.filter(({ resolver }) => !resolver)),
    resolvers: texts(hosts.filter(({ resolver }) => resolver)),
  }
}
