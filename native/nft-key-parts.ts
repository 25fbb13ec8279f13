// One part of a set's key: an address, a MAC, a port, a protocol, an interface or a mark, as text and as bytes.
import { isIPv6 } from 'node:net'

/** A type of nft's, as wide as the kernel has it. */
export interface PartType {
  name: string
  bytes: number
  kind: 'mac' | 'ipv4' | 'ipv6' | 'number' | 'protocol' | 'interface' | 'mark'
}

/** By the name that nft gives them. */
export const PART_TYPES: Readonly<Record<string, PartType>> = Object.assign(Object.create(null), {
  ether_addr: { name: 'ether_addr', bytes: 6, kind: 'mac' },
  ipv4_addr: { name: 'ipv4_addr', bytes: 4, kind: 'ipv4' },
  ipv6_addr: { name: 'ipv6_addr', bytes: 16, kind: 'ipv6' },
  inet_proto: { name: 'inet_proto', bytes: 1, kind: 'protocol' },
  inet_service: { name: 'inet_service', bytes: 2, kind: 'number' },
  ifname: { name: 'ifname', bytes: 16, kind: 'interface' },
  mark: { name: 'mark', bytes: 4, kind: 'mark' },
} satisfies Record<string, PartType>)

const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ['icmp', 1],
  ['tcp', 6],
  ['udp', 17],
  ['ipv6-icmp', 58],
  ['icmpv6', 58],
])
/** Words of nft itself: `ipv6-icmp`, as it writes it, it looks up in /etc/protocols, which not every router has. */
const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'icmp'],
  [6, 'tcp'],
  [17, 'udp'],
  [58, 'icmpv6'],
])

function refuse(part: PartType, text: string): never {
  throw new TypeError(`'${text}' is not of type ${part.name}`)
}

const ZERO = 48
const DOT = 46

/** Of a character code; 255 for what is no digit. */
function hexDigit(code: number): number {
  if (code >= ZERO && code <= 57) return code - ZERO
  const letter = code | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : 255
}

function putMac(part: PartType, text: string, to: Uint8Array, at: number): void {
  if (text.length !== 17) refuse(part, text)
  for (let i = 0; i < 6; i++) {
    const high = hexDigit(text.charCodeAt(i * 3))
    const low = hexDigit(text.charCodeAt(i * 3 + 1))
    if ((high | low) > 15 || (i < 5 && text[i * 3 + 2] !== ':')) refuse(part, text)
    to[at + i] = (high << 4) | low
  }
}

/** Four numbers up to 255 without leading zeros, as inet_pton wants them. */
function putIpv4(part: PartType, text: string, to: Uint8Array, at: number): void {
  let place = 0
  for (let i = 0; i < 4; i++) {
    if (i > 0 && text.charCodeAt(place++) !== DOT) refuse(part, text)
    const begin = place
    let value = 0
    for (; place < text.length && place < begin + 3; place++) {
      const digit = text.charCodeAt(place) - ZERO
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    const digits = place - begin
    if (digits === 0 || value > 255 || (digits > 1 && text.charCodeAt(begin) === ZERO)) {
      refuse(part, text)
    }
    to[at + i] = value
  }
  if (place !== text.length) refuse(part, text)
}

function putIpv6(part: PartType, text: string, to: Uint8Array, at: number): void {
  if (!isIPv6(text) || text.includes('%')) refuse(part, text)
  const dotted = text.includes('.') ? /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text) : null
  const hex = (high: string | undefined, low: string | undefined): string =>
    ((Number(high) << 8) | Number(low)).toString(16)
  const whole = dotted
    ? `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}`
    : text
  const [head = '', tail] = whole.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const put = (group: string, place: number): void => {
    const value = Number.parseInt(group, 16)
    to[at + place * 2] = value >> 8
    to[at + place * 2 + 1] = value & 255
  }
  for (const [i, group] of left.entries()) put(group, i)
  for (const [i, group] of right.entries()) put(group, 8 - right.length + i)
}

function putNumber(part: PartType, text: string, to: Uint8Array, at: number): void {
  if (!/^\d{1,5}$/.test(text) || Number(text) >= 256 ** part.bytes) refuse(part, text)
  const value = Number(text)
  for (let i = 0; i < part.bytes; i++) to[at + i] = (value >> ((part.bytes - 1 - i) * 8)) & 255
}

function putOne(part: PartType, text: string, to: Uint8Array, at: number): void {
  switch (part.kind) {
    case 'mac':
      putMac(part, text, to, at)
      return
    case 'ipv4':
      putIpv4(part, text, to, at)
      return
    case 'ipv6':
      putIpv6(part, text, to, at)
      return
    case 'number':
      putNumber(part, text, to, at)
      return
    case 'protocol':
      putNumber(part, String(PROTOCOLS.get(text) ?? text), to, at)
      return
    case 'interface': {
      const name = /^"(.*)"$/.exec(text)?.[1] ?? text
      if (!/^[!-~]{1,15}$/.test(name) || /["/:*\\]/.test(name)) refuse(part, text)
      for (let i = 0; i < name.length; i++) to[at + i] = name.charCodeAt(i)
      return
    }
    case 'mark': {
      if (!/^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) || Number(text) > 0xffffffff) {
        refuse(part, text)
      }
      // Kept as this machine has numbers; the addon is built for little endian alone.
      new DataView(to.buffer, to.byteOffset + at, 4).setUint32(0, Number(text), true)
    }
  }
}

/** The first address has been written. */
function spread(part: PartType, bits: string, to: Uint8Array, first: number, last: number): void {
  const most = part.bytes * 8
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > most) refuse(part, `…/${bits}`)
  for (let i = 0; i < part.bytes; i++) {
    const host = 0xff >> Math.min(8, Math.max(0, Number(bits) - i * 8))
    to[first + i] = (to[first + i] as number) & ~host
    to[last + i] = (to[first + i] as number) | host
  }
}

/**
 * Writes both ends to their places in `to`, which is zero there. True: it is a single value. Throws a TypeError for what is
 * not of the type.
 */
export function parsePart(
  part: PartType,
  text: string,
  to: Uint8Array,
  first: number,
  last: number,
): boolean {
  const addresses = part.kind === 'ipv4' || part.kind === 'ipv6'
  const slash = addresses ? text.indexOf('/') : -1
  if (slash >= 0) {
    putOne(part, text.slice(0, slash), to, first)
    spread(part, text.slice(slash + 1), to, first, last)
  } else {
    const dash = addresses || part.kind === 'number' ? text.indexOf('-') : -1
    putOne(part, dash >= 0 ? text.slice(0, dash) : text, to, first)
    if (dash < 0) {
      to.copyWithin(last, first, first + part.bytes)
      return true
    }
    putOne(part, text.slice(dash + 1), to, last)
  }
  for (let i = 0; i < part.bytes; i++) {
    const order = (to[first + i] as number) - (to[last + i] as number)
    if (order > 0) throw new TypeError(`'${text}' ends before it begins`)
    if (order < 0) return false
  }
  return true
}

function hexByte(byte: number): string {
  return byte < 16 ? `0${byte.toString(16)}` : byte.toString(16)
}

/** RFC 5952. */
function ipv6Text(bytes: Uint8Array, at: number): string {
  const groups: number[] = []
  for (let i = 0; i < 8; i++) {
    groups.push(((bytes[at + i * 2] as number) << 8) | (bytes[at + i * 2 + 1] as number))
  }
  let best = 0
  let length = 1
  for (let i = 0, run = 0; i < 8; i++) {
    run = groups[i] === 0 ? run + 1 : 0
    if (run > length) {
      length = run
      best = i - run + 1
    }
  }
  if (length === 1) return groups.map((group) => group.toString(16)).join(':')
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  if (best === 0 && length === 5 && groups[5] === 0xffff) {
    return `::ffff:${bytes.subarray(at + 12, at + 16).join('.')}`
  }
  return `${hex(0, best)}::${hex(best + length, 8)}`
}

function oneText(part: PartType, bytes: Uint8Array, at: number): string {
  switch (part.kind) {
    case 'mac': {
      let text = hexByte(bytes[at] as number)
      for (let i = 1; i < 6; i++) text += `:${hexByte(bytes[at + i] as number)}`
      return text
    }
    case 'ipv4':
      return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
    case 'ipv6':
      return ipv6Text(bytes, at)
    case 'number':
      return String(((bytes[at] as number) << 8) | (bytes[at + 1] as number))
    case 'protocol':
      return PROTOCOL_NAMES.get(bytes[at] as number) ?? String(bytes[at])
    case 'interface': {
      const end = bytes.indexOf(0, at)
      const name = bytes.subarray(at, end < at || end > at + 16 ? at + 16 : end)
      return `"${String.fromCharCode(...name)}"`
    }
    case 'mark': {
      const value = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true)
      return `0x${value.toString(16).padStart(8, '0')}`
    }
  }
}

/** Bits of the prefix that goes from one to the other; undefined where none does. */
function prefixBits(
  bytes: Uint8Array,
  first: number,
  last: number,
  length: number,
): number | undefined {
  let bits = 0
  let i = 0
  for (; i < length && bytes[first + i] === bytes[last + i]; i++) bits += 8
  if (i === length) return bits
  const from = bytes[first + i] as number
  const host = from ^ (bytes[last + i] as number)
  if ((host & (host + 1)) !== 0 || (from & host) !== 0) return undefined
  bits += Math.clz32(host) - 24
  for (i++; i < length; i++) {
    if (bytes[first + i] !== 0 || bytes[last + i] !== 255) return undefined
  }
  return bits
}

/** The part between two places of `bytes`, as nft lists it. */
export function formatPart(part: PartType, bytes: Uint8Array, first: number, last: number): string {
  const bits = prefixBits(bytes, first, last, part.bytes)
  const text = oneText(part, bytes, first)
  if (bits === part.bytes * 8) return text
  if (bits !== undefined && (part.kind === 'ipv4' || part.kind === 'ipv6')) return `${text}/${bits}`
  return `${text}-${oneText(part, bytes, last)}`
}
