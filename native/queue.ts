// Threads that serve queues of the kernel (NFQUEUE): arguments are checked here, C++ trusts them. A thread decides by what it
// has been told and keeps its deadlines itself, so that JavaScript that is busy or gone stalls nothing.
import { checkedFunction } from './arguments.ts'
import { binding } from './binding.ts'
import { VERDICT, VERDICT_BYTES } from './layout.ts'
import {
  askedDevices,
  booleanOf,
  deviceIdOf,
  dnsGateOptions,
  dnsPolicy,
  firstPacketsOptions,
  heardAddresses,
  interfaceNames,
  rememberedVerdict,
  rememberMs,
} from './queue-arguments.ts'

/** What every queue counts, since it was started. */
export interface QueueCounters {
  /** Packets that came up. */
  packets: number
  /** Packets that the kernel dropped because the queue was full; with FAIL_OPEN they pass instead and are not counted. */
  queueDropped: number
  /** Packets that the socket had no room for. */
  userDropped: number
  /** How often the socket had no room. */
  overruns: number
  /** Sendings of verdicts that the kernel refused. */
  unsent: number
}

export interface FirstPacketsOptions {
  /** Number of the queue. */
  queue: number
  /** Packets that may wait in the kernel, 8 to 65536; beyond, they pass. If the agent dies as many are lost. Default 256. */
  maxLength?: number
  /** So long a connection waits for a verdict. Default 200. */
  deadlineMs?: number
  /** Connections (and packets) that may wait for a verdict, at most three quarters of `maxLength`, which is the default. */
  maxHeld?: number
  /** Of one device; beyond, its default is done without asking. Default a third of `maxHeld`. */
  maxHeldPerDevice?: number
  /** Bits that are set in the mark of an accepted packet. */
  acceptMark?: number
}

/** A device whose new connections wait for a verdict. Known by its MAC, else by its addresses; inbound by its addresses. */
export interface AskedDevice {
  /** Its id in the protocol: 12 or 16 hexadecimal digits. */
  id: string
  mac?: string | undefined
  ips: readonly string[]
  /** What is done where nobody answers in time. */
  accept: boolean
}

/** A verdict that holds for all connections of a device with one remote, protocol and port of the responder. */
export interface Remembered {
  id: string
  remote: string
  port: number
  /** IANA number. */
  protocol: number
  /** The remote begins. */
  inbound: boolean
  accept: boolean
  forMs: number
}

export interface FirstPacketsCounters extends QueueCounters {
  asked: number
  answered: number
  /** Decided by the default at the deadline. */
  expired: number
  /** Decided by the default at once: too many waited. */
  unasked: number
  /** Decided by what was remembered. */
  remembered: number
  /** Of devices that are not asked about, and multicast. */
  free: number
  malformed: number
  /** Verdicts on connections that waited no more, or never did. */
  late: number
  /** Packets. */
  accepted: number
  dropped: number
  /** Connections that wait now. */
  held: number
  /** Remembered verdicts that gave way to others before their end. */
  evicted: number
}

/** Connections that wait: `count` records as in `CONNECTION` of layout.ts. The next call writes into the same buffer. */
export interface Connections {
  count: number
  connections: ArrayBuffer
}

/** The addon's side. */
export interface NativeFirstPackets {
  start: (onAsked: () => void) => void
  stop: () => void
  setDevices: (devices: readonly object[]) => void
  drain: () => Connections
  answer: (verdicts: ArrayBuffer, count: number) => void
  remember: (verdict: object) => void
  forget: (id?: string) => void
  counters: () => FirstPacketsCounters
}

const VERDICTS_AT_ONCE = 1024

/**
 * Decides on first packets. The rule that fills the queue has to leave packets of accepted connections out (by the
 * connection's mark), and to let packets pass when nobody serves it (`bypass`).
 */
export class FirstPackets {
  readonly #native: NativeFirstPackets
  readonly #verdicts = new ArrayBuffer(VERDICTS_AT_ONCE * VERDICT_BYTES)
  readonly #view = new DataView(this.#verdicts)
  #count = 0
  #telling = false
  #state: 'fresh' | 'started' | 'stopped' = 'fresh'

  /** Throws a TypeError or RangeError that names the option that is wrong. */
  constructor(options: FirstPacketsOptions) {
    this.#native = new (binding().FirstPackets)(firstPacketsOptions(options))
  }

  /** `onAsked` is told connections that wait; verdicts given in it go out together. Throws where the kernel refuses. */
  start(onAsked: (asked: Connections) => void): void {
    if (this.#state !== 'fresh') throw new Error(`these first packets were ${this.#state} already`)
    checkedFunction('onAsked', onAsked)
    this.#native.start(() => {
      const asked = this.#native.drain()
      if (asked.count === 0) return
      this.#telling = true
      try {
        onAsked(asked)
      } finally {
        this.#telling = false
        this.#send()
      }
    })
    this.#state = 'started'
  }

  /** What waits is decided by the defaults; then nobody serves the queue. */
  stop(): void {
    this.#state = 'stopped'
    this.#native.stop()
  }

  /** Replaces the devices that are asked about. Verdicts that are remembered stay. */
  setDevices(devices: readonly AskedDevice[]): void {
    this.#native.setDevices(askedDevices(devices))
  }

  /**
   * Decides on a connection that waits; one that waits no more is counted as `late` and nothing else happens.
   * `forMs`: so long it holds for all connections of that device with that remote, protocol and port.
   */
  verdict(id: number, accept: boolean, forMs = 0): void {
    if (typeof id !== 'number') throw new TypeError('the id of a connection must be a number')
    const at = this.#count * VERDICT_BYTES
    this.#view.setFloat64(at + VERDICT.ID, id, true)
    this.#view.setUint32(at + VERDICT.REMEMBER_MS, rememberMs(forMs), true)
    this.#view.setUint8(at + VERDICT.ACCEPT, booleanOf('accept', accept) ? 1 : 0)
    this.#count++
    if (!this.#telling || this.#count === VERDICTS_AT_ONCE) this.#send()
  }

  /** Remembers a verdict that nobody was asked for. */
  remember(verdict: Remembered): void {
    this.#native.remember(rememberedVerdict(verdict))
  }

  /** Forgets what is remembered about a device, or everything. */
  forget(id?: string): void {
    this.#native.forget(id === undefined ? undefined : deviceIdOf(id))
  }

  counters(): FirstPacketsCounters {
    return this.#native.counters()
  }

  #send(): void {
    if (this.#count === 0) return
    this.#native.answer(this.#verdicts, this.#count)
    this.#count = 0
  }
}

/**
 * What the addresses of a set are. `resolved`: a device has resolved them and may reach them. `block`: of names that are
 * blocked. `allow`: of names that are excepted from whatever else holds.
 */
export type GateSetKind = 'resolved' | 'block' | 'allow'

/** A set that the gate fills, with time-outs: its key is `ether_addr . ipv4_addr` (or ipv6), with `everyone` the address alone. */
export interface GateSet {
  family: 'inet' | 'netdev' | 'bridge'
  table: string
  set: string
  kind: GateSetKind
  ipv6: boolean
  everyone: boolean
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
  /** Without it no addresses are learned: the sets are keyed by it. */
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
  /** Addresses and prefixes that no block may take. */
  protect: readonly string[]
  /** Whose answers open addresses; none: anybody's. */
  resolvers: readonly string[]
  /** Names of the home, with all below them; a name of one label is always one. */
  local: readonly string[]
  /** Names of resolvers that answer encrypted, with all below them. Default: none. */
  encrypted?: readonly string[]
}

/** Addresses of a name that were seen elsewhere, such as in another device's answer. */
export interface HeardAddresses {
  /** Who resolved it: what that device is allowed is opened. Absent: it only says where blocked names are. */
  mac?: string
  /** The name that was asked for, then its aliases in order; 1 to 16. */
  names: readonly string[]
  ips: readonly string[]
  ttlS: number
}

/** What happened since it was last told; bounded, what was too much is counted in `eventsLost`. */
export interface GateEvents {
  refused: { mac: string; name: string; count: number }[]
  learned: { mac?: string; ip: string; set: GateSetKind; name: string }[]
}

/** One element that the gate has in a set. */
export interface GateElement {
  set: GateSetKind
  /** Absent: of everyone. */
  mac?: string
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
  hear: (heard: object) => void
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
 * answer itself is blanked. Answers that open addresses wait until the kernel has these. What can't be read, pieces of
 * packets and copies that were cut are dropped for devices with `allowList` or `noDnsNoConnect` and pass for others.
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

  hear(heard: HeardAddresses): void {
    this.#native.hear(heardAddresses(heard))
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
