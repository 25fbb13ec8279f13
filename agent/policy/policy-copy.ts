// The second copy of what stands: a file of JSON, from which a damaged database is recovered.
import { readFileSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Log } from '../log.ts'
import type { Stored, StoredEntry, StoreState } from './stored.ts'
import { isDevice, isEntry, isGroup, isRule, isState } from './stored.ts'

const FORMAT = 1
/** Larger files are none of ours. */
const MAX_BYTES = 64 * 1024 * 1024
/** Writes wait this long for more changes, and for as many times longer than the last one took. */
const WAIT_MS = 100
const WAIT_TIMES = 10

export interface CopyContent extends Stored {
  /** The last entries of the journal, oldest first. */
  entries: StoredEntry[]
}

/** The file `policy.json`. Each write replaces it as a whole: whoever reads it finds the old one or the new one. */
export class PolicyCopy {
  readonly #path: string
  readonly #log: Log
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #make: (() => CopyContent) | undefined
  #tookMs = 0
  #failed = false

  constructor(path: string, log: Log) {
    this.#path = path
    this.#log = log
  }

  /** What the file says; undefined where it is absent or damaged. */
  read(): CopyContent | undefined {
    try {
      const bytes = readFileSync(this.#path)
      if (bytes.length > MAX_BYTES) return undefined
      const content = JSON.parse(bytes.toString('utf8'))
      if (content?.format !== FORMAT || !isState(content.state)) return undefined
      const only = (list: unknown, isRight: (one: unknown) => boolean): never[] =>
        Array.isArray(list) ? (list.filter(isRight) as never[]) : []
      return {
        state: content.state as StoreState,
        rules: only(content.rules, isRule),
        groups: only(content.groups, isGroup),
        devices: only(content.devices, isDevice),
        entries: only(content.entries, isEntry),
      }
    } catch {
      return undefined
    }
  }

  /** Writes it soon. */
  later(make: () => CopyContent): void {
    this.#make = make
    if (this.#timer !== undefined || this.#writing !== undefined) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#writing = this.#write().finally(() => {
          this.#writing = undefined
          if (this.#make !== undefined) this.later(this.#make)
        })
      },
      WAIT_MS + this.#tookMs * WAIT_TIMES,
    )
    this.#timer.unref()
  }

  /** Resolves once all that was asked for is written, or can't be. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#writing
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#write()
  }

  async #write(): Promise<void> {
    const make = this.#make
    this.#make = undefined
    if (make === undefined) return
    const began = performance.now()
    const temporary = `${this.#path}.new`
    try {
      await writeDurably(temporary, JSON.stringify({ format: FORMAT, ...make() }))
      await rename(temporary, this.#path)
      await syncFolder(dirname(this.#path))
      this.#failed = false
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {})
      if (!this.#failed) {
        this.#log.warn(`the copy of the policy can't be written: ${(error as Error).message}`)
      }
      this.#failed = true
    }
    this.#tookMs = performance.now() - began
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
