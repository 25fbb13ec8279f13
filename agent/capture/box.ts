// What the kernel says of this box's links, addresses, gateways and neighbours, kept from netlink's events.
import type { NetlinkEvent, VlanTag } from '../../native/index.ts'

export interface Link {
  index: number
  name: string
  mac?: string
  up: boolean
  /** Index of the bridge that it is a port of. */
  master?: number
  linkKind?: string
  /** Of a VLAN: index of the link that its frames go through, and their tag. */
  parent?: number
  vlan?: VlanTag
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
  /**
   * As they were known last: the kernel forgets a neighbour that does not answer for a moment, or that it has not talked to for a
   * while, but traffic goes on by its MAC.
   */
  #gatewayMacs = new Map<string, string>()
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

  /** The MAC of a neighbour on a link; of a gateway the one that was known last. */
  macOf(index: number, ip: string): string | undefined {
    const key = `${index} ${ip}`
    return this.#neighbours.get(key) ?? this.#gatewayMacs.get(key)
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
      case 'gateways':
        return this.#applyGateways(event.gateways)
      case 'neighbour':
        return this.#applyNeighbour(event)
    }
  }

  #applyGateways(gateways: readonly { index: number; ip: string }[]): boolean {
    const before = [...this.#gateways.keys()].join()
    this.#gateways = new Map(gateways.map(({ index, ip }) => [`${index} ${ip}`, { index, ip }]))
    const macs = [...this.#gateways].flatMap(([key, { index, ip }]): [string, string][] => {
      const mac = this.macOf(index, ip)
      return mac === undefined ? [] : [[key, mac]]
    })
    this.#gatewayMacs = new Map(macs)
    return before !== [...this.#gateways.keys()].join()
  }

  /** The kernel does not tell of all that goes with a link. */
  #forget(index: number): void {
    this.links.delete(index)
    for (const table of [this.#addresses, this.#gateways, this.#neighbours, this.#gatewayMacs]) {
      for (const key of table.keys()) if (key.startsWith(`${index} `)) table.delete(key)
    }
  }

  #applyNeighbour(event: NetlinkEvent & { kind: 'neighbour' }): boolean {
    const key = `${event.index} ${event.ip}`
    if (event.removed || event.mac === undefined) {
      this.#neighbours.delete(key)
      return false
    }
    const isGateway = this.#gateways.has(key)
    const before = this.macOf(event.index, event.ip)
    if (isGateway) this.#gatewayMacs.set(key, event.mac)
    if (!this.#neighbours.has(key) && this.#neighbours.size >= MAX_NEIGHBOURS) {
      return isGateway && before !== event.mac
    }
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
    ...(event.parent === undefined ? {} : { parent: event.parent }),
    ...(event.vlan === undefined ? {} : { vlan: event.vlan }),
  }
}
