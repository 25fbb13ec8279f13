// Flows that go on while their device is forgotten, refused or becomes several.
import assert from 'node:assert/strict'
import { Inventory } from '../../../agent/inventory/inventory.ts'
import { A, A_ID, B_ID, FlowBench, ROUTER } from './flow-bench.ts'
import type { EndOf, RecordOf } from './flow-records.ts'

const DEVICE: EndOf = { ip: '192.0.2.10', mac: A, port: 50123 }
const REMOTE: EndOf = { ip: '203.0.113.9', mac: ROUTER, port: 443 }
const OUT: RecordOf = { orig: DEVICE, resp: REMOTE, sent: [100, 2], received: [1000, 3] }

/** Device, bytes sent and received of what history is told. */
function told(bench: FlowBench): unknown[] {
  return bench.traffic.take().map((t) => [t.device_id, t.sent_bytes, t.received_bytes])
}

describe('a flow that goes on', () => {
  it('when its device was forgotten is of the device that comes back, from then on', () => {
    const bench = new FlowBench()
    bench.read(OUT)
    told(bench)
    const before = bench.inventory.get(A_ID)
    bench.inventory.forget(A_ID)
    bench.inventory.takeChanges()
    const [flow] = bench.read({ ...OUT, sent: [150, 3] })
    const after = bench.inventory.get(A_ID)
    assert.ok(after !== undefined && after !== before, 'listed anew')
    assert.deepEqual(
      bench.inventory.takeChanges().map(({ kind }) => kind),
      ['device_new'],
    )
    assert.equal(flow?.device_id, A_ID)
    assert.equal(flow.sent_bytes, 150, 'the flow is the same')
    assert.deepEqual(bench.counted(A_ID), [50, 0, 1, 0])
    assert.deepEqual(told(bench), [[A_ID, 50, 0]])
    bench.read({ ...OUT, sent: [160, 4] })
    assert.deepEqual(bench.counted(A_ID), [60, 0, 2, 0])
    assert.equal(bench.inventory.get(A_ID), after)
  })

  it('no more does not bring a forgotten device back', () => {
    const bench = new FlowBench()
    bench.read(OUT)
    told(bench)
    bench.inventory.forget(A_ID)
    const [closed] = bench.read({ ...OUT, closedBy: 'idle' })
    assert.deepEqual([closed?.device_id, closed?.closed_by], [A_ID, 'idle'])
    assert.equal(bench.inventory.size, 0)
    assert.deepEqual(told(bench), [])
  })

  it('when its responder was forgotten is of the one that comes back', () => {
    const bench = new FlowBench()
    const local: RecordOf = {
      ...OUT,
      resp: { ip: '192.0.2.20', mac: '02:00:00:00:00:0b', seen: true },
    }
    bench.read(local)
    bench.inventory.forget(B_ID)
    bench.read({ ...local, sent: [150, 3] })
    assert.deepEqual(bench.counted(B_ID), [0, 50, 0, 1])
  })

  it('when its MAC becomes shared is of the device with its address', () => {
    const bench = new FlowBench()
    bench.read(OUT)
    const others = Array.from({ length: 8 }, (_, i) => ({
      ...OUT,
      slot: i + 1,
      number: i + 2,
      orig: { ...DEVICE, ip: `192.0.2.${i + 20}` },
    }))
    bench.read(...others)
    assert.equal(bench.inventory.get(A_ID)?.shared, true)
    const mac = bench.counted(A_ID)
    told(bench)
    const [flow] = bench.read({ ...OUT, sent: [150, 3] })
    assert.match(flow?.device_id ?? '', /^[0-9a-f]{16}$/)
    assert.equal(bench.inventory.byAddress('192.0.2.10')?.id, flow?.device_id)
    assert.deepEqual(told(bench), [[flow?.device_id, 50, 0]])
    assert.deepEqual(bench.counted(A_ID), mac, 'no total falls')
    assert.equal('mac' in (flow?.originator ?? {}), false, 'the MAC is the repeater’s')
  })

  it('to an address that nobody has shows no peer, and is not kept for one', () => {
    const bench = new FlowBench()
    const [flow] = bench.read({
      orig: { ip: '192.0.2.10', seen: true },
      resp: { ip: '192.0.2.77' },
    })
    assert.deepEqual([flow?.direction, flow?.peer_device_id], ['local', undefined])
    assert.equal(bench.inventory.size, 1)
    assert.equal(bench.traffic.take().length, 1)
    const [inward] = bench.read({
      slot: 1,
      number: 2,
      orig: { ip: '203.0.113.9', seen: true },
      resp: { ip: '192.0.2.77' },
      sent: [500, 5],
    })
    assert.deepEqual([inward?.direction, inward?.sent_bytes], ['inbound', 0])
    assert.equal(bench.traffic.take().length, 0)
    const [answered] = bench.read({
      slot: 1,
      number: 2,
      orig: { ip: '203.0.113.9', seen: true },
      resp: { ip: '192.0.2.77', seen: true },
      sent: [600, 6],
      received: [50, 1],
    })
    assert.equal(answered?.device_id, inward?.device_id)
    assert.deepEqual(bench.counted(answered?.device_id ?? ''), [50, 600, 1, 6])
  })

  it('of a newcomer that a full table does not take is told, and kept for nobody', () => {
    const inventory = new Inventory({
      vendorOf: () => undefined,
      maxDevices: 16,
      isOrdered: () => true,
    })
    for (let i = 0; i < 16; i++) inventory.seen(2 ** 40 + i * 2, '', false, 1000)
    const bench = new FlowBench({ inventory })
    const [flow] = bench.read(OUT)
    assert.deepEqual([flow?.device_id, flow?.direction], [A_ID, 'outbound'])
    bench.read({ ...OUT, sent: [200, 3] })
    assert.deepEqual(told(bench), [])
    assert.deepEqual(bench.begun, [])
    assert.deepEqual([inventory.size, inventory.refused], [16, 1])
  })

  it('is begun once, however often it is asked anew whose it is', () => {
    const bench = new FlowBench()
    bench.read(OUT)
    bench.inventory.forget(A_ID)
    bench.read({ ...OUT, sent: [150, 3] })
    assert.deepEqual(bench.begun, [[A_ID, '203.0.113.9', 443, 1]])
  })
})
