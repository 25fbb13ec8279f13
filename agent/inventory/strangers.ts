// Addresses of the home that were only ever spoken to: no devices, or a scan would make thousands. What was sent to one is
// kept for the device that it turns out to be.
import { createHash } from 'node:crypto'
import { DeviceEntry } from './device-entry.ts'

/** Addresses that are kept; of more those first met go. */
const MAX_STRANGERS = 4096

/** The id of a device that is known by its address alone. */
export function addressId(ip: string): string {
  return createHash('sha256').update(`ip:${ip}`).digest('hex').slice(0, 16)
}

/** Remembers what they were sent. */
export class Strangers {
  readonly #byAddress = new Map<string, DeviceEntry>()

  /** Stands for the address as a device would; not listed. */
  at(ip: string, timeMs: number): DeviceEntry {
    const known = this.#byAddress.get(ip)
    if (known !== undefined) return known
    const stranger = new DeviceEntry({
      id: addressId(ip),
      mac: 0,
      ips: new Map(),
      name: ip,
      nameSource: 'address',
      vendor: undefined,
      shared: false,
      present: false,
      firstSeenMs: timeMs,
      lastSeenMs: timeMs,
      lastIp: '',
      lastIp6: '',
      listed: false,
    })
    if (this.#byAddress.size >= MAX_STRANGERS) {
      this.#byAddress.delete(this.#byAddress.keys().next().value as string)
    }
    this.#byAddress.set(ip, stranger)
    return stranger
  }

  /** The address is this device's: what was sent there was sent to it, and flows that go on are its own. */
  settle(ip: string, device: DeviceEntry): void {
    if (this.#byAddress.size === 0) return
    const stranger = this.#byAddress.get(ip)
    if (stranger === undefined) return
    this.#byAddress.delete(ip)
    stranger.epoch++
    const { sentBytes, receivedBytes, sentPackets, receivedPackets, lastSeenMs } = stranger
    device.count(sentBytes, receivedBytes, sentPackets, receivedPackets, lastSeenMs)
  }
}
