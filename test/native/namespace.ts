// A network namespace of a test, and a process that captures inside it.
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Answer, Order } from './live-child.ts'

let count = 0

/** Whether namespaces can be made here; with CI set, they have to be. */
export function canMakeNamespaces(): boolean {
  try {
    const name = `hsn${process.pid}probe`
    execFileSync('ip', ['netns', 'add', name], { stdio: 'pipe' })
    execFileSync('ip', ['netns', 'del', name], { stdio: 'pipe' })
    return true
  } catch (cause) {
    if (process.env.CI)
      throw new Error('network namespaces can not be made: run as root', { cause })
    return false
  }
}

export class Namespace {
  readonly name = `hsn${process.pid}n${count++}`
  #child: ChildProcessWithoutNullStreams | undefined
  #answers: AsyncIterator<string> | undefined

  /** Makes it and starts the process, with more in its environment. */
  start(env: NodeJS.ProcessEnv = {}): void {
    execFileSync('ip', ['netns', 'add', this.name])
    const script = fileURLToPath(new URL('./live-child.ts', import.meta.url))
    const words = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    const command = ['netns', 'exec', this.name, 'env', ...words, process.execPath, script]
    this.#child = spawn('ip', command, {
      stdio: ['pipe', 'pipe', 'inherit'],
    }) as unknown as ChildProcessWithoutNullStreams
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** `ip` inside. */
  ip(...words: string[]): void {
    execFileSync('ip', ['-n', this.name, ...words.flatMap((word) => word.split(' '))], {
      stdio: 'pipe',
    })
  }

  /** Many lines for `ip`, by one process. */
  batch(lines: string[]): void {
    execFileSync('ip', ['-n', this.name, '-batch', '-'], {
      input: `${lines.join('\n')}\n`,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  }

  /** Any program inside, to its end. */
  run(program: string, ...words: string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.name, program, ...words], {
      stdio: 'pipe',
      timeout: 30_000,
    }).toString()
  }

  async ask(order: Order): Promise<Answer> {
    this.#child?.stdin.write(`${JSON.stringify(order)}\n`)
    const next = await this.#answers?.next()
    if (next === undefined || next.done) throw new Error('the process in the namespace is gone')
    const answer = JSON.parse(next.value) as Answer
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer
  }

  /** Looks until it is as wanted. */
  async until(wanted: (answer: Answer) => boolean, ms = 5000): Promise<Answer> {
    const end = performance.now() + ms
    for (;;) {
      const answer = await this.ask({ do: 'look' })
      if (wanted(answer)) return answer
      if (performance.now() > end)
        throw new Error(
          `not within ${ms} ms; last ${JSON.stringify(answer.counters)} ${JSON.stringify(answer.interfaces)} ${JSON.stringify(answer.events)}`,
        )
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }

  async stop(): Promise<void> {
    if (this.#child && this.#child.exitCode === null) {
      this.#child.stdin.end()
      await once(this.#child, 'exit')
    }
    execFileSync('ip', ['netns', 'del', this.name])
  }
}
