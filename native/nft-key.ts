// Elements of sets: text as nft writes it ↔ the bytes that the kernel has. Loads nothing, may be imported by every part.
import type { PartType } from './nft-key-parts.ts'
import { formatPart, PART_TYPES, parsePart } from './nft-key-parts.ts'

/** A set's type of key, taken apart. */
export interface KeyLayout {
  parts: readonly PartType[]
  /** Where each part begins. */
  offsets: readonly number[]
  /** Of the whole key. */
  bytes: number
}

const layouts = new Map<string, KeyLayout>()

/** Parts of concatenated keys begin at multiples of four bytes; one alone is as long as it is. */
export function keyLayout(type: string): KeyLayout {
  const known = layouts.get(type)
  if (known) return known
  const names = typeof type === 'string' ? type.split(' . ') : []
  const parts: PartType[] = []
  const offsets: number[] = []
  let bytes = 0
  for (const name of names) {
    const part = PART_TYPES[name]
    if (part === undefined) {
      throw new TypeError(
        `'${name}' is not the type of a key; known are ${Object.keys(PART_TYPES).join(', ')}`,
      )
    }
    parts.push(part)
    offsets.push(bytes)
    bytes += names.length === 1 ? part.bytes : (part.bytes + 3) & ~3
  }
  if (parts.length === 0 || bytes > 64) throw new TypeError(`'${type}' is not the type of a set`)
  const layout = { parts, offsets, bytes }
  // There are as many types as somebody wrote into a program, never more.
  layouts.set(type, layout)
  return layout
}

/**
 * `02:0d:e0:00:00:01 . 192.0.2.0/24` of type `ether_addr . ipv4_addr` → its first and its last key, one behind the other, both
 * included, at a place of `to` that is zero. Throws a TypeError for what is not of the type, and for a range where the set
 * has none.
 */
export function writeKey(
  type: string,
  interval: boolean,
  text: string,
  to: Uint8Array,
  at: number,
): void {
  const { parts, offsets, bytes } = keyLayout(type)
  const words =
    typeof text !== 'string'
      ? []
      : parts.length === 1 && !text.includes(' ')
        ? [text]
        : text.split(' . ')
  if (words.length !== parts.length) {
    throw new TypeError(`'${text}' is not an element of a set of type ${type}`)
  }
  for (let i = 0; i < parts.length; i++) {
    const first = at + (offsets[i] as number)
    const single = parsePart(parts[i] as PartType, words[i] as string, to, first, first + bytes)
    if (!single && !interval) {
      throw new TypeError(`'${text}' is a range, and the set of type ${type} holds none`)
    }
  }
}

/** Bytes → text, of `range` at these places of `bytes`. */
export function formatKey(
  layout: KeyLayout,
  bytes: Uint8Array,
  first: number,
  last: number,
): string {
  const { parts, offsets } = layout
  let text = ''
  for (let i = 0; i < parts.length; i++) {
    const offset = offsets[i] as number
    if (i > 0) text += ' . '
    text += formatPart(parts[i] as PartType, bytes, first + offset, last + offset)
  }
  return text
}

/**
 * The one text of an element, as nft lists it: a prefix where the range is one, a single value where it is one, lower case,
 * no leading zeros, ports and most protocols by number (tcp, udp, icmp and icmpv6 by name), interfaces in quotes.
 */
export function canonicalKey(type: string, interval: boolean, text: string): string {
  const layout = keyLayout(type)
  const bytes = new Uint8Array(layout.bytes * 2)
  writeKey(type, interval, text, bytes, 0)
  return formatKey(layout, bytes, 0, layout.bytes)
}
