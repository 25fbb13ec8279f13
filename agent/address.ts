// Addresses as they stand in batches → text. Each address is written once and then remembered: flows repeat them.
import { hashFour, hashOne } from './seeded-hash.ts'

/** Places for addresses; when half of them are taken, all is forgotten. A power of two. */
const PLACES = 65536
const MAX_MACS = 65536

/** Remembers the text of addresses (RFC 5952) and MACs. Its table is its own, as a Map of strings would cost a string a look-up. */
export class AddressText {
  /** Four words an address; of IPv4 the first. */
  readonly #keys = new Int32Array(PLACES * 4)
  readonly #families = new Uint8Array(PLACES)
  #texts = new Array<string>(PLACES)
  #taken = 0
  readonly #macs = new Map<number, string>()

  /** The address of 4 or 16 bytes at `at`, counted in words of four bytes. */
  ip(words: Int32Array, at: number, ipv6: boolean): string {
    const a = words[at] as number
    const b = ipv6 ? (words[at + 1] as number) : 0
    const c = ipv6 ? (words[at + 2] as number) : 0
    const d = ipv6 ? (words[at + 3] as number) : 0
    const family = ipv6 ? 6 : 4
    const keys = this.#keys
    let place = (ipv6 ? hashFour(a, b, c, d) : hashOne(a)) & (PLACES - 1)
    for (; this.#families[place] !== 0; place = (place + 1) & (PLACES - 1)) {
      const key = place * 4
      if (
        keys[key] === a &&
        keys[key + 1] === b &&
        keys[key + 2] === c &&
        keys[key + 3] === d &&
        this.#families[place] === family
      ) {
        return this.#texts[place] as string
      }
    }
    const bytes = new Uint8Array(words.buffer, words.byteOffset + at * 4, ipv6 ? 16 : 4)
    const text = formatIp(bytes, ipv6)
    if (this.#taken >= PLACES / 2) return this.#forget(text)
    this.#taken++
    this.#families[place] = family
    this.#texts[place] = text
    keys.set([a, b, c, d], place * 4)
    return text
  }

  #forget(text: string): string {
    this.#families.fill(0)
    this.#texts = new Array<string>(PLACES)
    this.#taken = 0
    return text
  }

  /** `key` as `macKey` makes it. */
  mac(key: number): string {
    let text = this.#macs.get(key)
    if (text === undefined) {
      text = formatMac(key)
      if (this.#macs.size >= MAX_MACS) this.#macs.clear()
      this.#macs.set(key, text)
    }
    return text
  }
}

/** 4 or 16 bytes as text. */
export function formatIp(bytes: Uint8Array, ipv6: boolean): string {
  return ipv6 ? formatIpv6(bytes, 0) : bytes.subarray(0, 4).join('.')
}

/** The 16 bytes at `offset` as RFC 5952 writes them. */
export function formatIpv6(bytes: Uint8Array, offset: number): string {
  const groups: number[] = []
  for (let i = 0; i < 16; i += 2) {
    groups.push(((bytes[offset + i] ?? 0) << 8) | (bytes[offset + i + 1] ?? 0))
  }
  // ::ffff:0:0/96 is written with its IPv4 part dotted (RFC 5952, 5).
  if (groups.slice(0, 5).every((g) => g === 0) && groups[5] === 0xffff) {
    const [a = 0, b = 0] = groups.slice(6)
    return `::ffff:${a >> 8}.${a & 255}.${b >> 8}.${b & 255}`
  }
  let best = -1
  let length = 1
  for (let i = 0; i < 8; i++) {
    let end = i
    while (end < 8 && groups[end] === 0) end++
    if (end - i > length) {
      best = i
      length = end - i
    }
    if (end > i) i = end
  }
  const hex = groups.map((g) => g.toString(16))
  if (best < 0) return hex.join(':')
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + length).join(':')}`
}

/** A MAC as a number that can be a key: six bytes, the first lowest; 0 is none. `words` begins at a multiple of two bytes. */
export function macKey(words: Uint16Array, at: number): number {
  return (
    (words[at + 2] as number) * 4294967296 +
    (words[at + 1] as number) * 65536 +
    (words[at] as number)
  )
}

/** Whether the group bit (multicast, broadcast) is set. */
export function isGroupMac(key: number): boolean {
  return key % 2 === 1
}

/** Whether the MAC is locally administered: made up by the device, not bought from the IEEE. */
export function isRandomMac(key: number): boolean {
  return (key & 2) !== 0
}

/** Lower-case hex with colons. */
export function formatMac(key: number): string {
  let text = ''
  let rest = key
  for (let i = 0; i < 6; i++) {
    const byte = rest % 256
    rest = (rest - byte) / 256
    text += `${i ? ':' : ''}${byte < 16 ? '0' : ''}${byte.toString(16)}`
  }
  return text
}

/** The key of a MAC in text, or undefined if it is none. */
export function parseMac(text: string): number | undefined {
  if (!/^[0-9a-f]{2}(?:[:-]?[0-9a-f]{2}){5}$/i.test(text)) return undefined
  const hex = text.replace(/[:-]/g, '')
  let key = 0
  for (let i = 5; i >= 0; i--) key = key * 256 + Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16)
  return key
}
