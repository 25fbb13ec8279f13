// From what the kernel says of this box, what is captured and what was probed: where this box stands, made anew whenever
// links, addresses or gateways change, and the protected list with it.
import type { Box, Link } from '../../capture/box.ts'
import type { Plan } from '../../capture/plan.ts'
import type { Log } from '../../log.ts'
import type { KernelProbes } from '../kernel/kernel.ts'
import type { Place } from './place.ts'
import type { Picture, ProtectedOptions, Surroundings } from './surroundings.ts'
import { nameservers, surroundings } from './surroundings.ts'

/** What does not change while the agent runs; brokers are those that are known from the start. */
export interface PlaceOptions extends ProtectedOptions {
  /** One-armed: towards the uplink packets get this box's own source address. */
  masquerade: boolean
  queues: { dns: number; first: number }
}

/** What is where: either this box can enforce, or why not. */
export type Standing =
  | { place: Place; key: string; links?: string }
  | { place?: undefined; reason: string }

/** Changes that come together are taken together. */
const SETTLE_MS = 100
/** The file of the resolvers is read again so often: no event tells of it. */
const RESOLVERS_MS = 3000
/** So often the broker's name is looked up again, and so long the start waits for it. */
const BROKERS_MS = 30_000
const FIRST_BROKERS_MS = 2000

/** Interfaces towards devices: without those that were asked for and are not there. */
function present(box: Picture, names: readonly string[]): Link[] {
  return [...new Set(names)].flatMap((name) => box.byName(name) ?? [])
}

function portsOf(box: Picture, links: readonly Link[]): Link[] {
  const bridges = new Set(links.map((link) => link.index))
  return [...box.links.values()].filter(
    (link) => link.master !== undefined && bridges.has(link.master),
  )
}

function bridgeOf(box: Picture, link: Link): Link {
  return (link.master === undefined ? undefined : box.links.get(link.master)) ?? link
}

/** Where this box stands. Pure. `forwards`: it routes IPv4. */
export function placeOf(
  box: Picture,
  plan: Plan,
  probes: KernelProbes,
  options: PlaceOptions,
  bridgeNetfilter = false,
): Standing {
  if (plan.mode !== 'gateway' && plan.mode !== 'bridge') {
    return {
      reason: `Mode ${plan.mode} only sees traffic: nothing that devices send passes this box. Use mode gateway or bridge.`,
    }
  }
  if (!probes.tables.works) return { reason: probes.tables.reason ?? 'nftables can not be used.' }
  const named = present(
    box,
    plan.specs.map((spec) => spec.name),
  )
  const links =
    plan.mode === 'bridge' ? [...new Set(named.map((link) => bridgeOf(box, link)))] : named
  if (links.length === 0) {
    return { reason: 'The interfaces towards the devices are not there; they are waited for.' }
  }
  if (plan.mode === 'bridge' && !probes.bridge.works) {
    return {
      reason: `Mode bridge needs tables of family bridge: ${probes.bridge.reason ?? 'the kernel has none.'}`,
    }
  }
  const ports = portsOf(box, links)
  const uplinkIndexes = new Set(box.gateways.map((gateway) => gateway.index))
  const isOneArmed = plan.mode === 'gateway' && links.some((link) => uplinkIndexes.has(link.index))
  const uplinks = [...box.links.values()].filter((link) => uplinkIndexes.has(link.index))
  const egress = [...links, ...ports].every((link) => probes.egress.get(link.name)?.works === true)
  const { inet } = probes.queue
  const place: Place = {
    position: plan.mode === 'bridge' ? 'bridge' : isOneArmed ? 'one_armed' : 'two_armed',
    interfaces: links.map((link) => link.name).sort(),
    ports: ports.map((link) => link.name).sort(),
    uplinks: uplinks.map((link) => link.name).sort(),
    lan: [...plan.lan].sort(),
    own: box.addresses.map((address) => address.ip).sort(),
    infrastructure: infrastructureOf(box),
    controllers: options.homeAssistant.filter((ip) => !plan.own.includes(ip)),
    features: {
      egress,
      bridge: probes.bridge.works,
      bridgeConntrack: probes.bridgeConntrack.works,
      queue: inet.nft.works ? 'nft' : inet.xt.works ? 'xt' : undefined,
      tails: probes.tails?.works === true,
    },
    ...(bridgeNetfilter ? { bridgeNetfilter } : {}),
    queues: options.queues,
    masquerade: options.masquerade && isOneArmed,
  }
  // A link that went and came back under its name is another one: its chains are gone.
  const indexes = [...links, ...ports].map((link) => `${link.name}=${link.index}`).sort()
  return { place, key: JSON.stringify([place, indexes]), links: indexes.join() }
}

function infrastructureOf(box: Picture): string[] {
  const macs = new Set<string>()
  for (const { mac, loopback } of box.links.values())
    if (mac !== undefined && !loopback) macs.add(mac)
  for (const { index, ip } of box.gateways) {
    const mac = box.macOf(index, ip)
    if (mac !== undefined) macs.add(mac)
  }
  return [...macs].sort()
}

/**
 * The box, with the MACs of gateways as they were known last: the kernel forgets a neighbour that it has not talked to for
 * a while, and what is protected must not come and go with that.
 */
function withMemory(box: Box, known: Map<string, string>): Picture {
  const keys = new Set<string>()
  for (const { index, ip } of box.gateways) {
    const key = `${index} ${ip}`
    keys.add(key)
    const mac = box.macOf(index, ip)
    if (mac !== undefined) known.set(key, mac)
  }
  for (const key of known.keys()) if (!keys.has(key)) known.delete(key)
  return {
    links: box.links,
    addresses: box.addresses,
    gateways: box.gateways,
    byName: (name) => box.byName(name),
    macOf: (index, ip) => box.macOf(index, ip) ?? known.get(`${index} ${ip}`),
  }
}

export interface PlaceWatchParts {
  box: Box
  /** What is captured now; undefined: not known yet. */
  plan: () => Plan | undefined
  probe: (interfaces: readonly string[]) => Promise<KernelProbes>
  /** The text of resolv.conf(5); undefined where there is none. */
  resolvConf: () => Promise<string | undefined>
  /** Addresses of the broker now, besides those of the options; does not reject. */
  brokers?: () => Promise<readonly string[]>
  /** Addresses of this agent's machine, where that is not the box. */
  agents?: () => readonly string[]
  /** Whether bridged packets pass the inet hooks now; does not reject. */
  bridgeNetfilter?: () => Promise<boolean>
  log: Log
  onPlace: (standing: Standing, probes: KernelProbes) => void
  onSurroundings: (surroundings: Surroundings) => void
}

/** Follows the box. Whoever feeds the box calls `changed()`. */
export class PlaceWatch {
  readonly #options: PlaceOptions
  readonly #parts: PlaceWatchParts
  #timer: NodeJS.Timeout | undefined
  #resolverTimer: NodeJS.Timeout | undefined
  #brokerTimer: NodeJS.Timeout | undefined
  #resolvers: readonly string[] = []
  #brokers: readonly string[] = []
  #bridged = false
  #key = ''
  readonly #gatewayMacs = new Map<string, string>()
  #probed = ''
  #probes: KernelProbes | undefined
  #working: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: PlaceOptions, parts: PlaceWatchParts) {
    this.#options = options
    this.#parts = parts
  }

  /** Resolves once the first standing was told. */
  async start(): Promise<void> {
    await this.#readResolvers()
    // Without a network a look-up takes many seconds, and then nothing can be ordered of the broker either.
    const late = new Promise<void>((resolve) => setTimeout(resolve, FIRST_BROKERS_MS).unref())
    await Promise.race([this.#readBrokers(), late])
    await this.#remake()
    this.#brokerTimer = setInterval(() => void this.#readBrokers(), BROKERS_MS)
    this.#resolverTimer = setInterval(() => {
      this.#readResolvers().catch((error: Error) => this.#parts.log.warn(error.message))
    }, RESOLVERS_MS)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    clearInterval(this.#resolverTimer)
    clearInterval(this.#brokerTimer)
    await this.#working
  }

  /** The box or the plan has changed. */
  changed(): void {
    if (this.#stopped) return
    // The protected list does not wait: a new gateway is protected from this moment on.
    this.#tell()
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#working = this.#remake().catch((error: Error) => this.#parts.log.warn(error.message))
    }, SETTLE_MS)
  }

  #tell(): void {
    const { box, onSurroundings } = this.#parts
    // While the tables are told anew the last picture stands.
    if (!box.whole) return
    const picture = withMemory(box, this.#gatewayMacs)
    const brokers = [...this.#options.brokers, ...this.#brokers]
    const agents = this.#parts.agents?.() ?? []
    onSurroundings(surroundings(picture, this.#resolvers, { ...this.#options, brokers, agents }))
  }

  async #readResolvers(): Promise<void> {
    await this.#readBridged()
    const resolvers = nameservers((await this.#parts.resolvConf()) ?? '')
    if (resolvers.join() === this.#resolvers.join()) return
    this.#resolvers = resolvers
    this.#tell()
  }

  /** A sysctl, that no event tells of: it comes with the module br_netfilter. */
  async #readBridged(): Promise<void> {
    const bridged = (await this.#parts.bridgeNetfilter?.()) ?? false
    if (bridged === this.#bridged) return
    this.#bridged = bridged
    if (this.#probes !== undefined) this.changed()
  }

  async #readBrokers(): Promise<void> {
    const brokers = (await this.#parts.brokers?.()) ?? []
    if (this.#stopped || brokers.join() === this.#brokers.join()) return
    this.#brokers = brokers
    this.#tell()
  }

  async #remake(): Promise<void> {
    const { onPlace } = this.#parts
    const plan = this.#parts.plan()
    if (plan === undefined || !this.#parts.box.whole) return
    const box = withMemory(this.#parts.box, this.#gatewayMacs)
    this.#tell()
    const names = present(
      box,
      plan.specs.map((spec) => spec.name),
    ).map((link) => bridgeOf(box, link))
    const all = [
      ...names,
      ...portsOf(box, names),
      ...present(
        box,
        plan.specs.map((s) => s.name),
      ),
    ]
    const asked = [...new Set(all.map((link) => `${link.name}=${link.index}`))].sort()
    if (this.#probes === undefined || asked.join() !== this.#probed) {
      this.#probes = await this.#parts.probe([...new Set(all.map((link) => link.name))])
      this.#probed = asked.join()
    }
    const standing = placeOf(box, plan, this.#probes, this.#options, this.#bridged)
    const key = standing.place === undefined ? standing.reason : standing.key
    if (key === this.#key || this.#stopped) return
    this.#key = key
    onPlace(standing, this.#probes)
  }
}
