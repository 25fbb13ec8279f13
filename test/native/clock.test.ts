// What happens to flows and names when a source's clock is set, or a frame has an absurd time.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, openSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCapture } from '../../native/index.ts'
import { dns } from './messages.ts'
import type { Captured } from './packets.ts'
import { Conversation, pcap, START_S } from './packets.ts'
import type { FlowRow, NameRow, Replay } from './replay.ts'
import { flowRows, nameRows, replay } from './replay.ts'

const HOUR = 3600
/** 2106, the end of pcap's seconds. */
const FAR = 0xffffffff - START_S

const at = (seconds: number, port: number): Captured => ({
  at: seconds,
  data: new Conversation({ clientPort: port, serverPort: 9 }).udp(true, Buffer.from('x')),
})
const played = (...packets: Captured[]): Promise<Replay> =>
  replay(pcap(packets), { updates: false })
/** A packet each half minute, so that time goes on. */
const ticks = (from: number, to: number): Captured[] =>
  Array.from({ length: (to - from) / 30 }, (_, i) => at(from + i * 30, 1))
/** Port, packets, how it ended, first and last second. */
const told = ({ flows }: Replay): unknown[] =>
  flows.map((flow) => [
    Number(flow.orig.split(':').at(-1)),
    flow.origPackets,
    flow.closedBy,
    flow.firstMs / 1000 - START_S,
    flow.lastMs / 1000 - START_S,
  ])

describe('native clock: of a file', () => {
  it('is not moved by one frame of the far future, whose flow ends like the others', async () => {
    const found = await played(at(0, 7), at(10, 8), at(FAR, 9), at(20, 8), ...ticks(30, 300))
    assert.deepEqual(told(found), [
      [7, 1, 'idle', 0, 0],
      [8, 2, 'idle', 10, 20],
      [9, 1, 'idle', 20, 20],
      [1, 9, 'eof', 30, 270],
    ])
    assert.equal(found.counters.lastMs - found.counters.firstMs, 270_000)
  })

  it('is not moved by one frame of the far past', async () => {
    const found = await played(at(0, 7), at(-HOUR, 9), at(1, 7), ...ticks(30, 300))
    assert.deepEqual(told(found), [
      [7, 2, 'idle', 0, 1],
      [9, 1, 'idle', 0, 0],
      [1, 9, 'eof', 30, 270],
    ])
  })

  it('goes on where absurd frames are the first, or several', async () => {
    const first = await played(at(FAR, 9), ...ticks(0, 300))
    assert.deepEqual(first.flows.at(-1)?.origPackets, 10)
    assert.equal(first.flows[0]?.closedBy, 'idle')
    const several = await played(at(0, 7), at(FAR, 9), at(FAR, 9), at(1, 7), ...ticks(30, 300))
    assert.deepEqual(several.flows.map((flow) => [flow.orig, flow.closedBy]).slice(-2), [
      ['192.0.2.11:7', 'idle'],
      ['192.0.2.11:1', 'eof'],
    ])
  })

  it('that is set back breaks no flow, and goes on', async () => {
    const found = await played(
      ...[0, 20, 40].map((second) => at(second, 7)),
      ...[60, 80, 100].map((second) => at(second - HOUR, 7)),
      at(101 - HOUR, 8),
      ...ticks(120 - HOUR, 300 - HOUR),
    )
    assert.deepEqual(told(found), [
      [7, 6, 'idle', -HOUR + 40, -HOUR + 100],
      [8, 1, 'idle', -HOUR + 101, -HOUR + 101],
      [1, 6, 'eof', -HOUR + 120, -HOUR + 270],
    ])
  })

  it('is one clock where two sources an hour apart are written down by turns', async () => {
    const packets = Array.from({ length: 40 }, (_, i) =>
      at(i - (i % 4 < 2 ? 0 : HOUR), 10 + (i % 4)),
    )
    const { flows } = await played(...packets)
    assert.deepEqual(
      flows.map((flow) => flow.origPackets),
      [10, 10, 10, 10],
    )
  })

  it('leaps over a long silence, after which the first frame has its own time', async () => {
    const found = await played(at(0, 7), at(5 * HOUR, 8), at(5 * HOUR + 1, 7), at(5 * HOUR + 2, 9))
    assert.deepEqual(told(found), [
      [7, 1, 'idle', 0, 0],
      [8, 1, 'eof', 5 * HOUR, 5 * HOUR],
      [7, 1, 'eof', 5 * HOUR + 1, 5 * HOUR + 1],
      [9, 1, 'eof', 5 * HOUR + 2, 5 * HOUR + 2],
    ])
    const last = await played(at(0, 7), at(5 * HOUR, 8))
    assert.equal(last.counters.lastMs - last.counters.firstMs, 5 * HOUR * 1000)
    assert.equal(last.flows[1]?.firstMs, (START_S + 5 * HOUR) * 1000)
  })

  it('lets names through that are not over the limit, after it was set back', async () => {
    const query = (second: number): Captured => ({
      at: second,
      data: new Conversation({ serverPort: 53 }).udp(true, dns(`q${second}.example`)),
    })
    const seconds = Array.from({ length: 30 }, (_, i) => (i < 10 ? i : i - HOUR))
    const { names } = await replay(pcap(seconds.map(query)), { namesPerSecond: 1, namesBurst: 2 })
    assert.ok(names.length >= 29, `${names.length} of 30`)
    assert.equal(names.at(-1)?.timeMs, (START_S + 29 - HOUR) * 1000)
  })
})

describe('native clock: live', function () {
  this.timeout(60_000)
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-clock-'))
  })
  let pipes = 0
  after(() => rmSync(folder, { recursive: true }))

  for (const [what, step] of [
    ['set back', -HOUR],
    ['set ahead', HOUR],
  ] as const) {
    it(`that is ${what} by an hour stops and breaks nothing`, async () => {
      const path = join(folder, `pipe-${pipes++}`)
      execFileSync('mkfifo', [path])
      const writing = open(path, 'w')
      const capture = createCapture({ udpIdleSeconds: 3, namesPerSecond: 20, namesBurst: 20 })
      capture.readDescriptor(openSync(path, 'r'), true)
      const writer = await writing
      const rows = new Map<number, FlowRow>()
      const names: NameRow[] = []
      capture.start(() => {
        const batch = capture.drain()
        names.push(...nameRows(batch))
        for (const row of flowRows(batch)) rows.set(row.number, row)
      })
      const ended = (port: number): FlowRow | undefined =>
        [...rows.values()].find((row) => row.orig.endsWith(`:${port}`) && row.state === 'closed')
      await writer.write(pcap([]))
      const send = async (packet: Captured): Promise<void> => {
        await writer.write(pcap([packet]).subarray(24))
      }
      const begun = performance.now()
      const second = (): number => (performance.now() - begun) / 1000
      let offset = 0
      let asked = 0
      // One that goes on all the time, one that ends before the step, one after; and names at half of what is let through.
      await send(at(0, 8))
      for (let n = 0; ended(10) === undefined && second() < 40; n++) {
        if (second() > 2) offset = step
        await send(at(second() + offset, 7))
        if (offset !== 0 && n % 5 === 0 && second() < 4) await send(at(second() + offset, 10))
        const query = new Conversation({ clientPort: 9000, serverPort: 53 })
        asked++
        await send({ at: second() + offset, data: query.udp(true, dns(`q${n}.example`)) })
        await sleep(100)
      }
      const took = second()
      capture.stop()
      names.push(...nameRows(capture.drain()))
      await writer.close()
      assert.equal(ended(10)?.closedBy, 'idle', 'time-outs go on after the step')
      assert.equal(ended(8)?.closedBy, 'idle')
      assert.equal([...rows.values()].filter((row) => row.orig.endsWith(':7')).length, 1)
      assert.ok(names.length > asked * 0.8, `${names.length} of ${asked} names`)
      assert.ok(Math.abs((names.at(-1)?.timeMs ?? 0) / 1000 - START_S - took - step) < 30)
    })
  }
})
