// Changes and elements as bytes between JavaScript and C++ (`ChangeHead` of nft-object.cc, `SetElement` of nft-elements.h).
import type { NftChange, NftElement, NftFamily, NftSet } from './nft.ts'
import { formatKey, keyLayout, writeKey } from './nft-key.ts'

/** NFPROTO_… of linux/netfilter.h. */
export const FAMILIES: Readonly<Record<NftFamily, number>> = { inet: 1, netdev: 5, bridge: 7 }

/** Family, table, name, one after the other for each place. */
export type Places = (string | number)[]

const HEAD_BYTES = 16
const ELEMENT_BYTES = 152
const LAST = 64
const REMAINING = 128
const PACKETS = 136
const BYTES = 144
const FOR_EVER = 0xffff_ffff_ffff_ffffn
/** Longer than the kernel keeps any time (it counts in jiffies); about 136 years. */
const MOST_TIMEOUT_MS = 2 ** 42
const MOST_CHANGES = 262_144

const CHANGE = { add: 0, delete: 1, queue: 2 } as const

/** `SetKind` of nft-elements.h. */
export function kindOf({ key, interval }: NftSet): number {
  if (!interval) return 0
  return keyLayout(key).parts.length === 1 ? 1 : 2
}

function checkName(what: string, name: unknown): string {
  if (typeof name !== 'string' || !/^[a-z0-9_]{1,31}$/.test(name)) {
    throw new TypeError(`${what} must be 1 to 31 of a-z, 0-9 and _, not '${String(name)}'`)
  }
  return name
}

/** Checked, as C++ takes it. */
export function placeOf(family: NftFamily, table: string, what: string, name: string): Places {
  if (!Object.hasOwn(FAMILIES, family)) {
    throw new TypeError(`the family must be inet, netdev or bridge, not '${String(family)}'`)
  }
  return [FAMILIES[family], checkName('the name of a table', table), checkName(what, name)]
}

function checkTimeout(change: { set: NftSet; timeoutMs?: number }): bigint {
  const { set, timeoutMs } = change
  if (timeoutMs === undefined) return 0n
  if (!set.timeout) throw new TypeError(`elements of ${set.name} have no time-out`)
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 1 && timeoutMs <= MOST_TIMEOUT_MS)) {
    throw new RangeError(`a time-out must be from 1 ms to ${MOST_TIMEOUT_MS} ms, not ${timeoutMs}`)
  }
  return BigInt(Math.round(timeoutMs))
}

/** Gathers the places of changes, each once. */
class PlaceList {
  readonly places: Places = []
  readonly #known = new Map<string, number>()
  /** Many changes in a row are mostly about one set. */
  #lastSet: NftSet | undefined
  #lastIndex = 0

  ofSet(set: NftSet): number {
    if (set !== this.#lastSet) {
      this.#lastIndex = this.index(set.family, set.table, 'the name of a set', set.name)
      this.#lastSet = set
    }
    return this.#lastIndex
  }

  index(family: NftFamily, table: string, what: string, name: string): number {
    const id = `${family} ${table} ${name} ${what}`
    let index = this.#known.get(id)
    if (index === undefined) {
      index = this.#known.size
      if (index > 0xffff) throw new RangeError('one transaction changes at most 65536 sets')
      this.places.push(...placeOf(family, table, what, name))
      this.#known.set(id, index)
    }
    return index
  }
}

/** Checks everything, and writes it as C++ reads it. Throws a TypeError or RangeError that says which change is wrong. */
export function writeChanges(changes: readonly NftChange[]): { places: Places; bytes: Uint8Array } {
  if (!Array.isArray(changes)) throw new TypeError('the changes must be an array')
  if (changes.length > MOST_CHANGES) {
    throw new RangeError(`one transaction takes ${MOST_CHANGES} changes, not ${changes.length}`)
  }
  const list = new PlaceList()
  let bytes = new Uint8Array(Math.max(256, changes.length * 48))
  let view = new DataView(bytes.buffer)
  let at = 0
  const grow = (more: number): void => {
    if (at + more <= bytes.length) return
    const larger = new Uint8Array(bytes.length * 2 + more)
    larger.set(bytes)
    bytes = larger
    view = new DataView(bytes.buffer)
  }
  const one = (change: NftChange): void => {
    if (change.do === 'queue') {
      const { family, table, chain, queue, way, bypass } = change
      const place = list.index(family, table, 'the name of a chain', chain)
      if (!Number.isInteger(queue) || queue < 0 || queue > 0xffff) {
        throw new RangeError(`the number of a queue must be from 0 to 65535, not ${queue}`)
      }
      if (way !== 'nft' && way !== 'xt')
        throw new TypeError(`the way must be nft or xt, not '${way}'`)
      grow(HEAD_BYTES)
      view.setUint8(at, CHANGE.queue)
      view.setUint8(at + 3, (way === 'xt' ? 2 : 0) | (bypass ? 4 : 0))
      view.setUint16(at + 4, place, true)
      view.setUint16(at + 6, queue, true)
      at += HEAD_BYTES
      return
    }
    if (change.do !== 'add' && change.do !== 'delete') {
      throw new TypeError(
        `a change must be add, delete or queue, not '${String(Object(change).do)}'`,
      )
    }
    const { set } = change
    const place = list.ofSet(set)
    const keyBytes = keyLayout(set.key).bytes
    const timeout = checkTimeout(change)
    grow(HEAD_BYTES + keyBytes * 2)
    view.setUint8(at, CHANGE[change.do])
    view.setUint8(at + 1, kindOf(set))
    view.setUint8(at + 2, keyBytes)
    view.setUint8(at + 3, set.timeout ? 1 : 0)
    view.setUint16(at + 4, place, true)
    if (timeout !== 0n) view.setBigUint64(at + 8, timeout, true)
    writeKey(set.key, set.interval, change.key, bytes, at + HEAD_BYTES)
    at += HEAD_BYTES + keyBytes * 2
  }
  for (const [i, change] of changes.entries()) {
    try {
      one(change)
    } catch (cause) {
      const Kind = cause instanceof RangeError ? RangeError : TypeError
      throw new Kind(`change ${i}: ${(cause as Error).message}`, { cause })
    }
  }
  return { places: list.places, bytes: bytes.subarray(0, at) }
}

/** What C++ read of a set, by canonical key. */
export function readElements(set: NftSet, records: ArrayBuffer): Map<string, NftElement> {
  const layout = keyLayout(set.key)
  const bytes = new Uint8Array(records)
  const view = new DataView(records)
  const elements = new Map<string, NftElement>()
  for (let at = 0; at + ELEMENT_BYTES <= bytes.length; at += ELEMENT_BYTES) {
    const element: NftElement = {
      packets: Number(view.getBigUint64(at + PACKETS, true)),
      bytes: Number(view.getBigUint64(at + BYTES, true)),
    }
    const remaining = view.getBigUint64(at + REMAINING, true)
    if (remaining !== FOR_EVER) element.remainingMs = Number(remaining)
    elements.set(formatKey(layout, bytes, at, at + LAST), element)
  }
  return elements
}
