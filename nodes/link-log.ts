// Tells a person what they should know, and not a thousand times: a broker may send thousands of messages a second.

/** Where a link tells what a person should know. */
export interface LinkLog {
  log: (sentence: string) => void
  warn: (sentence: string) => void
  error: (sentence: string) => void
}

const REPEAT_AFTER_MS = 60000

/** Tells each kind of problem at most once a minute. */
export class SparingLog {
  readonly #log: LinkLog
  readonly #told = new Map<string, number>()

  constructor(log: LinkLog) {
    this.#log = log
  }

  /** `kind`: one of few, never taken from a message. */
  tell(kind: string, level: 'warn' | 'error', sentence: string): void {
    const now = performance.now()
    const told = this.#told.get(kind)
    if (told !== undefined && now - told < REPEAT_AFTER_MS) return
    this.#told.set(kind, now)
    this.#log[level](sentence)
  }

  /** This kind of problem is over: should it come back, it is told at once. */
  isOver(kind: string): void {
    this.#told.delete(kind)
  }
}
