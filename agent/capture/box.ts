// What the kernel says of this box's links, addresses, gateways and neighbours, kept from netlink's events.
import type { NetlinkEvent } from '../../native/index.ts'

export interface Link {
  index: number
  name: string
  mac?: string
  up: boolean
  /** Index of the bridge that it is a port of. */
  master?: number
  linkKind?: string
  loopback: boolean
}

/** Neighbours kept at most, in all. */
const MAX_NEIGHBOURS = 16384

/** The tables of rtnetlink as they are now. */
export class Box {
  readonly links = new Map<number, Link>()
  #addresses = new Map<string, { index: number; ip: string; prefixLength: number }>()
  #gateways = new Map<string, { index: number; ip: string }>()
  #neighbours = new Map<string, string>()
  /** Whether the kernel has told everything that there is. */
  whole = false

  get addresses(): readonly { index: number; ip: string; prefixLength: number }[] {
    return [...this.#addresses.values()]
  }

  /** Default routes. */
  get gateways(): readonly { index: number; ip: string }[] {
    return [...this.#gateways.values()]
  }

  byName(name: string): Link | undefined {
    for (const link of this.links.values()) if (link.name === name) return link
    return undefined
  }

  /** The MAC of a neighbour on a link. */
  macOf(index: number, ip: string): string | undefined {
    return this.#neighbours.get(`${index} ${ip}`)
  }

  /** Takes an event; true if it may change a plan. */
  apply(event: NetlinkEvent): boolean {
    switch (event.kind) {
      case 'overrun':
        this.links.clear()
        this.#addresses.clear()
        this.#gateways.clear()
        this.#neighbours.clear()
        this.whole = false
        return false
      case 'synchronised':
        this.whole = true
        return true
      case 'link': {
        if (event.removed) this.#forget(event.index)
        else this.links.set(event.index, linkOf(event))
        return true
      }
      case 'address': {
        const key = `${event.index} ${event.ip}`
        if (event.removed) this.#addresses.delete(key)
        else
          this.#addresses.set(key, {
            index: event.index,
            ip: event.ip,
            prefixLength: event.prefixLength,
          })
        return true
      }
      case 'gateway': {
        const key = `${event.index} ${event.ip}`
        if (event.removed) this.#gateways.delete(key)
        else this.#gateways.set(key, { index: event.index, ip: event.ip })
        return true
      }
      case 'neighbour':
        return this.#applyNeighbour(event)
    }
  }

  /** The kernel does not tell of IPv4 routes that go with their link. */
  #forget(index: number): void {
    this.links.delete(index)
    for (const table of [this.#addresses, this.#gateways, this.#neighbours]) {
      for (const key of table.keys()) if (key.startsWith(`${index} `)) table.delete(key)
    }
  }

  #applyNeighbour(event: NetlinkEvent & { kind: 'neighbour' }): boolean {
    const key = `${event.index} ${event.ip}`
    const isGateway = this.#gateways.has(key)
    if (event.removed || event.mac === undefined) {
      this.#neighbours.delete(key)
      return isGateway
    }
    const before = this.#neighbours.get(key)
    if (before === undefined && this.#neighbours.size >= MAX_NEIGHBOURS) return false
    this.#neighbours.set(key, event.mac)
    return isGateway && before !== event.mac
  }
}

function linkOf(event: NetlinkEvent & { kind: 'link' }): Link {
  return {
    index: event.index,
    name: event.name,
    up: event.up,
    loopback: event.loopback,
    ...(event.mac === undefined ? {} : { mac: event.mac }),
    ...(event.master === undefined ? {} : { master: event.master }),
    ...(event.linkKind === undefined ? {} : { linkKind: event.linkKind }),
  }
}
