import assert from 'node:assert/strict'
import { parseMac } from '../../../agent/address.ts'
import type { Direction } from '../../../protocol/messages.ts'
import { A, A_ID, B, B_ID, FlowBench, ROUTER, ROUTER_ID } from './flow-bench.ts'
import type { EndOf } from './flow-records.ts'

const GROUP = '01:00:5e:00:00:fb'
const BROADCAST = 'ff:ff:ff:ff:ff:ff'
const DEVICE: EndOf = { ip: '192.0.2.10', mac: A }
const REMOTE: EndOf = { ip: '203.0.113.9', mac: ROUTER, seen: true }

interface Case {
  what: string
  orig: EndOf
  resp: EndOf
  direction: Direction
  device: string
  peer?: string
  /** Bytes that devices have sent and received after [100 → , 7 ←]. */
  counted: Record<string, [sent: number, received: number]>
}

const cases: Case[] = [
  {
    what: 'to the internet',
    orig: DEVICE,
    resp: REMOTE,
    direction: 'outbound',
    device: A_ID,
    counted: { [A_ID]: [100, 7] },
  },
  {
    what: 'from the internet',
    orig: REMOTE,
    resp: { ...DEVICE, seen: true },
    direction: 'inbound',
    device: A_ID,
    counted: { [A_ID]: [7, 100] },
  },
  {
    what: 'from the internet, without an answer',
    orig: REMOTE,
    resp: DEVICE,
    direction: 'inbound',
    device: A_ID,
    counted: { [A_ID]: [7, 100] },
  },
  {
    what: 'from device to device',
    orig: DEVICE,
    resp: { ip: '192.0.2.20', mac: B, seen: true },
    direction: 'local',
    device: A_ID,
    peer: B_ID,
    counted: { [A_ID]: [100, 7], [B_ID]: [7, 100] },
  },
  {
    what: 'to the router itself',
    orig: DEVICE,
    resp: { ip: '192.0.2.1', mac: ROUTER, seen: true },
    direction: 'local',
    device: A_ID,
    peer: ROUTER_ID,
    counted: { [A_ID]: [100, 7], [ROUTER_ID]: [7, 100] },
  },
  {
    what: 'to a multicast group',
    orig: DEVICE,
    resp: { ip: '224.0.0.251', mac: GROUP },
    direction: 'local',
    device: A_ID,
    counted: { [A_ID]: [100, 7] },
  },
  {
    what: 'to all',
    orig: DEVICE,
    resp: { ip: '255.255.255.255', mac: BROADCAST },
    direction: 'local',
    device: A_ID,
    counted: { [A_ID]: [100, 7] },
  },
  {
    what: 'to all of the network',
    orig: DEVICE,
    resp: { ip: '192.0.2.255', mac: BROADCAST },
    direction: 'local',
    device: A_ID,
    counted: { [A_ID]: [100, 7] },
  },
  {
    what: 'to a group of IPv6',
    orig: { ip: '2001:db8:1::a', mac: A },
    resp: { ip: 'ff02::fb', mac: '33:33:00:00:00:fb' },
    direction: 'local',
    device: A_ID,
    counted: { [A_ID]: [100, 7] },
  },
  {
    what: 'before it has an address (DHCP)',
    orig: { ip: '0.0.0.0', mac: A },
    resp: { ip: '255.255.255.255', mac: BROADCAST },
    direction: 'local',
    device: A_ID,
    counted: { [A_ID]: [100, 7] },
  },
  {
    what: 'before it has an address of IPv6 (DAD)',
    orig: { ip: '::', mac: A },
    resp: { ip: 'ff02::1:ff00:a', mac: '33:33:ff:00:00:0a' },
    direction: 'local',
    device: A_ID,
    counted: { [A_ID]: [100, 7] },
  },
  {
    what: 'from one link-local address to another',
    orig: { ip: 'fe80::a', mac: A },
    resp: { ip: 'fe80::b', mac: B, seen: true },
    direction: 'local',
    device: A_ID,
    peer: B_ID,
    counted: { [A_ID]: [100, 7], [B_ID]: [7, 100] },
  },
  {
    what: 'from a private address outside the prefixes',
    orig: { ip: '10.0.0.5', mac: A },
    resp: REMOTE,
    direction: 'outbound',
    device: A_ID,
    counted: { [A_ID]: [100, 7] },
  },
]

describe('the direction of a flow', () => {
  for (const { what, orig, resp, direction, device, peer, counted } of cases) {
    it(what, () => {
      const bench = new FlowBench()
      const [flow] = bench.read({ orig, resp, protocol: 17, sent: [100, 1], received: [7, 1] })
      assert.equal(flow?.direction, direction)
      assert.equal(flow.device_id, device)
      assert.equal(flow.peer_device_id, peer)
      const turned = direction === 'inbound'
      assert.deepEqual([flow.sent_bytes, flow.received_bytes], turned ? [7, 100] : [100, 7])
      const found = [...bench.inventory.all()].map((e) => [e.id, [e.sentBytes, e.receivedBytes]])
      assert.deepEqual(Object.fromEntries(found), counted)
      const own = turned ? flow.responder : flow.originator
      assert.equal(own.mac, A)
      assert.equal(
        (turned ? flow.originator : flow.responder).mac,
        peer === undefined ? undefined : resp.mac,
      )
    })
  }

  it('of what a router passes on between strangers is told under it, without bytes for it', () => {
    const bench = new FlowBench()
    const far: EndOf = { ip: '198.51.100.7', mac: A, seen: false }
    const [flow] = bench.read({ orig: REMOTE, resp: far, sent: [100, 1], received: [7, 1] })
    assert.deepEqual([flow?.direction, flow?.device_id], ['inbound', A_ID])
    assert.deepEqual([flow?.sent_bytes, flow?.received_bytes], [7, 100], 'seen from the device')
    assert.deepEqual([flow?.originator.mac, flow?.responder.mac], [undefined, undefined])
    assert.deepEqual(bench.counted(A_ID), [0, 0, 0, 0])
    const [out] = bench.read({
      slot: 1,
      number: 2,
      orig: { ...far, mac: B, seen: false },
      resp: { ip: '203.0.113.8', mac: A },
      sent: [100, 1],
      received: [7, 1],
    })
    assert.deepEqual([out?.direction, out?.device_id], ['outbound', B_ID])
    assert.deepEqual([out?.sent_bytes, out?.received_bytes], [100, 7])
    assert.deepEqual(bench.counted(B_ID), [0, 0, 0, 0])
  })

  it('no device comes of a group as source', () => {
    const bench = new FlowBench()
    bench.read({ orig: { ip: '203.0.113.9', mac: GROUP }, resp: { ip: '198.51.100.1', mac: B } })
    bench.read({
      slot: 1,
      number: 2,
      orig: { ip: '192.0.2.9', mac: GROUP },
      resp: { ip: '198.51.100.1', mac: B },
    })
    assert.ok([...bench.inventory.all()].every((e) => e.mac !== parseMac(GROUP)))
  })

  it('a device behind a router is itself where its own MAC is known', () => {
    const bench = new FlowBench('192.0.2.0/24', '198.51.100.0/24')
    bench.locality.addRouter(parseMac(ROUTER) as number)
    const peer: EndOf = { ip: '198.51.100.20', mac: B, seen: true }
    bench.read({ orig: peer, resp: REMOTE })
    const [flow] = bench.read({
      slot: 1,
      number: 2,
      orig: DEVICE,
      resp: { ...peer, mac: ROUTER, seen: true },
    })
    assert.deepEqual([flow?.direction, flow?.peer_device_id], ['local', B_ID])
  })

  it('a device that lies about its address once does not take the traffic to it for ever', () => {
    const bench = new FlowBench()
    bench.read({ orig: DEVICE, resp: REMOTE })
    bench.read({ slot: 1, number: 2, orig: { ...DEVICE, mac: B }, resp: REMOTE, closedBy: 'rst' })
    bench.read({ slot: 2, number: 3, orig: DEVICE, resp: { ...REMOTE, ip: '203.0.113.10' } })
    const [flow] = bench.read({
      slot: 3,
      number: 4,
      orig: REMOTE,
      resp: { ...DEVICE, seen: false },
      sent: [900, 1],
    })
    assert.equal(flow?.device_id, A_ID)
  })

  it('without MACs goes by addresses', () => {
    const bench = new FlowBench()
    const [out] = bench.read({
      orig: { ip: '192.0.2.10' },
      resp: { ip: '203.0.113.9' },
      sent: [100, 1],
    })
    assert.equal(out?.direction, 'outbound')
    assert.match(out.device_id, /^[0-9a-f]{16}$/)
    assert.equal('mac' in out.originator, false)
    const [inward] = bench.read({
      slot: 1,
      number: 2,
      orig: { ip: '203.0.113.9' },
      resp: { ip: '192.0.2.10' },
    })
    assert.deepEqual([inward?.direction, inward?.device_id], ['inbound', out.device_id])
  })
})
