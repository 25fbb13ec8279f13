import assert from 'node:assert/strict'
import { SlidingCounts } from '../../nodes/sliding-counts.ts'
import { below } from '../figure.ts'

const above = (crossings: { key: string; above: boolean }[]): [string, boolean][] =>
  crossings.map((each) => [each.key, each.above])

describe('nodes/sliding-counts', () => {
  it('tells once when a key goes above, and once when it is back', () => {
    const counts = new SlidingCounts({ counting: 'sum', windowMs: 10_000, threshold: 3 })
    for (const at of [0, 100, 200]) assert.deepEqual(counts.add('a', 1, undefined, at), [])
    assert.deepEqual(above(counts.add('a', 1, undefined, 300)), [['a', true]])
    assert.deepEqual(counts.add('a', 1, undefined, 400), [])
    assert.equal(counts.above, 1)
    assert.deepEqual(counts.expire(9_000), [])
    const [back] = counts.expire(10_300)
    assert.deepEqual([back?.above, back?.observed, counts.above], [false, 1, 0])
    assert.deepEqual(counts.expire(10_400), [])
  })

  it('tells again of a key that stays above, while more is counted of it', () => {
    const options = { counting: 'sum', windowMs: 10_000, threshold: 150 } as const
    const fired = (againMs: number): number => {
      const counts = new SlidingCounts({ ...options, againMs })
      let times = 0
      for (let ms = 0; ms < 7_200_000; ms += 50) {
        const told = counts.add('a', 1, undefined, ms)
        if (ms % 500 === 0) told.push(...counts.expire(ms))
        times += told.filter((each) => each.above).length
      }
      return times
    }
    assert.equal(fired(0), 1)
    assert.equal(fired(1_800_000), 4)
    const counts = new SlidingCounts({ ...options, threshold: 1, againMs: 1000 })
    counts.add('a', 2, undefined, 0)
    assert.deepEqual(counts.expire(5000), [], 'nothing new is no reason to tell again')
    const [again] = counts.add('a', 1, undefined, 5001)
    assert.deepEqual([again?.above, again?.again, again?.observed], [true, true, 3])
    assert.equal(counts.above, 1)
  })

  it('counts everything of the window but its last 64th, and nothing older', () => {
    const windowMs = 64_000
    for (let offset = 0; offset < 2000; offset += 37) {
      const counts = new SlidingCounts({ counting: 'sum', windowMs, threshold: 1 })
      counts.add('a', 1, undefined, offset)
      const inside = counts.add('a', 1, undefined, offset + windowMs - 1000)
      assert.deepEqual(above(inside), [['a', true]], `within, from ${offset}`)
      const other = new SlidingCounts({ counting: 'sum', windowMs, threshold: 1 })
      other.add('a', 1, undefined, offset)
      assert.deepEqual(other.add('a', 1, undefined, offset + windowMs), [], `older, ${offset}`)
    }
  })

  it('agrees with a list of everything that was counted', () => {
    const counts = new SlidingCounts({ counting: 'sum', windowMs: 6400, threshold: 20 })
    const told = new Map<string, boolean>()
    const all: { key: string; slot: number; amount: number }[] = []
    let seed = 7
    const random = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % below
    }
    for (let now = 0, round = 0; round < 5000; round += 1, now += random(60)) {
      const key = `k${random(5)}`
      const amount = random(3)
      all.push({ key, slot: Math.floor(now / 100), amount })
      const crossings = [...counts.add(key, amount, undefined, now), ...counts.expire(now)]
      for (const crossing of crossings) told.set(crossing.key, crossing.above)
      const sum = all
        .filter((each) => each.key === key && Math.floor(now / 100) - each.slot < 64)
        .reduce((total, each) => total + each.amount, 0)
      assert.equal(told.get(key) ?? false, sum > 20, `round ${round}`)
    }
  })

  it('counts distinct values, each once while the window has it', () => {
    const counts = new SlidingCounts({ counting: 'distinct', windowMs: 10_000, threshold: 2 })
    const add = (value: string, at: number): [string, boolean][] =>
      above(counts.add('a', value, value, at))
    assert.deepEqual([add('x', 0), add('x', 1), add('y', 2), add('x', 5000)], [[], [], [], []])
    const [crossing] = counts.add('a', 'z', 'z', 6000)
    assert.deepEqual([crossing?.above, crossing?.observed], [true, 3])
    assert.deepEqual(crossing?.values, ['y', 'x', 'z'])
    assert.deepEqual(crossing?.marks, ['x', 'x', 'y', 'x', 'z'])
    assert.deepEqual(above(counts.expire(10_200)), [['a', false]])
  })

  it('keeps its memory bounded, and says of whom it gives up that it was above', () => {
    const distinct = new SlidingCounts({ counting: 'distinct', windowMs: 60_000, threshold: 9999 })
    for (let n = 0; n < 100_000; n += 1) distinct.add(`k${n % 100}`, `v${n}`, undefined, n / 10)
    assert.ok(distinct.size <= 26, String(distinct.size))
    const counts = new SlidingCounts({
      counting: 'sum',
      windowMs: 60_000,
      threshold: 0,
      maxKeys: 2,
    })
    counts.add('a', 1, undefined, 0)
    counts.add('b', 1, undefined, 1)
    assert.deepEqual(above(counts.add('c', 1, undefined, 2)), [
      ['a', false],
      ['c', true],
    ])
    assert.deepEqual([counts.size, counts.above], [2, 2])
    counts.expire(200_000)
    assert.deepEqual([counts.size, counts.above], [0, 0])
  })

  it('gives up a quiet key before one that is above', () => {
    const options = { counting: 'sum', windowMs: 60_000, threshold: 1, maxKeys: 2 } as const
    const counts = new SlidingCounts(options)
    counts.add('loud', 5, undefined, 0)
    counts.add('quiet', 1, undefined, 1)
    assert.deepEqual(counts.add('new', 1, undefined, 2), [])
    assert.equal(counts.above, 1)
  })

  it('takes 200 000 messages in no time', () => {
    const counts = new SlidingCounts({ counting: 'sum', windowMs: 10_000, threshold: 1e9 })
    const begin = performance.now()
    for (let n = 0; n < 200_000; n += 1) counts.add(`k${n % 500}`, 1, undefined, n / 20)
    below('200 000 messages over 500 keys', performance.now() - begin, 2000)
  })

  it('refuses what makes no window', () => {
    const make = (windowMs: number, threshold: number) => () =>
      new SlidingCounts({ counting: 'distinct', windowMs, threshold })
    assert.throws(make(500, 1), /from 1 to 86400 seconds/)
    assert.throws(make(Number.NaN, 1), /from 1 to 86400 seconds/)
    assert.throws(make(1000, -1), /threshold must be/)
    assert.throws(make(1000, 10_001), /from 0 to 10000/)
    const again = (againMs: number) => () =>
      new SlidingCounts({ counting: 'sum', windowMs: 1000, threshold: 1e15, againMs })
    assert.doesNotThrow(again(0))
    assert.throws(again(500), /must be 0 or from 1 to 604800 seconds/)
    assert.throws(again(Number.NaN), /must be 0 or from 1/)
  })
})
