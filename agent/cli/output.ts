// Lines on standard output, in large pieces, never faster than the reader takes them.

/** Text gathered before it is written. */
const PIECE = 65536

/** Standard output as lines. When the reader has gone (EPIPE), `closed` is true and the rest is dropped. */
export class LineWriter {
  #text = ''
  #full = false
  #fault: Error | undefined
  closed = false

  start(): void {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      this.closed = true
      if (error.code !== 'EPIPE') this.#fault ??= error
    })
  }

  line(text: string): void {
    this.#text += text
    this.#text += '\n'
    if (this.#text.length >= PIECE) this.#write()
  }

  json(value: unknown): void {
    this.line(JSON.stringify(value))
  }

  /** Whole lines, each with its end. A buffer is the writer's until `drained`. */
  write(lines: Buffer | string): void {
    this.#write()
    if (!this.closed && !process.stdout.write(lines)) this.#full = true
  }

  #write(): void {
    const text = this.#text
    this.#text = ''
    if (!this.closed && text !== '' && !process.stdout.write(text)) this.#full = true
  }

  /** Resolves when the reader has room again; undefined if it has now. */
  drained(): Promise<void> | undefined {
    if (!this.#full || this.closed) return undefined
    this.#full = false
    return new Promise((resolve) => {
      const done = (): void => {
        process.stdout.off('drain', done)
        process.stdout.off('error', done)
        resolve()
      }
      process.stdout.once('drain', done)
      process.stdout.once('error', done)
    })
  }

  /** Writes what is left, and waits for it. Throws an Error where it could not be written, except that nobody reads it. */
  async end(): Promise<void> {
    this.#write()
    if (!this.closed) {
      await new Promise<void>((resolve) => process.stdout.write('', () => setImmediate(resolve)))
    }
    if (this.#fault !== undefined) {
      throw new Error(`standard output can't be written: ${this.#fault.message}`, {
        cause: this.#fault,
      })
    }
  }
}
