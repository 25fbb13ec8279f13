// How often and for how long things are tried: a little in `npm test`, as often as the requirements ask with HOMESPIN_FULL=1,
// which `npm run test:full` sets. Each number has a variable of its own, for a longer look at one thing.

/** All is measured as it is asked for. */
export const FULL = process.env.HOMESPIN_FULL === '1'

/** A number: that of the variable HOMESPIN_`name`, else the quick or the full one. */
export function count(name: string, quick: number, full: number): number {
  const given = process.env[`HOMESPIN_${name}`]
  if (given === undefined || given === '') return FULL ? full : quick
  const number = Number(given)
  if (!(number > 0)) throw new RangeError(`HOMESPIN_${name} is a number above 0, not ${given}`)
  return number
}
