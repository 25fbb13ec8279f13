// What is the home and what is outside: by prefixes, and by which MACs are routers.
import { isIP } from 'node:net'
import { RouterEvidence } from './router-evidence.ts'

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

/** The last address of an IPv4 prefix, which is for all in it (RFC 919); prefixes of one or two addresses have none. */
function isLastOf(bytes: Uint8Array, offset: number, { length }: Prefix): boolean {
  if (length > 30) return false
  for (let i = length >> 3; i < 4; i++) {
    const host = i === length >> 3 ? 0xff >> (length & 7) : 0xff
    if (((bytes[offset + i] as number) & host) !== host) return false
  }
  return true
}

/** The prefixes of the home, and the routers that carry others' traffic. */
export class Locality {
  #prefixes: Prefix[] = []
  /** No prefix was given: every MAC that is not a router's is of the home. */
  #byMac = false
  readonly #told = new Set<number>()
  readonly #evidence = new RouterEvidence()

  /**
   * Prefixes that count as the home from now on; the routers that are known beside them are told anew. `byMac`: whatever a MAC
   * sends that is not a router's is of the home, too.
   */
  setPrefixes(prefixes: readonly Prefix[], byMac = false): void {
    this.#prefixes = [...prefixes]
    this.#byMac = byMac
    this.#told.clear()
  }

  get prefixes(): readonly Prefix[] {
    return this.#prefixes
  }

  /** A router by the word of who must know: the kernel's routes, or a look at the whole capture. */
  addRouter(mac: number): void {
    this.#told.add(mac)
  }

  /** Its frames stand for others: whose they are is seen by their address alone. */
  isRouter(mac: number): boolean {
    return this.#told.has(mac) || this.#evidence.isRouter(mac)
  }

  /** Remotes are behind it, as far as is known. Not enough to say that an address of the home is another's, too. */
  carriesRemotes(mac: number): boolean {
    return this.#told.has(mac) || this.#evidence.carries(mac)
  }

  inPrefixes(bytes: Uint8Array, offset: number, ipv6: boolean): boolean {
    for (const prefix of this.#prefixes) {
      if (prefix.ipv6 === ipv6 && within(bytes, offset, prefix)) return true
    }
    return false
  }

  /** The broadcast address of one of the home's networks. */
  isBroadcast(bytes: Uint8Array, offset: number, ipv6: boolean): boolean {
    if (ipv6) return false
    for (const prefix of this.#prefixes) {
      if (!prefix.ipv6 && within(bytes, offset, prefix) && isLastOf(bytes, offset, prefix)) {
        return true
      }
    }
    return false
  }

  /**
   * Whether the end with this address and MAC (0: unknown) is in the home. A private address outside the prefixes is, when its
   * frames come from itself (`seen`: they were seen to come); behind a router it is not.
   */
  isLocal(
    bytes: Uint8Array,
    offset: number,
    ipv6: boolean,
    mac: number,
    seen: boolean = true,
  ): boolean {
    if (this.inPrefixes(bytes, offset, ipv6)) return true
    if (isLinkLocal(bytes, offset, ipv6)) return true
    if (this.carriesRemotes(mac)) return false
    if (this.#byMac && mac !== 0) return true
    return isPrivate(bytes, offset, ipv6) && (seen || this.#prefixes.length === 0)
  }

  /** Told of every remote end that answered a device: its frames came from `mac`. */
  learnCarrier(
    bytes: Uint8Array,
    offset: number,
    ipv6: boolean,
    mac: number,
    timeMs: number,
  ): void {
    if (mac === 0 || this.#byMac || this.#prefixes.length === 0 || this.#told.has(mac)) return
    if (isGroupAddress(bytes, offset, ipv6) || isLinkLocal(bytes, offset, ipv6)) return
    if (isPrivate(bytes, offset, ipv6) || this.inPrefixes(bytes, offset, ipv6)) return
    this.#evidence.note(bytes, offset, ipv6, mac, timeMs)
  }
}
