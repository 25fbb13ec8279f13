// The tables of history, and every statement on them. Times are seconds, `remote` '' is `other`.
// For each resolution: `_span` says what was observed and the sum of all devices, `_device` and `_remote` the parts.
// Keys begin with the time: minutes are appended at one end and dropped at the other, which spares SD cards.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Resolution } from '../../protocol/http.ts'
import { RESOLUTIONS } from './buckets.ts'
import type { Schema } from './database.ts'
import { pragma } from './database.ts'
import type { Bytes } from './tally.ts'
import { OTHER, topRemotes, totalOf } from './tally.ts'

/** How much of a bucket was observed. */
export interface Observed {
  observed_ms: number
  /** No loss in any interval. */
  lossless: boolean
}

export interface JournalRow extends Observed {
  minute: number
  traffic: string
}

export interface SpanRow extends Observed, Bytes {
  time: number
}

/** The schema of a history that is to stay below `maxBytes`. */
export function historySchema(maxBytes: number): Schema {
  return {
    version: 1,
    sql: `
      CREATE TABLE journal (id INTEGER PRIMARY KEY, minute INTEGER NOT NULL, observed_ms INTEGER NOT NULL,
        lossless INTEGER NOT NULL, traffic TEXT NOT NULL) STRICT;
      INSERT INTO meta VALUES ('rolled_minute', 0), ('rolled_hour', 0);
      ${RESOLUTIONS.map(tablesOf).join('\n')}`,
    checkpointPages: Math.max(32, Math.min(1000, Math.floor(maxBytes / 4096 / 32))),
  }
}

function tablesOf(resolution: Resolution): string {
  return `
    CREATE TABLE ${resolution}_span (time INTEGER PRIMARY KEY, observed_ms INTEGER NOT NULL,
      lossless INTEGER NOT NULL, sent INTEGER NOT NULL, received INTEGER NOT NULL) STRICT;
    CREATE TABLE ${resolution}_device (time INTEGER NOT NULL, device TEXT NOT NULL, sent INTEGER NOT NULL,
      received INTEGER NOT NULL, PRIMARY KEY (time, device)) STRICT, WITHOUT ROWID;
    CREATE TABLE ${resolution}_remote (time INTEGER NOT NULL, device TEXT NOT NULL, remote TEXT NOT NULL,
      sent INTEGER NOT NULL, received INTEGER NOT NULL, PRIMARY KEY (time, device, remote)) STRICT, WITHOUT ROWID;`
}

/** The statements on one open database. Each may throw what SQLite says. */
export class HistoryTables {
  readonly db: DatabaseSync
  readonly #topRemotes: number
  readonly #statements = new Map<string, StatementSync>()

  constructor(db: DatabaseSync, topRemotesKept: number) {
    this.db = db
    this.#topRemotes = topRemotesKept
  }

  /** A statement, prepared once. */
  sql(text: string): StatementSync {
    let statement = this.#statements.get(text)
    if (statement === undefined) {
      statement = this.db.prepare(text)
      this.#statements.set(text, statement)
    }
    return statement
  }

  appendJournal({ minute, observed_ms, lossless, traffic }: JournalRow): void {
    this.sql(
      'INSERT INTO journal (minute, observed_ms, lossless, traffic) VALUES (?, ?, ?, ?)',
    ).run(minute, observed_ms, lossless ? 1 : 0, traffic)
  }

  /** The minutes that are in the journal, first to last. */
  journalMinutes(): number[] {
    const rows = this.sql('SELECT DISTINCT minute FROM journal ORDER BY minute').all()
    return rows.map(({ minute }) => Number(minute))
  }

  journalOf(minute: number): JournalRow[] {
    const rows = this.sql('SELECT observed_ms, lossless, traffic FROM journal WHERE minute = ?')
    return rows.all(minute).map((row) => ({
      minute,
      observed_ms: Number(row.observed_ms),
      lossless: row.lossless === 1,
      traffic: String(row.traffic),
    }))
  }

  clearJournal(minute: number): void {
    this.sql('DELETE FROM journal WHERE minute = ?').run(minute)
  }

  /** Adds to what is known of a bucket as a whole. */
  addSpan(resolution: Resolution, time: number, observed: Observed, bytes: Bytes): void {
    this.sql(
      `INSERT INTO ${resolution}_span VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         observed_ms = observed_ms + excluded.observed_ms, lossless = min(lossless, excluded.lossless),
         sent = sent + excluded.sent, received = received + excluded.received`,
    ).run(time, observed.observed_ms, observed.lossless ? 1 : 0, bytes.sent, bytes.received)
  }

  /** Adds a device's remotes to a bucket, of which the top ones stay and the rest becomes `other`. */
  addDevice(
    resolution: Resolution,
    time: number,
    device: string,
    remotes: Map<string, Bytes>,
  ): void {
    const total = totalOf(remotes)
    const { changes } = this.sql(
      `UPDATE ${resolution}_device SET sent = sent + ?, received = received + ? WHERE time = ? AND device = ?`,
    ).run(total.sent, total.received, time, device)
    let all: ReadonlyMap<string, Bytes> = remotes
    if (changes === 0) {
      const insert = this.sql(`INSERT INTO ${resolution}_device VALUES (?, ?, ?, ?)`)
      insert.run(time, device, total.sent, total.received)
    } else {
      all = sumOf(remotes, this.#takeRemotes(resolution, time, device))
    }
    const insert = this.sql(`INSERT INTO ${resolution}_remote VALUES (?, ?, ?, ?, ?)`)
    for (const [remote, { sent, received }] of topRemotes(all, this.#topRemotes)) {
      insert.run(time, device, remote, sent, received)
    }
  }

  /** Reads the remotes of a device in a bucket, and removes them. */
  #takeRemotes(resolution: Resolution, time: number, device: string): Map<string, Bytes> {
    const where = `FROM ${resolution}_remote WHERE time = ? AND device = ?`
    const rows = this.sql(`SELECT remote, sent, received ${where}`).all(time, device)
    this.sql(`DELETE ${where}`).run(time, device)
    return toRemotes(rows)
  }

  /** The devices of the buckets in [from, to). */
  devicesIn(resolution: Resolution, from: number, to: number): string[] {
    const rows = this.sql(
      `SELECT DISTINCT device FROM ${resolution}_device WHERE time >= ? AND time < ?`,
    ).all(from, to)
    return rows.map(({ device }) => String(device))
  }

  /** The remotes of a device, summed over the buckets in [from, to). */
  remotesIn(resolution: Resolution, from: number, to: number, device: string): Map<string, Bytes> {
    // CROSS JOIN keeps the order of the loops: for each bucket one seek to the device.
    const rows = this.sql(
      `SELECT r.remote AS remote, sum(r.sent) AS sent, sum(r.received) AS received
         FROM ${resolution}_span s CROSS JOIN ${resolution}_remote r ON r.time = s.time AND r.device = ?
         WHERE s.time >= ? AND s.time < ? GROUP BY r.remote`,
    ).all(device, from, to)
    return toRemotes(rows)
  }

  /** What was observed in the buckets of [from, to), with the bytes of `device`, else of all. */
  spansIn(resolution: Resolution, from: number, to: number, device?: string): SpanRow[] {
    const rows =
      device === undefined
        ? this.sql(`SELECT * FROM ${resolution}_span WHERE time >= ? AND time < ?`).all(from, to)
        : this.sql(
            `SELECT s.time, s.observed_ms, s.lossless, ifnull(d.sent, 0) AS sent, ifnull(d.received, 0) AS received
               FROM ${resolution}_span s LEFT JOIN ${resolution}_device d ON d.time = s.time AND d.device = ?
               WHERE s.time >= ? AND s.time < ?`,
          ).all(device, from, to)
    return rows.map((row) => ({
      time: Number(row.time),
      observed_ms: Number(row.observed_ms),
      lossless: row.lossless === 1,
      sent: Number(row.sent),
      received: Number(row.received),
    }))
  }

  /** The first bucket at or after `from`. */
  firstBucket(resolution: Resolution, from = Number.MIN_SAFE_INTEGER): number | undefined {
    const row = this.sql(`SELECT min(time) AS time FROM ${resolution}_span WHERE time >= ?`).get(
      from,
    )
    return row?.time === null || row === undefined ? undefined : Number(row.time)
  }

  lastBucket(resolution: Resolution): number | undefined {
    const row = this.sql(`SELECT max(time) AS time FROM ${resolution}_span`).get()
    return row?.time === null || row === undefined ? undefined : Number(row.time)
  }

  /** Removes one device of a bucket; false when there is none left. */
  deleteDevice(resolution: Resolution, time: number): boolean {
    const row = this.sql(`SELECT device FROM ${resolution}_device WHERE time = ? LIMIT 1`).get(time)
    if (row === undefined) return false
    for (const table of ['remote', 'device']) {
      this.sql(`DELETE FROM ${resolution}_${table} WHERE time = ? AND device = ?`).run(
        time,
        row.device as string,
      )
    }
    return true
  }

  deleteSpan(resolution: Resolution, time: number): void {
    this.sql(`DELETE FROM ${resolution}_span WHERE time = ?`).run(time)
  }

  /** Buckets before this are also in the next coarser resolution. */
  rolledUpTo(resolution: 'minute' | 'hour'): number {
    return Number(
      this.sql('SELECT value FROM meta WHERE key = ?').get(`rolled_${resolution}`)?.value,
    )
  }

  setRolledUpTo(resolution: 'minute' | 'hour', time: number): void {
    this.sql('UPDATE meta SET value = ? WHERE key = ?').run(time, `rolled_${resolution}`)
  }

  /** Bytes of the file, and of the pages in it that are in use. */
  sizes(): { file: number; used: number } {
    const pages = pragma(this.db, 'page_count')
    const bytes = pragma(this.db, 'page_size')
    return { file: pages * bytes, used: (pages - pragma(this.db, 'freelist_count')) * bytes }
  }
}

function toRemotes(rows: Record<string, unknown>[]): Map<string, Bytes> {
  return new Map(
    rows.map(({ remote, sent, received }) => [
      String(remote ?? OTHER),
      { sent: Number(sent), received: Number(received) },
    ]),
  )
}

function sumOf(a: ReadonlyMap<string, Bytes>, b: Map<string, Bytes>): Map<string, Bytes> {
  for (const [remote, { sent, received }] of a) {
    const bytes = b.get(remote)
    if (bytes === undefined) b.set(remote, { sent, received })
    else {
      bytes.sent += sent
      bytes.received += received
    }
  }
  return b
}
