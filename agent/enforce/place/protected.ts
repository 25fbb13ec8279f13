// The protected list: what may never be the target of a block. Asked before an order is stored, and again by the one
// function that writes to the kernel. A device's own way to what is protected may be closed.
import { formatIp } from '../../address.ts'
import type { Prefix } from '../../inventory/locality.ts'
import { addressBytes, isPrivate, parsePrefix } from '../../inventory/locality.ts'
import type { ProtectedRange, Surroundings } from './surroundings.ts'
import { GATEWAY } from './surroundings.ts'

/** Prefixes shorter than these are refused. */
const SHORTEST = { ipv4: 24, ipv6: 64 }

/** DHCP (RFC 2131) and DHCPv6 (RFC 8415). */
const DHCP_PORTS = new Set([67, 68, 546, 547])

/** What a block names of the other side. */
export interface Target {
  prefix?: string
  /** With all subdomains. */
  domain?: string
  protocol?: number
  ports?: readonly [from: number, to: number]
  /** For one device, rather than for the whole home. */
  forDevice: boolean
}

/** Why something can't be a target. */
export interface Fault {
  code: 'protected' | 'too_wide' | 'invalid'
  /** One sentence. */
  message: string
}

/** Whether two prefixes have an address in common. */
export function overlap(a: Prefix, b: Prefix): boolean {
  if (a.ipv6 !== b.ipv6) return false
  const bits = Math.min(a.length, b.length)
  const whole = bits >> 3
  for (let i = 0; i < whole; i++) if (a.bytes[i] !== b.bytes[i]) return false
  if ((bits & 7) === 0) return true
  const mask = (0xff00 >> (bits & 7)) & 255
  return ((a.bytes[whole] as number) & mask) === ((b.bytes[whole] as number) & mask)
}

/** ::ffff:0:0/96 and ::/96 (RFC 4291, 2.5.5): IPv4 in another dress. */
function isIpv4InIpv6(prefix: Prefix): boolean {
  const { bytes } = prefix
  if (!prefix.ipv6 || bytes.subarray(0, 10).some((byte) => byte !== 0)) return false
  return (bytes[10] === 0xff && bytes[11] === 0xff) || (bytes[10] === 0 && bytes[11] === 0)
}

function isPublic(prefix: Prefix): boolean {
  return !isPrivate(prefix.bytes, 0, prefix.ipv6)
}

/** In CIDR notation. */
export function textOf({ bytes, ipv6, length }: Prefix): string {
  return `${formatIp(bytes, ipv6)}/${length}`
}

/** The list as it is now. Its surroundings are followed live: `follow` replaces them. */
export class ProtectedList {
  #surroundings: Surroundings = { ranges: [], macs: new Map() }

  /** What holds from now on. */
  follow(surroundings: Surroundings): void {
    this.#surroundings = surroundings
  }

  /** Every prefix of the list, as text. */
  get prefixes(): string[] {
    return this.#surroundings.ranges.map(({ prefix }) => textOf(prefix))
  }

  /** Machines of the list by address: the home's own, whose answers about names are believed. */
  get hosts(): string[] {
    return this.#surroundings.ranges.flatMap(({ prefix, host }) =>
      host && prefix.length === prefix.bytes.length * 8
        ? [formatIp(prefix.bytes, prefix.ipv6)]
        : [],
    )
  }

  /** Machines of the list that answer about names: gateways, and the resolvers of this box's own look-ups. */
  get resolvers(): string[] {
    return this.#surroundings.ranges.flatMap(({ prefix, what, resolver }) =>
      (resolver || what === GATEWAY) && prefix.length === prefix.bytes.length * 8
        ? [formatIp(prefix.bytes, prefix.ipv6)]
        : [],
    )
  }

  /** MACs of this box and of its default gateways. */
  get macs(): ReadonlyMap<string, string> {
    return this.#surroundings.macs
  }

  /** Why the other side of a block can't be this; undefined: it can. */
  targetFault(target: Target): Fault | undefined {
    const { prefix: text } = target
    if (text === undefined) return domainFault(target) ?? dhcpFault(target)
    const prefix = parsePrefix(text)
    if (prefix === undefined) {
      return {
        code: 'invalid',
        message: `${text} is no address or prefix; write it like 203.0.113.0/24.`,
      }
    }
    // The reason that helps most comes first: to name something protected by a wide prefix is still to name it.
    const shortest = prefix.ipv6 ? SHORTEST.ipv6 : SHORTEST.ipv4
    if (prefix.length < shortest) {
      return {
        code: 'too_wide',
        message: `${text} is too wide to be blocked: name prefixes of /${shortest} or longer, or use quarantine.`,
      }
    }
    const range = this.#surroundings.ranges.find(
      (one) => overlap(prefix, one.prefix) && !isOpenResolver(one, target),
    )
    if (range !== undefined) {
      const is = prefix.length === (prefix.ipv6 ? 128 : 32) ? 'is' : 'covers'
      return {
        code: 'protected',
        message: `${text} ${is} ${range.what} and can't be blocked; quarantine the device instead to close its own way there.`,
      }
    }
    if (isIpv4InIpv6(prefix)) {
      return {
        code: 'invalid',
        message: `${text} is an IPv4 address in IPv6 form; write it as IPv4.`,
      }
    }
    return undefined
  }

  /** What infrastructure a device is, in words; undefined: none. */
  deviceIs(device: { mac?: string; ips: readonly string[] }): string | undefined {
    const mac = device.mac?.toLowerCase()
    const byMac = mac === undefined ? undefined : this.#surroundings.macs.get(mac)
    if (byMac !== undefined) return byMac
    return device.ips.map((ip) => this.#machineAt(ip, mac)?.what).find((what) => what !== undefined)
  }

  /** Whether an address is a protected machine's, whoever says so: then it is never matched as a device's. */
  isMachine(ip: string): boolean {
    return this.#machineAt(ip, undefined) !== undefined
  }

  /**
   * A device that only says that it has such an address (ARP and neighbour discovery are not proven) is not what it
   * poses as, where the kernel knows the true MAC: else a hostile device could make itself unblockable.
   */
  #machineAt(ip: string, mac: string | undefined): ProtectedRange | undefined {
    const prefix = parsePrefix(ip)
    if (prefix === undefined) return undefined
    return this.#surroundings.ranges.find(
      (one) =>
        one.host &&
        overlap(prefix, one.prefix) &&
        (mac === undefined || one.macs.length === 0 || one.macs.includes(mac)),
    )
  }
}

function isOpenResolver(range: ProtectedRange, target: Target): boolean {
  return range.resolver && target.forDevice && target.ports !== undefined && isPublic(range.prefix)
}

/** A name without a dot is a whole top-level domain: most of the internet, or everything at home. */
function domainFault({ domain }: Target): Fault | undefined {
  if (domain === undefined || domain.includes('.')) return undefined
  return {
    code: 'too_wide',
    message: `${domain} is a whole top-level domain and too wide to be blocked: name a domain below it, like ads.example.com.`,
  }
}

/** Wider spans of ports are taken: the rules let DHCP through before any block. */
function dhcpFault({ protocol, ports }: Target): Fault | undefined {
  if (protocol !== 17 || ports === undefined) return undefined
  for (let port = ports[0]; port <= ports[1]; port++) if (!DHCP_PORTS.has(port)) return undefined
  return {
    code: 'protected',
    message: `DHCP (UDP port ${ports[0]}) can't be blocked: devices need it to have an address.`,
  }
}

/** Whether two addresses are the same, however they are written. */
export function sameAddress(a: string, b: string): boolean {
  const [one, two] = [parsePrefix(a.replace(/^::ffff:(?=\d+\.)/i, '')), parsePrefix(b)]
  if (one === undefined || two === undefined || one.ipv6 !== two.ipv6) return false
  return one.bytes.every((byte, i) => byte === two.bytes[i]) && one.length === two.length
}

/** Whether an address lies within a prefix. */
export function within(ip: string, prefix: string): boolean {
  const [one, two] = [parsePrefix(ip), parsePrefix(prefix)]
  return one !== undefined && two !== undefined && one.length >= two.length && overlap(one, two)
}

/** 127.0.0.0/8 or ::1: who asks from this box itself. */
export function isLoopback(ip: string): boolean {
  const prefix = parsePrefix(ip.replace(/^::ffff:(?=\d+\.)/i, ''))
  if (prefix === undefined) return false
  return prefix.ipv6 ? ip === '::1' : addressBytes(ip.replace(/^::ffff:/i, ''))[0] === 127
}

/** The remote side among the parts of an element's key: its last address, or the first of its last range. */
export function remoteOf(key: string): string | undefined {
  const parts = key.split(' . ').map((part) => part.split('-')[0] as string)
  return parts.findLast((part) => parsePrefix(part) !== undefined)
}

/** Why an element that closes the way to a remote side can't be. */
export function remoteFault(list: ProtectedList, key: string): Fault | undefined {
  const prefix = remoteOf(key)
  return prefix === undefined ? undefined : list.targetFault({ prefix, forDevice: true })
}
