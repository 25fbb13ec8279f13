// A thousand messages come in one piece from a socket, and a library would hand them out one behind the other before anything
// else had its turn.

/** Work in one turn of the event loop is broken off after so long: a fraction of what anybody notices. */
const MOST_MS = 5

/** Goes on at once, or behind whatever else waits, when enough was done in this turn. */
export class Turns {
  #beganMs: number | undefined

  /** To be called between pieces of work, with what comes next. */
  next(goOn: () => void): void {
    const nowMs = performance.now()
    if (this.#beganMs === undefined) {
      this.#beganMs = nowMs
      setImmediate(() => {
        this.#beganMs = undefined
      })
    }
    if (nowMs - this.#beganMs < MOST_MS) goOn()
    else setImmediate(goOn)
  }
}
