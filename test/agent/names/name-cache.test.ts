import assert from 'node:assert/strict'
import { Random } from '../../../agent/demo/random.ts'
import { NameCache } from '../../../agent/names/name-cache.ts'

describe('names of addresses', () => {
  it('are those that the device itself was told', () => {
    const names = new NameCache()
    names.add('a', '203.0.113.1', 'one.example', 1000)
    names.add('b', '203.0.113.1', 'two.example', 1000)
    assert.equal(names.at('a', '203.0.113.1', 2000), 'one.example')
    assert.equal(names.at('b', '203.0.113.1', 2000), 'two.example')
    assert.equal(names.at('c', '203.0.113.1', 2000), undefined)
    assert.equal(names.at('a', '203.0.113.2', 2000), undefined)
  })

  it('are those that were current at the time', () => {
    const names = new NameCache()
    names.add('a', '203.0.113.1', 'one.example', 1000)
    assert.equal(names.at('a', '203.0.113.1', 999), undefined)
    assert.equal(names.at('a', '203.0.113.1', 1000), 'one.example')
    names.add('a', '203.0.113.1', 'two.example', 2000)
    names.add('a', '203.0.113.1', 'two.example', 2500)
    names.add('a', '203.0.113.1', 'one.example', 3000)
    const at = (timeMs: number): string | undefined => names.at('a', '203.0.113.1', timeMs)
    assert.deepEqual([500, 1000, 1999, 2000, 2999, 3000, 9e15].map(at), [
      undefined,
      'one.example',
      'one.example',
      'two.example',
      'two.example',
      'one.example',
      'one.example',
    ])
  })

  it('are told anew after the clock was set back', () => {
    const names = new NameCache()
    const at = (timeMs: number): string | undefined => names.at('a', '203.0.113.1', timeMs)
    names.add('a', '203.0.113.1', 'one.example', 5_000_000)
    names.add('a', '203.0.113.1', 'one.example', 1000)
    assert.equal(at(2000), 'one.example')
    names.add('a', '203.0.113.1', 'two.example', 5_000_000)
    names.add('a', '203.0.113.1', 'three.example', 3000)
    assert.deepEqual([999, 2000, 4000, 6_000_000].map(at), [
      undefined,
      'one.example',
      'three.example',
      'three.example',
    ])
  })

  it('of one address are the last eight', () => {
    const names = new NameCache()
    for (let i = 0; i < 20; i++) names.add('a', '203.0.113.1', `${i}.example`, 1000 + i)
    assert.equal(names.at('a', '203.0.113.1', 1011), undefined)
    assert.equal(names.at('a', '203.0.113.1', 1012), '12.example')
    assert.equal(names.at('a', '203.0.113.1', 2000), '19.example')
  })

  it('of one device are 2048, those longest unheard of go first', () => {
    const names = new NameCache()
    for (let i = 0; i < 2048; i++) names.add('a', String(i), 'x.example', 1000)
    names.add('a', '0', 'y.example', 2000)
    names.add('a', 'new', 'x.example', 3000)
    assert.equal(names.at('a', '0', 2000), 'y.example')
    assert.equal(names.at('a', '1', 2000), undefined)
    assert.equal(names.at('a', '2', 2000), 'x.example')
    assert.equal(names.at('a', 'new', 3000), 'x.example')
  })

  it('of all devices are bounded, and the device that hears a new one keeps it', () => {
    const names = new NameCache()
    // 132 devices with 1000 addresses each are more than there is room for.
    for (let device = 0; device < 132; device++) {
      for (let i = 0; i < 1000; i++) names.add(`d${device}`, String(i), 'x.example', 1000)
    }
    const known = (): number[] =>
      Array.from({ length: 132 }, (_, d) => d).filter(
        (d) => names.at(`d${d}`, '999', 2000) !== undefined,
      )
    assert.equal(known().includes(0), false)
    assert.equal(known().includes(131), true)
    const oldest = known()[0]
    // Whoever is the first to go: what it hears now must be known, round after round.
    for (let round = 0; round < 5000; round++) {
      names.add(`d${oldest}`, `r${round % 1500}`, `${round}.example`, 2000 + round)
      names.add('d131', `r${round % 1048}`, `${round}.example`, 2000 + round)
      assert.equal(names.at(`d${oldest}`, `r${round % 1500}`, 1e9), `${round}.example`)
    }
  })

  it('of a thousand devices with few addresses each never run out of devices to forget', () => {
    const names = new NameCache()
    for (let round = 0; round < 3; round++) {
      for (let device = 0; device < 10_000; device++) {
        for (let i = 0; i < 15; i++) names.add(`d${device}`, `${round} ${i}`, 'x.example', 1000)
      }
    }
    assert.equal(names.at('d9999', '2 14', 2000), 'x.example')
    assert.equal(names.at('d0', '2 14', 2000), undefined)
  })

  it('are what a plain list of all answers gives, whatever was told, forgotten and told again', () => {
    const seed = (Math.random() * 2 ** 32) >>> 0
    const random = new Random(seed)
    const pick = (count: number): number => random.integer(0, count)
    const names = new NameCache()
    const lists = new Map<string, { name: string; timeMs: number }[]>()
    for (let step = 0; step < 60_000; step++) {
      const device = `d${pick(70)}`
      const ip = `${pick(60)}`
      const timeMs = pick(30) === 0 ? pick(50_000) : step
      const key = `${device} ${ip}`
      if (pick(400) === 0) {
        names.forget(device)
        for (const known of lists.keys()) if (known.startsWith(`${device} `)) lists.delete(known)
      } else if (pick(2) === 0) {
        const name = `${pick(12)}.example`
        const list = (lists.get(key) ?? []).filter((answer) => answer.timeMs <= timeMs)
        if (list.at(-1)?.name !== name) list.push({ name, timeMs })
        lists.set(key, list.slice(-8))
        names.add(device, ip, name, timeMs)
      }
      const expected = lists.get(key)?.findLast((answer) => answer.timeMs <= timeMs)?.name
      assert.equal(names.at(device, ip, timeMs), expected, `seed ${seed}, step ${step}`)
    }
  })

  it('of a forgotten device are gone, and make room', () => {
    const names = new NameCache()
    names.add('a', '203.0.113.1', 'one.example', 1000)
    names.forget('a')
    names.forget('nobody')
    assert.equal(names.at('a', '203.0.113.1', 2000), undefined)
    names.add('a', '203.0.113.1', 'two.example', 3000)
    assert.equal(names.at('a', '203.0.113.1', 4000), 'two.example')
  })
})
