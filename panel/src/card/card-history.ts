// The history that the entities carry, as what the panel's chart draws: the last 24 hours in half hours.
import { HISTORY_POINT_MS, MAX_HISTORY_POINTS } from '../../../protocol/home-assistant.ts'
import type { HistoryPoint } from '../../../protocol/http.ts'
import type { SpanData } from '../history-load.ts'
import type { Gap } from '../history-span.ts'
import { gapsOf } from '../history-span.ts'
import type { Rate } from '../rates.ts'

/** The sum of several devices' histories, by bucket. A bucket that no device has stays absent. */
export function sumHistories(histories: readonly (readonly HistoryPoint[])[]): HistoryPoint[] {
  const sums = new Map<number, HistoryPoint>()
  for (const point of histories.flat()) {
    const time_ms = Math.floor(point.time_ms / HISTORY_POINT_MS) * HISTORY_POINT_MS
    const sum = sums.get(time_ms)
    if (sum === undefined) sums.set(time_ms, { ...point, time_ms })
    else {
      sum.received_bytes += point.received_bytes
      sum.sent_bytes += point.sent_bytes
    }
  }
  return [...sums.values()].sort((a, b) => a.time_ms - b.time_ms)
}

/** What the chart draws: the 24 hours up to the bucket that `now_ms` lies in. */
export function spanOf(points: readonly HistoryPoint[], now_ms: number): SpanData {
  const to_ms = endOf(now_ms)
  const from_ms = to_ms - MAX_HISTORY_POINTS * HISTORY_POINT_MS
  const within = points.filter(({ time_ms }) => time_ms >= from_ms && time_ms < to_ms)
  const plan = { resolution: 'minute' as const, step_ms: HISTORY_POINT_MS, from_ms, to_ms }
  // The latest bucket is published with the next counters: until then nothing is said of it.
  const gaps: Gap[] = gapsOf(within, plan, now_ms)
  return { now_ms, plan, points: within, gaps, kept_from_ms: {}, remotes: [] }
}

/** The 24 hours as a series for a sparkline; a bucket that is absent leaves a hole. */
export function bucketsOf(points: readonly HistoryPoint[], now_ms: number): (Rate | undefined)[] {
  const { plan, points: within } = spanOf(points, now_ms)
  const series = new Array<Rate | undefined>(MAX_HISTORY_POINTS).fill(undefined)
  for (const { time_ms, received_bytes, sent_bytes } of within) {
    series[Math.floor((time_ms - plan.from_ms) / HISTORY_POINT_MS)] = {
      received: received_bytes,
      sent: sent_bytes,
    }
  }
  return series
}

function endOf(now_ms: number): number {
  return (Math.floor(now_ms / HISTORY_POINT_MS) + 1) * HISTORY_POINT_MS
}
