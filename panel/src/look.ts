// What the system wishes: dark or light, and whether things may move.
import type { Settings } from './settings.ts'

/** Follows the system's wishes between `start()` and `stop()`. */
export class Look {
  readonly #dark = matchMedia('(prefers-color-scheme: dark)')
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)')
  readonly #onChange: () => void

  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  start(): void {
    this.#dark.addEventListener('change', this.#onChange)
    this.#still.addEventListener('change', this.#onChange)
  }

  stop(): void {
    this.#dark.removeEventListener('change', this.#onChange)
    this.#still.removeEventListener('change', this.#onChange)
  }

  /** Nothing should move. */
  get isStill(): boolean {
    return this.#still.matches
  }

  /** What the reader chose, else what the system wishes. */
  theme({ theme }: Settings): 'light' | 'dark' {
    if (theme !== 'auto') return theme
    return this.#dark.matches ? 'dark' : 'light'
  }
}
