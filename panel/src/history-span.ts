// Spans of history: what is asked for, and what the answer lacks. Pure, so that it can be tested.
import type { History, HistoryPoint, Resolution } from '../../protocol/http.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

/** How long the buckets of a resolution are. */
export const STEP_MS: Readonly<Record<Resolution, number>> = {
  minute: MINUTE_MS,
  hour: HOUR_MS,
  day: DAY_MS,
}

export const SPANS = ['hour', 'day', 'week', 'quarter'] as const

/** The last hour, 24 hours, 7 days, 90 days. */
export type Span = (typeof SPANS)[number]

/** How a span is asked for and drawn. `step_ms` is a multiple of the resolution's. */
export interface SpanPlan {
  resolution: Resolution
  step_ms: number
  from_ms: number
  to_ms: number
}

const LENGTH_MS: Readonly<Record<Span, number>> = {
  hour: HOUR_MS,
  day: DAY_MS,
  week: 7 * DAY_MS,
  quarter: 90 * DAY_MS,
}

/** The plan of a span that ends now: minutes, ten minutes, hours, days. */
export function planOf(span: Span, now_ms: number): SpanPlan {
  const resolution = span === 'week' ? 'hour' : span === 'quarter' ? 'day' : 'minute'
  const step_ms = span === 'day' ? 10 * MINUTE_MS : STEP_MS[resolution]
  const to_ms = Math.ceil(now_ms / step_ms) * step_ms
  return { resolution, step_ms, from_ms: to_ms - LENGTH_MS[span], to_ms }
}

/** The plan to fall back to where the minutes do not go back far enough but the hours do; else undefined. */
export function coarserPlan(plan: SpanPlan, kept: History['kept_from_ms']): SpanPlan | undefined {
  if (plan.resolution !== 'minute' || plan.step_ms === MINUTE_MS || kept.hour === undefined) {
    return undefined
  }
  const minutes = kept.minute ?? plan.to_ms
  if (minutes <= plan.from_ms + HOUR_MS || kept.hour > minutes - HOUR_MS) return undefined
  const to_ms = Math.ceil(plan.to_ms / HOUR_MS) * HOUR_MS
  return { resolution: 'hour', step_ms: HOUR_MS, from_ms: to_ms - DAY_MS, to_ms }
}

/**
 * Points summed to buckets of `step_ms`. A bucket without any point stays absent; one that lacks some of its points
 * is incomplete, but for those that have not come yet at `now_ms`.
 */
export function rebucket(
  points: readonly HistoryPoint[],
  base_ms: number,
  step_ms: number,
  now_ms: number,
): HistoryPoint[] {
  if (step_ms === base_ms) return [...points]
  const buckets = new Map<number, HistoryPoint & { count: number }>()
  for (const point of points) {
    const time_ms = Math.floor(point.time_ms / step_ms) * step_ms
    const bucket = buckets.get(time_ms)
    if (bucket === undefined) {
      buckets.set(time_ms, { ...point, time_ms, count: 1 })
      continue
    }
    bucket.sent_bytes += point.sent_bytes
    bucket.received_bytes += point.received_bytes
    bucket.complete &&= point.complete
    bucket.count += 1
  }
  return [...buckets.values()].map(({ count, ...bucket }) => {
    const expected = Math.floor(
      (Math.min(bucket.time_ms + step_ms, now_ms) - bucket.time_ms) / base_ms,
    )
    return { ...bucket, complete: bucket.complete && count >= expected }
  })
}

/** A stretch of time that nothing is known of. */
export interface Gap {
  from_ms: number
  to_ms: number
}

/** The stretches between `from_ms` and `to_ms` (or now) that have no bucket; `points` in order of time. */
export function gapsOf(points: readonly HistoryPoint[], plan: SpanPlan, now_ms: number): Gap[] {
  const { from_ms, step_ms } = plan
  // The bucket that is still filling may not be stored yet: its absence says nothing.
  const end = Math.min(plan.to_ms, now_ms - step_ms)
  const gaps: Gap[] = []
  let known = from_ms
  for (const { time_ms } of points) {
    if (time_ms - known > step_ms / 2) gaps.push({ from_ms: known, to_ms: time_ms })
    known = Math.max(known, time_ms + step_ms)
  }
  if (end - known > step_ms / 2) gaps.push({ from_ms: known, to_ms: end })
  return gaps
}

/** Bytes over all points. */
export function sumOf(points: readonly HistoryPoint[]): {
  sent_bytes: number
  received_bytes: number
} {
  let sent_bytes = 0
  let received_bytes = 0
  for (const point of points) {
    sent_bytes += point.sent_bytes
    received_bytes += point.received_bytes
  }
  return { sent_bytes, received_bytes }
}
