// Which flows and which DNS queries a node lets through.
import { isIP } from 'node:net'
import type { Direction, Dns, Endpoint, Flow } from '../protocol/messages.ts'
import { addressMatch, deviceIdOf, entriesOf, nameMatch, portMatch } from './match.ts'

/** What a traffic node filters by, as the editor, a context or `msg.filter` gave it; absent or empty lets all through. */
export interface FlowFilter {
  /** Ids or MACs; a local flow belongs to both of its devices. */
  devices?: unknown
  /** One or several of `outbound`, `inbound` and `local`, or `any`. */
  direction?: unknown
  /** Names (each with its subdomains), addresses and prefixes of the remote end. */
  remote?: unknown
  /** Ports of the responder: `443`, `8000-8100`. */
  port?: unknown
  /** Sent and received together, since the flow began. */
  min_bytes?: unknown
}

/** What a DNS node filters by, as the editor, a context or `msg.filter` gave it; absent or empty lets all through. */
export interface DnsFilter {
  /** Ids or MACs. */
  devices?: unknown
  /** Names that are asked for, each with its subdomains. */
  name?: unknown
  /** `A`, `AAAA`, `HTTPS`, … */
  qtype?: unknown
  /** `all`, `failed` (an error, or no answer that was seen) or `nxdomain`. */
  only?: unknown
}

export const FLOW_FILTER_KEYS = ['devices', 'direction', 'remote', 'port', 'min_bytes'] as const
export const DNS_FILTER_KEYS = ['devices', 'name', 'qtype', 'only'] as const

const DIRECTIONS = ['outbound', 'inbound', 'local'] as const satisfies readonly Direction[]
const ONLY = ['all', 'failed', 'nxdomain'] as const

type Test<Item> = (item: Item) => boolean

/** What of a flow is asked; a held first packet has it too, and no bytes yet. */
export type FlowHead = Pick<
  Flow,
  'device_id' | 'peer_device_id' | 'direction' | 'originator' | 'responder' | 'remote_name'
> &
  Partial<Pick<Flow, 'sent_bytes' | 'received_bytes'>>

/** Compiles `filter`. Throws an Error that says which entry is wrong and how it should look. */
export function flowTest(filter: FlowFilter): Test<FlowHead> {
  const tests: Test<FlowHead>[] = []
  const devices = deviceSet(filter.devices)
  if (devices.size > 0) tests.push((flow) => devicesOf(flow).some((id) => devices.has(id)))
  const directions = directionSet(filter.direction)
  if (directions.size > 0) tests.push((flow) => directions.has(flow.direction))
  const remotes = entriesOf(filter.remote, 'remote')
  if (remotes.length > 0) tests.push(remoteTest(remotes))
  const ports = entriesOf(filter.port, 'port')
  if (ports.length > 0) {
    const matches = portMatch(ports)
    tests.push((flow) => matches(flow.responder.port))
  }
  const minBytes = byteCount(filter.min_bytes)
  if (minBytes > 0) tests.push((flow) => bytesOf(flow) >= minBytes)
  return (flow) => tests.every((test) => test(flow))
}

/** Compiles `filter`. Throws an Error that says which entry is wrong and how it should look. */
export function dnsTest(filter: DnsFilter): Test<Dns> {
  const tests: Test<Dns>[] = []
  const devices = deviceSet(filter.devices)
  if (devices.size > 0) tests.push((dns) => devices.has(dns.device_id))
  const names = entriesOf(filter.name, 'name')
  if (names.length > 0) {
    const matches = nameMatch(names)
    tests.push((dns) => matches(dns.query))
  }
  const types = new Set(entriesOf(filter.qtype, 'query type').map((type) => type.toUpperCase()))
  if (types.size > 0) tests.push((dns) => types.has(dns.qtype))
  const only = oneOf(filter.only, ONLY, 'all', 'only')
  if (only === 'failed') tests.push((dns) => dns.rcode !== 'NOERROR')
  if (only === 'nxdomain') tests.push((dns) => dns.rcode === 'NXDOMAIN')
  return (dns) => tests.every((test) => test(dns))
}

/** The devices of a flow: one, and of a local flow the other one too. */
export function devicesOf(flow: FlowHead): string[] {
  return flow.peer_device_id === undefined
    ? [flow.device_id]
    : [flow.device_id, flow.peer_device_id]
}

/** The end of a flow that is not its device; of a local flow the responder. */
export function remoteOf(flow: FlowHead): Endpoint {
  return flow.direction === 'inbound' ? flow.originator : flow.responder
}

/** The ids in a filter's list of devices. Throws an Error for what is neither an id nor a MAC. */
export function deviceSet(devices: unknown): Set<string> {
  return new Set(entriesOf(devices, 'devices').map(deviceIdOf))
}

/** `value` as a filter made of `keys` alone. Throws an Error that names what does not belong. */
export function filterOf(value: unknown, keys: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`msg.filter must be an object with some of the keys ${keys.join(', ')}`)
  }
  const wrong = Object.keys(value).find((key) => !keys.includes(key))
  if (wrong !== undefined) {
    throw new Error(`msg.filter has no key “${wrong}”: use ${keys.join(', ')}`)
  }
  return value as Record<string, unknown>
}

function remoteTest(remotes: string[]): Test<FlowHead> {
  const isPrefix = (entry: string): boolean => isIP(entry.split('/')[0] ?? '') !== 0
  const addresses = addressMatch(remotes.filter(isPrefix))
  const names = nameMatch(remotes.filter((entry) => !isPrefix(entry)))
  return (flow) =>
    (flow.remote_name !== undefined && names(flow.remote_name)) || addresses(remoteOf(flow).ip)
}

/** Empty: any. */
function directionSet(value: unknown): Set<string> {
  const entries = new Set(entriesOf(value, 'direction'))
  if (entries.has('any')) return new Set()
  for (const entry of entries) oneOf(entry, DIRECTIONS, DIRECTIONS[0], 'direction')
  return entries
}

function bytesOf({ sent_bytes = 0, received_bytes = 0 }: FlowHead): number {
  return sent_bytes + received_bytes
}

function byteCount(value: unknown): number {
  const bytes = Number(value ?? 0)
  if (typeof value === 'boolean' || !Number.isFinite(bytes) || bytes < 0) {
    throw new Error('the least number of bytes must be a number from 0')
  }
  return bytes
}

function oneOf<Word extends string>(
  value: unknown,
  words: readonly Word[],
  absent: Word,
  what: string,
): Word {
  if (value === undefined || value === null || value === '') return absent
  const word = words.find((candidate) => candidate === value)
  if (word === undefined) throw new Error(`${what} must be one of ${words.join(', ')}`)
  return word
}
