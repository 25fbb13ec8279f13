// Flows seen from a device, and summed to links: one per pair of a device and the end that it talks to.
import type { Flow } from '../../protocol/messages.ts'
import type { LiveFlow } from './store.ts'

/**
 * The other end of a flow: another device, a remote on the internet (`key` is its name, else its address), or the
 * local network (multicast, and local addresses that are no device).
 */
export type End =
  | { kind: 'device'; key: string }
  | { kind: 'remote'; key: string }
  | { kind: 'lan'; key: string }

/** A flow as one of its devices sees it. */
export interface FlowView {
  end: End
  sent_bytes: number
  received_bytes: number
  sent_rate: number
  received_rate: number
}

/** All flows between a device and an end. `sent` and `received` are seen from the device. */
export interface Link {
  key: string
  device_id: string
  end: End
  sent_bytes: number
  received_bytes: number
  /** Bytes per second in both directions. */
  rate: number
  flows: number
}

/** Which flows are looked at. Absent: all. */
export interface Selection {
  device_id?: string
  /** Name, else address of a remote. */
  remote?: string
}

// A flow that has not changed for this long is quiet; its last rate is no longer its rate.
const FRESH_MS = 2500

/** Name, else address of the end that is not the device's. */
export function remoteOf(flow: Flow): string {
  return flow.remote_name ?? (flow.direction === 'inbound' ? flow.originator.ip : flow.responder.ip)
}

/** The other end, seen from `flow.device_id`. */
export function endOf(flow: Flow): End {
  if (flow.peer_device_id !== undefined) return { kind: 'device', key: flow.peer_device_id }
  if (flow.direction === 'local') return { kind: 'lan', key: 'lan' }
  return { kind: 'remote', key: remoteOf(flow) }
}

/** Whether a flow belongs to a selection. */
export function isSelected(flow: Flow, { device_id, remote }: Selection): boolean {
  if (
    device_id !== undefined &&
    flow.device_id !== device_id &&
    flow.peer_device_id !== device_id
  ) {
    return false
  }
  return remote === undefined || (flow.direction !== 'local' && remoteOf(flow) === remote)
}

/** A flow seen from `deviceId` where it is the peer of a local flow, else from `flow.device_id`. */
export function viewFrom(live: LiveFlow, deviceId: string | undefined, now_ms: number): FlowView {
  const { flow } = live
  const isFresh = flow.state !== 'closed' && now_ms - live.changed_ms < FRESH_MS
  const sent_rate = isFresh ? live.sent_rate : 0
  const received_rate = isFresh ? live.received_rate : 0
  if (deviceId !== undefined && flow.peer_device_id === deviceId && flow.device_id !== deviceId) {
    return {
      end: { kind: 'device', key: flow.device_id },
      sent_bytes: flow.received_bytes,
      received_bytes: flow.sent_bytes,
      sent_rate: received_rate,
      received_rate: sent_rate,
    }
  }
  const { sent_bytes, received_bytes } = flow
  return { end: endOf(flow), sent_bytes, received_bytes, sent_rate, received_rate }
}

/** The links of the selected flows, most bytes first. */
export function linksOf(flows: Iterable<LiveFlow>, selection: Selection, now_ms: number): Link[] {
  const links = new Map<string, Link>()
  for (const live of flows) {
    if (!isSelected(live.flow, selection)) continue
    // Both devices of a pair may have begun flows: the pair is one link, seen from the lower id.
    const from = pairHead(live.flow)
    const view = viewFrom(live, from, now_ms)
    const key = `${from}>${view.end.kind}:${view.end.key}`
    const link = links.get(key)
    const rate = view.sent_rate + view.received_rate
    if (link === undefined) {
      const { end, sent_bytes, received_bytes } = view
      links.set(key, { key, device_id: from, end, sent_bytes, received_bytes, rate, flows: 1 })
    } else {
      link.sent_bytes += view.sent_bytes
      link.received_bytes += view.received_bytes
      link.rate += rate
      link.flows += 1
    }
  }
  return [...links.values()].sort((a, b) => bytesOf(b) - bytesOf(a))
}

/** Bytes in both directions. */
export function bytesOf(total: { sent_bytes: number; received_bytes: number }): number {
  return total.sent_bytes + total.received_bytes
}

function pairHead(flow: Flow): string {
  const { device_id, peer_device_id } = flow
  return peer_device_id !== undefined && peer_device_id < device_id ? peer_device_id : device_id
}
