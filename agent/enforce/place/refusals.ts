// Why an order can't be taken: asked before it is stored. Pure; what holds here is passed in.
import type { Capability } from '../../../protocol/messages.ts'
import type { Match } from '../../../protocol/policy.ts'
import { parsePrefix } from '../../inventory/locality.ts'
import type { Order, Refusal } from '../contract.ts'
import type { Place } from './place.ts'
import type { ProtectedList, Target } from './protected.ts'
import { isLoopback, sameAddress, within } from './protected.ts'

/** What an order is judged by. */
export interface Grounds {
  capabilities: Record<string, Capability>
  /** Absent where nothing can be enforced. */
  place: Place | undefined
  protected: ProtectedList
}

const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, icmp: 1, icmpv6: 58 }

/** The IANA number of a protocol as orders write it. */
export function protocolNumber(protocol: Match['protocol']): number | undefined {
  return typeof protocol === 'string' ? PROTOCOLS[protocol] : protocol
}

/** Undefined: the order can be taken. */
export function refusalOf(order: Order, grounds: Grounds): Refusal | undefined {
  return (
    unenforceable(order, grounds) ??
    malformed(order.match) ??
    (order.action === 'allow' ? undefined : protectedDevice(order, grounds.protected)) ??
    (order.action === 'block' ? protectedRemote(order, grounds.protected) : undefined)
  )
}

function not(message: string): Refusal {
  return { code: 'not_enforceable', message }
}

function needs(name: string, grounds: Grounds, what: string): Refusal | undefined {
  const capability = grounds.capabilities[name]
  if (capability?.ok) return undefined
  return not(`${what} can't be enforced here: ${capability?.reason ?? `${name} is not there`}`)
}

function unenforceable(order: Order, grounds: Grounds): Refusal | undefined {
  const missing = needs('enforce', grounds, 'It')
  if (missing) return missing
  const nobody = order.devices.find((device) => device.mac === undefined && device.ips.length === 0)
  if (nobody !== undefined && !order.newDevices) {
    return not(
      `Device ${nobody.id} has neither MAC nor address to match; wait until it is seen on the network.`,
    )
  }
  if (order.level !== undefined) {
    const levels = grounds.capabilities.levels
    if (!levels?.values?.includes(order.level)) {
      const others = levels?.values?.join(', ') || 'none'
      return not(
        `Level ${order.level} can't be held here (those that can: ${others}). ${levels?.reason ?? ''}`.trim(),
      )
    }
  }
  if (order.restriction === 'ask') {
    return needs('first_packets', grounds, 'Asking before a connection')
  }
  if (order.restriction === 'no_dns_no_connect') {
    return needs('dns_gate', grounds, 'No connection without DNS')
  }
  if (order.match?.domain !== undefined) return needs('dns_gate', grounds, 'A rule on a name')
  return outOfSight(order, grounds.place)
}

/** What does not pass this box can't be blocked by it. */
function outOfSight(order: Order, place: Place | undefined): Refusal | undefined {
  const endpoint = order.match?.endpoint
  const prefix = endpoint === undefined ? undefined : parsePrefix(endpoint)
  if (endpoint === undefined || prefix === undefined || place === undefined) return undefined
  if (place.position === 'one_armed' && prefix.ipv6) {
    return not(
      `${endpoint} is IPv6, which goes round this box: as a one-armed gateway it holds IPv4 alone.`,
    )
  }
  const bridged = place.position === 'bridge' || place.ports.length > 0
  if (bridged || place.interfaces.length > 1) return undefined
  const address = endpoint.split('/')[0] as string
  const inHome = place.lan.some((lan) => within(address, lan)) && !place.own.includes(address)
  if (!inHome || order.action === 'allow') return undefined
  return not(
    `${endpoint} is in the home: devices of one network reach each other without this box; block the device there by quarantine, or put this box on the bridge between them.`,
  )
}

function malformed(match: Match | undefined): Refusal | undefined {
  if (match === undefined) return undefined
  const invalid = (message: string): Refusal => ({ code: 'invalid', message })
  const { endpoint, port, port_to } = match
  if (endpoint !== undefined && parsePrefix(endpoint) === undefined) {
    return invalid(
      `${endpoint} is no address or prefix; write it like 203.0.113.9 or 203.0.113.0/24.`,
    )
  }
  const protocol = protocolNumber(match.protocol)
  if (
    match.protocol !== undefined &&
    !(protocol !== undefined && protocol >= 0 && protocol <= 255)
  ) {
    return invalid('The protocol is tcp, udp, icmp, icmpv6 or a number from 0 to 255.')
  }
  if (port === undefined && port_to === undefined) return undefined
  if (protocol !== 6 && protocol !== 17) return invalid('A port needs the protocol tcp or udp.')
  if (port === undefined) return invalid('port_to needs port.')
  const last = port_to ?? port
  if (
    !Number.isInteger(port) ||
    !Number.isInteger(last) ||
    port < 1 ||
    last > 65535 ||
    port > last
  ) {
    return invalid('Ports are numbers from 1 to 65535, the first no larger than the last.')
  }
  return undefined
}

/** Whether nothing narrows it: the whole device is meant. */
function isWhole(match: Match | undefined): boolean {
  return match === undefined || Object.values(match).every((value) => value === undefined)
}

/** Whether it closes a whole protocol, wherever to: for who asks that is as much as everything. */
function isWholeProtocol({ endpoint, domain, protocol, port, port_to }: Match): boolean {
  const anyPort = port === undefined || (port === 1 && port_to === 65535)
  return endpoint === undefined && domain === undefined && protocol !== undefined && anyPort
}

function protectedDevice(order: Order, list: ProtectedList): Refusal | undefined {
  const refuse = (message: string): Refusal => ({ code: 'protected', message })
  // Of what is ordered for new devices those of the list are left out (protected-desired.ts).
  const devices = order.newDevices
    ? order.devices.filter((device) => list.deviceIs(device) === undefined)
    : order.devices
  for (const device of devices) {
    const what = list.deviceIs(device)
    if (what !== undefined) {
      return refuse(`Device ${device.id} is ${what} and can't be shut off; choose another device.`)
    }
  }
  const { asker, level, match } = order
  if (asker === undefined || isLoopback(asker)) return undefined
  const own = devices.find((device) => device.ips.some((ip) => sameAddress(asker, ip)))
  const whole = order.action === 'block' && isWhole(match)
  const asMuch = order.action === 'block' && match !== undefined && isWholeProtocol(match)
  // For the whole home only what closes the way to this box: a break from the internet for all may be ordered from a phone.
  const closes =
    own === undefined
      ? order.everyone && (whole || level === 'full' || level === 'internet_only')
      : whole || asMuch || (order.action === 'quarantine' && level !== 'observe')
  if (!closes) return undefined
  const who = own === undefined ? 'That covers' : `Device ${own.id} is`
  return refuse(
    `${who} the one that asks (${asker}), which must not lock itself out; ${order.newDevices ? 'accept it first, or ' : ''}ask from another device.`,
  )
}

function protectedRemote(order: Order, list: ProtectedList): Refusal | undefined {
  const { match, asker } = order
  if (match === undefined) return undefined
  const protocol = protocolNumber(match.protocol)
  const target: Target = {
    forDevice: !order.everyone && !order.newDevices,
    ...(match.endpoint === undefined ? {} : { prefix: match.endpoint }),
    ...(match.domain === undefined ? {} : { domain: match.domain }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(match.port === undefined
      ? {}
      : { ports: [match.port, match.port_to ?? match.port] as const }),
  }
  const fault = list.targetFault(target)
  if (fault !== undefined) return fault
  if (order.everyone && isWhole(match)) {
    return {
      code: 'protected',
      message:
        'Blocking everything for everyone would cut off Home Assistant too; quarantine with level local_only instead.',
    }
  }
  if (match.endpoint === undefined || asker === undefined || isLoopback(asker)) return undefined
  if (!within(asker.replace(/^::ffff:(?=\d+\.)/i, ''), match.endpoint)) return undefined
  return {
    code: 'protected',
    message: `${match.endpoint} is the address that asks (${asker}) and can't be blocked; ask from another device.`,
  }
}
