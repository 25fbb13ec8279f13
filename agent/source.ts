// Where packets come from: interfaces of this box or of a router, a capture that is played, or the made-up home.
import type { Batch, Capture } from '../native/index.ts'
import type { Capability, Mode } from '../protocol/messages.ts'
import type { Addon } from './addon.ts'
import { CommandSource, DEMO_LAN, demoCommand } from './capture/command-source.ts'
import { LiveCapture } from './capture/live.ts'
import { RemoteCapture } from './capture/remote-capture.ts'
import { RouterConnection } from './capture/remote-connection.ts'
import { CapturedInterfaces } from './captured-interfaces.ts'
import type { Config } from './config.ts'
import { ConfigError } from './config.ts'
import type { Locality } from './inventory/locality.ts'
import { parsePrefix } from './inventory/locality.ts'
import type { Log } from './log.ts'
import { inferHome } from './replay.ts'
import { targetOf } from './ssh-target.ts'

export interface SourceParts {
  config: Config
  addon: Pick<Addon, 'createCapture' | 'createNetlink'>
  capture: Capture
  locality: Locality
  log: Log
  /** A neighbour of a captured network answered. */
  onNeighbour: (mac: number, ip: string, ipv6: boolean) => void
  /** Where traffic is seen now: at the start, and whenever it changes. */
  onPlace: (mode: Mode, lan: readonly string[], visibility: string) => void
  /** What the kernel says of this box has changed. */
  onBox: () => void
  /** Whoever set this up did so by the options of an app. */
  app: boolean
  /** Whether packets come: at the start, and where that changes by itself. */
  onCapture: (capability: Capability) => void
}

const TAKEN: Capability = { ok: true, reason: 'Packets are taken.' }

/** Feeds the capture. */
export class Source {
  readonly #parts: SourceParts
  /** Absent where no interface is captured. */
  readonly live: LiveCapture | undefined
  /** Only in mode remote. */
  readonly router: { capture: RemoteCapture; connection: RouterConnection } | undefined
  #command: CommandSource | undefined
  /** What the log has of the router. */
  #said: string | undefined
  readonly #interfaces: CapturedInterfaces

  /** Throws a TypeError or RangeError for a router that can't be one. */
  constructor(parts: SourceParts) {
    this.#parts = parts
    const { mode, interfaces } = parts.config
    this.#interfaces = new CapturedInterfaces(interfaces)
    if (mode === 'remote') this.router = this.#remoteCapture()
    else if (mode !== 'demo' && mode !== 'file') this.live = this.#liveCapture(mode)
  }

  /** Opens what the mode captures. Throws an Error that says what is missing. */
  async start(): Promise<Mode> {
    const { config, log, onCapture } = this.#parts
    onCapture(TAKEN)
    if (config.mode === 'demo') return this.#startDemo()
    if (this.router !== undefined) return await this.#startRemote(this.router)
    if (this.live === undefined) return await this.#startFiles(config)
    const plan = await this.live.start()
    log.info(`mode ${plan.mode}: ${plan.visibility}`)
    return plan.mode
  }

  stop(): void {
    this.live?.stop()
    this.router?.capture.stop()
    this.#command?.stop()
  }

  /** After `stop`, when nobody uses the router any more. */
  async close(): Promise<void> {
    await this.router?.connection.stop()
  }

  /** Packets that passed a router and were not seen. */
  get dropped(): number {
    return this.router?.capture.dropped ?? 0
  }

  /** To be called with each batch: something that should be captured was not. */
  isBlind(batch: Batch): boolean {
    const isMissing = this.#interfaces.isMissing(batch.interfaces)
    return isMissing || this.#command?.away !== undefined || (this.router?.capture.blind ?? false)
  }

  /** A batch with the interfaces of a router, where they are what is captured. */
  shown(batch: Batch): Batch {
    return this.router === undefined
      ? batch
      : { ...batch, interfaces: this.router.capture.interfaces }
  }

  /** How often netlink messages were lost. */
  get overruns(): number {
    return this.live?.overruns ?? 0
  }

  #liveCapture(mode: 'auto' | 'gateway' | 'bridge' | 'mirror' | 'host'): LiveCapture {
    const { config, addon, capture, locality, log, onNeighbour, onPlace, onBox, app } = this.#parts
    const { interfaces, lan, promiscuous } = config
    return new LiveCapture(
      { mode, interfaces, lan, promiscuous, app },
      {
        capture,
        netlink: addon.createNetlink(),
        locality,
        log,
        onNeighbour,
        onPlan: (plan) => {
          onPlace(plan.mode, plan.lan, plan.visibility)
          onBox()
        },
        onBox,
      },
    )
  }

  #remoteCapture(): NonNullable<Source['router']> {
    const { config, capture, locality, log, onNeighbour, onPlace, onBox, app } = this.#parts
    const { host = '', interfaces } = config.remote
    const connection = new RouterConnection(targetOf(config.remote, app), config.data, log)
    const wanted = {
      interfaces: interfaces.length > 0 ? interfaces : config.interfaces,
      lan: config.lan,
      promiscuous: config.promiscuous,
    }
    const remote = new RemoteCapture(wanted, {
      connection,
      capture,
      locality,
      log,
      onNeighbour,
      onPlan: ({ lan, visibility }) => {
        onPlace('remote', lan, `on the router ${host}, by SSH: ${visibility}`)
        this.#say(visibility)
      },
      onBox,
    })
    return { capture: remote, connection }
  }

  async #startRemote({ capture, connection }: NonNullable<Source['router']>): Promise<Mode> {
    const { config, onPlace } = this.#parts
    const tellNothing = (away = 'the router does not answer'): void => {
      if (capture.plan === undefined) onPlace('remote', config.lan, `nothing yet: ${away}`)
    }
    await capture.start()
    tellNothing(connection.away)
    connection.listen((away) => away !== undefined && tellNothing(away))
    return 'remote'
  }

  /** What can be seen on the router: whenever that has changed, and so at the latest when it can be reached. */
  #say(visibility: string): void {
    if (visibility === this.#said) return
    this.#said = visibility
    this.#parts.log.info(`mode remote: ${visibility}`)
  }

  #startDemo(): Mode {
    const { capture, log, onPlace, onCapture } = this.#parts
    this.#command = new CommandSource(demoCommand(), log.child('demo'))
    this.#command.onAway = (reason) =>
      onCapture(reason === undefined ? TAKEN : { ok: false, reason })
    capture.readDescriptor(this.#command.start(), true)
    this.#setHome(DEMO_LAN)
    onPlace(
      'demo',
      DEMO_LAN,
      'a made-up home of ten devices and their router, for trying things out; nothing here is real',
    )
    return 'demo'
  }

  async #startFiles({ files, lan }: Config): Promise<Mode> {
    const { addon, capture, locality, onPlace } = this.#parts
    if (files.length === 0) throw new ConfigError('mode file plays captures: --file home.pcap')
    if (lan.length === 0) await inferHome(files, addon.createCapture, locality)
    else this.#setHome(lan)
    for (const file of files) capture.readFile(file)
    onPlace('file', lan, 'what is in the captures that are played')
    return 'file'
  }

  #setHome(lan: readonly string[]): void {
    this.#parts.locality.setPrefixes(lan.flatMap((text) => parsePrefix(text) ?? []))
  }
}
