// Home Assistant's picture of the home, kept true over MQTT: which devices it is told of, what their entities show, and what is
// to be done when somebody deletes one there, writes on our topics, or Home Assistant or the broker begins anew.
import type { Incident } from '../../protocol/act.ts'
import { discoveryTopic, identifierOf } from '../../protocol/home-assistant.ts'
import type { AgentEvent, Device, Info } from '../../protocol/messages.ts'
import type { JournalEntry, RuleView } from '../../protocol/policy.ts'
import type { Topics } from '../../protocol/topics.ts'
import { DEVICE_ID } from '../../protocol/topics.ts'
import type { Config } from '../config.ts'
import type { History } from '../history/history.ts'
import type { Log } from '../log.ts'
import type { Link } from '../mqtt/publisher.ts'
import { agentPayload } from './agent-entities.ts'
import { agentState, controlsOf, defaultPolicyOf } from './agent-state.ts'
import type { Announcer, Controls } from './component.ts'
import { levelOptions } from './component.ts'
import type { RegistryFacts } from './device-entities.ts'
import { devicePayload } from './device-entities.ts'
import { DeviceShown } from './device-shown.ts'
import type { HomeAssistantMemory } from './memory.ts'
import { OwnTopics } from './own-topics.ts'
import { detectionEvent, newDeviceEvent } from './states.ts'
import { Summaries } from './summaries.ts'

/** Devices that are announced; a flood of made-up ones must not become one of entities. */
const MAX_DEVICES = 1000
/** New devices told as events in a minute. */
const MAX_NEW = 30
/** What an earlier run announced and nobody has seen since is taken back after so long. */
const LEFTOVER_MS = 600_000
/** Home Assistant has begun anew: it is told after this much, and up to as much again. */
const BIRTH_MS = 1000

export interface DiscoveryParts {
  config: Pick<Config, 'agent' | 'home_assistant' | 'mqtt'>
  version: string
  topics: Topics
  publish: Link['publish']
  memory: HomeAssistantMemory
  history: Pick<History, 'query' | 'remotes'>
  publishNames: () => boolean
  nowMs: () => number
  log: Log
  devices: () => Iterable<Device>
  info: () => Info
  rules: () => readonly RuleView[]
  /** The latest first. */
  incidents: (limit: number) => readonly Incident[]
  /** What Home Assistant's registries know of a device. */
  factsOf: (device: Device) => RegistryFacts | undefined
  /** What is wrong with the way to those. */
  problem: () => string | undefined
}

/** Announces, tells and corrects, from `start` to `stop`. */
export class Discovery {
  readonly #parts: DiscoveryParts
  readonly #own: OwnTopics
  readonly #by: Announcer
  readonly #summaries: Summaries
  readonly #shown = new Map<string, DeviceShown>()
  /** Topics with what an earlier run left there, and when they were found. */
  readonly #leftovers = new Map<string, number>()
  #controls: Controls = { levels: [], away: false, orders: false }
  #timer: NodeJS.Timeout | undefined
  #birth: NodeJS.Timeout | undefined
  #agentDeleted = false
  #tooMany = false
  #newDevices = { sinceMs: 0, count: 0 }

  constructor(parts: DiscoveryParts) {
    const { config, version, topics, publish, log } = parts
    this.#parts = parts
    this.#by = { agent: config.agent, version, topics }
    this.#own = new OwnTopics(publish, log)
    this.#summaries = new Summaries({
      ...parts,
      onFirst: (id) => this.#shown.get(id)?.summarise(),
    })
  }

  /** Announces what there is. */
  start(): void {
    const { info, devices, incidents, memory } = this.#parts
    this.#controls = this.#controlsNow(info())
    this.#announceAgent()
    this.#tellControls()
    const latest = Map.groupBy(incidents(1000), ({ device_id }) => device_id)
    for (const device of devices()) {
      if (!this.#isWanted(device)) continue
      const shown = this.#make(device)
      for (const incident of latest.get(device.id)?.toReversed() ?? []) shown?.incident(incident)
      shown?.announce(performance.now())
    }
    // After all of them are there: Home Assistant is quicker with one thing at a time.
    for (const shown of this.#shown.values()) shown.tell(performance.now())
    this.#tellAgent()
    memory.onPauseMinutes = (id) => this.#shown.get(id)?.control()
    this.#timer = setInterval(() => this.#tick(), 1000)
    this.#timer.unref()
  }

  /** Says nothing any more; what was told stays. */
  stop(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#birth)
    this.#own.close()
  }

  connected(): void {
    this.#leftovers.clear()
    this.#own.open()
  }

  disconnected(): void {
    this.#own.close()
  }

  /** Home Assistant has come: it hears everything again, not at the same moment as from everybody else. */
  born(): void {
    clearTimeout(this.#birth)
    this.#birth = setTimeout(() => this.#own.again(), BIRTH_MS * (1 + Math.random())).unref()
  }

  /** A message on one of our topics, or on another one's announcement. */
  heard(topic: string, payload: Buffer, retained: boolean): void {
    const heard = this.#own.heard(topic, payload)
    if (heard === 'unknown' && retained && payload.length > 0 && this.#isOurs(topic)) {
      this.#leftovers.set(topic, performance.now())
    }
    if (heard !== 'cleared') return
    const id = this.#announcedBy(topic)
    if (id === '') {
      this.#agentDeleted = true
      this.#own.abandon(topic)
    } else if (id !== undefined) this.#dismiss(id, topic)
  }

  device(device: Device): void {
    this.#reconsider(device)
    const shown = this.#shown.get(device.id)
    if (!this.#isWanted(device)) {
      if (shown !== undefined) this.#withdraw(device.id)
    } else if (shown === undefined) {
      const made = this.#make(device)
      made?.announce(performance.now())
      made?.tell(performance.now())
    } else shown.update(device)
  }

  forget(deviceId: string): void {
    this.#withdraw(deviceId)
    this.#parts.memory.forget(deviceId)
  }

  incident(incident: Incident): void {
    const shown = this.#shown.get(incident.device_id)
    if (shown === undefined) return
    const isNews = shown.incident(incident)
    shown.tellIncidents()
    if (!isNews) return
    const topic = this.#by.topics.homeAssistantDevice(incident.device_id, 'detection')
    this.#own.event(topic, detectionEvent(incident))
  }

  event({ kind, device }: AgentEvent): void {
    if (kind !== 'device_new' || device === undefined) return
    const nowMs = performance.now()
    if (nowMs - this.#newDevices.sinceMs > 60_000) this.#newDevices = { sinceMs: nowMs, count: 0 }
    this.#newDevices.count++
    if (this.#newDevices.count > MAX_NEW) return
    this.#own.event(this.#by.topics.homeAssistantAgent('new_device'), newDeviceEvent(device))
  }

  info(info: Info): void {
    const before = this.#controls
    this.#controls = this.#controlsNow(info)
    const { levels, orders } = this.#controls
    if (before.orders !== orders || before.levels.join() !== levels.join()) {
      this.#announceAgent()
      for (const shown of this.#shown.values()) {
        shown.renew()
        shown.control()
      }
    }
    this.#tellAgent()
  }

  rules(): void {
    this.#tellAgent()
  }

  /** A person accepted devices: those that were deleted in Home Assistant come back. */
  journal({ accepted = [] }: JournalEntry): void {
    for (const { device_id, after } of accepted) {
      if (after) this.#parts.memory.dismiss(device_id, undefined)
    }
  }

  /** What the registries know of devices has changed. */
  factsChanged(): void {
    for (const shown of this.#shown.values()) shown.renew()
    this.#tellAgent()
  }

  #make(device: Device): DeviceShown | undefined {
    this.#tooMany = this.#shown.size >= MAX_DEVICES
    if (this.#tooMany) return undefined
    const { config, memory, topics, factsOf } = this.#parts
    const shown = new DeviceShown(
      {
        agent: config.agent,
        topics,
        own: this.#own,
        configTopic: this.#configTopic(device.id),
        payloadOf: (now) => devicePayload(this.#by, now, this.#controls, factsOf(now)),
        options: () => levelOptions(this.#controls),
        pauseMinutes: (id) => memory.pauseMinutes(id),
        summaryOf: (id) => this.#summaries.get(id),
      },
      device,
    )
    this.#shown.set(device.id, shown)
    this.#summaries.touch(device.id)
    return shown
  }

  #withdraw(deviceId: string): void {
    this.#shown.get(deviceId)?.withdraw()
    this.#shown.delete(deviceId)
    this.#summaries.forget(deviceId)
  }

  #isWanted({ id, policy }: Device): boolean {
    const { config, memory } = this.#parts
    const { announce } = config.home_assistant
    if (announce === 'none' || memory.dismissed(id) !== undefined) return false
    return announce === 'all' || policy?.accepted !== false
  }

  /** The user has deleted a device in Home Assistant, which has cleared its announcement. */
  #dismiss(id: string, topic: string): void {
    const shown = this.#shown.get(id)
    if (shown === undefined) return
    const accepted = shown.device.policy?.accepted !== false
    this.#parts.memory.dismiss(id, { gone: !shown.device.present, accepted })
    this.#own.abandon(topic)
    this.#withdraw(id)
    this.#parts.log.info(
      `device ${id} was deleted in Home Assistant: it is announced again when it comes back or is accepted again`,
    )
  }

  /** Whether a device that was deleted has come back, or was accepted again. */
  #reconsider({ id, present, policy }: Device): void {
    const { memory } = this.#parts
    const dismissed = memory.dismissed(id)
    if (dismissed === undefined) return
    const accepted = policy?.accepted !== false
    if ((dismissed.gone && present) || (accepted && !dismissed.accepted)) {
      memory.dismiss(id, undefined)
    } else memory.dismiss(id, { gone: dismissed.gone || !present, accepted })
  }

  #announceAgent(): void {
    if (this.#agentDeleted) return
    const { info } = this.#parts
    this.#own.set(this.#configTopic(), agentPayload(this.#by, info().mode, this.#controls))
  }

  #tellAgent(): void {
    const { info, rules, problem } = this.#parts
    const problems = [
      problem(),
      this.#tooMany
        ? `Only ${MAX_DEVICES} devices are told to Home Assistant; there are more.`
        : undefined,
    ].filter((one) => one !== undefined)
    const defaultPolicy = defaultPolicyOf(rules(), levelOptions(this.#controls))
    const facts = { devices: this.#count(), defaultPolicy, problems }
    this.#own.set(this.#by.topics.homeAssistantAgent('state'), agentState(info(), facts))
    this.#tellControls()
  }

  /** Before any control, too: one of which this is not known is not available. */
  #tellControls(): void {
    const topic = this.#by.topics.homeAssistantAgent('controls')
    this.#own.set(topic, this.#controls.away ? 'offline' : 'online')
  }

  #count(): number {
    let count = 0
    for (const _ of this.#parts.devices()) count++
    return count
  }

  #controlsNow(info: Info): Controls {
    const { config, memory } = this.#parts
    const { commands, command_key, ha_controls } = config.mqtt
    const orders = { commands, isSigned: command_key !== undefined, haControls: ha_controls }
    const controls = controlsOf(info, orders, memory.levels)
    if (controls.orders) memory.setLevels(controls.levels)
    return controls
  }

  #tick(): void {
    const nowMs = performance.now()
    this.#own.tick()
    for (const [id, shown] of this.#shown) if (shown.tick(nowMs)) this.#summaries.touch(id)
    void this.#summaries.step()
    for (const [topic, sinceMs] of this.#leftovers) {
      if (nowMs - sinceMs < LEFTOVER_MS) break
      this.#leftovers.delete(topic)
      this.#own.clean(topic)
    }
  }

  #configTopic(deviceId?: string): string {
    const { config } = this.#parts
    return discoveryTopic(config.home_assistant.prefix, config.agent, deviceId)
  }

  /** The id of the device that is announced under a topic, '' for the agent; undefined for anything else. */
  #announcedBy(topic: string): string | undefined {
    if (topic === this.#configTopic()) return ''
    const begin = `${this.#parts.config.home_assistant.prefix}/device/${identifierOf(this.#by.agent)}_`
    if (!topic.startsWith(begin) || !topic.endsWith('/config')) return undefined
    const id = topic.slice(begin.length, -'/config'.length)
    return DEVICE_ID.test(id) ? id : undefined
  }

  #isOurs(topic: string): boolean {
    const states = this.#by.topics.homeAssistant.slice(0, -1)
    return topic.startsWith(states) || this.#announcedBy(topic) !== undefined
  }
}
