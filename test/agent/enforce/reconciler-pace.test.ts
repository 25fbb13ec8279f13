import assert from 'node:assert/strict'
import { Pace } from '../../../agent/enforce/reconcile/reconciler-pace.ts'

describe('the pace of the reconciler', () => {
  it('lets the first of everything go at once, and 20 transactions a second', () => {
    let now = 5
    const pace = new Pace(() => now)
    assert.equal(pace.turnIn(), 0)
    assert.equal(pace.checkIn(), 0)
    let turns = 0
    for (; now < 1005; now++) {
      if (pace.turnIn() > 0) continue
      pace.turn()
      turns++
    }
    assert.equal(turns, 20)
  })

  it('waits longer and longer in a storm, never over 800 ms, and is eager again after a calm', () => {
    let now = 0
    const pace = new Pace(() => now)
    const waits: number[] = []
    for (let i = 0; i < 12; i++) {
      const began = now
      while (pace.checkIn() > 0) now++
      waits.push(now - began)
      pace.check()
      pace.turn()
      now += 5
      pace.checked()
      pace.repaired()
    }
    assert.ok(
      waits.slice(0, 4).every((wait) => wait <= 100),
      waits.join(),
    )
    assert.deepEqual(
      waits,
      waits.toSorted((a, b) => a - b),
    )
    assert.equal(waits.at(-1), 800)
    now += 10_001
    pace.repaired()
    assert.ok(pace.checkIn() <= 100)
  })

  it('reads less often what takes long to read', () => {
    let now = 0
    const pace = new Pace(() => now)
    pace.check()
    now += 60
    pace.checked()
    assert.equal(pace.checkIn(), 540)
  })

  it('tells of a storm every 5 s', () => {
    let now = 0
    const pace = new Pace(() => now)
    let told = 0
    for (; now < 20_000; now += 50) if (pace.mayTell()) told++
    assert.equal(told, 4)
  })
})
