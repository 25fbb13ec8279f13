import assert from 'node:assert/strict'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { below } from '../../figure.ts'
import { folder, make, removeAll, second, traffic } from './store.ts'

describe('History: what it keeps', function () {
  // Thousands of writes, each of which waits for the disk.
  this.timeout(240_000)
  afterEach(removeAll)

  const minute = 60_000
  /** A day of the test is an hour, so that ninety of them fit. */
  const kept = { minute_s: 2 * 3600, hour_s: 14 * 3600, day_s: 20 * 86_400, maxBytes: 200_000_000 }

  function sizeOf(dir: string): number {
    return ['history.db', 'history.db-wal']
      .map((name) => join(dir, name))
      .reduce((sum, path) => sum + (existsSync(path) ? statSync(path).size : 0), 0)
  }

  it('keeps each resolution as long as it says, and says how far back that is', async () => {
    const start = Date.UTC(2026, 0, 10)
    const { history, clock } = await make({ kept }, start)
    let now = start
    for (let m = 0; m < 30 * 24 * 60; m += 5) {
      now = start + m * minute
      clock.at = now
      history.add(second(now, [traffic(1, `r${m % 7}`, 100)]))
      if (m % 60 === 0) await history.flush()
    }
    await history.flush()
    const found = async (resolution: 'minute' | 'hour' | 'day') =>
      (await history.query({ resolution, fromMs: 0, toMs: now + 1 })).points.map(
        ({ time_ms }) => now - time_ms,
      )
    const [minutes, hours, days] = [await found('minute'), await found('hour'), await found('day')]
    const oldest = (ages: number[]): number => Math.max(...ages)
    assert.ok(
      oldest(minutes) <= 2 * 3_600_000 + 65 * minute &&
        oldest(minutes) >= 2 * 3_600_000 - 10 * minute,
    )
    assert.ok(oldest(hours) <= 16 * 3_600_000 && oldest(hours) >= 13 * 3_600_000)
    assert.ok(oldest(days) <= 22 * 86_400_000 && oldest(days) >= 19 * 86_400_000)
    const { kept_from_ms } = await history.query({ resolution: 'day', fromMs: 0, toMs: now })
    assert.deepEqual(
      [kept_from_ms.minute, kept_from_ms.hour, kept_from_ms.day].map((from) => now - Number(from)),
      [oldest(minutes), oldest(hours), oldest(days)],
    )
  })

  it('stays below its size whatever comes; minutes go first, days stay', async () => {
    const start = Date.UTC(2026, 0, 10)
    const maxBytes = 2_000_000
    const { history, clock, dir } = await make({ kept: { maxBytes }, topRemotes: 50 }, start)
    let largest = 0
    let now = start
    for (let m = 0; m < 600; m++) {
      now = start + m * 5 * minute
      clock.at = now
      const rows = Array.from({ length: 500 }, (_, n) =>
        traffic(n % 10, `scan-${m}-${n}.example.com`, n),
      )
      history.add(second(now, rows))
      await history.flush()
      largest = Math.max(largest, sizeOf(dir))
    }
    assert.ok(largest <= maxBytes * 1.02, `${largest} bytes`)
    assert.ok(largest >= maxBytes * 0.6, `${largest} bytes: it keeps less than it may`)
    const { points, kept_from_ms } = await history.query({
      resolution: 'day',
      fromMs: 0,
      toMs: now + 1,
    })
    assert.ok(points.length >= 2)
    assert.ok(Number(kept_from_ms.minute) > Number(kept_from_ms.hour), JSON.stringify(kept_from_ms))
    assert.ok(Number(kept_from_ms.hour) >= Number(kept_from_ms.day))
  })

  describe('with a clock on the wall that is wrong', () => {
    const start = Date.UTC(2026, 0, 10)
    const DAY = 86_400_000

    /** Thirty days of history, twice a day; its clocks go together. */
    async function filled(isSynchronised = (): boolean => true) {
      const boot = { at: 1000 }
      const made = await make({ bootMs: () => boot.at, isSynchronised }, start)
      const pass = async (ms: number): Promise<void> => {
        boot.at += ms
        made.clock.at += ms
        made.history.add(second(made.clock.at, [traffic(1, 'a', 100)]))
        await made.history.flush()
      }
      for (let half = 0; half < 60; half++) await pass(DAY / 2)
      const days = async (): Promise<number> =>
        (await made.history.query({ resolution: 'day', fromMs: 0, toMs: 4e12 })).points.length
      return { ...made, boot, pass, days }
    }

    it('drops nothing for its age after a jump ahead, and little when it is believed again', async () => {
      const { clock, pass, days } = await filled()
      const before = await days()
      assert.ok(before >= 29)
      clock.at += 1000 * DAY
      for (let m = 0; m < 11; m++) await pass(5 * minute)
      assert.ok((await days()) >= before, 'dropped at once')
      for (let m = 0; m < 36; m++) await pass(5 * minute)
      assert.ok((await days()) >= before - 4, `${await days()} of ${before} days`)
      // Set right again: what is there stays.
      clock.at -= 1000 * DAY
      for (let m = 0; m < 24; m++) await pass(5 * minute)
      assert.ok((await days()) >= before - 4)
    })

    it('drops nothing for its age while it is not synchronised', async () => {
      const state = { synchronised: true }
      const { clock, boot, pass, days } = await filled(() => state.synchronised)
      const before = await days()
      state.synchronised = false
      boot.at += 1000 * DAY
      clock.at += 1000 * DAY
      for (let m = 0; m < 30; m++) await pass(10 * minute)
      assert.ok((await days()) >= before)
    })

    it('drops nothing for its age at a start years later, until the clock has stood for a while', async () => {
      const first = await filled()
      const before = await first.days()
      await first.history.stop()
      const later = first.clock.at + 1000 * DAY
      const again = await make({ dir: first.dir, bootMs: () => 5000 }, later)
      const { points } = await again.history.query({ resolution: 'day', fromMs: 0, toMs: 4e12 })
      assert.ok(points.length >= before)
    })
  })

  it('shrinks to a smaller limit, without standing still', async () => {
    const dir = folder()
    const start = Date.UTC(2026, 0, 10)
    const first = await make({ dir }, start)
    for (let m = 0; m < 300; m++) {
      first.clock.at = start + m * minute
      const rows = Array.from({ length: 400 }, (_, n) => traffic(n % 5, `host-${n}.example.com`, n))
      first.history.add(second(first.clock.at, rows))
      await first.history.flush()
    }
    await first.history.stop()
    const before = sizeOf(dir)
    assert.ok(before > 4_000_000, `${before}`)
    let longest = 0
    let last = performance.now()
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 1)
    await turn()
    const second_ = await make({ dir, kept: { maxBytes: 2_000_000 } }, first.clock.at)
    clearInterval(timer)
    assert.ok(sizeOf(dir) <= 2_000_000, `${sizeOf(dir)}`)
    below('the event loop stood still', longest, 300)
    await second_.history.stop()
  })

  it('holds little in memory while the disk is away', async () => {
    const { history, clock } = await make({ dir: '/proc/nowhere' }, 0)
    for (let s = 0; s < 7200; s += 10) {
      clock.at = s * 1000
      const rows = Array.from({ length: 200 }, (_, n) => traffic(n % 20, `scan-${s}-${n}`, 1))
      history.add(second(s * 1000, rows, { to_ms: s * 1000 + 10_000 }))
      await history.flush()
    }
    const { points } = await history.query({ resolution: 'minute', fromMs: 0, toMs: 8_000_000 })
    assert.ok(points.length <= 61 && points.length > 5, `${points.length} minutes`)
    const { remotes } = await history.remotes(
      { resolution: 'minute', fromMs: 0, toMs: 8_000_000 },
      1000,
    )
    assert.ok(remotes.length > 0)
  })
})
