import assert from 'node:assert/strict'
import { createCapture } from '../../native/index.ts'
import type { Captured } from './packets.ts'
import { ACK, Conversation, ethernet, FIN, ipv6, pcap, RST, SYN } from './packets.ts'
import type { FlowRow } from './replay.ts'
import { replay } from './replay.ts'

const talk = new Conversation()
const at = (seconds: number, data: Buffer): Captured => ({ at: seconds, data })
const tcp = (seconds: number, up: boolean, flags: number): Captured =>
  at(seconds, talk.tcp(up, { flags }))
const udp = (seconds: number, up = true, port = 50000): Captured =>
  at(seconds, new Conversation({ clientPort: port, serverPort: 9 }).udp(up, Buffer.from('x')))

const handshake = [tcp(0, true, SYN), tcp(0.1, false, SYN | ACK), tcp(0.2, true, ACK)]

async function flowsOf(packets: Captured[]): Promise<FlowRow[]> {
  const { flows, counters, rows } = await replay(pcap(packets), { updates: false })
  assert.equal(counters.flows, flows.length)
  assert.equal(rows.length, flows.length)
  assert.equal(counters.liveFlows, 0)
  return flows
}

describe('native flows: how they end', () => {
  it('ends as fin five seconds after FIN from both ends, with the last ACK counted to it', async () => {
    const flows = await flowsOf([
      ...handshake,
      tcp(1, true, FIN | ACK),
      tcp(2, false, FIN | ACK),
      tcp(6.9, true, ACK),
      udp(20),
    ])
    assert.equal(flows[0]?.closedBy, 'fin')
    assert.equal(flows[0]?.origPackets, 4)
    assert.equal(flows[0]?.origFlags, SYN | ACK | FIN)
    assert.equal(flows[0]?.respFlags, SYN | ACK | FIN)
  })

  it('stays open after FIN from one end', async () => {
    const flows = await flowsOf([
      ...handshake,
      tcp(1, true, FIN | ACK),
      tcp(100, false, ACK),
      udp(200),
    ])
    assert.equal(flows[0]?.closedBy, 'eof')
  })

  it('ends as rst after RST', async () => {
    const flows = await flowsOf([...handshake, tcp(1, false, RST), udp(20)])
    assert.equal(flows[0]?.closedBy, 'rst')
  })

  it('ends as fin or rst at the end of the capture too, when it was closing', async () => {
    const flows = await flowsOf([...handshake, tcp(1, true, FIN), tcp(2, false, FIN)])
    assert.equal(flows[0]?.closedBy, 'fin')
  })

  it('begins anew with a SYN while it is closing, and with any packet after five seconds', async () => {
    const closing = [...handshake, tcp(1, true, FIN), tcp(1, false, FIN)]
    const syn = await flowsOf([...closing, tcp(2, true, SYN)])
    assert.deepEqual(
      syn.map((flow) => [flow.closedBy, flow.origPackets]),
      [
        ['fin', 3],
        ['eof', 1],
      ],
    )
    const late = await flowsOf([...closing, tcp(6.5, true, ACK)])
    assert.deepEqual(
      late.map((flow) => flow.closedBy),
      ['fin', 'eof'],
    )
    const open = await flowsOf([...handshake, tcp(2, true, SYN)])
    assert.equal(open.length, 1)
  })

  it("ends by its protocol's time-out, to the microsecond", async () => {
    assert.equal((await flowsOf([udp(0), udp(60)])).length, 1)
    const two = await flowsOf([udp(0), udp(60.000001)])
    assert.deepEqual(
      two.map((flow) => flow.closedBy),
      ['idle', 'eof'],
    )
    const long = await flowsOf([...handshake, tcp(600.2, true, ACK), tcp(1200.3, true, ACK)])
    assert.deepEqual(
      long.map((flow) => flow.closedBy),
      ['idle', 'eof'],
    )
  })

  it('times out by a clock that other packets move, also over hours', async () => {
    const flows = await flowsOf([
      udp(0),
      udp(1, true, 1111),
      udp(30, true, 1111),
      udp(7300, true, 2222),
      udp(7301, true, 1111),
    ])
    assert.deepEqual(
      flows.map((flow) => flow.closedBy),
      ['idle', 'idle', 'eof', 'eof'],
    )
    assert.equal(flows[1]?.origPackets, 2)
  })

  it('takes time-outs from the options', async () => {
    const packets = [udp(0), udp(3)]
    assert.equal((await replay(pcap(packets), { udpIdleSeconds: 2 })).flows.length, 2)
    const conversation = [...handshake, tcp(3, true, ACK)]
    assert.equal((await replay(pcap(conversation), { tcpIdleSeconds: 2 })).flows.length, 2)
  })

  it('ends a minute after a SYN that nobody answers, and no sooner than the next SYN comes', async () => {
    const syns = [0, 1, 3, 7, 15, 31, 63].map((second) => tcp(second, true, SYN))
    const flows = await flowsOf([...syns, udp(122), udp(124), udp(126)])
    assert.deepEqual(
      flows.map((flow) => [flow.protocol, flow.closedBy, flow.origPackets]),
      [
        [6, 'idle', 7],
        [17, 'eof', 3],
      ],
    )
    const waited = await flowsOf([tcp(0, true, SYN), udp(58), udp(60), udp(62), udp(64)])
    assert.equal(waited[0]?.closedBy, 'idle')
    const early = await flowsOf([tcp(0, true, SYN), udp(58), udp(60)])
    assert.equal(early[0]?.closedBy, 'eof')
  })

  it('stays open like any TCP once more than a SYN was seen, from either end', async () => {
    for (const packet of [tcp(0.1, false, SYN | ACK), tcp(0.2, true, ACK)]) {
      const rest = [udp(30), udp(90), udp(150)]
      const flows = await flowsOf([tcp(0, true, SYN), packet, ...rest, tcp(200, true, ACK)])
      assert.deepEqual(
        flows.map((flow) => flow.closedBy),
        ['eof', 'eof'],
      )
    }
    const refused = await flowsOf([tcp(0, true, SYN), tcp(0.1, false, RST | ACK), udp(20), udp(21)])
    assert.equal(refused[0]?.closedBy, 'rst')
    const short = [tcp(0, true, SYN), udp(1), udp(3), udp(5)]
    const { flows } = await replay(pcap(short), { tcpIdleSeconds: 2 })
    assert.equal(flows[0]?.closedBy, 'idle', 'no longer than any other TCP')
  })

  it('does not fill the table with what a scanner asks', async () => {
    const packets = Array.from({ length: 3000 }, (_, i) => {
      const scan = new Conversation({ server: `203.0.113.${i % 250}`, serverPort: 1 + i })
      return at(i / 10, scan.tcp(true, { flags: SYN }))
    })
    const { counters, flows } = await replay(pcap(packets), { maxFlows: 700, updates: false })
    assert.equal(counters.flowsEvicted, 0)
    assert.equal(flows.length, 3000)
  })

  it('survives a clock that jumps far ahead and comes back', async () => {
    const { counters, flows } = await replay(
      pcap([udp(0), udp(500_000_000, true, 7), udp(1), udp(2)]),
    )
    assert.equal(counters.packets, 4)
    assert.equal(
      flows.reduce((sum, flow) => sum + flow.origPackets, 0),
      4,
    )
  })
})

describe('native flows: who began', () => {
  const first = async (packet: Captured, before: Captured[] = []): Promise<string | undefined> =>
    (await replay(pcap([...before, packet]))).flows.at(-1)?.orig

  it('is the sender of the first packet', async () => {
    assert.equal(await first(tcp(0, true, SYN)), '192.0.2.11:50123')
  })

  it('is the other end when the first packet is SYN+ACK', async () => {
    assert.equal(await first(tcp(0, false, SYN | ACK)), '192.0.2.11:50123')
  })

  it('is the other end when TCP is seen from its middle, from a low port to a high one', async () => {
    assert.equal(await first(tcp(0, false, ACK)), '192.0.2.11:50123')
    assert.equal(await first(tcp(90, false, ACK), [udp(0)]), '192.0.2.11:50123')
    const high = new Conversation({ serverPort: 8443 })
    assert.equal(await first(at(0, high.tcp(false, { flags: ACK }))), '203.0.113.9:8443')
  })

  it('is the other end of a UDP answer in the first five seconds alone', async () => {
    assert.equal(await first(udp(4, false), [udp(0, true, 9999)]), '192.0.2.11:50000')
    assert.equal(await first(udp(6, false), [udp(0, true, 9999)]), '203.0.113.9:9')
  })

  it('is each device of its own where several send without an address', async () => {
    const [a, b] = ['02:0d:e0:00:00:0a', '02:0d:e0:00:00:0b'] as const
    const discover = (mac: string): Buffer =>
      new Conversation({
        client: '0.0.0.0',
        clientPort: 68,
        clientMac: mac,
        server: '255.255.255.255',
        serverPort: 67,
        serverMac: 'ff:ff:ff:ff:ff:ff',
      }).udp(true, Buffer.from('x'))
    const report = (mac: string): Buffer =>
      ethernet(0x86dd, ipv6(Buffer.alloc(28, 143), { src: '::', dst: 'ff02::16', next: 58 }), {
        src: mac,
        dst: '33:33:00:00:00:16',
      })
    const each = [discover(a), report(a), discover(b), report(b)]
    const { flows } = await replay(pcap([...each, ...each]))
    assert.deepEqual(
      flows.map((flow) => [flow.origMac, flow.orig, flow.origPackets]),
      [
        [a, '0.0.0.0:68', 2],
        [a, ':::0', 2],
        [b, '0.0.0.0:68', 2],
        [b, ':::0', 2],
      ],
    )
  })

  it('has the MAC that its frames came from, else the one that frames went to', async () => {
    const odd = new Conversation({ serverPort: 9, serverMac: '02:0d:e0:ff:00:99' })
    const same = new Conversation({ serverPort: 9 })
    const { flows } = await replay(
      pcap([same.udp(true, Buffer.from('x')), odd.udp(false, Buffer.from('x'))]),
    )
    assert.equal(flows[0]?.respMac, '02:0d:e0:ff:00:99')
    assert.equal(flows[0]?.respMacSeen, true)
  })
})

describe('native flows: the table', () => {
  it('evicts the flow that was idle for longest at the cap, and counts it', async () => {
    const packets = Array.from({ length: 40 }, (_, i) => udp(i, true, 1000 + i))
    packets.splice(16, 0, udp(15.5, true, 1000))
    const { rows, flows, counters } = await replay(pcap(packets), { maxFlows: 16, updates: false })
    assert.equal(counters.flowsEvicted, 24)
    assert.equal(flows.filter((flow) => flow.closedBy === 'evicted').length, 24)
    assert.equal(rows[0]?.orig, '192.0.2.11:1001')
    assert.equal(
      flows.reduce((sum, flow) => sum + flow.origPackets, 0),
      41,
    )
    // The one that spoke again outlived its neighbours.
    const again = flows[0]
    assert.equal(again?.origPackets, 2)
  })

  it('hands up every flow once at its end with updates off, and new before closed with them on', async () => {
    const packets = Array.from({ length: 30_000 }, (_, i) => udp(i / 100, true, 1 + i))
    const once = await replay(pcap(packets), { updates: false })
    assert.equal(once.rows.length, 30_000)
    assert.ok(once.rows.every((row) => row.state === 'closed'))
    const twice = await replay(pcap(packets))
    assert.equal(twice.flows.length, 30_000)
    assert.ok(twice.flows.every((row) => row.state === 'closed'))
    const told = new Set<number>()
    for (const row of twice.rows) {
      if (row.state === 'new') assert.ok(!told.has(row.number))
      if (row.state === 'active') assert.ok(told.has(row.number))
      told.add(row.number)
    }
  })

  it('does not use a slot again before its closed record was handed up', async () => {
    const packets = Array.from({ length: 20_000 }, (_, i) => udp(i, true, 1 + (i % 60000)))
    const { rows } = await replay(pcap(packets), { maxFlows: 64 })
    const open = new Map<number, number>()
    for (const row of rows) {
      const holder = open.get(row.slot)
      assert.ok(holder === undefined || holder === row.number)
      if (row.state === 'closed') open.delete(row.slot)
      else open.set(row.slot, row.number)
    }
  })

  it('is empty before the start and after the end', () => {
    const capture = createCapture()
    assert.throws(() => capture.start(() => {}), /no source/)
    assert.equal(capture.drain().flowCount, 0)
    capture.stop()
    assert.equal(capture.drain().ended, true)
    assert.throws(() => capture.start(() => {}), /stopped already/)
  })
})
