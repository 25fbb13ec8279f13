// The devices of the home: who is who by MAC and address, and what each has sent and received.
import { createHash } from 'node:crypto'
import type { Device, DeviceNameSource } from '../../protocol/messages.ts'
import { formatMac, isRandomMac } from '../address.ts'
import { DeviceEntry } from './device-entry.ts'
import { MacTable } from './mac-table.ts'

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
/** A MAC that has sent from more IPv4 addresses than this within an hour carries others' traffic. */
const SHARED_IPV4 = 8
const SHARED_WINDOW_MS = 3_600_000

export type { DeviceEntry }

/** What happened to a device. `changed` lists keys of `Device`. */
export type InventoryChange =
  | { kind: 'device_new'; entry: DeviceEntry }
  | { kind: 'device_changed'; entry: DeviceEntry; changed: string[] }
  | { kind: 'device_gone'; entry: DeviceEntry }

export interface InventoryOptions {
  /** Cap; the device unseen for longest is forgotten for a new one. Default 16384. */
  maxDevices?: number
  /** Registered owner of a MAC's prefix. */
  vendorOf: (mac: string) => string | undefined
}

/** Knows every device by its MAC, or by its address where there is no MAC. */
export class Inventory {
  readonly #byMac = new MacTable()
  readonly #byAddress = new Map<string, DeviceEntry>()
  readonly #byId = new Map<string, DeviceEntry>()
  readonly #vendorOf: (mac: string) => string | undefined
  readonly #maxDevices: number
  #changes: InventoryChange[] = []
  /** What to forget next when the table is full, last first: looked up for many at once, as looking takes long. */
  #unseen: { entry: DeviceEntry; lastSeenMs: number }[] = []
  /** Devices forgotten because the table was full. */
  evicted = 0
  #evictedIds: string[] = []

  constructor(options: InventoryOptions) {
    this.#vendorOf = options.vendorOf
    this.#maxDevices = options.maxDevices ?? 16384
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

  /** The device that a local end belongs to; made if it is new. `ip` is one of its addresses, '' for none of its own. */
  seen(mac: number, ip: string, ipv6: boolean, timeMs: number): DeviceEntry {
    let entry = mac === 0 ? this.#byAddress.get(ip) : this.#byMac.get(mac)
    if (entry === undefined) entry = this.#add(mac, ip, timeMs)
    else if (entry.shared && ip !== '') entry = this.#behindShared(entry, ip, timeMs)
    if (timeMs > entry.lastSeenMs) entry.lastSeenMs = timeMs
    if (!entry.present) {
      entry.present = true
      this.#change(entry, 'present')
    }
    if (ip !== '' && ip !== (ipv6 ? entry.lastIp6 : entry.lastIp))
      this.#noteIp(entry, ip, ipv6, timeMs)
    return entry
  }

  /** The first address of a shared MAC is its own; the others are devices behind it, known by address. */
  #behindShared(entry: DeviceEntry, ip: string, timeMs: number): DeviceEntry {
    if (entry.ips.has(ip)) return entry
    return this.#byAddress.get(ip) ?? this.#add(0, ip, timeMs)
  }

  #noteIp(entry: DeviceEntry, ip: string, ipv6: boolean, timeMs: number): void {
    if (ipv6) entry.lastIp6 = ip
    else entry.lastIp = ip
    const known = entry.ips.delete(ip)
    entry.ips.set(ip, timeMs)
    this.#claim(ip, entry)
    if (known) return
    if (entry.ips.size > MAX_IPS) this.#dropIp(entry)
    const name = entry.nameSource === 'address' ? addressName(entry) : entry.name
    if (name !== entry.name) {
      entry.name = name
      this.#change(entry, 'name')
    }
    if (!ipv6 && entry.mac !== 0 && !entry.shared) this.#checkShared(entry, timeMs)
    this.#change(entry, 'ips')
  }

  /** Whoever had the address before notes it anew when it comes from there again. */
  #claim(ip: string, entry: DeviceEntry): void {
    const before = this.#byAddress.get(ip)
    if (before !== undefined && before !== entry) {
      if (before.lastIp === ip) before.lastIp = ''
      if (before.lastIp6 === ip) before.lastIp6 = ''
    }
    this.#byAddress.set(ip, entry)
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

  #checkShared(entry: DeviceEntry, timeMs: number): void {
    let recent = 0
    for (const [ip, seen] of entry.ips) {
      if (!ip.includes(':') && timeMs - seen < SHARED_WINDOW_MS) recent++
    }
    if (recent <= SHARED_IPV4) return
    entry.shared = true
    this.#change(entry, 'shared')
  }

  #add(mac: number, ip: string, timeMs: number): DeviceEntry {
    if (this.#byId.size >= this.#maxDevices) this.#evict()
    const macText = mac === 0 ? undefined : formatMac(mac)
    const entry = new DeviceEntry({
      id: macText?.replaceAll(':', '') ?? addressId(ip),
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
    })
    this.#rename(entry)
    this.#insert(entry)
    this.#tell({ kind: 'device_new', entry })
    return entry
  }

  /** Gives a device a name from `source`, unless it has one from a better source. */
  name(entry: DeviceEntry, name: string, source: DeviceNameSource): void {
    if (SOURCES.indexOf(source) > SOURCES.indexOf(entry.nameSource)) return
    if (entry.name === name && entry.nameSource === source) return
    entry.name = name
    entry.nameSource = source
    this.#change(entry, 'name')
  }

  /** Takes back a name: the device is called by its vendor or address until a better one is seen. */
  unname(entry: DeviceEntry): void {
    this.#rename(entry)
    this.#change(entry, 'name')
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
    for (const ip of entry.ips.keys()) this.#claim(ip, entry)
  }

  /** An address that has gone to another device stays there. */
  #unlink(ip: string, entry: DeviceEntry): void {
    if (this.#byAddress.get(ip) === entry) this.#byAddress.delete(ip)
  }

  #evict(): void {
    while (this.#byId.size >= this.#maxDevices) {
      if (this.#unseen.length === 0) this.#unseen = this.#unseenLongest()
      const next = this.#unseen.pop()
      if (next === undefined) return
      const { entry, lastSeenMs } = next
      if (this.#byId.get(entry.id) !== entry || entry.lastSeenMs !== lastSeenMs) continue
      this.evicted++
      this.#noteEvicted(entry.id)
      this.forget(entry.id)
    }
  }

  /** An eighth of the devices, that which is unseen for longest at the end. */
  #unseenLongest(): { entry: DeviceEntry; lastSeenMs: number }[] {
    return [...this.#byId.values()]
      .map((entry) => ({ entry, lastSeenMs: entry.lastSeenMs }))
      .sort((a, b) => a.lastSeenMs - b.lastSeenMs)
      .slice(0, Math.ceil(this.#byId.size / 8))
      .reverse()
  }

  /** Takes a device out. False if there is none with this id. */
  forget(id: string): boolean {
    const entry = this.#byId.get(id)
    if (entry === undefined) return false
    this.#byId.delete(id)
    if (entry.mac !== 0) this.#byMac.delete(entry.mac)
    for (const ip of entry.ips.keys()) this.#unlink(ip, entry)
    return true
  }

  /** Takes devices back in that an earlier run has stored; the counters go on from there. */
  restore(devices: readonly Device[], macOf: (text: string) => number | undefined): void {
    for (const device of devices) {
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
      })
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
      this.#tell({ kind: 'device_gone', entry })
    }
  }

  #change(entry: DeviceEntry, key: string): void {
    for (let i = this.#changes.length - 1; i >= 0 && i >= this.#changes.length - 64; i--) {
      const change = this.#changes[i]
      if (change?.entry !== entry) continue
      if (change.kind === 'device_gone') break
      if (change.kind === 'device_changed' && !change.changed.includes(key))
        change.changed.push(key)
      return
    }
    this.#tell({ kind: 'device_changed', entry, changed: [key] })
  }

  /** Where nobody takes changes (a replay), or devices are made up by the thousand, those beyond the cap are not told. */
  #tell(change: InventoryChange): void {
    if (this.#changes.length < this.#maxDevices) this.#changes.push(change)
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
    const changes = this.#changes
    this.#changes = []
    return changes
  }
}

function addressName(entry: DeviceEntry): string {
  for (const ip of entry.ips.keys()) if (!ip.includes(':')) return ip
  for (const ip of entry.ips.keys()) if (!ip.startsWith('fe80:')) return ip
  return entry.mac === 0 ? (entry.ips.keys().next().value ?? entry.id) : formatMac(entry.mac)
}

function addressId(ip: string): string {
  return createHash('sha256').update(`ip:${ip}`).digest('hex').slice(0, 16)
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
