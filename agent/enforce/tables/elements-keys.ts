// Keys of elements as nft writes them: one value plain, an aligned range as a prefix, any other as `first-last`; protocols
// as numbers, since names need a file that a router may not have.
import { formatIp, formatMac, parseMac } from '../../address.ts'
import { parsePrefix } from '../../inventory/locality.ts'
import type { Span } from './elements-boxes.ts'

/** The addresses of a prefix, with its IP version. */
export interface AddressSpan {
  version: 4 | 6
  span: Span
}

/** Undefined where the text is no address or prefix. Bits behind the prefix do not count. */
export function addressSpan(text: string): AddressSpan | undefined {
  const prefix = parsePrefix(text)
  if (!prefix) return undefined
  let value = 0n
  for (const byte of prefix.bytes) value = (value << 8n) | BigInt(byte)
  const bits = BigInt(prefix.bytes.length * 8 - prefix.length)
  const from = (value >> bits) << bits
  return { version: prefix.ipv6 ? 6 : 4, span: [from, from + (1n << bits) - 1n] }
}

function addressText(value: bigint, version: 4 | 6): string {
  const bytes = new Uint8Array(version === 6 ? 16 : 4)
  let rest = value
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 255n)
    rest >>= 8n
  }
  return formatIp(bytes, version === 6)
}

/** One part of a key that is an address or a range of them. */
export function addressKey([from, to]: Span, version: 4 | 6): string {
  if (from === to) return addressText(from, version)
  const size = to - from + 1n
  const aligned = (size & (size - 1n)) === 0n && from % size === 0n
  if (!aligned) return `${addressText(from, version)}-${addressText(to, version)}`
  const length = (version === 6 ? 128 : 32) - (size.toString(2).length - 1)
  return `${addressText(from, version)}/${length}`
}

/** One part of a key that is a protocol or a port, or a range of them. */
export function numberKey([from, to]: Span): string {
  return from === to ? `${from}` : `${from}-${to}`
}

/** A MAC as nft writes it; undefined where the text is none. */
export function macText(text: string): string | undefined {
  const key = parseMac(text)
  return key === undefined ? undefined : formatMac(key)
}
