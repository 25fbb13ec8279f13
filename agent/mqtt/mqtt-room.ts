// MQTT as the agent sees it: the embedded broker where that was chosen, the link, and what is published.
import { join } from 'node:path'
import type { BlockedBatch, Connection, Incident } from '../../protocol/act.ts'
import { HOME_ASSISTANT_VERBS } from '../../protocol/commands.ts'
import type { AgentEvent, Capability, Device, Info } from '../../protocol/messages.ts'
import type { Topics } from '../../protocol/topics.ts'
import { topicsOf } from '../../protocol/topics.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import type { Interval } from '../interval.ts'
import { isLoopback } from '../listen.ts'
import type { Log } from '../log.ts'
import type { Methods } from '../methods/registry.ts'
import type { BrokerFinder } from './broker-at.ts'
import { CommandAnswers } from './command-answers.ts'
import { CommandDesk } from './command-desk.ts'
import { CommandMemory } from './command-memory.ts'
import { CommandFile } from './command-store.ts'
import { EmbeddedBroker } from './embedded-broker.ts'
import { EmbeddedLink } from './embedded-link.ts'
import type { Guest } from './guest.ts'
import { withGuest } from './guest.ts'
import { keepNoPacketNumbers } from './packet-numbers.ts'
import type { Link } from './publisher.ts'
import { linkNeeds, Publisher } from './publisher.ts'
import { SoleLink } from './sole-link.ts'

/** A home has one agent: its broker is not overrun when it returns, and people wait for it. */
const MAX_BACK_OFF_MS = 10_000

/** What `broker` of the configuration says where the Supervisor knows it. */
const SUPERVISOR = 'supervisor'

/** The port of MQTT (IANA), tried first. */
const MQTT_PORT = 1883

export interface MqttRoomParts {
  config: Pick<Config, 'agent' | 'broker' | 'devices' | 'mqtt'>
  instance: string
  clock: Clock
  /** How long this agent has run, by a clock that nobody sets. */
  upMs: () => number
  log: Log
  /** Whether this is the only agent with its id on the broker, and if not, what of it. */
  onInstances: (capability: Capability) => void
  /** Tells where the broker is, where the configuration leaves that to the Supervisor. */
  finder?: BrokerFinder
  /** What may be ordered by MQTT; absent: nothing. */
  commands?: CommandParts
  /** Who listens along and publishes too. */
  guest?: Guest
}

const ALONE = 'No other agent with this id is on the broker.'

function standByReason(agent: string): string {
  return `another agent with the id ${agent} was on the broker first: until it has gone this one publishes nothing and takes no changes. Give each its own id with --agent`
}

export interface CommandParts {
  methods: Methods
  /** Folder in which the ids of orders are kept. */
  data: string
  /** Whether the clock on the wall is synchronised. */
  isSynchronised: () => boolean
}

/** Starts broker and publisher in order, and passes on what happens. */
export class MqttRoom {
  readonly #parts: MqttRoomParts
  #broker: EmbeddedBroker | undefined
  #publisher: Publisher | undefined
  #desk: CommandDesk | undefined
  #url = ''
  #namesPublished = false
  #standsBy = false

  constructor(parts: MqttRoomParts) {
    this.#parts = parts
  }

  /** Throws an Error with a sentence when the embedded broker's port can't be had or a certificate can't be read. */
  async start(): Promise<void> {
    const { config, log, clock, instance, guest, onInstances } = this.#parts
    keepNoPacketNumbers()
    onInstances({ ok: true, reason: ALONE })
    const topics = topicsOf(config.agent, config.mqtt.prefix)
    const own = await (config.broker === 'embedded'
      ? this.#startBroker(topics)
      : this.#linkTo(config.broker, topics))
    const sole = this.#soleLink(own, topics)
    const link = guest === undefined ? sole : withGuest(sole, guest, topics.commands.slice(0, -1))
    this.#namesPublished = this.#publishNames()
    this.#publisher = new Publisher({
      link,
      topics,
      instance,
      clock,
      log,
      publishNames: this.#namesPublished,
      limits: { maxDevices: config.devices.max },
      onCommand: (message) => this.#desk?.take(message),
    })
    this.#desk = this.#commandDesk(link, topics)
    this.#desk?.start()
    this.#publisher.start()
  }

  async stop(): Promise<void> {
    this.#desk?.stop()
    this.#desk = undefined
    await this.#publisher?.stop()
    await this.#broker?.stop()
    this.#publisher = undefined
    this.#broker = undefined
  }

  /**
   * Why this agent changes nothing, while it stands by for another one with its id. Where nothing is taken from MQTT
   * (`mqtt.commands: none`) and nobody signs, what is heard there keeps nobody from changing something here.
   */
  get readOnly(): string | undefined {
    const { agent, mqtt } = this.#parts.config
    const heeds = mqtt.commands !== 'none' || mqtt.command_key !== undefined
    return this.#standsBy && heeds ? standByReason(agent) : undefined
  }

  /** Where the broker is. */
  get url(): string {
    return this.#url
  }

  /** Whether names of remotes are published. */
  get publishesNames(): boolean {
    return this.#namesPublished
  }

  /** Messages dropped since the start. */
  get dropped(): number {
    return this.#publisher?.spoolDropped ?? 0
  }

  /** False only where it is sure that nobody listens: the embedded broker has no client. */
  get heard(): boolean {
    return this.#broker === undefined || this.#broker.clients > 0
  }

  /** While flows are on their way to the broker, resolves when they have gone. */
  get busy(): Promise<void> | undefined {
    return this.#publisher?.busy
  }

  /** Everything that there is has been told: what else the broker retains of this agent is left over. */
  complete(): void {
    this.#publisher?.complete()
  }

  interval(interval: Interval): void {
    if (!this.#standsBy) this.#publisher?.publishInterval(interval)
  }

  device(device: Device): void {
    this.#publisher?.publishDevice(device)
  }

  forget(id: string): void {
    this.#publisher?.forgetDevice(id)
  }

  info(info: Info): void {
    this.#publisher?.publishInfo(info)
  }

  event(event: AgentEvent): void {
    if (!this.#standsBy) this.#publisher?.publishEvent(event)
  }

  incident(incident: Incident): void {
    this.#publisher?.publishIncident(incident)
  }

  blocked(batch: BlockedBatch): void {
    if (!this.#standsBy) this.#publisher?.publishBlocked(batch)
  }

  connection(connection: Connection): void {
    if (!this.#standsBy) this.#publisher?.publishConnection(connection)
  }

  /** Nobody can be on the embedded broker before its own agent. */
  #soleLink(own: Link, topics: Topics): Link {
    const { config, instance, upMs, log, onInstances } = this.#parts
    const { agent, broker, mqtt } = config
    return new SoleLink(own, {
      agent,
      instance,
      topics,
      upMs,
      ...(mqtt.command_key === undefined ? {} : { key: mqtt.command_key }),
      ...(broker === 'embedded' ? { times: { settleMs: 0, newMs: 0 } } : {}),
      onStandBy: (other) => {
        const stoodBy = this.#standsBy
        this.#standsBy = other !== undefined
        if (this.#standsBy) {
          log.warn(standByReason(agent))
          onInstances({ ok: false, reason: standByReason(agent) })
        } else if (stoodBy) {
          log.info(`the other agent with the id ${agent} has gone: this one goes on`)
          onInstances({ ok: true, reason: ALONE })
        }
      },
      onOthers: (others) => {
        const reason = `another agent with the id ${agent} stands by on the broker: give each its own with --agent`
        if (others.length > 0) log.warn(`${reason} (instance ${others.join(', ')})`)
        onInstances(others.length === 0 ? { ok: true, reason: ALONE } : { ok: false, reason })
      },
      onUnsigned: () =>
        log.warn(
          `on the broker somebody speaks as agent ${agent} who does not sign with this mqtt.command_key: if that is an agent of yours, give each its own id with --agent`,
        ),
    })
  }

  #commandDesk(link: Link, topics: Topics): CommandDesk | undefined {
    const { config, commands, clock, log } = this.#parts
    if (commands === undefined) return undefined
    const answers = new CommandAnswers(link, log)
    const { command_key, ha_controls, prefix } = config.mqtt
    return new CommandDesk({
      agent: config.agent,
      policy: config.mqtt.commands,
      ...(command_key === undefined ? {} : { key: command_key }),
      ...(ha_controls === 'unsigned' ? { unsigned: HOME_ASSISTANT_VERBS } : {}),
      methods: commands.methods,
      publishNames: this.#namesPublished,
      memory: new CommandMemory(new CommandFile(join(commands.data, 'commands'))),
      clock,
      isSynchronised: commands.isSynchronised,
      answer: (verb, payload, to) => answers.send(topics.response(verb), payload, to, prefix),
      clear: (topic) => void link.publish(topic, '', { qos: 1, retain: true }),
      log,
    })
  }

  async #startBroker(topics: Topics): Promise<Link> {
    const { config, log } = this.#parts
    const { embedded_port: port, username, password } = config.mqtt
    if (username !== undefined && password === undefined)
      log.warn('mqtt.username without mqtt.password: the embedded broker lets everybody in')
    this.#broker = new EmbeddedBroker({
      listen: { host: '127.0.0.1', port: port ?? MQTT_PORT, fixed: port !== undefined },
      ...(username === undefined ? {} : { user: username }),
      ...(password === undefined ? {} : { password }),
      log,
    })
    await this.#broker.start()
    this.#url = this.#broker.url
    const { subscribe, commands } = this.#needs(topics)
    return new EmbeddedLink(this.#broker, subscribe, commands)
  }

  async #linkTo(url: string, topics: Topics): Promise<Link> {
    const { config, log, finder } = this.#parts
    const { username, password, ca_file, cert_file, key_file } = config.mqtt
    this.#url = url
    // Loaded here, because whoever uses the embedded broker needs none of it in memory.
    const { MqttLink } = await import('./mqtt-link.ts')
    const link = new MqttLink({
      url: url === SUPERVISOR ? 'mqtt://supervisor' : url,
      clientIdPrefix: `homespin-${config.agent}`,
      maxBackOffMs: MAX_BACK_OFF_MS,
      ...this.#needs(topics),
      log,
      ...(username === undefined ? {} : { user: username }),
      ...(password === undefined ? {} : { password }),
      ...(ca_file === undefined ? {} : { caFile: ca_file }),
      ...(cert_file === undefined ? {} : { certFile: cert_file }),
      ...(key_file === undefined ? {} : { keyFile: key_file }),
      ...(finder === undefined ? {} : { find: finder.find }),
    })
    if (finder !== undefined) finder.onChange = () => link.reconnect()
    return link
  }

  #needs(topics: Topics): ReturnType<typeof linkNeeds> {
    const needs = linkNeeds(topics)
    return { ...needs, subscribe: [...needs.subscribe, ...(this.#parts.guest?.subscribe ?? [])] }
  }

  /** Names tell what a household does: a broker elsewhere gets them only when told to. */
  #publishNames(): boolean {
    const { config, log } = this.#parts
    const { publish_names } = config.mqtt
    if (publish_names !== undefined) return publish_names
    if (this.#url === SUPERVISOR) return false
    if (isLoopback(new URL(this.#url).hostname.replace(/^\[|\]$/g, ''))) return true
    log.warn(
      `names of remotes and DNS queries are not published, as every account of ${this.#url} could read them; ` +
        'publish them with --mqtt-publish-names, or say no with --no-mqtt-publish-names',
    )
    return false
  }
}
