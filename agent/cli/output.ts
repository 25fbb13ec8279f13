// Lines on standard output, in large pieces, never faster than the reader takes them.

/** Text gathered before it is written. */
const PIECE = 65536

/** Standard output as lines. When the reader has gone (EPIPE), `closed` is true and the rest is dropped. */
export class LineWriter {
  #text = ''
  /** Writes that standard output has not finished; until then their buffers are its own. */
  #underWay = 0
  #wake: (() => void) | undefined
  #fault: Error | undefined
  closed = false

  start(): void {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      this.closed = true
      if (error.code !== 'EPIPE') this.#fault ??= error
      this.#wake?.()
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
    this.#put(lines)
  }

  #write(): void {
    const text = this.#text
    this.#text = ''
    if (text !== '') this.#put(text)
  }

  #put(lines: Buffer | string): void {
    if (this.closed) return
    this.#underWay++
    // A pipe may take only a part at once, also where it says that there is room for more.
    process.stdout.write(lines, () => {
      this.#underWay--
      if (this.#underWay === 0) this.#wake?.()
    })
  }

  /** Resolves when everything that was put out has been taken; undefined if it has. */
  drained(): Promise<void> | undefined {
    if (this.#underWay === 0 || this.closed) return undefined
    return new Promise((resolve) => {
      this.#wake = resolve
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
