import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { fstatSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { createCapture } from '../../native/index.ts'
import { Conversation, ethernet, ipv4, Pcapng, pcap, START_S, udp } from './packets.ts'
import type { FlowRow } from './replay.ts'
import { flowRows, replay, replayPath } from './replay.ts'

const talk = new Conversation({ serverPort: 9 })
const up = talk.udp(true, Buffer.from('hello'))
const down = talk.udp(false, Buffer.from('hello back'))

describe('native captures: pcap', () => {
  for (const bigEndian of [false, true]) {
    for (const nanoseconds of [false, true]) {
      it(`reads ${bigEndian ? 'big' : 'little'}-endian ${nanoseconds ? 'nano' : 'micro'}seconds`, async () => {
        const bytes = pcap(
          [
            { data: up, at: 0.25 },
            { data: down, at: 1.000123 },
          ],
          { bigEndian, nanoseconds },
        )
        const { flows, counters } = await replay(bytes)
        assert.equal(flows[0]?.origPackets, 1)
        assert.equal(flows[0]?.respPackets, 1)
        assert.equal(flows[0]?.firstMs, START_S * 1000 + 250)
        assert.equal(flows[0]?.lastMs, START_S * 1000 + 1000.123)
        assert.equal(counters.firstMs, START_S * 1000 + 250)
        assert.equal(counters.lastMs, START_S * 1000 + 1000.123)
        assert.equal(flows[0]?.closedBy, 'eof')
      })
    }
  }

  it('names a link type that it can not read', async () => {
    const { error, unsupportedLinks } = await replay(pcap([up], { link: 127 }))
    assert.equal(
      error,
      'link type IEEE802_11_RADIOTAP (127) is not supported; Ethernet, Linux cooked and raw IP are',
    )
    assert.deepEqual(unsupportedLinks, ['IEEE802_11_RADIOTAP (127)'])
    assert.match((await replay(pcap([up], { link: 60000 }))).error ?? '', /^link type 60000 is not/)
  })

  it('says what else a file is', async () => {
    const cases: [Buffer, RegExp][] = [
      [Buffer.alloc(0), /empty/],
      [Buffer.from('ab'), /ends within its header, after 2 bytes/],
      [Buffer.from('1f8b0800000000000003', 'hex'), /gzip.*zcat FILE \| homespin replay -/],
      [Buffer.from('28b52ffd0000', 'hex'), /zstd/],
      [Buffer.from('fd377a585a00', 'hex'), /xz/],
      [Buffer.from('hello, world'), /neither pcap nor pcapng: it begins with 0x68656c6c/],
      [pcap([up]).fill(3, 4, 5), /version 3 is not supported/],
      [pcap([up]).subarray(0, 20), /ends within its header/],
    ]
    for (const [bytes, expected] of cases) assert.match((await replay(bytes)).error ?? '', expected)
  })

  it('says at which packet and byte a file is cut or lies', async () => {
    const whole = pcap([up, down])
    const cut = await replay(whole.subarray(0, whole.length - 1))
    assert.equal(cut.counters.packets, 1)
    assert.equal(cut.error, `packet 2 at byte ${24 + 16 + up.length}: the capture ends within it`)
    const lie = Buffer.from(whole)
    lie.writeUInt32LE(0x7fffffff, 24 + 8)
    assert.match(
      (await replay(lie)).error ?? '',
      /^packet 1 at byte 24: it claims to hold 2147483647 bytes/,
    )
  })

  it('takes a length on the wire that is below what was captured for a mistake', async () => {
    const { counters } = await replay(pcap([{ data: up, length: 3 }]))
    assert.equal(counters.decoded, 1)
    assert.equal(counters.bytes, up.length)
  })

  it('throws for a file that is not there, and for a folder', () => {
    assert.throws(() => createCapture().readFile('/nowhere/at/all.pcap'), /No such file/)
    assert.throws(() => createCapture().readFile(tmpdir()), /is a folder/)
  })
})

describe('native captures: pcapng', () => {
  for (const little of [true, false]) {
    it(`reads ${little ? 'little' : 'big'}-endian sections, all packet blocks, options and unknown blocks`, async () => {
      const file = new Pcapng(little)
      const resolution = file.option(9, Buffer.from([9]))
      const offset = file.option(
        14,
        little ? Buffer.from([10, 0, 0, 0, 0, 0, 0, 0]) : Buffer.from([0, 0, 0, 0, 0, 0, 0, 10]),
      )
      file
        .section()
        .interface(1)
        .interface(1, [
          file.option(2, Buffer.from('eth0')),
          resolution,
          offset,
          file.option(0, Buffer.alloc(0)),
        ])
      file.block(0x0bad, Buffer.alloc(400_000)).packet(up, BigInt(START_S) * 1_000_000n + 5n)
      file.packet(down, BigInt(START_S) * 1_000_000_000n + 1_000n, 1)
      file.simple(down).old(up, BigInt(START_S + 20) * 1_000_000n)
      const { flows, counters, error } = await replay(file.bytes())
      assert.equal(error, undefined)
      assert.equal(counters.packets, 4)
      assert.equal(flows[0]?.origPackets, 2)
      assert.equal(flows[0]?.respPackets, 2)
      assert.equal(flows[0]?.firstMs, START_S * 1000 + 0.005)
      assert.equal(flows[0]?.lastMs, (START_S + 20) * 1000)
    })
  }

  it('reads binary resolutions', async () => {
    const file = new Pcapng()
    file
      .section()
      .interface(1, [file.option(9, Buffer.from([0x80 | 10]))])
      .packet(up, BigInt(START_S) * 1024n + 512n)
    assert.equal((await replay(file.bytes())).flows[0]?.firstMs, START_S * 1000 + 500)
  })

  it('numbers the interfaces of several sections on', async () => {
    const other = new Conversation({ clientPort: 6, serverPort: 7 }).udp(true, Buffer.from('x'))
    const first = new Pcapng(true).section().interface().packet(up, 1n).bytes()
    const second = new Pcapng(false)
      .section()
      .interface(113)
      .interface(101)
      .interface()
      .packet(other, 2n, 2)
      .bytes()
    const { flows } = await replay(Buffer.concat([first, second]))
    assert.deepEqual(
      flows.map((flow) => flow.interface),
      [0, 3],
    )
  })

  it('counts packets of links that it can not read, and names them', async () => {
    const file = new Pcapng().section().interface(105).interface(1)
    file.packet(up, 1n, 0).packet(up, 2n, 1).packet(up, 3n, 0)
    const { counters, error, unsupportedLinks } = await replay(file.bytes())
    assert.equal(error, undefined)
    assert.deepEqual([counters.packets, counters.decoded, counters.unsupported], [3, 1, 2])
    assert.deepEqual(unsupportedLinks, ['IEEE802_11 (105)'])
    const none = await replay(
      new Pcapng().section().interface(105).interface(9).packet(up, 1n).bytes(),
    )
    assert.equal(
      none.error,
      'link type IEEE802_11 (105), PPP (9) is not supported; Ethernet, Linux cooked and raw IP are',
    )
    assert.equal(none.counters.unsupported, 1)
  })

  it('says what is wrong with a block', async () => {
    const good = (): Pcapng => new Pcapng().section().interface()
    const two = good().packet(up, 1n).bytes()
    two[two.length - 4] = 0
    const mark = good().bytes()
    mark[8] = 0
    const cases: [Buffer, RegExp][] = [
      [good().block(6, Buffer.alloc(20), 8).bytes(), /claims a length of 8 bytes/],
      [good().block(6, Buffer.alloc(20), 33).bytes(), /claims a length of 33 bytes/],
      [
        good().block(6, Buffer.alloc(20), 0x7ffffff0).bytes(),
        /claims a length of 2147483632 bytes/,
      ],
      [good().block(6, Buffer.alloc(16)).bytes(), /block is too short/],
      [
        good().packet(up, 1n, 3).bytes(),
        /packet 1 at byte \d+: it is of interface 3, which was not described/,
      ],
      [new Pcapng().section().simple(up).bytes(), /no interface was described/],
      [two, /two lengths of a block differ/],
      [mark, /byte order mark/],
      [good().block(0x0bad, Buffer.alloc(100), 400).bytes(), /the capture ends within it/],
    ]
    for (const [bytes, expected] of cases) assert.match((await replay(bytes)).error ?? '', expected)
  })
})

describe('native captures: streams', () => {
  const folder = mkdtempSync(join(tmpdir(), 'homespin-native-'))
  let pipes = 0
  const pipe = (): string => {
    const path = join(folder, `pipe-${pipes++}`)
    execFileSync('mkfifo', [path])
    return path
  }
  after(() => rmSync(folder, { recursive: true }))

  it('reads from a pipe as it comes, in any pieces, and ends with it', async () => {
    const frames = Array.from({ length: 50 }, (_, i) => ({
      data: ethernet(0x0800, ipv4(udp(1000 + i, 9, Buffer.alloc(i * 20)))),
      at: i,
    }))
    const bytes = pcap(frames)
    const path = pipe()
    const reading = replayPath(path)
    const writer = await open(path, 'w')
    for (let at = 0; at < bytes.length; at += 777) {
      await writer.write(bytes.subarray(at, at + 777))
      if (at % 5 === 0) await setTimeout(1)
    }
    await writer.close()
    const { flows, counters, error } = await reading
    assert.equal(error, undefined)
    assert.equal(counters.packets, 50)
    assert.equal(flows.length, 50)
  })

  it('reads from a descriptor and closes it', async () => {
    const path = join(folder, 'file.pcap')
    writeFileSync(path, pcap([up, down]))
    const fd = openSync(path, 'r')
    const capture = createCapture()
    capture.readDescriptor(fd, false)
    await new Promise<void>((resolve) =>
      capture.start(() => {
        if (capture.drain().ended) resolve()
      }),
    )
    capture.stop()
    assert.throws(() => fstatSync(fd), /EBADF/)
    assert.throws(
      () => createCapture().readDescriptor(987_654, false),
      /descriptor 987654 can't be read/,
    )
  })

  it('stops at once while it waits for input, and hands up what it has', async () => {
    const path = pipe()
    const capture = createCapture()
    capture.readFile(path)
    const bytes = pcap([up, down])
    let seen = 0
    capture.start(() => {
      seen = capture.drain().counters.packets
    })
    const writer = await open(path, 'w')
    await writer.write(bytes.subarray(0, bytes.length - 3))
    for (let i = 0; i < 400 && seen === 0; i++) await setTimeout(10)
    assert.equal(seen, 1)
    const before = performance.now()
    capture.stop()
    assert.ok(performance.now() - before < 150)
    const batch = capture.drain()
    assert.equal(batch.ended, true)
    assert.equal(batch.error, undefined)
    const [flow] = flowRows(batch)
    assert.equal(flow?.closedBy, 'eof')
    assert.equal(flow?.state, 'closed')
    await writer.close()
  })

  it('hands up all that changed, in small batches, and no more than 32 768 a round', async () => {
    const path = pipe()
    const capture = createCapture()
    const writing = open(path, 'w')
    capture.readDescriptor(openSync(path, 'r'), true)
    const writer = await writing
    const seen = new Set<number>()
    let largest = 0
    let round = 0
    let largestRound = 0
    let lastFull = false
    capture.start(() => {
      const batch = capture.drain()
      largest = Math.max(largest, batch.flowCount)
      // Batches of one round follow one another at once; all but its last are full.
      round = lastFull ? round + batch.flowCount : batch.flowCount
      largestRound = Math.max(largestRound, round)
      lastFull = batch.flowCount === 4096 && round < 32_768
      for (const row of flowRows(batch)) seen.add(row.number)
    })
    const flows = Array.from({ length: 60_000 }, (_, i) =>
      ethernet(0x0800, ipv4(udp(1000 + i, 9, Buffer.from('x')))),
    )
    await writer.writeFile(pcap(flows))
    for (let i = 0; i < 1500 && seen.size < flows.length; i++) await setTimeout(10)
    assert.equal(seen.size, flows.length)
    assert.ok(largest <= 4096)
    assert.ok(largestRound <= 32_768, `a round of ${largestRound}`)
    capture.stop()
    await writer.close()
  })

  it('lets time-outs of a live stream run by the time of day', async () => {
    const path = pipe()
    const capture = createCapture({ udpIdleSeconds: 1 })
    const writing = open(path, 'w')
    capture.readDescriptor(openSync(path, 'r'), true)
    const writer = await writing
    const rows: FlowRow[] = []
    capture.start(() => rows.push(...flowRows(capture.drain())))
    await writer.write(pcap([up]))
    for (let i = 0; i < 500 && !rows.some((row) => row.state === 'closed'); i++)
      await setTimeout(10)
    assert.equal(rows.at(-1)?.closedBy, 'idle')
    capture.stop()
    await writer.close()
  })
})
