// MQTT as the agent sees it: the embedded broker where that was chosen, the link, and what is published.
import type { AgentEvent, Device, Info } from '../../protocol/messages.ts'
import { topicsOf } from '../../protocol/topics.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import type { Interval } from '../interval.ts'
import { isLoopback } from '../listen.ts'
import type { Log } from '../log.ts'
import { EmbeddedBroker } from './embedded-broker.ts'
import { MqttLink } from './mqtt-link.ts'
import type { OtherInstance } from './other-instance.ts'
import { keepNoPacketNumbers } from './packet-numbers.ts'
import { linkNeeds, Publisher } from './publisher.ts'

/** A home has one agent: its broker is not overrun when it returns, and people wait for it. */
const MAX_BACK_OFF_MS = 10_000

/** The port of MQTT (IANA), tried first. */
const MQTT_PORT = 1883

export interface MqttRoomParts {
  config: Pick<Config, 'agent' | 'broker' | 'mqtt'>
  instance: string
  startedMs: number
  clock: Clock
  log: Log
  onOtherInstance: (other: OtherInstance) => void
}

/** Starts broker and publisher in order, and passes on what happens. */
export class MqttRoom {
  readonly #parts: MqttRoomParts
  #broker: EmbeddedBroker | undefined
  #publisher: Publisher | undefined
  #url = ''

  constructor(parts: MqttRoomParts) {
    this.#parts = parts
  }

  /** Throws an Error with a sentence when the embedded broker's port can't be had or a certificate can't be read. */
  async start(): Promise<void> {
    const { config, log, clock, instance, startedMs, onOtherInstance } = this.#parts
    keepNoPacketNumbers()
    this.#url = config.broker === 'embedded' ? await this.#startBroker() : config.broker
    const topics = topicsOf(config.agent, config.mqtt.prefix)
    const { username, password, ca_file, cert_file, key_file } = config.mqtt
    const link = new MqttLink({
      url: this.#url,
      clientIdPrefix: `homespin-${config.agent}`,
      maxBackOffMs: MAX_BACK_OFF_MS,
      ...linkNeeds(topics),
      log,
      ...(username === undefined ? {} : { user: username }),
      ...(password === undefined ? {} : { password }),
      ...(ca_file === undefined ? {} : { caFile: ca_file }),
      ...(cert_file === undefined ? {} : { certFile: cert_file }),
      ...(key_file === undefined ? {} : { keyFile: key_file }),
    })
    this.#publisher = new Publisher({
      link,
      topics,
      instance,
      startedMs,
      clock,
      log,
      publishNames: this.#publishNames(),
      onOtherInstance,
    })
    this.#publisher.start()
  }

  async stop(): Promise<void> {
    await this.#publisher?.stop()
    await this.#broker?.stop()
    this.#publisher = undefined
    this.#broker = undefined
  }

  /** Where the broker is. */
  get url(): string {
    return this.#url
  }

  /** Messages dropped since the start. */
  get dropped(): number {
    return this.#publisher?.spoolDropped ?? 0
  }

  /** False only where it is sure that nobody listens: the embedded broker has no client but this agent. */
  get heard(): boolean {
    return this.#broker === undefined || this.#broker.clients > 1
  }

  interval(interval: Interval): void {
    this.#publisher?.publishInterval(interval)
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
    this.#publisher?.publishEvent(event)
  }

  async #startBroker(): Promise<string> {
    const { config, log } = this.#parts
    const port = config.mqtt.embedded_port
    this.#broker = new EmbeddedBroker({
      listen: { host: '127.0.0.1', port: port ?? MQTT_PORT, fixed: port !== undefined },
      log,
    })
    await this.#broker.start()
    return this.#broker.url
  }

  /** Names tell what a household does: a broker elsewhere gets them only when told to. */
  #publishNames(): boolean {
    const { config, log } = this.#parts
    const { publish_names } = config.mqtt
    if (publish_names !== undefined) return publish_names
    if (isLoopback(new URL(this.#url).hostname.replace(/^\[|\]$/g, ''))) return true
    log.warn(
      `names of remotes and DNS queries are not published, as every account of ${this.#url} could read them; ` +
        'publish them with --mqtt-publish-names, or say no with --no-mqtt-publish-names',
    )
    return false
  }
}
