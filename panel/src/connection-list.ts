// Which connections are listed, and in which order.
import type { Selection } from './links.ts'
import { bytesOf, isSelected } from './links.ts'
import type { LiveFlow } from './store.ts'

export const CONNECTION_SORTS = ['bytes', 'recent'] as const

/** Most bytes first, or last begun first. */
export type ConnectionSort = (typeof CONNECTION_SORTS)[number]

/** The selected connections: open ones first, then those that are closed. */
export function listConnections(
  flows: Iterable<LiveFlow>,
  selection: Selection,
  sort: ConnectionSort,
): LiveFlow[] {
  const found = [...flows].filter(({ flow }) => isSelected(flow, selection))
  const isClosed = ({ flow }: LiveFlow): number => (flow.state === 'closed' ? 1 : 0)
  const rank = ({ flow }: LiveFlow): number => (sort === 'recent' ? flow.first_ms : bytesOf(flow))
  return found.sort((a, b) => isClosed(a) - isClosed(b) || rank(b) - rank(a))
}
