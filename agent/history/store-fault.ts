// Says once what is wrong with a store, and once that it is well again.
import type { Log } from '../log.ts'
import type { Fault } from './database.ts'
import { faultOf } from './database.ts'

const SENTENCES: Record<Exclude<Fault, 'damaged'>, string> = {
  full: 'the disk is full: free some space',
  read_only:
    'it may not be written: check the rights of the data folder and whether its disk is mounted read-only',
  busy: 'another program has locked it: stop that program',
  failed: 'the disk reports an error',
}

/** The state of one store, for its log. */
export class StoreFault {
  readonly #log: Log
  readonly #what: string
  #shown: string | undefined
  #problem: string | undefined

  /** `what` is the subject of the sentences: `history`. */
  constructor(log: Log, what: string) {
    this.#log = log
    this.#what = what
  }

  /** Whether the last attempt failed. */
  get active(): boolean {
    return this.#shown !== undefined
  }

  /** What is wrong since the last attempt, as a sentence. */
  get problem(): string | undefined {
    return this.#problem
  }

  failed(error: unknown): void {
    const fault = faultOf(error)
    const key = fault ?? String(error)
    if (key === this.#shown) return
    this.#shown = key
    const why = fault === undefined || fault === 'damaged' ? messageOf(error) : SENTENCES[fault]
    const detail = error instanceof Error ? error.message : ''
    const sentence = `${this.#what} can't be stored now; ${why}`
    this.#problem = `${sentence}.`
    this.#log.warn(`${sentence} (${detail}). It goes on in memory and tries again.`)
  }

  /** `lost` says what did not survive; empty for nothing. */
  recovered(lost: string): void {
    if (this.#shown === undefined) return
    this.#shown = undefined
    this.#problem = undefined
    this.#log.info(`${this.#what} is stored again${lost === '' ? '' : `; ${lost}`}`)
  }

  damaged(keptAs: string): void {
    this.#log.error(
      `the file of ${this.#what} is damaged; it is kept as ${keptAs}, and a new one is begun`,
    )
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
