// Limits of single devices and groups, in a small file of their own.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { LEVELS } from '../../protocol/policy.ts'
import { DEVICE_ID } from '../../protocol/topics.ts'
import type { Log } from '../log.ts'
import { MAX_WINDOW_S } from './connection-rate.ts'
import type { LimitExceptions, Limits } from './limits.ts'

/** Devices and groups with limits of their own. */
const MAX_EXCEPTIONS = 4096

/** Whom a limit is of: `device 020de0000001`, `group tablets`. */
type Owner = { device: string } | { group: string }

/** One exception, as it is told and stored. */
export type LimitEntry = Owner & Partial<Limits>

/** Knows who has limits of their own. Changes are on the disk before they hold. */
export class LimitBook {
  readonly #path: string
  readonly #log: Log
  readonly #devices = new Map<string, Partial<Limits>>()
  readonly #groups = new Map<string, Partial<Limits>>()

  /** `path`: the file; its folder exists. */
  constructor(path: string, log: Log) {
    this.#path = path
    this.#log = log
  }

  /** Reads the file; one that is damaged is left alone, said, and written anew with the first change. */
  start(): void {
    try {
      const stored = JSON.parse(readFileSync(this.#path, 'utf8')) as unknown
      if (!Array.isArray(stored)) throw new Error('it is no list')
      for (const entry of stored) if (isEntry(entry)) this.#put(entry)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      this.#log.warn(`the limits of devices and groups can't be read: ${(error as Error).message}`)
    }
  }

  get exceptions(): LimitExceptions {
    return { devices: this.#devices, groups: this.#groups }
  }

  list(): LimitEntry[] {
    return [
      ...[...this.#devices].map(([device, limits]) => ({ device, ...limits })),
      ...[...this.#groups].map(([group, limits]) => ({ group, ...limits })),
    ]
  }

  /** Replaces the limits of a device or group; with no key but its owner they are as for all again. Throws where the disk refuses. */
  set(entry: LimitEntry): void {
    const before = this.list()
    if (before.length >= MAX_EXCEPTIONS)
      throw new Error(`there are ${MAX_EXCEPTIONS} limits already`)
    this.#put(entry)
    try {
      this.#write()
    } catch (error) {
      this.#devices.clear()
      this.#groups.clear()
      for (const each of before) this.#put(each)
      throw error
    }
  }

  #put(entry: LimitEntry): void {
    const { device, group, ...limits } = entry as {
      device?: string
      group?: string
    } & Partial<Limits>
    const to = device === undefined ? this.#groups : this.#devices
    const id = device ?? group ?? ''
    if (Object.keys(limits).length === 0) to.delete(id)
    else to.set(id, limits)
  }

  #write(): void {
    const aside = `${this.#path}.new`
    const fd = openSync(aside, 'w', 0o600)
    try {
      writeSync(fd, `${JSON.stringify(this.list())}\n`)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(aside, this.#path)
  }
}

function isEntry(entry: unknown): entry is LimitEntry {
  if (typeof entry !== 'object' || entry === null) return false
  const { device, group, connections, remotes, windowS, policy, level, forS } = entry as Record<
    string,
    unknown
  >
  const whole = (value: unknown, most: number): boolean =>
    value === undefined || (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most)
  const owner = typeof device === 'string' ? DEVICE_ID.test(device) : typeof group === 'string'
  return (
    owner &&
    whole(connections, 1_000_000) &&
    whole(remotes, 1_000_000) &&
    whole(windowS, MAX_WINDOW_S) &&
    whole(forS, 31_622_400) &&
    (policy === undefined || ['notify', 'ask', 'quarantine'].includes(String(policy))) &&
    (level === undefined || (LEVELS as readonly string[]).includes(String(level)))
  )
}
