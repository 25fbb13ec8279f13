// What Homespin remembers of Home Assistant between two starts: whether it was heard, which controls it has, which devices were
// deleted there, which areas were set there, and how long the button Pause of each device pauses. A small file of its own.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { DEFAULT_PAUSE_MINUTES, MAX_PAUSE_MINUTES } from '../../protocol/home-assistant.ts'
import { LEVELS } from '../../protocol/policy.ts'
import { DEVICE_ID } from '../../protocol/topics.ts'
import type { Log } from '../log.ts'

/** A device that was deleted in Home Assistant, and what it takes for it to be announced again. */
export interface Dismissed {
  /** It has not been seen for a while since: when it is seen again, it is announced. */
  gone: boolean
  /** It was accepted when it was deleted, or since: to be accepted again it has to be unaccepted first. */
  accepted: boolean
}

/** Devices that are remembered; the longest remembered go first. */
const MAX_REMEMBERED = 4096

/** Longer than any id that Home Assistant makes of a name. */
const MAX_AREA_ID = 1024

interface Stored {
  heard: boolean
  levels?: string[]
  dismissed: Record<string, Dismissed>
  pause_minutes: Record<string, number>
  areas?: Record<string, string>
}

/** The file, read once and written with each change. */
export class HomeAssistantMemory {
  readonly #path: string
  readonly #log: Log
  readonly #dismissed = new Map<string, Dismissed>()
  readonly #pauseMinutes = new Map<string, number>()
  readonly #areas = new Map<string, string>()
  #heard = false
  #levels: readonly string[] = []
  /** Called when the pause minutes of a device were set. */
  onPauseMinutes: (deviceId: string) => void = () => {}

  /** `path`: the file; its folder exists. */
  constructor(path: string, log: Log) {
    this.#path = path
    this.#log = log
  }

  /** Reads the file; one that is damaged is said, and written anew with the first change. */
  start(): void {
    try {
      this.#read(JSON.parse(readFileSync(this.#path, 'utf8')))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      this.#log.warn(`${this.#path} can't be read: ${(error as Error).message}; it is made anew`)
    }
  }

  /** Home Assistant was heard on the broker, now or before. */
  get heard(): boolean {
    return this.#heard
  }

  hear(): void {
    if (this.#heard) return
    this.#heard = true
    this.#write()
  }

  /** The levels that could be held when that was last known. */
  get levels(): readonly string[] {
    return this.#levels
  }

  setLevels(levels: readonly string[]): void {
    if (levels.join() === this.#levels.join()) return
    this.#levels = levels
    this.#write()
  }

  dismissed(deviceId: string): Dismissed | undefined {
    return this.#dismissed.get(deviceId)
  }

  /** Remembers that a device was deleted in Home Assistant; undefined: it no longer counts as deleted. */
  dismiss(deviceId: string, how: Dismissed | undefined): void {
    const before = this.#dismissed.get(deviceId)
    if (JSON.stringify(before) === JSON.stringify(how)) return
    put(this.#dismissed, deviceId, how)
    this.#write()
  }

  /** How long a pause of this device lasts that says nothing, in minutes. */
  pauseMinutes(deviceId: string): number {
    return this.#pauseMinutes.get(deviceId) ?? DEFAULT_PAUSE_MINUTES
  }

  /** Throws where the disk refuses; then it is as before. */
  setPauseMinutes(deviceId: string, minutes: number): void {
    const before = this.#pauseMinutes.get(deviceId)
    put(this.#pauseMinutes, deviceId, minutes)
    try {
      this.#store()
    } catch (error) {
      put(this.#pauseMinutes, deviceId, before)
      throw error
    }
    this.onPauseMinutes(deviceId)
  }

  /** The area of Home Assistant that was set of this device, by its id. */
  areaOf(deviceId: string): string | undefined {
    return this.#areas.get(deviceId)
  }

  setArea(deviceId: string, areaId: string | undefined): void {
    if (this.#areas.get(deviceId) === areaId) return
    put(this.#areas, deviceId, areaId)
    this.#write()
  }

  /** Nothing is remembered of a device that is forgotten. */
  forget(deviceId: string): void {
    const all = [this.#dismissed, this.#pauseMinutes, this.#areas]
    if (all.filter((one) => one.delete(deviceId)).length > 0) this.#write()
  }

  #read(stored: unknown): void {
    const { heard, levels, dismissed, pause_minutes, areas } = (stored ?? {}) as Partial<Stored>
    this.#heard = heard === true
    if (Array.isArray(levels)) this.#levels = LEVELS.filter((level) => levels.includes(level))
    for (const [id, how] of entriesOf(dismissed)) {
      const { gone, accepted } = (how ?? {}) as Partial<Dismissed>
      this.#dismissed.set(id, { gone: gone === true, accepted: accepted === true })
    }
    for (const [id, minutes] of entriesOf(pause_minutes)) {
      if (isPauseMinutes(minutes)) this.#pauseMinutes.set(id, minutes)
    }
    for (const [id, area] of entriesOf(areas)) {
      if (typeof area === 'string' && area.length <= MAX_AREA_ID) this.#areas.set(id, area)
    }
  }

  /** What can't be written is written with the next change. */
  #write(): void {
    try {
      this.#store()
    } catch (error) {
      this.#log.warn(`${this.#path} can't be written: ${(error as Error).message}`)
    }
  }

  #store(): void {
    const stored: Stored = {
      heard: this.#heard,
      levels: [...this.#levels],
      dismissed: Object.fromEntries(this.#dismissed),
      pause_minutes: Object.fromEntries(this.#pauseMinutes),
      areas: Object.fromEntries(this.#areas),
    }
    const file = openSync(`${this.#path}.new`, 'w', 0o600)
    try {
      writeSync(file, JSON.stringify(stored))
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(`${this.#path}.new`, this.#path)
  }
}

/** Whether a pause may last so many minutes. */
function isPauseMinutes(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_PAUSE_MINUTES
}

function put<Value>(into: Map<string, Value>, key: string, value: Value | undefined): void {
  into.delete(key)
  if (value === undefined) return
  into.set(key, value)
  for (const oldest of into.keys()) {
    if (into.size <= MAX_REMEMBERED) break
    into.delete(oldest)
  }
}

function entriesOf(of: unknown): [string, unknown][] {
  if (typeof of !== 'object' || of === null) return []
  return Object.entries(of)
    .filter(([id]) => DEVICE_ID.test(id))
    .slice(-MAX_REMEMBERED)
}
