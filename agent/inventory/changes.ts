// What happened to devices, until somebody takes it.
import type { DeviceEntry } from './device-entry.ts'

/** What happened to a device. `changed` lists keys of `Device`. */
export type InventoryChange =
  | { kind: 'device_new'; entry: DeviceEntry }
  | { kind: 'device_changed'; entry: DeviceEntry; changed: string[] }
  | { kind: 'device_gone'; entry: DeviceEntry }

/** So far back it is looked for an earlier change of the same device. */
const LOOK_BACK = 64

/** Gathers changes: several of one device are one. */
export class Changes {
  readonly #max: number
  #changes: InventoryChange[] = []
  #isFull = false

  /** `max`: devices that there can be. Where nobody takes changes (a replay), some more are kept, and then no more. */
  constructor(max: number) {
    this.#max = max
  }

  tell(change: InventoryChange): void {
    if (this.#isFull) return
    this.#changes.push(change)
    if (this.#changes.length < 2 * this.#max) return
    // A flood of made-up devices: most are gone again.
    this.#changes = this.#changes.filter(({ entry }) => entry.listed)
    this.#isFull = this.#changes.length > 1.5 * this.#max
  }

  /** `key` of the device has changed; of one that is not listed it is not told. */
  change(entry: DeviceEntry, key: string): void {
    if (!entry.listed) return
    const { length } = this.#changes
    for (let i = length - 1; i >= 0 && i >= length - LOOK_BACK; i--) {
      const change = this.#changes[i]
      if (change?.entry !== entry) continue
      if (change.kind === 'device_gone') break
      if (change.kind === 'device_changed' && !change.changed.includes(key)) {
        change.changed.push(key)
      }
      return
    }
    this.tell({ kind: 'device_changed', entry, changed: [key] })
  }

  /** What happened since the last call to devices that are still there. */
  take(): InventoryChange[] {
    const changes = this.#changes.filter(({ entry }) => entry.listed)
    this.#changes = []
    this.#isFull = false
    return changes
  }
}
