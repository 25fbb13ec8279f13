// Child processes that live and end together: logs with a prefix, one signal each, and an end within a time.
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/** One program to run. */
export interface Program {
  /** Stands before each line that it logs. */
  name: string
  command: readonly string[]
  env?: NodeJS.ProcessEnv
  cwd: string
}

/** How long a program has to say where it is. */
const READY_MS = 60_000
/** From the first signal until it is killed. */
const STOP_MS = 4500

const SILENT = Symbol('silent')

/** A program ended before it was ready; `onDied` has told. */
export class ChildDied extends Error {}

/** The programs of one `npm start`. */
export class Children {
  readonly #running = new Map<ChildProcess, string>()
  #stopping = false

  /** Called once, with a sentence, if a program ends that was not told to. */
  onDied: (what: string) => void = () => {}

  /**
   * Runs `program` and resolves with the first line of its standard output, as JSON; everything else it says is logged.
   * It has its own process group, so that Ctrl-C reaches it only through `stop`, and it ends when this process is killed.
   * Throws a ChildDied if it ends first, an Error if it stays silent.
   */
  async start<T>(program: Program): Promise<T> {
    const [file = '', ...args] = ['setpriv', '--pdeathsig', 'TERM', '--', ...program.command]
    const child = spawn(file, args, {
      cwd: program.cwd,
      env: program.env ?? process.env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#running.set(child, program.name)
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(`can't be run: ${error.message}`))
      child.once('exit', (code, signal) => resolve(`ended with ${signal ?? `exit code ${code}`}`))
    })
    void ended.then((how) => {
      this.#running.delete(child)
      if (!this.#stopping) this.onDied(`${program.name} ${how}`)
    })
    if (child.stderr) logLines(child.stderr, program.name)
    let timer: NodeJS.Timeout | undefined
    const silent = new Promise<typeof SILENT>((resolve) => {
      timer = setTimeout(resolve, READY_MS, SILENT)
    })
    const line = firstLine(child.stdout, program.name)
    const outcome = await Promise.race([line, ended, silent])
    clearTimeout(timer)
    if (outcome === SILENT) throw new Error(`${program.name} said nothing for ${READY_MS / 1000} s`)
    if (typeof outcome === 'string') throw new ChildDied(`${program.name} ${outcome}`)
    return outcome as T
  }

  /** Tells every program to end, and kills what is left after 4.5 s. Resolves when none is left. */
  async stop(): Promise<void> {
    this.#stopping = true
    const left = [...this.#running.keys()].filter((child) => child.pid !== undefined)
    for (const child of left) signalGroup(child, 'SIGTERM')
    const kill = setTimeout(() => {
      for (const child of left) if (this.#running.has(child)) signalGroup(child, 'SIGKILL')
    }, STOP_MS)
    await Promise.all(left.map((child) => hasEnded(child) || once(child, 'exit')))
    clearTimeout(kill)
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** SIGTERM goes to the program, which ends its own children; SIGKILL to all of its group. */
function signalGroup(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined) return
  try {
    process.kill(signal === 'SIGKILL' ? -child.pid : child.pid, signal)
  } catch {
    // It ended in this moment.
  }
}

function firstLine(output: Readable, name: string): Promise<object> {
  return new Promise((resolve) => {
    let first = true
    createInterface({ input: output }).on('line', (line) => {
      if (first && line.startsWith('{')) {
        first = false
        resolve(JSON.parse(line) as object)
      } else log(name, line)
    })
  })
}

function logLines(output: Readable, name: string): void {
  createInterface({ input: output }).on('line', (line) => log(name, line))
}

function log(name: string, line: string): void {
  process.stderr.write(`${name.padEnd(8)} | ${line}\n`)
}
