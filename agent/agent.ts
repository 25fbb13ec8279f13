// The agent: which parts there are, how they hang together, and in which order they start and stop.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Batch, Capture } from '../native/index.ts'
import type { AgentEvent, Info, Loss, Mode } from '../protocol/messages.ts'
import type { Addon } from './addon.ts'
import { parseMac } from './address.ts'
import { CommandSource, DEMO_LAN, demoCommand } from './capture/command-source.ts'
import { LiveCapture } from './capture/live.ts'
import type { Plan } from './capture/plan.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { ConfigError, splitHostPort } from './config.ts'
import { DeviceDesk } from './device-desk.ts'
import { History } from './history/history.ts'
import { HttpServer } from './http/http-server.ts'
import { InfoBoard } from './info-board.ts'
import { deviceMessage, Inventory } from './inventory/inventory.ts'
import { Locality, parsePrefix } from './inventory/locality.ts'
import { loadVendors } from './inventory/vendors.ts'
import type { Log } from './log.ts'
import { readMethods } from './methods/reads.ts'
import { createRegistry } from './methods/registry.ts'
import { MqttRoom } from './mqtt/mqtt-room.ts'
import { NameCache } from './names/name-cache.ts'
import type { Tick } from './observer.ts'
import { Observer } from './observer.ts'
import { SOCKET } from './paths.ts'
import { Pipeline } from './pipeline.ts'

const DAY_S = 86_400
const PANEL = fileURLToPath(new URL('../panel/dist/', import.meta.url))

export interface AgentParts {
  config: Config
  version: string
  addon: Addon
  clock: Clock
  log: Log
}

/** Where the running agent can be reached. */
export interface Reachable {
  page: string | undefined
  broker: string
  mode: Mode
  data: string
}

/** Builds the graph; `start` and `stop` run through it in order. */
export class Agent {
  readonly #parts: AgentParts
  readonly #instance: string
  readonly #locality = new Locality()
  readonly #inventory: Inventory
  readonly #capture: Capture
  readonly #pipeline: Pipeline
  readonly #observer: Observer
  readonly #history: History
  readonly #desk: DeviceDesk
  readonly #board: InfoBoard
  readonly #mqtt: MqttRoom
  readonly #http: HttpServer
  #live: LiveCapture | undefined
  #command: CommandSource | undefined
  #events = 0
  #stopping = false
  #rates: Tick['rates'] = []
  /** Called once when the source has come to its end. */
  onEnded: (error: string | undefined) => void = () => {}

  constructor(parts: AgentParts) {
    const { config, clock, log, addon } = parts
    this.#parts = parts
    this.#instance = newInstance(clock.now())
    this.#inventory = new Inventory({ vendorOf: loadVendors(), maxDevices: config.devices.max })
    this.#capture = addon.createCapture({
      maxFlows: config.flows.max,
      tcpIdleSeconds: config.flows.tcp_idle_s,
      udpIdleSeconds: config.flows.udp_idle_s,
      otherIdleSeconds: config.flows.other_idle_s,
      names: ['dns', 'sni', 'arp', 'ndp', 'dhcp4'],
    })
    this.#pipeline = new Pipeline({
      run: this.#instance,
      locality: this.#locality,
      inventory: this.#inventory,
      names: new NameCache(),
      differences: true,
    })
    this.#history = new History({ ...historyOptions(config), clock, log: log.child('history') })
    this.#mqtt = new MqttRoom({
      config,
      instance: this.#instance,
      startedMs: clock.now(),
      clock,
      log: log.child('mqtt'),
      onOtherInstance: () => this.#board.otherInstance(),
    })
    this.#board = new InfoBoard({
      instance: this.#instance,
      agent: config.agent,
      version: parts.version,
      startedMs: clock.now(),
      tell: (info) => this.#tellInfo(info),
      event: (event) => this.#tellEvent(event),
    })
    this.#desk = new DeviceDesk({
      inventory: this.#inventory,
      goneAfterMs: config.devices.gone_after_s * 1000,
      save: (devices) => this.#history.saveDevices(devices),
      tell: (device) => {
        this.#mqtt.device(device)
        this.#http.live.device(device)
      },
      forget: (id) => {
        this.#history.deleteDevice(id)
        this.#mqtt.forget(id)
      },
      event: (event) => this.#tellEvent(event),
    })
    this.#observer = new Observer({
      capture: this.#capture,
      pipeline: this.#pipeline,
      loss: (batch) => this.#loss(batch),
      wanted: () => this.#mqtt.heard || this.#http.live.clients > 0,
      onTick: (tick) => this.#onTick(tick),
    })
    this.#http = new HttpServer({
      ...httpOptions(config),
      socketPath: join(config.data, SOCKET),
      panelDir: PANEL,
      methods: createRegistry(
        readMethods({
          info: () => this.#board.info,
          devices: () => this.#devices(),
          hasDevice: (id) => this.#inventory.get(id) !== undefined,
          flows: (device, limit) => this.#flows(device, limit),
          history: (query) => this.#history.query(query),
          remotes: (query, limit) => this.#history.remotes(query, limit),
          nowMs: () => clock.now(),
        }),
      ),
      live: { snapshot: () => ({ info: this.#board.info, devices: this.#devices() }) },
      log: log.child('http'),
    })
  }

  /** Starts everything, or nothing: what was started before a fault is stopped again. Throws an Error that says what to do. */
  async start(): Promise<Reachable> {
    try {
      await this.#http.start()
      await this.#history.start()
      this.#inventory.restore(this.#history.loadDevices(), parseMac)
      const mode = await this.#startSource()
      await this.#mqtt.start()
      this.#board.publish()
      this.#observer.start(this.#parts.clock.now())
      return { page: this.#http.url, broker: this.#mqtt.url, mode, data: this.#parts.config.data }
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Ends capture first, so that the last flows are still kept and told; then the rest, backwards. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#live?.stop()
    this.#command?.stop()
    this.#observer.stop()
    this.#desk.flush()
    await this.#mqtt.stop()
    await this.#http.stop()
    await this.#history.stop()
  }

  /** Opens what the mode captures. */
  async #startSource(): Promise<Mode> {
    const { config, log, addon } = this.#parts
    if (config.mode === 'demo') return this.#startDemo()
    if (config.mode === 'file') return this.#startFile(config)
    this.#live = new LiveCapture(
      {
        mode: config.mode,
        interfaces: config.interfaces,
        lan: config.lan,
        promiscuous: config.promiscuous,
      },
      {
        capture: this.#capture,
        netlink: addon.createNetlink(),
        locality: this.#locality,
        log: log.child('capture'),
        onNeighbour: (mac, ip, ipv6) =>
          this.#inventory.seen(mac, ip, ipv6, this.#parts.clock.now()),
        onPlan: (plan) => this.#onPlan(plan),
      },
    )
    const plan = await this.#live.start()
    log.info(`mode ${plan.mode}: ${plan.visibility}`)
    return plan.mode
  }

  #startDemo(): Mode {
    this.#command = new CommandSource(demoCommand(), this.#parts.log.child('demo'))
    this.#capture.readDescriptor(this.#command.start(), true)
    this.#setHome(DEMO_LAN)
    this.#board.setPlace(
      'demo',
      DEMO_LAN,
      'a made-up home of ten devices, for trying things out; nothing here is real',
    )
    return 'demo'
  }

  #startFile(config: Config): Mode {
    const [file, second] = config.files
    if (file === undefined || second !== undefined) {
      throw new ConfigError(
        'mode file plays one capture: --file home.pcap. Use homespin replay for several',
      )
    }
    this.#capture.readFile(file)
    this.#setHome(config.lan)
    this.#board.setPlace('file', config.lan, 'what is in the capture that is played')
    return 'file'
  }

  #setHome(lan: readonly string[]): void {
    this.#locality.setPrefixes(lan.flatMap((text) => parsePrefix(text) ?? []))
  }

  #onPlan(plan: Plan): void {
    this.#board.setPlace(plan.mode, plan.lan, plan.visibility)
  }

  #onTick({ interval, rates, batch }: Tick): void {
    this.#rates = rates
    this.#history.add(interval)
    this.#mqtt.interval(interval)
    this.#http.live.interval(interval, rates)
    this.#desk.tick(interval.to_ms)
    this.#board.update(batch, this.#loss(batch), interval.to_ms)
    if (batch.ended && !this.#stopping) this.onEnded(batch.error)
  }

  #tellInfo(info: Info): void {
    this.#mqtt.info(info)
    this.#http.live.info(info)
  }

  #tellEvent(event: Omit<AgentEvent, 'type' | 'seq'>): void {
    this.#events++
    const whole: AgentEvent = { type: 'event', seq: this.#events, ...event }
    this.#mqtt.event(whole)
    this.#http.live.event(whole)
  }

  #loss(batch: Batch): Loss {
    return {
      ring_packets: batch.counters.ringDropped,
      name_packets: batch.counters.namesDropped,
      netlink_overruns: this.#live?.overruns ?? 0,
      flows_evicted: batch.counters.flowsEvicted,
      spool_messages: this.#mqtt.dropped,
    }
  }

  #devices(): { devices: ReturnType<typeof deviceMessage>[]; rates: Tick['rates'] } {
    return { devices: [...this.#inventory.all()].map(deviceMessage), rates: this.#rates }
  }

  #flows(device: string | undefined, limit: number): ReturnType<Pipeline['flows']['open']> {
    return this.#pipeline.flows.open(
      limit,
      ({ owner, originator, responder }) =>
        device === undefined ||
        [owner, originator, responder].some((entry) => entry?.id === device),
    )
  }
}

/** Time and chance in base 36: no two starts of an agent have the same. */
function newInstance(nowMs: number): string {
  const chance = Math.floor(Math.random() * 46656)
  return `${nowMs.toString(36)}${chance.toString(36).padStart(3, '0')}`
}

function historyOptions(
  config: Config,
): Pick<ConstructorParameters<typeof History>[0], 'dir' | 'kept' | 'topRemotes'> {
  const { minutes_days, hours_days, days_days, max_mb, top_remotes } = config.history
  const kept = {
    minute_s: minutes_days * DAY_S,
    hour_s: hours_days * DAY_S,
    day_s: days_days * DAY_S,
    maxBytes: max_mb * 1_000_000,
  }
  return { dir: config.data, kept, topRemotes: top_remotes }
}

/** The page's port: asked for, it is that one or none; not asked for, 8080 or the next that is free. */
function httpOptions(
  config: Config,
): Pick<ConstructorParameters<typeof HttpServer>[0], 'listen' | 'token'> {
  const token = config.token === undefined ? {} : { token: config.token }
  if (config.http === 'off') return token
  const asked = config.http === undefined ? undefined : splitHostPort(config.http)
  return {
    ...token,
    listen:
      asked === undefined
        ? { host: '127.0.0.1', port: 8080, fixed: false }
        : { ...asked, fixed: true },
  }
}
