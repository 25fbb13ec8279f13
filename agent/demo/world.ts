// The clock of the demo home: conversations take turns on one timeline and put frames on the wire.
import type { Address, Ends } from './frames.ts'
import { address, isMulticast, multicastMac, padded } from './frames.ts'
import { Random } from './random.ts'
import { Noise } from './tls-messages.ts'

/** Something that goes on in the home. It yields how many milliseconds to wait. */
export type Talk<T = void> = Generator<number, T, void>

/** One frame on the wire. */
export interface Packet {
  /** Microseconds since the epoch. */
  timeUs: number
  frame: Buffer
}

/** Something with addresses on the home's link. */
export interface Station {
  mac: Buffer
  v4: Address
  v6?: Address
  /** fe80::/10 */
  linkLocal?: Address
}

/** Who answers to a name outside the home. */
export interface Remote {
  name: string
  /** From the name asked for to the one that has the addresses; empty without aliases. */
  aliases: string[]
  v4: Address
  v6?: Address
}

/** What only the one who asks knows: a frame does not show it as easily. */
export interface Note {
  kind: 'dns' | 'sni' | 'quic' | 'http'
  mac: Buffer
  name: string
}

interface Turn {
  timeUs: number
  /** Turns of the same microsecond keep their order. */
  order: number
  talk: Talk
}

const FIRST_PORT = 32_768
const LAST_PORT = 60_999

/** A home in which time passes as fast as `packets` is read. */
export class World {
  readonly random: Random
  readonly noise: Noise
  readonly gateway: Station
  readonly #note: (note: Note) => void
  readonly #turns: Turn[] = []
  readonly #ports = new Map<Station, number>()
  readonly #remotes = new Map<string, Remote>()
  #out: Packet[] = []
  #timeUs: number
  #order = 0
  #ipId = 1

  /** `startMs`: when it begins. `note` is told what is asked for, at the time it is. */
  constructor(seed: number, startMs: number, gateway: Station, note: (note: Note) => void) {
    this.random = new Random(seed)
    this.noise = new Noise(this.random)
    this.gateway = gateway
    this.#timeUs = Math.round(startMs * 1000)
    this.#note = note
  }

  /** Milliseconds since the epoch. */
  get nowMs(): number {
    return this.#timeUs / 1000
  }

  /** Lets `talk` begin after `afterMs`. */
  spawn(talk: Talk, afterMs = 0): void {
    const timeUs = this.#timeUs + Math.max(0, Math.round(afterMs * 1000))
    this.#push({ timeUs, order: this.#order++, talk })
  }

  /** Puts a frame on the wire now. What a device sends comes padded; what the gateway sends was seen before the wire. */
  emit(frame: Buffer): void {
    const own = frame.subarray(6, 12).equals(this.gateway.mac)
    this.#out.push({ timeUs: this.#timeUs, frame: own ? frame : padded(frame) })
  }

  note(note: Note): void {
    this.#note(note)
  }

  /** A port that `station` has not used for its last 28 232 conversations. */
  port(station: Station): number {
    const last = this.#ports.get(station) ?? this.random.integer(FIRST_PORT, LAST_PORT)
    const next = last >= LAST_PORT ? FIRST_PORT : last + 1
    this.#ports.set(station, next)
    return next
  }

  ipId(): number {
    this.#ipId = (this.#ipId + 1) & 0xffff
    return this.#ipId
  }

  /** Who answers to `name`; the same name always has the same addresses, and names of one CDN share theirs. */
  remote(name: string): Remote {
    let remote = this.#remotes.get(name)
    if (!remote) {
      remote = makeRemote(name)
      this.#remotes.set(name, remote)
    }
    return remote
  }

  /** The way from `from` to `to`: on the link if `to` is a station or a group, else by the gateway. */
  ends(from: Station, to: Station | Address): Ends {
    if ('mac' in to) {
      const [source, target] = from.v6 && to.v6 ? [from.v6, to.v6] : [from.v4, to.v4]
      return { sourceMac: from.mac, targetMac: to.mac, source, target }
    }
    const source = to.v6 ? from.v6 : from.v4
    if (!source) throw new RangeError('a station without IPv6 cannot talk to an IPv6 address')
    const targetMac = isMulticast(to) ? multicastMac(to) : this.gateway.mac
    return { sourceMac: from.mac, targetMac, source, target: to }
  }

  /** Every frame up to `endMs`, in order of time; without end by default. */
  *packets(endMs = Number.POSITIVE_INFINITY): Generator<Packet, void, void> {
    for (;;) {
      const turn = this.#pop()
      if (!turn || turn.timeUs > endMs * 1000) return
      this.#timeUs = turn.timeUs
      const { done, value } = turn.talk.next()
      if (!done) this.spawn(turn.talk, value)
      const out = this.#out
      if (out.length === 0) continue
      this.#out = []
      yield* out
    }
  }

  #push(turn: Turn): void {
    const heap = this.#turns
    let i = heap.push(turn) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(turn, heap[parent]!)) break
      heap[i] = heap[parent]!
      i = parent
    }
    heap[i] = turn
  }

  #pop(): Turn | undefined {
    const heap = this.#turns
    const first = heap[0]
    const last = heap.pop()
    if (!first || !last || first === last) return first
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, last)) break
      heap[i] = heap[child]!
      i = child
    }
    heap[i] = last
    return first
  }
}

function before(a: Turn, b: Turn): boolean {
  return a.timeUs < b.timeUs || (a.timeUs === b.timeUs && a.order < b.order)
}

/** The other direction. */
export function reversed(ends: Ends): Ends {
  const { sourceMac, targetMac, source, target } = ends
  return { sourceMac: targetMac, targetMac: sourceMac, source: target, target: source }
}

function makeRemote(name: string): Remote {
  const hash = fnv1a(name)
  // About a third of all names are served by one of four edges of a CDN, so that an address alone does not tell the name.
  const edge = hash % 3 === 0 ? hash % 4 : undefined
  const place = edge === undefined ? 1 + ((hash >>> 8) % 250) : 251 + edge
  const net = (hash >>> 4) % 2 ? '198.51.100' : '203.0.113'
  const aliases =
    edge === undefined
      ? []
      : [`${name.replaceAll('.', '-')}.edgekey.example.net`, `e${edge}.cdn.example.net`]
  const remote: Remote = { name, aliases, v4: address(`${net}.${place}`) }
  const host = (1 + ((hash >>> 8) % 0xfff0)).toString(16)
  const v6 = edge === undefined ? `2001:db8:a::${host}` : `2001:db8:cd::${edge + 1}`
  if ((hash >>> 16) % 5 < 3) remote.v6 = address(v6)
  return remote
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}
