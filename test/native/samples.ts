// Captures with something of everything, to be cut, bent and fuzzed.
import { a, aaaa, clientHello, cname, dns, framed, records, wireName } from './messages.ts'
import {
  ACK,
  Conversation,
  ethernet,
  FIN,
  ipBytes,
  ipv4,
  ipv6,
  MAC_A,
  macBytes,
  Pcapng,
  pcap,
  RST,
  SYN,
  tcp,
  u,
  udp,
} from './packets.ts'

/** Frames on Ethernet of every kind that is decoded. */
export function frames(): Buffer[] {
  const web = new Conversation()
  const web6 = new Conversation({
    client: '2001:db8:1::b',
    server: '2001:db8:113::9',
    clientPort: 50124,
  })
  const resolver = new Conversation({ server: '192.0.2.1', serverPort: 53, clientPort: 50200 })
  const hello = records(clientHello('www.example.com', { keyShare: 1500 }))
  const answers = [
    cname('edge.example.net'),
    a('203.0.113.9', wireName('edge.example.net')),
    aaaa('2001:db8::9'),
  ]
  const arp = Buffer.concat([
    u(2, 1, 0x0800),
    u(1, 6, 4),
    u(2, 1),
    macBytes(MAC_A),
    ipBytes('192.0.2.11'),
    Buffer.alloc(6),
    ipBytes('192.0.2.1'),
  ])
  const datagram = udp(5000, 6000, Buffer.alloc(300))
  const quic = Buffer.concat([u(1, 0xc3), u(4, 1), Buffer.alloc(200)])
  const extensions = Buffer.concat([
    u(1, 60, 0),
    Buffer.alloc(6),
    u(1, 17, 1),
    Buffer.alloc(14),
    udp(546, 547, Buffer.alloc(20)),
  ])
  return [
    web.tcp(true, { seq: 9, flags: SYN }),
    web.tcp(false, { flags: SYN | ACK }),
    web.tcp(true, { seq: 10 + 1000, data: hello.subarray(1000) }),
    web.tcp(true, { seq: 10, data: hello.subarray(0, 1000) }),
    web6.tcp(true, { flags: SYN }),
    web6.tcp(true, { data: records(clientHello('six.example.com')) }),
    web.tcp(true, { flags: FIN | ACK }),
    web.tcp(false, { flags: FIN | ACK }),
    web6.tcp(false, { flags: RST }),
    resolver.udp(true, dns('www.example.com')),
    resolver.udp(false, dns('www.example.com', { flags: 0x8180, answers })),
    resolver.tcp(true, {
      data: Buffer.concat([framed(dns('tcp.example')), framed(dns('more.example'))]),
    }),
    ethernet(0x0806, arp),
    ethernet(0x88cc, Buffer.alloc(40)),
    ethernet(0x0800, ipv4(tcp(5, 6), { protocol: 6 }), {
      tags: [
        [0x88a8, 5],
        [0x8100, 6],
      ],
    }),
    ethernet(0x0800, ipv4(datagram.subarray(0, 160), { moreFragments: true })),
    ethernet(0x0800, ipv4(datagram.subarray(160), { fragmentOffset: 160 })),
    ethernet(0x0800, ipv4(udp(5, 443, quic), { options: Buffer.alloc(8) })),
    ethernet(0x86dd, ipv6(extensions, { next: 0 })),
    ethernet(0x86dd, ipv6(Buffer.concat([u(1, 135, 0), Buffer.alloc(22)]), { next: 58 })),
    ethernet(0x0800, ipv4(udp(1900, 1900, Buffer.from('M-SEARCH * HTTP/1.1\r\n')))),
  ]
}

/** A small capture of each format. */
export function captures(): Buffer[] {
  const all = frames()
  const timed = all.map((data, i) => ({ data, at: i * 1.5 }))
  const blocks = (little: boolean): Buffer => {
    const file = new Pcapng(little).section()
    file
      .interface(1, [file.option(9, Buffer.from([9])), file.option(2, Buffer.from('eth0'))])
      .interface(105)
    all.forEach((data, i) => {
      if (i % 3 === 0) file.simple(data)
      else if (i % 3 === 1) file.old(data, BigInt(i) * 1_000_000_000n)
      else file.packet(data, BigInt(i) * 1_500_000_000n, i % 4 === 0 ? 1 : 0)
    })
    return file
      .block(0x0bad, Buffer.alloc(50))
      .section()
      .interface(101)
      .packet(all[9]?.subarray(14) ?? all[0]!, 5n)
      .bytes()
  }
  return [
    pcap(timed),
    pcap(timed, { bigEndian: true, nanoseconds: true }),
    blocks(true),
    blocks(false),
  ]
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const INTERESTING = [0, 1, 0x7f, 0x80, 0xff, 0x10, 0x40, 0xc0]

/** A few bytes changed, removed, added or repeated. */
export function mutated(bytes: Buffer, next: () => number): Buffer {
  let out = Buffer.from(bytes)
  const place = (): number => Math.floor(next() * out.length)
  for (let n = 1 + Math.floor(next() * 6); n > 0; n--) {
    const at = place()
    const kind = next()
    if (kind < 0.4) out[at] = Math.floor(next() * 256)
    else if (kind < 0.6) out[at] = INTERESTING[Math.floor(next() * INTERESTING.length)] ?? 0
    else if (kind < 0.7)
      out.writeUInt32LE(Math.floor(next() * 2 ** 32), Math.min(at, out.length - 4))
    else if (kind < 0.8)
      out = Buffer.concat([out.subarray(0, at), out.subarray(at + Math.floor(next() * 40))])
    else if (kind < 0.9)
      out = Buffer.concat([
        out.subarray(0, at),
        out.subarray(place(), place() + 60),
        out.subarray(at),
      ])
    else
      out = Buffer.concat([
        out.subarray(0, at),
        Buffer.alloc(Math.floor(next() * 64), Math.floor(next() * 256)),
        out.subarray(at),
      ])
    if (out.length < 8) return out
  }
  return out
}
