// Who is believed about names where this box stands, and whom devices may ask.

import type { ProtectedList } from '../place/protected.ts'
import { within } from '../place/protected.ts'
import type { Standing } from '../place/standing.ts'
import type { GateSurroundings } from './dns-policy.ts'

/** What is told besides the protected list. */
export interface Told {
  /** Resolvers that are believed besides the home's own machines. */
  resolvers?: readonly string[]
  /** Names of the home besides those that always are. */
  localNames?: readonly string[]
}

/** What the gate has to know of where it stands. `lan`: networks of the home. */
export function gateSurroundings(
  list: ProtectedList,
  { resolvers = [], localNames = [] }: Told,
  lan: readonly string[],
): GateSurroundings {
  return {
    protect: list.prefixes,
    resolvers: [...new Set([...list.hosts, ...resolvers])],
    neighbours: resolvers.filter((ip) => lan.some((prefix) => within(ip, prefix))),
    local: localNames,
  }
}

/** With the resolvers that closed devices may ask: who is believed, but for machines that are believed for other reasons. */
export function withResolvers(
  standing: Standing,
  list: ProtectedList,
  { resolvers = [] }: Told,
): Standing {
  if (standing.place === undefined) return standing
  const found = [...new Set([...list.resolvers, ...resolvers])].sort()
  return { ...standing, place: { ...standing.place, resolvers: found } }
}
