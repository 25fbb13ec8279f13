// What comes from a broker about acting, checked: answers to orders, what was dropped, what waits, what is suspicious.
import type { Blocked, BlockedBatch, Connection, Incident } from '../protocol/act.ts'
import type { CommandResponse } from '../protocol/commands.ts'
import type { DevicePolicy, RuleView } from '../protocol/policy.ts'
import { INCIDENT_ID } from '../protocol/topics.ts'
import type { Checked } from './guard.ts'
import { isDevicePolicy } from './guard.ts'
import {
  hasShape,
  isAbsentOr,
  isAddress,
  isCount,
  isDeviceId,
  isEndpoint,
  isListOf,
  isMac,
  isName,
  isOneOf,
  isText,
  isWord,
} from './shape.ts'

/** What an agent answers to `block`, `unblock`, `allow`, `quarantine`, `release` and `pause` once the kernel has it. */
export interface Ordered {
  /** The rules that stand after it. */
  rules: RuleView[]
  /** What holds for each device that it is about, by id; at most 100. */
  policies: Record<string, DevicePolicy>
  /** Its entry in the journal; absent where nothing changed. */
  journal_seq?: number
}

/** The largest incident that is kept: there may be hundreds. */
export const MAX_INCIDENT_BYTES = 16384

/** `value` as an answer, or undefined where its shape is another. Codes that are not known yet pass. */
export function asResponse(value: unknown): CommandResponse | undefined {
  return isDone(value) || isRefused(value) ? (value as CommandResponse) : undefined
}

/** `value` as the result of an order, or undefined where its shape is another. */
export function asOrdered(value: unknown): Ordered | undefined {
  if (!isOrdered(value)) return undefined
  const { policies } = value as Ordered
  const isSound = Object.entries(policies).every(
    ([id, policy]) => isDeviceId(id) && isDevicePolicy(policy),
  )
  return isSound ? (value as Ordered) : undefined
}

/** `value` as what was dropped; entries that lack their shape are left out and counted. Undefined: not a batch. */
export function asBlockedBatch(value: unknown): Checked<BlockedBatch> | undefined {
  if (!isBlockedBatch(value)) return undefined
  const batch = value as BlockedBatch
  const blocked = batch.blocked.filter(isBlocked) as Blocked[]
  return { batch: { ...batch, blocked }, refused: batch.blocked.length - blocked.length }
}

/** `value` as a first packet that waits, or undefined where its shape is another. */
export function asConnection(value: unknown): Connection | undefined {
  return isConnection(value) ? (value as Connection) : undefined
}

/** `value` as an incident, or undefined where its shape is another. Kinds that are not known yet pass. */
export function asIncident(value: unknown): Incident | undefined {
  return isIncident(value) ? (value as Incident) : undefined
}

const isRecord = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isAnswerId = isText(64)

const isDone = hasShape({
  type: isOneOf('response'),
  id: isAnswerId,
  ok: isOneOf(true),
})

const isRefused = hasShape({
  type: isOneOf('response'),
  id: isAnswerId,
  ok: isOneOf(false),
  error: hasShape({ code: isWord, message: isText(8192) }),
})

const isRuleView = hasShape({
  id: isWord,
  action: isWord,
  subject: isRecord,
  match: isAbsentOr(isRecord),
  level: isAbsentOr(isWord),
  until_ms: isAbsentOr(isCount),
  confirm_until_ms: isAbsentOr(isCount),
  reason: isText(4096),
  created_ms: isCount,
  state: isWord,
  state_reason: isAbsentOr(isText(4096)),
})

const isOrdered = hasShape({
  rules: isListOf(isRuleView, 4096),
  policies: isRecord,
  journal_seq: isAbsentOr(isCount),
})

const isBlocked = hasShape({
  device_id: isDeviceId,
  rule_id: isAbsentOr(isWord),
  cause: isWord,
  remote: isAbsentOr(isName),
  direction: isOneOf('from_device', 'to_device'),
  packets: isCount,
  bytes: isCount,
})

const isBlockedBatch = hasShape({
  type: isOneOf('blocked_batch'),
  seq: isCount,
  from_ms: isCount,
  to_ms: isCount,
  blocked: Array.isArray,
})

const isConnection = hasShape({
  type: isOneOf('connection'),
  id: (value) => typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value),
  device_id: isDeviceId,
  direction: isOneOf('outbound', 'inbound', 'local'),
  protocol: isWord,
  originator: isEndpoint,
  responder: isEndpoint,
  remote_name: isAbsentOr(isName),
  service: isAbsentOr(isWord),
  asked_ms: isCount,
  deadline_ms: isCount,
  default: isOneOf('accept', 'drop'),
})

const isEvidence = hasShape({
  what: isWord,
  observed: isCount,
  usual: isAbsentOr(isCount),
  threshold: isCount,
  weight: isCount,
  flow_ids: isListOf(isWord, 64),
})

const isParam = (value: unknown): boolean =>
  isText(1024)(value) || (typeof value === 'number' && Number.isFinite(value))

const isParams = (value: unknown): boolean =>
  isRecord(value) && Object.values(value as object).every(isParam)

const isIncident = hasShape({
  type: isOneOf('incident'),
  id: (value) => typeof value === 'string' && INCIDENT_ID.test(value),
  device_id: isDeviceId,
  mac: isAbsentOr(isMac),
  ips: isListOf(isAddress, 64),
  kind: isWord,
  severity: isOneOf('info', 'low', 'medium', 'high'),
  state: isOneOf('open', 'closed'),
  opened_ms: isCount,
  last_ms: isCount,
  closed_ms: isAbsentOr(isCount),
  closed_by: isAbsentOr(isWord),
  sentence: isText(4096),
  params: isParams,
  evidence: isListOf(isEvidence, 64),
  action: isAbsentOr(hasShape({ level: isWord, rule_id: isWord })),
  action_failed: isAbsentOr(isText(4096)),
  asks: isAbsentOr(hasShape({ level: isWord, for_s: isCount })),
})
