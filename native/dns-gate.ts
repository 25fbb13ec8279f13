// The thread that gates the DNS of chosen devices: arguments are checked here, C++ trusts them. Like those of queue.ts it decides by
// what it has been told, so that JavaScript that is busy or gone stalls nothing.
import { checkedFunction } from './arguments.ts'
import { binding } from './binding.ts'
import {
  dnsGateOptions,
  dnsPolicy,
  heardAddresses,
  interfaceNames,
  markOrder,
} from './dns-gate-arguments.ts'
import type { QueueCounters } from './queue.ts'

/**
 * What the addresses of a set are. `resolved`: a device has resolved them and may reach them. `block`: of names that are
 * blocked. `allow`: of names that are excepted from whatever else holds.
 */
export type GateSetKind = 'resolved' | 'block' | 'allow'

/**
 * What stands before the address in a set's key: the MAC of a device (`ether_addr . ipv4_addr`), the address of one that is known by
 * that alone (`ipv4_addr . ipv4_addr`), or nothing: then it holds for everybody.
 */
export type GateSetKey = 'mac' | 'ip' | 'none'

/** A set that the gate fills, with time-outs. */
export interface GateSet {
  family: 'inet' | 'netdev' | 'bridge'
  table: string
  set: string
  kind: GateSetKind
  ipv6: boolean
  key: GateSetKey
}

export interface DnsGateOptions {
  queue: number
  /** Packets that may wait in the kernel, 128 to 65536. Default 256. */
  maxLength?: number
  /** An element goes into every set that fits. None (the default): names are gated, addresses are not. */
  sets?: readonly GateSet[]
  /** A set of interface names (family inet), for `serve`. */
  served?: { table: string; set: string }
  /** Bits that the mark of each answer gets, passed on or made here: a queue's verdict skips the rest of its chain. Default 0. */
  answerMark?: number
}

/**
 * A device whose DNS is gated. Names are lower-case A-labels (canonical text) and stand for all below them too; the longest
 * one that fits decides, and of the same length the one that is allowed. Along aliases the first name decides of which
 * anything is said.
 */
export interface GatedDevice {
  /** Without it the device is known by its addresses, and so are its elements. */
  mac?: string | undefined
  ips: readonly string[]
  /** Lists of blocked names. The same array for several devices is kept once. */
  block: readonly (readonly string[])[]
  /** Lists of allowed names: their addresses are opened. */
  allow: readonly (readonly string[])[]
  /** It reaches nothing else: what can't be understood is dropped. */
  allowList: boolean
  /** Names that are not of the home do not exist. */
  localOnly: boolean
  /** The addresses of all that it resolves are opened. */
  noDnsNoConnect: boolean
  /** `use-application-dns.net` does not exist, nor do the names of `encrypted`. */
  canary: boolean
}

export interface DnsPolicy {
  devices: readonly GatedDevice[]
  /** What holds for devices whose MAC is not listed. Absent: nothing. */
  otherwise?: Omit<GatedDevice, 'mac' | 'ips'> | undefined
  /** Lists for everybody: their addresses go into the sets for everyone. */
  block: readonly (readonly string[])[]
  allow: readonly (readonly string[])[]
  /** Addresses and prefixes that no block may take, and no exception for a name of the internet. */
  protect: readonly string[]
  /** Networks of the home: names of the internet have no addresses there, nor in private networks. Default: none. */
  home?: readonly string[]
  /** Whose answers open addresses, and shut them for others than who asked; none: anybody's. */
  resolvers: readonly string[]
  /** Names of the home, with all below them; a name of one label is always one. */
  local: readonly string[]
  /** Names of resolvers that answer encrypted, with all below them. Default: none. */
  encrypted?: readonly string[]
}

/** Addresses of a name that were seen elsewhere, such as in another device's answer: where blocked names are. */
export interface HeardAddresses {
  /** Who asked, if whoever answered is not believed: then they are shut for nobody else. */
  only?: { mac?: string | undefined; ip: string } | undefined
  /** The name that was asked for, then its aliases in order; 1 to 16. */
  names: readonly string[]
  ips: readonly string[]
  ttlS: number
}

/** Whom something is about: a device by MAC, or one that is known by its address `source`; with neither, everyone. */
export interface GateSubject {
  mac?: string
  source?: string
}

/** What happened since it was last told; bounded, what was too much is counted in `eventsLost`. */
export interface GateEvents {
  refused: (GateSubject & { name: string; count: number })[]
  learned: (GateSubject & { ip: string; set: GateSetKind; name: string })[]
  /** What came of `takeMarks`, in its order: so many connections had the mark, or why they have it still. */
  marks: { count: number; error?: string }[]
}

/** One element that the gate has in a set. */
export interface GateElement extends GateSubject {
  set: GateSetKind
  ip: string
  leftMs: number
}

export interface DnsGateCounters extends QueueCounters {
  queries: number
  answers: number
  /** Queries that were answered here. */
  refused: number
  /** Answers that were made "no such name". */
  blanked: number
  /** Elements written, not taken for their number, and not taken by the kernel. */
  learned: number
  overCap: number
  failed: number
  /** Messages and packets that could not be read. */
  malformed: number
  /** Addresses that such names may not have: protected, or of the home though the name is of the internet. */
  unfit: number
  /** Packets of devices that are not gated. */
  free: number
  eventsLost: number
  /** Answers over TCP that were not complete in time. */
  segmentsExpired: number
  /** In the sets now. */
  elements: number
}

/** The addon's side. */
export interface NativeDnsGate {
  start: (onReady: () => void) => void
  stop: () => void
  setPolicy: (policy: object) => void
  hear: (heard: readonly object[]) => void
  takeMarks: (mark: number, keep: readonly string[]) => void
  drain: () => GateEvents
  elements: () => GateElement[]
  port: () => number
  restore: () => void
  serve: (interfaces: readonly string[]) => void
  counters: () => DnsGateCounters
}

/**
 * Gates DNS. The queue has to get, of gated devices: queries (to port 53) where they come in, so that the MAC is known; and
 * answers (from port 53) where their destination is the device's own address: in `forward` and `output`, not in
 * `prerouting` behind masquerading. UDP and TCP, all packets of a connection.
 *
 * A name that is blocked is answered "no such name" at once, by a packet socket on the interface of the query, and asked all the
 * same: its addresses go to the block sets, and the answer is dropped. Over TCP, and where the query's MAC is not known, the
 * answer itself is blanked. Answers that open addresses wait until the kernel has these, and say of no name that it lasts for
 * longer than they do. What can't be read, what is no plain question, pieces of packets and copies that were cut are dropped for
 * devices with `allowList` or `noDnsNoConnect` and pass for others.
 */
export class DnsGate {
  readonly #native: NativeDnsGate
  #state: 'fresh' | 'started' | 'stopped' = 'fresh'

  /** Throws a TypeError or RangeError that names the option that is wrong. */
  constructor(options: DnsGateOptions) {
    this.#native = new (binding().DnsGate)(dnsGateOptions(options))
  }

  /** Throws where the kernel refuses. */
  start(onEvents: (events: GateEvents) => void): void {
    if (this.#state !== 'fresh') throw new Error(`this DNS gate was ${this.#state} already`)
    checkedFunction('onEvents', onEvents)
    this.#native.start(() => onEvents(this.#native.drain()))
    this.#state = 'started'
  }

  stop(): void {
    this.#state = 'stopped'
    this.#native.stop()
  }

  /** Replaces everything; elements that would not come to be any more are taken out of the sets. */
  setPolicy(policy: DnsPolicy): void {
    this.#native.setPolicy(dnsPolicy(policy))
  }

  /** At most 16384 that wait to be looked at. */
  hear(heard: readonly HeardAddresses[]): void {
    this.#native.hear(heard.map(heardAddresses))
  }

  /**
   * Takes bits from the marks of connections that run, but of those that `keep` began: once the last policy is in the sets.
   * What came of it is told as an event, also of no bits.
   */
  takeMarks(mark: number, keep: readonly string[]): void {
    this.#native.takeMarks(...markOrder(mark, keep))
  }

  /** Writes all elements again: for when somebody else has emptied the sets or made them anew. */
  restore(): void {
    this.#native.restore()
  }

  /**
   * From now on these interfaces are in the set `served`, for moments, again and again: packets of interfaces that are not
   * need not be queued. So they pass also where a process hangs that still holds its queue. None: nothing is told.
   */
  serve(interfaces: readonly string[]): void {
    this.#native.serve(interfaceNames(interfaces))
  }

  /** What is in the sets because of this gate. */
  elements(): GateElement[] {
    return this.#native.elements()
  }

  /** Netlink port of the socket that fills the sets: changes by it are not foreign. 0 where there is none. */
  port(): number {
    return this.#native.port()
  }

  counters(): DnsGateCounters {
    return this.#native.counters()
  }
}
