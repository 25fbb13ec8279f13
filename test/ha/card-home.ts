// A home as its agent announces it to Home Assistant, with figures that look alive and a kernel that takes its time: what a
// card is drawn from, without packets. What is published is made by the agent's own functions.
import type { MqttClient } from 'mqtt'
import { connectAsync } from 'mqtt'
import { agentPayload } from '../../agent/home-assistant/agent-entities.ts'
import type { Announcer, Controls } from '../../agent/home-assistant/component.ts'
import { levelOptions } from '../../agent/home-assistant/component.ts'
import { devicePayload } from '../../agent/home-assistant/device-entities.ts'
import { controlState, incidentState, trafficState } from '../../agent/home-assistant/states.ts'
import type { Incident } from '../../protocol/act.ts'
import { discoveryTopic, identifierOf, OPEN } from '../../protocol/home-assistant.ts'
import type { Device, Flow, FlowBatch } from '../../protocol/messages.ts'
import type { Level } from '../../protocol/policy.ts'
import { topicsOf } from '../../protocol/topics.ts'
import type { Kind } from './card-days.ts'
import { FRIENDLY, KINDS, summaryOf } from './card-days.ts'

const AGENT = 'home'

const CONTROLS: Controls = {
  levels: ['observe', 'internet_only', 'local_only', 'full'],
  away: false,
  orders: true,
}

/** What somebody ordered by an entity. */
export interface Ordered {
  verb: string
  device?: string
  level?: string
  minutes?: number
}

/** Publishes between `start()` and `stop()`. */
export class CardHome {
  /** How long the kernel takes; `Infinity`: it never does what is asked. */
  kernelMs = 250
  /** What was ordered, in order. */
  readonly ordered: Ordered[] = []
  readonly devices: Device[] = []
  readonly #url: string
  readonly #kinds: readonly Kind[]
  readonly #topics = topicsOf(AGENT)
  readonly #by: Announcer
  readonly #pauses = new Map<string, number>()
  readonly #flows = new Map<string, Flow>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #client?: MqttClient
  #seq = 0
  #ticks = 0

  /** `isHostile`: with a device and remotes whose names would run if they could. */
  constructor(url: string, isHostile = true) {
    this.#url = url
    this.#kinds = isHostile ? KINDS : FRIENDLY
    this.#by = { agent: AGENT, version: '0.1.0', topics: this.#topics }
    const now = Date.now()
    this.#kinds.forEach(({ name, vendor, isAway }, index) => {
      const mac = `02:0d:e0:00:00:0${index + 1}`
      this.devices.push({
        type: 'device',
        id: mac.replaceAll(':', ''),
        mac,
        ips: [`192.0.2.${10 + index}`],
        name,
        name_source: 'user',
        ...(vendor === undefined ? {} : { vendor }),
        random_mac: false,
        present: isAway !== true,
        sent_bytes: 1e9,
        received_bytes: 5e9,
        sent_packets: 1e6,
        received_packets: 5e6,
        first_seen_ms: now - 9e9 + index,
        last_seen_ms: now,
        policy: { accepted: true, rules: [], restrictions: [], in_force: true },
      })
    })
  }

  /** Announces everything, retained, and begins to listen and to speak. */
  async start(): Promise<void> {
    const client = await connectAsync(this.#url)
    this.#client = client
    client.on('message', (topic, payload) => this.#take(topic, payload.toString()))
    await client.subscribeAsync(this.#topics.commands, { qos: 1 })
    await this.#retain(
      discoveryTopic('homeassistant', AGENT),
      agentPayload(this.#by, 'gateway', CONTROLS),
    )
    await this.setStatus('online')
    await this.#retain(this.#topics.homeAssistantAgent('controls'), 'online')
    await this.#retain(
      this.#topics.homeAssistantAgent('state'),
      JSON.stringify({
        visibility: 'gateway_two_armed',
        visibility_attributes: {},
        devices: this.devices.length,
        loss: 0,
        loss_attributes: {},
        problem: 'OFF',
        problem_attributes: { problems: [] },
        default_policy: OPEN,
      }),
    )
    for (const device of this.devices) {
      const payload = JSON.parse(devicePayload(this.#by, device, CONTROLS))
      payload.device.name = device.name
      // As a person does who wants it in the card.
      delete payload.components.connected.enabled_by_default
      await this.#retain(discoveryTopic('homeassistant', AGENT, device.id), JSON.stringify(payload))
      await this.show(device)
    }
    const timer = setInterval(() => this.#speak(), 1000)
    this.#timers.add(timer)
  }

  /** Clears what is retained, and leaves. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer)
    await this.#client?.endAsync(true)
  }

  /** The unique id of an entity of the nth device. */
  uniqueId(n: number, key: string): string {
    return `${identifierOf(AGENT, this.devices[n]?.id)}_${key}`
  }

  /** The agent is there, or is not. */
  async setStatus(status: 'online' | 'offline'): Promise<void> {
    await this.#retain(this.#topics.status, status)
  }

  /** Holds the nth device to a level, as somebody else could. */
  async hold(
    n: number,
    level: Level | undefined,
    until_ms?: number,
    reason?: string,
  ): Promise<void> {
    const device = this.devices[n]
    if (device?.policy === undefined) return
    device.policy = {
      accepted: true,
      rules: [],
      restrictions: [],
      in_force: true,
      ...(level === undefined ? {} : { level, desired_level: level }),
      ...(until_ms === undefined ? {} : { level_until_ms: until_ms }),
      ...(reason === undefined ? {} : { level_reason: reason }),
    }
    await this.#showControl(device)
  }

  /** Opens, or closes, an incident of the nth device. */
  async incident(n: number, incident: Incident): Promise<void> {
    const device = this.devices[n]
    if (device === undefined) return
    const { state } = incident
    const open = state === 'open' ? [incident] : []
    await this.#retain(
      this.#topics.homeAssistantDevice(device.id, 'incident'),
      incidentState(open, incident),
    )
    const topic = this.#topics.incident(incident.id)
    if (state === 'open') await this.#retain(topic, JSON.stringify(incident))
    else await this.#retain(topic, '')
  }

  /** Publishes every state of a device. */
  async show(device: Device): Promise<void> {
    const index = this.devices.indexOf(device)
    await this.#showControl(device)
    await this.#retain(
      this.#topics.homeAssistantDevice(device.id, 'traffic'),
      trafficState(device, AGENT, { received: 0, sent: 0 }, summaryOf(this.#kinds[index], index)),
    )
    await this.#retain(
      this.#topics.homeAssistantDevice(device.id, 'incident'),
      incidentState([], undefined),
    )
  }

  async #showControl(device: Device): Promise<void> {
    await this.#retain(
      this.#topics.homeAssistantDevice(device.id, 'control'),
      controlState(device, levelOptions(CONTROLS), this.#pauses.get(device.id)),
    )
  }

  #take(topic: string, text: string): void {
    const verb = topic.slice(topic.lastIndexOf('/') + 1)
    const order = { verb, ...(JSON.parse(text) as Omit<Ordered, 'verb'>) }
    this.ordered.push(order)
    if (!Number.isFinite(this.kernelMs)) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void this.#carryOut(order)
    }, this.kernelMs)
    this.#timers.add(timer)
  }

  async #carryOut({ verb, device: id = '', level, minutes = 30 }: Ordered): Promise<void> {
    const n = this.devices.findIndex((device) => device.id === id)
    const device = this.devices[n]
    if (device === undefined) return
    if (verb === 'quarantine') await this.hold(n, level === OPEN ? undefined : (level as Level))
    else if (verb === 'pause') {
      const pause = this.#pauses.get(id) ?? 30
      await this.hold(n, 'local_only', Date.now() + pause * 60_000, 'Paused in Home Assistant')
    } else if (verb === 'pause-minutes') {
      this.#pauses.set(id, minutes)
      await this.#showControl(device)
    }
  }

  /** A second of flows, over MQTT as the agent publishes them. */
  #speak(): void {
    const to_ms = Date.now()
    this.#ticks += 1
    const flows: Flow[] = []
    this.#kinds.forEach(({ remotes, most, sent }, index) => {
      const device = this.devices[index]
      if (device === undefined || !device.present || device.policy?.level !== undefined) return
      remotes.forEach((remote, r) => {
        const swing = 0.6 + 0.4 * Math.sin(this.#ticks / (3 + r) + index)
        const bytes = (most / 1800) * swing * (r === 0 ? 1 : 0.06 / r)
        flows.push(
          this.#flow(device, `${index}-${r}`, remote, bytes * sent, bytes * (1 - sent), to_ms),
        )
      })
    })
    const batch: FlowBatch = {
      type: 'flow_batch',
      seq: ++this.#seq,
      from_ms: to_ms - 1000,
      to_ms,
      part: 1,
      parts: 1,
      complete: true,
      flows,
    }
    this.#client?.publish(this.#topics.flow, JSON.stringify(batch))
  }

  #flow(
    device: Device,
    key: string,
    remote: string,
    sent: number,
    received: number,
    now_ms: number,
  ): Flow {
    const before = this.#flows.get(key)
    const isAddress = /^[\d.]+$/.test(remote)
    const flow: Flow = {
      type: 'flow',
      id: `fixture-${key}`,
      device_id: device.id,
      direction: 'outbound',
      protocol: 'tcp',
      originator: { ip: device.ips[0] ?? '192.0.2.1', port: 50_000 },
      responder: { ip: isAddress ? remote : '203.0.113.9', port: 443 },
      ...(isAddress ? {} : { remote_name: remote, remote_name_source: 'dns' as const }),
      service: 'https',
      sent_bytes: Math.round((before?.sent_bytes ?? 0) + sent),
      received_bytes: Math.round((before?.received_bytes ?? 0) + received),
      sent_packets: 1,
      received_packets: 1,
      first_ms: before?.first_ms ?? now_ms,
      last_ms: now_ms,
      state: before === undefined ? 'new' : 'active',
    }
    this.#flows.set(key, flow)
    return flow
  }

  async #retain(topic: string, payload: string): Promise<void> {
    await this.#client?.publishAsync(topic, payload, { qos: 1, retain: true })
  }
}
