// Messages of an agent, as short as tests want them.
import type { Device, Flow } from '../../protocol/messages.ts'

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
