// One SSH connection to a router that stays open, with a shell in it that runs nft for us and tells of changes. The shell's
// program is constant; what is given to nft goes over standard input by its length, and is never a word of the shell's.
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { Log } from '../../log.ts'
import type { SshTarget } from '../../ssh-target.ts'
import { asRoot, checkTarget, sshArguments, sshFault } from '../../ssh-target.ts'
import { KernelError } from './kernel.ts'
import { startError } from './nft-words.ts'
import type { ProgramResult } from './program.ts'

/** What nft is asked: to change, to check a change, to list, to list without elements. */
export type NftOrder = 'change' | 'check' | 'list' | 'terse'

const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 30_000
const ORDER_MS = 30_000
/** So often it is looked whether everything is still there. */
const PING_MS = 5000
const MOST_LINE = 4096
const MOST_OUTPUT = 64 << 20
/** Behind everything that is sent, so that half of it is never carried out. */
const END = '# end'

/**
 * What runs on the router (POSIX sh, no single quotes). Each order is a line with its word and the number of bytes that
 * follow; nothing more is sent before its answer, so that `head` can't take too much. Changes first tell the process id of
 * their nft, except by sudo. `nft monitor` writes to standard error; it ends with this, and this with the connection.
 */
function script(mark: string, target: SshTarget): string {
  const nft = `${asRoot(target)}nft`
  // By sudo it is the process id of that, which is of no use.
  const change = target.sudo ? `${nft} -f -` : 'sh -c "echo \\$\\$; exec nft -f -"'
  return `
watch() { ${nft} monitor </dev/null >&2 2>/dev/null & m=$!; }
watch
trap "kill \\$m 2>/dev/null" EXIT
trap "exit 1" HUP INT TERM
printf "\\n${mark} 0\\n"
while read -r how size; do
  kill -0 $m 2>/dev/null || { watch; echo "${mark} again" >&2; }
  t=$(head -c "$size")
  case "$t" in *"${END}") ;; *) exit 1 ;; esac
  t=\${t%"${END}"}
  case "$how" in
    change) o=$(printf "%s" "$t" | ${change} 2>&1) ;;
    check) o=$(printf "%s" "$t" | ${nft} -c -f - 2>&1) ;;
    list) o=$(printf "%s" "$t" | ${nft} -j -n -f - 2>&1) ;;
    terse) o=$(printf "%s" "$t" | ${nft} -j -n -t -f - 2>&1) ;;
    *) o= ;;
  esac
  printf "%s\\n${mark} %s\\n" "$o" "$?"
done
`
}

/** A connection that stands already, or comes and goes, and that takes several programs at once. */
export interface SharedConnection {
  /** Why it is not there; undefined: it is. */
  readonly away: string | undefined
  /** Runs a program of POSIX sh there; it ends with the connection. */
  open: (program: string) => ChildProcess
  /** Tells when it goes and comes; gives the function that ends that. */
  listen: (listener: (away: string | undefined) => void) => () => void
}

interface Waiting {
  settle: (result: ProgramResult) => void
  reject: (error: KernelError) => void
  timer: NodeJS.Timeout
}

export class SshLink {
  /** The connection is there, or why not. */
  onState: (away: string | undefined) => void = () => {}
  /** A line of `nft monitor`, cut at 4096 characters; undefined: it had ended, and some may be missing. */
  onLine: (line: string | undefined) => void = () => {}

  readonly #target: SshTarget
  readonly #log: Log
  /** Ends each answer; nobody can know it. */
  readonly #mark = randomBytes(12).toString('hex')
  #ssh: ChildProcess | undefined
  #ready = false
  #output = ''
  #waiting: Waiting | undefined
  #last: Promise<unknown> = Promise.resolve()
  #retry: NodeJS.Timeout | undefined
  #ping: NodeJS.Timeout | undefined
  #waitMs = FIRST_WAIT_MS
  #stopped = true
  readonly #shared: SharedConnection | undefined
  #unlisten: () => void = () => {}

  /** Without `shared` it makes a connection of its own. Throws a TypeError or RangeError for a target that is none. */
  constructor(target: SshTarget, log: Log, shared?: SharedConnection) {
    checkTarget(target)
    this.#target = target
    this.#log = log
    this.#shared = shared
  }

  /** Connects, and again with growing pauses whenever the connection is gone. */
  start(): void {
    this.#stopped = false
    this.#unlisten = this.#shared?.listen((away) => this.#sharedIs(away)) ?? (() => {})
    if (this.#shared?.away === undefined) this.#connect()
    else this.onState(this.#shared.away)
    this.#ping = setInterval(() => {
      if (this.#ready && !this.#waiting) void this.run('ping', '').catch(() => {})
    }, PING_MS)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#unlisten()
    clearTimeout(this.#retry)
    clearInterval(this.#ping)
    const ssh = this.#ssh
    if (ssh === undefined || ssh.exitCode !== null || ssh.signalCode !== null) return
    const gone = new Promise((resolve) => ssh.once('close', resolve))
    // The end of standard input ends the shell, and that ends ssh.
    ssh.stdin?.end()
    const timer = setTimeout(() => ssh.kill('SIGKILL'), 3000)
    await gone
    clearTimeout(timer)
  }

  /**
   * What nft says to `input`, after the orders before. Rejects with a `KernelError` `AWAY` where the router can't be reached;
   * where that comes in the middle nobody knows whether it was done.
   */
  run(order: NftOrder | 'ping', input: string): Promise<ProgramResult> {
    const done = this.#last.then(() => this.#send(order, input))
    this.#last = done.catch(() => undefined)
    return done
  }

  #send(order: string, input: string): Promise<ProgramResult> {
    const ssh = this.#ssh
    return new Promise((settle, reject) => {
      if (!ssh || !this.#ready) {
        reject(new KernelError('AWAY', `${this.#target.host} can't be reached by SSH`))
        return
      }
      const timer = setTimeout(() => ssh.kill('SIGKILL'), ORDER_MS)
      this.#waiting = { settle, reject, timer }
      this.#output = ''
      const text = `${input}${END}`
      // In one: a second small packet would wait for the acknowledgement of the first.
      ssh.stdin?.write(`${order} ${Buffer.byteLength(text)}\n${text}`)
    })
  }

  #sharedIs(away: string | undefined): void {
    clearTimeout(this.#retry)
    if (away !== undefined || this.#ssh !== undefined) return
    this.#waitMs = FIRST_WAIT_MS
    this.#connect()
  }

  #open(): ChildProcess {
    const program = script(this.#mark, this.#target)
    if (this.#shared !== undefined) return this.#shared.open(program)
    return spawn('ssh', sshArguments(this.#target, program), { stdio: ['pipe', 'pipe', 'pipe'] })
  }

  #connect(): void {
    const ssh = this.#open()
    this.#ssh = ssh
    this.#output = ''
    let said = ''
    let failure: string | undefined
    ssh.stdin?.on('error', () => {})
    ssh.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text))
    readLines(ssh.stderr, (line) => {
      if (line === `${this.#mark} again`) this.onLine(undefined)
      else if (this.#ready) this.onLine(line)
      else if (said.length < MOST_LINE) said += `${line}\n`
    })
    ssh.once('error', (cause) => {
      failure = startError('ssh', cause).message
    })
    ssh.once('close', () => {
      this.#ssh = undefined
      // What it said before that was no fault.
      if (this.#ready) said = ''
      this.#ready = false
      const reason = failure ?? this.#shared?.away ?? sshFault(this.#target, said).sentence
      const waiting = this.#waiting
      this.#waiting = undefined
      if (waiting) {
        clearTimeout(waiting.timer)
        waiting.reject(new KernelError('AWAY', reason))
      }
      if (this.#stopped) return
      this.#log.debug(reason)
      this.onState(reason)
      // It says itself when it is back.
      if (this.#shared?.away !== undefined) return
      this.#retry = setTimeout(() => this.#connect(), this.#waitMs)
      this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS)
    })
  }

  #read(text: string): void {
    this.#output += text
    if (this.#output.length > MOST_OUTPUT) {
      this.#ssh?.kill('SIGKILL')
      return
    }
    const at = this.#output.lastIndexOf(`\n${this.#mark} `)
    if (at < 0 || !this.#output.endsWith('\n')) return
    const code = Number(this.#output.slice(at + this.#mark.length + 2))
    const output = this.#output.slice(0, at)
    this.#output = ''
    if (!this.#ready) {
      this.#ready = true
      this.#waitMs = FIRST_WAIT_MS
      this.#log.info(`connected to ${this.#target.host}`)
      this.onState(undefined)
      return
    }
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) return
    clearTimeout(waiting.timer)
    // Both in one: where it failed, it is what nft complained of.
    waiting.settle({ code, stdout: output, stderr: code === 0 ? '' : output, late: false })
  }
}

/** Calls `tell` with each line; what is longer than a line may be is left out. */
function readLines(from: NodeJS.ReadableStream | null, tell: (line: string) => void): void {
  let rest = ''
  from?.setEncoding('utf8').on('data', (text: string) => {
    const lines = text.split('\n')
    for (const [i, line] of lines.entries()) {
      if (rest.length < MOST_LINE) rest += line.slice(0, MOST_LINE - rest.length)
      if (i === lines.length - 1) continue
      tell(rest)
      rest = ''
    }
  })
}
