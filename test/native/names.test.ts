import assert from 'node:assert/strict'
import type { CaptureOptions } from '../../native/index.ts'
import type { NameKind } from '../../native/layout.ts'
import { NAME_KINDS } from '../../native/layout.ts'
import { clientHello, records } from './messages.ts'
import {
  ACK,
  Conversation,
  ethernet,
  ipBytes,
  ipv6,
  MAC_A,
  macBytes,
  pcap,
  SYN,
  u,
} from './packets.ts'
import type { NameRow } from './replay.ts'
import { replay } from './replay.ts'

const all: CaptureOptions = { names: NAME_KINDS }

async function named(frames: Buffer[], options: CaptureOptions = {}): Promise<NameRow[]> {
  const { names, counters } = await replay(pcap(frames), options)
  assert.equal(counters.malformed, 0)
  return names
}

/** A client's bytes as segments: pairs of where they begin and end, in the order they come. */
function segments(bytes: Buffer, cuts: [number, number][], syn = true, port = 443): Buffer[] {
  const talk = new Conversation({ serverPort: port })
  const start = syn
    ? [
        talk.tcp(true, { seq: 999, flags: SYN }),
        talk.tcp(false, { flags: SYN | ACK }),
        talk.tcp(true, { seq: 1000 }),
      ]
    : []
  return [
    ...start,
    ...cuts.map(([from, to]) =>
      talk.tcp(true, { seq: 1000 + from, data: bytes.subarray(from, to) }),
    ),
  ]
}

const texts = (rows: NameRow[]): string[] => rows.map((row) => `${row.kind} ${row.text}`)

describe('native names: TLS', () => {
  const small = records(clientHello('Www.Example.com'))
  const large = records(clientHello('pq.example.com', { keyShare: 1700 }))

  it('reads the name of a ClientHello on any port', async () => {
    const rows = await named(segments(small, [[0, small.length]], true, 9443))
    assert.deepEqual(texts(rows), ['sni www.example.com'])
    assert.equal(rows[0]?.fromOrig, true)
    assert.equal(rows[0]?.srcMac, MAC_A)
  })

  it('reads it from several segments, in order, swapped, repeated or byte by byte', async () => {
    const n = large.length
    for (const cuts of [
      [
        [0, 1400],
        [1400, n],
      ],
      [
        [1400, n],
        [0, 1400],
      ],
      [
        [0, 700],
        [1400, n],
        [700, 1400],
      ],
      [
        [0, 800],
        [0, 800],
        [600, n],
      ],
      Array.from({ length: n }, (_, i) => [i, i + 1]),
    ] as [number, number][][]) {
      assert.deepEqual(texts(await named(segments(large, cuts))), ['sni pq.example.com'])
    }
  })

  it('reads it without having seen the handshake', async () => {
    assert.deepEqual(
      texts(
        await named(
          segments(
            small,
            [
              [0, 50],
              [50, small.length],
            ],
            false,
          ),
        ),
      ),
      ['sni www.example.com'],
    )
  })

  it('reads it from several records', async () => {
    const many = records(clientHello('split.example.com', { keyShare: 1700 }), 100)
    assert.deepEqual(texts(await named(segments(many, [[0, many.length]]))), [
      'sni split.example.com',
    ])
    assert.deepEqual(
      texts(
        await named(
          segments(many, [
            [0, 900],
            [900, many.length],
          ]),
        ),
      ),
      ['sni split.example.com'],
    )
  })

  it('reads it as soon as it has come, though the message goes on', async () => {
    const cut = small.length - 3
    assert.deepEqual(texts(await named(segments(small, [[0, cut]]))), ['sni www.example.com'])
  })

  it('tells it once a flow', async () => {
    const twice = Buffer.concat([small, small])
    assert.equal(
      (
        await named(
          segments(twice, [
            [0, small.length],
            [small.length, twice.length],
          ]),
        )
      ).length,
      1,
    )
  })

  it('makes nothing of other bytes, no name, or lies', async () => {
    const host = (name: Buffer): Buffer => records(clientHello('', { rawName: name }))
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      records(clientHello(undefined)),
      records(clientHello('x'), 16384, 23),
      host(Buffer.concat([u(2, 10), u(1, 0), u(2, 200), Buffer.from('short')])),
      host(Buffer.concat([u(2, 10), u(1, 1), u(2, 5), Buffer.from('type1')])),
      host(Buffer.concat([u(2, 303), u(1, 0), u(2, 300), Buffer.alloc(300, 97)])),
      host(Buffer.alloc(0)),
      Buffer.concat([u(1, 22), u(2, 0x0301, 10), u(1, 2), u(3, 6), Buffer.alloc(6)]),
    ]) {
      assert.deepEqual(texts(await named(segments(bytes, [[0, bytes.length]]))), [])
    }
  })

  it('escapes what is not printable', async () => {
    const odd = records(clientHello('A b\x00\xff.example'))
    assert.deepEqual(texts(await named(segments(odd, [[0, odd.length]]))), [
      'sni a\\032b\\000\\255.example',
    ])
  })

  it('gives up a ClientHello beyond 16 KiB, and a hole that is never filled', async () => {
    const huge = records(clientHello('late.example', { keyShare: 17_000 }))
    const cuts = Array.from({ length: Math.ceil(huge.length / 1400) }, (_, i): [number, number] => [
      i * 1400,
      i * 1400 + 1400,
    ])
    assert.deepEqual(await named(segments(huge, cuts)), [])
    assert.deepEqual(
      await named(
        segments(large, [
          [0, 100],
          [200, large.length],
        ]),
      ),
      [],
    )
  })

  it('reads many that come at the same time, and stays bounded', async () => {
    const talks = Array.from({ length: 3000 }, (_, i) => new Conversation({ clientPort: 1024 + i }))
    const rows = await named(
      [
        ...talks.map((talk) => talk.tcp(true, { seq: 1, data: large.subarray(0, 1400) })),
        ...talks.map((talk) => talk.tcp(true, { seq: 1401, data: large.subarray(1400) })),
      ],
      { namesPerSecond: 1e6, namesBurst: 1e6 },
    )
    assert.ok(rows.length > 300 && rows.length <= 512, `${rows.length}`)
  })
})

describe('native names: messages handed up whole', () => {
  const payload = Buffer.from('some message')
  const udpKinds: [NameKind, number, number][] = [
    ['mdns', 5353, 5353],
    ['llmnr', 50000, 5355],
    ['dhcp4', 68, 67],
    ['dhcp6', 546, 547],
    ['ssdp', 50000, 1900],
  ]
  for (const [kind, clientPort, serverPort] of udpKinds) {
    it(`hands up ${kind} if asked to`, async () => {
      const talk = new Conversation({ clientPort, serverPort })
      const frames = [
        talk.udp(true, payload),
        talk.udp(false, Buffer.alloc(3000, 1).subarray(0, 1400)),
      ]
      const rows = await named(frames, { names: [kind] })
      assert.deepEqual(
        rows.map((row) => [row.kind, row.payload.length, row.fromOrig]),
        [
          [kind, 12, true],
          [kind, 1400, false],
        ],
      )
      assert.equal(rows[0]?.payload.toString(), 'some message')
      assert.deepEqual(await named(frames), [])
    })
  }

  it('cuts them at 2048 bytes', async () => {
    const [row] = await named(
      [new Conversation({ serverPort: 1900 }).udp(true, Buffer.alloc(5000))],
      { names: ['ssdp'] },
    )
    assert.equal(row?.payload.length, 2048)
  })

  it('hands up ARP and neighbour discovery', async () => {
    const arp = Buffer.concat([
      u(2, 1, 0x0800),
      u(1, 6, 4),
      u(2, 1),
      macBytes(MAC_A),
      ipBytes('192.0.2.11'),
      Buffer.alloc(6),
      ipBytes('192.0.2.1'),
    ])
    const icmp = (type: number): Buffer =>
      ethernet(0x86dd, ipv6(Buffer.concat([u(1, type, 0), Buffer.alloc(22)]), { next: 58 }))
    const frames = [
      ethernet(0x0806, Buffer.concat([arp, Buffer.alloc(18)])),
      icmp(135),
      icmp(128),
      icmp(134),
    ]
    const rows = await named(frames, all)
    assert.deepEqual(
      rows.map((row) => row.kind),
      ['arp', 'ndp', 'ndp'],
    )
    assert.deepEqual(rows[0]?.payload, arp)
    assert.equal(rows[0]?.slot, 0xffffffff)
    assert.equal(rows[1]?.payload[0], 135)
    assert.deepEqual(await named(frames), [])
    assert.equal((await named([...frames, ...frames], all)).length, 3, 'said again at once')
    const other = Buffer.from(arp)
    other[17] = 12
    const claims = [arp, other, arp].map((body) => ethernet(0x0806, body))
    assert.equal((await named(claims, all)).length, 2, 'another claim is another message')
  })

  it('hands up who takes an address back, each time', async () => {
    const macs = [MAC_A, '02:0d:e0:00:00:02']
    const own = ipBytes('192.0.2.11')
    const arp = (mac: string): Buffer => {
      const claim = [u(2, 1, 0x0800), u(1, 6, 4), u(2, 2), macBytes(mac), own, macBytes(mac), own]
      return ethernet(0x0806, Buffer.concat(claim), { src: mac })
    }
    // RFC 4861, 4.4: flags, the target, and option 2.
    const ndp = (mac: string): Buffer => {
      const head = [u(1, 136, 0, 0, 0, 0x20, 0, 0, 0), ipBytes('2001:db8:1::b')]
      const body = Buffer.concat([...head, u(1, 2, 1), macBytes(mac)])
      return ethernet(0x86dd, ipv6(body, { src: '2001:db8:1::77', next: 58 }), { src: mac })
    }
    for (const claim of [arp, ndp]) {
      const each = [0, 1, 0, 1, 1, 0].map((who) => claim(macs[who] as string))
      const rows = await named(each, all)
      assert.deepEqual(
        rows.map((row) => macs.indexOf(row.srcMac)),
        [0, 1, 0, 1, 0],
      )
    }
  })

  it('hands up at most three QUIC Initials of a flow, of known versions', async () => {
    const quic = (first: number, version: number): Buffer =>
      Buffer.concat([u(1, first), u(4, version), Buffer.alloc(1200)])
    const kinds = async (...payloads: Buffer[]): Promise<number> => {
      const talk = new Conversation()
      const frames = payloads.flatMap((each) => [talk.udp(true, each), talk.udp(false, each)])
      return (await named(frames, all)).filter((row) => row.kind === 'quic').length
    }
    const one = quic(0xc3, 1)
    assert.equal(await kinds(one), 1)
    assert.equal(await kinds(one, one, one, one, one), 3)
    assert.equal(await kinds(quic(0xd3, 0x6b3343cf), quic(0xff, 1)), 1)
    assert.equal(await kinds(quic(0xc0, 0xff00001d)), 1)
    assert.equal(await kinds(quic(0x43, 1), one), 0)
    assert.equal(await kinds(quic(0xc0, 0x12345678)), 0)
    assert.equal(await kinds(quic(0xd0, 1)), 0)
  })

  it('hands up the head of an HTTP request once a flow', async () => {
    const talk = new Conversation({ serverPort: 8000 })
    const request = Buffer.from('GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n')
    const rows = await named(
      [
        talk.tcp(true, { seq: 1, data: request }),
        talk.tcp(false, { data: Buffer.from('HTTP/1.1 200 OK\r\n') }),
        talk.tcp(true, { seq: 1 + request.length, data: request }),
      ],
      all,
    )
    assert.deepEqual(
      rows.map((row) => [row.kind, row.payload.toString()]),
      [['http', request.toString()]],
    )
  })
})
