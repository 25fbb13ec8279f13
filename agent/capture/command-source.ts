// A command that writes pcap to its standard output, read like any other capture: the demo home. Where it ends by itself it is
// begun again, and what it writes then goes on in the same stream.
import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import { constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Log } from '../log.ts'
import { PcapRecords } from './pcap-records.ts'

/** Prefixes of the demo home: networks for documentation (RFC 5737, RFC 3849). */
export const DEMO_LAN = ['192.0.2.0/24', '2001:db8:1::/64']

const GENERATOR = fileURLToPath(new URL('../demo/main.ts', import.meta.url))
/** Before it is begun again: doubled each time, and as at first after it has run for a while. */
const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 30_000
const GOOD_MS = 60_000

/** The program and arguments of the demo home: always the same devices, so that their history goes on. */
export function demoCommand(): [program: string, ...args: string[]] {
  return [process.execPath, GENERATOR, '--seed', '1']
}

/** Runs a command and hands out the descriptor that its packets come from. */
export class CommandSource {
  readonly #log: Log
  readonly #command: readonly [string, ...string[]]
  readonly #firstWaitMs: number
  #child: ChildProcess | undefined
  #pipe: Socket | undefined
  #timer: NodeJS.Timeout | undefined
  #waitMs: number
  #hasHead = false
  #away: string | undefined
  /** Called with why nothing comes, and with undefined when it does again. */
  onAway: (why: string | undefined) => void = () => {}

  constructor(command: readonly [string, ...string[]], log: Log, firstWaitMs = FIRST_WAIT_MS) {
    this.#command = command
    this.#log = log
    this.#firstWaitMs = firstWaitMs
    this.#waitMs = firstWaitMs
  }

  /** Begins. The descriptor is the receiver's to close. Throws where no pipe can be made. */
  start(): number {
    const { read, write } = openPipe()
    this.#pipe = new Socket({ fd: write, readable: false, writable: true })
    this.#pipe.on('error', () => {})
    this.#run(this.#pipe)
    return read
  }

  stop(): void {
    clearTimeout(this.#timer)
    const child = this.#child
    this.#child = undefined
    child?.kill('SIGTERM')
    this.#pipe?.destroySoon()
    this.#pipe = undefined
  }

  /** Why nothing comes now. */
  get away(): string | undefined {
    return this.#away
  }

  #run(pipe: Socket): void {
    const [program, ...args] = this.#command
    const begun = performance.now()
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child = child
    const records = new PcapRecords()
    child.stdout.on('data', (piece: Buffer) => {
      const whole = wholeOf(records, piece)
      if (whole === undefined) child.kill('SIGKILL')
      if (whole === undefined || whole.length === 0) return
      if (this.#away !== undefined) this.#setAway(undefined)
      // The head of the first run is that of the stream.
      const first = this.#hasHead ? [] : [records.head]
      this.#hasHead = true
      if (pipe.write(Buffer.concat([...first, ...whole]))) return
      child.stdout.pause()
      pipe.once('drain', () => child.stdout.resume())
    })
    child.on('error', (error) => this.#ended(child, pipe, error.message, begun))
    child.on('close', (code, signal) =>
      this.#ended(child, pipe, `it ended by itself (${signal ?? code})`, begun),
    )
  }

  #ended(child: ChildProcess, pipe: Socket, why: string, begun: number): void {
    if (this.#child !== child) return
    this.#child = undefined
    if (performance.now() - begun > GOOD_MS) this.#waitMs = this.#firstWaitMs
    const wait = this.#waitMs
    this.#waitMs = Math.min(2 * wait, LONGEST_WAIT_MS)
    this.#setAway(`${this.#command[0]}: ${why}; it is begun again`)
    this.#timer = setTimeout(() => this.#run(pipe), wait)
  }

  #setAway(why: string | undefined): void {
    const before = this.#away
    this.#away = why
    if (why === undefined) this.#log.info('packets come again')
    else if (why !== before) this.#log.error(why)
    this.onAway(why)
  }
}

/** Undefined: it is no pcap, and whatever wrote it has lost its way. */
function wholeOf(records: PcapRecords, piece: Buffer): Buffer[] | undefined {
  try {
    return records.take(piece)
  } catch {
    return undefined
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
