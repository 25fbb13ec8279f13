import assert from 'node:assert/strict'
import type { Captured } from './packets.ts'
import { ethernet, ipv4, ipv6, pcap, START_S, u, udp } from './packets.ts'
import type { Replay } from './replay.ts'
import { replay } from './replay.ts'

interface PartOptions {
  id?: number
  port?: number
  at?: number
}

/** 2008 bytes of UDP. */
const bytesOf = (port: number): Buffer => udp(port, 6000, Buffer.alloc(2000))

/** A part of a datagram over IPv4; offsets are multiples of eight. */
function part4(from: number, to: number, given: PartOptions = {}): Captured {
  const { id = 9, port = 5000, at = 0 } = given
  const whole = bytesOf(port)
  const more = to < whole.length
  const packet = ipv4(whole.subarray(from, to), { id, fragmentOffset: from, moreFragments: more })
  return { at, data: ethernet(0x0800, packet) }
}

/** A part of a datagram over IPv6 whose UDP header stands behind destination options (RFC 8200, 4.6). */
function part6(from: number, to: number, id = 9): Captured {
  const whole = Buffer.concat([u(1, 17, 0), Buffer.alloc(6), bytesOf(5000)])
  const field = from | (to < whole.length ? 1 : 0)
  const head = Buffer.concat([u(1, 60, 0), u(2, field), u(4, id)])
  const packet = ipv6(Buffer.concat([head, whole.subarray(from, to)]), { next: 44 })
  return { data: ethernet(0x86dd, packet) }
}

const rows = ({ flows }: Replay): unknown[] =>
  flows.map((flow) => [flow.protocol, flow.orig, flow.origPackets, flow.origBytes])

async function played(packets: Captured[]): Promise<Replay> {
  const result = await replay(pcap(packets), { updates: false })
  const packetsOfFlows = result.flows.reduce((sum, flow) => sum + flow.origPackets, 0)
  assert.equal(packetsOfFlows, packets.length, 'each is counted to a flow')
  assert.equal(result.counters.ipPackets, packets.length)
  return result
}

describe('native fragments', () => {
  it('count to the flow of the first one, also those that come before it', async () => {
    const first = part4(0, 1000, { at: 0.2 })
    const early = [part4(1600, 2008), part4(1000, 1600, { at: 0.1 })]
    const found = await played([...early, first, part4(1000, 1600, { at: 0.3 })])
    assert.deepEqual(rows(found), [[17, '192.0.2.11:5000', 4, 2008 + 600 + 80]])
    assert.equal(found.flows[0]?.firstMs, START_S * 1000)
    assert.equal(found.flows[0]?.lastMs, START_S * 1000 + 300)
    assert.equal(found.flows[0]?.origMac, '02:0d:e0:00:00:01')
  })

  it('count to their flow over IPv6 with options behind the fragment header, in any order', async () => {
    for (const packets of [
      [part6(0, 1200), part6(1200, 2016)],
      [part6(1200, 2016), part6(0, 1200)],
    ]) {
      assert.deepEqual(rows(await played(packets)), [[17, '2001:db8:1::b:5000', 2, 2016 + 2 * 48]])
    }
  })

  it('do not wait for a first one that is of another datagram, or does not come', async () => {
    const alone = part4(1000, 2008, { id: 77 })
    assert.deepEqual(rows(await played([alone, part4(0, 1000)])), [
      [17, '192.0.2.11:5000', 1, 1020],
      [17, '192.0.2.11:0', 1, 1028],
    ])
    const late = [alone, part4(0, 1000, { id: 78, at: 3 }), part4(0, 1000, { id: 77, at: 3.1 })]
    assert.deepEqual(rows(await played(late)), [
      [17, '192.0.2.11:0', 1, 1028],
      [17, '192.0.2.11:5000', 2, 2040],
    ])
  })

  it('are kept while they wait, up to a bound, and the oldest goes first', async () => {
    const each = Array.from({ length: 200 }, (_, i) => ({ id: i + 1, port: 2000 + i }))
    const found = await played([
      ...each.map((of) => part4(1000, 2008, of)),
      ...each.map((of) => part4(0, 1000, of)),
    ])
    const whole = found.flows.filter((flow) => flow.origPackets === 2)
    assert.deepEqual(
      whole.map((flow) => flow.orig),
      each.slice(200 - 128).map(({ port }) => `192.0.2.11:${port}`),
    )
    assert.equal(found.flows.find((flow) => flow.orig === '192.0.2.11:0')?.origPackets, 72)
  })
})
