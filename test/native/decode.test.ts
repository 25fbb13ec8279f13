import assert from 'node:assert/strict'
import type { Captured } from './packets.ts'
import {
  ACK,
  Conversation,
  ethernet,
  ipBytes,
  ipv4,
  ipv6,
  MAC_A,
  MAC_B,
  macBytes,
  pcap,
  SYN,
  tcp,
  u,
  udp,
} from './packets.ts'
import type { Replay } from './replay.ts'
import { replay } from './replay.ts'

const IP4 = 0x0800
const IP6 = 0x86dd
const data = Buffer.from('hello')

async function one(frame: Captured | Buffer, link = 1): Promise<Replay> {
  const result = await replay(pcap([frame], { link }))
  const { packets, decoded, malformed, unsupported } = result.counters
  assert.equal(packets, 1)
  assert.equal(decoded + malformed + unsupported, 1)
  assert.equal(result.error, undefined)
  return result
}

describe('native decoding: links', () => {
  it('reads Ethernet, with MACs and bytes from the IP header on', async () => {
    const { flows, counters } = await one(ethernet(IP4, ipv4(udp(50000, 9, data))))
    assert.equal(flows.length, 1)
    const [flow] = flows
    assert.equal(flow?.orig, '192.0.2.11:50000')
    assert.equal(flow?.resp, '203.0.113.9:9')
    assert.equal(flow?.origMac, MAC_A)
    assert.equal(flow?.respMac, MAC_B)
    assert.equal(flow?.origMacSeen, true)
    assert.equal(flow?.respMacSeen, false)
    assert.equal(flow?.origBytes, 33)
    assert.equal(flow?.protocol, 17)
    assert.equal(counters.bytes, 47)
    assert.equal(counters.ipBytes, 33)
  })

  for (const tag of [0x8100, 0x88a8, 0x9100]) {
    it(`reads past a tag ${tag.toString(16)} and a second one, and keeps the outer id`, async () => {
      const frame = ethernet(IP4, ipv4(udp(1, 2)), {
        tags: [
          [tag, 0x6123],
          [0x8100, 7],
        ],
      })
      const { flows } = await one(frame)
      assert.equal(flows[0]?.vlan, 0x123)
      assert.equal(flows[0]?.origBytes, 28)
    })
  }

  it('calls more than four tags malformed', async () => {
    const tags = Array<[number, number]>(5).fill([0x8100, 5])
    assert.equal((await one(ethernet(IP4, ipv4(udp(1, 2)), { tags }))).counters.malformed, 1)
    assert.equal(
      (await one(ethernet(IP4, ipv4(udp(1, 2)), { tags: tags.slice(1) }))).counters.decoded,
      1,
    )
  })

  it('reads Linux cooked captures of both versions, with the source MAC', async () => {
    const v1 = Buffer.concat([u(2, 0, 1, 6), macBytes(MAC_A), u(2, 0, IP4), ipv4(udp(5, 6, data))])
    const v2 = Buffer.concat([
      u(2, IP4, 0),
      u(4, 3),
      u(2, 1),
      u(1, 0, 6),
      macBytes(MAC_A),
      u(2, 0),
      ipv4(udp(5, 6, data)),
    ])
    for (const [frame, link] of [
      [v1, 113],
      [v2, 276],
    ] as const) {
      const [flow] = (await one(frame, link)).flows
      assert.equal(flow?.origBytes, 33)
      assert.equal(flow?.origMac, MAC_A)
      assert.equal(flow?.respMac, '00:00:00:00:00:00')
    }
  })

  it('reads raw IP of all its link types', async () => {
    for (const link of [101, 12, 14, 228]) {
      assert.equal((await one(ipv4(udp(5, 6)), link)).flows[0]?.orig, '192.0.2.11:5')
    }
    for (const link of [101, 12, 14, 229]) {
      assert.equal((await one(ipv6(udp(5, 6)), link)).flows[0]?.orig, '2001:db8:1::b:5')
    }
    assert.equal((await one(ipv6(udp(5, 6)), 228)).counters.malformed, 1)
    assert.equal((await one(Buffer.from([0x70, 0, 0, 0]), 101)).counters.malformed, 1)
  })

  it('counts ARP as decoded and other types as unsupported', async () => {
    const arp = Buffer.concat([
      u(2, 1, IP4),
      u(1, 6, 4),
      u(2, 1),
      macBytes(MAC_A),
      ipBytes('192.0.2.11'),
      Buffer.alloc(6),
      ipBytes('192.0.2.1'),
    ])
    const { counters, flows } = await one(ethernet(0x0806, arp))
    assert.equal(counters.decoded, 1)
    assert.equal(counters.ipPackets, 0)
    assert.equal(flows.length, 0)
    assert.equal((await one(ethernet(0x0806, arp.subarray(0, 20)))).counters.malformed, 1)
    assert.equal((await one(ethernet(0x88cc, Buffer.alloc(50)))).counters.unsupported, 1)
    assert.equal((await one(ethernet(0x0026, Buffer.alloc(38)))).counters.unsupported, 1)
  })
})

describe('native decoding: IPv4', () => {
  it('leaves padding out', async () => {
    const { flows } = await one(ethernet(IP4, Buffer.concat([ipv4(udp(5, 6)), Buffer.alloc(18)])))
    assert.equal(flows[0]?.origBytes, 28)
  })

  it('reads past options', async () => {
    const { flows } = await one(ethernet(IP4, ipv4(udp(5, 6), { options: Buffer.alloc(40) })))
    assert.equal(flows[0]?.orig, '192.0.2.11:5')
    assert.equal(flows[0]?.origBytes, 68)
  })

  it('takes the frame for the length of a super-packet without one', async () => {
    const frame = ethernet(
      IP4,
      ipv4(tcp(5, 6, { data: Buffer.alloc(3000) }), { protocol: 6, totalLength: 0 }),
    )
    assert.equal((await one(frame)).flows[0]?.origBytes, 3040)
  })

  it('believes no length that a kernel can not make', async () => {
    const most = 512 * 1024
    const packets: [number, Buffer][] = [
      [IP4, ipv4(udp(1, 2, data), { totalLength: 0 })],
      [IP6, ipv6(tcp(1, 2), { next: 6, payloadLength: 0 })],
      [IP4, ipv4(udp(1, 2, data))],
    ]
    for (const [type, packet] of packets) {
      const frame = ethernet(type, packet)
      for (const length of [most + 65, 0xffffffff]) {
        const { counters, flows } = await one({ data: frame, length })
        assert.deepEqual([counters.malformed, counters.ipBytes, flows.length], [1, 0, 0])
        assert.equal(counters.bytes, frame.length)
      }
      const whole = await one({ data: frame, length: 14 + most })
      assert.equal(whole.counters.ipBytes, packet === packets[2]?.[1] ? packet.length : most)
    }
  })

  const lies: [string, Buffer][] = [
    ['a total length beyond the frame', ipv4(udp(5, 6), { totalLength: 1000 })],
    ['a total length below the header', ipv4(udp(5, 6), { totalLength: 19 })],
    ['a header of 16 bytes', ipv4(udp(5, 6), { headerWords: 4 })],
    ['a header beyond the packet', ipv4(udp(5, 6), { headerWords: 15 })],
    ['version 5', ipv4(udp(5, 6), { version: 5 })],
    ['a UDP header cut by the IP length', ipv4(udp(5, 6), { totalLength: 27 })],
    ['a UDP length beyond the packet', ipv4(udp(5, 6, data, 100))],
    ['a UDP length of 7', ipv4(udp(5, 6, data, 7))],
    ['a TCP header cut by the IP length', ipv4(tcp(5, 6), { protocol: 6, totalLength: 39 })],
    ['a TCP offset of 16 bytes', ipv4(tcp(5, 6, { offsetWords: 4 }), { protocol: 6 })],
    ['a TCP offset beyond the packet', ipv4(tcp(5, 6, { offsetWords: 6 }), { protocol: 6 })],
  ]
  for (const [what, packet] of lies) {
    it(`calls ${what} malformed`, async () => {
      const { counters, flows } = await one(ethernet(IP4, packet))
      assert.equal(counters.malformed, 1)
      assert.equal(flows.length, 0)
    })
  }

  it('decodes a snapped packet as far as it goes', async () => {
    const whole = ethernet(
      IP4,
      ipv4(tcp(5, 6, { data: Buffer.alloc(1000), flags: SYN }), { protocol: 6 }),
    )
    const ports = await one({ data: whole.subarray(0, 14 + 20 + 4), length: whole.length })
    assert.equal(ports.flows[0]?.orig, '192.0.2.11:5')
    assert.equal(ports.flows[0]?.origBytes, 1040)
    assert.equal(ports.flows[0]?.origFlags, 0)
    assert.equal(ports.counters.bytes, 1054)
    const flags = await one({ data: whole.subarray(0, 14 + 20 + 14), length: whole.length })
    assert.equal(flags.flows[0]?.origFlags, SYN)
    const address = await one({ data: whole.subarray(0, 14 + 20), length: whole.length })
    assert.equal(address.flows[0]?.orig, '192.0.2.11:0')
    const cut = await one({ data: whole.subarray(0, 14 + 19), length: whole.length })
    assert.equal(cut.counters.malformed, 1)
  })

  it('counts later fragments to the flow of the first one', async () => {
    const payload = udp(5000, 6000, Buffer.alloc(2000))
    const part = (from: number, to: number, id = 9): Buffer =>
      ethernet(
        IP4,
        ipv4(payload.subarray(from, to), {
          id,
          fragmentOffset: from,
          moreFragments: to < payload.length,
        }),
      )
    const { flows, counters } = await replay(
      pcap([part(0, 1000), part(1000, 1800), part(1800, 2008), part(1000, 2008, 77)]),
    )
    assert.equal(counters.decoded, 4)
    assert.deepEqual(
      flows.map((flow) => [flow.orig, flow.origPackets, flow.origBytes]),
      [
        ['192.0.2.11:5000', 3, 2008 + 60],
        ['192.0.2.11:0', 1, 1028],
      ],
    )
  })

  it('forgets a fragment after 30 seconds', async () => {
    const payload = udp(5000, 6000, Buffer.alloc(100))
    const first = ethernet(IP4, ipv4(payload.subarray(0, 64), { moreFragments: true }))
    const rest = ethernet(IP4, ipv4(payload.subarray(64), { fragmentOffset: 64 }))
    const { flows } = await replay(pcap([{ data: first }, { data: rest, at: 31 }]))
    assert.equal(flows.length, 2)
  })
})

describe('native decoding: IPv6', () => {
  const hop = (next: number, words = 0): Buffer =>
    Buffer.concat([u(1, next, words), Buffer.alloc(6 + words * 8)])

  it('walks extension headers', async () => {
    const chain = Buffer.concat([
      hop(43),
      hop(60, 2),
      hop(51),
      u(1, 17, 0),
      Buffer.alloc(6),
      udp(5, 6, data),
    ])
    const { flows } = await one(ethernet(IP6, ipv6(chain, { next: 0 })))
    assert.equal(flows[0]?.orig, '2001:db8:1::b:5')
    assert.equal(flows[0]?.protocol, 17)
    assert.equal(flows[0]?.origBytes, 40 + chain.length)
  })

  it('walks eight and no more', async () => {
    const chain = (n: number): Buffer =>
      Buffer.concat([...Array<Buffer>(n - 1).fill(hop(60)), hop(17), udp(5, 6)])
    assert.equal((await one(ethernet(IP6, ipv6(chain(8), { next: 60 })))).counters.decoded, 1)
    assert.equal((await one(ethernet(IP6, ipv6(chain(9), { next: 60 })))).counters.malformed, 1)
  })

  it('calls an extension header beyond the packet malformed', async () => {
    assert.equal(
      (await one(ethernet(IP6, ipv6(hop(17).fill(200, 1, 2), { next: 0 })))).counters.malformed,
      1,
    )
    assert.equal(
      (await one(ethernet(IP6, ipv6(Buffer.alloc(4), { next: 0 })))).counters.malformed,
      1,
    )
  })

  it('counts fragments to their flow, and an atomic one as whole', async () => {
    const payload = udp(5000, 6000, Buffer.alloc(200))
    const part = (from: number, to: number): Buffer => {
      const field = from | (to < payload.length ? 1 : 0)
      const head = Buffer.concat([u(1, 17, 0), u(2, field), u(4, 0xabcdef)])
      return ethernet(IP6, ipv6(Buffer.concat([head, payload.subarray(from, to)]), { next: 44 }))
    }
    const { flows } = await replay(pcap([part(0, 104), part(104, 208), part(0, 208)]))
    assert.deepEqual(
      flows.map((flow) => [flow.orig, flow.origPackets]),
      [['2001:db8:1::b:5000', 3]],
    )
  })

  it('takes the frame for the length of a jumbo super-packet, but believes "no next header"', async () => {
    const jumbo = ethernet(
      IP6,
      ipv6(tcp(5, 6, { data: Buffer.alloc(70000) }), { next: 6, payloadLength: 0 }),
    )
    assert.equal((await one(jumbo)).flows[0]?.origBytes, 70060)
    const nothing = ethernet(
      IP6,
      Buffer.concat([ipv6(Buffer.alloc(0), { next: 59 }), Buffer.alloc(6)]),
    )
    assert.equal((await one(nothing)).flows[0]?.origBytes, 40)
  })

  it('calls a payload beyond the frame, a cut header or another version malformed', async () => {
    for (const packet of [
      ipv6(udp(5, 6), { payloadLength: 100 }),
      ipv6(udp(5, 6)).subarray(0, 39),
      ipv6(udp(5, 6), { version: 4 }),
    ]) {
      assert.equal((await one(ethernet(IP6, packet))).counters.malformed, 1)
    }
  })

  it('knows ICMP, ICMPv6 and other protocols by number, without ports', async () => {
    for (const [type, packet, protocol] of [
      [IP4, ipv4(u(1, 8, 0, 0, 0, 0, 1, 0, 1), { protocol: 1 }), 1],
      [IP6, ipv6(u(1, 128, 0, 0, 0, 0, 1, 0, 1), { next: 58 }), 58],
      [IP4, ipv4(Buffer.alloc(30), { protocol: 47 }), 47],
      [IP6, ipv6(Buffer.alloc(30), { next: 47 }), 47],
    ] as const) {
      const [flow] = (await one(ethernet(type, packet))).flows
      assert.equal(flow?.protocol, protocol)
      assert.match(flow?.orig ?? '', /:0$/)
    }
    const cut = ipv4(Buffer.alloc(3), { protocol: 1 })
    assert.equal((await one(ethernet(IP4, cut))).counters.malformed, 1)
  })

  it('reads the ports of DCCP, SCTP and UDP-Lite', async () => {
    for (const [protocol, header] of [
      [33, 12],
      [132, 12],
      [136, 8],
    ] as const) {
      const packet = (port: number): Buffer =>
        Buffer.concat([u(2, port, 3868), Buffer.alloc(header - 4)])
      const frames = [5000, 5001].flatMap((port) => [
        ethernet(IP4, ipv4(packet(port), { protocol })),
        ethernet(IP6, ipv6(packet(port), { next: protocol })),
      ])
      const { flows } = await replay(pcap(frames))
      assert.deepEqual(
        flows.map((flow) => [flow.protocol, flow.orig, flow.resp]),
        [
          [protocol, '192.0.2.11:5000', '203.0.113.9:3868'],
          [protocol, '2001:db8:1::b:5000', '2001:db8:113::9:3868'],
          [protocol, '192.0.2.11:5001', '203.0.113.9:3868'],
          [protocol, '2001:db8:1::b:5001', '2001:db8:113::9:3868'],
        ],
      )
      const whole = ethernet(IP4, ipv4(packet(5000), { protocol }))
      const snapped = await one({ data: whole.subarray(0, 14 + 20 + 3), length: whole.length })
      assert.equal(snapped.flows[0]?.orig, '192.0.2.11:0')
      const cut = ipv4(packet(5000).subarray(0, header - 1), { protocol })
      assert.equal((await one(ethernet(IP4, cut))).counters.malformed, 1)
    }
  })

  it('puts both directions in one flow whatever the addresses are', async () => {
    const talks = [
      new Conversation({ client: '203.0.113.200', server: '192.0.2.1' }),
      new Conversation({ client: '2001:db8::2', server: '2001:db8::1' }),
      new Conversation({
        client: '192.0.2.5',
        server: '192.0.2.5',
        clientPort: 9000,
        serverPort: 80,
      }),
    ]
    const frames = talks.flatMap((talk) => [
      talk.tcp(true, { flags: SYN }),
      talk.tcp(false, { flags: SYN | ACK }),
      talk.tcp(true, { flags: ACK }),
    ])
    const { flows } = await replay(pcap(frames))
    assert.deepEqual(
      flows.map((flow) => [flow.origPackets, flow.respPackets]),
      [
        [2, 1],
        [2, 1],
        [2, 1],
      ],
    )
    assert.equal(flows[2]?.orig, '192.0.2.5:9000')
  })
})
