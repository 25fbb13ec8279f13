// Messages of an agent, as short as tests want them.
import type { Incident } from '../../protocol/act.ts'
import type { Device, Flow } from '../../protocol/messages.ts'
import type { DevicePolicy, JournalEntry, RuleView } from '../../protocol/policy.ts'

/** A device with the given keys. */
export function deviceOf(id: string, rest: Partial<Device> = {}): Device {
  return {
    type: 'device',
    id,
    ips: [],
    name: id,
    name_source: 'address',
    random_mac: false,
    present: true,
    sent_bytes: 0,
    received_bytes: 0,
    sent_packets: 0,
    received_packets: 0,
    first_seen_ms: 0,
    last_seen_ms: 0,
    ...rest,
  }
}

/** A flow of device `a` to 203.0.113.9 with the given keys. */
export function flowOf(id: string, rest: Partial<Flow> = {}): Flow {
  return {
    type: 'flow',
    id,
    device_id: 'a',
    direction: 'outbound',
    protocol: 'tcp',
    originator: { ip: '192.0.2.11', port: 50_000 },
    responder: { ip: '203.0.113.9', port: 443 },
    sent_bytes: 0,
    received_bytes: 0,
    sent_packets: 0,
    received_packets: 0,
    first_ms: 0,
    last_ms: 0,
    state: 'active',
    ...rest,
  }
}

/** What holds for a device that nothing is ordered about, with the given keys. */
export function policyOf(rest: Partial<DevicePolicy> = {}): DevicePolicy {
  return { accepted: true, rules: [], restrictions: [], in_force: true, ...rest }
}

/** A block of everything for device `a` that the kernel has, with the given keys. */
export function ruleOf(id: string, rest: Partial<RuleView> = {}): RuleView {
  return {
    id,
    action: 'block',
    subject: { device_id: 'a' },
    match: {},
    reason: '',
    actor: { kind: 'person', via: 'http' },
    created_ms: 0,
    state: 'active',
    ...rest,
  }
}

/** A change that somebody made, with the given keys. */
export function entryOf(seq: number, rest: Partial<JournalEntry> = {}): JournalEntry {
  return {
    seq,
    time_ms: seq * 1000,
    actor: { kind: 'person', via: 'http' },
    verb: 'block',
    sentence: `Change ${seq}.`,
    reason: '',
    added: [],
    removed: [],
    ...rest,
  }
}

/** An open incident of device `a`, with the given keys. */
export function incidentOf(id: string, rest: Partial<Incident> = {}): Incident {
  return {
    type: 'incident',
    id,
    device_id: 'a',
    ips: [],
    kind: 'connection_rate',
    severity: 'medium',
    state: 'open',
    opened_ms: 0,
    last_ms: 0,
    sentence: 'It began many connections.',
    params: {},
    evidence: [],
    ...rest,
  }
}
