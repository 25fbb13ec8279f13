// Home Assistant, as the agent sees it. This much is always in memory: it listens for Home Assistant on the broker, and loads
// the rest where Home Assistant is there.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Incident } from '../../protocol/act.ts'
import { discoveryTopic } from '../../protocol/home-assistant.ts'
import type { AgentEvent, Device, Info } from '../../protocol/messages.ts'
import type { JournalEntry, RuleView } from '../../protocol/policy.ts'
import { topicsOf } from '../../protocol/topics.ts'
import type { Config } from '../config.ts'
import type { History } from '../history/history.ts'
import type { Inventory } from '../inventory/inventory.ts'
import type { Log } from '../log.ts'
import type { Guest } from '../mqtt/guest.ts'
import type { Link } from '../mqtt/publisher.ts'
import { supervisorAccess } from '../supervisor/access.ts'
import type { SavedBlueprint } from './blueprints.ts'
import type { Discovery } from './discovery.ts'
import { HomeAssistantMemory } from './memory.ts'
import type { Registry, RegistryAccess } from './registry.ts'

const MEMORY = 'home-assistant.json'
/** So long the registries are waited for before the first device is announced. */
const NAMES_MS = 3000

export interface HomeAssistantParts {
  config: Pick<Config, 'agent' | 'broker' | 'data' | 'home_assistant' | 'mqtt'>
  version: string
  history: Pick<History, 'query' | 'remotes'>
  /** Whether names of remotes may leave this box. */
  publishNames: () => boolean
  nowMs: () => number
  log: Log
  devices: () => Iterable<Device>
  info: () => Info
  rules: () => readonly RuleView[]
  /** The latest first. */
  incidents: (limit: number) => readonly Incident[]
  inventory: Inventory
}

/** Tells Home Assistant, where there is one. */
export class HomeAssistant implements Guest {
  readonly #parts: HomeAssistantParts
  readonly memory: HomeAssistantMemory
  readonly #status: string
  #link: Link | undefined
  #discovery: Discovery | undefined
  #registry: Registry | undefined
  #loading = false
  #ready = false
  #wasHeard = false
  #stopped = false

  constructor(parts: HomeAssistantParts) {
    const { config, log } = parts
    this.#parts = parts
    this.memory = new HomeAssistantMemory(join(config.data, MEMORY), log)
    this.#status = `${config.home_assistant.prefix}/status`
  }

  /** Filters of what has to be heard on the broker. */
  get subscribe(): string[] {
    const { config } = this.#parts
    const { discovery, prefix } = config.home_assistant
    const topics = topicsOf(config.agent, config.mqtt.prefix)
    if (discovery === 'off') return []
    return [this.#status, `${prefix}/device/+/config`, topics.homeAssistant]
  }

  /** The agent is up: what is told from now on is true. */
  async start(): Promise<void> {
    this.memory.start()
    this.#ready = true
    if (this.#wasHeard) this.memory.hear()
    const access = accessOf(this.#parts.config)
    if (access !== undefined) await this.#follow(access)
    const registry = this.#registry
    if (this.#isExpected() && registry !== undefined) {
      // Entities are called for ever what a device is called when Home Assistant first hears of it.
      const late = sleep(NAMES_MS, undefined, { ref: false })
      void Promise.race([registry.settled, late]).then(() => this.#begin())
    } else if (this.#isExpected()) await this.#begin()
    else if (this.#parts.config.home_assistant.discovery === 'auto')
      this.#parts.log.debug(`waiting for Home Assistant to say online on ${this.#status}`)
  }

  /** Says nothing more: this agent stops, or another one with its id was there first. */
  stop(): void {
    this.#stopped = true
    this.#registry?.stop()
    this.#discovery?.stop()
    this.#discovery = undefined
  }

  connected(link: Link): void {
    this.#link = link
    this.#discovery?.connected()
  }

  disconnected(): void {
    this.#discovery?.disconnected()
  }

  message(topic: string, payload: Buffer, retained: boolean): void {
    if (topic === this.#status) {
      if (payload.toString('latin1') === 'online') this.#born()
    } else this.#discovery?.heard(topic, payload, retained)
  }

  device(device: Device): void {
    this.#discovery?.device(this.#named(device))
  }

  forget(deviceId: string): void {
    if (this.#discovery === undefined) this.memory.forget(deviceId)
    else this.#discovery.forget(deviceId)
  }

  info(info: Info): void {
    this.#discovery?.info(info)
  }

  incident(incident: Incident): void {
    this.#discovery?.incident(incident)
  }

  event(event: AgentEvent): void {
    this.#discovery?.event(event)
  }

  rules(): void {
    this.#discovery?.rules()
  }

  journal(entry: JournalEntry): void {
    this.#discovery?.journal(entry)
  }

  /** Saves Homespin's blueprints there; rejects with a sentence for people. Only ever done because a person asks for it. */
  async installBlueprints(): Promise<SavedBlueprint[]> {
    const access = accessOf(this.#parts.config)
    if (access === undefined)
      throw new Error(
        'this agent has no access to Home Assistant: give it home_assistant.url and home_assistant.token, or import the blueprints by their links in docs/blueprints.md',
      )
    const { installBlueprints } = await import('./blueprints.ts')
    return await installBlueprints(access)
  }

  /** A device as Home Assistant calls it: what it hears first it keeps. */
  #named(device: Device): Device {
    this.#registry?.name(device.id)
    const entry = this.#parts.inventory.get(device.id)
    if (entry === undefined) return device
    return { ...device, name: entry.name, name_source: entry.nameSource }
  }

  /** Whether Home Assistant is known to be there without its having said so now. */
  #isExpected(): boolean {
    const { home_assistant } = this.#parts.config
    if (home_assistant.discovery !== 'auto') return home_assistant.discovery === 'on'
    return accessOf(this.#parts.config) !== undefined || this.memory.heard
  }

  #born(): void {
    this.#wasHeard = true
    if (!this.#ready) return
    this.memory.hear()
    if (this.#discovery !== undefined) this.#discovery.born()
    else void this.#begin()
  }

  async #begin(): Promise<void> {
    if (this.#loading || this.#stopped) return
    this.#loading = true
    const { config, log } = this.#parts
    const { Discovery } = await import('./discovery.ts')
    if (this.#stopped) return
    this.#discovery = new Discovery({
      ...this.#parts,
      topics: topicsOf(config.agent, config.mqtt.prefix),
      publish: (topic, payload, options) =>
        this.#link?.publish(topic, payload, options) ?? Promise.resolve('lost'),
      memory: this.memory,
      factsOf: ({ mac }) => this.#registry?.factsOf(mac),
      problem: () => this.#registry?.problem,
    })
    this.#discovery.start()
    if (this.#link?.connected) this.#discovery.connected()
    log.info(
      `telling Home Assistant of ${config.home_assistant.announce} devices, as ${discoveryTopic(config.home_assistant.prefix, config.agent)}`,
    )
  }

  /** Loaded here, as most agents have no access to the registries. */
  async #follow(access: RegistryAccess): Promise<void> {
    const { config, inventory, log } = this.#parts
    const { Registry } = await import('./registry.ts')
    const onChange = (): void => this.#discovery?.factsChanged()
    const { agent } = config
    const { memory } = this
    this.#registry = new Registry({ access, agent, memory, inventory, log, onChange })
    this.#registry.start()
  }
}

/** Home Assistant's websocket: as configured, else by way of the Supervisor. */
function accessOf({ home_assistant }: Pick<Config, 'home_assistant'>): RegistryAccess | undefined {
  const { url, token } = home_assistant
  if (url !== undefined && token !== undefined) {
    return { url: `${socketUrl(url)}/api/websocket`, token }
  }
  const app = supervisorAccess(process.env)
  return app && { url: `${socketUrl(app.url)}/core/websocket`, token: app.token }
}

function socketUrl(url: string): string {
  return url.replace(/^http/i, 'ws').replace(/\/+$/, '')
}
