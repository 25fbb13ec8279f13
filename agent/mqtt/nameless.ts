// Answers without the names of remotes, where `mqtt.publish_names` says no: whoever reads topics of flows must not get by a
// question what is left out there.
import { isIP } from 'node:net'
import type { FlowList, RemoteList, RemoteTotal } from '../../protocol/http.ts'
import type { Flow } from '../../protocol/messages.ts'

/** What a method answers, without names that devices asked for or connected to. Names in orders are those of who ordered. */
export function nameless(method: string, result: unknown): unknown {
  if (method === 'get-flows') {
    const { flows, total } = result as FlowList
    return { flows: flows.map(namelessFlow), total }
  }
  if (method === 'get-remotes') return { remotes: namelessTotals((result as RemoteList).remotes) }
  return result
}

function namelessFlow(flow: Flow): Flow {
  const { remote_name: _, remote_name_source: __, sni: ___, ...rest } = flow
  return rest
}

/** Those of a device that are known by name are one sum, with those that were too many to be kept. */
function namelessTotals(remotes: readonly RemoteTotal[]): RemoteTotal[] {
  const sums = new Map<string, RemoteTotal>()
  const told: RemoteTotal[] = []
  for (const total of remotes) {
    const { device_id, remote, sent_bytes, received_bytes } = total
    if (remote !== undefined && isIP(remote) !== 0) {
      told.push(total)
      continue
    }
    const sum = sums.get(device_id)
    if (sum !== undefined) {
      sum.sent_bytes += sent_bytes
      sum.received_bytes += received_bytes
      continue
    }
    const first = { device_id, sent_bytes, received_bytes }
    sums.set(device_id, first)
    told.push(first)
  }
  const bytes = (one: RemoteTotal): number => one.sent_bytes + one.received_bytes
  return told.sort((a, b) => bytes(b) - bytes(a))
}
