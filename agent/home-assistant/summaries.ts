// The topmost remotes of today and the last day in half hours of each device, read from history one device after the other,
// so that a home of hundreds costs no more a second than a home of ten.
import { isIP } from 'node:net'
import {
  HISTORY_POINT_MS,
  MAX_HISTORY_POINTS,
  MAX_TOP_REMOTES,
} from '../../protocol/home-assistant.ts'
import type { HistoryPoint, RemoteTotal } from '../../protocol/http.ts'
import type { History } from '../history/history.ts'
import type { Log } from '../log.ts'
import { plain } from './plain.ts'
import type { Summary } from './states.ts'

/** A device's summary is read again after so long, where there was traffic. */
const REFRESH_MS = 300_000

export interface SummariesParts {
  history: Pick<History, 'query' | 'remotes'>
  nowMs: () => number
  /** Whether names of remotes may leave this box. */
  publishNames: () => boolean
  /** A device has its first summary. */
  onFirst: (deviceId: string) => void
  log: Log
}

interface Kept {
  summary: Summary
  readMs: number
}

/** Keeps a summary of each device that was asked about. */
export class Summaries {
  readonly #parts: SummariesParts
  readonly #kept = new Map<string, Kept>()
  /** Devices to be read, the longest waiting first. */
  readonly #waiting = new Set<string>()
  #reading = false

  constructor(parts: SummariesParts) {
    this.#parts = parts
  }

  get(deviceId: string): Summary | undefined {
    return this.#kept.get(deviceId)?.summary
  }

  /** There was traffic: its summary is read when it is old enough. */
  touch(deviceId: string): void {
    const kept = this.#kept.get(deviceId)
    if (kept !== undefined && Math.abs(this.#parts.nowMs() - kept.readMs) < REFRESH_MS) return
    this.#waiting.add(deviceId)
  }

  forget(deviceId: string): void {
    this.#kept.delete(deviceId)
    this.#waiting.delete(deviceId)
  }

  /** Reads the summary of one device; once a second, or as often as there is time. */
  async step(): Promise<void> {
    const [next] = this.#waiting
    if (next === undefined || this.#reading) return
    this.#reading = true
    this.#waiting.delete(next)
    try {
      const isFirst = !this.#kept.has(next)
      const readMs = this.#parts.nowMs()
      this.#kept.set(next, { summary: await this.#read(next, readMs), readMs })
      if (isFirst) this.#parts.onFirst(next)
    } catch (error) {
      this.#parts.log.debug(`the summary of ${next} could not be read: ${(error as Error).message}`)
    } finally {
      this.#reading = false
    }
  }

  async #read(device: string, nowMs: number): Promise<Summary> {
    const { history, publishNames } = this.#parts
    const today = new Date(nowMs).setHours(0, 0, 0, 0)
    const last = nowMs - (nowMs % HISTORY_POINT_MS)
    const fromMs = last - (MAX_HISTORY_POINTS - 1) * HISTORY_POINT_MS
    const { remotes } = await history.remotes(
      { device, resolution: 'hour', fromMs: today, toMs: nowMs },
      MAX_TOP_REMOTES + 1,
    )
    const { points } = await history.query({ device, resolution: 'minute', fromMs, toMs: nowMs })
    return { top_remotes: topOf(remotes, publishNames()), history: halfHours(points) }
  }
}

/** The remotes with most bytes; what is not known by name or may not be told counts without one. */
function topOf(remotes: readonly RemoteTotal[], publishNames: boolean): Summary['top_remotes'] {
  return remotes
    .filter(({ remote }) => remote !== undefined)
    .slice(0, MAX_TOP_REMOTES)
    .map(({ remote = '', sent_bytes, received_bytes }) => ({
      ...(publishNames || isIP(remote) !== 0 ? { name: plain(remote, 100) } : {}),
      sent_bytes,
      received_bytes,
    }))
}

/** Minutes summed up to half hours; one without data is left out. */
function halfHours(points: readonly HistoryPoint[]): Summary['history'] {
  const sums = new Map<number, [number, number, number]>()
  for (const { time_ms, received_bytes, sent_bytes } of points) {
    const start = time_ms - (time_ms % HISTORY_POINT_MS)
    const sum = sums.get(start) ?? [start, 0, 0]
    sum[1] += received_bytes
    sum[2] += sent_bytes
    sums.set(start, sum)
  }
  return [...sums.values()].sort(([a], [b]) => a - b).slice(-MAX_HISTORY_POINTS)
}
