// The other side of a block or an exception in one form, so that the same is the same, however it was written.
import { domainToASCII } from 'node:url'
import type { Match } from '../../protocol/policy.ts'
import { formatIp } from '../address.ts'
import type { Prefix } from '../inventory/locality.ts'
import { parsePrefix } from '../inventory/locality.ts'
import { PolicyError } from './contract.ts'

/** Names by protocol number, and the other way (IANA). */
const PROTOCOLS = { tcp: 6, udp: 17, icmp: 1, icmpv6: 58 } as const

function refused(message: string): PolicyError {
  return new PolicyError('refused', message)
}

/** Whether nothing narrows it: the whole device is meant. */
export function isWhole(match: Match): boolean {
  return match.endpoint === undefined && match.domain === undefined && match.protocol === undefined
}

/** The IANA number of a protocol. */
export function protocolNumber(protocol: NonNullable<Match['protocol']>): number {
  return typeof protocol === 'number' ? protocol : PROTOCOLS[protocol]
}

/** The same match in its only form. Throws a `PolicyError` that says what is wrong with it. */
export function canonicalMatch(match: Match): Match {
  const { endpoint, domain, protocol, port } = match
  if (endpoint !== undefined && domain !== undefined) {
    throw refused('A rule is about an endpoint or a domain, not both; order two rules.')
  }
  const ports = canonicalPorts(match)
  return {
    ...(endpoint === undefined ? {} : { endpoint: canonicalEndpoint(endpoint) }),
    ...(domain === undefined ? {} : { domain: canonicalDomain(domain) }),
    ...(protocol === undefined ? {} : { protocol: canonicalProtocol(protocol) }),
    ...(port === undefined ? {} : ports),
  }
}

/** An address or prefix in CIDR notation, always with its length. */
export function cidrOf(endpoint: string): string {
  if (endpoint.includes('/')) return endpoint
  return `${endpoint}/${endpoint.includes(':') ? 128 : 32}`
}

function canonicalEndpoint(text: string): string {
  const prefix = typeof text === 'string' && text.length <= 64 ? parsePrefix(text) : undefined
  if (prefix === undefined) {
    throw refused('The endpoint is no address or prefix; write 203.0.113.9 or 203.0.113.0/24.')
  }
  const { ipv6, bytes, length } = asIpv4WhereMapped(prefix)
  const network = Uint8Array.from(bytes, (byte, n) => byte & maskOf(length - n * 8))
  const address = formatIp(network, ipv6)
  return length === bytes.length * 8 ? address : `${address}/${length}`
}

/** The byte of a mask of which `bits` are left. */
function maskOf(bits: number): number {
  return bits >= 8 ? 255 : bits <= 0 ? 0 : (0xff00 >> bits) & 255
}

/** ::ffff:0:0/96 (RFC 4291, 2.5.5.2) is IPv4 in another dress. */
function asIpv4WhereMapped(prefix: Prefix): Prefix {
  const { ipv6, bytes, length } = prefix
  const mapped =
    ipv6 &&
    length >= 96 &&
    bytes[10] === 255 &&
    bytes[11] === 255 &&
    bytes.subarray(0, 10).every((byte) => byte === 0)
  return mapped ? { ipv6: false, bytes: bytes.slice(12), length: length - 96 } : prefix
}

function canonicalDomain(text: string): string {
  const fault = refused('The domain is none; write it like example.com.')
  if (typeof text !== 'string' || text.length > 1024 || /[%/?#@:\\[\]\s]/.test(text)) throw fault
  const name = domainToASCII(text.replace(/\.$/, ''))
  const sound = name
    .split('.')
    .every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))
  if (!sound || name.length > 253 || /^[\d.]+$/.test(name)) throw fault
  return name
}

function canonicalProtocol(protocol: NonNullable<Match['protocol']>): Match['protocol'] {
  if (typeof protocol === 'string') {
    if (Object.hasOwn(PROTOCOLS, protocol)) return protocol
  } else if (Number.isInteger(protocol) && protocol >= 0 && protocol <= 255) {
    const known = Object.entries(PROTOCOLS).find(([, number]) => number === protocol)?.[0]
    return (known ?? protocol) as Match['protocol']
  }
  throw refused('The protocol is tcp, udp, icmp, icmpv6 or a number from 0 to 255.')
}

function canonicalPorts({ protocol, port, port_to }: Match): Pick<Match, 'port' | 'port_to'> {
  if (port === undefined) {
    if (port_to !== undefined) throw refused('The last port needs a first one: give port too.')
    return {}
  }
  const named = protocol === undefined ? undefined : protocolNumber(protocol)
  if (named !== 6 && named !== 17) throw refused('A port needs the protocol tcp or udp.')
  const last = port_to ?? port
  const isPort = (n: number): boolean => Number.isInteger(n) && n >= 1 && n <= 65535
  if (!isPort(port) || !isPort(last) || last < port) {
    throw refused('Ports are numbers from 1 to 65535, the first no larger than the last.')
  }
  return last === port ? { port } : { port, port_to: last }
}
