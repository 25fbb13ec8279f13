// What is found and what happens in the fixture's home: first packets that wait, what was dropped, and incidents.
import type { BlockedBatch, Connection, Incident } from '../../protocol/act.ts'
import { incidentOf } from './examples.ts'
import { HOSTILE } from './fixture-home.ts'

/** A first packet that waits for so long. */
export function connectionOf(device_id: string, waitMs: number): Connection {
  return {
    type: 'connection',
    id: `c${Date.now().toString(36)}`,
    device_id,
    direction: 'outbound',
    protocol: 'tcp',
    originator: { ip: '192.0.2.14', port: 50_000 },
    responder: { ip: '203.0.113.80', port: 443 },
    remote_name: HOSTILE.remote,
    asked_ms: Date.now(),
    deadline_ms: Date.now() + waitMs,
    default: 'accept',
  }
}

/** What was dropped in the last second. */
export function blockedOf(
  ids: readonly string[],
  rule_id: string | undefined,
  seq: number,
): BlockedBatch {
  const to_ms = Date.now()
  const [tv = '', , , , , cheap = '', camera = ''] = ids
  return {
    type: 'blocked_batch',
    seq,
    from_ms: to_ms - 1000,
    to_ms,
    blocked: [
      {
        device_id: camera,
        cause: 'full',
        direction: 'from_device',
        packets: 12,
        bytes: 9000,
        ...(rule_id && { rule_id }),
      },
      {
        device_id: tv,
        cause: 'block',
        remote: 'ads.example.net',
        direction: 'from_device',
        packets: 3,
        bytes: 240,
      },
      {
        device_id: cheap,
        cause: 'dns',
        remote: HOSTILE.remote,
        direction: 'to_device',
        packets: 1,
        bytes: 80,
      },
    ],
  }
}

/** An incident of too many connections, with the given keys. */
export function connectionRateOf(device_id: string, rest: Partial<Incident>): Incident {
  return incidentOf('run-i', {
    device_id,
    ips: ['192.0.2.16'],
    last_ms: rest.opened_ms ?? 0,
    sentence: 'It began 240 connections to 90 remotes within 10 s.',
    params: {
      connections: 240,
      remotes: 90,
      window_s: 10,
      max_connections: 200,
      max_remotes: 100,
    },
    evidence: [
      { what: 'connections', observed: 240, threshold: 200, weight: 1, flow_ids: [] },
      { what: 'remotes', observed: 90, usual: 4, threshold: 100, weight: 0.9, flow_ids: [] },
    ],
    ...rest,
  })
}
