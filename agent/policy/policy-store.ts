// What is ordered, on the disk before the kernel is told: rules, groups, accepted devices, the journal. Its own file with
// every write synchronous, so that a power cut loses nothing that was acknowledged.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import {
  closeDatabase,
  faultOf,
  NewerSchemaError,
  openDatabase,
  setAside,
} from '../history/database.ts'
import type { Log } from '../log.ts'
import type { CopyContent } from './policy-copy.ts'
import { PolicyCopy } from './policy-copy.ts'
import type { JournalSize, ReadRows } from './policy-rows.ts'
import {
  inTransaction,
  readAll,
  readEntries,
  readSize,
  readUnwritable,
  SCHEMA,
  writeAll,
  writeEntries,
} from './policy-rows.ts'
import type { Pending, Stored, StoredEntry, StoreState } from './stored.ts'
import { EMPTY_STATE } from './stored.ts'

const SENTENCES = {
  damaged: 'its file is damaged',
  full: 'the disk is full; free some space',
  read_only: 'the data folder may not be written; check its rights',
  busy: 'another program has locked its file; stop that program',
  failed: 'the disk reports an error',
} as const

const NO_ROWS: ReadRows = {
  rules: [],
  groups: [],
  devices: [],
  state: EMPTY_STATE,
  bad: new Set(),
}

/** What was found at the start. */
export interface Loaded extends Stored {
  /** Everything has to be written anew: the database was lost or behind. */
  recovered: boolean
}

/** The files `policy.db` and `policy.json` in a folder. */
export class PolicyStore {
  readonly #path: string
  readonly #log: Log
  readonly #copy: PolicyCopy
  #db: DatabaseSync | undefined
  #problem: string | undefined
  #fault: keyof typeof SENTENCES | undefined
  #size: JournalSize = { entries: 0, bytes: 0 }
  /** The database is a new one: what is in memory has to be written as a whole. */
  #lost = false

  /** `dir` exists. */
  constructor(dir: string, log: Log) {
    this.#path = join(dir, 'policy.db')
    this.#log = log
    this.#copy = new PolicyCopy(join(dir, 'policy.json'), log)
  }

  /** Why orders are not stored at this moment, a sentence. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** Entries that are stored. */
  get entries(): number {
    return this.#size.entries
  }

  /**
   * Opens the files; of database and copy the newer one counts. Throws for a file of a newer Homespin, and where there is
   * something that can't be read: to go on would release all that is held.
   */
  load(): Loaded {
    const copy = this.#copy.read()
    let found = this.#attempt((db) => readAll(db))
    // A disk that takes nothing lets a database be read: it may be newer than the copy.
    const isAway = found === undefined && !this.#lost && this.#fault !== 'busy'
    if (isAway) found = readUnwritable(this.#path)
    if (found === undefined && copy === undefined && !this.#lost && sizeOfFile(this.#path) > 0) {
      throw new Error(
        `What is ordered can't be read: ${this.#problem} The kernel goes on holding it.`,
      )
    }
    const stored = found ?? NO_ROWS
    const { bad } = stored
    if (bad.size > 0) this.#log.error(`${bad.size} records of the policy can't be read`)
    const newer = copy !== undefined && copy.state.revision > stored.state.revision
    if (copy === undefined || !(newer || bad.size > 0)) return { ...stored, recovered: false }
    const whole = newer ? copy : repaired(stored, copy)
    this.#log.warn(`the policy is recovered from its copy: ${whole.rules.length} rules`)
    this.#restoreEntries(copy)
    return { ...whole, recovered: true }
  }

  /** Writes all of it or nothing. Undefined: it is on the disk; else why not, a sentence. */
  write(pending: Pending, state: StoreState): string | undefined {
    const done = this.#attempt((db) => {
      this.#size = inTransaction(db, () => writeAll(db, pending, state, this.#size))
      if (this.#problem !== undefined) this.#log.info('the policy is stored again')
      this.#problem = undefined
      this.#fault = undefined
      return true
    })
    return done === true ? undefined : (this.#problem ?? 'its file was damaged and is begun anew')
  }

  /** True once after the database was lost: all that is in memory has to be written. */
  takeLost(): boolean {
    const lost = this.#lost
    this.#lost = false
    return lost
  }

  /** Writes the copy soon. */
  copyLater(make: () => CopyContent): void {
    this.#copy.later(make)
  }

  /** Entries before `before`, newest first. */
  journal(before: number, limit: number): StoredEntry[] {
    return this.#attempt((db) => readEntries(db, before, limit)) ?? []
  }

  async stop(): Promise<void> {
    await this.#copy.flush()
    const db = this.#db
    this.#db = undefined
    if (db === undefined) return
    try {
      closeDatabase(db)
    } catch (error) {
      this.#log.warn(`the policy could not be closed in order: ${(error as Error).message}`)
    }
  }

  #restoreEntries({ entries }: CopyContent): void {
    this.#attempt((db) => {
      const last = readEntries(db, Number.MAX_SAFE_INTEGER, 1)[0]?.seq ?? 0
      const missing = entries.filter(({ seq }) => seq > last)
      this.#size = inTransaction(db, () => writeEntries(db, missing, this.#size))
    })
  }

  #open(): DatabaseSync {
    if (this.#db !== undefined) return this.#db
    const db = openDatabase(this.#path, SCHEMA, (keptAs) => this.#sayDamaged(keptAs))
    this.#size = readSize(db)
    this.#db = db
    return db
  }

  #attempt<T>(work: (db: DatabaseSync) => T): T | undefined {
    try {
      return work(this.#open())
    } catch (error) {
      if (error instanceof NewerSchemaError) throw error
      const fault = faultOf(error)
      if (fault === undefined) throw error
      if (fault === 'damaged') this.#abandon()
      this.#fail(fault, error)
      return undefined
    }
  }

  #fail(fault: keyof typeof SENTENCES, error: unknown): void {
    const sentence = `The policy is not stored: ${SENTENCES[fault]}.`
    if (sentence !== this.#problem) {
      this.#log.error(
        `${sentence} (${(error as Error).message}) The kernel holds it; it is tried again.`,
      )
    }
    this.#problem = sentence
    this.#fault = fault
  }

  #abandon(): void {
    this.#db?.close()
    this.#db = undefined
    this.#lost = true
    try {
      this.#sayDamaged(setAside(this.#path))
    } catch (error) {
      this.#log.error(`the damaged policy can't be moved aside: ${(error as Error).message}`)
    }
  }

  #sayDamaged(keptAs: string): void {
    this.#lost = true
    this.#log.error(`the file of the policy is damaged; it is kept as ${keptAs}`)
  }
}

/**
 * What can be read, and of the rest what the copy has. That may be as old as the last change of a rule: since then only the
 * clocks were noted, but for what a power cut took.
 */
function repaired({ bad, ...stored }: ReadRows, copy: Stored): Stored {
  const lost = <T extends { id: string }>(table: string, of: readonly T[]): T[] =>
    of.filter(({ id }) => bad.has(`${table} ${id}`))
  return {
    rules: [...stored.rules, ...lost('rule', copy.rules)],
    groups: [...stored.groups, ...lost('home_group', copy.groups)],
    devices: [...stored.devices, ...lost('device', copy.devices)],
    state: stored.state,
  }
}

function sizeOfFile(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
