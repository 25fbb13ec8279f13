// A home in two network namespaces: a process with a `Kernel`, and a router that it may reach by SSH.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { KernelError } from '../../../agent/enforce/kernel/kernel.ts'
import type { SshTarget } from '../../../agent/ssh-target.ts'
import type { KernelOrder, Seen } from './kernel-child.ts'

const SSHD = '/usr/sbin/sshd'
const CHILD = fileURLToPath(new URL('./kernel-child.ts', import.meta.url))
const PORT = 2222
/** For what must come, on a machine of any speed. */
const PATIENT_MS = 20_000
let count = 0

/** Whether there is a real sshd; with CI set, there has to be. */
export function hasSshd(): boolean {
  if (existsSync(SSHD)) return true
  if (process.env.CI) throw new Error('sshd is missing: install openssh-server')
  return false
}

export class KernelSpace {
  readonly agent = `hsn${process.pid}a${count}`
  readonly router = `hsn${process.pid}r${count++}`
  #folder = ''
  #child: ChildProcess | undefined
  #answers: AsyncIterator<string> | undefined
  #sshd: ChildProcess | undefined
  /** Of the last order. */
  ms = 0

  /** The namespaces, and the process in the first one. */
  start(): void {
    for (const name of [this.agent, this.router]) execFileSync('ip', ['netns', 'add', name])
    this.ip(this.agent, `link add up0 type veth peer name lan0 netns ${this.router}`)
    this.ip(this.agent, 'link set up0 up', 'addr add 192.0.2.2/24 dev up0')
    this.ip(this.router, 'link set lan0 up', 'addr add 192.0.2.1/24 dev lan0')
    this.startIn(this.agent)
  }

  /** The process alone, in a namespace that is there. Its end is `killAgent`. */
  startIn(space: string): void {
    const child = spawn('ip', ['netns', 'exec', space, process.execPath, CHILD], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child = child
    // It may be killed while it is told something: `ask` then says that it is gone.
    child.stdin.on('error', () => {})
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  ip(space: string, ...lines: string[]): void {
    execFileSync('ip', ['-n', space, '-batch', '-'], {
      input: `${lines.join('\n')}\n`,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  }

  nft(space: string, text: string): string {
    return execFileSync('ip', ['netns', 'exec', space, 'nft', '-f', '-'], {
      input: text,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: 10_000,
    }).toString()
  }

  list(space: string): string {
    return this.nft(space, 'list ruleset').replaceAll(/\s+/g, ' ')
  }

  /** Keys, and what sshd is told; how to reach it. */
  prepareSsh(): SshTarget {
    this.#folder = mkdtempSync(join(tmpdir(), 'homespin-kernel-'))
    const path = (name: string): string => join(this.#folder, name)
    for (const name of ['host', 'key']) {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path(name)])
    }
    execFileSync('cp', [path('key.pub'), path('authorized')])
    chmodSync(path('authorized'), 0o600)
    const hostKey = execFileSync('cat', [path('host.pub')])
      .toString()
      .trim()
    writeFileSync(path('known'), `[192.0.2.1]:${PORT} ${hostKey}\n`)
    writeFileSync(
      path('sshd_config'),
      [
        `Port ${PORT}`,
        'ListenAddress 192.0.2.1',
        `HostKey ${path('host')}`,
        `AuthorizedKeysFile ${path('authorized')}`,
        'PidFile none',
        'UsePAM no',
        'StrictModes no',
        'PasswordAuthentication no',
        'PermitRootLogin prohibit-password',
        '',
      ].join('\n'),
    )
    return {
      host: 'root@192.0.2.1',
      port: PORT,
      identityFile: path('key'),
      knownHostsFile: path('known'),
    }
  }

  async startSshd(): Promise<void> {
    // A /run of its own, so that its folder for privilege separation is not made in the machine's.
    const command = `mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec ${SSHD} -D -e -f "$0"`
    const sshd = spawn(
      'ip',
      ['netns', 'exec', this.router, 'sh', '-c', command, join(this.#folder, 'sshd_config')],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    this.#sshd = sshd
    let said = ''
    sshd.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const end = performance.now() + PATIENT_MS
    while (!said.includes('Server listening')) {
      if (performance.now() > end) throw new Error(`sshd does not listen: ${said}`)
      await sleep(10)
    }
  }

  /** With all connections, as when a router loses its power. */
  async stopSshd(): Promise<void> {
    const sshd = this.#sshd
    this.#sshd = undefined
    if (sshd === undefined || sshd.exitCode !== null) return
    const exit = once(sshd, 'exit')
    for (const pid of this.pids(this.router)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It ended by itself.
      }
    }
    await exit
  }

  /** Of the processes in a namespace. */
  pids(space: string): number[] {
    const text = execFileSync('ip', ['netns', 'pids', space]).toString()
    return text.split('\n').filter(Boolean).map(Number)
  }

  /** What the kernel answers; rejects with its error. */
  async ask<T = unknown>(order: KernelOrder): Promise<T> {
    this.#child?.stdin?.write(`${JSON.stringify(order)}\n`)
    const next = await this.#answers?.next()
    if (next === undefined || next.done) throw new Error('the process in the namespace is gone')
    const answer = JSON.parse(next.value) as {
      result: T
      ms: number
      error?: { name: string; message: string; code?: string; index?: number }
    }
    if (answer.error !== undefined) {
      const { name, message, code, index } = answer.error
      if (name !== 'KernelError') throw new Error(`${name}: ${message}`)
      throw new KernelError(code ?? '', message, index)
    }
    this.ms = answer.ms
    return answer.result
  }

  async until(wanted: (seen: Seen) => boolean, ms = PATIENT_MS): Promise<Seen> {
    const end = performance.now() + ms
    for (;;) {
      const seen = await this.ask<Seen>({ do: 'seen' })
      if (wanted(seen)) return seen
      if (performance.now() > end) throw new Error(`not in ${ms} ms: ${JSON.stringify(seen)}`)
      await sleep(10)
    }
  }

  /** Kills the process with the kernel, as when the agent is killed. */
  async killAgent(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  async stop(): Promise<void> {
    const child = this.#child
    try {
      if (child && child.exitCode === null && child.signalCode === null) {
        const exit = once(child, 'exit', { signal: AbortSignal.timeout(8000) })
        child.stdin?.end()
        const [code] = await exit
        assert.equal(code, 0)
      }
    } finally {
      child?.kill('SIGKILL')
      await this.stopSshd()
      for (const name of [this.agent, this.router]) execFileSync('ip', ['netns', 'del', name])
      if (this.#folder !== '') rmSync(this.#folder, { recursive: true, force: true })
    }
  }
}
