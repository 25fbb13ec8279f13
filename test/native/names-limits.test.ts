import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Batch } from '../../native/index.ts'
import { createCapture } from '../../native/index.ts'
import { NAME } from '../../native/layout.ts'
import { a, clientHello, dns, framed, record, records } from './messages.ts'
import { Conversation, MAC_A, pcap, u } from './packets.ts'
import { replay } from './replay.ts'

describe('native names: limits', function () {
  this.timeout(60_000)
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-names-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  const query = (i: number, mac = MAC_A): Buffer =>
    new Conversation({ clientMac: mac, clientPort: 1024 + i, serverPort: 53 }).udp(
      true,
      dns(`q${i}.example`),
    )

  const answer = (i: number, mac = MAC_A): Buffer =>
    new Conversation({ clientMac: mac, clientPort: 1024 + i, serverPort: 53 }).udp(
      false,
      dns(`q${i}.example`, { flags: 0x8180, answers: [a('192.0.2.9')] }),
    )

  it('limits each device on its own, and goes on counting queries', async () => {
    const other = '02:0d:e0:00:00:02'
    const frames = [...Array.from({ length: 50 }, (_, i) => query(i)), query(100, other)]
    const { names, counters } = await replay(pcap(frames), { namesPerSecond: 1, namesBurst: 10 })
    assert.equal(names.filter((row) => row.srcMac === MAC_A).length, 10)
    assert.equal(names.filter((row) => row.srcMac === other).length, 1)
    assert.equal(counters.namesDropped, 40)
    assert.equal(counters.dnsQueries, 51)
  })

  it('fills up again with time', async () => {
    const frames = Array.from({ length: 20 }, (_, i) => ({ data: query(i), at: i < 10 ? 0 : 4 }))
    const { names } = await replay(pcap(frames), { namesPerSecond: 1, namesBurst: 5 })
    assert.equal(names.length, 9)
  })

  it('charges answers whose query was not seen to who is answered, so that one device does not silence the resolver', async () => {
    const frames = [
      ...Array.from({ length: 50 }, (_, i) => answer(i, MAC_A)),
      answer(99, '02:0d:e0:00:00:02'),
    ]
    const { names } = await replay(pcap(frames), { namesPerSecond: 1, namesBurst: 10 })
    assert.equal(names.length, 11)
  })

  it('lets an answer pass as its query did, so that none is worth nothing', async () => {
    const asked = Array.from({ length: 30 }, (_, i) => [query(i), answer(i)]).flat()
    const { names, counters } = await replay(pcap(asked), { namesPerSecond: 1, namesBurst: 10 })
    assert.deepEqual(
      names.map((row) => row.dns?.name),
      Array.from({ length: 20 }, (_, i) => `q${i >> 1}.example`),
    )
    assert.equal(counters.namesDropped, 40)
    // One flow with many queries, as a resolver has; over TCP as well.
    const talk = new Conversation({ serverPort: 53 })
    const many = Array.from({ length: 30 }, (_, i) =>
      talk.udp(i % 2 === 0, dns('same.example', { flags: i % 2 === 0 ? 0x0100 : 0x8180 })),
    )
    const one = await replay(pcap(many), { namesPerSecond: 1, namesBurst: 10 })
    assert.equal(one.names.length, 20)
    const bytes = (flags: number): Buffer =>
      Buffer.concat(Array<Buffer>(15).fill(framed(dns('same.example', { flags }))))
    const stream = [
      talk.tcp(true, { seq: 1, data: bytes(0x0100) }),
      talk.tcp(false, { seq: 1, data: bytes(0x8180) }),
    ]
    const tcp = await replay(pcap(stream), { namesPerSecond: 1, namesBurst: 10 })
    assert.equal(tcp.names.length, 20)
  })

  it('lets nobody use up what a device may ask by made-up answers', async () => {
    const frames = [...Array.from({ length: 50 }, (_, i) => answer(i)), query(99)]
    const { names } = await replay(pcap(frames), { namesPerSecond: 1, namesBurst: 10 })
    assert.equal(names.at(-1)?.dns?.response, false)
  })

  it('is none where that is asked for, however much comes at one time', async () => {
    const frames = Array.from({ length: 5000 }, (_, i) => query(i))
    const { names, counters } = await replay(pcap(frames), {
      namesPerSecond: Infinity,
      namesBurst: 0,
    })
    assert.deepEqual([names.length, counters.namesDropped], [5000, 0])
  })

  it('has a file wait for names that are much longer than their packets', async () => {
    const label = Buffer.concat([u(1, 63), Buffer.alloc(63)])
    const rawName = Buffer.concat([label, label, label, u(1, 61), Buffer.alloc(61), u(1, 0)])
    const answers = Array<Buffer>(16).fill(record(5, u(2, 0xc00c)))
    const long = dns('', { flags: 0x8180, rawName, answers })
    const frame = new Conversation({ serverPort: 53 }).udp(false, long)
    const path = join(folder, 'long.pcap')
    writeFileSync(path, pcap(Array<Buffer>(1000).fill(frame)))
    const capture = createCapture({ namesPerSecond: Infinity, updates: false })
    capture.readFile(path)
    let names = 0
    let most = 0
    const { counters } = await new Promise<Batch>((resolve) =>
      capture.start(() => {
        const batch = capture.drain()
        const bytes = Buffer.from(batch.names)
        for (let at = 0; at < bytes.length; at += bytes.readUInt32LE(at + NAME.SIZE)) names++
        most = Math.max(most, bytes.length)
        if (batch.ended) resolve(batch)
      }),
    )
    capture.stop()
    assert.deepEqual([names, counters.namesDropped], [1000, 0])
    assert.ok(most > 1 << 20 && most < 4 << 20, `${most} bytes at one time`)
  })

  it('counts messages in pieces that had to give way to others', async () => {
    const hello = records(clientHello('pq.example.com', { keyShare: 1700 }))
    const talks = Array.from({ length: 3000 }, (_, i) => new Conversation({ clientPort: 1024 + i }))
    const { names, counters } = await replay(
      pcap([
        ...talks.map((talk) => talk.tcp(true, { seq: 1, data: hello.subarray(0, 1400) })),
        ...talks.map((talk) => talk.tcp(true, { seq: 1401, data: hello.subarray(1400) })),
      ]),
      { namesPerSecond: Infinity },
    )
    assert.equal(names.length + counters.namesDropped, 3000)
  })

  it('hands up everything of a large capture, in bounded batches', async () => {
    const frames = Array.from({ length: 40_000 }, (_, i) => ({
      data: query(i % 60_000),
      at: i / 1000,
    }))
    const { names, counters, batches } = await replay(pcap(frames), {
      namesPerSecond: 1e6,
      namesBurst: 1e6,
      updates: false,
    })
    assert.equal(names.length, 40_000)
    assert.equal(counters.namesDropped, 0)
    assert.ok(batches > 3)
  })

  it('names flows by slot, while they are in the table', async () => {
    const { names, rows } = await replay(pcap([query(1), query(2)]))
    for (const row of names)
      assert.ok(rows.some((flow) => flow.slot === row.slot && flow.orig === row.src))
  })
})
