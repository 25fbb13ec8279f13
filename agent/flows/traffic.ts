// What each device exchanged with each remote in one interval.
import type { Traffic } from '../interval.ts'

/** Remotes of one device told apart in one interval; the bytes of further ones go under the last of them, ''. */
const MAX_REMOTES = 4096

/** Adds up differences until they are taken. */
export class TrafficSums {
  readonly #byDevice = new Map<string, Map<string, Traffic>>()

  /** `remote` is a name, else an address. */
  add(
    device: string,
    remote: string,
    sent: number,
    received: number,
    sentPackets: number,
    receivedPackets: number,
  ): void {
    let remotes = this.#byDevice.get(device)
    if (remotes === undefined) {
      remotes = new Map()
      this.#byDevice.set(device, remotes)
    }
    const key = remotes.size >= MAX_REMOTES && !remotes.has(remote) ? '' : remote
    const sum = remotes.get(key)
    if (sum === undefined) {
      remotes.set(key, {
        device_id: device,
        remote: key,
        sent_bytes: sent,
        received_bytes: received,
        sent_packets: sentPackets,
        received_packets: receivedPackets,
      })
      return
    }
    sum.sent_bytes += sent
    sum.received_bytes += received
    sum.sent_packets += sentPackets
    sum.received_packets += receivedPackets
  }

  /** All sums since the last call. */
  take(): Traffic[] {
    const all: Traffic[] = []
    for (const remotes of this.#byDevice.values()) all.push(...remotes.values())
    this.#byDevice.clear()
    return all
  }
}
