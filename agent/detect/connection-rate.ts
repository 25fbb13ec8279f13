// Counts the connections that each device begins, and the different remotes that they go to, in a sliding window of seconds.
// The idea is SPIN's and of old worm throttles (Williamson 2002): a hijacked device gives itself away by how many it begins.

/** The longest window, in seconds. */
export const MAX_WINDOW_S = 600
/** Different remotes told apart per device; with more the count stays there. */
const MAX_REMOTES = 4096
/** A window's seconds, and the one that is running. */
const BUCKETS = MAX_WINDOW_S + 1
/** Flows kept as evidence. */
const KEPT_FLOWS = 20
/** Devices counted at once: made-up MACs beyond that are not told apart from nothing. */
const MAX_DEVICES = 8192

/** Services whose packets each begin a flow of their own, and which every device uses: DNS, DHCP, NTP, mDNS and the like. */
const QUIET_PORTS = new Set([53, 67, 68, 123, 137, 546, 547, 1900, 3702, 5353, 5355])

/** Whether connections to a responder's port are left out of counts. */
export function isQuietPort(port: number): boolean {
  return QUIET_PORTS.has(port)
}

/** What one device did within its window. */
export interface Observed {
  connections: number
  remotes: number
  /** Numbers of the latest flows, at most 20. */
  flows: number[]
}

/** One device's window. */
interface Counts {
  /** Connections by second, modulo the longest window. */
  bySecond: Uint16Array
  /** The last second in it. */
  at: number
  /** Remote → the second when it was last met. */
  remotes: Map<string, number>
  flows: number[]
}

/** Fed with each flow that begins; seconds are of a clock that only goes forward. */
export class ConnectionRate {
  readonly #devices = new Map<string, Counts>()
  readonly #touched = new Set<string>()

  /** A device began a flow. */
  begun(deviceId: string, remote: string, flow: number, second: number): void {
    let counts = this.#devices.get(deviceId)
    if (counts === undefined) {
      if (this.#devices.size >= MAX_DEVICES) return
      counts = { bySecond: new Uint16Array(BUCKETS), at: second, remotes: new Map(), flows: [] }
      this.#devices.set(deviceId, counts)
    }
    advance(counts, second)
    const slot = second % BUCKETS
    counts.bySecond[slot] = Math.min(65535, (counts.bySecond[slot] as number) + 1)
    if (counts.remotes.size < MAX_REMOTES || counts.remotes.has(remote)) {
      // Deleted first, so that the map stays in the order of time.
      counts.remotes.delete(remote)
      counts.remotes.set(remote, second)
    }
    if (counts.flows.length >= KEPT_FLOWS) counts.flows.shift()
    counts.flows.push(flow)
    this.#touched.add(deviceId)
  }

  /** The devices that began something since the last call. */
  takeTouched(): string[] {
    const touched = [...this.#touched]
    this.#touched.clear()
    return touched
  }

  /** What a device did in the last `windowS` whole seconds (at most 600) and in the one that is running. */
  observed(deviceId: string, windowS: number, second: number): Observed {
    const counts = this.#devices.get(deviceId)
    if (counts === undefined) return { connections: 0, remotes: 0, flows: [] }
    advance(counts, second)
    const from = second - Math.min(windowS, MAX_WINDOW_S)
    let connections = 0
    for (let at = from; at <= second; at++) {
      connections += counts.bySecond[((at % BUCKETS) + BUCKETS) % BUCKETS] as number
    }
    let remotes = 0
    for (const met of counts.remotes.values()) if (met >= from) remotes++
    return { connections, remotes, flows: [...counts.flows] }
  }

  /** Forgets devices that were silent for the longest window, and a device's old remotes. */
  forgetOld(second: number): void {
    const oldest = second - MAX_WINDOW_S
    for (const [id, counts] of this.#devices) {
      if (counts.at <= oldest) {
        this.#devices.delete(id)
        continue
      }
      for (const [remote, met] of counts.remotes) {
        if (met > oldest) break
        counts.remotes.delete(remote)
      }
    }
  }

  /** Begins anew for a device, so that what led to an incident does not open another. */
  reset(deviceId: string): void {
    this.#devices.delete(deviceId)
  }
}

/** Empties the seconds that have come round again. */
function advance(counts: Counts, second: number): void {
  if (second <= counts.at) return
  const gap = Math.min(second - counts.at, BUCKETS)
  for (let i = 1; i <= gap; i++) counts.bySecond[(counts.at + i) % BUCKETS] = 0
  counts.at = second
}
