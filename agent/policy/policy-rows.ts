// The rows of `policy.db`: records of JSON, one a row.
import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import type { Schema } from '../history/database.ts'
import { pragma } from '../history/database.ts'
import type { Pending, Stored, StoredEntry, StoreState } from './stored.ts'
import { EMPTY_STATE, isDevice, isEntry, isGroup, isRule, isState, readRecord } from './stored.ts'

/** Entries that are kept; the oldest go. */
const MAX_ENTRIES = 100_000
/** Their size: entries of a panic hold every rule that there was. */
const MAX_JOURNAL_BYTES = 64 * 1024 * 1024
/** Trimming takes so much more than it must, so that it is not done at every write. */
const TRIM_SHARE = 0.01

/** The tables. */
export const SCHEMA: Schema = {
  version: 1,
  sql: `CREATE TABLE rule (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE home_group (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE device (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE state (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE journal (seq INTEGER PRIMARY KEY, undone_by INTEGER, record TEXT NOT NULL) STRICT`,
  checkpointPages: 512,
}

/** How large the journal is. */
export interface JournalSize {
  entries: number
  bytes: number
}

/** Does all of `work` or nothing. */
export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    db.exec('COMMIT')
    return result
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

/** Everything but the journal. */
export interface ReadRows extends Stored {
  /** Records that can't be read: table and id. */
  bad: ReadonlySet<string>
}

export function readAll(db: DatabaseSync): ReadRows {
  const bad = new Set<string>()
  const read = <T>(from: string, isRight: (value: unknown) => boolean): T[] =>
    db
      .prepare(`SELECT id, record FROM ${from}`)
      .all()
      .flatMap(({ id, record }) => {
        const value = readRecord<T>(record, isRight)
        if (value === undefined) bad.add(`${from} ${id}`)
        return value === undefined ? [] : [value]
      })
  const rules = read<Stored['rules'][0]>('rule', isRule)
  const groups = read<Stored['groups'][0]>('home_group', isGroup)
  const devices = read<Stored['devices'][0]>('device', isDevice)
  const state = read<StoreState>("state WHERE id = 'state'", isState)[0] ?? EMPTY_STATE
  return { rules, groups, devices, state, bad }
}

/** Everything but the journal, of a file that can't be written; undefined where that can't be read either. */
export function readUnwritable(path: string): ReadRows | undefined {
  const unchanging = Object.assign(pathToFileURL(path), { search: '?immutable=1' })
  // Without room for its index a write-ahead log can't be read; where there is none, the file says it all.
  const ways = logSize(path) > 0 ? [path] : [path, unchanging]
  for (const way of ways) {
    try {
      const db = new DatabaseSync(way, { readOnly: true })
      try {
        if (pragma(db, 'user_version') === SCHEMA.version) return readAll(db)
      } finally {
        db.close()
      }
    } catch {
      // The next way.
    }
  }
  return undefined
}

function logSize(path: string): number {
  return statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0
}

/** The size of the journal, as it was kept beside it. */
export function readSize(db: DatabaseSync): JournalSize {
  const row = db.prepare("SELECT record FROM state WHERE id = 'journal'").get()
  const size = readRecord<JournalSize>(row?.record, (value) =>
    Number.isSafeInteger((value as JournalSize)?.entries + (value as JournalSize)?.bytes),
  )
  return size ?? { entries: 0, bytes: 0 }
}

/** Entries before `before`, newest first. */
export function readEntries(db: DatabaseSync, before: number, limit: number): StoredEntry[] {
  return db
    .prepare('SELECT * FROM journal WHERE seq < ? ORDER BY seq DESC LIMIT ?')
    .all(before, limit)
    .flatMap(({ record, undone_by }) => {
      const entry = readRecord<StoredEntry>(record, isEntry)
      if (entry === undefined) return []
      return [undone_by === null ? entry : { ...entry, undone_by: Number(undone_by) }]
    })
}

/** Writes what is pending, and trims the journal. Tells how large it is then. */
export function writeAll(
  db: DatabaseSync,
  pending: Pending,
  state: StoreState,
  size: JournalSize,
): JournalSize {
  if (pending.whole) db.exec('DELETE FROM rule; DELETE FROM home_group; DELETE FROM device')
  writeRecords(db, 'rule', pending.rules)
  writeRecords(db, 'home_group', pending.groups)
  writeRecords(db, 'device', pending.devices)
  writeRecords(db, 'state', new Map([['state', state]]))
  const entries = [...pending.entries.values()].filter((entry) => entry !== undefined)
  const dropped = dropEntries(db, 'seq IN (SELECT value FROM json_each(?))', [
    JSON.stringify([...pending.entries.keys()]),
  ])
  const mark = db.prepare('UPDATE journal SET undone_by = ? WHERE seq = ?')
  for (const [seq, undoneBy] of pending.marks) mark.run(undoneBy ?? null, seq)
  return writeEntries(db, entries, less(size, dropped))
}

/** Writes entries that are not there, and trims the journal. Tells how large it is then. */
export function writeEntries(
  db: DatabaseSync,
  entries: readonly StoredEntry[],
  size: JournalSize,
): JournalSize {
  const put = db.prepare('INSERT INTO journal VALUES (?, ?, ?)')
  let { entries: count, bytes } = size
  for (const { undone_by, ...entry } of entries) {
    const text = JSON.stringify(entry)
    put.run(entry.seq, undone_by ?? null, text)
    bytes += text.length
    count++
  }
  const trimmed = trim(db, { entries: count, bytes })
  writeRecords(db, 'state', new Map([['journal', trimmed]]))
  return trimmed
}

function writeRecords(
  db: DatabaseSync,
  table: string,
  records: ReadonlyMap<string, unknown>,
): void {
  if (records.size === 0) return
  const put = db.prepare(`INSERT OR REPLACE INTO ${table} VALUES (?, ?)`)
  const drop = db.prepare(`DELETE FROM ${table} WHERE id = ?`)
  for (const [id, record] of records) {
    if (record === undefined) drop.run(id)
    else put.run(id, JSON.stringify(record))
  }
}

function trim(db: DatabaseSync, size: JournalSize): JournalSize {
  let left = size
  while (left.entries > MAX_ENTRIES || (left.bytes > MAX_JOURNAL_BYTES && left.entries > 1)) {
    const over = Math.max(0, left.entries - MAX_ENTRIES)
    const oldest = Math.min(left.entries - 1, over + Math.ceil(left.entries * TRIM_SHARE))
    const dropped = dropEntries(db, 'seq IN (SELECT seq FROM journal ORDER BY seq LIMIT ?)', [
      oldest,
    ])
    if (dropped.entries === 0) return { entries: 0, bytes: 0 }
    left = less(left, dropped)
  }
  return left
}

function dropEntries(
  db: DatabaseSync,
  where: string,
  values: readonly (string | number)[],
): JournalSize {
  const found = db
    .prepare(`SELECT count(*) AS n, sum(length(record)) AS bytes FROM journal WHERE ${where}`)
    .get(...values)
  if (Number(found?.n ?? 0) === 0) return { entries: 0, bytes: 0 }
  db.prepare(`DELETE FROM journal WHERE ${where}`).run(...values)
  return { entries: Number(found?.n), bytes: Number(found?.bytes) }
}

function less(a: JournalSize, b: JournalSize): JournalSize {
  return { entries: Math.max(0, a.entries - b.entries), bytes: Math.max(0, a.bytes - b.bytes) }
}
