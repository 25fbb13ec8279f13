// MACs that carry others' traffic: a repeater, a router inside the home. How one is told from a device with many addresses.
import { formatMac } from '../address.ts'
import { addressBytes } from './locality.ts'

/** A MAC that has sent for more hosts than this within an hour carries others' traffic. */
export const HOSTS_OF_A_DEVICE = 8
const WINDOW_MS = 3_600_000
/** So long a MAC stays shared without carrying as many within an hour: at night, some of them are silent. */
const KEPT_MS = 86_400_000
/** It need not be looked more often whether it still holds. */
const LOOK_MS = 60_000
/** Hosts remembered behind one MAC. */
const MAX_HOSTS = 64

/**
 * What tells hosts behind one MAC apart. An IPv4 address does. Of IPv6, a device makes up as many addresses as it likes (RFC
 * 8981), so only those count of which a host has one: link-local, or with an interface id made of its MAC (RFC 4291, A).
 */
export function hostOf(ip: string): string | undefined {
  if (!ip.includes(':')) return ip
  const bytes = addressBytes(ip)
  const isLinkLocal = bytes[0] === 0xfe && ((bytes[1] as number) & 0xc0) === 0x80
  if (!isLinkLocal && !isMadeOfMac(bytes)) return undefined
  return Buffer.from(bytes.subarray(8)).toString('hex')
}

function isMadeOfMac(ip: Uint8Array): boolean {
  return ip[11] === 0xff && ip[12] === 0xfe
}

/** The interface id that a MAC makes, as `hostOf` has it. */
function hostOfMac(mac: number): string {
  const digits = formatMac(mac).replaceAll(':', '')
  const first = Number.parseInt(digits.slice(0, 2), 16) ^ 2
  return `${first.toString(16).padStart(2, '0')}${digits.slice(2, 6)}fffe${digits.slice(6)}`
}

/** Whether these addresses, each with the time of its last use, are of more hosts than one device is. */
export function areOfMany(
  addresses: Iterable<[ip: string, timeMs: number]>,
  nowMs: number,
): boolean {
  const hosts = new Map<string, number>()
  for (const [ip, timeMs] of addresses) {
    const host = hostOf(ip)
    if (host !== undefined) hosts.set(host, Math.max(timeMs, hosts.get(host) ?? timeMs))
  }
  return areMany(hosts, nowMs)
}

function areMany(hosts: ReadonlyMap<string, number>, nowMs: number): boolean {
  let ipv4 = 0
  let ipv6 = 0
  for (const [host, timeMs] of hosts) {
    if (nowMs - timeMs >= WINDOW_MS) continue
    if (host.includes('.')) ipv4++
    else ipv6++
  }
  return ipv4 > HOSTS_OF_A_DEVICE || ipv6 > HOSTS_OF_A_DEVICE
}

/** Which of the addresses that a MAC sends from are its own, by its own word. A repeater answers ARP for others too: then none is. */
export class OwnAddresses {
  #ipv4 = ''
  #linkLocal = ''
  #leased = ''

  /** ARP or neighbour discovery said that the address is the MAC's. */
  claim(ip: string, ipv6: boolean): void {
    if (!ipv6) this.#ipv4 = only(this.#ipv4, ip)
    else if (ip.startsWith('fe80:')) this.#linkLocal = only(this.#linkLocal, ip)
  }

  /** A DHCP server gave the address to this MAC itself. */
  lease(ip: string): void {
    this.#leased = ip
  }

  has(ip: string, mac: number): boolean {
    if (!ip.includes(':')) return ip === (this.#leased === '' ? this.#ipv4 : this.#leased)
    return ip === this.#linkLocal || hostOf(ip) === hostOfMac(mac)
  }
}

/** Said of more than one address. */
const SEVERAL = '*'

function only(before: string, ip: string): string {
  return before === '' || before === ip ? ip : SEVERAL
}

/** The hosts that a shared MAC carries. */
export class CarriedHosts {
  readonly #hosts = new Map<string, number>()
  /** When it was last seen to carry as many as make it shared. */
  #heldMs: number

  constructor(heldMs: number) {
    this.#heldMs = heldMs
  }

  /** It has sent from this address. */
  note(ip: string, timeMs: number): void {
    const host = hostOf(ip)
    if (host === undefined) return
    // Deleted first, so that the map stays in the order of time.
    this.#hosts.delete(host)
    this.#hosts.set(host, timeMs)
    if (this.#hosts.size > MAX_HOSTS) this.#hosts.delete(this.#hosts.keys().next().value as string)
    if (timeMs - this.#heldMs < LOOK_MS) return
    if (areMany(this.#hosts, timeMs)) this.#heldMs = timeMs
  }

  /** It has not been shared for a day. */
  isOver(timeMs: number): boolean {
    return timeMs - this.#heldMs > KEPT_MS
  }
}
