// The devices that orders can be about: those that the inventory knows, and those remembered for a rule while nobody sees them.
import { DEVICE_ID } from '../../protocol/topics.ts'
import type { PolicyDevice } from './resolve.ts'
import { cleanText } from './rules.ts'
import type { PolicyState } from './state.ts'
import type { RememberedDevice } from './stored.ts'

/** The inventory, as policy needs it. Changes are told by `PolicyDesk.devicesChanged`. */
export interface KnownDevices {
  get: (id: string) => PolicyDevice | undefined
  all: () => Iterable<PolicyDevice>
  /** How many `all` gives. */
  readonly size: number
}

/** Who is who. */
export class DeviceBook {
  readonly #known: KnownDevices
  readonly #remembered = new Map<string, RememberedDevice>()

  constructor(known: KnownDevices) {
    this.#known = known
  }

  /** How many devices the inventory knows. */
  get count(): number {
    return this.#known.size
  }

  load(devices: readonly RememberedDevice[]): void {
    for (const device of devices) this.#remembered.set(device.id, device)
  }

  get remembered(): ReadonlyMap<string, RememberedDevice> {
    return this.#remembered
  }

  /** As it is seen, else as it was remembered, else by the MAC that its id is; undefined: nobody ever heard of it. */
  find(id: string): PolicyDevice | undefined {
    return this.#known.get(id) ?? this.#remembered.get(id)
  }

  /** A device that a rule names, whatever is known of it. */
  named(id: string): PolicyDevice {
    const found = this.find(id)
    if (found?.mac !== undefined || found?.ips.length) return found
    const mac = id.length === 12 && DEVICE_ID.test(id) ? id.match(/../g)?.join(':') : undefined
    return { ...found, id, ips: [], ...(mac === undefined ? {} : { mac }) }
  }

  /** Every device that is seen or remembered, once. */
  *all(): Generator<PolicyDevice> {
    for (const device of this.#known.all()) yield device
    for (const id of this.#remembered.keys()) {
      if (this.#known.get(id) === undefined) yield this.named(id)
    }
  }

  /** All that the inventory knows at this moment. */
  seen(): Iterable<PolicyDevice> {
    return this.#known.all()
  }

  /**
   * Brings what is remembered of a device up to date; `state` says what is ordered. Tells what has to be stored: a record, null
   * where it is no longer needed, undefined where nothing changed.
   */
  remember(id: string, state: PolicyState): RememberedDevice | null | undefined {
    const before = this.#remembered.get(id)
    const accepted = state.said.get(id)
    if (!state.names(id) && accepted === undefined) {
      return before !== undefined && this.#remembered.delete(id) ? null : undefined
    }
    const device = this.#known.get(id)
    const { accepted: _, ...old } = before ?? { id, ips: [] }
    const facts =
      device === undefined
        ? old
        : {
            id,
            ...(device.mac === undefined ? {} : { mac: device.mac }),
            ips: [...device.ips].sort(),
            ...(device.shared ? { shared: true } : {}),
            ...(device.name === undefined ? {} : { name: cleanText(device.name, 63) }),
          }
    const now = { ...facts, ...(accepted === undefined ? {} : { accepted }) }
    if (JSON.stringify(now) === JSON.stringify(before)) return undefined
    this.#remembered.set(id, now)
    return now
  }

  /** Its name for a sentence; its id where it has none. */
  nameOf(id: string): string {
    const name = cleanText(this.find(id)?.name ?? '', 63)
    return name === '' ? id : name
  }
}
