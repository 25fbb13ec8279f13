// Whose flow it is: which devices its two ends are, and which way it goes.
import type { Direction } from '../../protocol/messages.ts'
import { isGroupMac } from '../address.ts'
import type { DeviceEntry, Inventory } from '../inventory/inventory.ts'
import type { Locality } from '../inventory/locality.ts'
import { isGroupAddress } from '../inventory/locality.ts'

/** What is known of a flow's ends; not to be changed, as flows share it. Devices are undefined for remotes, groups, and traffic that only passes through. */
export interface Ends {
  direction: Direction
  originator: DeviceEntry | undefined
  responder: DeviceEntry | undefined
  /** The device that the flow is told under: the originator, else the responder, else who passes it on. */
  owner: DeviceEntry
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

/** Decides about ends. Notes what it sees in the inventory. */
export class EndsResolver {
  readonly #locality: Locality
  readonly #inventory: Inventory
  readonly #known: Ends[][] = []

  constructor(locality: Locality, inventory: Inventory) {
    this.#locality = locality
    this.#inventory = inventory
  }

  resolve(bytes: Buffer, ipv6: boolean, orig: End, resp: End, timeMs: number): Ends {
    if (orig.seen) this.#locality.learnSource(bytes, orig.at, ipv6, orig.mac)
    if (resp.seen) this.#locality.learnSource(bytes, resp.at, ipv6, resp.mac)
    const toGroup = isGroupMac(resp.mac) || isGroupAddress(bytes, resp.at, ipv6)
    const origUnspecified = isGroupAddress(bytes, orig.at, ipv6)
    const origLocal = origUnspecified || this.#locality.isLocal(bytes, orig.at, ipv6, orig.mac)
    const respLocal = toGroup || this.#locality.isLocal(bytes, resp.at, ipv6, resp.mac)
    const originator = origLocal ? this.#device(orig, origUnspecified, ipv6, timeMs) : undefined
    const responder = respLocal && !toGroup ? this.#device(resp, false, ipv6, timeMs) : undefined
    const direction = origLocal ? (respLocal ? 'local' : 'outbound') : 'inbound'
    if (originator !== undefined || responder !== undefined) {
      return this.#shared(direction, originator, responder)
    }
    return this.#passing(orig, resp, ipv6, timeMs)
  }

  /** Flows between the same two share what is said of them: there are many flows and few devices. */
  #shared(
    direction: Direction,
    originator: DeviceEntry | undefined,
    responder: DeviceEntry | undefined,
  ): Ends {
    const owner = (originator ?? responder) as DeviceEntry
    const place = owner.number % PLACES
    let all = this.#known[place]
    if (all === undefined || all[0]?.owner !== owner) {
      all = []
      this.#known[place] = all
    }
    for (const ends of all) {
      if (
        ends.direction === direction &&
        ends.originator === originator &&
        ends.responder === responder
      ) {
        return ends
      }
    }
    const ends: Ends = { direction, originator, responder, owner }
    if (all.length < MAX_SHARED) all.push(ends)
    return ends
  }

  #device(end: End, unspecified: boolean, ipv6: boolean, timeMs: number): DeviceEntry | undefined {
    const mac = isGroupMac(end.mac) ? 0 : end.mac
    if (mac === 0 && unspecified) return undefined
    // A router's MAC stands for every host behind it: one that is known by its own MAC is that device.
    if (!end.seen || this.#locality.isRouter(mac)) {
      const known = this.#inventory.byAddress(end.ip)
      if (known !== undefined && known.mac !== mac)
        return this.#inventory.seen(known.mac, end.ip, ipv6, timeMs)
    }
    return this.#inventory.seen(mac, unspecified ? '' : end.ip, ipv6, timeMs)
  }

  /** Neither end is of the home: told under the device that the frames belong to, which gets no bytes for it. */
  #passing(orig: End, resp: End, ipv6: boolean, timeMs: number): Ends {
    const byResponder = this.#locality.isRouter(orig.mac) && resp.mac !== 0 && !isGroupMac(resp.mac)
    const end = byResponder ? resp : orig
    const owner = this.#inventory.seen(end.mac, end.mac === 0 ? end.ip : '', ipv6, timeMs)
    const direction = byResponder ? 'inbound' : 'outbound'
    return { direction, originator: undefined, responder: undefined, owner }
  }
}
