// Everything that is told, to everybody who listens: MQTT and the pages that are open.
import type { BlockedBatch, Connection, Incident } from '../protocol/act.ts'
import type { AgentEvent, Device, Info } from '../protocol/messages.ts'
import type { Group, JournalEntry, RuleView } from '../protocol/policy.ts'
import type { HomeAssistant } from './home-assistant/home-assistant.ts'
import type { LiveFeed } from './http/live-feed.ts'
import type { MqttRoom } from './mqtt/mqtt-room.ts'
import type { Tick } from './observer.ts'

/** Where it goes. */
export interface OutletParts {
  mqtt: MqttRoom
  live: LiveFeed
  homeAssistant: HomeAssistant
}

/** Numbers events, and hands on. */
export class Outlets {
  readonly #parts: OutletParts
  #events = 0

  constructor(parts: OutletParts) {
    this.#parts = parts
  }

  /** Whether anybody takes flows and DNS queries now. */
  get heard(): boolean {
    return this.#parts.mqtt.heard || this.#parts.live.clients > 0
  }

  interval({ interval, rates }: Tick): void {
    this.#parts.mqtt.interval(interval)
    this.#parts.live.interval(interval, rates)
  }

  /** `live`: with the counters of this moment, which pages show and nobody keeps. */
  device(device: Device, live: Device): void {
    this.#parts.mqtt.device(device)
    this.#parts.live.device(live)
    this.#parts.homeAssistant.device(device)
  }

  info(info: Info): void {
    this.#parts.mqtt.info(info)
    this.#parts.live.info(info)
    this.#parts.homeAssistant.info(info)
  }

  event(event: Omit<AgentEvent, 'type' | 'seq'>): void {
    this.#events++
    const whole: AgentEvent = { type: 'event', seq: this.#events, ...event }
    this.#parts.mqtt.event(whole)
    this.#parts.live.event(whole)
    this.#parts.homeAssistant.event(whole)
  }

  incident(incident: Incident): void {
    this.#parts.mqtt.incident(incident)
    this.#parts.live.incident(incident)
    this.#parts.homeAssistant.incident(incident)
  }

  blocked(batch: BlockedBatch): void {
    this.#parts.mqtt.blocked(batch)
    this.#parts.live.blocked(batch)
  }

  connection(connection: Connection): void {
    this.#parts.mqtt.connection(connection)
    this.#parts.live.connection(connection)
  }

  rules(rules: readonly RuleView[]): void {
    this.#parts.live.rules(rules)
    this.#parts.homeAssistant.rules()
  }

  groups(groups: readonly Group[]): void {
    this.#parts.live.groups(groups)
  }

  journal(entry: JournalEntry): void {
    this.#parts.live.journal(entry)
    this.#parts.homeAssistant.journal(entry)
  }
}
