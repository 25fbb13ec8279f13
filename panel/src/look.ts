// What the system wishes: dark or light, whether things may move, and how much room there is.
import type { Settings } from './settings.ts'

/** Follows the system's wishes between `start()` and `stop()`. */
export class Look {
  readonly #dark = matchMedia('(prefers-color-scheme: dark)')
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)')
  readonly #narrow = matchMedia('(max-width: 860px)')
  readonly #onChange: () => void

  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  start(): void {
    this.#dark.addEventListener('change', this.#onChange)
    this.#still.addEventListener('change', this.#onChange)
    this.#narrow.addEventListener('change', this.#onChange)
  }

  stop(): void {
    this.#dark.removeEventListener('change', this.#onChange)
    this.#still.removeEventListener('change', this.#onChange)
    this.#narrow.removeEventListener('change', this.#onChange)
  }

  /** Nothing should move. */
  get isStill(): boolean {
    return this.#still.matches
  }

  /** There is room for one view at a time. */
  get isNarrow(): boolean {
    return this.#narrow.matches
  }

  /** What the reader chose, else what the system wishes. */
  theme({ theme }: Settings): 'light' | 'dark' {
    if (theme !== 'auto') return theme
    return this.#dark.matches ? 'dark' : 'light'
  }
}
