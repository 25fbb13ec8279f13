// One span of history, read whole: buckets, what is missing, and the remotes of the same span.
import type { History, HistoryPoint, RemoteTotal } from '../../protocol/http.ts'
import type { Api } from './api.ts'
import type { Gap, Span, SpanPlan } from './history-span.ts'
import { coarserPlan, gapsOf, planOf, rebucket, STEP_MS } from './history-span.ts'
import { bytesOf } from './links.ts'

/** A span of history, ready to be drawn. */
export interface SpanData {
  /** When it was asked for. */
  now_ms: number
  plan: SpanPlan
  points: HistoryPoint[]
  gaps: Gap[]
  kept_from_ms: History['kept_from_ms']
  remotes: RemoteSum[]
}

/** The bytes with one remote; without `remote` the sum of those that are not kept singly. */
export interface RemoteSum {
  remote?: string
  sent_bytes: number
  received_bytes: number
}

/** How many remotes are shown. */
export const TOP_REMOTES = 10

// The agent's list is per device and remote: to sum a remote over devices, more of it is asked for than is shown.
const ASKED_REMOTES = 300

/** Reads the span that ends at `now_ms`, of one device or the whole home. */
export async function loadSpan(
  api: Api,
  span: Span,
  device: string | undefined,
  now_ms: number,
  signal: AbortSignal,
): Promise<SpanData> {
  let plan = planOf(span, now_ms)
  let history = await api.history(queryOf(plan, device), signal)
  const coarser = coarserPlan(plan, history.kept_from_ms)
  if (coarser !== undefined) {
    plan = coarser
    history = await api.history(queryOf(plan, device), signal)
  }
  const { remotes } = await api.remotes(queryOf(plan, device), ASKED_REMOTES, signal)
  const base_ms = STEP_MS[plan.resolution]
  const points = rebucket(history.points, base_ms, plan.step_ms, now_ms)
  points.sort((a, b) => a.time_ms - b.time_ms)
  const gaps = gapsOf(points, plan, now_ms)
  return {
    now_ms,
    plan,
    points,
    gaps,
    kept_from_ms: history.kept_from_ms,
    remotes: topRemotes(remotes),
  }
}

/** Summed by remote, most bytes first, at most `TOP_REMOTES` and then the rest. */
export function topRemotes(totals: readonly RemoteTotal[]): RemoteSum[] {
  const sums = new Map<string | undefined, RemoteSum>()
  for (const { remote, sent_bytes, received_bytes } of totals) {
    const sum = sums.get(remote)
    if (sum === undefined) {
      sums.set(remote, { ...(remote === undefined ? {} : { remote }), sent_bytes, received_bytes })
    } else {
      sum.sent_bytes += sent_bytes
      sum.received_bytes += received_bytes
    }
  }
  const others = sums.get(undefined) ?? { sent_bytes: 0, received_bytes: 0 }
  sums.delete(undefined)
  const ranked = [...sums.values()].sort((a, b) => bytesOf(b) - bytesOf(a))
  for (const { sent_bytes, received_bytes } of ranked.slice(TOP_REMOTES)) {
    others.sent_bytes += sent_bytes
    others.received_bytes += received_bytes
  }
  const top = ranked.slice(0, TOP_REMOTES)
  return bytesOf(others) > 0 ? [...top, others] : top
}

function queryOf(plan: SpanPlan, device: string | undefined) {
  const { resolution, from_ms, to_ms } = plan
  return { device, resolution, from_ms, to_ms }
}
