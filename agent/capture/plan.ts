// What to capture where: from what was asked and what the kernel says of this box. Pure, so that it can be tested without root.

import type { InterfaceSpec } from '../../native/index.ts'
import type { Mode } from '../../protocol/messages.ts'
import { formatIp } from '../address.ts'
import { parsePrefix } from '../inventory/locality.ts'
import type { Box, Link } from './box.ts'

/** What was asked for. */
export interface Wanted {
  mode: 'auto' | 'gateway' | 'bridge' | 'mirror' | 'host'
  interfaces: readonly string[]
  /** Prefixes given by hand. */
  lan: readonly string[]
  promiscuous: boolean
  /** Whether this box forwards IPv4 (net.ipv4.ip_forward). */
  forwards: boolean
  /** It was asked for by the options of an app. */
  app?: boolean
}

/** What follows. */
export interface Plan {
  mode: Mode
  specs: InterfaceSpec[]
  /** CIDR prefixes of the home. */
  lan: string[]
  /** Addresses of this box. */
  own: string[]
  /** MACs that carry others' traffic: this box where it routes, and its default gateways. */
  routers: string[]
  /** Which traffic can be seen so, and which not. */
  visibility: string
  /** The default gateway's MAC is needed and not known yet: its address. */
  unresolvedGateway?: string
}

/** Bridges and ports of container engines and tunnels: not the home, unless asked for by name. */
export const NOT_THE_HOME =
  /^(?:docker|br-[0-9a-f]{12}$|hassio|veth|virbr|vnet|lxc|lxd|cni|flannel|cali|podman|tailscale|wg|tun|tap|zt)/

/** Decides. Interfaces that were named but are absent stay in the plan: they are waited for. Throws an Error that says what to name. */
export function planCapture(wanted: Wanted, box: Box): Plan {
  const plan = planMode(wanted, box)
  return { ...plan, specs: withoutCopies(plan, box) }
}

/**
 * Frames of a VLAN go through the link below it too. Where both are captured they are counted on the VLAN's own interface, and
 * those of a router's way out on none.
 */
function withoutCopies({ mode, specs }: Plan, box: Box): InterfaceSpec[] {
  const names = new Set(specs.map((spec) => spec.name))
  const uplinks = new Set(mode === 'gateway' ? box.gateways.map((gateway) => gateway.index) : [])
  const links = [...box.links.values()].filter(
    (link) => names.has(link.name) || uplinks.has(link.index),
  )
  return specs.map((spec) => {
    const index = box.byName(spec.name)?.index
    const withoutVlans = links.flatMap(({ parent, vlan }) =>
      vlan !== undefined && parent === index ? [vlan] : [],
    )
    return withoutVlans.length === 0 ? spec : { ...spec, withoutVlans }
  })
}

function planMode(wanted: Wanted, box: Box): Plan {
  const mode = wanted.mode === 'auto' ? modeOf(wanted, box) : wanted.mode
  const names = wanted.interfaces.length > 0 ? [...new Set(wanted.interfaces)] : choose(mode, box)
  if (names.length === 0) throw new Error(nothingToCapture(mode, box, wanted.app))
  switch (mode) {
    case 'gateway':
      return planGateway(wanted, box, names)
    case 'bridge':
      return planBridge(wanted, box, names)
    case 'mirror':
      return {
        mode,
        specs: names.map((name) => ({ name, count: 'incoming', promiscuous: true })),
        ...home(
          wanted,
          box,
          [...box.links.values()].map((link) => link.name),
        ),
        visibility: `everything that the mirror port sends to ${names.join(', ')}`,
      }
    case 'host':
      return {
        mode,
        specs: names.map((name) => ({ name, count: 'all', promiscuous: wanted.promiscuous })),
        ...home(wanted, box, names),
        visibility: `this box's own traffic, and broadcast and multicast of its network, on ${names.join(', ')}; not what other devices say to the internet`,
      }
  }
}

/** A router with a LAN of its own is a gateway, everything else a host. */
function modeOf(wanted: Wanted, box: Box): 'gateway' | 'host' {
  if (!wanted.forwards) return 'host'
  const lans = new Set(choose('gateway', box))
  if (wanted.interfaces.length === 0) return lans.size > 0 ? 'gateway' : 'host'
  return wanted.interfaces.every((name) => lans.has(name)) ? 'gateway' : 'host'
}

function choose(mode: 'gateway' | 'bridge' | 'mirror' | 'host', box: Box): string[] {
  const real = [...box.links.values()].filter(
    (link) => link.up && !link.loopback && link.mac !== undefined && !NOT_THE_HOME.test(link.name),
  )
  const uplinks = new Set(box.gateways.map((gateway) => gateway.index))
  switch (mode) {
    case 'host': {
      const onTheWay = real.filter((link) => uplinks.has(link.index))
      return (onTheWay.length > 0 ? onTheWay : real.filter((l) => l.master === undefined)).map(
        (l) => l.name,
      )
    }
    case 'gateway':
      return real
        .filter(
          (link) => !uplinks.has(link.index) && link.master === undefined && hasAddress(box, link),
        )
        .map((link) => link.name)
    case 'bridge':
      return real.filter((link) => link.linkKind === 'bridge').map((link) => link.name)
    case 'mirror':
      return []
  }
}

function hasAddress(box: Box, link: Link): boolean {
  return box.addresses.some((address) => address.index === link.index && !isLinkLocal(address.ip))
}

function nothingToCapture(mode: string, box: Box, app = false): string {
  const names = [...box.links.values()].filter((link) => !link.loopback).map((link) => link.name)
  const there = names.length === 0 ? 'there is none but loopback' : `there are ${names.join(', ')}`
  return `mode ${mode} found no interface to capture: name one ${app ? 'in the option Network interfaces (interfaces)' : 'with --interface'} (${there})`
}

function planGateway(wanted: Wanted, box: Box, names: readonly string[]): Plan {
  const specs: InterfaceSpec[] = []
  let oneArmed: string | undefined
  let unresolvedGateway: string | undefined
  for (const name of names) {
    const link = box.byName(name)
    const gateways = box.gateways.filter((gateway) => gateway.index === link?.index)
    const upstreamMacs = [...new Set(gateways.flatMap((g) => box.macOf(g.index, g.ip) ?? []))]
    const unresolved = gateways.find((g) => box.macOf(g.index, g.ip) === undefined)
    if (gateways.length > 0) oneArmed = name
    if (unresolved !== undefined && !unresolved.ip.includes(':')) unresolvedGateway = unresolved.ip
    specs.push({
      name,
      count: 'all',
      promiscuous: wanted.promiscuous,
      ...(upstreamMacs.length === 0 ? {} : { upstreamMacs }),
    })
  }
  return {
    mode: 'gateway',
    specs,
    ...home(wanted, box, names),
    routers: routerMacs(box, names, true),
    visibility:
      oneArmed === undefined
        ? `everything that is routed from and to ${names.join(', ')}; not what devices say to each other there`
        : `IPv4 of the devices that use this box as their default gateway, by ${oneArmed}; not IPv6, nor devices that use another gateway. Received bytes are seen only where this box masquerades`,
    ...(unresolvedGateway === undefined ? {} : { unresolvedGateway }),
  }
}

/** The bridge device for what this box sends itself, and each of its ports for what comes in. */
function planBridge(wanted: Wanted, box: Box, names: readonly string[]): Plan {
  const specs = new Map<string, InterfaceSpec>()
  for (const name of names) {
    const link = box.byName(name)
    const bridge =
      link?.linkKind === 'bridge'
        ? link
        : link?.master === undefined
          ? undefined
          : box.links.get(link.master)
    const ports = [...box.links.values()].filter(
      (port) => bridge !== undefined && port.master === bridge.index,
    )
    if (bridge === undefined) specs.set(name, { name, count: 'incoming', promiscuous: true })
    else specs.set(bridge.name, { name: bridge.name, count: 'own_outgoing' })
    for (const port of ports) specs.set(port.name, { name: port.name, count: 'incoming' })
  }
  const bridges = [...specs.values()]
    .filter((spec) => spec.count === 'own_outgoing')
    .map((spec) => spec.name)
  // A bridge that is not there yet is waited for by its name.
  const over = bridges.length > 0 ? bridges : names
  const unresolved = unresolvedGateways(box, over)[0]
  return {
    mode: 'bridge',
    specs: [...specs.values()],
    ...home(wanted, box, over),
    routers: routerMacs(box, over, wanted.forwards),
    visibility: `everything that crosses the bridge ${over.join(', ')}, also from device to device across its ports`,
    // Without its MAC the home's router is a machine like any other.
    ...(unresolved === undefined ? {} : { unresolvedGateway: unresolved }),
  }
}

/** IPv4 addresses of default gateways by those interfaces whose MACs are not known. */
function unresolvedGateways(box: Box, names: readonly string[]): string[] {
  const indexes = names.map((name) => box.byName(name)?.index)
  return box.gateways.flatMap(({ index, ip }) =>
    indexes.includes(index) && !ip.includes(':') && box.macOf(index, ip) === undefined ? [ip] : [],
  )
}

/** The home's prefixes (of those interfaces, and by hand), this box's addresses, and the routers. */
function home(
  wanted: Wanted,
  box: Box,
  names: readonly string[],
): Pick<Plan, 'lan' | 'own' | 'routers'> {
  const indexes = new Set(names.map((name) => box.byName(name)?.index))
  const lan = new Set(wanted.lan)
  for (const address of box.addresses) {
    const link = box.links.get(address.index)
    if (
      !indexes.has(address.index) ||
      link === undefined ||
      link.loopback ||
      isLinkLocal(address.ip)
    )
      continue
    if (wanted.mode === 'mirror' && NOT_THE_HOME.test(link.name)) continue
    lan.add(`${address.ip}/${address.prefixLength}`)
  }
  return {
    lan: [...new Set([...lan].map(network))],
    own: box.addresses.map((a) => a.ip),
    routers: routerMacs(box, names, false),
  }
}

function routerMacs(box: Box, names: readonly string[], self: boolean): string[] {
  const macs = new Set<string>()
  for (const gateway of box.gateways) {
    const mac = box.macOf(gateway.index, gateway.ip)
    if (mac !== undefined) macs.add(mac)
  }
  if (self)
    for (const name of names)
      for (const mac of [box.byName(name)?.mac]) if (mac !== undefined) macs.add(mac)
  return [...macs]
}

function isLinkLocal(ip: string): boolean {
  return ip.startsWith('fe80:') || ip.startsWith('169.254.')
}

/** `192.0.2.1/24` → `192.0.2.0/24`. */
function network(text: string): string {
  const prefix = parsePrefix(text)
  if (prefix === undefined) return text
  const bytes = prefix.bytes.map((byte, i) => {
    const bits = Math.min(8, Math.max(0, prefix.length - i * 8))
    return byte & (0xff00 >> bits) & 255
  })
  return `${formatIp(bytes, prefix.ipv6)}/${prefix.length}`
}
