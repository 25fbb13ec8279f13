// Capture on a router over SSH: tcpdump there writes what it sees, its /proc says where it stands, and both are taken up
// again after the connection was gone. Nothing of ours is on the router.
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Capture, InterfaceCounters, InterfaceSpec } from '../../native/index.ts'
import { parseMac } from '../address.ts'
import type { Locality } from '../inventory/locality.ts'
import { parsePrefix } from '../inventory/locality.ts'
import type { Log } from '../log.ts'
import { Box } from './box.ts'
import { openPipe } from './command-source.ts'
import { Neighbours } from './neighbours.ts'
import type { Plan } from './plan.ts'
import { planCapture } from './plan.ts'
import type { RouterConnection } from './remote-connection.ts'
import { RemoteDumps } from './remote-dumps.ts'
import type { Facts } from './remote-facts.ts'
import { changesSince } from './remote-facts.ts'
import { pcapHead } from './remote-merge.ts'
import { RemoteWatch } from './remote-watch.ts'

/** How long the router may take to tell what there is. */
const FIRST_PLAN_MS = 15_000

export interface RemoteWanted {
  /** None: chosen by where the router stands. */
  interfaces: readonly string[]
  /** Prefixes given by hand. */
  lan: readonly string[]
  promiscuous: boolean
}

export interface RemoteParts {
  connection: RouterConnection
  capture: Pick<Capture, 'readDescriptor' | 'setLocality'>
  locality: Locality
  log: Log
  /** A neighbour of the router answered it: it is there, even if it says nothing else. */
  onNeighbour: (mac: number, ip: string, ipv6: boolean) => void
  onPlan: (plan: Plan) => void
  /** What the router's kernel says has changed, or the router is back. */
  onBox: () => void
}

/** How the router is treated: as what it is told to be, or as what it does. A bridge on the way to its gateway is no LAN. */
function modeOf(
  names: readonly string[],
  box: Box,
  forwards: boolean,
): 'auto' | 'bridge' | 'gateway' {
  const uplinks = new Set(box.gateways.map((gateway) => gateway.index))
  const onTheWay = names.flatMap((name) => box.byName(name) ?? [])
  const bridges = onTheWay.length > 0 && onTheWay.every((link) => link.linkKind === 'bridge')
  if (bridges && onTheWay.some((link) => uplinks.has(link.index))) return 'bridge'
  if (names.length > 0) return forwards ? 'gateway' : bridges ? 'bridge' : 'auto'
  if (forwards) return 'auto'
  return [...box.links.values()].some((link) => link.linkKind === 'bridge') ? 'bridge' : 'auto'
}

export class RemoteCapture {
  readonly #wanted: RemoteWanted
  readonly #parts: RemoteParts
  readonly #watch: RemoteWatch
  readonly #dumps: RemoteDumps
  /** What the router's kernel says of it. */
  readonly box = new Box()
  readonly #neighbours: Neighbours
  #facts: Facts | undefined
  #plan: Plan | undefined
  #pipe: Socket | undefined
  #stopped = false
  #unlisten: () => void = () => {}
  #complained = ''
  #firstPlan: () => void = () => {}
  /** How often netlink messages were lost: there is no netlink. */
  readonly overruns = 0

  constructor(wanted: RemoteWanted, parts: RemoteParts) {
    this.#wanted = wanted
    this.#parts = parts
    const { locality, onNeighbour } = parts
    this.#neighbours = new Neighbours({ box: this.box, locality, onNeighbour })
    this.#watch = new RemoteWatch(parts.connection, parts.log, (facts) => this.#take(facts))
    this.#dumps = new RemoteDumps(parts.connection, parts.log, (data) => this.#write(data))
  }

  /** What is captured now; undefined as long as the router has not said where it stands. */
  get plan(): Plan | undefined {
    return this.#plan
  }

  /** Text of the router's resolv.conf(5). */
  get resolvConf(): string | undefined {
    return this.#facts?.resolvConf
  }

  /** What sysfs says of the router's links. */
  get ports(): Facts['ports'] {
    return this.#facts?.ports ?? new Map()
  }

  /** Interfaces of the router as they are captured. */
  get interfaces(): InterfaceCounters[] {
    return this.#dumps.interfaces
  }

  /** Packets that were not seen: that the router had no room for, and that passed it while it could not be reached. */
  get dropped(): number {
    return this.#dumps.dropped
  }

  /** Something that should be captured is not. */
  get blind(): boolean {
    return this.#dumps.blind
  }

  /**
   * Resolves once it captures, or at once where the router can't be reached now: then it is tried again. Throws an Error that
   * says what to do.
   */
  async start(): Promise<void> {
    const { connection, capture, log } = this.#parts
    this.#openPipe(capture)
    this.#unlisten = connection.listen((away) => this.#connection(away))
    const planned = new Promise<void>((resolve) => {
      this.#firstPlan = resolve
    })
    await connection.start()
    if (connection.away !== undefined) {
      this.#dumps.away(this.#wanted.interfaces, connection.away)
      return
    }
    const late = new Promise<void>((resolve) => setTimeout(resolve, FIRST_PLAN_MS).unref())
    await Promise.race([planned, late])
    if (this.#plan === undefined) {
      log.warn(`nothing is captured on the router yet: ${this.#complained || 'it does not answer'}`)
    }
  }

  /** Ends capture; the connection stays for who else uses it. */
  stop(): void {
    this.#stopped = true
    this.#unlisten()
    this.#watch.stop()
    this.#dumps.stop()
    this.#pipe?.destroySoon()
  }

  #openPipe(capture: RemoteParts['capture']): void {
    const { read, write } = openPipe()
    try {
      capture.readDescriptor(read, true)
    } catch (error) {
      closeSync(write)
      throw error
    }
    const pipe = new Socket({ fd: write, readable: false, writable: true })
    pipe.on('error', () => {})
    pipe.on('drain', () => this.#dumps.drained())
    pipe.write(pcapHead())
    this.#pipe = pipe
  }

  #write(data: Buffer): boolean {
    return this.#pipe?.write(data) ?? true
  }

  #connection(away: string | undefined): void {
    if (this.#stopped) return
    if (away === undefined) {
      this.#watch.start()
      return
    }
    this.#watch.stop()
    this.#dumps.away(this.#plan?.specs.map((spec) => spec.name) ?? this.#wanted.interfaces, away)
  }

  #take(facts: Facts): void {
    if (this.#stopped) return
    const before = this.#facts
    this.#facts = facts
    const events = changesSince(before, facts)
    let planned =
      before?.forwards !== facts.forwards || this.#dumps.isAway || this.#plan === undefined
    for (const event of events) {
      if (this.box.apply(event)) planned = true
      if (event.kind === 'neighbour') this.#neighbours.take(event, this.#plan)
    }
    if (before === undefined) this.box.apply({ kind: 'synchronised' })
    if (planned) this.#tryReplan()
    this.#dumps.look(facts.packets)
    if (planned || events.length > 0) this.#parts.onBox()
  }

  /** A change that leaves nothing to capture keeps the last plan: interfaces come back. */
  #tryReplan(): void {
    try {
      this.#replan()
      this.#complained = ''
    } catch (error) {
      const { message } = error as Error
      if (message !== this.#complained) this.#parts.log.warn(`on the router: ${message}`)
      this.#complained = message
    }
  }

  #replan(): void {
    const { connection, capture, locality, onPlan } = this.#parts
    const { interfaces, lan, promiscuous } = this.#wanted
    const forwards = this.#facts?.forwards ?? false
    const kept = this.#plan?.mode
    const mode =
      kept === 'gateway' || kept === 'bridge' ? kept : modeOf(interfaces, this.box, forwards)
    const plan = planCapture({ mode, interfaces, lan, promiscuous, forwards }, this.box)
    locality.setPrefixes(plan.lan.flatMap((text) => parsePrefix(text) ?? []))
    for (const router of plan.routers) locality.addRouter(parseMac(router) ?? 0)
    capture.setLocality({ prefixes: plan.lan, own: plan.own })
    const several = plan.mode === 'gateway' && plan.specs.length > 1
    this.#dumps.follow(plan.specs, (spec) => ({
      ends: connection.ends,
      mac: this.#macOf(spec),
      several,
      lan: plan.lan,
      own: plan.own,
    }))
    this.#plan = plan
    onPlan(plan)
    this.#neighbours.planned(plan)
    this.#firstPlan()
  }

  #macOf({ name }: InterfaceSpec): string | undefined {
    return this.box.byName(name)?.mac
  }
}
