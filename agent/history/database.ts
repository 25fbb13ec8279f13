// Opening an SQLite file: its pragmas and schema, and what is done when it is damaged, newer or can't be used.
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export interface Schema {
  /** Kept in `user_version`. */
  version: number
  /** Statements that make an empty file into version `version`. */
  sql: string
  /** Pages of the write-ahead log after which it is copied into the file. */
  checkpointPages: number
}

/** A file that a newer Homespin wrote: it is left alone. */
export class NewerSchemaError extends Error {}

/** Copies of damaged files that are kept. */
const KEPT_DAMAGED = 2
/** Files up to this size are looked through at each start; larger ones after an unclean end. */
const ALWAYS_CHECKED_BYTES = 32 * 1024 * 1024

/** What an error of SQLite is to us. */
export type Fault = 'damaged' | 'full' | 'read_only' | 'busy' | 'failed'

/** Result codes (sqlite.org/rescode.html), without their extension. */
export function faultOf(error: unknown): Fault | undefined {
  const { errcode, code } = error as { errcode?: number; code?: string }
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'full'
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') return 'read_only'
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EIO') return 'failed'
  if (typeof errcode !== 'number') return undefined
  switch (errcode & 0xff) {
    case 11:
    case 26:
      return 'damaged'
    case 13:
      return 'full'
    case 8:
      return 'read_only'
    case 5:
    case 6:
      return 'busy'
    default:
      return 'failed'
  }
}

/**
 * Opens or makes the database. A damaged one is moved aside and a new one begun; `onDamaged` gets the name it is kept under.
 * Throws a NewerSchemaError, or what SQLite or the file system says.
 */
export function openDatabase(
  path: string,
  schema: Schema,
  onDamaged: (keptAs: string) => void,
): DatabaseSync {
  try {
    return openChecked(path, schema)
  } catch (error) {
    if (faultOf(error) !== 'damaged') throw error
    onDamaged(setAside(path))
    return openChecked(path, schema)
  }
}

/** Says in the file that it was closed in order, and closes it. */
export function closeDatabase(db: DatabaseSync): void {
  try {
    db.exec("UPDATE meta SET value = 1 WHERE key = 'clean'")
  } finally {
    db.close()
  }
}

/** Moves a damaged database aside, with its log; tells under which name. Keeps the last two. */
export function setAside(path: string): string {
  const keptAs = `${path}.corrupt-${Date.now()}`
  renameSync(path, keptAs)
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${keptAs}-wal`)
  rmSync(`${path}-shm`, { force: true })
  const folder = dirname(path)
  const prefix = `${basename(path)}.corrupt-`
  const kept = readdirSync(folder).filter(
    (name) => name.startsWith(prefix) && !name.endsWith('-wal'),
  )
  for (const name of kept.sort().slice(0, -KEPT_DAMAGED)) {
    for (const ending of ['', '-wal', '-shm']) rmSync(join(folder, name + ending), { force: true })
  }
  return keptAs
}

function openChecked(path: string, schema: Schema): DatabaseSync {
  // Made here, because SQLite would make it readable by everybody; its log takes over these rights.
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
  const size = statSync(path).size
  const db = new DatabaseSync(path, { timeout: 1000 })
  try {
    prepare(db, schema, size)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function prepare(db: DatabaseSync, schema: Schema, size: number): void {
  db.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -2000')
  db.exec('PRAGMA auto_vacuum = INCREMENTAL')
  db.exec('PRAGMA journal_mode = WAL')
  // NORMAL would lose whatever the kernel had not written yet: half a minute, not five seconds.
  db.exec('PRAGMA synchronous = FULL')
  db.exec(`PRAGMA wal_autocheckpoint = ${schema.checkpointPages}`)
  db.exec(`PRAGMA journal_size_limit = ${schema.checkpointPages * 4096}`)
  const version = pragma(db, 'user_version')
  if (version > schema.version) {
    throw new NewerSchemaError(
      `${basename(db.location() ?? '')} was written by a newer Homespin (schema ${version}, this one knows ${schema.version}): update Homespin, or move the file away`,
    )
  }
  if (version === 0) {
    db.exec(
      `BEGIN IMMEDIATE; CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
       INSERT INTO meta VALUES ('clean', 0); ${schema.sql}; PRAGMA user_version = ${schema.version}; COMMIT`,
    )
    return
  }
  const clean = db.prepare("SELECT value FROM meta WHERE key = 'clean'").get()?.value === 1
  if (!clean || size <= ALWAYS_CHECKED_BYTES) check(db)
  db.exec("UPDATE meta SET value = 0 WHERE key = 'clean'")
}

function check(db: DatabaseSync): void {
  const found = db.prepare('PRAGMA quick_check(1)').get()
  if (Object.values(found ?? {})[0] !== 'ok') {
    throw Object.assign(new Error('the database is damaged'), { errcode: 11 })
  }
}

/** The number that a pragma tells. */
export function pragma(db: DatabaseSync, name: string): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0] ?? 0)
}
