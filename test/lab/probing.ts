// A probe (probe.ts) in a namespace of a home, as a test asks it.
import { join } from 'node:path'
import type { Home } from './home.ts'
import { Program } from './process.ts'

/** What a probe noted since it was asked before; `count` since it began. */
export interface Noted {
  count: number
  times: number[]
  /** Datagrams by the address that they came from. */
  from: Record<string, number>
}

export class Probe {
  readonly #program: Program

  /** `where`: `wan`, `dev1`, …; the rest as probe.ts takes it. */
  constructor(home: Home, where: string, ...args: string[]) {
    const program = join(import.meta.dirname, 'probe.ts')
    this.#program = new Program('ip', home.inside(where, process.execPath, program, ...args))
  }

  start(): this {
    this.#program.start()
    return this
  }

  async stop(): Promise<void> {
    await this.#program.stop('SIGKILL')
  }

  async read(): Promise<Noted> {
    const answer = new Promise<string>((resolve) => {
      const forget = this.#program.onLine((line) => {
        forget()
        resolve(line)
      })
    })
    this.#program.send('')
    return JSON.parse(await answer) as Noted
  }
}

/** The value below which `share` of all are; 0.95 is the 95th percentile. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
