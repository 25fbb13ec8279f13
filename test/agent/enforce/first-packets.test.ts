import assert from 'node:assert/strict'
import { FirstPacketDesk } from '../../../agent/enforce/gate/first-packets.ts'
import type { Place } from '../../../agent/enforce/place/place.ts'
import { createLog } from '../../../agent/log.ts'
import { NOTHING } from '../../../agent/policy/desired.ts'
import { CONNECTION, CONNECTION_BYTES, CONNECTION_FLAGS } from '../../../native/layout.ts'
import type { AskedDevice, Connections } from '../../../native/queue.ts'
import type { Connection } from '../../../protocol/act.ts'

const place = { features: { queue: 'xt' }, queues: { dns: 5, first: 6 } } as Place
const DEVICE = '020de0000001'

interface Waiting {
  id: number
  device?: string
  inbound?: boolean
  protocol?: number
  leftMs?: number
}

function records(waiting: readonly Waiting[]): Connections {
  const connections = new ArrayBuffer(waiting.length * CONNECTION_BYTES)
  const view = new DataView(connections)
  waiting.forEach(({ id, device = DEVICE, inbound = false, protocol = 6, leftMs = 200 }, i) => {
    const at = i * CONNECTION_BYTES
    view.setFloat64(at + CONNECTION.ID, id, true)
    view.setFloat64(at + CONNECTION.ASKED_MS, Date.now(), true)
    view.setFloat64(at + CONNECTION.DEADLINE_MS, Date.now() + leftMs, true)
    view.setBigUint64(at + CONNECTION.DEVICE, BigInt(`0x${device}`), true)
    const [own, remote] = [
      [192, 0, 2, 11],
      [203, 0, 113, 9],
    ]
    const bytes = new Uint8Array(connections, at)
    bytes.set(inbound ? remote : own, CONNECTION.ORIG_IP)
    bytes.set(inbound ? own : remote, CONNECTION.RESP_IP)
    bytes.set([2, 0x0d, 0xe0, 0, 0, 1], CONNECTION.MAC)
    view.setUint16(at + CONNECTION.ORIG_PORT, 50_123, true)
    view.setUint16(at + CONNECTION.RESP_PORT, 443, true)
    view.setUint8(at + CONNECTION.PROTOCOL, protocol)
    view.setUint8(
      at + CONNECTION.FLAGS,
      inbound ? CONNECTION_FLAGS.INBOUND : CONNECTION_FLAGS.ACCEPTS,
    )
  })
  return { count: waiting.length, connections }
}

class Thread {
  devices: readonly AskedDevice[] = []
  given: unknown[] = []
  forgotten: unknown[] = []
  tell: (asked: Connections) => void = () => {}

  start(tell: (asked: Connections) => void): void {
    this.tell = tell
  }
  stop(): void {}
  setDevices(devices: readonly AskedDevice[]): void {
    this.devices = devices
  }
  verdict(...words: unknown[]): void {
    this.given.push(words)
  }
  forget(id?: string): void {
    this.forgotten.push(id)
  }
  counters(): never {
    throw new Error('not asked for')
  }
}

describe('first packets that wait', () => {
  const asks = {
    deviceId: DEVICE,
    mac: '02:0d:e0:00:00:01',
    ips: ['192.0.2.11'],
    restrictions: { ask: { ruleId: 'r' } },
    matches: [],
  }
  function desk(): { desk: FirstPacketDesk; thread: Thread; told: Connection[] } {
    const thread = new Thread()
    const told: Connection[] = []
    const made = new FirstPacketDesk(
      { otherwise: 'accept', deadlineMs: 200 },
      {
        packets: () => thread,
        onConnection: (connection) => told.push(connection),
        nameOf: (_, ip) => (ip === '203.0.113.9' ? 'api.example' : undefined),
        isLocal: (ip) => ip.startsWith('192.0.2.'),
        run: 'r1',
        log: createLog('error', () => {}),
      },
    )
    made.start(place)
    made.apply({ ...NOTHING, devices: [asks] })
    return { desk: made, thread, told }
  }

  it('are told, and decided once', () => {
    const { desk: made, thread, told } = desk()
    thread.tell(
      records([
        { id: 65_537 },
        { id: 131_074, inbound: true, protocol: 17 },
        { id: 3, protocol: 1 },
      ]),
    )
    const [first, second, third] = told
    assert.equal(first?.deadline_ms, (first?.asked_ms ?? 0) + 200)
    assert.deepEqual(
      { ...first, asked_ms: 0, deadline_ms: 0 },
      {
        type: 'connection',
        id: 'r1-1ekh',
        device_id: DEVICE,
        direction: 'outbound',
        protocol: 'tcp',
        originator: { ip: '192.0.2.11', port: 50_123, mac: '02:0d:e0:00:00:01' },
        responder: { ip: '203.0.113.9', port: 443 },
        remote_name: 'api.example',
        service: 'https',
        asked_ms: 0,
        deadline_ms: 0,
        default: 'accept',
      },
    )
    assert.equal(second?.direction, 'inbound')
    assert.equal(second?.default, 'drop')
    assert.equal(second?.originator.mac, undefined)
    assert.equal(third?.protocol, 'icmp')
    assert.equal(third?.responder.port, undefined)
    assert.equal(made.verdict('r1-1ekh', false, 60_000), 'decided')
    for (const id of ['r1-1ekh', 'r2-1ekh', 'r1', '', 'r1-zzzzzzzzzzzzzzz', 'r1-__proto__']) {
      assert.equal(made.verdict(id, true), 'late')
    }
    assert.deepEqual(thread.given, [[65_537, false, 60_000]])
  })

  it('are late behind their deadline, and of devices that are asked about no more', () => {
    const { desk: made, thread, told } = desk()
    thread.tell(
      records([
        { id: 1, leftMs: -1 },
        { id: 2, device: '020de0000009' },
      ]),
    )
    assert.equal(told.length, 1)
    assert.equal(made.verdict('r1-1', true), 'late')
    assert.deepEqual(thread.given, [])
    made.apply(NOTHING)
    assert.deepEqual(thread.forgotten, [DEVICE])
    assert.deepEqual(thread.devices, [])
    assert.match(made.capability().reason, /200 ms/)
    made.stop()
    assert.equal(made.capability().ok, false)
  })
})
