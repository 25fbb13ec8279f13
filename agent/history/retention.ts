// What is dropped: buckets older than they are kept, and when the file is too large the oldest, minutes first.
import type { Resolution } from '../../protocol/http.ts'
import { RESOLUTIONS } from './buckets.ts'
import type { Allowance } from './expiry.ts'
import type { HistoryTables } from './history-tables.ts'
import type { Pace } from './pace.ts'
import { inTransaction } from './pace.ts'

export interface Kept {
  /** Seconds that each resolution is kept. */
  minute_s: number
  hour_s: number
  day_s: number
  /** Of the file and its write-ahead log. */
  maxBytes: number
}

/** Buckets dropped in one transaction. */
const BATCH = 8
/** The rest is for the write-ahead log and for what comes until the next look. */
const SHARE_OF_FILE = 0.88
/** Down to this share of that, so that not every minute has to make room. */
const SHARE_AFTER = 0.96
const VACUUM_PAGES = 64

/** Makes the limits hold. No more goes for its age than `allowance` lets; what is left of that is given back. */
export async function retain(
  tables: HistoryTables,
  now_s: number,
  kept: Kept,
  allowance: Allowance,
  pace: Pace,
): Promise<Allowance> {
  const left = { ...allowance }
  for (const resolution of RESOLUTIONS) {
    const cut = now_s - kept[`${resolution}_s`]
    left[resolution] -= await dropWhile(
      tables,
      pace,
      () => firstBefore(tables, resolution, cut),
      left[resolution],
    )
  }
  const most = kept.maxBytes * SHARE_OF_FILE
  if (tables.sizes().used > most) {
    await dropWhile(tables, pace, () =>
      tables.sizes().used > most * SHARE_AFTER ? leastWanted(tables) : undefined,
    )
  }
  if (tables.sizes().file > most) await shrink(tables, most, pace)
  return left
}

/** Gives pages that are free back to the disk: needed only when the limit was lowered. */
async function shrink(tables: HistoryTables, most: number, pace: Pace): Promise<void> {
  while (tables.sizes().file > most && tables.sizes().used < tables.sizes().file) {
    tables.db.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`)
    await pace.breathe()
  }
  // The file itself is cut when the log has been copied into it.
  tables.db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
}

interface Bucket {
  resolution: Resolution
  time: number
}

/** How many it dropped. */
async function dropWhile(
  tables: HistoryTables,
  pace: Pace,
  next: () => Bucket | undefined,
  most = Number.POSITIVE_INFINITY,
): Promise<number> {
  let dropped = 0
  while (dropped < most && next() !== undefined) {
    await inTransaction(tables.db, async () => {
      for (let i = 0; i < BATCH && dropped < most; i++) {
        const bucket = next()
        if (bucket === undefined) return
        await dropBucket(tables, bucket, pace)
        dropped++
      }
    })
  }
  return dropped
}

async function dropBucket(
  tables: HistoryTables,
  { resolution, time }: Bucket,
  pace: Pace,
): Promise<void> {
  while (tables.deleteDevice(resolution, time)) await pace.breathe()
  tables.deleteSpan(resolution, time)
}

/** What is kept in a coarser resolution too goes first, then the oldest day, and only then what is nowhere else. */
function leastWanted(tables: HistoryTables): Bucket | undefined {
  return (
    firstBefore(tables, 'minute', tables.rolledUpTo('minute')) ??
    firstBefore(tables, 'hour', tables.rolledUpTo('hour')) ??
    firstBefore(tables, 'day', Number.MAX_SAFE_INTEGER) ??
    firstBefore(tables, 'hour', Number.MAX_SAFE_INTEGER) ??
    firstBefore(tables, 'minute', Number.MAX_SAFE_INTEGER)
  )
}

function firstBefore(
  tables: HistoryTables,
  resolution: Resolution,
  cut: number,
): Bucket | undefined {
  const time = tables.firstBucket(resolution)
  return time !== undefined && time < cut ? { resolution, time } : undefined
}
