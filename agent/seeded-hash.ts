// Hashes for tables of our own, where keys that fall together cost every look-up. Whoever is heard on the network chooses the
// keys, so the words below are drawn at each start: nobody can say from outside which keys do.
import { randomFillSync } from 'node:crypto'

const DRAWN = randomFillSync(new Int32Array(3))
const SEED = DRAWN[0] as number
/** Odd, so that no bit is lost. */
const FIRST = (DRAWN[1] as number) | 1
const SECOND = (DRAWN[2] as number) | 1

/**
 * Mixes 32 bits. A product hands differences up only, and those of the top bits stay there whatever the factor is: so each is
 * folded down before, and there are two.
 */
function mix(word: number): number {
  let h = Math.imul(word ^ (word >>> 16), FIRST)
  h = Math.imul(h ^ (h >>> 15), SECOND)
  return h ^ (h >>> 16)
}

/** Of one word of 32 bits; any bits of it can be the place in a table. */
export function hashOne(a: number): number {
  return mix(a ^ SEED)
}

/** Of two words. */
export function hashTwo(a: number, b: number): number {
  return mix(mix(a ^ SEED) ^ b)
}

/** Of four words. */
export function hashFour(a: number, b: number, c: number, d: number): number {
  return mix(mix(mix(mix(a ^ SEED) ^ b) ^ c) ^ d)
}
