// How long to wait before the next try: doubling, with jitter, so that many agents do not return at one moment.

/** Milliseconds before try number `attempt` (from 0): half of it fixed, half by chance; at most `maxMs`. */
export function backOffMs(
  attempt: number,
  maxMs: number,
  random: () => number = Math.random,
): number {
  const whole = Math.min(maxMs, 1000 * 2 ** Math.min(attempt, 16))
  return Math.round(whole / 2 + (whole / 2) * random())
}
