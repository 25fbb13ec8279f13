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
      const isSeen = !turned || resp.seen === true
      assert.equal(own.mac, isSeen ? A : undefined, 'a MAC that was only spoken to is not shown')
      assert.equal(
        (turned ? flow.originator : flow.responder).mac,
        peer === undefined ? undefined : resp.mac,
      )
    })
  }

  it('from an address in no known network is of the device with the MAC, and counts', () => {
    const bench = new FlowBench()
    bench.locality.addRouter(parseMac(ROUTER) as number)
    const far: EndOf = { ip: '198.51.100.7', mac: A, seen: false }
    const [flow] = bench.read({ orig: REMOTE, resp: far, sent: [100, 1], received: [7, 1] })
    assert.deepEqual([flow?.direction, flow?.device_id], ['inbound', A_ID])
    assert.deepEqual([flow?.sent_bytes, flow?.received_bytes], [7, 100], 'seen from the device')
    assert.deepEqual(bench.counted(A_ID), [7, 100, 1, 1])
    const [out] = bench.read({
      slot: 1,
      number: 2,
      orig: { ip: '2001:db8:2::b', mac: B },
      resp: { ip: '2001:db8:9::8', mac: ROUTER },
      sent: [100, 1],
      received: [7, 1],
    })
    assert.deepEqual([out?.direction, out?.device_id], ['outbound', B_ID])
    assert.deepEqual([out?.sent_bytes, out?.received_bytes], [100, 7])
    assert.deepEqual(bench.counted(B_ID), [100, 7, 1, 1])
    assert.deepEqual(
      bench.traffic.take().map((t) => [t.device_id, t.remote, t.sent_bytes, t.received_bytes]),
      [
        [A_ID, '203.0.113.9', 7, 100],
        [B_ID, '2001:db8:9::8', 100, 7],
      ],
    )
    for (const id of [A_ID, B_ID]) assert.equal(bench.inventory.get(id)?.ips.size, 0)
  })

  it('between two such devices of one network is theirs', () => {
    const bench = new FlowBench()
    const [flow] = bench.read({
      orig: { ip: '2001:db8:2::a', mac: A },
      resp: { ip: '2001:db8:2::b', mac: B, seen: true },
      sent: [100, 1],
      received: [7, 1],
    })
    assert.deepEqual(
      [flow?.direction, flow?.device_id, flow?.peer_device_id],
      ['local', A_ID, B_ID],
    )
    assert.deepEqual(bench.counted(A_ID), [100, 7, 1, 1])
    assert.deepEqual(bench.counted(B_ID), [7, 100, 1, 1])
  })

  const strangers: [what: string, prepare: (bench: FlowBench) => void][] = [
    ['has answered for a remote', (bench) => bench.read({ orig: DEVICE, resp: REMOTE })],
    [
      'has no address of the home, while the other end has',
      (bench) => bench.inventory.seen(parseMac(A) as number, '192.0.2.10', false, 1000),
    ],
  ]
  for (const [what, prepare] of strangers) {
    it(`of such a device that is called is not that of a MAC that ${what}`, () => {
      const bench = new FlowBench()
      prepare(bench)
      const before = bench.counted(A_ID)?.[1] ?? 0
      const orig = { ...REMOTE, ip: '2001:db8:9::9' }
      const resp = { ip: '2001:db8:2::a', mac: A, seen: true }
      const [flow] = bench.read({ slot: 1, number: 2, orig, resp, sent: [100, 1] })
      assert.deepEqual([flow?.direction, flow?.device_id], ['inbound', A_ID])
      assert.equal((bench.counted(A_ID)?.[1] ?? 0) - before, 100)
      assert.equal(bench.inventory.get(ROUTER_ID), undefined)
    })
  }

  it('of what routers pass on between strangers is told under one of them, without bytes for it', () => {
    const bench = new FlowBench()
    for (const mac of [ROUTER, B]) bench.locality.addRouter(parseMac(mac) as number)
    const resp = { ip: '198.51.100.7', mac: B, seen: true }
    const [flow] = bench.read({ orig: REMOTE, resp, sent: [100, 1], received: [7, 1] })
    assert.deepEqual([flow?.device_id, flow?.sent_bytes], [ROUTER_ID, 100])
    assert.deepEqual([flow?.originator.mac, flow?.responder.mac], [undefined, undefined])
    assert.deepEqual(bench.counted(ROUTER_ID), [0, 0, 0, 0])
    assert.equal(bench.counted(B_ID), undefined)
  })

  it('no device becomes a router by what it sends alone, nor are its lies another’s', () => {
    const bench = new FlowBench()
    const victim: EndOf = { ip: '192.0.2.10', mac: A }
    bench.read({ orig: victim, resp: REMOTE, sent: [10, 1] })
    const lies = ['8.8.8.8', '198.51.100.1', '203.0.113.77', '2001:db8:7::1', '192.0.2.10']
    for (const [i, ip] of lies.entries()) {
      const resp = ip.includes(':') ? { ...REMOTE, ip: '2001:db8:9::9' } : REMOTE
      bench.read({ slot: i + 1, number: i + 2, orig: { ip, mac: B }, resp, sent: [1000, 1] })
    }
    assert.equal(bench.locality.isRouter(parseMac(B) as number), false)
    assert.equal(bench.counted(A_ID)?.[0], 10)
    assert.equal(bench.counted(B_ID)?.[0], 5000)
    assert.deepEqual([...(bench.inventory.get(B_ID)?.ips.keys() ?? [])], ['192.0.2.10'])
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

  it('a MAC is a router’s once remotes of several networks have answered devices by way of it', () => {
    const bench = new FlowBench('192.0.2.0/24', '2001:db8:1::/64')
    const remotes = ['203.0.113.9', '198.51.100.9', '2001:db8:9::9']
    for (const [i, ip] of remotes.entries()) {
      const orig = ip.includes(':') ? { ip: '2001:db8:1::a', mac: A } : DEVICE
      bench.read({ slot: i, number: i + 1, orig, resp: { ...REMOTE, ip } })
    }
    assert.equal(bench.locality.isRouter(parseMac(ROUTER) as number), true)
    bench.read({ slot: 8, number: 9, orig: { ip: '192.0.2.20', mac: B }, resp: REMOTE })
    // The same address by way of the router: still that device.
    bench.read({ slot: 9, number: 10, orig: { ip: '192.0.2.20', mac: ROUTER }, resp: DEVICE })
    assert.equal(bench.inventory.byAddress('192.0.2.20')?.id, B_ID)
  })

  it('a private address that does not answer is a remote’s, and one that does is a device’s', () => {
    const bench = new FlowBench()
    const resp = { ip: '10.9.0.1', mac: ROUTER, seen: false }
    const record = { orig: DEVICE, resp, sent: [100, 1], received: [0, 0] } as const
    const [scan] = bench.read(record)
    assert.deepEqual([scan?.direction, scan?.peer_device_id], ['outbound', undefined])
    assert.equal(bench.inventory.size, 1)
    const [answered] = bench.read({
      ...record,
      resp: { ...resp, mac: B, seen: true },
      sent: [150, 2],
      received: [60, 1],
    })
    assert.deepEqual([answered?.direction, answered?.peer_device_id], ['local', B_ID])
    assert.deepEqual(bench.counted(B_ID), [60, 150, 1, 2], 'also what came before it answered')
    assert.deepEqual(bench.counted(A_ID), [150, 60, 2, 1])
    const [again] = bench.read({ slot: 1, number: 2, ...record })
    assert.equal(again?.peer_device_id, B_ID, 'now it is known where it is')
  })

  it('a private address behind a router is a remote’s, unless the router says that it is its own', () => {
    const bench = new FlowBench()
    const router = parseMac(ROUTER) as number
    bench.locality.addRouter(router)
    bench.inventory.claimed(router, '10.0.0.1', false, 1000)
    const [own, other] = ['10.0.0.1', '10.0.0.2'].map((ip, i) => {
      const resp = { ip, mac: ROUTER, seen: true }
      return bench.read({ slot: i, number: i + 1, orig: DEVICE, resp, sent: [100, 1] })[0]
    })
    assert.deepEqual([own?.direction, own?.peer_device_id], ['local', ROUTER_ID])
    assert.deepEqual([other?.direction, other?.peer_device_id], ['outbound', undefined])
    assert.deepEqual(bench.counted(ROUTER_ID), [0, 100, 0, 1])
  })

  it('the broadcast address of a network is no device where no MAC shows it', () => {
    const bench = new FlowBench()
    for (const [i, ip] of ['192.0.2.255', '192.0.2.254'].entries()) {
      const [flow] = bench.read({ slot: i, number: i + 1, orig: DEVICE, resp: { ip } })
      assert.deepEqual([flow?.direction, flow?.peer_device_id], ['local', undefined])
    }
    assert.equal(bench.inventory.size, 1)
    for (const [i, ip] of ['192.0.2.255', '0.0.0.0'].entries()) {
      const orig = { ip, seen: true }
      bench.read({ slot: 3 + i, number: 4 + i, orig, resp: { ip: '203.0.113.9' } })
    }
    assert.equal(bench.inventory.size, 1)
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
