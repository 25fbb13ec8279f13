// Which change of a device is published when: who it is at once, how much it said at most every 30 s.
import type { Device } from '../../protocol/messages.ts'

/** Decides, for each device, whether its present state is due. */
export class DeviceBoard {
  readonly #intervalMs: number
  readonly #shown = new Map<string, { identity: string; atMs: number }>()
  readonly #deferred = new Map<string, Device>()

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  /** Whether `device` is to be published now; if not, it is remembered until `takeDue` gives it. */
  offer(device: Device, nowMs: number): boolean {
    const identity = identityOf(device)
    const shown = this.#shown.get(device.id)
    if (shown !== undefined && shown.identity === identity && !this.#isDue(shown.atMs, nowMs)) {
      this.#deferred.set(device.id, device)
      return false
    }
    this.#shown.set(device.id, { identity, atMs: nowMs })
    this.#deferred.delete(device.id)
    return true
  }

  /** The devices whose time has come. */
  takeDue(nowMs: number): Device[] {
    const due: Device[] = []
    for (const [id, device] of this.#deferred) {
      const shown = this.#shown.get(id)
      if (shown !== undefined && !this.#isDue(shown.atMs, nowMs)) continue
      this.#deferred.delete(id)
      if (shown !== undefined) shown.atMs = nowMs
      due.push(device)
    }
    return due
  }

  forget(id: string): void {
    this.#shown.delete(id)
    this.#deferred.delete(id)
  }

  /** A clock that was set back makes everything due, rather than nothing for a long time. */
  #isDue(atMs: number, nowMs: number): boolean {
    return Math.abs(nowMs - atMs) >= this.#intervalMs
  }
}

/** Everything but the counters and the time of the last packet. */
function identityOf(device: Device): string {
  const { sent_bytes, received_bytes, sent_packets, received_packets, last_seen_ms, ...identity } =
    device
  return JSON.stringify(identity)
}
