// The devices of one agent, as its retained topics and its events tell, and what is new about them.

import { isIP } from 'node:net'
import type { AgentEvent, Device } from '../protocol/messages.ts'
import { DEVICE_ID } from '../protocol/topics.ts'
import { addressMatch } from './match.ts'

/** What happened to a device. `gone`: not seen for a while, or forgotten. `present`: it was there before we came. */
export type DeviceChangeKind = 'new' | 'changed' | 'gone' | 'back' | 'present'

/** One thing that happened to one device. */
export interface DeviceChange {
  kind: DeviceChangeKind
  /** Of a device that is gone: as it was last. */
  device: Device
  /** For `changed`, and for `back` where it came back as another: the keys that changed, counters and times left out. */
  changed?: string[]
}

interface Entry {
  device: Device
  /** The session in which the agent last spoke of it. */
  session: number
  /** `new` has been said. */
  announced: boolean
}

/** How many devices are kept; beyond it new ones are refused. */
export const MAX_DEVICES = 2048

/** How many devices that are gone are remembered, so that event and retained topic together say it once. */
const MAX_GONE = 256

/** What changes while a device stays what it is. `present` has kinds of its own. */
const PASSING = new Set([
  'type',
  'present',
  'sent_bytes',
  'received_bytes',
  'sent_packets',
  'received_packets',
  'first_seen_ms',
  'last_seen_ms',
])

/** Knows the devices of one agent. Every change is told once, whichever topic told of it first. */
export class Inventory {
  readonly #limit: number
  readonly #entries = new Map<string, Entry>()
  readonly #gone = new Set<string>()
  #session = 0
  #newestMs = 0
  /** The newest time we had heard of when the connection was lost; undefined in the first session. */
  #heardUntilMs: number | undefined
  /** All that is retained has come in this session: what comes from here on was not there before. */
  #isSettled = false

  constructor(limit: number = MAX_DEVICES) {
    this.#limit = limit
  }

  get size(): number {
    return this.#entries.size
  }

  /** Every device, by name. */
  devices(): Device[] {
    return [...this.#entries.values()]
      .map((entry) => entry.device)
      .sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id))
  }

  get(id: string): Device | undefined {
    return this.#entries.get(id)?.device
  }

  /** The devices that `text` may mean: one with that id or MAC, else those with that address, else those with that name. */
  find(text: string): Device[] {
    const wanted = text.trim()
    const id = wanted.toLowerCase().replace(/[:.-]/g, '')
    const devices = this.devices()
    const byId = DEVICE_ID.test(id)
      ? devices.filter((device) => device.id === id || device.mac?.replaceAll(':', '') === id)
      : []
    if (byId.length > 0) return byId
    if (isIP(wanted) !== 0) {
      const isIt = addressMatch([wanted])
      return devices.filter((device) => device.ips.some(isIt))
    }
    const name = wanted.toLowerCase()
    return name === '' ? [] : devices.filter((device) => device.name.toLowerCase() === name)
  }

  /** Forgets all, as if it had just begun. */
  clear(): void {
    this.#entries.clear()
    this.#gone.clear()
    this.#session = 0
    this.#newestMs = 0
    this.#heardUntilMs = undefined
    this.#isSettled = false
  }

  /** A connection begins: what the agent does not name again before `sweep` has been forgotten meanwhile. */
  beginSession(): void {
    if (this.#session > 0 && this.#entries.size > 0) this.#heardUntilMs = this.#newestMs
    this.#session += 1
    this.#isSettled = false
  }

  /** Takes the retained state of a device. Undefined: nothing new. Throws an Error where there is no room. */
  take(device: Device): DeviceChange | undefined {
    const entry = this.#entries.get(device.id)
    if (entry) return this.#update(entry, device)
    this.#add(device)
    // Its event may have been missed; a device that began after the last word that we heard is new all the same.
    const isLater = this.#heardUntilMs !== undefined && device.first_seen_ms > this.#heardUntilMs
    if (this.#isSettled || isLater) return this.#announce(device)
    return device.present ? { kind: 'present', device } : undefined
  }

  /** Takes an emptied retained topic: the agent has forgotten the device. */
  forget(id: string): DeviceChange | undefined {
    const entry = this.#entries.get(id)
    this.#entries.delete(id)
    return entry?.device.present ? this.#sayGone({ ...entry.device, present: false }) : undefined
  }

  /** Takes an event; those that are not about a device are none of ours. Throws an Error where there is no room. */
  takeEvent(event: AgentEvent): DeviceChange | undefined {
    const device = event.device
    if (!device) return undefined
    const entry = this.#entries.get(device.id)
    if (event.kind === 'device_gone') {
      const gone = { ...device, present: false }
      return entry ? this.#update(entry, gone) : this.#sayGone(gone)
    }
    if (event.kind === 'device_new') {
      if (entry?.announced) return this.#update(entry, device)
      if (entry) entry.device = device
      else this.#add(device)
      return this.#announce(device)
    }
    if (event.kind !== 'device_changed') return undefined
    if (entry) return this.#update(entry, device)
    this.#add(device)
    return { kind: 'changed', device, changed: event.changed ?? [] }
  }

  /** To be called once all that is retained has come: the devices that were not named in this session are gone. */
  sweep(): DeviceChange[] {
    this.#isSettled = true
    const stale = [...this.#entries.values()].filter((entry) => entry.session !== this.#session)
    return stale.flatMap((entry) => this.forget(entry.device.id) ?? [])
  }

  #add(device: Device): void {
    if (this.#entries.size >= this.#limit) {
      throw new Error(`there are more than ${this.#limit} devices; the others are left out`)
    }
    this.#entries.set(device.id, { device, session: this.#session, announced: false })
    this.#gone.delete(device.id)
    this.#newestMs = Math.max(this.#newestMs, device.last_seen_ms)
  }

  #update(entry: Entry, device: Device): DeviceChange | undefined {
    const wasPresent = entry.device.present
    const changed = changedKeys(entry.device, device)
    entry.device = device
    entry.session = this.#session
    this.#newestMs = Math.max(this.#newestMs, device.last_seen_ms)
    if (wasPresent && !device.present) return this.#sayGone(device)
    this.#gone.delete(device.id)
    if (!wasPresent && device.present) {
      return { kind: 'back', device, ...(changed.length > 0 && { changed }) }
    }
    return changed.length > 0 ? { kind: 'changed', device, changed } : undefined
  }

  #announce(device: Device): DeviceChange {
    const entry = this.#entries.get(device.id)
    if (entry) entry.announced = true
    return { kind: 'new', device }
  }

  #sayGone(device: Device): DeviceChange | undefined {
    if (this.#gone.has(device.id)) return undefined
    this.#gone.add(device.id)
    const [oldest] = this.#gone
    if (this.#gone.size > MAX_GONE && oldest !== undefined) this.#gone.delete(oldest)
    return { kind: 'gone', device }
  }
}

function changedKeys(before: Device, after: Device): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].filter((key) => {
    if (PASSING.has(key)) return false
    return comparable(before, key) !== comparable(after, key)
  })
}

/** Addresses are compared as a set: their order changes with every packet. */
function comparable(device: Device, key: string): string | undefined {
  const value = (device as unknown as Record<string, unknown>)[key]
  return JSON.stringify(key === 'ips' ? [...device.ips].sort() : value)
}
