// From the journal to minutes, from minutes to hours, from hours to days.
import type { Resolution } from '../../protocol/http.ts'
import { bucketEnd, bucketStart } from './buckets.ts'
import type { HistoryTables, Observed } from './history-tables.ts'
import type { Pace } from './pace.ts'
import { inTransaction } from './pace.ts'
import type { Bytes, TallyLimits } from './tally.ts'
import { decodeInto, Tally, totalOf } from './tally.ts'

/** One minute as the journal has it. */
export interface LooseMinute extends Observed {
  tally: Tally
}

/** Reads a minute from the journal; a row that can't be read makes it incomplete. */
export async function readJournal(
  tables: HistoryTables,
  minute: number,
  limits: TallyLimits,
  pace: Pace,
): Promise<LooseMinute> {
  const loose = { observed_ms: 0, lossless: true, tally: new Tally(limits) }
  for (const row of tables.journalOf(minute)) {
    loose.observed_ms += row.observed_ms
    loose.lossless &&= row.lossless
    try {
      decodeInto(loose.tally, row.traffic)
    } catch {
      loose.lossless = false
    }
    await pace.breathe()
  }
  return loose
}

/** Moves every minute of the journal that `isOpen` does not claim into the table of minutes. */
export async function closeMinutes(
  tables: HistoryTables,
  isOpen: (minute: number) => boolean,
  limits: TallyLimits,
  pace: Pace,
): Promise<void> {
  for (const minute of tables.journalMinutes()) {
    if (isOpen(minute)) continue
    await inTransaction(tables.db, async () => {
      const loose = await readJournal(tables, minute, limits, pace)
      for (const resolution of bucketsToAddTo(tables, minute)) {
        await addBucket(tables, resolution, bucketStart(resolution, minute), loose, pace)
      }
      tables.clearJournal(minute)
    })
  }
}

/** A minute that comes after its hour was rolled up (the clock was set back) is added to that hour too. */
function bucketsToAddTo(tables: HistoryTables, minute: number): Resolution[] {
  if (minute >= tables.rolledUpTo('minute')) return ['minute']
  const hour = bucketStart('hour', minute)
  return hour >= tables.rolledUpTo('hour') ? ['minute', 'hour'] : ['minute', 'hour', 'day']
}

async function addBucket(
  tables: HistoryTables,
  resolution: Resolution,
  time: number,
  loose: LooseMinute,
  pace: Pace,
): Promise<void> {
  const sum: Bytes = { sent: 0, received: 0 }
  for (const [device, remotes] of loose.tally.devices) {
    tables.addDevice(resolution, time, device, remotes)
    addTo(sum, totalOf(remotes))
    await pace.breathe()
  }
  tables.addSpan(resolution, time, loose, sum)
}

/** Rolls up every hour and day that has ended, is closed, and is not rolled up yet. */
export async function rollUp(tables: HistoryTables, now_s: number, pace: Pace): Promise<void> {
  const [firstOpen = now_s] = tables.journalMinutes()
  const minutesUpTo = bucketStart('hour', Math.min(now_s, firstOpen))
  await rollInto(tables, 'minute', 'hour', minutesUpTo, pace)
  await rollInto(tables, 'hour', 'day', bucketStart('day', minutesUpTo), pace)
}

async function rollInto(
  tables: HistoryTables,
  from: 'minute' | 'hour',
  into: 'hour' | 'day',
  upTo: number,
  pace: Pace,
): Promise<void> {
  for (;;) {
    const rolled = tables.rolledUpTo(from)
    const first = tables.firstBucket(from, rolled)
    if (first === undefined || first >= upTo) {
      if (rolled < upTo) tables.setRolledUpTo(from, upTo)
      return
    }
    const start = bucketStart(into, first)
    const end = bucketEnd(into, start)
    await inTransaction(tables.db, async () => {
      await rollBucket(tables, from, Math.max(start, rolled), end, into, start, pace)
      tables.setRolledUpTo(from, end)
    })
  }
}

async function rollBucket(
  tables: HistoryTables,
  from: Resolution,
  begin: number,
  end: number,
  into: Resolution,
  time: number,
  pace: Pace,
): Promise<void> {
  for (const device of tables.devicesIn(from, begin, end)) {
    tables.addDevice(into, time, device, tables.remotesIn(from, begin, end, device))
    await pace.breathe()
  }
  const sum: Bytes = { sent: 0, received: 0 }
  const observed = { observed_ms: 0, lossless: true }
  for (const span of tables.spansIn(from, begin, end)) {
    addTo(sum, span)
    observed.observed_ms += span.observed_ms
    observed.lossless &&= span.lossless
  }
  tables.addSpan(into, time, observed, sum)
}

function addTo(sum: Bytes, { sent, received }: Bytes): void {
  sum.sent += sent
  sum.received += received
}
