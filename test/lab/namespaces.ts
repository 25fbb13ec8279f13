// Named network namespaces of one test process. Their names hold its pid, so that several run side by side, and so that
// a later run can see which were left behind by a process that is no more.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { removeOldFolders } from './folders.ts'
import { run, sleep, succeed } from './process.ts'

/** What `ip netns exec` lays over /etc (ip-netns(8)), a folder a namespace. */
const ETC = '/etc/netns'
const NAME = /^hs(\d+)n\d+-/
let count = 0

async function list(): Promise<string[]> {
  const text = await succeed('ip', ['netns', 'list'])
  return text.split('\n').flatMap((line) => line.split(' ')[0] || [])
}

async function pidsIn(name: string): Promise<number[]> {
  const { stdout } = await run('ip', ['netns', 'pids', name])
  return stdout.split('\n').filter(Boolean).map(Number)
}

async function removeOne(name: string): Promise<void> {
  for (let i = 0; i < 50; i++) {
    const pids = await pidsIn(name)
    if (pids.length === 0) break
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It ended by itself.
      }
    }
    await sleep(20)
  }
  await run('ip', ['netns', 'del', name])
  rmSync(join(ETC, name), { recursive: true, force: true })
}

/** Removes what test processes that are no more left behind. */
export async function removeLeftovers(): Promise<void> {
  for (const name of await list()) {
    const pid = NAME.exec(name)?.[1]
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await removeOne(name)
  }
  removeOldFolders()
}

/** A set of namespaces that come and go together. */
export class Namespaces {
  readonly #prefix: string
  #names: string[] = []

  constructor() {
    count += 1
    this.#prefix = `hs${process.pid}n${count}`
  }

  get names(): readonly string[] {
    return this.#names
  }

  /** The whole name of one of them. */
  name(short: string): string {
    return `${this.#prefix}-${short}`
  }

  async make(names: readonly string[]): Promise<void> {
    await removeLeftovers()
    for (const name of names) {
      await succeed('ip', ['netns', 'add', this.name(name)])
      this.#names.push(name)
    }
  }

  /** Kills what runs in them and removes them. */
  async remove(): Promise<void> {
    const names = this.#names
    this.#names = []
    await Promise.all(names.map((name) => removeOne(this.name(name))))
  }

  /** Arguments for `ip` that run a command in one of them. */
  exec(short: string, ...command: string[]): string[] {
    return ['netns', 'exec', this.name(short), ...command]
  }

  /** A file that programs that are started in it from now on find in /etc. */
  etc(short: string, file: string, text: string): void {
    const folder = join(ETC, this.name(short))
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, file), text)
  }

  /** Runs lines of `ip` in one of them, all of which have to succeed. */
  async ip(short: string, lines: readonly string[]): Promise<void> {
    await succeed('ip', ['-n', this.name(short), '-batch', '-'], { input: `${lines.join('\n')}\n` })
  }

  /** Writes a value to files below /proc/sys in one of them. */
  async set(short: string, keys: readonly string[], value: string): Promise<void> {
    const files = keys.map((key) => `/proc/sys/${key}`)
    await succeed('ip', this.exec(short, 'tee', ...files), { input: value })
  }
}
