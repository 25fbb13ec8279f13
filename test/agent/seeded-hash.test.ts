import assert from 'node:assert/strict'
import { hashFour, hashOne, hashTwo } from '../../agent/seeded-hash.ts'

const PLACES = 65536
const KEYS = PLACES / 2

/** Places that as many keys take by chance: 25 786 of 65 536. */
const BY_CHANCE = PLACES * (1 - Math.exp(-KEYS / PLACES))

function takes(hashes: Iterable<number>): number {
  return new Set([...hashes].map((hash) => hash & (PLACES - 1))).size
}

/** The number by which a product with `factor` is undone. */
function inverse(factor: number): number {
  let found = 1
  for (let i = 0; i < 5; i++) found = Math.imul(found, 2 - Math.imul(factor, found))
  return found
}

describe('hashes of what others choose', () => {
  const keys = Array.from({ length: KEYS }, (_, i) => i)
  const spread: [what: string, hash: (i: number) => number][] = [
    ['counted addresses of IPv4', (i) => hashOne(0x0a000000 + i)],
    ['addresses of IPv4 that differ in their first bytes', (i) => hashOne(i << 17)],
    ['MACs of one maker', (i) => hashTwo(0x10de00, i)],
    ['MACs that differ in their first bytes', (i) => hashTwo(i << 9, 5)],
    ['addresses of one network of IPv6', (i) => hashFour(0x20010db8, 0, 0, i)],
    // Top bits alone: a product by an odd number leaves differences in them where they are.
    [
      'addresses of IPv6 that differ in a few top bits of each word',
      (i) => hashFour((i & 15) << 28, (i & 240) << 24, (i & 0xf00) << 20, (i & 0x7000) << 17),
    ],
    // Those that fall together where words are multiplied by known numbers and joined.
    [
      'addresses of IPv6 that cancel each other out',
      (i) => {
        const part = Math.imul(inverse(0x27d4eb2f), 0x12345678 ^ Math.imul(i, 0xc2b2ae35))
        return hashFour(0x0120, 0x0100b80d, i, part)
      },
    ],
  ]
  for (const [what, hash] of spread) {
    it(`spread ${what}`, () => {
      const taken = takes(keys.map(hash))
      assert.ok(taken > BY_CHANCE * 0.95, `${taken} places of ${BY_CHANCE.toFixed(0)}`)
    })
  }

  it('are others at each start', async () => {
    const again = '../../agent/seeded-hash.ts?again'
    const other = (await import(again)) as typeof import('../../agent/seeded-hash.ts')
    assert.equal(hashFour(1, 2, 3, 4), hashFour(1, 2, 3, 4))
    const same = keys.slice(0, 100).filter((i) => hashOne(i) === other.hashOne(i))
    assert.equal(same.length, 0)
  })
})
