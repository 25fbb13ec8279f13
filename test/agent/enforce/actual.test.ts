import assert from 'node:assert/strict'
import { actualOf } from '../../../agent/enforce/reconcile/actual.ts'
import type { HeldSets } from '../../../agent/enforce/reconcile/reconciler-diff.ts'
import { difference, isSame, missing } from '../../../agent/enforce/reconcile/reconciler-diff.ts'
import type { Written } from '../../../agent/enforce/reconcile/reconciler-writer.ts'
import type { Elements, SetId, SetSpec } from '../../../agent/enforce/tables/sets.ts'
import { setId } from '../../../agent/enforce/tables/sets.ts'

const SET: SetSpec = {
  family: 'inet',
  table: 't',
  name: 'full',
  key: 'ether_addr',
  interval: false,
  timeout: true,
  counter: false,
  dynamic: false,
}
const ID: SetId = setId(SET)
const NOW = 1_000_000

function wanting(
  ...elements: [key: string, rule: string, device?: string, until?: number][]
): Elements {
  const all = elements.map(
    ([key, rule, deviceId, untilBootMs]) =>
      [
        key,
        {
          ruleIds: [rule],
          ...(deviceId ? { deviceId } : {}),
          ...(untilBootMs ? { untilBootMs } : {}),
        },
      ] as const,
  )
  return new Map([[ID, new Map(all)]])
}

function holding(...elements: [key: string, until?: number][]): HeldSets {
  return new Map([[ID, new Map(elements.map(([key, until]) => [key, until]))]])
}

describe('what is wanted beside what is held', () => {
  it('differs by what has to come, to go, and to end at another time', () => {
    const wanted = wanting(
      ['a', 'r'],
      ['b', 'r', 'd', NOW + 10_000],
      ['c', 'r', 'd', NOW + 60_000],
      ['x', 'r', 'd', NOW - 1],
    )
    const held = holding(['b', NOW + 9500], ['c'], ['gone'])
    const changes = difference(new Map([[ID, SET]]), wanted, held, NOW)
    assert.deepEqual(
      changes.map(({ do: what, key, timeoutMs }) => [what, key, timeoutMs]),
      [
        ['delete', 'gone', undefined],
        ['add', 'a', undefined],
        ['add', 'c', 60_000],
      ],
    )
    const dynamic = { ...SET, dynamic: true }
    assert.deepEqual(difference(new Map([[ID, dynamic]]), wanted, held, NOW), [])
  })

  it('misses what is not there, unless its time is up', () => {
    const wanted = wanting(['a', 'r1'], ['b', 'r2', 'd', NOW - 5], ['c', 'r3', 'd', NOW + 60_000])
    assert.deepEqual(
      missing(wanted, holding(['c', NOW + 5000]), NOW).map(({ key }) => key),
      ['a', 'c'],
    )
  })

  it('is the same where elements ended by themselves, and another where anything else went or came', () => {
    const [held] = holding(['a'], ['t', NOW - 10], ['u', NOW + 60_000]).values()
    const read = (...elements: [string, number?][]): boolean =>
      isSame(held ?? new Map(), new Map(elements.map(([k, e]) => [k, e])), NOW)
    assert.equal(read(['a'], ['u', NOW + 60_100]), true)
    assert.equal(read(['a']), false)
    assert.equal(read(['a'], ['u', NOW + 600_000]), false)
    assert.equal(read(['a'], ['u', NOW + 60_000], ['new']), false)
    assert.equal(read(['u', NOW + 60_000]), false)
  })
})

describe('what the kernel has of a device', () => {
  const device = {
    deviceId: 'd',
    mac: '02:0d:e0:00:00:01',
    ips: [],
    restrictions: { ask: { ruleId: 'ask' } },
    matches: [{ ruleId: 'm', action: 'block' as const }],
  }
  const written = (wanted: Elements): Written => ({
    desired: {
      devices: [{ ...device, level: { level: 'full', ruleId: 'q', untilBootMs: NOW + 5000 } }],
      everyone: [{ ruleId: 'e', action: 'block', prefix: '203.0.113.9/32' }],
      unknown: undefined,
    },
    wanted,
    failed: new Map(),
    mended: false,
    spared: new Map([['ha', 'It is Home Assistant.']]),
  })
  const wanted = wanting(
    ['q', 'q', 'd', NOW + 5000],
    ['m', 'm', 'd'],
    ['ask', 'ask', 'd'],
    ['e', 'e'],
  )
  const all: [string, number?][] = [['q', NOW + 5000], ['m'], ['ask'], ['e']]

  it('is all of it where all elements were read', () => {
    const found = actualOf(written(wanted), holding(...all), NOW, () => 'IPv6 goes round').get('d')
    assert.equal(found?.level, 'full')
    assert.deepEqual([...(found?.rules ?? [])].toSorted(), ['ask', 'e', 'm', 'q'])
    assert.deepEqual([...(found?.restrictions ?? [])], ['ask'])
    assert.equal(found?.uncovered, 'IPv6 goes round')
  })

  it('is never what was only ordered', () => {
    for (const [key] of all) {
      const held = holding(...all.filter(([one]) => one !== key))
      const found = actualOf(written(wanted), held, NOW, () => undefined).get('d')
      assert.equal(found?.rules.has(key), false, key)
      assert.equal(found?.level, key === 'q' ? undefined : 'full')
    }
    assert.equal(
      actualOf(written(wanted), new Map(), NOW, () => undefined).get('d')?.level,
      undefined,
    )
  })

  it('ends with its time', () => {
    const found = actualOf(written(wanted), holding(...all), NOW + 5001, () => undefined).get('d')
    assert.equal(found?.level, undefined)
    assert.equal(found?.rules.has('m'), true)
  })
})
