// A database whose disk may fail: what is wrong is said once, each use tries again, and a damaged file is set aside.
import type { DatabaseSync } from 'node:sqlite'
import type { Log } from '../log.ts'
import type { Schema } from './database.ts'
import { closeDatabase, faultOf, NewerSchemaError, openDatabase, setAside } from './database.ts'
import { StoreFault } from './store-fault.ts'

/** One file. */
export class GuardedDatabase {
  readonly #path: string
  readonly #schema: Schema
  readonly #fault: StoreFault
  #db: DatabaseSync | undefined

  /** `path`: the file; its folder exists. `what` is the subject of what is logged: `the list of devices`. */
  constructor(path: string, schema: Schema, what: string, log: Log) {
    this.#path = path
    this.#schema = schema
    this.#fault = new StoreFault(log, what)
  }

  /** Opens the file. Throws only for a file that a newer Homespin wrote; a disk that fails is said and tried again. */
  start(): void {
    this.#attempt(() => undefined, true)
  }

  /** Why it can't be written now, as a sentence. */
  get problem(): string | undefined {
    return this.#fault.problem
  }

  stop(): void {
    const db = this.#db
    this.#db = undefined
    if (db === undefined) return
    try {
      closeDatabase(db)
    } catch (error) {
      this.#fault.failed(error)
    }
  }

  /** Does something with the database; false where the disk did not take it. Other errors are thrown. */
  attempt(work: (db: DatabaseSync) => void): boolean {
    return this.#attempt(work, false)
  }

  #attempt(work: (db: DatabaseSync) => void, atStart: boolean): boolean {
    try {
      this.#db ??= openDatabase(this.#path, this.#schema, (keptAs) => this.#fault.damaged(keptAs))
      work(this.#db)
      this.#fault.recovered('')
      return true
    } catch (error) {
      const fault = faultOf(error)
      const isNewer = error instanceof NewerSchemaError && !atStart
      if (fault === undefined && !isNewer) throw error
      if (fault === 'damaged') this.#setAside()
      else this.#fault.failed(error)
      return false
    }
  }

  #setAside(): void {
    this.#db?.close()
    this.#db = undefined
    try {
      this.#fault.damaged(setAside(this.#path))
    } catch (error) {
      this.#fault.failed(error)
    }
  }
}
