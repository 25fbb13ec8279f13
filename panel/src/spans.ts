// How long something is to hold, and how long it still does.

export const SPANS_TO_ACT = [
  'half_hour',
  'hour',
  'two_hours',
  'tomorrow',
  'day',
  'week',
  'always',
] as const

/** How long an order is to hold. */
export type ActSpan = (typeof SPANS_TO_ACT)[number]

/** Those of a pause. */
export const PAUSES = [
  'half_hour',
  'hour',
  'two_hours',
  'tomorrow',
] as const satisfies readonly ActSpan[]

const SECONDS: Readonly<Record<Exclude<ActSpan, 'tomorrow' | 'always'>, number>> = {
  half_hour: 1800,
  hour: 3600,
  two_hours: 7200,
  day: 86_400,
  week: 604_800,
}

/** Seconds of a span that begins at `now_ms`; undefined: until it is taken away. `tomorrow` begins at midnight here. */
export function secondsOf(span: ActSpan, now_ms: number): number | undefined {
  if (span === 'always') return undefined
  if (span !== 'tomorrow') return SECONDS[span]
  const now = new Date(now_ms)
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1).getTime()
  return Math.max(1, Math.round((midnight - now_ms) / 1000))
}

/** What remains: `4:05`, `2:04:05`; with days, `days` and then hours are given back. */
export function leftOf(until_ms: number, now_ms: number): { days: number; clock: string } {
  const left = Math.max(0, Math.ceil((until_ms - now_ms) / 1000))
  const days = Math.floor(left / 86_400)
  const hours = Math.floor((left % 86_400) / 3600)
  const pad = (n: number): string => String(n).padStart(2, '0')
  const minutes = Math.floor((left % 3600) / 60)
  const seconds = left % 60
  const clock =
    days + hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds)}` : `${minutes}:${pad(seconds)}`
  return { days, clock }
}
