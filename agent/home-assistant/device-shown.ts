// One device as Home Assistant was told of it: which of its states is due. Controls and incidents at once, counters now and then.
import type { Incident } from '../../protocol/act.ts'
import type { Device } from '../../protocol/messages.ts'
import type { Topics } from '../../protocol/topics.ts'
import type { OwnTopics } from './own-topics.ts'
import type { Rates, Summary } from './states.ts'
import { controlState, incidentState, trafficState } from './states.ts'

/**
 * Between two messages about a device's counters, and the figures of an incident that goes on: four entities change with them,
 * and its recorder keeps a row of each.
 */
const COUNTERS_MS = 60_000
/** Between two announcements of a device: Home Assistant takes only one at a time up whole. */
const ANNOUNCE_MS = 5000
/** Incidents of one device that are kept in mind. */
const MAX_OPEN = 32

export interface ShownParts {
  agent: string
  topics: Topics
  own: OwnTopics
  configTopic: string
  /** The announcement of a device as it is now. */
  payloadOf: (device: Device) => string
  options: () => readonly string[]
  pauseMinutes: (deviceId: string) => number
  summaryOf: (deviceId: string) => Summary | undefined
}

/** Keeps what is told of a device true. Times are of performance.now(). */
export class DeviceShown {
  readonly #parts: ShownParts
  readonly #open = new Map<string, Incident>()
  #last: Incident | undefined
  #device: Device
  #counted: { device: Device; atMs: number } | undefined
  #rates: Rates = { received: 0, sent: 0 }
  #announcedMs = Number.NEGATIVE_INFINITY
  #announceDue = true
  #summaryDue = false
  /** What was told of incidents, without their figures. */
  #toldIncidents = ''

  constructor(parts: ShownParts, device: Device) {
    this.#parts = parts
    this.#device = device
  }

  get device(): Device {
    return this.#device
  }

  /** Announces it as it is now. */
  announce(nowMs: number): void {
    const { own, configTopic, payloadOf } = this.#parts
    this.#announceDue = false
    this.#announcedMs = nowMs
    own.set(configTopic, payloadOf(this.#device))
  }

  /** Tells its states, all of them. */
  tell(nowMs: number): void {
    this.control()
    this.#tellTraffic(nowMs)
    this.tellIncidents()
  }

  /** It is as it is told here now. */
  update(device: Device): void {
    const before = this.#device
    this.#device = device
    if (
      before.name !== device.name ||
      before.mac !== device.mac ||
      before.vendor !== device.vendor
    ) {
      this.#announceDue = true
    }
    this.control()
  }

  /** What is announced of it may be another thing now. */
  renew(): void {
    this.#announceDue = true
  }

  /** Its summary is there for the first time. */
  summarise(): void {
    this.#summaryDue = true
  }

  /** Takes in an incident; true where it is one that was not known, or has just been closed. */
  incident(incident: Incident): boolean {
    const known = this.#open.has(incident.id) || this.#last?.id === incident.id
    const wasOpen = this.#open.has(incident.id) || !known
    if (incident.state === 'open') {
      if (this.#open.size < MAX_OPEN || known) this.#open.set(incident.id, incident)
    } else this.#open.delete(incident.id)
    if (this.#last === undefined || incident.opened_ms >= this.#last.opened_ms) {
      this.#last = incident
    }
    return incident.state === 'open' ? !known : wasOpen
  }

  /** Where one has begun, ended or become worse; `isDue`: also where its figures alone have changed. */
  tellIncidents(isDue = false): void {
    const { own, topics } = this.#parts
    const open = [...this.#open.values()].map(({ id, kind, severity }) => [id, kind, severity])
    const told = JSON.stringify([open, this.#last?.id, this.#last?.state])
    if (told === this.#toldIncidents && !isDue) return
    this.#toldIncidents = told
    const payload = incidentState([...this.#open.values()], this.#last)
    own.set(topics.homeAssistantDevice(this.#device.id, 'incident'), payload)
  }

  control(): void {
    const { own, topics, options, pauseMinutes } = this.#parts
    const { id } = this.#device
    own.set(
      topics.homeAssistantDevice(id, 'control'),
      controlState(this.#device, options(), pauseMinutes(id)),
    )
  }

  /** Once a second: tells what has become due. True where its counters have changed. */
  tick(nowMs: number): boolean {
    if (this.#announceDue && nowMs - this.#announcedMs >= ANNOUNCE_MS) this.announce(nowMs)
    const counted = this.#counted
    const isDue = counted === undefined || nowMs - counted.atMs >= COUNTERS_MS
    const hasChanged = counted === undefined || bytesOf(counted.device) !== bytesOf(this.#device)
    const isSlow = this.#rates.received + this.#rates.sent > 0
    const isCounting = isDue && (hasChanged || isSlow)
    if (this.#summaryDue || isCounting) this.#tellTraffic(nowMs)
    if (isCounting) this.tellIncidents(true)
    return hasChanged
  }

  /** Takes all of it out of Home Assistant. */
  withdraw(): void {
    const { own, topics, configTopic } = this.#parts
    own.clear(configTopic)
    for (const part of ['control', 'traffic', 'incident'] as const) {
      own.clear(topics.homeAssistantDevice(this.#device.id, part))
    }
  }

  #tellTraffic(nowMs: number): void {
    const { own, topics, agent, summaryOf } = this.#parts
    const { id, received_bytes, sent_bytes } = this.#device
    const counted = this.#counted
    if (counted === undefined || nowMs - counted.atMs >= COUNTERS_MS) {
      const spanS = counted === undefined ? 0 : (nowMs - counted.atMs) / 1000
      const rate = (now: number, before: number): number =>
        spanS === 0 ? 0 : Math.max(0, now - before) / spanS
      this.#rates = {
        received: rate(received_bytes, counted?.device.received_bytes ?? 0),
        sent: rate(sent_bytes, counted?.device.sent_bytes ?? 0),
      }
      this.#counted = { device: this.#device, atMs: nowMs }
    }
    this.#summaryDue = false
    // Between two counts only the summary is new: the counters stay as they were told.
    const device = this.#counted?.device ?? this.#device
    own.set(
      topics.homeAssistantDevice(id, 'traffic'),
      trafficState(device, agent, this.#rates, summaryOf(id)),
    )
  }
}

function bytesOf({ sent_bytes, received_bytes }: Device): number {
  return sent_bytes + received_bytes
}
