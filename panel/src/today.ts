// Bytes since local midnight, per device. The history gives them as they were when it was asked; the device's own
// counter carries them on from there.
import type { Device } from '../../protocol/messages.ts'
import type { Api } from './api.ts'
import type { Today } from './device-list.ts'
import { sumOf } from './history-span.ts'
import { bytesOf } from './links.ts'

/** A device's bytes since midnight, and its counters at that time. */
export interface TodayBase {
  midnight_ms: number
  sent_bytes: number
  received_bytes: number
  counted: { sent_bytes: number; received_bytes: number }
}

/** The most devices that are asked for, busiest first. */
export const MAX_ASKED = 100

/** How often the history is asked. */
const EVERY_MS = 300_000

/** Asks now and then for what each device sent and received since midnight. */
export class TodayWatch {
  readonly #api: Api
  readonly #tell: (bases: ReadonlyMap<string, TodayBase>) => void
  #askedAt = Number.NEGATIVE_INFINITY
  #abort: AbortController | undefined

  constructor(api: Api, tell: (bases: ReadonlyMap<string, TodayBase>) => void) {
    this.#api = api
    this.#tell = tell
  }

  /** Asks anew where the last answer is old; the busiest devices first. */
  async refresh(devices: Iterable<Device>, now_ms: number): Promise<void> {
    const busiest = [...devices].sort((a, b) => bytesOf(b) - bytesOf(a))
    if (performance.now() - this.#askedAt < EVERY_MS || busiest.length === 0) return
    this.#askedAt = performance.now()
    this.stop()
    this.#abort = new AbortController()
    try {
      this.#tell(await loadToday(this.#api, busiest, now_ms, this.#abort.signal))
    } catch {
      // Without it the list shows no figures of today; it is asked for again.
    }
  }

  stop(): void {
    this.#abort?.abort()
  }
}

/** When the day of `now_ms` began, here. */
export function midnightBefore(now_ms: number): number {
  return new Date(now_ms).setHours(0, 0, 0, 0)
}

/** Asks the history of each device since midnight, one after the other; what cannot be read is left out. */
export async function loadToday(
  api: Api,
  devices: readonly Device[],
  now_ms: number,
  signal: AbortSignal,
): Promise<Map<string, TodayBase>> {
  const midnight_ms = midnightBefore(now_ms)
  // Hours are whole in UTC; where midnight is not, only minutes begin there.
  const resolution = midnight_ms % 3_600_000 === 0 ? 'hour' : 'minute'
  const bases = new Map<string, TodayBase>()
  for (const { id, sent_bytes, received_bytes } of devices.slice(0, MAX_ASKED)) {
    const query = { device: id, resolution, from_ms: midnight_ms, to_ms: now_ms } as const
    const { points } = await api.history(query, signal)
    if (points.length === 0) continue
    bases.set(id, { midnight_ms, ...sumOf(points), counted: { sent_bytes, received_bytes } })
  }
  return bases
}

/** The bases carried on to the counters as they are now; those of another day are left out. */
export function todayOf(
  bases: ReadonlyMap<string, TodayBase>,
  devices: ReadonlyMap<string, Device>,
  now_ms: number,
): Today {
  const midnight_ms = midnightBefore(now_ms)
  const today = new Map<string, { sent_bytes: number; received_bytes: number }>()
  for (const [id, base] of bases) {
    const device = devices.get(id)
    if (device === undefined || base.midnight_ms !== midnight_ms) continue
    // The history may be some seconds ahead of the counter; a day is never shown as more than the whole.
    const sent = base.sent_bytes + grown(device.sent_bytes, base.counted.sent_bytes)
    const received = base.received_bytes + grown(device.received_bytes, base.counted.received_bytes)
    today.set(id, {
      sent_bytes: Math.min(sent, device.sent_bytes),
      received_bytes: Math.min(received, device.received_bytes),
    })
  }
  return today
}

function grown(now: number, then: number): number {
  return Math.max(0, now - then)
}
