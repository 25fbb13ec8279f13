// Long work in short pieces: SQLite runs on the event loop, and nothing may hold that up.

import type { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'

/** Milliseconds of work between two breaths. */
const PIECE_MS = 15

/** Lets others run whenever enough has been done in one go. */
export class Pace {
  #sinceMs = performance.now()

  async breathe(): Promise<void> {
    if (performance.now() - this.#sinceMs < PIECE_MS) return
    await setImmediate()
    this.#sinceMs = performance.now()
  }
}

/** Runs `work` in a transaction: all of it is kept, or nothing. Nothing else may use `db` meanwhile. */
export async function inTransaction(
  db: DatabaseSync,
  work: () => void | Promise<void>,
): Promise<void> {
  db.exec('BEGIN IMMEDIATE')
  try {
    await work()
    db.exec('COMMIT')
  } catch (error) {
    // SQLite has rolled back by itself after some errors, such as a full disk.
    if (db.isOpen && db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}
