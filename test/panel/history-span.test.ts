import assert from 'node:assert/strict'
import { topRemotes } from '../../panel/src/history-load.ts'
import { coarserPlan, gapsOf, planOf, rebucket, sumOf } from '../../panel/src/history-span.ts'
import type { HistoryPoint } from '../../protocol/http.ts'

const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 86_400_000
const NOW = 500 * DAY + 12 * HOUR + 34 * MINUTE + 5000

const at = (time_ms: number, bytes = 1, complete = true): HistoryPoint => ({
  time_ms,
  sent_bytes: bytes,
  received_bytes: 2 * bytes,
  complete,
})

describe('panel: spans of history', () => {
  it('plans whole buckets that hold now', () => {
    for (const [span, step, length] of [
      ['hour', MINUTE, HOUR],
      ['day', 10 * MINUTE, DAY],
      ['week', HOUR, 7 * DAY],
      ['quarter', DAY, 90 * DAY],
    ] as const) {
      const plan = planOf(span, NOW)
      assert.equal(plan.step_ms, step)
      assert.equal(plan.to_ms % step, 0)
      assert.equal(plan.to_ms - plan.from_ms, length)
      assert.ok(plan.to_ms >= NOW && plan.to_ms - NOW < step)
    }
  })

  it('falls back to hours where the minutes do not go back far enough', () => {
    const plan = planOf('day', NOW)
    assert.equal(coarserPlan(plan, { minute: NOW - 2 * DAY, hour: NOW - 9 * DAY }), undefined)
    assert.equal(coarserPlan(plan, { minute: NOW - 2 * HOUR, hour: NOW - 2 * HOUR }), undefined)
    assert.equal(coarserPlan(planOf('hour', NOW), { hour: NOW - 9 * DAY }), undefined)
    for (const kept of [{ hour: NOW - 9 * DAY }, { minute: NOW - 3 * HOUR, hour: NOW - 9 * DAY }]) {
      assert.equal(coarserPlan(plan, kept)?.resolution, 'hour')
    }
  })

  it('sums minutes to ten, and says when some are missing', () => {
    const base = 500 * DAY
    const points = [
      ...Array.from({ length: 10 }, (_, n) => at(base + n * MINUTE)),
      ...Array.from({ length: 9 }, (_, n) => at(base + (10 + n) * MINUTE)),
      ...Array.from({ length: 10 }, (_, n) => at(base + (20 + n) * MINUTE, 1, n !== 4)),
      ...Array.from({ length: 3 }, (_, n) => at(base + (40 + n) * MINUTE)),
    ]
    const now = base + 43 * MINUTE
    const buckets = rebucket(points, MINUTE, 10 * MINUTE, now)
    assert.deepEqual(
      buckets.map(({ time_ms, sent_bytes, complete }) => [
        (time_ms - base) / MINUTE,
        sent_bytes,
        complete,
      ]),
      [
        [0, 10, true],
        [10, 9, false],
        [20, 10, false],
        [40, 3, true],
      ],
    )
    assert.deepEqual(sumOf(buckets), { sent_bytes: 32, received_bytes: 64 })
  })

  it('finds the stretches without data, and never takes them for zero', () => {
    const plan = { resolution: 'hour', step_ms: HOUR, from_ms: 0, to_ms: 10 * HOUR } as const
    const gaps = gapsOf([at(2 * HOUR), at(3 * HOUR, 0), at(6 * HOUR)], plan, 9.5 * HOUR)
    assert.deepEqual(gaps, [
      { from_ms: 0, to_ms: 2 * HOUR },
      { from_ms: 4 * HOUR, to_ms: 6 * HOUR },
      { from_ms: 7 * HOUR, to_ms: 8.5 * HOUR },
    ])
    const full = Array.from({ length: 9 }, (_, n) => at(n * HOUR))
    assert.deepEqual(gapsOf(full, plan, 9.5 * HOUR), [], 'the running hour is not missing yet')
    assert.deepEqual(gapsOf([], plan, 20 * HOUR), [{ from_ms: 0, to_ms: 10 * HOUR }])
  })

  it('sums remotes over devices and puts the rest last', () => {
    const totals = Array.from({ length: 14 }, (_, n) => ({
      device_id: n % 2 === 0 ? 'a' : 'b',
      remote: `r${Math.floor(n / 2)}`,
      sent_bytes: 1,
      received_bytes: n,
    }))
    const sums = topRemotes([...totals, { device_id: 'a', sent_bytes: 1000, received_bytes: 0 }])
    assert.equal(sums.length, 8)
    assert.deepEqual(sums[0], { remote: 'r6', sent_bytes: 2, received_bytes: 25 })
    assert.deepEqual(sums.at(-1), { sent_bytes: 1000, received_bytes: 0 })
    const many = Array.from({ length: 30 }, (_, n) => ({
      device_id: 'a',
      remote: `r${n}`,
      sent_bytes: 30 - n,
      received_bytes: 0,
    }))
    const top = topRemotes(many)
    assert.equal(top.length, 11)
    assert.deepEqual(top.at(-1), { sent_bytes: (20 * 21) / 2, received_bytes: 0 })
  })
})
