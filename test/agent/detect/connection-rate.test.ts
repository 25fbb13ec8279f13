import assert from 'node:assert/strict'
import { ConnectionRate, MAX_WINDOW_S } from '../../../agent/detect/connection-rate.ts'
import type { Limits } from '../../../agent/detect/limits.ts'
import { limitsOf } from '../../../agent/detect/limits.ts'

const DEVICE = '020de0000001'

describe('connection rate', () => {
  it('agrees with a count by hand over random times, for every window', () => {
    const rate = new ConnectionRate()
    const seed = Math.floor(Math.random() * 2 ** 31)
    let state = seed
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    const begun: { second: number; remote: string }[] = []
    let second = 1_000_000 + random(1000)
    for (let i = 0; i < 3000; i++) {
      if (random(5) === 0) second += random(4) === 0 ? random(700) : 1
      const remote = `203.0.113.${random(40)}`
      begun.push({ second, remote })
      rate.begun(DEVICE, remote, i, second)
      if (i % 37 === 0) rate.forgetOld(second)
      const window = 1 + random(MAX_WINDOW_S)
      const within = begun.filter((each) => each.second >= second - window)
      const seen = rate.observed(DEVICE, window, second)
      assert.equal(seen.connections, within.length, `seed ${seed}, step ${i}`)
      assert.equal(seen.remotes, new Set(within.map((each) => each.remote)).size, `seed ${seed}`)
    }
  })

  it('tells devices apart, keeps the latest flows, and forgets what is silent', () => {
    const rate = new ConnectionRate()
    for (let i = 0; i < 30; i++) rate.begun(DEVICE, '203.0.113.1', i, 10)
    rate.begun('020de0000002', '203.0.113.2', 99, 10)
    assert.deepEqual(rate.takeTouched().sort(), [DEVICE, '020de0000002'])
    assert.deepEqual(rate.takeTouched(), [])
    assert.equal(rate.observed('020de0000002', 10, 10).connections, 1)
    const { flows } = rate.observed(DEVICE, 10, 10)
    assert.deepEqual(
      flows,
      Array.from({ length: 20 }, (_, i) => i + 10),
    )
    rate.forgetOld(10 + MAX_WINDOW_S)
    assert.equal(rate.observed(DEVICE, 600, 10 + MAX_WINDOW_S).connections, 0)
  })

  it('catches exactly the limit spread over the whole window, wherever its seconds begin', () => {
    for (let offset = 0; offset < 10; offset++) {
      const rate = new ConnectionRate()
      for (let i = 0; i < 200; i++) {
        const at = 100 + offset / 10 + (i * 10) / 200
        rate.begun(DEVICE, '203.0.113.1', i, Math.floor(at))
      }
      const end = Math.floor(100 + offset / 10 + (199 * 10) / 200)
      assert.equal(rate.observed(DEVICE, 10, end).connections, 200)
    }
  })

  it('is bounded in devices and remotes', () => {
    const rate = new ConnectionRate()
    for (let i = 0; i < 10_000; i++) rate.begun(i.toString(16).padStart(12, '0'), 'a', i, 5)
    assert.equal(rate.takeTouched().length, 8192)
    for (let i = 0; i < 10_000; i++) rate.begun('000000000001', `remote ${i}`, i, 5)
    assert.equal(rate.observed('000000000001', 10, 5).remotes, 4096)
  })
})

describe('limits', () => {
  const all: Limits = {
    connections: 200,
    remotes: 100,
    windowS: 10,
    policy: 'notify',
    level: 'full',
    forS: 3600,
  }

  it("are a device's own, else its strictest group's, else everyone's, key by key", () => {
    const exceptions = {
      devices: new Map([[DEVICE, { remotes: 7 }]]),
      groups: new Map([
        ['lamps', { connections: 20, policy: 'quarantine' as const }],
        ['things', { connections: 50, windowS: 60 }],
      ]),
    }
    assert.deepEqual(limitsOf('020de0000009', [], all, exceptions), all)
    assert.deepEqual(limitsOf(DEVICE, ['things', 'lamps'], all, exceptions), {
      ...all,
      connections: 20,
      remotes: 7,
      windowS: 60,
      policy: 'quarantine',
    })
  })
})
