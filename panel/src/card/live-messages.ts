// What administrators get over MQTT, where every account of the broker may write: nothing is taken that has not the
// shape it should have.
import type { Incident } from '../../../protocol/act.ts'
import { INCIDENT_KINDS } from '../../../protocol/act.ts'
import type { Flow, FlowBatch } from '../../../protocol/messages.ts'
import { DEVICE_ID, INCIDENT_ID, MAX_PAYLOAD_BYTES } from '../../../protocol/topics.ts'
import { evidenceOf, paramsOf } from './device-view.ts'

const MOST_FLOWS = 1000

/** The parts of a batch that the card uses; undefined where it is none. */
export function readFlowBatch(payload: string): FlowBatch | undefined {
  const raw = readObject(payload)
  if (raw === undefined || raw.type !== 'flow_batch' || !Array.isArray(raw.flows)) return undefined
  const { from_ms, to_ms, part, parts, complete, seq } = raw
  if (!isAmount(from_ms) || !isAmount(to_ms) || to_ms < from_ms) return undefined
  if (!isAmount(part) || !isAmount(parts)) return undefined
  return {
    type: 'flow_batch',
    seq: isAmount(seq) ? seq : 0,
    from_ms,
    to_ms,
    part,
    parts,
    complete: complete === true,
    flows: raw.flows.slice(0, MOST_FLOWS).filter(isFlow),
  }
}

/** An incident; undefined where the payload is none, or is about another id than its topic. */
export function readIncident(payload: string, id: string): Incident | undefined {
  const raw = readObject(payload)
  if (raw === undefined || raw.type !== 'incident' || raw.id !== id) return undefined
  if (!INCIDENT_ID.test(id) || !isDevice(raw.device_id)) return undefined
  const severity = (['info', 'low', 'medium', 'high'] as const).find((one) => one === raw.severity)
  const kind = INCIDENT_KINDS.find((one) => one === raw.kind)
  const { opened_ms, last_ms, sentence } = raw
  if (severity === undefined || kind === undefined || !isAmount(opened_ms)) return undefined
  return {
    type: 'incident',
    id,
    device_id: raw.device_id,
    ips: [],
    kind,
    severity,
    state: raw.state === 'open' ? 'open' : 'closed',
    opened_ms,
    last_ms: isAmount(last_ms) ? last_ms : opened_ms,
    sentence: typeof sentence === 'string' ? sentence : '',
    params: paramsOf(raw.params),
    evidence: evidenceOf(raw.evidence),
  }
}

function readObject(payload: unknown): Record<string, unknown> | undefined {
  if (typeof payload !== 'string' || payload.length > MAX_PAYLOAD_BYTES) return undefined
  try {
    const value: unknown = JSON.parse(payload)
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

function isFlow(raw: unknown): raw is Flow {
  if (typeof raw !== 'object' || raw === null) return false
  const flow = raw as Record<string, unknown>
  return (
    typeof flow.id === 'string' &&
    flow.id.length <= 64 &&
    isDevice(flow.device_id) &&
    (flow.peer_device_id === undefined || isDevice(flow.peer_device_id)) &&
    (flow.remote_name === undefined || typeof flow.remote_name === 'string') &&
    isEnd(flow.originator) &&
    isEnd(flow.responder) &&
    isAmount(flow.sent_bytes) &&
    isAmount(flow.received_bytes) &&
    isAmount(flow.first_ms) &&
    isAmount(flow.last_ms)
  )
}

function isEnd(raw: unknown): boolean {
  return typeof raw === 'object' && raw !== null && typeof (raw as { ip?: unknown }).ip === 'string'
}

function isDevice(raw: unknown): raw is string {
  return typeof raw === 'string' && DEVICE_ID.test(raw)
}

function isAmount(raw: unknown): raw is number {
  return typeof raw === 'number' && Number.isFinite(raw) && raw >= 0
}
