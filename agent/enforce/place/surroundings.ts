// What of this box and its network may never be shut off: told by the kernel and the configuration, followed live.
import type { Box } from '../../capture/box.ts'
import type { Prefix } from '../../inventory/locality.ts'
import { parsePrefix } from '../../inventory/locality.ts'

/** What the configuration adds; addresses or CIDR prefixes. */
export interface ProtectedOptions {
  /** Addresses of the broker that this agent talks to, resolved. */
  brokers: readonly string[]
  /** Addresses of Home Assistant and of chosen controllers. */
  homeAssistant: readonly string[]
  /** `admin_addresses`. */
  admin: readonly string[]
  /** Addresses of the machine of this agent, where that is not the box. */
  agents?: readonly string[]
}

/** What is asked of a box. */
export type Picture = Pick<Box, 'links' | 'addresses' | 'gateways' | 'byName' | 'macOf'>

/** Something that may not be the target of a block. */
export interface ProtectedRange {
  prefix: Prefix
  /** In words, after "is": `the default gateway`. */
  what: string
  /** One machine rather than a range by its kind: a device that has this address is meant too. */
  host: boolean
  /** MACs that the kernel knows for it; empty: not known. */
  macs: readonly string[]
  /** Of this box's own name look-ups: a device may be kept from it port by port, where it is in the internet. */
  resolver: boolean
}

/** All of them. */
export interface Surroundings {
  ranges: readonly ProtectedRange[]
  /** By MAC: what it is. */
  macs: ReadonlyMap<string, string>
}

/** What a default gateway is, in words. */
export const GATEWAY = 'the default gateway'

/** The networks that the Supervisor gives Home Assistant and its apps. */
export const SUPERVISOR_NETWORKS = ['172.30.32.0/23', 'fd0c:ac1e:2100::/48']

const ALWAYS: readonly (readonly [prefix: string, what: string])[] = [
  ['0.0.0.0/8', 'the unspecified address (0.0.0.0/8)'],
  ['::/128', 'the unspecified address (::)'],
  ['127.0.0.0/8', 'loopback (127.0.0.0/8)'],
  ['::1/128', 'loopback (::1)'],
  ['224.0.0.0/4', 'multicast (224.0.0.0/4)'],
  ['ff00::/8', 'multicast (ff00::/8)'],
  ['255.255.255.255/32', 'broadcast (255.255.255.255)'],
  ['fe80::/10', 'link-local (fe80::/10), which neighbour discovery needs'],
]

/** Addresses of `nameserver` lines (resolv.conf(5)), without their zones. */
export function nameservers(resolvConf: string): string[] {
  return resolvConf.split('\n').flatMap((line) => {
    const word = /^\s*nameserver\s+(\S+)/.exec(line)?.[1]?.replace(/%.*$/, '')
    return word !== undefined && parsePrefix(word) !== undefined ? [word] : []
  })
}

function rangeOf(text: string, what: string, rest: Partial<ProtectedRange> = {}): ProtectedRange[] {
  const prefix = parsePrefix(text)
  if (prefix === undefined) return []
  return [{ prefix, what, host: true, macs: [], resolver: false, ...rest }]
}

/** The last address of an IPv4 network. */
function broadcastOf(ip: string, length: number): string | undefined {
  if (ip.includes(':') || length > 30) return undefined
  const value = ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  const size = 2 ** (32 - length)
  const last = Math.floor(value / size) * size + size - 1
  return [24, 16, 8, 0].map((shift) => Math.floor(last / 2 ** shift) % 256).join('.')
}

/** Puts together what is protected. `resolvers`: the addresses that this box's own look-ups go to. */
export function surroundings(
  box: Picture,
  resolvers: readonly string[],
  options: ProtectedOptions,
): Surroundings {
  const macs = new Map<string, string>()
  const ranges: ProtectedRange[] = []
  const known = (ip: string): string[] =>
    [...box.links.keys()].flatMap((index) => box.macOf(index, ip) ?? [])
  for (const gateway of box.gateways) {
    const mac = box.macOf(gateway.index, gateway.ip)
    if (mac !== undefined) macs.set(mac, GATEWAY)
    ranges.push(...rangeOf(gateway.ip, GATEWAY, { macs: mac === undefined ? [] : [mac] }))
  }
  const own: string[] = []
  for (const { mac, name } of box.links.values()) {
    if (mac === undefined) continue
    macs.set(mac, `this box (${name})`)
    own.push(mac)
  }
  for (const { ip, prefixLength } of box.addresses) {
    ranges.push(...rangeOf(ip, 'this box', { macs: own }))
    const last = broadcastOf(ip, prefixLength)
    if (last !== undefined) ranges.push(...rangeOf(last, 'broadcast', { host: false }))
  }
  const named = (list: readonly string[], what: string, resolver = false): void => {
    for (const text of list)
      ranges.push(...rangeOf(text, what, { macs: known(text.split('/')[0] ?? ''), resolver }))
  }
  named(options.admin, 'an address of admin_addresses')
  named(options.homeAssistant, 'Home Assistant or a chosen controller')
  named(options.agents ?? [], 'the machine of this agent')
  named(options.brokers, 'the MQTT broker of this agent')
  named(resolvers, "the resolver of this box's own look-ups", true)
  named(SUPERVISOR_NETWORKS, "the Supervisor's network, where Home Assistant is")
  for (const [text, what] of ALWAYS) ranges.push(...rangeOf(text, what, { host: false }))
  return { ranges, macs }
}
