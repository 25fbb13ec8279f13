// Where this box stands: out of what the kernel says of it, what is captured and what was probed. Pure.
import type { Link } from '../../capture/box.ts'
import type { Plan } from '../../capture/plan.ts'
import type { Flowtable } from '../kernel/flowtables.ts'
import { flowtablesOn } from '../kernel/flowtables.ts'
import type { KernelProbes } from '../kernel/kernel.ts'
import type { HeardNow } from './heard-ipv6.ts'
import { machinesOf } from './machines.ts'
import type { Place } from './place.ts'
import type { AllPortFacts } from './port-facts.ts'
import { shortcutsOf } from './port-facts.ts'
import type { Picture, ProtectedOptions, Surroundings } from './surroundings.ts'

/** What does not change while the agent runs; brokers are those that are known from the start. */
export interface PlaceOptions extends ProtectedOptions {
  /** One-armed: towards the uplink packets get this box's own source address. */
  masquerade: boolean
  queues: { dns: number; first: number }
}

/** What is where: either this box can enforce, or why not; `passing`: only for now. */
export type Standing =
  | { place: Place; key: string; links?: string }
  | { place?: undefined; reason: string; passing?: true }

/** Interfaces towards devices: without those that were asked for and are not there. */
export function present(box: Picture, names: readonly string[]): Link[] {
  return [...new Set(names)].flatMap((name) => box.byName(name) ?? [])
}

/** Ports of those that are bridges. */
export function portsOf(box: Picture, links: readonly Link[]): Link[] {
  const bridges = new Set(links.map((link) => link.index))
  return [...box.links.values()].filter(
    (link) => link.master !== undefined && bridges.has(link.master),
  )
}

/** The bridge that a link is a port of, or the link itself. */
export function bridgeOf(box: Picture, link: Link): Link {
  return (link.master === undefined ? undefined : box.links.get(link.master)) ?? link
}

/** What else is known of a place. */
export interface PlaceFacts {
  /** Bridged packets pass the inet hooks. */
  bridgeNetfilter?: boolean
  /** What is protected there. */
  around?: Surroundings
  ports?: AllPortFacts
  heard?: HeardNow
  /** Of the whole box. */
  flowtables?: readonly Flowtable[]
}

/** Where this box stands. Pure. */
export function placeOf(
  box: Picture,
  plan: Plan,
  probes: KernelProbes,
  options: PlaceOptions,
  {
    bridgeNetfilter = false,
    around,
    ports: facts = new Map(),
    flowtables: all = [],
    heard,
  }: PlaceFacts = {},
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
    return {
      reason: 'The interfaces towards the devices are not there; they are waited for.',
      passing: true,
    }
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
  const portNames = ports.map((link) => link.name).sort()
  const shortcuts = shortcutsOf(portNames, facts)
  // What is only bridged is carried past by none.
  const routed = plan.mode === 'bridge' ? [] : [...links.map((link) => link.name), ...portNames]
  const flowtables = flowtablesOn(all, routed)
  const place: Place = {
    position: plan.mode === 'bridge' ? 'bridge' : isOneArmed ? 'one_armed' : 'two_armed',
    interfaces: links.map((link) => link.name).sort(),
    ports: portNames,
    ...(shortcuts === undefined ? {} : { shortcuts }),
    uplinks: uplinks.map((link) => link.name).sort(),
    ...(flowtables.length === 0 ? {} : { flowtables }),
    lan: [...plan.lan].sort(),
    own: box.addresses.map((address) => address.ip).sort(),
    infrastructure: infrastructureOf(box),
    ...ipv6Of(box, heard),
    controllers: options.homeAssistant.filter((ip) => !plan.own.includes(ip)),
    ...(around === undefined ? {} : { machines: machinesOf(around, plan.lan) }),
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
  const indexes = linksOf([...links, ...ports])
  return { place, key: JSON.stringify([place, indexes]), links: indexes }
}

/** Which links they are, however they are called. */
export function linksOf(links: readonly Link[]): string {
  return links
    .map((link) => `${link.name}=${link.index}`)
    .sort()
    .join()
}

/** What is known of IPv6: from the kernel, and from what was heard. */
function ipv6Of(
  box: Picture,
  { advertisers, isCrowded, isUsed }: HeardNow = {
    advertisers: [],
    isCrowded: false,
    isUsed: false,
  },
): Pick<Place, 'routers' | 'knowsIpv6' | 'usesIpv6'> {
  const known = box.gateways.some(
    ({ index, ip }) => ip.includes(':') && box.macOf(index, ip) !== undefined,
  )
  const routers = [...new Set([...infrastructureOf(box), ...advertisers])].sort()
  return {
    routers,
    ...((known || advertisers.length > 0) && !isCrowded ? { knowsIpv6: true } : {}),
    ...(isUsed ? { usesIpv6: true } : {}),
  }
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
