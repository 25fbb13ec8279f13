// The ids of orders in a file: one short line each, written before the order is carried out, and cut when it is long.
import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { CommandStore, TakenCommand } from './command-memory.ts'
import { MAX_TAKEN } from './command-memory.ts'

/** Lines that are kept. */
const MAX_LINES = MAX_TAKEN
/** Lines after which the file is written anew. */
const LONG = 2 * MAX_LINES

const LINE = /^([A-Za-z0-9_-]{1,64}) ([A-Za-z0-9_-]{22}) (\d{1,16})$/

/** Keeps ids of orders in `path`. What a power cut takes of it has expired by the time the box is up again. */
export class CommandFile implements CommandStore {
  readonly #path: string
  #lines = 0

  constructor(path: string) {
    this.#path = path
  }

  /** Reads the file; what is no line of it is left out, and a file that can't be read is empty. */
  load(): TakenCommand[] {
    const taken = this.#read()
    // Written anew at the first order: what a crash left of a line would spoil the next one.
    this.#lines = LONG
    return taken
  }

  /** Throws what the file system says. */
  add({ id, digest, endsMs }: TakenCommand): void {
    if (this.#lines >= LONG) this.#cut()
    try {
      appendFileSync(this.#path, `${id} ${digest} ${Math.ceil(endsMs)}\n`, { mode: 0o600 })
    } catch (error) {
      // What it took of the line would spoil the next one.
      this.#lines = LONG
      throw error
    }
    this.#lines++
  }

  #read(): TakenCommand[] {
    let text: string
    try {
      text = readFileSync(this.#path, 'latin1')
    } catch {
      return []
    }
    const taken = text.split('\n').flatMap((line) => {
      const [, id, digest, ends] = LINE.exec(line) ?? []
      return id === undefined || digest === undefined ? [] : [{ id, digest, endsMs: Number(ends) }]
    })
    return taken.slice(-MAX_LINES)
  }

  #cut(): void {
    const kept = this.#read()
    const text = kept.map(({ id, digest, endsMs }) => `${id} ${digest} ${endsMs}\n`).join('')
    const aside = `${this.#path}.new`
    try {
      writeFileSync(aside, text, { mode: 0o600 })
      renameSync(aside, this.#path)
    } catch (error) {
      rmSync(aside, { force: true })
      throw error
    }
    this.#lines = kept.length
  }
}
