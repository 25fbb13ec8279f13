// "Allow always": what an incident was opened for is usual for its device, which gets limits of its own that leave room for it.
// Much more than that is an incident again.
import type { Incident } from '../../protocol/act.ts'
import type { LimitEntry } from '../detect/limit-book.ts'
import { MethodError } from './registry.ts'

/** So many times what was seen is allowed from then on. */
const ROOM = 2
const MOST = 1_000_000

/** The limits of its device that allow what `incident` tells. `before`: those that it has. Throws where no limit is behind it. */
export function limitsThatAllow(
  { kind, device_id, evidence }: Incident,
  before: LimitEntry | undefined,
): LimitEntry {
  if (kind !== 'connection_rate')
    throw new MethodError(
      'unavailable',
      `incidents of the kind ${kind} can't be allowed for good; resolve it without always`,
    )
  const allowed = (what: string): number =>
    Math.min(
      MOST,
      Math.max(
        1,
        ...evidence
          .filter((one) => one.what === what)
          .map(({ observed, threshold }) => Math.max(threshold, Math.ceil(observed * ROOM))),
      ),
    )
  return {
    ...before,
    device: device_id,
    connections: allowed('connections'),
    remotes: allowed('remotes'),
  }
}
