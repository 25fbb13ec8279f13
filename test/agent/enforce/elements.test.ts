// Desire as elements: what several rules share, what overlaps, and what is left when one of them goes.
import assert from 'node:assert/strict'
import type { Place } from '../../../agent/enforce/place/place.ts'
import { elementsOf } from '../../../agent/enforce/tables/elements.ts'
import type { Box, Span } from '../../../agent/enforce/tables/elements-boxes.ts'
import { disjoint } from '../../../agent/enforce/tables/elements-boxes.ts'
import { addressKey, addressSpan } from '../../../agent/enforce/tables/elements-keys.ts'
import type { ElementSpec } from '../../../agent/enforce/tables/sets.ts'
import type { DesiredDevice, DesiredMatch } from '../../../agent/policy/desired.ts'

const PLACE: Place = {
  position: 'two_armed',
  interfaces: ['lan0'],
  ports: [],
  uplinks: ['wan0'],
  lan: ['192.0.2.0/24'],
  own: ['192.0.2.1'],
  infrastructure: [],
  controllers: [],
  features: { egress: true, bridge: true, bridgeConntrack: false, queue: undefined },
  queues: { dns: 1, first: 2 },
  masquerade: false,
}

const MAC = '02:0d:e0:00:00:01'

function elements(
  set: string,
  matches: DesiredMatch[],
  rest: Partial<DesiredDevice> = {},
  everyone: DesiredMatch[] = [],
): Record<string, ElementSpec> {
  const device = { deviceId: '020de0000001', mac: MAC, ips: [], restrictions: {}, matches, ...rest }
  const found = elementsOf({ devices: [device], everyone, unknown: undefined }, PLACE)
  return Object.fromEntries(found.get(`inet homespin ${set}`) ?? [])
}

function block(ruleId: string, prefix: string, rest: Partial<DesiredMatch> = {}): DesiredMatch {
  return { ruleId, action: 'block', prefix, ...rest }
}

describe('elementsOf', () => {
  it('makes one element of two rules that say the same, which one of them keeps', () => {
    const [one, two] = [block('a', '203.0.113.7/32'), block('b', '203.0.113.7/32')]
    const key = `${MAC} . 203.0.113.7`
    assert.deepEqual(elements('from_mac_block_host4', [one, two])[key]?.ruleIds, ['a', 'b'])
    assert.deepEqual(elements('from_mac_block_host4', [two])[key]?.ruleIds, ['b'])
    assert.deepEqual(elements('from_mac_block_host4', []), {})
  })

  it('lets an element last as long as the longest that asks for it', () => {
    const until = (untilBootMs: number): DesiredMatch =>
      block(`u${untilBootMs}`, '203.0.113.7/32', { untilBootMs })
    const key = `${MAC} . 203.0.113.7`
    assert.equal(elements('from_mac_block_host4', [until(5), until(9)])[key]?.untilBootMs, 9)
    const ends = elements('from_mac_held', [until(5), block('a', '203.0.113.8/32')])[MAC]
    assert.equal(ends?.untilBootMs, undefined)
    assert.deepEqual(ends?.ruleIds, ['u5', 'a'])
  })

  it('takes overlapping prefixes apart where they end at different times', () => {
    const found = elements('from_mac_block_net4', [
      block('wide', '203.0.113.0/24', { untilBootMs: 5 }),
      block('narrow', '203.0.113.64/26'),
    ])
    assert.deepEqual(
      Object.fromEntries(
        Object.entries(found).map(([key, spec]) => [
          key.replace(`${MAC} . `, ''),
          [spec.untilBootMs, ...spec.ruleIds],
        ]),
      ),
      {
        '203.0.113.0/26': [5, 'wide'],
        '203.0.113.64/26': [undefined, 'narrow', 'wide'],
        '203.0.113.128/25': [5, 'wide'],
      },
    )
  })

  it('finds a device without a MAC by its addresses, each version with its own', () => {
    const device = {
      deviceId: 'x',
      ips: ['192.0.2.9', '2001:db8::9'],
      restrictions: {},
      matches: [block('a', '203.0.113.7/32')],
    }
    const found = elementsOf({ devices: [device], everyone: [], unknown: undefined }, PLACE)
    const keys = (set: string): string[] => [...(found.get(`netdev homespin ${set}`)?.keys() ?? [])]
    assert.deepEqual(keys('to_ip4_held'), ['192.0.2.9'])
    assert.deepEqual(keys('to_ip6_held'), ['2001:db8::9'])
    assert.deepEqual(keys('to_ip4_block_host4'), ['192.0.2.9 . 203.0.113.7'])
    assert.deepEqual(keys('to_ip6_block_host4'), [])
    assert.deepEqual(keys('to_guarded'), ['lan0'])
  })

  it('gates names only where a rule is about names', () => {
    assert.deepEqual(Object.keys(elements('from_mac_gate', [block('a', '203.0.113.7/32')])), [])
    assert.deepEqual(
      Object.keys(
        elements('from_mac_gate', [{ ruleId: 'a', action: 'block', domain: 'example.com' }]),
      ),
      [MAC],
    )
    const local = { level: { level: 'local_only', ruleId: 'l' } } as const
    assert.deepEqual(Object.keys(elements('from_mac_gate', [], local)), [MAC])
  })

  it('has rules looked for only of devices that have some, and as long as they have', () => {
    const domain = 'example.com'
    const rule: DesiredMatch = { ruleId: 'a', action: 'allow', domain, untilBootMs: 7 }
    const full = { level: { level: 'full', ruleId: 'l' } } as const
    const deviceId = '020de0000001'
    assert.deepEqual(elements('from_mac_excepted', [], full), {})
    assert.deepEqual(elements('from_mac_blocked', [rule], full), {})
    assert.deepEqual(elements('from_mac_excepted', [rule], full), {
      [MAC]: { ruleIds: ['a'], untilBootMs: 7, deviceId },
    })
    assert.deepEqual(elements('from_mac_blocked', [block('b', '203.0.113.7/32')]), {
      [MAC]: { ruleIds: ['b'], deviceId },
    })
    // The gate may find for one device what is blocked for everybody.
    const everyone: DesiredMatch[] = [{ ruleId: 'e', action: 'block', domain }]
    assert.deepEqual(Object.keys(elements('from_mac_blocked', [], full, everyone)), [MAC])
  })
})

describe('disjoint', () => {
  /** A small generator with a seed, so that a failure can be seen again. */
  function random(seed: number): (below: number) => number {
    let state = seed
    return (below) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
  }

  it('covers exactly what the boxes cover, until exactly then, without overlaps', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const next = random(seed)
      const span = (size: number): Span => {
        const from = next(size)
        return [BigInt(from), BigInt(from + next(size - from))]
      }
      const boxes = Array.from({ length: 1 + next(6) }, (_, i): Box => {
        const untilBootMs = next(3) === 0 ? undefined : next(4)
        return { spans: [span(12), span(6)], untilBootMs, ruleIds: [`${i}`] }
      })
      const found = disjoint(boxes)
      for (let x = 0n; x < 12n; x++) {
        for (let y = 0n; y < 6n; y++) {
          const at = ({ spans: [a, b] }: Box): boolean =>
            a !== undefined && b !== undefined && a[0] <= x && x <= a[1] && b[0] <= y && y <= b[1]
          const covering = boxes.filter(at)
          const holding = found.filter(at)
          assert.equal(holding.length, covering.length > 0 ? 1 : 0, `seed ${seed} at ${x},${y}`)
          const ends = covering.map(({ untilBootMs }) => untilBootMs ?? Number.POSITIVE_INFINITY)
          const [one] = holding
          if (one) {
            assert.equal(
              one.untilBootMs ?? Number.POSITIVE_INFINITY,
              Math.max(...ends),
              `seed ${seed}`,
            )
            for (const box of covering)
              assert.ok(one.ruleIds.includes(box.ruleIds[0] as string), `seed ${seed}`)
          }
        }
      }
    }
  })
})

describe('addressKey', () => {
  it('writes single addresses, prefixes and ranges as nft does', () => {
    const key = (text: string): string => {
      const address = addressSpan(text)
      return address ? addressKey(address.span, address.version) : ''
    }
    assert.equal(key('203.0.113.9/24'), '203.0.113.0/24')
    assert.equal(key('2001:DB8:0::1'), '2001:db8::1')
    assert.equal(key('::/0'), '::/0')
    assert.equal(addressKey([1n, 6n], 4), '0.0.0.1-0.0.0.6')
    assert.equal(key('none'), '')
  })
})
