// Looks at a router every few seconds, through the one connection to it.
import type { ChildProcess } from 'node:child_process'
import type { Log } from '../log.ts'
import type { RouterConnection } from './remote-connection.ts'
import type { Facts } from './remote-facts.ts'
import { FACTS_END, FACTS_PROGRAM, readFacts } from './remote-facts.ts'

const LOOK_MS = 3000
/** A look that is not answered by then never will be. */
const LATE_MS = 15_000
const MOST_ANSWER = 8 << 20

export class RemoteWatch {
  readonly #connection: Pick<RouterConnection, 'open'>
  readonly #log: Log
  readonly #onFacts: (facts: Facts) => void
  #child: ChildProcess | undefined
  #answer = ''
  #timer: NodeJS.Timeout | undefined
  #late: NodeJS.Timeout | undefined

  constructor(
    connection: Pick<RouterConnection, 'open'>,
    log: Log,
    onFacts: (facts: Facts) => void,
  ) {
    this.#connection = connection
    this.#log = log
    this.#onFacts = onFacts
  }

  /** Begins anew; what ran before is forgotten. */
  start(): void {
    this.stop()
    const child = this.#connection.open(FACTS_PROGRAM)
    this.#child = child
    this.#answer = ''
    child.stdin?.on('error', () => {})
    child.stderr?.resume()
    child.once('error', () => {})
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(child, text))
    child.once('close', () => {
      if (this.#child !== child) return
      // With the connection, and then `start` comes again; or by itself.
      this.#timer = setTimeout(() => this.start(), LOOK_MS)
    })
    this.#look(child)
  }

  stop(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#late)
    const child = this.#child
    this.#child = undefined
    child?.stdin?.end()
    if (child !== undefined) setTimeout(() => child.kill('SIGKILL'), 3000).unref()
  }

  #look(child: ChildProcess): void {
    child.stdin?.write('\n')
    this.#late = setTimeout(() => {
      this.#log.warn('the router does not answer; looking at it anew')
      child.kill('SIGKILL')
    }, LATE_MS)
  }

  #read(child: ChildProcess, text: string): void {
    if (this.#child !== child) return
    this.#answer += text
    if (this.#answer.length > MOST_ANSWER) child.kill('SIGKILL')
    if (!this.#answer.endsWith(FACTS_END)) return
    const answer = this.#answer
    this.#answer = ''
    clearTimeout(this.#late)
    this.#timer = setTimeout(() => this.#look(child), LOOK_MS)
    this.#onFacts(readFacts(answer))
  }
}
