// A network namespace with a process in it that talks to its nftables, and with what packets need.
import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { NftSet } from '../../native/nft.ts'
import type { NftOrder } from './nft-child.ts'

let count = 0

export class NftSpace {
  readonly name = `hsn${process.pid}k${count++}`
  #child: ChildProcess | undefined
  #answers: AsyncIterator<string> | undefined

  start(): void {
    execFileSync('ip', ['netns', 'add', this.name])
    const script = fileURLToPath(new URL('./nft-child.ts', import.meta.url))
    const child = spawn('ip', ['netns', 'exec', this.name, process.execPath, script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child = child
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  /** Any program inside, to its end; its standard output. */
  run(program: string, args: readonly string[], input = ''): string {
    return execFileSync('ip', ['netns', 'exec', this.name, program, ...args], {
      input,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: 30_000,
    }).toString()
  }

  nft(text: string): string {
    return this.run('nft', ['-f', '-'], text)
  }

  ip(...lines: string[]): void {
    this.run('ip', ['-batch', '-'], `${lines.join('\n')}\n`)
  }

  async ask<T = unknown>(order: NftOrder): Promise<T> {
    this.#child?.stdin?.write(`${JSON.stringify(order)}\n`)
    const next = await this.#answers?.next()
    if (next === undefined || next.done) throw new Error('the process in the namespace is gone')
    const answer = JSON.parse(next.value) as { result: T; error?: string }
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer.result
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child && child.exitCode === null) {
      const exit = once(child, 'exit')
      child.stdin?.end()
      await exit
    }
    execFileSync('ip', ['netns', 'del', this.name])
  }
}

/** A set of table `inet t`. */
export function setOf(name: string, key: string, what: Partial<NftSet> = {}): NftSet {
  return { family: 'inet', table: 't', name, key, interval: false, timeout: false, ...what }
}
