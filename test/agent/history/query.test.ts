import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { bucketEnd, bucketStart } from '../../../agent/history/buckets.ts'
import { topRemotes } from '../../../agent/history/tally.ts'
import type { Interval } from '../../../agent/interval.ts'
import type { Resolution } from '../../../protocol/http.ts'
import { make, removeAll, second, traffic } from './store.ts'

const RESOLUTIONS: Resolution[] = ['minute', 'hour', 'day']

describe('History: what it answers', function () {
  this.timeout(60_000)
  afterEach(removeAll)

  const whole = { fromMs: 0, toMs: 4e12 }

  it('equals a naive model on random traffic, at any moment, over restarts', async () => {
    const seed = Math.floor(Math.random() * 1e9)
    const random = generator(seed)
    const start = Date.UTC(2026, 2, 27, 21, 17)
    let { history, clock, dir } = await make({}, start)
    const all: Interval[] = []
    let at = start
    // Four days, over a change of summer time in many zones, with gaps; one interval of a minute or less each step.
    while (at < start + 4 * 86_400_000) {
      if (random() < 0.01) at += Math.floor(random() * 7_200_000)
      const length = 1000 + Math.floor(random() * 59_000)
      const rows = Array.from({ length: Math.floor(random() * 4) }, () =>
        traffic(
          1 + Math.floor(random() * 3),
          `r${Math.floor(random() * 20)}`,
          Math.floor(random() * 1e6),
          Math.floor(random() * 1e6),
        ),
      )
      const interval = second(at, rows, { to_ms: at + length, complete: random() > 0.02 })
      at = interval.to_ms
      clock.at = at
      all.push(interval)
      history.add(interval)
      // More than an hour in memory would be dropped: that is another test.
      if (random() < 0.05 || all.length % 50 === 0) await history.flush()
      if (random() < 0.002) {
        await history.stop()
        ;({ history, clock } = await make({ dir }, at))
      }
      if (random() < 0.001) await compare(history, all, seed)
    }
    await compare(history, all, seed)
    await history.flush()
    await compare(history, all, seed)
  })

  async function compare(
    history: Awaited<ReturnType<typeof make>>['history'],
    all: Interval[],
    seed: number,
  ): Promise<void> {
    const now = all.at(-1)?.to_ms ?? 0
    for (const resolution of RESOLUTIONS) {
      for (const device of [undefined, '020de0000001', '020de0000077']) {
        // Minutes may be gone after two days.
        const fromMs = resolution === 'minute' ? now - 86_400_000 : 0
        const query = { resolution, fromMs, toMs: now, ...(device && { device }) }
        const expected = model(all, resolution, device).filter(
          ({ time_ms }) => time_ms >= bucketStart(resolution, Math.floor(fromMs / 1000)) * 1000,
        )
        const { points } = await history.query(query)
        assert.deepEqual(points, expected, `seed ${seed} ${resolution} ${device}`)
        if (resolution === 'minute') continue
        const { remotes } = await history.remotes(query, 1000)
        assert.deepEqual(
          remotes
            .map((one) => `${one.device_id} ${one.remote} ${one.sent_bytes} ${one.received_bytes}`)
            .sort(),
          remotesModel(all, device).sort(),
          `seed ${seed} ${resolution} ${device}`,
        )
        assert.deepEqual(
          remotes,
          [...remotes].sort((a, b) => total(b) - total(a)),
        )
      }
    }
  }

  const total = (one: { sent_bytes: number; received_bytes: number }): number =>
    one.sent_bytes + one.received_bytes

  function model(all: Interval[], resolution: Resolution, device: string | undefined) {
    const buckets = new Map<
      number,
      { sent: number; received: number; observed: number; lossless: boolean }
    >()
    const at = (ms: number) => {
      const time = bucketStart(resolution, Math.floor(ms / 1000))
      const found = buckets.get(time) ?? { sent: 0, received: 0, observed: 0, lossless: true }
      buckets.set(time, found)
      return { ...{ time }, found }
    }
    for (const { from_ms, to_ms, complete, traffic } of all) {
      const { found } = at(from_ms)
      for (const row of traffic) {
        if (device !== undefined && row.device_id !== device) continue
        found.sent += row.sent_bytes
        found.received += row.received_bytes
      }
      for (let ms = from_ms; ms < to_ms; ) {
        // An interval that touches two minutes makes both incomplete, not only the bucket in which it begins.
        const { time, found } = at(ms)
        const end = Math.min(to_ms, bucketEnd(resolution, time) * 1000)
        found.observed += end - ms
        found.lossless &&= complete
        ms = end
      }
    }
    return [...buckets]
      .sort(([a], [b]) => a - b)
      .map(([time, { sent, received, observed, lossless }]) => ({
        time_ms: time * 1000,
        sent_bytes: sent,
        received_bytes: received,
        complete: lossless && observed >= (bucketEnd(resolution, time) - time) * 1000 - 1500,
      }))
  }

  function remotesModel(all: Interval[], device: string | undefined): string[] {
    const sums = new Map<string, [number, number]>()
    for (const { traffic } of all) {
      for (const row of traffic) {
        if (device !== undefined && row.device_id !== device) continue
        const key = `${row.device_id} ${row.remote}`
        const [sent, received] = sums.get(key) ?? [0, 0]
        sums.set(key, [sent + row.sent_bytes, received + row.received_bytes])
      }
    }
    return [...sums].map(([key, [sent, received]]) => `${key} ${sent} ${received}`)
  }

  it('shows observed silence as zeros, and what it did not see not at all', async () => {
    const { history, clock } = await make({}, 0)
    for (let s = 0; s < 180; s++) history.add(second(s * 1000, s < 60 ? [traffic(1, 'a', 5)] : []))
    for (let s = 300; s < 330; s++) history.add(second(s * 1000, []))
    clock.at = 330_000
    const { points, kept_from_ms } = await history.query({ resolution: 'minute', ...whole })
    assert.deepEqual(
      points.map(({ time_ms, sent_bytes, complete }) => [time_ms, sent_bytes, complete]),
      [
        [0, 300, true],
        [60_000, 0, true],
        [120_000, 0, true],
        [300_000, 0, false],
      ],
    )
    assert.equal(kept_from_ms.minute, 0)
  })

  it('marks a bucket in which anything was lost', async () => {
    const { history } = await make({}, 0)
    for (let s = 0; s < 120; s++) history.add(second(s * 1000, [], { complete: s !== 70 }))
    const { points } = await history.query({ resolution: 'minute', ...whole })
    assert.deepEqual(
      points.map(({ complete }) => complete),
      [true, false],
    )
  })

  it('keeps the top remotes of each bucket, and the rest as a sum without a name', async () => {
    const { history, clock } = await make({ topRemotes: 10 }, 0)
    for (let s = 0; s < 3700; s++) {
      const rows = Array.from({ length: 10 }, (_, n) => traffic(1, `big-${n}`, 1000 + n))
      rows.push(traffic(1, `small-${s % 40}`, 1))
      history.add(second(s * 1000, rows))
      clock.at = s * 1000
      if (s % 5 === 0) await history.flush()
    }
    for (const resolution of ['minute', 'hour'] as const) {
      const { remotes } = await history.remotes({ resolution, fromMs: 0, toMs: 3_600_000 }, 1000)
      assert.equal(remotes.length, 11)
      assert.deepEqual(
        remotes.slice(0, 2).map(({ remote, sent_bytes }) => [remote, sent_bytes]),
        [
          ['big-9', 1009 * 3600],
          ['big-8', 1008 * 3600],
        ],
      )
      assert.deepEqual(remotes.at(-1), {
        device_id: '020de0000001',
        sent_bytes: 3600,
        received_bytes: 0,
      })
    }
    const few = await history.remotes({ resolution: 'hour', fromMs: 0, toMs: 3_600_000 }, 3)
    assert.equal(few.remotes.length, 3)
  })

  it('conserves every byte although memory and tables are bounded', async () => {
    const { history, clock } = await make({ topRemotes: 5 }, 0)
    let sum = 0
    for (let s = 0; s < 200; s++) {
      const rows = Array.from({ length: 500 }, (_, n) => traffic(n % 3, `scan-${s}-${n}`, n))
      sum += rows.reduce((total, { sent_bytes }) => total + sent_bytes, 0)
      history.add(second(s * 1000, rows))
      clock.at = s * 1000
      if (s % 4 === 0) await history.flush()
    }
    for (const resolution of RESOLUTIONS) {
      const { points } = await history.query({ resolution, ...whole })
      assert.equal(
        points.reduce((total, { sent_bytes }) => total + sent_bytes, 0),
        sum,
      )
      const { remotes } = await history.remotes({ resolution, ...whole }, 1000)
      assert.equal(
        remotes.reduce((total, { sent_bytes }) => total + sent_bytes, 0),
        sum,
      )
    }
  })

  it('takes hostile names and impossible numbers for what they are', async () => {
    const { history } = await make({}, 0)
    const names = [
      "'; DROP TABLE minute_span; --",
      '__proto__',
      'constructor',
      '\u0000',
      '\ud800',
      'x'.repeat(1000),
      '%s',
      '💥',
    ]
    history.add(
      second(
        0,
        names.map((name, n) => traffic(1, name, n + 1)),
      ),
    )
    history.add(
      second(1000, [
        traffic(1, 'bad', Number.NaN),
        traffic(1, 'bad', -5),
        traffic(1, 'bad', Number.POSITIVE_INFINITY),
        traffic(1, 'bad', 1.5),
      ]),
    )
    await history.flush()
    const { remotes } = await history.remotes({ resolution: 'minute', ...whole }, 100)
    assert.equal(remotes.length, names.length + 1)
    assert.equal(remotes.find(({ remote }) => remote === '__proto__')?.sent_bytes, 2)
    assert.equal(remotes.find(({ remote }) => remote === 'bad')?.sent_bytes, 0)
    for (const range of [
      { fromMs: -1e20, toMs: 1e20 },
      { fromMs: 5, toMs: 5 },
      { fromMs: 9e15, toMs: 0 },
    ]) {
      for (const resolution of RESOLUTIONS) await history.query({ resolution, ...range })
    }
  })

  it('goes on when the clock is set back or far ahead', async () => {
    const { history, clock } = await make({}, 0)
    const day = 86_400_000
    const minutes = async (at: number): Promise<void> => {
      for (let s = 0; s < 7300; s++) {
        history.add(second(at + s * 1000, [traffic(1, 'a', 1)]))
        clock.at = at + s * 1000
        if (s % 60 === 0) await history.flush()
      }
    }
    await minutes(1000 * day)
    await minutes(1000 * day - 3_600_000)
    await minutes(1001 * day)
    await minutes(1000 * day + 3_600_000)
    await history.flush()
    for (const resolution of ['minute', 'hour', 'day'] as const) {
      const { points } = await history.query({ resolution, fromMs: 990 * day, toMs: 1010 * day })
      assert.equal(
        points.reduce((total, { sent_bytes }) => total + sent_bytes, 0),
        4 * 7300,
        resolution,
      )
    }
  })

  it('takes thousands of rows a second in its stride', async () => {
    const { history, clock } = await make({}, 0)
    const rows = Array.from({ length: 5000 }, (_, n) =>
      traffic(n % 50, `remote-${n % 977}.example.com`, n),
    )
    const longest = watchLoop()
    let spent = 0
    for (let s = 0; s < 130; s++) {
      const began = performance.now()
      history.add(second(s * 1000, rows))
      spent += performance.now() - began
      clock.at = s * 1000
      if (s % 4 === 3) await history.flush()
      await turn()
    }
    const blocked = longest()
    assert.ok(spent / 130 < 20, `${spent / 130} ms an interval`)
    assert.ok(blocked < 300, `the event loop stood still for ${blocked} ms`)
  })

  it('cuts days and hours as the local clock does', () => {
    const before = process.env.TZ
    const zones = [
      'Europe/Amsterdam',
      'Asia/Kathmandu',
      'Australia/Lord_Howe',
      'America/St_Johns',
      'UTC',
      'America/Havana',
    ]
    try {
      for (const zone of zones) {
        process.env.TZ = zone
        for (const [month, day] of [
          [2, 28],
          [9, 24],
          [3, 4],
          [10, 1],
          [5, 5],
        ] as const) {
          let last = 0
          const from = Date.UTC(2026, month, day) / 1000
          for (let time = from; time < from + 3 * 86_400; time += 600) {
            for (const resolution of RESOLUTIONS) {
              const start = bucketStart(resolution, time)
              assert.ok(start <= time && time - start < 2 * 86_400, `${zone} ${time}`)
              assert.equal(bucketStart(resolution, start), start)
            }
            const hour = bucketStart('hour', time)
            assert.ok(bucketEnd('hour', hour) > time && bucketEnd('hour', hour) - hour <= 3600)
            const day = bucketStart('day', time)
            assert.ok(time < bucketEnd('day', day), `${zone} ${new Date(time * 1000)}`)
            assert.ok(day >= last)
            last = day
          }
        }
      }
      process.env.TZ = 'Asia/Kathmandu'
      assert.equal(new Date(bucketStart('hour', 1_790_000_000) * 1000).getMinutes(), 0)
      process.env.TZ = 'Europe/Amsterdam'
      const long = bucketStart('day', Date.UTC(2026, 9, 25, 12) / 1000)
      assert.equal(bucketEnd('day', long) - long, 25 * 3600)
    } finally {
      if (before === undefined) delete process.env.TZ
      else process.env.TZ = before
    }
  })

  it('keeps the right ones at the top', () => {
    const remotes = new Map(
      Array.from({ length: 50 }, (_, n) => [`r${n}`, { sent: n, received: n }]),
    )
    const top = topRemotes(remotes, 3)
    assert.deepEqual(
      top.map(([remote]) => remote),
      ['r49', 'r48', 'r47', ''],
    )
    assert.equal(
      top.reduce((sum, [, { sent }]) => sum + sent, 0),
      (49 * 50) / 2,
    )
  })
})

/** Tells, when called, the longest time that nothing else could run. */
function watchLoop(): () => number {
  let longest = 0
  let last = performance.now()
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  }, 1)
  return () => {
    clearInterval(timer)
    return longest
  }
}

function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
