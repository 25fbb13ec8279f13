// The devices of the home: who is who by MAC and address, and what each has sent and received.
import type { Device, DeviceNameSource } from '../../protocol/messages.ts'
import { formatMac, isRandomMac } from '../address.ts'
import type { InventoryChange } from './changes.ts'
import { Changes } from './changes.ts'
import { Departures } from './departures.ts'
import { DeviceEntry } from './device-entry.ts'
import { MacTable } from './mac-table.ts'
import { areOfMany, CarriedHosts, HOSTS_OF_A_DEVICE, hostOf } from './shared-mac.ts'
import { bestFirst } from './stored.ts'
import { addressId, Strangers } from './strangers.ts'

/** Where names come from, the best first. */
const SOURCES: readonly DeviceNameSource[] = [
  'user',
  'home_assistant',
  'dhcp',
  'mdns',
  'ssdp',
  'netbios',
  'vendor',
  'address',
]
/** Addresses that are remembered of one device. */
const MAX_IPS = 32
/** Of the table, what devices of earlier runs hold against newcomers: after a flood that was stored there is still room. */
const RESTORED_PART = 0.75

export type { DeviceEntry, InventoryChange }

export interface InventoryOptions {
  /** Cap; beyond, a newcomer takes the place of another newcomer or is refused (see `Departures`). Default 16384. */
  maxDevices?: number
  /** Registered owner of a MAC's prefix. */
  vendorOf: (mac: string) => string | undefined
  /** Something was ordered about the device with this id: it stays. Default: about none. */
  isOrdered?: (id: string) => boolean
}

/** Knows every device by its MAC, or by its address where there is no MAC. */
export class Inventory {
  readonly #byMac = new MacTable()
  readonly #byAddress = new Map<string, DeviceEntry>()
  readonly #byId = new Map<string, DeviceEntry>()
  readonly #vendorOf: (mac: string) => string | undefined
  readonly #maxDevices: number
  readonly #changes: Changes
  readonly #departures: Departures
  readonly #strangers = new Strangers()
  /** Newcomers forgotten for others because the table was full. */
  evicted = 0
  /** How often a newcomer was seen that the full table did not take. */
  refused = 0
  #evictedIds: string[] = []

  constructor(options: InventoryOptions) {
    this.#vendorOf = options.vendorOf
    this.#maxDevices = options.maxDevices ?? 16384
    this.#changes = new Changes(this.#maxDevices)
    this.#departures = new Departures(options.isOrdered ?? (() => false))
  }

  get size(): number {
    return this.#byId.size
  }

  all(): IterableIterator<DeviceEntry> {
    return this.#byId.values()
  }

  get(id: string): DeviceEntry | undefined {
    return this.#byId.get(id)
  }

  /** The device with this MAC, without noting anything. */
  byMac(mac: number): DeviceEntry | undefined {
    return this.#byMac.get(mac)
  }

  /** The device that an address was last seen with, without noting anything. */
  byAddress(ip: string): DeviceEntry | undefined {
    return this.#byAddress.get(ip)
  }

  /**
   * The device that sent a frame, or spoke for itself otherwise; made if it is new. `ip` is one of its addresses, '' for none of
   * its own. One that a full table does not take is not listed.
   */
  seen(mac: number, ip: string, ipv6: boolean, timeMs: number): DeviceEntry {
    let entry = mac === 0 ? this.#byAddress.get(ip) : this.#byMac.get(mac)
    if (entry === undefined) entry = this.#add(mac, ip, timeMs)
    else if (entry.shared && ip !== '') entry = this.#carried(entry, ip, timeMs)
    this.#touch(entry, timeMs)
    if (ip === '' || ip === (ipv6 ? entry.lastIp6 : entry.lastIp)) return entry
    this.#noteIp(entry, ip, ipv6, timeMs)
    // With this address it became shared.
    return entry.shared && !entry.ips.has(ip) ? this.#carried(entry, ip, timeMs) : entry
  }

  /** The same, from a message in which the MAC says that the address is its own (ARP, neighbour discovery). */
  claimed(mac: number, ip: string, ipv6: boolean, timeMs: number): DeviceEntry {
    const known = this.#byMac.get(mac)
    known?.own.claim(ip, ipv6)
    const entry = this.seen(mac, ip, ipv6, timeMs)
    if (known === undefined && entry.mac === mac) entry.own.claim(ip, ipv6)
    return entry
  }

  /** A DHCP server gave an IPv4 address to the device with this MAC, if there is one. It has not been seen for that. */
  leased(mac: number, ip: string, timeMs: number): void {
    const entry = this.#byMac.get(mac)
    if (entry === undefined) return
    entry.own.lease(ip)
    if (ip !== entry.lastIp) this.#noteIp(entry, ip, false, timeMs)
  }

  /**
   * The device that a frame is for, by its destination. An address that is only spoken to is nobody's yet: what comes back is
   * then the device with that MAC or, where the MAC (0: unknown) stands for others (`isRouter`), an entry that is not listed.
   */
  addressed(mac: number, ip: string, timeMs: number, isRouter: boolean): DeviceEntry {
    const direct = mac === 0 ? undefined : this.#byMac.get(mac)
    if (direct !== undefined && (ip === '' || !(direct.shared || isRouter))) return direct
    const known = this.#byAddress.get(ip)
    if (known !== undefined) return known
    if (ip !== '' && (mac === 0 || isRouter || direct !== undefined)) {
      return this.#strangers.at(ip, timeMs)
    }
    return this.#add(mac, '', timeMs)
  }

  #touch(entry: DeviceEntry, timeMs: number): void {
    if (timeMs > entry.lastSeenMs) entry.lastSeenMs = timeMs
    if (entry.present) return
    entry.present = true
    this.#changes.change(entry, 'present')
  }

  /** The MAC is shared: its own addresses are its own, each other one is a device behind it, known by that address. */
  #carried(entry: DeviceEntry, ip: string, timeMs: number): DeviceEntry {
    if (entry.carried?.isOver(timeMs)) {
      entry.shared = false
      entry.carried = undefined
      entry.epoch++
      this.#changes.change(entry, 'shared')
      return entry
    }
    entry.carried?.note(ip, timeMs)
    if (entry.ips.has(ip)) return entry
    this.#touch(entry, timeMs)
    const behind = this.#behind(ip, timeMs)
    this.#touch(behind, timeMs)
    return behind
  }

  /** Never a device with a MAC of its own, or whoever sends for many could send in the name of any. */
  #behind(ip: string, timeMs: number): DeviceEntry {
    const known = this.#byAddress.get(ip)
    return known?.mac === 0 ? known : this.#add(0, ip, timeMs)
  }

  #noteIp(entry: DeviceEntry, ip: string, ipv6: boolean, timeMs: number): void {
    if (!entry.listed) return
    if (ipv6) entry.lastIp6 = ip
    else entry.lastIp = ip
    const known = entry.ips.delete(ip)
    entry.ips.set(ip, timeMs)
    this.#claim(ip, entry)
    if (known) return
    if (entry.ips.size > MAX_IPS) this.#dropIp(entry)
    this.#nameByAddress(entry)
    const mayBeMany = entry.mac !== 0 && !entry.shared && entry.ips.size > HOSTS_OF_A_DEVICE
    if (mayBeMany && hostOf(ip) !== undefined && areOfMany(entry.ips, timeMs)) {
      this.#share(entry, timeMs)
    }
    this.#changes.change(entry, 'ips')
  }

  /** From now on the MAC stands for many: each of its addresses that it does not call its own becomes a device, which begins at zero. */
  #share(entry: DeviceEntry, timeMs: number): void {
    const carried = new CarriedHosts(timeMs)
    entry.shared = true
    entry.carried = carried
    entry.epoch++
    entry.lastIp = ''
    entry.lastIp6 = ''
    this.#changes.change(entry, 'shared')
    const others = [...entry.ips].filter(([ip]) => !entry.own.has(ip, entry.mac))
    for (const [ip, notedMs] of entry.ips) carried.note(ip, notedMs)
    for (const [ip] of others) entry.ips.delete(ip)
    for (const [ip, notedMs] of others) if (this.#unlink(ip, entry)) this.#behind(ip, notedMs)
    this.#nameByAddress(entry)
  }

  #nameByAddress(entry: DeviceEntry): void {
    const name = entry.nameSource === 'address' ? addressName(entry) : entry.name
    if (name === entry.name) return
    entry.name = name
    this.#changes.change(entry, 'name')
  }

  /** Whoever had the address before notes it anew when it comes from there again. */
  #claim(ip: string, entry: DeviceEntry): void {
    const before = this.#byAddress.get(ip)
    if (before !== undefined && before !== entry) {
      if (before.lastIp === ip) before.lastIp = ''
      if (before.lastIp6 === ip) before.lastIp6 = ''
    }
    this.#byAddress.set(ip, entry)
    this.#strangers.settle(ip, entry)
  }

  /** The address that was noted longest ago goes; those that the device uses now are not noted again and stay. */
  #dropIp(entry: DeviceEntry): void {
    for (const ip of entry.ips.keys()) {
      if (ip === entry.lastIp || ip === entry.lastIp6) continue
      entry.ips.delete(ip)
      this.#unlink(ip, entry)
      return
    }
  }

  #add(mac: number, ip: string, timeMs: number): DeviceEntry {
    const macText = mac === 0 ? undefined : formatMac(mac)
    const id = macText?.replaceAll(':', '') ?? addressId(ip)
    const before = this.#byId.get(id)
    if (before !== undefined) {
      if (ip !== '') this.#noteIp(before, ip, ip.includes(':'), timeMs)
      return before
    }
    const listed = this.#byId.size < this.#maxDevices || this.#makeRoom(timeMs)
    const entry = new DeviceEntry({
      id,
      mac,
      ips: new Map(ip === '' ? [] : [[ip, timeMs]]),
      name: '',
      nameSource: 'address',
      vendor: macText === undefined || isRandomMac(mac) ? undefined : this.#vendorOf(macText),
      shared: false,
      present: true,
      firstSeenMs: timeMs,
      lastSeenMs: timeMs,
      lastIp: ip.includes(':') ? '' : ip,
      lastIp6: ip.includes(':') ? ip : '',
      listed,
    })
    this.#rename(entry)
    if (listed) {
      this.#insert(entry)
      this.#changes.tell({ kind: 'device_new', entry })
    } else this.refused++
    return entry
  }

  /** Gives a device a name from `source`, unless it has one from a better source. */
  name(entry: DeviceEntry, name: string, source: DeviceNameSource): void {
    if (SOURCES.indexOf(source) > SOURCES.indexOf(entry.nameSource)) return
    if (entry.name === name && entry.nameSource === source) return
    entry.name = name
    entry.nameSource = source
    this.#changes.change(entry, 'name')
  }

  /** Takes back a name: the device is called by its vendor or address until a better one is seen. */
  unname(entry: DeviceEntry): void {
    this.#rename(entry)
    this.#changes.change(entry, 'name')
  }

  #rename(entry: DeviceEntry): void {
    entry.nameSource = entry.vendor === undefined ? 'address' : 'vendor'
    entry.name =
      entry.vendor === undefined
        ? addressName(entry)
        : `${entry.vendor} ${formatMac(entry.mac).slice(-5)}`
  }

  #insert(entry: DeviceEntry): void {
    this.#byId.set(entry.id, entry)
    if (entry.mac !== 0) this.#byMac.set(entry.mac, entry)
    for (const ip of entry.ips.keys()) {
      // Of devices that were stored with the same address, it is that which was seen last.
      const other = entry.present ? undefined : this.#byAddress.get(ip)
      if (other === undefined || other.lastSeenMs < entry.lastSeenMs) this.#claim(ip, entry)
    }
  }

  /** An address that has gone to another device stays there. */
  #unlink(ip: string, entry: DeviceEntry): boolean {
    return this.#byAddress.get(ip) === entry && this.#byAddress.delete(ip)
  }

  /** False where nobody may go. */
  #makeRoom(timeMs: number): boolean {
    const entry = this.#departures.next(this.#byId, timeMs)
    if (entry === undefined) return false
    this.evicted++
    this.#noteEvicted(entry.id)
    return this.forget(entry.id)
  }

  /** Takes a device out. False if there is none with this id. */
  forget(id: string): boolean {
    const entry = this.#byId.get(id)
    if (entry === undefined) return false
    this.#byId.delete(id)
    entry.listed = false
    entry.epoch++
    if (entry.mac !== 0) this.#byMac.delete(entry.mac)
    for (const ip of entry.ips.keys()) this.#unlink(ip, entry)
    return true
  }

  /** Takes devices back in that an earlier run has stored; the counters go on from there. */
  restore(devices: readonly Device[], macOf: (text: string) => number | undefined): void {
    for (const device of devices.toSorted(bestFirst)) {
      const mac = device.mac === undefined ? 0 : (macOf(device.mac) ?? 0)
      if (this.#byId.size >= this.#maxDevices || this.#byId.has(device.id)) continue
      const entry = new DeviceEntry({
        id: device.id,
        mac,
        ips: new Map(device.ips.toReversed().map((ip) => [ip, device.last_seen_ms])),
        name: device.name,
        nameSource: device.name_source,
        vendor: device.vendor,
        shared: device.shared ?? false,
        present: false,
        firstSeenMs: device.first_seen_ms,
        lastSeenMs: device.last_seen_ms,
        lastIp: '',
        lastIp6: '',
        stays: this.#byId.size < this.#maxDevices * RESTORED_PART,
      })
      if (entry.shared) entry.carried = new CarriedHosts(device.last_seen_ms)
      entry.count(
        device.sent_bytes,
        device.received_bytes,
        device.sent_packets,
        device.received_packets,
        device.last_seen_ms,
      )
      this.#insert(entry)
    }
  }

  /** Marks devices gone that were not seen since `sinceMs`. */
  expire(sinceMs: number): void {
    for (const entry of this.#byId.values()) {
      if (!entry.present || entry.lastSeenMs >= sinceMs) continue
      entry.present = false
      this.#changes.tell({ kind: 'device_gone', entry })
    }
  }

  /** A replay takes none of these: more than the table can have held are not kept. */
  #noteEvicted(id: string): void {
    if (this.#evictedIds.length < this.#maxDevices) this.#evictedIds.push(id)
  }

  /** Devices that were forgotten for new ones since the last call, by id; some may have come back since. */
  takeEvicted(): string[] {
    return this.#evictedIds.splice(0)
  }

  /** What happened since the last call; several changes of one device are one. */
  takeChanges(): InventoryChange[] {
    return this.#changes.take()
  }
}

function addressName(entry: DeviceEntry): string {
  for (const ip of entry.ips.keys()) if (!ip.includes(':')) return ip
  for (const ip of entry.ips.keys()) if (!ip.startsWith('fe80:')) return ip
  return entry.mac === 0 ? (entry.ips.keys().next().value ?? entry.id) : formatMac(entry.mac)
}

/** The device as it goes out. */
export function deviceMessage(entry: DeviceEntry): Device {
  return {
    type: 'device',
    id: entry.id,
    ...(entry.mac === 0 ? {} : { mac: formatMac(entry.mac) }),
    ips: [...entry.ips.keys()].toReversed(),
    name: entry.name,
    name_source: entry.nameSource,
    ...(entry.vendor === undefined ? {} : { vendor: entry.vendor }),
    random_mac: entry.mac !== 0 && isRandomMac(entry.mac),
    ...(entry.shared ? { shared: true } : {}),
    present: entry.present,
    sent_bytes: entry.sentBytes,
    received_bytes: entry.receivedBytes,
    sent_packets: entry.sentPackets,
    received_packets: entry.receivedPackets,
    first_seen_ms: Math.floor(entry.firstSeenMs),
    last_seen_ms: Math.floor(entry.lastSeenMs),
  }
}
