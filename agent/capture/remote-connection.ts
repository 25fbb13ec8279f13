// The one SSH connection to a router. Everything that is done there goes through it (ControlMaster of ssh_config(5)): its
// socket lies in a folder for this user alone, and it ends with this process, however that ends.
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log } from '../log.ts'
import { SSH_SOCKETS } from '../paths.ts'
import type { SshFault, SshTarget } from '../ssh-target.ts'
import { checkTarget, isSshPath, sshArguments, sshFault } from '../ssh-target.ts'

/** Both ends of the connection, as the router sees them. */
export interface Ends {
  client: { ip: string; port: number }
  server: { ip: string; port: number }
}

const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 15_000
const END_MS = 3000
const MOST_SAID = 8192
/** A socket's path has 107 characters at most (unix(7)), and ssh adds 17 while it makes it. */
const LONGEST_FOLDER = 72
/** A socket of ours, or what ssh has of it while it makes it. */
const SOCKET_NAME = /^[0-9a-f]{8}(?:\.\w{16})?$/

/** Waits for the end of its input, which comes with the end of who holds it. */
function holder(mark: string): string {
  return `
echo "${mark} $SSH_CONNECTION"
while read -r x; do :; done`
}

/** `SSH_CONNECTION` of sshd(8): client's address and port, server's address and port. */
function endsOf(text: string): Ends | undefined {
  const [client = '', clientPort, server = '', serverPort] = text.trim().split(' ')
  const plain = (ip: string): string => ip.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '')
  if (!/^[0-9a-f:.]+$/i.test(plain(client)) || !/^[0-9a-f:.]+$/i.test(plain(server))) {
    return undefined
  }
  return {
    client: { ip: plain(client), port: Number(clientPort) },
    server: { ip: plain(server), port: Number(serverPort) },
  }
}

export class RouterConnection {
  readonly target: SshTarget
  readonly #data: string
  readonly #log: Log
  readonly #mark = randomBytes(12).toString('hex')
  readonly #listeners = new Set<(away: string | undefined) => void>()
  #folder = ''
  #path = ''
  #ssh: ChildProcess | undefined
  #away: string | undefined
  #ends: Ends | undefined
  #retry: NodeJS.Timeout | undefined
  #waitMs = FIRST_WAIT_MS
  #stopped = true
  #first: ((fault: SshFault | undefined) => void) | undefined

  /** `data`: the folder of the agent. Throws a TypeError or RangeError for a target that is none. */
  constructor(target: SshTarget, data: string, log: Log) {
    checkTarget(target)
    this.target = target
    this.#data = data
    this.#log = log
    this.#away = `${target.host} is not connected yet`
  }

  /** Why it is not there, a sentence; undefined: it is. */
  get away(): string | undefined {
    return this.#away
  }

  /** Who talks to whom; undefined where the router does not tell. */
  get ends(): Ends | undefined {
    return this.#ends
  }

  /** Tells when it goes and comes; gives the function that ends that. */
  listen(listener: (away: string | undefined) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Connects, and again with growing pauses whenever it is gone. Resolves once it stands, or when the router can't be
   * reached now. Throws an Error that says what to do where a person has to do something first.
   */
  async start(): Promise<void> {
    this.#folder = makeFolder(this.#data)
    this.#stopped = false
    const fault = await new Promise<SshFault | undefined>((resolve) => {
      this.#first = resolve
      this.#connect()
    })
    if (fault === undefined) return
    // Nobody can start an app again as long as its page can not be looked at: it waits, and says what for.
    if (fault.lasting && this.target.app !== true) {
      await this.stop()
      throw new Error(fault.sentence)
    }
    this.#log.warn(`${fault.sentence}; trying again`)
  }

  /** Ends it, and with it everything that goes through it. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#retry)
    const ssh = this.#ssh
    if (ssh !== undefined) {
      const gone = new Promise((resolve) => ssh.once('close', resolve))
      ssh.stdin?.end()
      const timer = setTimeout(() => ssh.kill('SIGKILL'), END_MS)
      await gone
      clearTimeout(timer)
    }
    if (this.#folder !== '') removeFolder(this.#folder)
  }

  /** Runs a program of POSIX sh on the router; it has no single quotes. Ends at once where the connection is gone. */
  open(program: string): ChildProcess {
    const shared = { path: this.#path, master: false }
    return spawn('ssh', sshArguments(this.target, program, shared), {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  }

  #connect(): void {
    // Of its own each time: what one that was killed left is not in the way.
    this.#path = join(this.#folder, randomBytes(4).toString('hex'))
    const shared = { path: this.#path, master: true }
    const ssh = spawn('ssh', sshArguments(this.target, holder(this.#mark), shared), {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#ssh = ssh
    let said = ''
    let output = ''
    ssh.stdin.on('error', () => {})
    ssh.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < MOST_SAID) said += text
    })
    ssh.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (this.#away === undefined || output.length > MOST_SAID) return
      output += text
      const found = new RegExp(`${this.#mark}([^\\n]*)\\n`).exec(output)
      if (found !== null) this.#isThere(found[1] ?? '')
    })
    // The shell there is gone: what still goes through the connection must not keep it.
    ssh.stdout.once('end', () => setTimeout(() => ssh.kill('SIGKILL'), END_MS).unref())
    ssh.once('error', (cause) => {
      said = `ssh can't be run (${cause.message}): install openssh-client`
    })
    ssh.once('close', () => {
      rmSync(this.#path, { force: true })
      this.#ssh = undefined
      this.#isGone(sshFault(this.target, said))
    })
  }

  #isThere(connection: string): void {
    this.#waitMs = FIRST_WAIT_MS
    this.#ends = endsOf(connection)
    this.#log.info(`connected to ${this.target.host}`)
    this.#tell(undefined)
    this.#first?.(undefined)
    this.#first = undefined
  }

  #isGone(fault: SshFault): void {
    const { sentence } = fault
    if (this.#stopped) {
      this.#away = 'the agent has stopped'
      return
    }
    if (this.#away === undefined || sentence !== this.#away) {
      if (this.#first === undefined) this.#log.warn(`${sentence}; trying again`)
      this.#tell(sentence)
    }
    this.#retry = setTimeout(() => this.#connect(), this.#waitMs)
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS)
    this.#first?.(fault)
    this.#first = undefined
  }

  #tell(away: string | undefined): void {
    this.#away = away
    for (const listener of this.#listeners) listener(away)
  }
}

/** For this user alone, and for nothing but sockets: what a killed one left there goes, and nothing else. */
function makeFolder(data: string): string {
  const own = join(data, SSH_SOCKETS)
  if (own.length <= LONGEST_FOLDER && isSshPath(own)) {
    mkdirSync(own, { recursive: true, mode: 0o700 })
    removeSockets(own)
    return own
  }
  const parent = isSshPath(tmpdir()) && tmpdir().length < 40 ? tmpdir() : '/tmp'
  return mkdtempSync(join(parent, 'homespin-ssh-'))
}

function removeSockets(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (SOCKET_NAME.test(name)) rmSync(join(folder, name), { force: true })
  }
}

function removeFolder(folder: string): void {
  try {
    removeSockets(folder)
    rmdirSync(folder)
  } catch {
    // It is gone, or somebody else keeps something in it.
  }
}
