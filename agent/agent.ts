// The agent: which parts there are, how they hang together, and in which order they start and stop.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Batch, Capture } from '../native/index.ts'
import type { DeviceList } from '../protocol/http.ts'
import type { Device, Loss, Mode } from '../protocol/messages.ts'
import { parseMac } from './address.ts'
import type { AgentParts, Reachable } from './agent-parts.ts'
import { newInstance, verdictsOf } from './agent-parts.ts'
import { bootMs } from './clock.ts'
import { Control, withPolicy } from './control.ts'
import { DeviceDesk } from './device-desk.ts'
import type { KernelRoom } from './enforce/from-config.ts'
import { kernelRoom } from './enforce/from-config.ts'
import { NoEnforcement } from './enforce/no-enforcement.ts'
import { remoteRoom } from './enforce/remote-room.ts'
import { FlowLines } from './flows/flow-lines.ts'
import { History } from './history/history.ts'
import { HomeAssistant } from './home-assistant/home-assistant.ts'
import { HttpServer } from './http/http-server.ts'
import { InfoBoard } from './info-board.ts'
import type { DeviceEntry } from './inventory/inventory.ts'
import { deviceMessage, Inventory } from './inventory/inventory.ts'
import { addressBytes, Locality } from './inventory/locality.ts'
import { loadVendors } from './inventory/vendors.ts'
import { agentMethods } from './methods/catalogue.ts'
import { readOnlyWhile } from './methods/read-only.ts'
import type { AnyMethod } from './methods/registry.ts'
import { createRegistry } from './methods/registry.ts'
import { MqttRoom } from './mqtt/mqtt-room.ts'
import { NameCache } from './names/name-cache.ts'
import type { Tick } from './observer.ts'
import { Observer } from './observer.ts'
import { Outlets } from './outlets.ts'
import { historyOptions, httpOptions } from './part-options.ts'
import { SOCKET } from './paths.ts'
import { Pipeline } from './pipeline.ts'
import { boxTime } from './policy/timers.ts'
import { Source } from './source.ts'
import { systemTimeZone } from './time-zone.ts'

const NOTHING_PASSES =
  'Nothing passes this box: what is shown is made up or was captured earlier. Start in mode gateway or bridge to enforce.'
const PANEL = fileURLToPath(new URL('../panel/dist/', import.meta.url))

/** Builds the graph; `start` and `stop` run through it in order. */
export class Agent {
  readonly #parts: AgentParts
  readonly #instance: string
  readonly #locality = new Locality()
  readonly #names = new NameCache()
  readonly #inventory: Inventory
  readonly #capture: Capture
  readonly #pipeline: Pipeline
  readonly #observer: Observer
  readonly #history: History
  readonly #desk: DeviceDesk
  readonly #board: InfoBoard
  readonly #mqtt: MqttRoom
  readonly #homeAssistant: HomeAssistant
  readonly #http: HttpServer
  readonly #source: Source
  readonly #room: KernelRoom | undefined
  readonly #out: Outlets
  readonly #control: Control
  #stopping = false
  #rates: Tick['rates'] = []
  /** Called once when the source has come to its end. */
  onEnded: (error: string | undefined) => void = () => {}

  constructor(parts: AgentParts) {
    const { config, clock, log, addon } = parts
    this.#parts = parts
    this.#instance = newInstance(clock.now())
    this.#inventory = new Inventory({
      vendorOf: loadVendors(),
      maxDevices: config.devices.max,
      isOrdered: (id) => this.#control.isOrdered(id),
    })
    this.#capture = addon.createCapture({
      maxFlows: config.flows.max,
      tcpIdleSeconds: config.flows.tcp_idle_s,
      udpIdleSeconds: config.flows.udp_idle_s,
      otherIdleSeconds: config.flows.other_idle_s,
      names: ['dns', 'sni', 'arp', 'ndp', 'dhcp4'],
      ...(config.mode === 'file' ? { namesPerSecond: Number.POSITIVE_INFINITY } : {}),
    })
    this.#pipeline = new Pipeline({
      run: this.#instance,
      locality: this.#locality,
      inventory: this.#inventory,
      names: this.#names,
      differences: true,
      onBegun: (device, remote, port, flow) => {
        this.#control.begun(device, remote, port, flow)
        this.#room?.gate?.elsewhere.begun(device, remote, port, performance.now())
      },
      onAnswer: (answer) => this.#room?.gate?.hear(answer),
      onNdp: (message, head) => this.#room?.enforcement.heard(message, head),
    })
    this.#source = new Source({
      config,
      addon,
      capture: this.#capture,
      locality: this.#locality,
      log: log.child('capture'),
      onNeighbour: (mac, ip, ipv6) => this.#inventory.claimed(mac, ip, ipv6, clock.now()),
      onPlace: (mode, lan, visibility) => this.#board.setPlace(mode, lan, visibility),
      onBox: () => this.#room?.enforcement.boxChanged(),
      app: parts.app !== undefined,
      onCapture: (capability) => this.#board.setCapability('capture', capability),
    })
    const time = boxTime(addon.clockSynchronised, config.trust_clock)
    this.#history = new History({
      ...historyOptions(config),
      clock,
      bootMs,
      isSynchronised: time.synchronised,
      log: log.child('history'),
    })
    this.#board = new InfoBoard({
      instance: this.#instance,
      agent: config.agent,
      version: parts.version,
      startedMs: clock.now(),
      tell: (info) => this.#out.info(info),
      event: (event) => this.#out.event(event),
    })
    this.#room = this.#kernelRoom()
    this.#control = new Control({
      config,
      run: this.#instance,
      inventory: this.#inventory,
      enforcement: this.#room?.enforcement ?? new NoEnforcement(NOTHING_PASSES),
      time,
      nowMs: () => clock.now(),
      log,
      tell: {
        rules: (rules) => this.#out.rules(rules),
        groups: (groups) => this.#out.groups(groups),
        journal: (entry) => this.#out.journal(entry),
        incident: (incident) => this.#out.incident(incident),
        blocked: (batch) => this.#out.blocked(batch),
        device: (entry) => this.#desk.show(entry),
        event: (event) => this.#out.event(event),
        capability: (name, capability) => this.#board.setCapability(name, capability),
      },
    })
    this.#desk = new DeviceDesk({
      inventory: this.#inventory,
      goneAfterMs: config.devices.gone_after_s * 1000,
      save: (devices) => this.#history.saveDevices(devices),
      changed: (ids) => this.#control.devicesChanged(ids),
      tell: (device, live) => {
        const policy = this.#control.policyOf(device.id)
        this.#out.device(withPolicy(device, policy), withPolicy(live, policy))
      },
      forget: (id) => this.#forget(id),
      event: ({ device, ...event }) => {
        // Without its policy it would read as a device that nothing can be enforced for.
        const policy = device && this.#control.policyOf(device.id)
        this.#out.event(device ? { ...event, device: withPolicy(device, policy) } : event)
      },
    })
    this.#homeAssistant = new HomeAssistant({
      config,
      version: parts.version,
      history: this.#history,
      publishNames: () => this.#mqtt.publishesNames,
      nowMs: () => clock.now(),
      log: log.child('home-assistant'),
      devices: () => this.#devices().devices.map((device) => this.#desk.stored(device)),
      info: () => this.#board.info,
      rules: () => this.#control.standing.rules ?? [],
      incidents: (limit) => this.#control.incidents.find({ limit }),
      inventory: this.#inventory,
    })
    const methods = readOnlyWhile(createRegistry(this.#methods()), () => this.#mqtt.readOnly)
    const startedMs = bootMs()
    this.#mqtt = new MqttRoom({
      config,
      instance: this.#instance,
      clock,
      upMs: () => bootMs() - startedMs,
      log: log.child('mqtt'),
      onInstances: (capability) => this.#board.setCapability('instance', capability),
      guest: this.#homeAssistant,
      commands: { methods, data: config.data, isSynchronised: time.synchronised },
      ...(parts.app?.broker === undefined ? {} : { finder: parts.app.broker }),
    })
    this.#observer = new Observer({
      capture: this.#capture,
      pipeline: this.#pipeline,
      run: this.#instance,
      lines: new FlowLines(addon.flowLines),
      loss: (batch) => this.#loss(batch),
      isBlind: (batch) => this.#source.isBlind(batch),
      wanted: () => this.#out.heard,
      busy: () => this.#mqtt.busy,
      onTick: (tick) => this.#onTick(tick),
    })
    this.#http = new HttpServer({
      ...httpOptions(config),
      socketPath: join(parts.home ?? config.data, SOCKET),
      panelDir: PANEL,
      version: parts.version,
      methods,
      live: {
        snapshot: () => ({
          info: this.#board.info,
          devices: this.#devices(),
          ...this.#control.standing,
          incidents: this.#control.openIncidents,
        }),
      },
      log: log.child('http'),
    })
    const homeAssistant = this.#homeAssistant
    this.#out = new Outlets({ mqtt: this.#mqtt, live: this.#http.live, homeAssistant })
  }

  /** Starts everything, or nothing: what was started before a fault is stopped again. Throws an Error that says what to do. */
  async start(): Promise<Reachable> {
    try {
      await this.#http.start()
      await this.#parts.app?.start(this.#http)
      await this.#history.start()
      const devices = this.#history.loadDevices()
      this.#inventory.restore(devices, parseMac)
      this.#desk.restore(devices)
      await this.#mqtt.start()
      const mode = await this.#source.start()
      // At once: what comes in meanwhile has room for a moment only.
      this.#observer.start(this.#parts.clock.now())
      await this.#control.start()
      this.#board.publish()
      await this.#homeAssistant.start()
      this.#control.announce()
      this.#mqtt.complete()
      return this.#reachable(mode)
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  #reachable(mode: Mode): Reachable {
    const { config, home = config.data } = this.#parts
    const { agent, mqtt } = config
    const broker = this.#mqtt.url
    return { page: this.#http.url, broker, agent, prefix: mqtt.prefix, mode, data: home }
  }

  /** Ends capture first, so that the last flows are still kept and told; then the rest, backwards. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#source.stop()
    this.#observer.stop()
    this.#desk.flush()
    this.#homeAssistant.stop()
    await this.#mqtt.stop()
    await this.#parts.app?.stop()
    await this.#http.stop()
    await this.#control.stop()
    await this.#source.close()
    await this.#history.stop()
  }

  #onTick(tick: Tick): void {
    const { interval, rates, batch, over } = tick
    this.#rates = rates
    // What nobody looked at is absent there, not zero.
    if (!over) this.#history.add(interval)
    this.#out.interval(tick)
    this.#desk.tick(interval.to_ms)
    this.#control.tick(interval.to_ms)
    this.#board.setStored([...this.#history.problems, this.#control.storeProblem])
    this.#board.update(this.#source.shown(batch), this.#loss(batch), interval.to_ms)
    if (batch.ended && !this.#stopping) this.#ended(batch.error)
  }

  #ended(error: string | undefined): void {
    const reason =
      error === undefined ? 'The capture has come to its end.' : `The capture ended: ${error}`
    this.#board.setCapability('capture', { ok: false, reason })
    this.onEnded(error)
  }

  #loss(batch: Batch): Loss {
    return {
      ring_packets: batch.counters.ringDropped + this.#source.dropped,
      name_packets: batch.counters.namesDropped,
      netlink_overruns: this.#source.overruns,
      flows_evicted: batch.counters.flowsEvicted,
      spool_messages: this.#mqtt.dropped,
      devices_evicted: this.#inventory.evicted,
      devices_refused: this.#inventory.refused,
    }
  }

  #devices(): DeviceList {
    const devices = [...this.#inventory.all()].map((entry) => this.#deviceNow(entry))
    return { devices, rates: this.#rates }
  }

  #deviceNow(entry: DeviceEntry): Device {
    return withPolicy(deviceMessage(entry), this.#control.policyOf(entry.id))
  }

  #rename(id: string, name: string): void {
    const entry = this.#inventory.get(id)
    if (entry === undefined) return
    if (name === '') this.#inventory.unname(entry)
    else this.#inventory.name(entry, name, 'user')
  }

  #forget(id: string): void {
    this.#inventory.forget(id)
    this.#history.deleteDevice(id)
    this.#mqtt.forget(id)
    this.#homeAssistant.forget(id)
  }

  /** Undefined where no packet of a device passes this box: in a demo, or from a file. */
  #kernelRoom(): KernelRoom | undefined {
    const { config, addon, clock, log } = this.#parts
    const { live, router } = this.#source
    if (router !== undefined) {
      const { capture: remote, connection } = router
      return remoteRoom({ config, remote, connection, log: log.child('enforce') })
    }
    if (live === undefined) return undefined
    return kernelRoom({
      config,
      addon,
      live,
      run: this.#instance,
      nameOf: (device, ip) => this.#names.at(device, ip, clock.now()),
      isLocal: (ip) => this.#locality.isLocal(addressBytes(ip), 0, ip.includes(':'), 0),
      onConnection: (connection) => this.#out.connection(connection),
      log: log.child('enforce'),
    })
  }

  #methods(): AnyMethod[] {
    const { config, clock } = this.#parts
    return agentMethods({
      read: {
        info: () => this.#board.info,
        devices: () => this.#devices(),
        hasDevice: (id) => this.#inventory.get(id) !== undefined,
        flows: (device, limit) => this.#flows(device, limit),
        history: (query) => this.#history.query(query),
        remotes: (query, limit) => this.#history.remotes(query, limit),
        nowMs: () => clock.now(),
      },
      change: {
        policy: this.#control.policy,
        devices: this.#inventory,
        timeZone: config.policy.time_zone ?? systemTimeZone(),
        pauseMinutes: (id) => this.#homeAssistant.memory.pauseMinutes(id),
        setPauseMinutes: (id, minutes) => this.#homeAssistant.memory.setPauseMinutes(id, minutes),
        installBlueprints: () => this.#homeAssistant.installBlueprints(),
        rename: (id, name) => this.#rename(id, name),
        forget: (id) => this.#forget(id),
        incidents: this.#control.incidents,
        limits: this.#control.limits,
        ...(this.#room?.first === undefined ? {} : { verdicts: verdictsOf(this.#room.first) }),
      },
    })
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
