// The file `DISABLE` in the data folder: while it is there, nothing is held. For when everything else is locked out.
import type { FSWatcher } from 'node:fs'
import { existsSync, watch } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../log.ts'

const NAME = 'DISABLE'
/** Where the folder can't be watched, it is looked at this often. */
const LOOK_MS = 2000

export class DisableSwitch {
  readonly #dir: string
  readonly #log: Log
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined
  #isOn = false
  /** The file came, or went. */
  onChange: () => void = () => {}

  constructor(dir: string, log: Log) {
    this.#dir = dir
    this.#log = log
  }

  get isOn(): boolean {
    return this.#isOn
  }

  start(): void {
    try {
      this.#watcher = watch(this.#dir, { persistent: false }, (_, name) => {
        if (name === null || name === NAME) this.#look()
      })
      this.#watcher.on('error', (error) => this.#lookOften(error))
    } catch (error) {
      this.#lookOften(error as Error)
    }
    this.#look()
  }

  stop(): void {
    this.#watcher?.close()
    clearInterval(this.#timer)
    this.#watcher = undefined
    this.#timer = undefined
  }

  #lookOften(error: Error): void {
    this.#watcher?.close()
    this.#watcher = undefined
    this.#log.info(`the data folder can't be watched (${error.message}); it is looked at instead`)
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref()
  }

  #look(): void {
    const isOn = existsSync(join(this.#dir, NAME))
    if (isOn === this.#isOn) return
    this.#isOn = isOn
    this.onChange()
  }
}
