import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { backOffMs } from '../../../agent/mqtt/back-off.ts'
import { Backlog } from '../../../agent/mqtt/backlog.ts'
import { packRecords } from '../../../agent/mqtt/batch.ts'
import { FrameLimit } from '../../../agent/mqtt/frame-limit.ts'
import type { PublishOutcome } from '../../../agent/mqtt/mqtt-link.ts'
import { Outbox } from '../../../agent/mqtt/outbox.ts'
import { recordingLog } from './listener.ts'

interface Sent {
  topic: string
  payload: string
  settle: (outcome: PublishOutcome) => void
}

describe('Outbox', () => {
  function make(): { outbox: Outbox; flying: Sent[]; lines: string[] } {
    const flying: Sent[] = []
    const log = recordingLog()
    const outbox = new Outbox(
      (topic, payload) => new Promise((settle) => flying.push({ topic, payload, settle })),
      log,
    )
    return { outbox, flying, lines: log.lines }
  }

  async function settleAll(flying: Sent[], outcome: PublishOutcome): Promise<void> {
    for (const one of flying.splice(0)) one.settle(outcome)
    await turn()
  }

  it('holds everything until a connection stands, then state before events, 32 at once', async () => {
    const { outbox, flying } = make()
    for (let n = 0; n < 40; n++) outbox.addEvent('event', `${n}`)
    outbox.setState('status', 'online')
    outbox.setState('info', '1')
    outbox.setState('info', '2')
    assert.equal(flying.length, 0)
    outbox.open()
    assert.equal(flying.length, 32)
    assert.deepEqual(
      flying.slice(0, 3).map(({ payload }) => payload),
      ['online', '2', '0'],
    )
    await settleAll(flying, 'done')
    assert.deepEqual(
      flying.map(({ payload }) => payload),
      Array.from({ length: 10 }, (_, n) => `${30 + n}`),
    )
  })

  it('sends the last value once more when it changed under way', async () => {
    const { outbox, flying } = make()
    outbox.open()
    outbox.setState('info', '1')
    outbox.setState('info', '2')
    outbox.setState('info', '3')
    assert.deepEqual(
      flying.map(({ payload }) => payload),
      ['1'],
    )
    await settleAll(flying, 'done')
    assert.deepEqual(
      flying.map(({ payload }) => payload),
      ['3'],
    )
  })

  it('finds the one message that ends every connection, drops it, and delivers the rest in order', async () => {
    const { outbox, flying, lines } = make()
    for (let n = 0; n < 10; n++) outbox.addEvent('event', n === 4 ? 'poison' : `${n}`)
    outbox.setState('device/1', 'poison')
    const arrived: string[] = []
    let connections = 0
    // A broker that hangs up on poison, and loses what came with it.
    while (arrived.filter((one) => one !== 'state').length < 9) {
      assert.ok(++connections < 30, `never done: ${arrived}`)
      outbox.open()
      while (flying.length > 0 && !flying.some(({ payload }) => payload === 'poison')) {
        const [first] = flying.splice(0, 1)
        arrived.push(first?.payload as string)
        first?.settle('done')
        await turn()
      }
      outbox.close()
      await settleAll(flying, 'lost')
    }
    assert.deepEqual(arrived, ['0', '1', '2', '3', '5', '6', '7', '8', '9'])
    assert.equal(outbox.dropped, 2)
    assert.equal(lines.length, 2)
    outbox.open()
    assert.equal(flying.length, 0)
    outbox.setState('device/1', 'better')
    assert.deepEqual(
      flying.map(({ payload }) => payload),
      ['better'],
    )
  })

  it('forgets a cleared topic once the broker knows', async () => {
    const { outbox, flying } = make()
    outbox.open()
    outbox.setState('device/1', 'x')
    await settleAll(flying, 'done')
    outbox.setState('device/1', '')
    outbox.close()
    await settleAll(flying, 'lost')
    outbox.open()
    assert.deepEqual(
      flying.map(({ payload }) => payload),
      [''],
    )
    await settleAll(flying, 'done')
    outbox.close()
    outbox.open()
    assert.equal(flying.length, 0)
  })

  it('has room for its own state whatever the number of devices, and for new ones once others are forgotten', async () => {
    const flying: Sent[] = []
    const outbox = new Outbox(
      (topic, payload) => new Promise((settle) => flying.push({ topic, payload, settle })),
      recordingLog(),
      { maxStates: 3, maxDevices: 100 },
    )
    // A flood while the broker is away: each new device takes the place of one that is forgotten.
    for (let n = 0; n < 5000; n++) {
      if (n >= 100) outbox.setState(`device/${n - 100}`, '', 'device')
      outbox.setState(`device/${n}`, 'x', 'device')
    }
    for (const topic of ['status', 'info', 'incident/1']) outbox.setState(topic, 'x')
    assert.equal(outbox.tells('incident/1'), true)
    assert.equal(outbox.tells('device/4899'), false)
    outbox.open()
    const topics: string[] = []
    while (flying.length > 0) {
      topics.push(...flying.map(({ topic }) => topic))
      await settleAll(flying, 'done')
    }
    assert.equal(topics.length, 103)
    assert.ok(['status', 'info', 'incident/1', 'device/4999'].every((one) => topics.includes(one)))
    const dropped = outbox.dropped
    // What a broker has heard of is cleared there, as long as there is room to remember that.
    outbox.close()
    for (let n = 0; n < 100; n++) {
      outbox.setState(`device/${4900 + n}`, '', 'device')
      outbox.setState(`device/${5000 + n}`, 'x', 'device')
    }
    assert.equal(outbox.dropped, dropped)
    assert.equal(outbox.tells('device/5099'), true)
  })

  it('bounds events by number and by bytes', () => {
    const outbox = new Outbox(async () => 'lost', recordingLog(), {
      maxEvents: 10,
      maxEventBytes: 1000,
    })
    for (let n = 0; n < 100; n++) outbox.addEvent('event', `${n}`)
    assert.deepEqual([outbox.waitingEvents, outbox.dropped], [10, 90])
    for (let n = 0; n < 20; n++) outbox.addEvent('event', 'x'.repeat(300))
    assert.ok(outbox.waitingEventBytes <= 1000)
    assert.equal(outbox.waitingEvents, 3)
  })
})

describe('Backlog', () => {
  const span = (from_ms: number, complete = true) => ({ from_ms, to_ms: from_ms + 1, complete })

  it('keeps what came since over what is put back', () => {
    const backlog = new Backlog(10, 1000)
    backlog.add(span(5), ['a', 'c'], ['a2', 'c2'])
    backlog.putBack(span(1, false), ['a', 'b'], ['a1', 'b1'])
    assert.deepEqual(backlog.take(), {
      span: { from_ms: 1, to_ms: 6, complete: false },
      keys: ['b', 'a', 'c'],
      records: ['b1', 'a2', 'c2'],
    })
    assert.equal(backlog.empty, true)
    assert.equal(backlog.bytes, 0)
  })
})

describe('packRecords', () => {
  it('fills messages up and leaves out what fits none', () => {
    const records = Array.from({ length: 100 }, (_, n) => 'é'.repeat(n))
    const { runs, oversize } = packRecords([...records, 'x'.repeat(5000)], 1024)
    assert.equal(oversize, 1)
    assert.deepEqual(runs.flat(), records)
    for (const run of runs) assert.ok(Buffer.byteLength(run.join(',')) <= 1024 - 256)
  })
})

describe('FrameLimit', () => {
  it('follows frames through any cut of the bytes', () => {
    const frame = (length: number): number[] => {
      const header = length < 128 ? [length] : [(length & 0x7f) | 0x80, length >> 7]
      return [0x30, ...header, ...new Array<number>(length).fill(0xff)]
    }
    const bytes = Uint8Array.from([...frame(0), ...frame(127), ...frame(1000), ...frame(5)])
    for (const step of [1, 2, 3, 7, 100, bytes.length]) {
      const limit = new FrameLimit(1000)
      for (let at = 0; at < bytes.length; at += step) {
        assert.equal(limit.accept(bytes.subarray(at, at + step)), true)
      }
      assert.equal(limit.accept(Uint8Array.from(frame(1001)).subarray(0, 3)), false)
    }
    assert.equal(new FrameLimit(1e9).accept(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0xff)), false)
  })
})

describe('backOffMs', () => {
  it('doubles up to its bound, half of it by chance', () => {
    assert.deepEqual(
      [0, 1, 2, 10].map((n) => backOffMs(n, 60_000, () => 1)),
      [1000, 2000, 4000, 60_000],
    )
    assert.deepEqual(
      [0, 10].map((n) => backOffMs(n, 60_000, () => 0)),
      [500, 30_000],
    )
  })
})
