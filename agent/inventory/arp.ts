// Who says in ARP (RFC 826) and neighbour discovery (RFC 4861) that an address is its own.
import { NAME } from '../../native/layout.ts'
import { isGroupMac } from '../address.ts'

/** An address and the MAC that claims it. */
export interface Claim {
  mac: number
  ip: Buffer
  ipv6: boolean
}

const ARP_BYTES = 28
const ARP_SENDER_IP = 14

/** For Ethernet and IPv4 (hardware type 1, protocol type 0x0800, lengths 6 and 4), and of the MAC that sent the frame. */
function isArpOf(bytes: Buffer, at: number, mac: number): boolean {
  if (bytes.readUInt32BE(at) !== 0x00010800 || bytes.readUInt16BE(at + 4) !== 0x0604) return false
  return key(bytes, at + 8) === mac
}

/** MACs that are remembered at most; beyond, all are forgotten. */
const MAX_MACS = 8192

/** What each MAC claimed last by ARP: in a home of any size nearly every packet says what the one before it said. */
export class LastClaims {
  readonly #byMac = new Map<number, { number: number; ip: string }>()

  /** The address that an ARP packet of `length` bytes claims for the MAC that sent it, if that is what it claimed last. */
  again(bytes: Buffer, at: number, length: number, mac: number): string | undefined {
    const last = this.#byMac.get(mac)
    if (last === undefined || length < ARP_BYTES) return undefined
    if (bytes.readUInt32LE(at + ARP_SENDER_IP) !== last.number) return undefined
    return isArpOf(bytes, at, mac) ? last.ip : undefined
  }

  /** `ip` in four bytes, and as text. */
  note(mac: number, ip: Buffer, text: string): void {
    if (this.#byMac.size >= MAX_MACS) this.#byMac.clear()
    this.#byMac.set(mac, { number: ip.readUInt32LE(0), ip: text })
  }
}

/**
 * The claim in an ARP packet (from its header on) or an ICMPv6 message (from its type on); `head` is the record's head.
 * Undefined where none is made, or where the claim names another MAC than the frame's: that is left to detection.
 */
export function readNeighbour(
  kind: 'arp' | 'ndp',
  message: Buffer,
  head: Buffer,
): Claim | undefined {
  const source = key(head, NAME.SRC_MAC)
  if (source === 0 || isGroupMac(source)) return undefined
  if (kind === 'arp') {
    if (message.length < ARP_BYTES || !isArpOf(message, 0, source)) return undefined
    return { mac: source, ip: message.subarray(ARP_SENDER_IP, ARP_SENDER_IP + 4), ipv6: false }
  }
  const named = linkLayerAddress(message)
  if (named !== undefined && named !== source) return undefined
  // 136: neighbour advertisement, its target claims the address; other messages speak for their source address.
  const ip =
    message[0] === 136 && message.length >= 24
      ? message.subarray(8, 24)
      : head.subarray(NAME.SRC_IP, NAME.SRC_IP + 16)
  return { mac: source, ip, ipv6: true }
}

/** Where the options of a message begin, by its type (RFC 4861, 4): router and neighbour solicitation and advertisement. */
const OPTIONS_AT: Record<number, number> = { 133: 8, 134: 16, 135: 24, 136: 24 }

/** The MAC that the message names as its sender's: option 2 (target) of an advertisement of a neighbour, else 1 (source). */
function linkLayerAddress(message: Buffer): number | undefined {
  const type = message[0] ?? 0
  const wanted = type === 136 ? 2 : 1
  let at = OPTIONS_AT[type] ?? message.length
  while (at + 8 <= message.length) {
    if (message[at] === wanted) return key(message, at + 2)
    const length = (message[at + 1] as number) * 8
    if (length === 0) return undefined
    at += length
  }
  return undefined
}

function key(bytes: Buffer, at: number): number {
  return bytes.readUInt16LE(at + 4) * 4294967296 + bytes.readUInt32LE(at)
}
