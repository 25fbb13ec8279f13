// A command that writes pcap to its standard output, read like any other capture: the demo home.
import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Log } from '../log.ts'

/** Prefixes of the demo home: networks for documentation (RFC 5737, RFC 3849). */
export const DEMO_LAN = ['192.0.2.0/24', '2001:db8:1::/64']

const GENERATOR = fileURLToPath(new URL('../demo/main.ts', import.meta.url))

/** The program and arguments of the demo home: always the same devices, so that their history goes on. */
export function demoCommand(): [program: string, ...args: string[]] {
  return [process.execPath, GENERATOR, '--seed', '1']
}

/** Runs a command and hands out the descriptor that its packets come from. */
export class CommandSource {
  readonly #log: Log
  readonly #command: readonly [string, ...string[]]
  #child: ChildProcess | undefined

  constructor(command: readonly [string, ...string[]], log: Log) {
    this.#command = command
    this.#log = log
  }

  /** Begins. The descriptor is the receiver's to close. Throws where no pipe can be made. */
  start(): number {
    const [program, ...args] = this.#command
    const pipe = openPipe()
    try {
      const child = spawn(program, args, { stdio: ['ignore', pipe.write, 'inherit'] })
      child.on('error', (error) =>
        this.#log.error(`${program} could not be started: ${error.message}`),
      )
      child.on('exit', (code, signal) => {
        if (this.#child === child) this.#log.error(`${program} ended by itself (${signal ?? code})`)
      })
      this.#child = child
    } finally {
      closeSync(pipe.write)
    }
    return pipe.read
  }

  stop(): void {
    const child = this.#child
    this.#child = undefined
    child?.kill('SIGTERM')
  }
}

/** Both ends of a pipe as plain descriptors, which Node itself offers only inside its own streams. */
export function openPipe(): { read: number; write: number } {
  const dir = mkdtempSync(join(tmpdir(), 'homespin-'))
  const path = join(dir, 'pipe')
  try {
    execFileSync('mkfifo', ['-m', '600', path])
    const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    return { read, write: openSync(path, constants.O_WRONLY) }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
