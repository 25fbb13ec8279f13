// Who has to go when the table of devices is full and a newcomer knocks. Anybody can make up MACs by the thousand, so what a
// newcomer costs is paid by other newcomers, never by a device that somebody knows.
import type { DeviceEntry } from './device-entry.ts'

/** A device that was seen over so long a time is no newcomer. */
const ESTABLISHED_MS = 4 * 3_600_000
/** A device that told its name in the network, and was silent for so long, may go. */
const NAMED_MS = 3_600_000
/** Whatever nobody has named or ordered anything about may go when it was not seen for so long: old floods, too. */
const FADED_MS = 7 * 86_400_000
/** When nobody could go, it is looked again after this. */
const LOOK_MS = 1000

/** In which order they go. */
interface Candidate {
  entry: DeviceEntry
  rank: number
  /** Over how long a time it was seen: the briefest first. */
  spanMs: number
  lastSeenMs: number
}

/** Chooses. Candidates are looked up for many at once, as looking takes long. */
export class Departures {
  readonly #isOrdered: (id: string) => boolean
  #candidates: Candidate[] = []
  #emptyMs = Number.NEGATIVE_INFINITY

  /** `isOrdered`: a person or a rule has ordered something about the device with this id. */
  constructor(isOrdered: (id: string) => boolean) {
    this.#isOrdered = isOrdered
  }

  /** The device that goes for a newcomer, undefined where none may. */
  next(devices: ReadonlyMap<string, DeviceEntry>, nowMs: number): DeviceEntry | undefined {
    if (this.#candidates.length === 0 && !this.#look(devices, nowMs)) return undefined
    for (;;) {
      const next = this.#candidates.pop()
      if (next === undefined)
        return this.#look(devices, nowMs) ? this.#candidates.pop()?.entry : undefined
      const { entry, lastSeenMs, rank } = next
      if (!entry.listed || entry.lastSeenMs !== lastSeenMs) continue
      if (this.#rank(entry, nowMs) === rank) return entry
    }
  }

  /** An eighth of the devices at most, the first to go at the end. False if there is none. */
  #look(devices: ReadonlyMap<string, DeviceEntry>, nowMs: number): boolean {
    if (Math.abs(nowMs - this.#emptyMs) < LOOK_MS) return false
    const candidates: Candidate[] = []
    for (const entry of devices.values()) {
      const rank = this.#rank(entry, nowMs)
      if (rank === undefined) continue
      const { lastSeenMs } = entry
      candidates.push({ entry, rank, spanMs: lastSeenMs - entry.firstSeenMs, lastSeenMs })
    }
    candidates.sort((a, b) => a.rank - b.rank || a.spanMs - b.spanMs || a.lastSeenMs - b.lastSeenMs)
    this.#candidates = candidates.slice(0, Math.ceil(devices.size / 8)).reverse()
    if (candidates.length === 0) this.#emptyMs = nowMs
    return candidates.length > 0
  }

  /** 0 goes first; undefined stays. */
  #rank(entry: DeviceEntry, nowMs: number): number | undefined {
    const { nameSource, lastSeenMs, firstSeenMs } = entry
    if (nameSource === 'user' || nameSource === 'home_assistant') return undefined
    const silentMs = nowMs - lastSeenMs
    const isEstablished = entry.stays || lastSeenMs - firstSeenMs >= ESTABLISHED_MS
    const isNamed = nameSource !== 'vendor' && nameSource !== 'address'
    let rank: number | undefined
    if (!isEstablished && !isNamed) rank = 0
    else if (!isEstablished && silentMs > NAMED_MS) rank = 1
    else if (silentMs > FADED_MS) rank = 2
    return rank === undefined || this.#isOrdered(entry.id) ? undefined : rank
  }
}
