// Which devices are listed, and in which order.
import type { Device } from '../../protocol/messages.ts'
import { bytesOf } from './links.ts'
import { bytesOver, rateSeries } from './rates.ts'
import type { PanelState } from './store.ts'

export const SORTS = ['activity', 'today', 'total', 'name', 'seen'] as const

/** `activity`: those with open incidents first, then bytes of the last minute; `seen`: last seen first. */
export type Sort = (typeof SORTS)[number]

/** More than the rank of any number of bytes. */
const AHEAD = 1000

/** The bytes of each device since midnight, as far as they are known. */
export type Today = ReadonlyMap<string, { sent_bytes: number; received_bytes: number }>

/** The devices that match `query`, in the order of `sort`. */
export function listDevices(state: PanelState, today: Today, query: string, sort: Sort): Device[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  const found = [...state.devices.values()].filter((device) => matches(device, words))
  if (sort === 'name') return found.sort(byName)
  const suspects = sort === 'activity' ? suspectsOf(state) : new Set()
  const ranks = new Map(
    found.map((device) => [
      device.id,
      rank(device, state, today, sort) + (suspects.has(device.id) ? AHEAD : 0),
    ]),
  )
  const rankOf = (device: Device): number => ranks.get(device.id) ?? 0
  return found.sort((a, b) => rankOf(b) - rankOf(a) || byName(a, b))
}

/** The ids of the devices that have an open incident. */
export function suspectsOf({ policy }: PanelState): ReadonlySet<string> {
  const open = [...policy.incidents.values()].filter(({ state }) => state === 'open')
  return new Set(open.map(({ device_id }) => device_id))
}

/** `devices` in the order of `before`, as far as they are in it, and the others after them. */
export function heldOrder(devices: readonly Device[], before: readonly string[]): Device[] {
  const places = new Map(before.map((id, place) => [id, place]))
  const placeOf = ({ id }: Device): number => places.get(id) ?? before.length
  return [...devices].sort((a, b) => placeOf(a) - placeOf(b))
}

function rank(device: Device, state: PanelState, today: Today, sort: Sort): number {
  if (sort === 'seen') return device.last_seen_ms
  if (sort === 'total') return bytesOf(device)
  const since = today.get(device.id)
  if (sort === 'today') return since === undefined ? -1 : bytesOf(since)
  // Powers of two instead of bytes: rows change places when something changes, not every second.
  const bytes = bytesOver(rateSeries(state.frames, device.id))
  return bytes < 1 ? 0 : 1 + Math.floor(Math.log2(bytes))
}

function matches(device: Device, words: readonly string[]): boolean {
  if (words.length === 0) return true
  const text = [device.name, device.vendor, device.mac, ...device.ips].join('\n').toLowerCase()
  return words.every((word) => text.includes(word))
}

function byName(a: Device, b: Device): number {
  return a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1)
}
