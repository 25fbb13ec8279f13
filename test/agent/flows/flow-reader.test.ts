import assert from 'node:assert/strict'
import type { Flow } from '../../../protocol/messages.ts'
import { A, A_ID, B, B_ID, FlowBench, ROUTER } from './flow-bench.ts'
import type { EndOf, RecordOf } from './flow-records.ts'

const DEVICE: EndOf = { ip: '192.0.2.10', mac: A, port: 50123 }
const PEER: EndOf = { ip: '192.0.2.20', mac: B, port: 8123 }
const REMOTE: EndOf = { ip: '203.0.113.9', mac: ROUTER, port: 443 }

const OUT: RecordOf = { orig: DEVICE, resp: REMOTE, sent: [100, 2], received: [1000, 3] }

describe('flows of devices', () => {
  it('are told in full', () => {
    const bench = new FlowBench()
    assert.deepEqual(
      bench.read({ ...OUT, number: 71, state: 'new', firstMs: 1000.75, lastMs: 2000.25 }),
      [
        {
          type: 'flow',
          id: 'r-1z',
          device_id: A_ID,
          direction: 'outbound',
          protocol: 'tcp',
          originator: { ip: '192.0.2.10', port: 50123, mac: A },
          responder: { ip: '203.0.113.9', port: 443 },
          service: 'https',
          sent_bytes: 100,
          received_bytes: 1000,
          sent_packets: 2,
          received_packets: 3,
          first_ms: 1000,
          last_ms: 2000,
          state: 'new',
        },
      ] satisfies Flow[],
    )
  })

  it('count differences, and say cumulative figures', () => {
    const bench = new FlowBench()
    bench.read({ ...OUT, slot: 5, state: 'new' })
    assert.deepEqual(bench.counted(A_ID), [100, 1000, 2, 3])
    const [flow] = bench.read({
      ...OUT,
      slot: 5,
      sent: [150, 3],
      received: [1000, 3],
      lastMs: 3000,
    })
    assert.equal(flow?.sent_bytes, 150)
    assert.deepEqual(bench.counted(A_ID), [150, 1000, 3, 3])
    assert.deepEqual(bench.traffic.take(), [
      {
        device_id: A_ID,
        remote: '203.0.113.9',
        sent_bytes: 150,
        received_bytes: 1000,
        sent_packets: 3,
        received_packets: 3,
      },
    ])
    const [closed] = bench.read({
      ...OUT,
      slot: 5,
      sent: [151, 4],
      received: [1001, 4],
      closedBy: 'fin',
    })
    assert.deepEqual([closed?.state, closed?.closed_by], ['closed', 'fin'])
    assert.deepEqual(bench.counted(A_ID), [151, 1001, 4, 4])
    assert.deepEqual(
      bench.traffic
        .take()
        .map((t) => [t.sent_bytes, t.received_bytes, t.sent_packets, t.received_packets]),
      [[1, 1, 1, 1]],
    )
    assert.equal(bench.inventory.get(A_ID)?.lastSeenMs, 3000)
  })

  it('that begin and end in one record are counted once', () => {
    const bench = new FlowBench()
    for (const closedBy of ['fin', 'rst', 'idle', 'evicted', 'eof'] as const) {
      const [flow] = bench.read({ ...OUT, closedBy })
      assert.equal(flow?.closed_by, closedBy)
    }
    assert.deepEqual(bench.counted(A_ID), [500, 5000, 10, 15])
    assert.equal(bench.reader.size, 0)
  })

  it('in a slot that another flow had before begin at zero', () => {
    const bench = new FlowBench()
    bench.names.add(A_ID, '203.0.113.9', 'one.example', 500)
    bench.read({ ...OUT, slot: 7, number: 1, sent: [1000, 10] })
    bench.read({ ...OUT, slot: 7, number: 1, sent: [1000, 10], closedBy: 'rst' })
    const resp = { ...REMOTE, ip: '203.0.113.10' }
    const [flow] = bench.read({ ...OUT, resp, slot: 7, number: 2, sent: [10, 1], received: [0, 0] })
    assert.equal(flow?.id, 'r-2')
    assert.equal(flow?.remote_name, undefined)
    assert.deepEqual(bench.counted(A_ID), [1010, 1000, 11, 3])
  })

  it('in a slot whose end was never told are not mixed with it', () => {
    const bench = new FlowBench()
    bench.read({ ...OUT, slot: 7, number: 1, sent: [1000, 10], received: [0, 0] })
    bench.read({ ...OUT, slot: 7, number: 2, sent: [10, 1], received: [0, 0], closedBy: 'fin' })
    assert.deepEqual(bench.counted(A_ID), [1010, 0, 11, 0])
    assert.equal(bench.reader.size, 0)
    assert.deepEqual(
      bench.reader.open(10, () => true),
      { flows: [], total: 0 },
    )
  })

  it('of slots far apart are kept apart', () => {
    const bench = new FlowBench()
    const slots = [0, 1, 1023, 1024, 70_000, 4_194_303]
    for (const [i, slot] of slots.entries())
      bench.read({ ...OUT, slot, number: i + 1, sent: [i, 1] })
    for (const [i, slot] of slots.entries())
      bench.read({ ...OUT, slot, number: i + 1, sent: [2 * i, 2] })
    assert.equal(bench.counted(A_ID)?.[0], 2 * (0 + 1 + 2 + 3 + 4 + 5))
    assert.equal(bench.counted(A_ID)?.[1], 6000)
  })

  const protocols: [number, string, number | undefined][] = [
    [1, 'icmp', undefined],
    [6, 'tcp', 443],
    [17, 'udp', 443],
    [47, '47', undefined],
    [58, 'icmpv6', undefined],
    [132, '132', 443],
  ]
  for (const [protocol, name, port] of protocols) {
    it(`of protocol ${protocol} are ${name}, ${port === undefined ? 'without' : 'with'} ports`, () => {
      const [flow] = new FlowBench().read({ ...OUT, protocol })
      assert.equal(flow?.protocol, name)
      assert.equal(flow?.responder.port, port)
      assert.equal('port' in (flow as Flow).originator, port !== undefined)
    })
  }
})

describe('open flows', () => {
  it('are those that changed last first, up to the limit', () => {
    const bench = new FlowBench()
    for (let i = 0; i < 5; i++) bench.read({ ...OUT, slot: i, number: i + 1 })
    bench.read({ ...OUT, slot: 1, number: 2, sent: [200, 4] })
    bench.read({ ...OUT, slot: 3, number: 4, closedBy: 'fin' })
    const ids = (limit: number): string[] =>
      bench.reader.open(limit, () => true).flows.map((f) => f.id)
    assert.deepEqual(ids(10), ['r-2', 'r-5', 'r-3', 'r-1'])
    assert.deepEqual(ids(2), ['r-2', 'r-5'])
    assert.equal(bench.reader.open(2, () => true).total, 4)
    assert.equal(bench.reader.open(1, () => true).flows[0]?.sent_bytes, 200)
    assert.equal(bench.reader.size, 4)
  })

  it('are those that are accepted', () => {
    const bench = new FlowBench()
    bench.read({ ...OUT, slot: 0, number: 1 }, { ...OUT, orig: PEER, slot: 1, number: 2 })
    const { flows, total } = bench.reader.open(10, (ends) => ends.owner.id === B_ID)
    assert.deepEqual([flows.map((f) => f.id), total], [['r-2'], 1])
  })
})

describe('names of remotes', () => {
  it('are from DNS before TLS, as they were when the flow began', () => {
    const bench = new FlowBench()
    bench.names.add(A_ID, REMOTE.ip, 'old.example', 500)
    bench.names.add(A_ID, REMOTE.ip, 'dns.example', 900)
    bench.names.add(A_ID, REMOTE.ip, 'later.example', 1500)
    bench.reader.noteSni(0, 'tls.example')
    const [flow] = bench.read({ ...OUT, firstMs: 1000, lastMs: 2000 })
    assert.deepEqual(
      [flow?.remote_name, flow?.remote_name_source, flow?.sni],
      ['dns.example', 'dns', 'tls.example'],
    )
    assert.equal(bench.traffic.take()[0]?.remote, 'dns.example')
  })

  it('are from TLS without DNS, also when it comes late', () => {
    const bench = new FlowBench()
    bench.reader.noteSni(1, 'early.example')
    const [early, late] = bench.read(
      { ...OUT, slot: 1, number: 1 },
      { ...OUT, slot: 2, number: 2, orig: { ...DEVICE, port: 2 } },
    )
    assert.deepEqual([early?.remote_name, early?.remote_name_source], ['early.example', 'sni'])
    assert.equal(late?.remote_name, undefined)
    bench.reader.noteSni(2, 'late.example')
    const [again] = bench.read({
      ...OUT,
      slot: 2,
      number: 2,
      orig: { ...DEVICE, port: 2 },
      sent: [200, 4],
    })
    assert.deepEqual([again?.remote_name, again?.sni], ['late.example', 'late.example'])
    assert.equal(bench.reader.open(1, () => true).flows[0]?.remote_name, 'late.example')
  })

  it('of a flow do not go to the next one in its slot', () => {
    const bench = new FlowBench()
    bench.reader.noteSni(1, 'one.example')
    bench.read({ ...OUT, slot: 1, number: 1, closedBy: 'fin' })
    const [next] = bench.read({ ...OUT, slot: 1, number: 2 })
    assert.deepEqual([next?.remote_name, next?.sni], [undefined, undefined])
  })

  it('are those that the device itself was told', () => {
    const bench = new FlowBench()
    bench.names.add(B_ID, REMOTE.ip, 'other.example', 500)
    assert.equal(bench.read(OUT)[0]?.remote_name, undefined)
  })

  it('of local flows are none: a server name stays one', () => {
    const bench = new FlowBench()
    bench.names.add(A_ID, PEER.ip, 'nas.home', 500)
    bench.reader.noteSni(0, 'nas.example')
    const [flow] = bench.read({ ...OUT, resp: PEER })
    assert.deepEqual([flow?.remote_name, flow?.sni], [undefined, 'nas.example'])
  })

  it('of who calls from outside are from DNS alone', () => {
    const bench = new FlowBench()
    bench.names.add(A_ID, REMOTE.ip, 'dns.example', 500)
    bench.reader.noteSni(0, 'camera.example')
    bench.reader.noteSni(1, 'camera.example')
    const [named, unnamed] = bench.read(
      { orig: REMOTE, resp: DEVICE, slot: 0, number: 1 },
      { orig: { ...REMOTE, ip: '203.0.113.10' }, resp: DEVICE, slot: 1, number: 2 },
    )
    assert.deepEqual([named?.remote_name, named?.remote_name_source], ['dns.example', 'dns'])
    assert.deepEqual([unnamed?.remote_name, unnamed?.sni], [undefined, 'camera.example'])
  })
})

describe('a MAC that is seen later', () => {
  it('gives the rest of the flow to its device, and counts nothing twice', () => {
    const bench = new FlowBench()
    const resp = { ...PEER, seen: false }
    bench.names.add(A_ID, PEER.ip, 'x.example', 1)
    const [first] = bench.read({ ...OUT, orig: DEVICE, resp, received: [0, 0] })
    assert.equal(first?.peer_device_id, B_ID)
    bench.read({
      ...OUT,
      orig: DEVICE,
      resp: { ...PEER, seen: true },
      sent: [150, 3],
      received: [70, 1],
    })
    assert.deepEqual(bench.counted(A_ID), [150, 70, 3, 1])
    assert.deepEqual(bench.counted(B_ID), [70, 150, 1, 3])
  })

  it('of a router that stood for the peer goes over to the peer', () => {
    const bench = new FlowBench()
    const resp: EndOf = { ...PEER, mac: ROUTER, seen: false }
    bench.read({ ...OUT, resp, received: [0, 0] })
    const [flow] = bench.read({
      ...OUT,
      resp: { ...PEER, seen: true },
      sent: [150, 3],
      received: [70, 1],
    })
    assert.equal(flow?.peer_device_id, B_ID)
    assert.deepEqual(bench.counted(A_ID), [150, 70, 3, 1])
    assert.deepEqual(bench.counted(B_ID), [70, 50, 1, 1])
  })
})
