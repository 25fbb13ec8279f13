// The file `boot.nft` in the data folder: what the kernel took last, for `nft -f` before the network comes up after a boot.
// Written after each change, behind it: what was ordered is safe in the store already, from which the agent brings it to the
// kernel; the file is there so that nothing passes until it has.
import { createHash } from 'node:crypto'
import { readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder, writeDurably } from '../../durable.ts'
import type { Log } from '../../log.ts'
import type { Desired } from '../../policy/desired.ts'
import { levelsOf } from '../../policy/desired.ts'
import type { ElementNow } from '../kernel/kernel.ts'
import { runProgram } from '../kernel/program.ts'
import type { Place } from '../place/place.ts'
import type { SetId, SetSpec } from '../tables/sets.ts'
import { setId } from '../tables/sets.ts'
import { bootText, frameText, setsByName } from './boot-text.ts'
import type { Ruleset } from './reconciler-ruleset.ts'

/** The next write waits so long, and so many times longer than the last one took. */
const WAIT_MS = 250
const WAIT_TIMES = 20
/** A disk that took nothing is tried again so often. */
const RETRY_MS = 10_000
/** So often what is left of times, and addresses of names, are written anew where there are any. */
const REFRESH_MS = 10 * 60_000
const CHECK_TIMEOUT_MS = 30_000

export interface BootFileParts {
  path: string
  ruleset: Ruleset
  /** What a set holds; may reject. */
  elements: (set: SetSpec) => Promise<ReadonlyMap<string, ElementNow>>
  bootMs: () => number
  log: Log
  /** The program nft, which says whether the kernel would take the file. */
  program?: string
}

interface Kept {
  desired: Desired
  place: Place
}

/** Whether anything of it changes by itself. */
function moves({ desired: { devices, everyone, unknown } }: Kept): boolean {
  const matches = [...everyone, ...devices.flatMap((device) => device.matches)]
  return (
    matches.some(({ domain, untilBootMs }) => domain !== undefined || untilBootMs !== undefined) ||
    levelsOf(unknown ?? {}).some(({ untilBootMs }) => untilBootMs !== undefined) ||
    devices.some((device) =>
      [...levelsOf(device), ...Object.values(device.restrictions)].some(
        ({ untilBootMs }) => untilBootMs !== undefined,
      ),
    )
  )
}

export class BootFile {
  readonly #parts: BootFileParts
  #kept: Kept | undefined
  /** Of what the file says. */
  #written = ''
  /** Chains and sets that nft took. */
  #checked = ''
  #waits = false
  #timer: NodeJS.Timeout | undefined
  #refresh: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #tookMs = 0
  #failed = false
  #stopped = false

  constructor(parts: BootFileParts) {
    this.#parts = parts
  }

  /** The kernel has taken this. Returns at once; the file follows, at the first call without any wait. */
  keep(desired: Desired, place: Place): void {
    this.#kept = { desired, place }
    this.#waits = true
    this.#wake(0)
  }

  /** Resolves once what was kept last is on the disk, or can't be. `forget`: there shall be no file. */
  async stop(forget: boolean): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    clearTimeout(this.#refresh)
    await this.#writing
    if (!forget) return await this.#write()
    const { path, log } = this.#parts
    this.#waits = false
    try {
      await rm(path, { force: true })
      await syncFolder(dirname(path))
    } catch (error) {
      log.warn(`${path} can't be removed: ${(error as Error).message}. Remove it by hand.`)
    }
  }

  #wake(waitMs: number): void {
    if (this.#timer !== undefined || this.#writing !== undefined || this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined
        const next = this.#failed ? RETRY_MS : WAIT_MS + this.#tookMs * WAIT_TIMES
        if (this.#waits) this.#wake(next)
      })
    }, waitMs)
    this.#timer.unref()
  }

  async #write(): Promise<void> {
    const kept = this.#kept
    if (!this.#waits || kept === undefined) return
    this.#waits = false
    const began = performance.now()
    const { log } = this.#parts
    try {
      const key = createHash('sha256').update(JSON.stringify(kept)).digest('hex')
      if (key !== this.#written) await this.#replace(kept)
      this.#written = key
      this.#failed = false
    } catch (error) {
      this.#waits = true
      if (!this.#failed) {
        log.warn(
          `what holds could not be kept for the next boot: ${(error as Error).message}. Until the agent has started then, an older state holds.`,
        )
      }
      this.#failed = true
    }
    this.#tookMs = performance.now() - began
    this.#refreshLater(kept)
  }

  async #replace({ desired, place }: Kept): Promise<void> {
    const { path, ruleset, bootMs } = this.#parts
    const byName = await this.#byName(place)
    const temporary = `${path}.new`
    try {
      await writeDurably(temporary, bootText(desired, place, byName, bootMs(), ruleset))
      await this.#checkOnce(temporary, frameText(place, ruleset))
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {})
      throw error
    }
    await syncFolder(dirname(path))
  }

  async #byName(place: Place): Promise<Map<SetId, ReadonlyMap<string, ElementNow>>> {
    const { ruleset, elements } = this.#parts
    const found = new Map<SetId, ReadonlyMap<string, ElementNow>>()
    for (const set of setsByName(place, ruleset)) {
      found.set(setId(set), await elements(set).catch(() => new Map()))
    }
    return found
  }

  /** Chains and sets once: elements are what the kernel took already. */
  async #checkOnce(file: string, frame: string): Promise<void> {
    if (frame === this.#checked) return
    await this.#check(file)
    this.#checked = frame
  }

  /**
   * A file that the kernel does not take would hold nothing at all. Even a check registers chains and takes them back, with
   * which the kernel drops all packets that wait in queues of the network namespace: it is done in another one where that may be made.
   */
  async #check(file: string): Promise<void> {
    const { program = 'nft' } = this.#parts
    const options = { input: '', timeoutMs: CHECK_TIMEOUT_MS }
    const words = [program, '-c', '-f', file]
    if (await mayUnshare()) {
      const apart = await runProgram('unshare', ['-n', ...words], options).catch(() => undefined)
      if (apart?.code === 0) return
    }
    // It may not be made, or has not what only this one has.
    const { code, stderr } = await runProgram(program, words.slice(1), options)
    if (code !== 0) throw new Error(`nft does not take it (${stderr.trim().slice(0, 300)})`)
  }

  #refreshLater(kept: Kept): void {
    clearTimeout(this.#refresh)
    if (this.#stopped || !moves(kept)) return
    this.#refresh = setTimeout(() => {
      this.#written = ''
      this.#waits = true
      this.#wake(0)
    }, REFRESH_MS)
    this.#refresh.unref()
  }
}

/** CAP_SYS_ADMIN (linux/capability.h), which an app of Home Assistant has not; nor may it start programs besides its own. */
const SYS_ADMIN = 1n << 21n

async function mayUnshare(): Promise<boolean> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const [, effective = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status) ?? []
  return (BigInt(`0x${effective}`) & SYS_ADMIN) !== 0n
}
