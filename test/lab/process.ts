// Programs that the lab runs: never through a shell, always with an end, never left behind.
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** What a program that ended left. */
export interface Ended {
  /** Exit code; null when a signal ended it. */
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** How to run a program to its end. */
export interface RunOptions {
  /** What it reads on standard input. */
  input?: string | Buffer
  /** After so long it is killed. Default 60 s. */
  timeoutMs?: number
  env?: NodeJS.ProcessEnv
  /** Standard output goes into this file. */
  toFile?: string
}

const MAX_KEPT_CHARS = 1 << 20

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Runs a program to its end, whatever its exit code. */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<Ended> {
  const out = options.toFile === undefined ? 'pipe' : openSync(options.toFile, 'w')
  const env = options.env ?? process.env
  const child = spawn(command, args, { env, stdio: ['pipe', out, 'pipe'] })
  if (typeof out === 'number') closeSync(out)
  running.add(child)
  // A program may end without reading all of it.
  child.stdin?.on('error', () => {})
  child.stdin?.end(options.input ?? '')
  const pieces = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (piece: Buffer) => pieces[name].push(piece))
  }
  const kill = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(kill)
      running.delete(child)
      const stdout = Buffer.concat(pieces.stdout).toString()
      resolve({ code, signal, stdout, stderr: Buffer.concat(pieces.stderr).toString() })
    })
  })
}

/** Runs a program that has to succeed; gives its standard output. */
export async function succeed(
  command: string,
  args: string[],
  options: RunOptions = {},
): Promise<string> {
  const ended = await run(command, args, options)
  if (ended.code === 0) return ended.stdout
  const how = ended.signal ?? `exit code ${ended.code}`
  throw new Error(`${command} ${args.join(' ')} ended with ${how}: ${ended.stderr.trim()}`)
}

/** A program that goes on running: its lines come as they are written, `stop()` ends it. */
export class Program {
  readonly #command: string
  readonly #args: string[]
  readonly #env: NodeJS.ProcessEnv
  #child?: ChildProcess
  #ended?: Promise<Ended>
  readonly #listeners = new Set<(line: string) => void>()
  #stdout = ''
  #stderr = ''

  constructor(command: string, args: string[], env: NodeJS.ProcessEnv = process.env) {
    this.#command = command
    this.#args = args
    this.#env = env
  }

  /** What it wrote on standard error, the last million characters. */
  get stderr(): string {
    return this.#stderr
  }

  /** What it wrote on standard output, the last million characters. */
  get stdout(): string {
    return this.#stdout
  }

  /** Its process id; `ip netns exec` becomes the program that it starts, so it is that program's. */
  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error(`${this.#command} does not run`)
    return pid
  }

  /** How it ended, once it has. */
  get ended(): Promise<Ended> {
    if (!this.#ended) throw new Error(`${this.#command} was not started`)
    return this.#ended
  }

  start(): this {
    const child = spawn(this.#command, this.#args, { env: this.#env })
    this.#child = child
    running.add(child)
    child.stdin.on('error', () => {})
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-MAX_KEPT_CHARS)
    })
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#stdout = `${this.#stdout}${line}\n`.slice(-MAX_KEPT_CHARS)
      for (const listener of this.#listeners) listener(line)
    })
    this.#ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        running.delete(child)
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr })
      })
    })
    this.#ended.catch(() => {})
    return this
  }

  /** Calls back with each line of standard output; gives the function that ends it. */
  onLine(listener: (line: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Writes a line on its standard input. */
  send(line: string): void {
    this.#child?.stdin?.write(`${line}\n`)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** Waits until its output (both streams) matches; fails when it ends or the time is up before. */
  async until(pattern: RegExp, timeoutMs = 10_000): Promise<RegExpExecArray> {
    const give = (): RegExpExecArray | null =>
      pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr)
    let over = false
    this.ended.then(
      () => {
        over = true
      },
      () => {
        over = true
      },
    )
    const until = Date.now() + timeoutMs
    for (;;) {
      const found = give()
      if (found) return found
      if (over) throw new Error(`${this.#command} ended before ${pattern}:\n${this.#said()}`)
      if (Date.now() > until) throw new Error(`no ${pattern} in ${timeoutMs} ms:\n${this.#said()}`)
      await sleep(20)
    }
  }

  /** Asks it to end, kills it when it does not in time, and gives how it ended. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', timeoutMs = 10_000): Promise<Ended> {
    const child = this.#child
    if (!child) throw new Error(`${this.#command} was not started`)
    child.kill(signal)
    const kill = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    try {
      return await this.ended
    } finally {
      clearTimeout(kill)
    }
  }

  #said(): string {
    return `${this.#stdout}${this.#stderr}`.slice(-4000)
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Waits until `probe` gives something that is not undefined. */
export async function until<T>(
  what: string,
  probe: () => T | undefined | Promise<T | undefined>,
  timeoutMs = 10_000,
  everyMs = 50,
): Promise<T> {
  const end = Date.now() + timeoutMs
  for (;;) {
    const found = await probe()
    if (found !== undefined) return found
    if (Date.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`)
    await sleep(everyMs)
  }
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
  return folders.some((folder) => existsSync(`${folder}/${program}`))
}

/**
 * For `before`: skips the tests that follow when this machine cannot run them, and says why.
 * With `CI=true` it fails instead. `root` needs no program: it is the right to make namespaces.
 */
export function requires(context: Mocha.Context, ...needs: string[]): void {
  const missing = needs.filter((need) =>
    need === 'root' ? process.getuid?.() !== 0 : !isInstalled(need),
  )
  if (missing.length === 0) return
  const why = `not here: ${missing.join(', ')}`
  if (process.env.CI === 'true') throw new Error(why)
  console.error(`      skipped, ${why}`)
  context.skip()
}
