// One example of every message, for docs/protocol.md. The compiler holds them to the types.
import type { BlockedBatch, Connection, Incident } from '../protocol/act.ts'
import type { CommandEnvelope, CommandResponse } from '../protocol/commands.ts'
import type {
  AgentEvent,
  Device,
  Dns,
  DnsBatch,
  Flow,
  FlowBatch,
  Info,
  Presence,
  Summary,
} from '../protocol/messages.ts'
import type { DevicePolicy, Group, JournalEntry, RuleView } from '../protocol/policy.ts'
import type { Ordered } from '../protocol/results.ts'

const flow: Flow = {
  type: 'flow',
  id: 'mi1k3v0qab-2s',
  device_id: '8c79f51c944d',
  direction: 'outbound',
  protocol: 'tcp',
  originator: { ip: '192.0.2.21', port: 50123, mac: '8c:79:f5:1c:94:4d' },
  responder: { ip: '203.0.113.9', port: 443 },
  remote_name: 'video.stream.example.com',
  remote_name_source: 'dns',
  service: 'https',
  sni: 'video.stream.example.com',
  sent_bytes: 1834,
  received_bytes: 58210,
  sent_packets: 21,
  received_packets: 44,
  first_ms: 1790000000123.5,
  last_ms: 1790000004820.25,
  state: 'closed',
  closed_by: 'fin',
}

const dns: Dns = {
  type: 'dns',
  device_id: '8c79f51c944d',
  client_ip: '192.0.2.21',
  query: 'video.stream.example.com',
  qtype: 'A',
  rcode: 'NOERROR',
  answers: [
    { name: 'video.stream.example.com', rtype: 'CNAME', data: 'e1.cdn.example.net', ttl_s: 120 },
    { name: 'e1.cdn.example.net', rtype: 'A', data: '203.0.113.9', ttl_s: 120 },
  ],
  time_ms: 1790000000101,
}

const device: Device = {
  type: 'device',
  id: '8c79f51c944d',
  mac: '8c:79:f5:1c:94:4d',
  ips: ['192.0.2.21', '2001:db8:1:0:86ec:858a:fb3b:fec9'],
  name: 'Samsung Electronics 1c:94:4d',
  name_source: 'vendor',
  vendor: 'Samsung Electronics Co.,Ltd',
  random_mac: false,
  present: true,
  sent_bytes: 2326467,
  received_bytes: 76362167,
  sent_packets: 28259,
  received_packets: 53867,
  first_seen_ms: 1790000000000,
  last_seen_ms: 1790000599000,
}

const presence: Presence = {
  type: 'presence',
  instance: 'mi1k3v0qab',
  state: 'active',
  settled: true,
  up_ms: 86400000,
  answer: 'b3J3bHlfc3BpbmQx',
}

const info: Info = {
  type: 'info',
  protocol: 1,
  instance: 'mi1k3v0qab',
  agent: 'home',
  version: '0.1.0',
  roles: ['agent'],
  mode: 'host',
  visibility:
    'This box sees its own traffic, broadcast and multicast; not what other devices say to each other.',
  lan: ['192.0.2.0/24'],
  capabilities: { capture: { ok: true, reason: 'packets of eth0 can be read' } },
  interfaces: [{ name: 'eth0', state: 'up', packets: 4711, dropped: 0 }],
  loss: {
    ring_packets: 0,
    name_packets: 0,
    netlink_overruns: 0,
    flows_evicted: 0,
    spool_messages: 0,
    devices_evicted: 0,
    devices_refused: 0,
  },
  started_ms: 1790000000000,
}

const batch = {
  seq: 17,
  from_ms: 1790000004000,
  to_ms: 1790000005000,
  part: 1,
  parts: 1,
  complete: true,
} as const

const flowBatch: FlowBatch = { type: 'flow_batch', ...batch, flows: [flow] }
const dnsBatch: DnsBatch = { type: 'dns_batch', ...batch, dns: [dns] }

const event: AgentEvent = {
  type: 'event',
  kind: 'interface_down',
  seq: 3,
  time_ms: 1790000012345,
  interface: 'eth0',
  sentence: 'The interface eth0 went away; it is waited for.',
}

const summary: Summary = {
  type: 'summary',
  packets: 200904,
  decoded: 200904,
  malformed: 0,
  unsupported: 0,
  bytes: 193025343,
  ip_packets: 200770,
  ip_bytes: 190152099,
  flows: 1768,
  dns_queries: 1115,
  devices: 11,
  duration_ms: 599427,
}

const rule: RuleView = {
  id: 'mi1k3v0qab-r7',
  action: 'quarantine',
  subject: { device_id: '8c79f51c944d' },
  level: 'full',
  until_ms: 1790001812000,
  reason: 'it scans the home',
  actor: { kind: 'person', name: 'kitchen tablet', via: 'http' },
  created_ms: 1790000012000,
  state: 'active',
}

const policy: DevicePolicy = {
  accepted: true,
  desired_level: 'full',
  level: 'full',
  level_until_ms: 1790001812000,
  level_reason: 'it scans the home',
  level_rule_id: 'mi1k3v0qab-r7',
  rules: [],
  restrictions: [],
  in_force: true,
}

const ordered: Ordered = { rules: [rule], policies: { '8c79f51c944d': policy }, journal_seq: 17 }

const { state, ...kept } = rule
const entry: JournalEntry = {
  seq: 17,
  time_ms: 1790000012000,
  actor: rule.actor,
  verb: 'quarantine',
  sentence: 'The television is quarantined (full) for 30 minutes.',
  reason: 'it scans the home',
  added: [kept],
  removed: [],
}

const group: Group = { id: 'tablets', name: 'Tablets', device_ids: ['8c79f51c944d'] }

const incident: Incident = {
  type: 'incident',
  id: 'mi1k3v0qab-i1',
  device_id: '8c79f51c944d',
  mac: '8c:79:f5:1c:94:4d',
  ips: ['192.0.2.21'],
  kind: 'connection_rate',
  severity: 'high',
  state: 'open',
  opened_ms: 1790000011000,
  last_ms: 1790000012000,
  sentence: 'The television opened 212 connections in 10 seconds; 150 are the limit.',
  params: { connections: 212, window_s: 10 },
  evidence: [
    { what: 'connections', observed: 212, threshold: 150, weight: 1, flow_ids: ['mi1k3v0qab-2s'] },
  ],
  action: { level: 'full', rule_id: rule.id },
}

const blocked: BlockedBatch = {
  type: 'blocked_batch',
  seq: 4,
  from_ms: 1790000012000,
  to_ms: 1790000013000,
  blocked: [
    {
      device_id: '8c79f51c944d',
      rule_id: rule.id,
      cause: 'full',
      direction: 'from_device',
      packets: 37,
      bytes: 2220,
    },
  ],
}

const connection: Connection = {
  type: 'connection',
  id: 'mi1k3v0qab-c9',
  device_id: '8c79f51c944d',
  direction: 'outbound',
  protocol: 'tcp',
  originator: { ip: '192.0.2.21', port: 50124 },
  responder: { ip: '203.0.113.9', port: 443 },
  remote_name: 'video.stream.example.com',
  service: 'https',
  asked_ms: 1790000014000,
  deadline_ms: 1790000014200,
  default: 'accept',
}

const command: CommandEnvelope & Record<string, unknown> = {
  id: 'b3f0c2',
  issued_ms: 1790000011990,
  ttl_ms: 10000,
  device: '8c:79:f5:1c:94:4d',
  level: 'full',
  for: '30m',
  reason: 'it scans the home',
}

const response: CommandResponse = { type: 'response', id: 'b3f0c2', ok: true, result: ordered }

/** Of messages, by the file and the name of their type. */
export const EXAMPLES_BY_FILE: Readonly<Record<string, Readonly<Record<string, object>>>> = {
  'protocol/messages.ts': {
    Flow: flow,
    Dns: dns,
    Device: device,
    Summary: summary,
    Info: info,
    Presence: presence,
    FlowBatch: flowBatch,
    DnsBatch: dnsBatch,
    AgentEvent: event,
  },
  'protocol/act.ts': { Incident: incident, BlockedBatch: blocked, Connection: connection },
  'protocol/commands.ts': { CommandEnvelope: command, CommandResponse: response },
  'protocol/results.ts': { Ordered: ordered },
  'protocol/policy.ts': {
    RuleView: rule,
    DevicePolicy: policy,
    Group: group,
    JournalEntry: entry,
  },
}

/** By the name of the type. */
export const EXAMPLES: Readonly<Record<string, object>> = Object.assign(
  {},
  ...Object.values(EXAMPLES_BY_FILE),
)
