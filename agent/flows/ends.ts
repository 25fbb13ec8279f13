// Whose flow it is: which devices its two ends are, and which way it goes.
import type { Direction } from '../../protocol/messages.ts'
import { isGroupMac } from '../address.ts'
import type { DeviceEntry, Inventory } from '../inventory/inventory.ts'
import type { Locality } from '../inventory/locality.ts'
import { isGroupAddress, isPrivate } from '../inventory/locality.ts'

/**
 * What is known of a flow's ends; not to be changed, as flows share it. Devices are undefined for remotes and groups; an
 * end may also be one that is not listed: an address of the home that nobody has, or a newcomer that there was no room for.
 */
export interface Ends {
  direction: Direction
  originator: DeviceEntry | undefined
  responder: DeviceEntry | undefined
  /** The device that the flow is told under: the originator, else the responder, else who passes it on. */
  owner: DeviceEntry
  /** Of both devices together when this was found; see `isStale`. */
  epochs: number
}

/** One end as it stands in a record. */
export interface End {
  mac: number
  /** The MAC was seen as the source of this end's frames. */
  seen: boolean
  /** Where the address begins in the batch. */
  at: number
  ip: string
}

/** Pairs remembered per device. */
const MAX_SHARED = 64
/** Places for what is remembered of devices, by their number; of two in one place the later stays. */
const PLACES = 16384

/** A device has been forgotten since, or its addresses have become devices of their own: who it is has to be found anew. */
export function isStale({ originator, responder, epochs }: Ends): boolean {
  return epochsOf(originator, responder) !== epochs
}

function epochsOf(one: DeviceEntry | undefined, other: DeviceEntry | undefined): number {
  return (one === undefined ? 0 : one.epoch) + (other === undefined ? 0 : other.epoch)
}

/** Whether `ends` is just that. */
function isOf(
  ends: Ends,
  direction: Direction,
  originator: DeviceEntry | undefined,
  responder: DeviceEntry | undefined,
  epochs: number,
): boolean {
  return (
    ends.originator === originator &&
    ends.responder === responder &&
    ends.direction === direction &&
    ends.epochs === epochs
  )
}

/** Decides about ends. Notes in the inventory who sends from which address; who is only spoken to is looked up. */
export class EndsResolver {
  readonly #locality: Locality
  readonly #inventory: Inventory
  readonly #known: Ends[][] = []
  /** Of each place that which was asked for last, as most devices have one again and again. */
  readonly #last: Ends[] = []

  constructor(locality: Locality, inventory: Inventory) {
    this.#locality = locality
    this.#inventory = inventory
  }

  resolve(bytes: Buffer, ipv6: boolean, orig: End, resp: End, timeMs: number): Ends {
    const toGroup = isGroupMac(resp.mac) || this.#isForAll(bytes, ipv6, resp)
    const origUnspecified = this.#isForAll(bytes, ipv6, orig)
    const origLocal = origUnspecified || this.#isLocal(bytes, ipv6, orig)
    const respLocal = toGroup || this.#isLocal(bytes, ipv6, resp)
    if (origLocal && !respLocal && orig.seen && resp.seen && orig.mac !== resp.mac) {
      this.#locality.learnCarrier(bytes, resp.at, ipv6, resp.mac, timeMs)
    }
    const originator = origLocal ? this.#device(orig, origUnspecified, ipv6, timeMs) : undefined
    const responder = respLocal && !toGroup ? this.#device(resp, false, ipv6, timeMs) : undefined
    const direction = origLocal ? (respLocal ? 'local' : 'outbound') : 'inbound'
    if (originator !== undefined || responder !== undefined) {
      return this.#shared(direction, originator, responder)
    }
    return this.#passing(bytes, orig, resp, ipv6, timeMs)
  }

  /** The device that sent a frame from this address of the home. `mac` is no group's. */
  sender(mac: number, ip: string, ipv6: boolean, timeMs: number): DeviceEntry {
    // A router's MAC stands for every host behind it: one that is known by its own MAC is that device.
    if (mac !== 0 && this.#locality.isRouter(mac)) {
      const known = this.#inventory.byAddress(ip)
      if (known !== undefined && known.mac !== mac) {
        return this.#inventory.seen(known.mac, ip, ipv6, timeMs)
      }
    }
    return this.#inventory.seen(mac, ip, ipv6, timeMs)
  }

  /** Nobody's address: of a group, of all, or unspecified. On Ethernet a frame for all of a network shows it by its MAC. */
  #isForAll(bytes: Buffer, ipv6: boolean, end: End): boolean {
    if (isGroupAddress(bytes, end.at, ipv6)) return true
    return end.mac === 0 && this.#locality.isBroadcast(bytes, end.at, ipv6)
  }

  #isLocal(bytes: Buffer, ipv6: boolean, end: End): boolean {
    const { mac, seen, ip } = end
    if (this.#locality.isLocal(bytes, end.at, ipv6, mac, seen)) return true
    if (!isPrivate(bytes, end.at, ipv6)) return false
    // One that is only spoken to may be anywhere, unless a device has shown that it has it; so may one behind a router,
    // unless the router says that it is its own.
    if (this.#locality.carriesRemotes(mac)) {
      return this.#inventory.byMac(mac)?.own.has(ip, mac) === true
    }
    return !seen && this.#inventory.byAddress(ip) !== undefined
  }

  /** Flows between the same two share what is said of them: there are many flows and few devices. */
  #shared(
    direction: Direction,
    originator: DeviceEntry | undefined,
    responder: DeviceEntry | undefined,
  ): Ends {
    const owner = (originator ?? responder) as DeviceEntry
    const epochs = epochsOf(originator, responder)
    const place = owner.number % PLACES
    const last = this.#last[place]
    if (last !== undefined && isOf(last, direction, originator, responder, epochs)) return last
    const ends = this.#remembered(place, direction, originator, responder, epochs)
    this.#last[place] = ends
    return ends
  }

  /** One of those that are remembered, or a new one. */
  #remembered(
    place: number,
    direction: Direction,
    originator: DeviceEntry | undefined,
    responder: DeviceEntry | undefined,
    epochs: number,
  ): Ends {
    const owner = (originator ?? responder) as DeviceEntry
    let all = this.#known[place]
    if (all === undefined || all[0]?.owner !== owner) {
      all = []
      this.#known[place] = all
    }
    for (const ends of all) {
      if (isOf(ends, direction, originator, responder, epochs)) return ends
    }
    const ends: Ends = { direction, originator, responder, owner, epochs }
    if (all.length >= MAX_SHARED) all.length = 0
    all.push(ends)
    return ends
  }

  #device(end: End, unspecified: boolean, ipv6: boolean, timeMs: number): DeviceEntry | undefined {
    const mac = isGroupMac(end.mac) ? 0 : end.mac
    if (unspecified) return mac === 0 ? undefined : this.#byMac(mac, end.seen, ipv6, timeMs)
    if (end.seen) return this.sender(mac, end.ip, ipv6, timeMs)
    return this.#inventory.addressed(mac, end.ip, timeMs, this.#locality.isRouter(mac))
  }

  /** The device with this MAC, whatever address it uses. */
  #byMac(mac: number, seen: boolean, ipv6: boolean, timeMs: number): DeviceEntry {
    if (seen) return this.#inventory.seen(mac, '', ipv6, timeMs)
    return this.#inventory.byMac(mac) ?? this.#inventory.addressed(mac, '', timeMs, false)
  }

  /**
   * Neither address is of the home. A device may have one that is in no prefix that is known: its MAC says whose packets
   * they are. Only what a router passes on between strangers is nobody's, and told under it.
   */
  #passing(bytes: Buffer, orig: End, resp: End, ipv6: boolean, timeMs: number): Ends {
    if (this.#areNeighbours(bytes, orig, resp, ipv6)) {
      const originator = this.#inventory.seen(orig.mac, '', ipv6, timeMs)
      const responder = this.#inventory.seen(resp.mac, '', ipv6, timeMs)
      return this.#shared('local', originator, responder)
    }
    const byResponder = this.#isResponders(orig.mac, resp.mac)
    const owner = this.#passer(bytes, byResponder ? resp : orig, ipv6, timeMs)
    const direction = byResponder ? 'inbound' : 'outbound'
    if (this.#locality.isRouter(owner.mac)) {
      return { direction, originator: undefined, responder: undefined, owner, epochs: 0 }
    }
    return byResponder
      ? this.#shared(direction, undefined, owner)
      : this.#shared(direction, owner, undefined)
  }

  /** Whether the responder's MAC is the device's, and the originator's that which remotes are behind. */
  #isResponders(orig: number, resp: number): boolean {
    if (resp === 0 || isGroupMac(resp)) return false
    const locality = this.#locality
    if (locality.isRouter(orig) !== locality.isRouter(resp)) return locality.isRouter(orig)
    if (locality.carriesRemotes(orig) !== locality.carriesRemotes(resp)) {
      return locality.carriesRemotes(orig)
    }
    return this.#hasHome(resp) && !this.#hasHome(orig)
  }

  /** It has an address of the home, too. */
  #hasHome(mac: number): boolean {
    return mac !== 0 && (this.#inventory.byMac(mac)?.ips.size ?? 0) > 0
  }

  #passer(bytes: Buffer, end: End, ipv6: boolean, timeMs: number): DeviceEntry {
    const mac = isGroupMac(end.mac) ? 0 : end.mac
    if (mac !== 0) return this.#byMac(mac, end.seen, ipv6, timeMs)
    return end.seen && !this.#isForAll(bytes, ipv6, end)
      ? this.#inventory.seen(0, end.ip, ipv6, timeMs)
      : this.#inventory.addressed(0, end.ip, timeMs, false)
  }

  /** Two MACs that both spoke, from addresses of one network (/24, /64): they are on it, whether or not it is known as the home's. */
  #areNeighbours(bytes: Buffer, orig: End, resp: End, ipv6: boolean): boolean {
    if (!orig.seen || !resp.seen || orig.mac === resp.mac) return false
    for (const { mac } of [orig, resp]) {
      if (mac === 0 || isGroupMac(mac) || this.#locality.isRouter(mac)) return false
    }
    for (let i = 0; i < (ipv6 ? 8 : 3); i++) {
      if (bytes[orig.at + i] !== bytes[resp.at + i]) return false
    }
    return true
  }
}
