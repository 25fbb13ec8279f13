// IPv6 that this box itself need not have: which routers advertise it, and whether devices use it. Told by neighbour discovery
// (RFC 4861) as it is captured. Anybody can send that, so nothing is opened for what was heard: it closes, or is told.
import { NAME } from '../../../native/layout.ts'
import { formatMac } from '../../address.ts'

/** What was heard, as far as it still holds. */
export interface HeardNow {
  /** MACs of those that say that they are routers to the internet, sorted. */
  advertisers: readonly string[]
  /** More than are remembered say so: any of them may be one. */
  isCrowded: boolean
  /** Addresses of the internet are advertised, or are somebody's. */
  isUsed: boolean
}

const ROUTER_ADVERTISEMENT = 134
const NEIGHBOUR_SOLICITATION = 135
const NEIGHBOUR_ADVERTISEMENT = 136
const SOURCE_LINK_LAYER_ADDRESS = 1
const PREFIX_INFORMATION = 3
/** Routers remembered at most; a home has one or two. */
const MOST = 16
/** A router is remembered for as long as it says, at least: the same words again are told every five minutes alone. */
const SHORTEST_MS = 15 * 60_000
const USED_MS = 24 * 3600_000

/** 2000::/3 (RFC 4291), what is given out. */
function isGlobal(bytes: Buffer, at: number): boolean {
  return ((bytes[at] as number) & 0xe0) === 0x20
}

function macAt(bytes: Buffer, at: number): string {
  return formatMac(bytes.readUInt16LE(at + 4) * 4294967296 + bytes.readUInt32LE(at))
}

/** Options of a message: type, and where its value begins. */
function* optionsOf(message: Buffer, from: number): Generator<{ type: number; at: number }> {
  let at = from
  while (at + 8 <= message.length) {
    const length = (message[at + 1] as number) * 8
    if (length === 0 || at + length > message.length) return
    yield { type: message[at] as number, at: at + 2 }
    at += length
  }
}

export class HeardIpv6 {
  readonly #now: () => number
  /** Until when, by MAC. */
  readonly #advertisers = new Map<string, number>()
  #crowdedUntil = Number.NEGATIVE_INFINITY
  #usedUntil = Number.NEGATIVE_INFINITY
  /** Something else holds now. */
  onChange: () => void = () => {}

  /** `now`: milliseconds of any steady clock. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  get now(): HeardNow {
    const now = this.#now()
    for (const [mac, until] of this.#advertisers) if (until <= now) this.#advertisers.delete(mac)
    return {
      advertisers: [...this.#advertisers.keys()].sort(),
      isCrowded: this.#crowdedUntil > now,
      isUsed: this.#usedUntil > now,
    }
  }

  /** A message from its ICMPv6 type on, and the head of its record (native/layout.ts). Whatever it is, this does not throw. */
  hear(message: Buffer, head: Buffer): void {
    const before = JSON.stringify(this.now)
    const type = message[0]
    if (type === ROUTER_ADVERTISEMENT && message.length >= 16) this.#advertised(message, head)
    else if (type === NEIGHBOUR_SOLICITATION && isGlobal(head, NAME.SRC_IP)) this.#used()
    else if (type === NEIGHBOUR_ADVERTISEMENT && message.length >= 24 && isGlobal(message, 8))
      this.#used()
    if (JSON.stringify(this.now) !== before) this.onChange()
  }

  #advertised(message: Buffer, head: Buffer): void {
    const macs = new Set([macAt(head, NAME.SRC_MAC)])
    for (const { type, at } of optionsOf(message, 16)) {
      if (type === SOURCE_LINK_LAYER_ADDRESS) macs.add(macAt(message, at))
      if (type === PREFIX_INFORMATION && at + 30 <= message.length && isGlobal(message, at + 14))
        this.#used()
    }
    const lifetimeMs = message.readUInt16BE(6) * 1000
    for (const mac of macs) {
      // Zero: it is no way to the internet, or no longer.
      if (lifetimeMs === 0) this.#advertisers.delete(mac)
      else this.#remember(mac, this.#now() + Math.max(lifetimeMs, SHORTEST_MS))
    }
  }

  /** Those that came first stay: a flood of others must not have them forgotten. */
  #remember(mac: string, until: number): void {
    if (this.#advertisers.has(mac) || this.#advertisers.size < MOST)
      this.#advertisers.set(mac, until)
    else this.#crowdedUntil = Math.max(this.#crowdedUntil, until)
  }

  #used(): void {
    this.#usedUntil = this.#now() + USED_MS
  }
}
