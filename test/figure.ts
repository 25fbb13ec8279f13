// Figures that have a limit. Machines that run the tests are of every speed and do other work, so a test asserts only what no
// such machine exceeds; the limit itself holds with HOMESPIN_STRICT=1, on a machine that does nothing else.
import assert from 'node:assert/strict'
import { FULL } from './full.ts'

/** Limits hold as they are written. */
export const STRICT = process.env.HOMESPIN_STRICT === '1'
/** By how much slower a machine may be than the one that the limits are for. */
const ROOM = 5

/** Prints `value` beside its limit, both in `unit`, and asserts that it is below (see above). */
export function below(what: string, value: number, limit: number, unit = 'ms'): void {
  const shown = Number.isInteger(value) ? value : Number(value.toPrecision(3))
  console.log(`      ${what}: ${shown} ${unit} (limit ${limit})`)
  const most = STRICT ? limit : limit * ROOM
  assert.ok(value < most, `${what}: ${value} ${unit}, at most ${most}`)
}

/** Prints `value` beside its limit; asserts that it is below with HOMESPIN_STRICT=1 alone: others disturb it too much. */
export function strictlyBelow(what: string, value: number, limit: number, unit = 'ms'): void {
  console.log(`      ${what}: ${Number(value.toPrecision(3))} ${unit} (limit ${limit})`)
  if (STRICT) assert.ok(value < limit, `${what}: ${value} ${unit}, at most ${limit}`)
}

/** Prints `value` beside the least that is asked for; asserted where all is measured in full: a slow machine can't do it. */
export function atLeast(what: string, value: number, least: number, unit: string): void {
  console.log(`      ${what}: ${Number(value.toPrecision(3))} ${unit} (at least ${least})`)
  if (FULL) assert.ok(value >= least, `${what}: ${value} ${unit}, at least ${least}`)
}
