import assert from 'node:assert/strict'
import type { CaptureOptions } from '../../native/index.ts'
import { below } from '../figure.ts'
import { a, aaaa, cname, dns, framed, record, wireName } from './messages.ts'
import type { Captured } from './packets.ts'
import { ACK, Conversation, FIN, MAC_A, MAC_B, pcap, SYN, u } from './packets.ts'
import type { DnsMessage, Replay } from './replay.ts'
import { replay } from './replay.ts'

const talk = new Conversation({ server: '192.0.2.1', serverPort: 53 })

async function overUdp(up: boolean, message: Buffer, options?: CaptureOptions): Promise<Replay> {
  return replay(pcap([talk.udp(true, dns('first.example')), talk.udp(up, message)]), options)
}

async function answered(message: Buffer): Promise<DnsMessage | undefined> {
  return (await overUdp(false, message)).names[1]?.dns
}

const QR = 0x8180

describe('native DNS: messages', () => {
  it('reads a query', async () => {
    const { names, counters } = await replay(
      pcap([talk.udp(true, dns('API.Example.com', { qtype: 28 }))]),
    )
    const [row] = names
    assert.deepEqual(row?.dns, {
      id: 0x1234,
      response: false,
      tcp: false,
      truncated: false,
      cut: false,
      rcode: 0,
      qtype: 28,
      name: 'api.example.com',
      answers: [],
    })
    assert.equal(row?.src, '192.0.2.11:50123')
    assert.equal(row?.dst, '192.0.2.1:53')
    assert.equal(row?.srcMac, MAC_A)
    assert.equal(row?.dstMac, MAC_B)
    assert.equal(row?.fromOrig, true)
    assert.equal(counters.dnsQueries, 1)
  })

  it('reads answers: A, AAAA, CNAME as text, others without data', async () => {
    const message = dns('www.example.com', {
      flags: QR,
      answers: [
        cname('Edge.example.net'),
        a('198.51.100.200', wireName('edge.example.net')),
        aaaa('2001:db8:0:0:1:0:0:9'),
        aaaa('::ffff:c000:201'),
        aaaa('::'),
        record(16, Buffer.from('\x04text')),
      ],
    })
    const read = await answered(message)
    assert.equal(read?.response, true)
    assert.deepEqual(
      read?.answers.map((each) => [each.rtype, each.name, each.data, each.ttl]),
      [
        [5, 'www.example.com', 'edge.example.net', 60],
        [1, 'edge.example.net', '198.51.100.200', 60],
        [28, 'www.example.com', '2001:db8::1:0:0:9', 60],
        [28, 'www.example.com', '::ffff:192.0.2.1', 60],
        [28, 'www.example.com', '::', 60],
        [16, 'www.example.com', '', 60],
      ],
    )
  })

  it('keeps rcode and truncation, and the answers before the cut', async () => {
    const message = dns('nx.example', {
      flags: QR | 0x0203,
      answers: [a('192.0.2.9')],
      answerCount: 2,
    })
    const read = await answered(message)
    assert.equal(read?.rcode, 3)
    assert.equal(read?.truncated, true)
    assert.equal(read?.answers.length, 1)
  })

  it('writes the root, dots in labels and other bytes canonically', async () => {
    assert.equal((await answered(dns('', { flags: QR })))?.name, '.')
    const raw = Buffer.concat([
      u(1, 5),
      Buffer.from('a.B\\ ', 'latin1'),
      u(1, 3, 0, 255, 0x41),
      u(1, 0),
    ])
    assert.equal(
      (await answered(dns('', { flags: QR, rawName: raw })))?.name,
      'a\\046b\\092\\032.\\000\\255a',
    )
  })

  it('stops after 64 answers and says so', async () => {
    const read = await answered(
      dns('many.example', { flags: QR, answers: Array<Buffer>(70).fill(a('192.0.2.9')) }),
    )
    assert.equal(read?.answers.length, 64)
    assert.equal(read?.cut, true)
    const exact = await answered(
      dns('many.example', { flags: QR, answers: Array<Buffer>(64).fill(a('192.0.2.9')) }),
    )
    assert.equal(exact?.cut, false)
  })

  it('hands up no more than its record can hold of long names', async () => {
    const long = Array.from({ length: 4 }, () => '\x01'.repeat(63))
      .join('.')
      .slice(0, 253)
    const answers = Array.from({ length: 30 }, () =>
      cname(long, wireName(long.replace('\x01', '\x02'))),
    )
    const read = await answered(dns('x.example', { flags: QR, answers }))
    assert.equal(read?.cut, true)
    assert.ok((read?.answers.length ?? 0) >= 5)
    assert.equal(read?.answers[0]?.data.length, 250 * 4 + 3)
  })
})

describe('native DNS: hostile messages (RFC 9267)', () => {
  const question = (rawName: Buffer): Buffer => dns('', { flags: QR, rawName })
  const nothing: [string, Buffer][] = [
    ['a pointer to itself', question(u(2, 0xc00c))],
    ['a pointer forwards', question(Buffer.concat([u(2, 0xc00e), wireName('a')]))],
    ['a pointer into the header', question(u(2, 0xc004))],
    ['a label of 64 bytes', question(Buffer.concat([u(1, 64), Buffer.alloc(64, 65), u(1, 0)]))],
    ['a reserved label type', question(Buffer.concat([u(1, 0x80), Buffer.alloc(10)]))],
    [
      'a name of 256 bytes',
      question(wireName(Array(4).fill('a'.repeat(63)).join('.').slice(0, 254))),
    ],
    ['a name without an end', dns('').subarray(0, 12).fill(1, 5, 6)],
    ['a label beyond the end', question(u(1, 63, 65, 66))],
    ['garbage', Buffer.from('not a message of DNS at all')],
    ['eleven bytes', Buffer.alloc(11)],
    ['no question', dns('a.example', { questions: 0 })],
    ['two questions', dns('a.example', { questions: 2 })],
    ['another opcode', dns('a.example', { flags: 0x2800 })],
  ]
  for (const [what, message] of nothing) {
    it(`makes nothing of ${what}`, async () => {
      const { names, counters } = await overUdp(false, message)
      assert.equal(names.length, 1)
      assert.equal(counters.dnsQueries, 1)
    })
  }

  it('reads a name of 255 bytes', async () => {
    const name = Array(4).fill('a'.repeat(63)).join('.').slice(0, 253)
    assert.equal((await answered(dns(name, { flags: QR })))?.name, name)
  })

  it('follows sixteen pointers backwards and no more', async () => {
    const chain = (pointers: number): Buffer => {
      const question = dns('a.example', { flags: QR, answerCount: 2 })
      const at = question.length + 10 + 2
      const hops = Array.from({ length: pointers - 1 }, (_, i) =>
        u(2, 0xc000 | (i === 0 ? 12 : at + 2 * (i - 1))),
      )
      const carrier = record(16, Buffer.concat(hops))
      const last = record(1, Buffer.from([192, 0, 2, 1]), u(2, 0xc000 | (at + 2 * (pointers - 2))))
      return Buffer.concat([question, carrier, last])
    }
    assert.equal((await answered(chain(16)))?.answers[1]?.name, 'a.example')
    assert.equal((await answered(chain(17)))?.answers.length, 1)
  })

  it('ends the answers where one is wrong', async () => {
    const wrong = [
      record(1, Buffer.alloc(4), undefined, 60, 400),
      record(5, u(2, 0xc000 | 300)),
      record(5, wireName('x'), undefined, 60, 1),
      a('192.0.2.3', u(2, 0xc0ff)),
    ]
    for (const each of wrong) {
      const read = await answered(dns('a.example', { flags: QR, answers: [a('192.0.2.2'), each] }))
      assert.deepEqual(
        read?.answers.map((answer) => answer.data),
        ['192.0.2.2'],
      )
    }
  })

  it('gives no data for an address of a wrong length', async () => {
    const read = await answered(
      dns('a.example', {
        flags: QR,
        answers: [record(1, Buffer.alloc(5)), record(28, Buffer.alloc(4))],
      }),
    )
    assert.deepEqual(
      read?.answers.map((answer) => answer.data),
      ['', ''],
    )
  })

  it('reads no byte behind the end, wherever it is cut', async () => {
    const whole = dns('www.example.com', {
      flags: QR,
      answers: [cname('e.example.net'), a('192.0.2.9')],
    })
    const frames = Array.from({ length: whole.length }, (_, i) =>
      talk.udp(false, whole.subarray(0, i)),
    )
    const { counters } = await replay(pcap(frames))
    assert.equal(counters.decoded, whole.length)
  })
})

describe('native DNS: over TCP', () => {
  const query = dns('tcp.example')
  const stream = Buffer.concat([
    framed(query),
    framed(dns('second.example')),
    framed(dns('third.example')),
  ])
  const tcp = (seq: number, data: Buffer, flags = ACK): Captured => ({
    data: talk.tcp(true, { seq, data, flags }),
  })
  const syn = tcp(99, Buffer.alloc(0), SYN)
  const read = async (packets: Captured[]): Promise<(string | undefined)[]> => {
    const { names, counters } = await replay(pcap(packets))
    assert.equal(counters.dnsQueries, names.length)
    assert.ok(names.every((row) => row.dns?.tcp))
    return names.map((row) => row.dns?.name)
  }
  const all = ['tcp.example', 'second.example', 'third.example']

  it('reads several messages of one segment', async () => {
    assert.deepEqual(await read([syn, tcp(100, stream)]), all)
  })

  it('reads them byte by byte', async () => {
    assert.deepEqual(
      await read([syn, ...[...stream].map((byte, i) => tcp(100 + i, Buffer.from([byte])))]),
      all,
    )
  })

  it('puts swapped, repeated and overlapping segments in order', async () => {
    const part = (from: number, to: number): Captured => tcp(100 + from, stream.subarray(from, to))
    assert.deepEqual(
      await read([syn, part(40, 60), part(0, 20), part(20, 40), part(60, stream.length)]),
      all,
    )
    assert.deepEqual(
      await read([syn, part(0, 30), part(0, 30), part(10, 50), part(45, stream.length)]),
      all,
    )
  })

  it('skips a message of more than 16 KiB', async () => {
    const large = framed(Buffer.alloc(40_000))
    const bytes = Buffer.concat([framed(query), large, framed(dns('after.example'))])
    const segments = Array.from({ length: Math.ceil(bytes.length / 1400) }, (_, i) =>
      tcp(100 + i * 1400, bytes.subarray(i * 1400, i * 1400 + 1400)),
    )
    assert.deepEqual(await read([syn, ...segments]), ['tcp.example', 'after.example'])
  })

  it('takes a length below that of a header for the end of DNS, until the next segment', async () => {
    const junk = Buffer.concat([u(2, 11), Buffer.alloc(4)])
    assert.deepEqual(await read([syn, tcp(100, junk), tcp(106, framed(query))]), ['tcp.example'])
    const behind = Buffer.concat([framed(query), u(2, 0), framed(query)])
    assert.deepEqual(await read([syn, tcp(100, behind)]), ['tcp.example'])
  })

  it('is not slower for messages of no length than for any other bytes', async () => {
    const zeros = Buffer.alloc(16_000)
    const cpuMs = async (serverPort: number): Promise<number> => {
      const to = new Conversation({ serverPort })
      const bytes = pcap(
        Array.from({ length: 1500 }, (_, i) =>
          to.tcp(true, { seq: i * zeros.length, data: zeros }),
        ),
      )
      const before = process.cpuUsage()
      await replay(bytes)
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1000
    }
    await cpuMs(5555)
    const other = await cpuMs(5555)
    below('CPU, as a multiple of that of other bytes', (await cpuMs(53)) / other, 2, 'times')
  })

  it('believes that a message begins where a stream is first seen', async () => {
    assert.deepEqual(await read([tcp(5000, stream)]), all)
  })

  it('reads both directions on their own, also around the wrap of the sequence', async () => {
    const answer = framed(dns('tcp.example', { flags: QR, answers: [a('192.0.2.7')] }))
    const start = 0xfffffffa
    const { names } = await replay(
      pcap([
        talk.tcp(true, { seq: start - 1, flags: SYN }),
        talk.tcp(false, { seq: 7, flags: SYN | ACK }),
        talk.tcp(true, { seq: start, data: framed(query).subarray(0, 9) }),
        talk.tcp(false, { seq: 8, data: answer.subarray(0, 11) }),
        talk.tcp(true, { seq: start + 9, data: framed(query).subarray(9) }),
        talk.tcp(false, { seq: 19, data: answer.subarray(11), flags: FIN | ACK }),
      ]),
    )
    assert.deepEqual(
      names.map((row) => [row.dns?.response, row.fromOrig]),
      [
        [false, true],
        [true, false],
      ],
    )
    assert.equal(names[1]?.dns?.answers[0]?.data, '192.0.2.7')
  })
})
