// From what the kernel says of this box, what is captured and what was probed: where this box stands, made anew whenever
// links, addresses or gateways change, and the protected list with it.
import type { Box } from '../../capture/box.ts'
import type { Plan } from '../../capture/plan.ts'
import type { Log } from '../../log.ts'
import type { Flowtable } from '../kernel/flowtables.ts'
import type { KernelProbes } from '../kernel/kernel.ts'
import type { HeardNow } from './heard-ipv6.ts'
import type { Place } from './place.ts'
import type { AllPortFacts } from './port-facts.ts'
import { textOf as rangeText } from './protected.ts'
import type { PlaceFacts, PlaceOptions, Standing } from './standing.ts'
import { bridgeOf, linksOf, placeOf, portsOf, present } from './standing.ts'
import type { Picture, Surroundings } from './surroundings.ts'
import { nameservers, surroundings } from './surroundings.ts'

/** Changes that come together are taken together. */
const SETTLE_MS = 100
/** So long after others changed nftables their flowtables are listed: a firewall begins with many changes. */
const RULES_MS = 500
/** The file of the resolvers is read again so often: no event tells of it. */
const RESOLVERS_MS = 3000
/** So often the broker's name is looked up again, and so long the start waits for it. */
const BROKERS_MS = 30_000
const FIRST_BROKERS_MS = 2000

/**
 * The box, with the MACs of gateways and of other protected machines as they were known last: the kernel forgets a neighbour
 * that it has not talked to for a while, and what is protected must not come and go with that. `hosts`: their addresses.
 */
function withMemory(box: Box, hosts: readonly string[], known: Map<string, string>): Picture {
  const indexes = [...box.links.keys()]
  const keys = new Set<string>()
  const remember = (index: number, ip: string): void => {
    const key = `${index} ${ip}`
    keys.add(key)
    const mac = box.macOf(index, ip)
    if (mac !== undefined) known.set(key, mac)
  }
  for (const { index, ip } of box.gateways) remember(index, ip)
  for (const ip of hosts) for (const index of indexes) remember(index, ip)
  for (const key of known.keys()) if (!keys.has(key)) known.delete(key)
  return {
    links: box.links,
    addresses: box.addresses,
    gateways: box.gateways,
    byName: (name) => box.byName(name),
    macOf: (index, ip) => box.macOf(index, ip) ?? known.get(`${index} ${ip}`),
  }
}

/** The same for the same. */
function textOf({ ranges, macs }: Surroundings): string {
  const plain = ranges.map(({ prefix, ...rest }) => ({ ...rest, prefix: rangeText(prefix) }))
  return JSON.stringify([plain, [...macs]])
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
  /** What was heard of IPv6. */
  heard?: () => HeardNow
  /** Flowtables of others. */
  flowtables?: () => Promise<readonly Flowtable[]>
  /** What sysfs says of links; does not reject. */
  portFacts?: (names: readonly string[]) => Promise<AllPortFacts>
  log: Log
  onPlace: (standing: Standing, probes: KernelProbes) => void
  /** All links of the place that was told last are there again, others under their names; what else of it changed comes later. */
  onLinks?: (place: Place, links: string) => void
  onSurroundings: (surroundings: Surroundings) => void
}

/** Follows the box. Whoever feeds the box calls `changed()`. */
export class PlaceWatch {
  readonly #options: PlaceOptions
  readonly #parts: PlaceWatchParts
  #timer: NodeJS.Timeout | undefined
  #resolverTimer: NodeJS.Timeout | undefined
  #brokerTimer: NodeJS.Timeout | undefined
  #flowtablesTimer: NodeJS.Timeout | undefined
  /** Undefined: to be read anew. */
  #flowtables: readonly Flowtable[] | undefined
  #resolvers: readonly string[] = []
  #brokers: readonly string[] = []
  #bridged = false
  #key = ''
  /** Of gateways and of protected machines, by link and address. */
  readonly #macs = new Map<string, string>()
  #around = ''
  /** The place that was told last, and the links that its chains are tied to. */
  #last: Place | undefined
  #links = ''
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
    this.#tell()
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
    clearTimeout(this.#flowtablesTimer)
    await this.#working
  }

  /** The box or the plan has changed. */
  changed(): void {
    if (this.#stopped) return
    // The protected list does not wait: a new gateway is protected from this moment on.
    this.#tell()
    this.#lookAtLinks()
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#working = this.#remake().catch((error: Error) => this.#parts.log.warn(error.message))
    }, SETTLE_MS)
  }

  /** Somebody changed something in nftables. */
  rulesChanged(): void {
    if (this.#stopped || this.#flowtablesTimer !== undefined) return
    this.#flowtablesTimer = setTimeout(() => {
      this.#flowtablesTimer = undefined
      this.#flowtables = undefined
      if (this.#probes !== undefined) this.changed()
    }, RULES_MS)
  }

  async #readFlowtables(): Promise<readonly Flowtable[]> {
    const { flowtables, log } = this.#parts
    this.#flowtables ??= await (flowtables?.() ?? Promise.resolve([])).catch((error: Error) => {
      log.debug(`flowtables could not be listed: ${error.message}`)
      return []
    })
    return this.#flowtables
  }

  /** Chains of a link go with it. The one that comes in its place does not wait for the rest of what is told of it. */
  #lookAtLinks(): void {
    const { box, onLinks } = this.#parts
    const last = this.#last
    if (last === undefined || !box.whole) return
    const links = linksOf(
      [...last.interfaces, ...last.ports].flatMap((name) => box.byName(name) ?? []),
    )
    const areThere = links.split(',').length === last.interfaces.length + last.ports.length
    if (!areThere || links === this.#links) return
    this.#links = links
    onLinks?.(last, links)
  }

  /** While the tables are told anew the last picture stands. */
  #tell(): void {
    if (this.#parts.box.whole) this.#parts.onSurroundings(this.#look().around)
  }

  #look(): { box: Picture; around: Surroundings } {
    const { admin, homeAssistant } = this.#options
    const brokers = [...this.#options.brokers, ...this.#brokers]
    const agents = this.#parts.agents?.() ?? []
    const hosts = [...admin, ...homeAssistant, ...brokers, ...agents, ...this.#resolvers]
    const box = withMemory(this.#parts.box, hosts, this.#macs)
    const options = { admin, homeAssistant, brokers, agents }
    return { box, around: surroundings(box, this.#resolvers, options) }
  }

  /** What no event tells of: the MAC of a machine that is protected, or a connection's other end. */
  #lookAgain(): void {
    if (this.#probes === undefined || !this.#parts.box.whole) return
    if (textOf(this.#look().around) !== this.#around) this.changed()
  }

  async #readResolvers(): Promise<void> {
    await this.#readBridged()
    this.#resolvers = nameservers((await this.#parts.resolvConf()) ?? '')
    this.#lookAgain()
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
    if (this.#stopped) return
    this.#brokers = brokers
    this.#lookAgain()
  }

  async #remake(): Promise<void> {
    const { onPlace } = this.#parts
    const plan = this.#parts.plan()
    if (plan === undefined || !this.#parts.box.whole) return
    const { box, around } = this.#look()
    this.#parts.onSurroundings(around)
    this.#around = textOf(around)
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
    const ports = await this.#parts.portFacts?.(portsOf(box, names).map((link) => link.name))
    const flowtables = await this.#readFlowtables()
    const heard = this.#parts.heard?.()
    const facts: PlaceFacts = {
      ...{ bridgeNetfilter: this.#bridged, around, flowtables },
      ...(ports && { ports }),
      ...(heard && { heard }),
    }
    const standing = placeOf(box, plan, this.#probes, this.#options, facts)
    // What is protected is not all part of the place, and each change of it is written.
    const key = standing.place === undefined ? standing.reason : standing.key + this.#around
    if (key === this.#key || this.#stopped) return
    this.#key = key
    if (standing.place !== undefined) {
      this.#last = standing.place
      this.#links = standing.links ?? ''
    }
    onPlace(standing, this.#probes)
  }
}
