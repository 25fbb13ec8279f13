// Figures that have a limit. Machines that run the tests are of every speed and do other work, so a test asserts only what no
// such machine exceeds; the limit itself holds with HOMESPIN_STRICT=1, on a machine that does nothing else.
import assert from 'node:assert/strict'

const STRICT = process.env.HOMESPIN_STRICT === '1'
/** By how much slower a machine may be than the one that the limits are for. */
const ROOM = 5

/** Prints `value` beside its limit, both in `unit`, and asserts that it is below (see above). */
export function below(what: string, value: number, limit: number, unit = 'ms'): void {
  const shown = Number.isInteger(value) ? value : Number(value.toPrecision(3))
  console.log(`      ${what}: ${shown} ${unit} (limit ${limit})`)
  const most = STRICT ? limit : limit * ROOM
  assert.ok(value < most, `${what}: ${value} ${unit}, at most ${most}`)
}
