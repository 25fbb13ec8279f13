// What comes from a broker may come from anyone who can reach it: every message is checked here before a node sees it.
import type { AgentEvent, Device, DnsBatch, FlowBatch, Info } from '../protocol/messages.ts'
import type { Level } from '../protocol/policy.ts'
import { LEVELS } from '../protocol/policy.ts'
import { MAX_PAYLOAD_BYTES } from '../protocol/topics.ts'
import {
  hasShape,
  isAbsentOr,
  isAddress,
  isCount,
  isDeviceId,
  isEndpoint,
  isFlag,
  isListOf,
  isMac,
  isName,
  isOneOf,
  isText,
  isWord,
} from './shape.ts'

/** How deep objects and arrays may nest in a message. */
export const MAX_DEPTH = 16

/** The largest device that is kept, as message of its own or in an event: the inventory holds one per device. */
export const MAX_DEVICE_BYTES = 16384

/** A batch whose every item has its shape, and how many items had not. */
export interface Checked<Batch> {
  batch: Batch
  refused: number
}

/**
 * The JSON value of `payload`. Throws an Error with a sentence where it is larger than `maxBytes`, is not JSON in UTF-8,
 * nests deeper than `MAX_DEPTH`, or carries a key that a careless copy would take for a prototype.
 */
export function readJson(payload: Uint8Array, maxBytes: number = MAX_PAYLOAD_BYTES): unknown {
  if (payload.byteLength > maxBytes) {
    throw new Error(
      `the message has ${payload.byteLength} bytes, more than the ${maxBytes} allowed`,
    )
  }
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch (cause) {
    throw new Error('the message is not JSON in UTF-8', { cause })
  }
  checkTree(value, 1)
  return value
}

/** `value` as a batch of flows; flows that lack their shape are left out and counted. Undefined: not a batch. */
export function asFlowBatch(value: unknown): Checked<FlowBatch> | undefined {
  if (!isFlowBatch(value)) return undefined
  const batch = value as FlowBatch
  const flows = batch.flows.filter(isFlow)
  return { batch: { ...batch, flows }, refused: batch.flows.length - flows.length }
}

/** `value` as a batch of DNS queries; queries that lack their shape are left out and counted. Undefined: not a batch. */
export function asDnsBatch(value: unknown): Checked<DnsBatch> | undefined {
  if (!isDnsBatch(value)) return undefined
  const batch = value as DnsBatch
  const dns = batch.dns.filter(isDns)
  return { batch: { ...batch, dns }, refused: batch.dns.length - dns.length }
}

/** `value` as a device, or undefined where its shape is another. It is kept: keys that are not known are left out. */
export function asDevice(value: unknown): Device | undefined {
  if (!isDevice(value)) return undefined
  const device = only(value as Device, DEVICE_KEYS)
  return device.policy ? { ...device, policy: only(device.policy, POLICY_KEYS) } : device
}

/**
 * `value` as an event, or undefined where its shape is another. Kinds that are not known yet pass. Throws an Error for a device
 * that is too large to be kept.
 */
export function asEvent(value: unknown): AgentEvent | undefined {
  if (!isEvent(value)) return undefined
  const { device: told, ...event } = value as AgentEvent
  const device = asDevice(told)
  if (!device) return event
  const bytes = Buffer.byteLength(JSON.stringify(device))
  if (bytes > MAX_DEVICE_BYTES) {
    throw new Error(`its device has ${bytes} bytes, more than the ${MAX_DEVICE_BYTES} allowed`)
  }
  return { ...event, device }
}

/** The keys of `info` that the nodes go by; the rest is not looked at, because another `protocol` may shape it otherwise. */
export interface InfoHead extends Pick<Info, 'protocol' | 'instance' | 'version'> {
  /** The levels of quarantine that can be held there; absent: it does not say. */
  levels?: Level[]
}

/** `value` as the head of an `info`, or undefined where its shape is another. */
export function asInfo(value: unknown): InfoHead | undefined {
  if (!isInfo(value)) return undefined
  const { protocol, instance, version, capabilities } = value as Info
  if (!isLevelCapability(capabilities)) return { protocol, instance, version }
  const { ok, values } = capabilities.levels as { ok: boolean; values?: string[] }
  const levels = LEVELS.filter((level) => ok && values?.includes(level))
  return { protocol, instance, version, levels }
}

/** `value` with the keys that are known, and no others. */
function only<Value extends object>(value: Value, keys: readonly string[]): Value {
  const known = Object.entries(value).filter(([key]) => keys.includes(key))
  return Object.fromEntries(known) as Value
}

function checkTree(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return
  if (depth > MAX_DEPTH) throw new Error(`the message nests deeper than ${MAX_DEPTH}`)
  if (Object.hasOwn(value, '__proto__')) throw new Error('the message has a key __proto__')
  for (const part of Object.values(value)) checkTree(part, depth + 1)
}

const counters = {
  sent_bytes: isCount,
  received_bytes: isCount,
  sent_packets: isCount,
  received_packets: isCount,
}

const isFlow = hasShape({
  id: isWord,
  device_id: isDeviceId,
  peer_device_id: isAbsentOr(isDeviceId),
  direction: isOneOf('outbound', 'inbound', 'local'),
  protocol: isWord,
  originator: isEndpoint,
  responder: isEndpoint,
  remote_name: isAbsentOr(isName),
  remote_name_source: isAbsentOr(isWord),
  service: isAbsentOr(isWord),
  sni: isAbsentOr(isName),
  ...counters,
  first_ms: isCount,
  last_ms: isCount,
  state: isOneOf('new', 'active', 'closed'),
  closed_by: isAbsentOr(isWord),
})

const isDns = hasShape({
  device_id: isDeviceId,
  client_ip: isAddress,
  query: isName,
  qtype: isWord,
  rcode: isAbsentOr(isWord),
  answers: isListOf(
    hasShape({ name: isName, rtype: isWord, data: isAbsentOr(isName), ttl_s: isCount }),
    512,
  ),
  time_ms: isCount,
})

const batchHead = { seq: isCount, from_ms: isCount, to_ms: isCount, complete: isFlag }
const isFlowBatch = hasShape({ type: isOneOf('flow_batch'), ...batchHead, flows: Array.isArray })
const isDnsBatch = hasShape({ type: isOneOf('dns_batch'), ...batchHead, dns: Array.isArray })

const policy = {
  accepted: isFlag,
  desired_level: isAbsentOr(isOneOf(...LEVELS)),
  level: isAbsentOr(isOneOf(...LEVELS)),
  level_until_ms: isAbsentOr(isCount),
  level_reason: isAbsentOr(isText(4096)),
  level_rule_id: isAbsentOr(isWord),
  rules: isListOf(isWord, 128),
  more_rules: isAbsentOr(isCount),
  restrictions: isListOf(isWord, 64),
  in_force: isFlag,
  problem: isAbsentOr(isText(4096)),
  uncovered: isAbsentOr(isText(4096)),
}

/** What holds for a device, as the kernel has it. */
export const isDevicePolicy = hasShape(policy)
const POLICY_KEYS = Object.keys(policy)

const device = {
  type: isOneOf('device'),
  id: isDeviceId,
  mac: isAbsentOr(isMac),
  ips: isListOf(isAddress, 64),
  name: isName,
  name_source: isWord,
  vendor: isAbsentOr(isName),
  random_mac: isFlag,
  shared: isAbsentOr(isFlag),
  present: isFlag,
  ...counters,
  first_seen_ms: isCount,
  last_seen_ms: isCount,
  policy: isAbsentOr(isDevicePolicy),
}
const isDevice = hasShape(device)
const DEVICE_KEYS = Object.keys(device)

const isEvent = hasShape({
  type: isOneOf('event'),
  kind: isWord,
  seq: isCount,
  time_ms: isCount,
  device_id: isAbsentOr(isDeviceId),
  device: isAbsentOr(isDevice),
  changed: isAbsentOr(isListOf(isWord, 64)),
  interface: isAbsentOr(isText(256)),
  sentence: isText(4096),
})

const isInfo = hasShape({
  type: isOneOf('info'),
  protocol: isCount,
  instance: isWord,
  version: isText(64),
})

const isLevelCapability = hasShape({
  levels: hasShape({ ok: isFlag, values: isAbsentOr(isListOf(isWord, 64)) }),
})
