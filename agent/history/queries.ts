// Answers from history: what is rolled up, plus what is not yet, down to the last second.
import type {
  History as HistoryAnswer,
  HistoryPoint,
  RemoteTotal,
  Resolution,
} from '../../protocol/http.ts'
import { bucketEnd, bucketStart, RESOLUTIONS } from './buckets.ts'
import type { HistoryTables, Observed } from './history-tables.ts'
import type { Pace } from './pace.ts'
import type { LooseMinute } from './roll-up.ts'
import type { Bytes } from './tally.ts'
import { OTHER, totalOf } from './tally.ts'

/** A span of history of one device or of all. Buckets that overlap [fromMs, toMs) belong to it. */
export interface HistoryQuery {
  device?: string
  resolution: Resolution
  fromMs: number
  toMs: number
}

/** Minutes that are not in the tables of buckets yet, by their start in seconds. */
export type LooseMinutes = ReadonlyMap<number, LooseMinute>

/** Intervals are timed by a timer: this much of a bucket may be missing. */
const SLACK_MS = 1500
/** Buckets of one look into the database. */
const SLICE = 360
/** Remotes that one answer is chosen from, per device. */
const MAX_CANDIDATES = 20_000

interface Slice {
  resolution: Resolution
  from: number
  to: number
}

/** Traffic over time. `tables` is absent where the database can't be used. */
export function queryPoints(
  tables: HistoryTables | undefined,
  loose: LooseMinutes,
  query: HistoryQuery,
): Pick<HistoryAnswer, 'points' | 'kept_from_ms'> {
  const { resolution, device } = query
  const { from, to } = wholeBuckets(query)
  const buckets = new Map<number, Observed & Bytes>()
  const add = (time: number, row: Observed & Bytes): void => {
    const start = bucketStart(resolution, time)
    const { observed_ms, lossless, sent, received } = row
    const bucket = buckets.get(start)
    if (bucket === undefined) {
      buckets.set(start, { observed_ms, lossless, sent, received })
      return
    }
    bucket.observed_ms += observed_ms
    bucket.lossless &&= lossless
    bucket.sent += sent
    bucket.received += received
  }
  for (const source of tables === undefined ? [] : sourcesOf(tables, resolution, from, to)) {
    for (const row of tables?.spansIn(source.resolution, source.from, source.to, device) ?? []) {
      add(row.time, row)
    }
  }
  for (const [minute, { observed_ms, lossless, tally }] of loose) {
    if (minute < from || minute >= to) continue
    const bytes = { sent: 0, received: 0 }
    for (const [id, remotes] of tally.devices) {
      if (device !== undefined && id !== device) continue
      const total = totalOf(remotes)
      bytes.sent += total.sent
      bytes.received += total.received
    }
    add(minute, { observed_ms, lossless, ...bytes })
  }
  const points = [...buckets]
    .sort(([a], [b]) => a - b)
    .map(([time, row]) => pointOf(resolution, time, row))
  return { points, kept_from_ms: keptFrom(tables, loose) }
}

/** Remotes by bytes, most first. */
export async function queryRemotes(
  tables: HistoryTables | undefined,
  loose: LooseMinutes,
  query: HistoryQuery,
  limit: number,
  pace: Pace,
): Promise<RemoteTotal[]> {
  const { from, to } = wholeBuckets(query)
  const sources =
    tables === undefined ? [] : slicesOf(sourcesOf(tables, query.resolution, from, to))
  const inside = [...loose]
    .filter(([minute]) => minute >= from && minute < to)
    .map(([, minute]) => minute)
  const devices = new Set(query.device === undefined ? [] : [query.device])
  if (query.device === undefined) {
    for (const { resolution, from, to } of sources) {
      for (const device of tables?.devicesIn(resolution, from, to) ?? []) devices.add(device)
      await pace.breathe()
    }
    for (const { tally } of inside) for (const device of tally.devices.keys()) devices.add(device)
  }
  let best: RemoteTotal[] = []
  for (const device of devices) {
    const sums = new Map<string, Bytes>()
    for (const { resolution, from, to } of sources) {
      addAll(sums, tables?.remotesIn(resolution, from, to, device) ?? new Map())
      await pace.breathe()
    }
    for (const { tally } of inside) addAll(sums, tally.devices.get(device) ?? new Map())
    for (const [remote, { sent, received }] of sums) {
      best.push({
        device_id: device,
        ...(remote !== OTHER && { remote }),
        sent_bytes: sent,
        received_bytes: received,
      })
    }
    best = best.sort((a, b) => bytesOf(b) - bytesOf(a)).slice(0, limit)
  }
  return best
}

/** The tables in which [from, to) of a resolution lies: its own, and the finer ones for what is not rolled up yet. */
function sourcesOf(
  tables: HistoryTables,
  resolution: Resolution,
  from: number,
  to: number,
): Slice[] {
  const sources: Slice[] = [{ resolution, from, to }]
  if (resolution === 'day') {
    sources.push({ resolution: 'hour', from: Math.max(from, tables.rolledUpTo('hour')), to })
  }
  if (resolution !== 'minute') {
    sources.push({ resolution: 'minute', from: Math.max(from, tables.rolledUpTo('minute')), to })
  }
  return sources
    .map((source) => {
      // A query may ask from the beginning of time; only where there is something is looked.
      const first = tables.firstBucket(source.resolution) ?? source.to
      const last = tables.lastBucket(source.resolution) ?? source.from
      return { ...source, from: Math.max(source.from, first), to: Math.min(source.to, last + 1) }
    })
    .filter((source) => source.from < source.to)
}

const LENGTH_S = { minute: 60, hour: 3600, day: 86_400 }

function slicesOf(sources: readonly Slice[]): Slice[] {
  return sources.flatMap(({ resolution, from, to }) => {
    const step = SLICE * LENGTH_S[resolution]
    const slices: Slice[] = []
    for (let at = from; at < to; at += step)
      slices.push({ resolution, from: at, to: Math.min(to, at + step) })
    return slices
  })
}

function wholeBuckets({ resolution, fromMs, toMs }: HistoryQuery): { from: number; to: number } {
  const last = bucketStart(resolution, Math.ceil(toMs / 1000) - 1)
  return {
    from: bucketStart(resolution, Math.floor(fromMs / 1000)),
    to: bucketEnd(resolution, last),
  }
}

function pointOf(resolution: Resolution, time: number, row: Observed & Bytes): HistoryPoint {
  const length_ms = (bucketEnd(resolution, time) - time) * 1000
  return {
    time_ms: time * 1000,
    sent_bytes: row.sent,
    received_bytes: row.received,
    complete: row.lossless && row.observed_ms >= length_ms - SLACK_MS,
  }
}

function keptFrom(
  tables: HistoryTables | undefined,
  loose: LooseMinutes,
): HistoryAnswer['kept_from_ms'] {
  const kept: HistoryAnswer['kept_from_ms'] = {}
  const firstLoose = loose.size === 0 ? undefined : Math.min(...loose.keys())
  let finer = firstLoose
  for (const resolution of RESOLUTIONS) {
    const firsts = [tables?.firstBucket(resolution), finer].filter((time) => time !== undefined)
    if (firsts.length === 0) continue
    const first = bucketStart(resolution, Math.min(...firsts))
    kept[resolution] = first * 1000
    finer = first
  }
  return kept
}

function addAll(sums: Map<string, Bytes>, more: ReadonlyMap<string, Bytes>): void {
  for (const [remote, { sent, received }] of more) {
    const known = sums.get(remote)
    const key = known === undefined && sums.size >= MAX_CANDIDATES ? OTHER : remote
    const bytes = sums.get(key)
    if (bytes === undefined) sums.set(key, { sent, received })
    else {
      bytes.sent += sent
      bytes.received += received
    }
  }
}

function bytesOf({ sent_bytes, received_bytes }: RemoteTotal): number {
  return sent_bytes + received_bytes
}
