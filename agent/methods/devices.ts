// Which device is meant: by id, MAC, address or name, as people and programs write them.
import { isIP } from 'node:net'
import { DEVICE_ID } from '../../protocol/topics.ts'
import { formatIp, parseMac } from '../address.ts'
import { addressBytes } from '../inventory/locality.ts'
import { MethodError } from './registry.ts'

/** What of a device it is found by. */
export interface KnownDevice {
  readonly id: string
  readonly name: string
}

/** Where devices are looked up; the inventory is one. */
export interface DeviceIndex {
  get(id: string): KnownDevice | undefined
  /** By the key that `parseMac` gives. */
  byMac(mac: number): KnownDevice | undefined
  /** By an address in RFC 5952 form. */
  byAddress(ip: string): KnownDevice | undefined
  all(): Iterable<KnownDevice>
}

/** Candidates that an error names. */
const MAX_CANDIDATES = 5

/** Text from outside for a sentence: in quotes, of printable ASCII alone, at most 63 characters. */
export function quoted(text: string): string {
  const short = [...text.slice(0, 64)].slice(0, 63).join('')
  const escaped = JSON.stringify(short).replace(
    /[^\x20-\x7e]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  )
  return short.length < text.length ? `${escaped.slice(0, -1)}…"` : escaped
}

/**
 * The device that `text` means: an id, a MAC in any notation, an address, or a name that only one device has.
 * Throws a MethodError `not_found` where there is none, `conflict` where there are several; both list candidates by id.
 */
export function findDevice(text: string, devices: DeviceIndex): KnownDevice {
  const wanted = text.trim()
  const known = byKey(wanted, devices)
  if (known !== undefined) return known
  const all = [...devices.all()]
  const folded = fold(wanted)
  for (const same of [
    all.filter(({ name }) => name === wanted),
    all.filter(({ name }) => fold(name) === folded),
  ]) {
    if (same.length === 1) return same[0] as KnownDevice
    if (same.length > 1) {
      throw new MethodError(
        'conflict',
        `${same.length} devices are called ${quoted(wanted)}: name one by its id, of ${list(same)}`,
      )
    }
  }
  const near = folded === '' ? [] : all.filter(({ name }) => fold(name).includes(folded))
  throw new MethodError(
    'not_found',
    `there is no device ${quoted(wanted)}: name it by id, MAC, address or name${near.length === 0 ? '' : `, such as ${list(near)}`}`,
  )
}

function byKey(text: string, devices: DeviceIndex): KnownDevice | undefined {
  if (DEVICE_ID.test(text)) {
    const known = devices.get(text)
    if (known !== undefined) return known
  }
  const mac = macOf(text)
  if (mac !== undefined) return devices.byMac(mac)
  const ip = addressOf(text)
  return ip === undefined ? undefined : devices.byAddress(ip)
}

/** A MAC as IEEE (`02-0D-E0-…`), Linux (`02:0d:e0:…`), Cisco (`020d.e000.0001`) or bare digits write it. */
function macOf(text: string): number | undefined {
  const dotted = /^[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}$/i.test(text)
  return parseMac(dotted ? text.replaceAll('.', '') : text)
}

/** An address in RFC 5952 form, an IPv4 one that is written as IPv6 (RFC 4291, 2.5.5.2) as IPv4; undefined if it is none. */
export function addressOf(text: string): string | undefined {
  const bare = /^\[.*\]$/.test(text) ? text.slice(1, -1) : text
  if (isIP(bare) === 0 || bare.includes('%')) return undefined
  const bytes = addressBytes(bare)
  const mapped =
    bytes.length === 16 &&
    bytes.subarray(0, 10).every((b) => b === 0) &&
    bytes[10] === 255 &&
    bytes[11] === 255
  return mapped ? formatIp(bytes.subarray(12), false) : formatIp(bytes, bytes.length === 16)
}

function list(devices: readonly KnownDevice[]): string {
  const shown = devices.slice(0, MAX_CANDIDATES).map(({ id, name }) => `${id} (${quoted(name)})`)
  const more = devices.length - shown.length
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '')
}

function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}
