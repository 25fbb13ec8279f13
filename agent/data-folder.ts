// Where an agent keeps its state: folders that are its user's alone, and one of its own for a home that is not this one.
import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Config } from './config.ts'

/**
 * The folder for what is kept: for a made-up home and for captures from a file one below `data`, so that their devices never
 * come among those of this home. Commands find the agent in `data` whatever it shows.
 */
export function stateFolder({ data, mode }: Pick<Config, 'data' | 'mode'>): string {
  return mode === 'demo' || mode === 'file' ? join(data, mode) : data
}

/** Makes a folder with what is missing above it, for this user alone. Throws an Error that says what to do. */
export function makeDataFolder(path: string): void {
  try {
    // One by one: Node's own `recursive` never ends where the kernel lets nobody make a folder, as below /proc.
    for (const missing of missingAt(path)) mkdirSync(missing, { mode: 0o700 })
    chmodSync(path, 0o700)
  } catch (cause) {
    throw new Error(
      `the data directory ${path} can't be used: ${(cause as Error).message}. Name another with --data`,
      { cause },
    )
  }
}

/** Folders that have to be made for `path`, the highest first. */
export function missingAt(path: string): string[] {
  const missing: string[] = []
  for (let at = path; !existsSync(at) && dirname(at) !== at; at = dirname(at)) missing.unshift(at)
  return missing
}
