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

type Counters = Pick<Device, 'sent_bytes' | 'received_bytes' | 'sent_packets' | 'received_packets'>

const NOTHING: Counters = { sent_bytes: 0, received_bytes: 0, sent_packets: 0, received_packets: 0 }

export interface DeviceDeskParts {
  inventory: Inventory
  goneAfterMs: number
  /** Stores devices; false where the store does not take them. */
  save: (devices: readonly Device[]) => boolean
  /** Devices came, or their identity changed: before that is told. */
  changed: (ids: readonly string[]) => void
  /** `device` has the counters that were stored last; `live` those of this moment, for who does not keep them. */
  tell: (device: Device, live: Device) => void
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

  /** Counters as they were stored last: a crash takes what came since, so that others must not have heard of it. */
  readonly #stored = new Map<string, Counters>()

  constructor(parts: DeviceDeskParts) {
    this.#parts = parts
  }

  /** Devices as they are stored. */
  restore(devices: readonly Device[]): void {
    for (const device of devices) this.#stored.set(device.id, countersOf(device))
  }

  /** Tells a device of which something else than its counters has changed. */
  show(entry: DeviceEntry): void {
    const live = deviceMessage(entry)
    this.#parts.tell(this.stored(live), live)
  }

  /** A device with the counters that were stored last. */
  stored(device: Device): Device {
    return { ...device, ...(this.#stored.get(device.id) ?? NOTHING) }
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
    const { inventory, tell } = this.#parts
    for (const map of [this.#told, this.#stored])
      for (const id of map.keys()) if (inventory.get(id) === undefined) map.delete(id)
    const entries = [...inventory.all()].filter((e) => this.#told.get(e.id) !== e.lastSeenMs)
    const devices = entries.map(deviceMessage)
    if (devices.length === 0 || !this.#save(devices)) return
    for (const entry of entries) this.#told.set(entry.id, entry.lastSeenMs)
    for (const device of devices) {
      this.#known.add(device.id)
      tell(device, device)
    }
  }

  #save(devices: readonly Device[]): boolean {
    const saved = this.#parts.save(devices)
    if (saved) this.restore(devices)
    return saved
  }

  #tellChanges(changes: readonly InventoryChange[], nowMs: number): void {
    const { changed, tell, event } = this.#parts
    const devices = new Map(changes.map(({ entry }) => [entry.id, deviceMessage(entry)]))
    this.#save([...devices.values()])
    changed([...devices.keys()])
    for (const device of devices.values()) {
      this.#known.add(device.id)
      tell(this.stored(device), device)
    }
    for (const change of changes.slice(0, EVENTS_PER_TICK)) {
      const device = devices.get(change.entry.id)
      event({
        kind: change.kind,
        time_ms: nowMs,
        device_id: change.entry.id,
        ...(device === undefined ? {} : { device: this.stored(device) }),
        ...(change.kind === 'device_changed' ? { changed: change.changed } : {}),
        sentence: sentenceOf(change),
      })
    }
  }
}

function countersOf(device: Device): Counters {
  const { sent_bytes, received_bytes, sent_packets, received_packets } = device
  return { sent_bytes, received_bytes, sent_packets, received_packets }
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
