// What is the home and what is outside: by prefixes, and by which MACs are routers.
import { isIP } from 'node:net'

/** An address or prefix in bytes. */
export interface Prefix {
  ipv6: boolean
  bytes: Uint8Array
  length: number
}

/** Reads `ADDRESS/LENGTH`, or an address alone. Undefined if it is neither. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/')
  const address = slash < 0 ? text : text.slice(0, slash)
  const version = isIP(address)
  if (version === 0 || address.includes('%')) return undefined
  const bits = version === 6 ? 128 : 32
  const digits = slash < 0 ? String(bits) : text.slice(slash + 1)
  if (!/^\d{1,3}$/.test(digits) || Number(digits) > bits) return undefined
  return { ipv6: version === 6, bytes: addressBytes(address), length: Number(digits) }
}

/** The 4 or 16 bytes of an address that `isIP` accepts. */
export function addressBytes(address: string): Uint8Array {
  if (isIP(address) === 4) return Uint8Array.from(address.split('.').map(Number))
  const [head = '', tail] = address.split('::')
  const groups = (part: string): number[] =>
    part === ''
      ? []
      : part.split(':').flatMap((g) => {
          if (!g.includes('.')) return [Number.parseInt(g, 16)]
          const [a = 0, b = 0, c = 0, d = 0] = g.split('.').map(Number)
          return [a * 256 + b, c * 256 + d]
        })
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const all = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right]
  return Uint8Array.from(all.flatMap((g) => [g >> 8, g & 255]))
}

function within(bytes: Uint8Array, offset: number, prefix: Prefix): boolean {
  const whole = prefix.length >> 3
  for (let i = 0; i < whole; i++) if (bytes[offset + i] !== prefix.bytes[i]) return false
  const rest = prefix.length & 7
  if (rest === 0) return true
  const mask = (0xff00 >> rest) & 255
  return ((bytes[offset + whole] as number) & mask) === ((prefix.bytes[whole] as number) & mask)
}

/** Addresses that mean nobody in particular: multicast, broadcast, unspecified. */
export function isGroupAddress(bytes: Uint8Array, offset: number, ipv6: boolean): boolean {
  const first = bytes[offset] as number
  if (ipv6) return first === 0xff || isZero(bytes, offset, 16)
  return first >= 224 || isZero(bytes, offset, 4)
}

function isZero(bytes: Uint8Array, offset: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[offset + i] !== 0) return false
  return true
}

/** 169.254/16 and fe80::/10: of this link, so of the home. */
export function isLinkLocal(bytes: Uint8Array, offset: number, ipv6: boolean): boolean {
  return ipv6
    ? bytes[offset] === 0xfe && ((bytes[offset + 1] as number) & 0xc0) === 0x80
    : bytes[offset] === 169 && bytes[offset + 1] === 254
}

/** RFC 1918, RFC 6598 and RFC 4193: never of the internet. */
export function isPrivate(bytes: Uint8Array, offset: number, ipv6: boolean): boolean {
  const a = bytes[offset] as number
  const b = bytes[offset + 1] as number
  if (ipv6) return (a & 0xfe) === 0xfc
  return (
    a === 10 ||
    (a === 172 && (b & 0xf0) === 16) ||
    (a === 192 && b === 168) ||
    (a === 100 && (b & 0xc0) === 64)
  )
}

/** The prefixes of the home, and the routers that carry others' traffic. */
export class Locality {
  #prefixes: Prefix[] = []
  /** No prefix was given: every MAC that is not a router's is of the home. */
  #byMac = false
  readonly #routers = new Set<number>()

  /** Prefixes that count as the home from now on. `byMac`: so does whatever a MAC sends that is not a router's. */
  setPrefixes(prefixes: readonly Prefix[], byMac = false): void {
    this.#prefixes = [...prefixes]
    this.#byMac = byMac
  }

  get prefixes(): readonly Prefix[] {
    return this.#prefixes
  }

  addRouter(mac: number): void {
    this.#routers.add(mac)
  }

  isRouter(mac: number): boolean {
    return this.#routers.has(mac)
  }

  inPrefixes(bytes: Uint8Array, offset: number, ipv6: boolean): boolean {
    for (const prefix of this.#prefixes) {
      if (prefix.ipv6 === ipv6 && within(bytes, offset, prefix)) return true
    }
    return false
  }

  /**
   * Whether the end with this address and MAC (0: unknown) is in the home. A private address outside the prefixes is,
   * when its frames come from itself; behind a router it is not.
   */
  isLocal(bytes: Uint8Array, offset: number, ipv6: boolean, mac: number): boolean {
    if (this.inPrefixes(bytes, offset, ipv6)) return true
    if (isLinkLocal(bytes, offset, ipv6)) return true
    if (this.#routers.has(mac)) return false
    return (this.#byMac && mac !== 0) || isPrivate(bytes, offset, ipv6)
  }

  /** Told of every source of frames: one that sends for public addresses outside the home is a router. */
  learnSource(bytes: Uint8Array, offset: number, ipv6: boolean, mac: number): void {
    if (mac === 0 || this.#byMac || this.#prefixes.length === 0) return
    if (this.#routers.has(mac) || this.#routers.size >= 1024) return
    if (isGroupAddress(bytes, offset, ipv6) || isLinkLocal(bytes, offset, ipv6)) return
    if (isPrivate(bytes, offset, ipv6) || this.inPrefixes(bytes, offset, ipv6)) return
    this.#routers.add(mac)
  }
}
