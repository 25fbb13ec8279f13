// Devices on their way out: stored, then told; identity at once, counters every half minute.
import type { AgentEvent, Device } from '../protocol/messages.ts'
import type { DeviceEntry, Inventory, InventoryChange } from './inventory/inventory.ts'
import { deviceMessage } from './inventory/inventory.ts'

/** Counters are stored and told this often. */
const COUNTERS_MS = 30_000
/** How often it is looked whether a device has gone. */
const GONE_CHECK_MS = 10_000
/** New devices told as events in one second, at most: a flood of made-up MACs must not become one of messages. */
const EVENTS_PER_TICK = 100

export interface DeviceDeskParts {
  inventory: Inventory
  goneAfterMs: number
  /** Stores devices; false where the store does not take them. */
  save: (devices: readonly Device[]) => boolean
  /** Devices came, or their identity changed: before that is told. */
  changed: (ids: readonly string[]) => void
  tell: (device: Device) => void
  /** Takes a device that is forgotten out of the store and off the broker. */
  forget: (id: string) => void
  event: (event: Omit<AgentEvent, 'type' | 'seq'>) => void
}

/** Called with every tick. */
export class DeviceDesk {
  readonly #parts: DeviceDeskParts
  #countersMs = 0
  #goneMs = 0
  /** `lastSeenMs` of each device when its counters were last told. */
  readonly #told = new Map<string, number>()

  /** Devices that the store or the broker has heard of, now or in an earlier run. */
  readonly #known = new Set<string>()
  #begun = false

  constructor(parts: DeviceDeskParts) {
    this.#parts = parts
  }

  tick(nowMs: number): void {
    const { inventory, goneAfterMs, forget } = this.#parts
    if (!this.#begun) for (const { id } of inventory.all()) this.#known.add(id)
    this.#begun = true
    if (Math.abs(nowMs - this.#goneMs) >= GONE_CHECK_MS) {
      this.#goneMs = nowMs
      inventory.expire(nowMs - goneAfterMs)
    }
    for (const id of inventory.takeEvicted()) {
      if (inventory.get(id) === undefined && this.#known.delete(id)) forget(id)
    }
    const changes = inventory.takeChanges()
    if (changes.length > 0) this.#tellChanges(changes, nowMs)
    if (Math.abs(nowMs - this.#countersMs) >= COUNTERS_MS) {
      this.#countersMs = nowMs
      this.flush()
    }
  }

  /** Stores and tells the counters of every device that was seen since they were last told. */
  flush(): void {
    const { inventory, save, tell } = this.#parts
    for (const id of this.#told.keys()) if (inventory.get(id) === undefined) this.#told.delete(id)
    const entries = [...inventory.all()].filter((e) => this.#told.get(e.id) !== e.lastSeenMs)
    const devices = entries.map(deviceMessage)
    if (devices.length === 0 || !save(devices)) return
    for (const entry of entries) this.#told.set(entry.id, entry.lastSeenMs)
    for (const device of devices) {
      this.#known.add(device.id)
      tell(device)
    }
  }

  #tellChanges(changes: readonly InventoryChange[], nowMs: number): void {
    const { save, changed, tell, event } = this.#parts
    const devices = new Map(changes.map(({ entry }) => [entry.id, deviceMessage(entry)]))
    save([...devices.values()])
    changed([...devices.keys()])
    for (const device of devices.values()) {
      this.#known.add(device.id)
      tell(device)
    }
    for (const change of changes.slice(0, EVENTS_PER_TICK)) {
      const device = devices.get(change.entry.id)
      event({
        kind: change.kind,
        time_ms: nowMs,
        device_id: change.entry.id,
        ...(device === undefined ? {} : { device }),
        ...(change.kind === 'device_changed' ? { changed: change.changed } : {}),
        sentence: sentenceOf(change),
      })
    }
  }
}

function sentenceOf(change: InventoryChange): string {
  const name = nameOf(change.entry)
  switch (change.kind) {
    case 'device_new':
      return `A new device: ${name}`
    case 'device_gone':
      return `${name} has not been seen for a while`
    case 'device_changed':
      return `${name} changed: ${change.changed.join(', ')}`
  }
}

function nameOf(entry: DeviceEntry): string {
  return entry.name === '' ? entry.id : entry.name
}
