// The only way into the addon: arguments are checked here, C++ trusts them.
import {
  captureOptions,
  checkedDescriptor,
  checkedFunction,
  checkedInterfaceName,
  checkedLocality,
  checkedPath,
  checkedSpecs,
} from './arguments.ts'
import { binding } from './binding.ts'
import type { NameKind } from './layout.ts'
import { FLOW_NOTE, FLOW_RECORD_BYTES } from './layout.ts'

/** How the frames of an interface are counted, so that each packet counts once. */
export type CountRule =
  /** Both directions: a router's LAN side, or a host's own interface. */
  | 'all'
  /** Only frames that come in: a bridge's port, a mirror port. */
  | 'incoming'
  /** Only frames that this box itself sends: the bridge device above captured ports. */
  | 'own_outgoing'

/** A VLAN as its frames say it: the EtherType of the tag (IEEE 802.1Q or 802.1ad), and its id. */
export interface VlanTag {
  type: 0x8100 | 0x88a8
  id: number
}

/** One interface to capture. */
export interface InterfaceSpec {
  name: string
  count: CountRule
  /** Ask for frames to other MACs too. Default false. */
  promiscuous?: boolean
  /** One-armed gateway: frames between this box and these MACs are its own forwarded copies and are not counted. */
  upstreamMacs?: readonly string[]
  /** Frames whose outer tag is one of these are not counted: their VLAN is an interface of its own that is captured too. */
  withoutVlans?: readonly VlanTag[]
}

/** What the meter needs to know of the home, to leave out packets that this box forwards from one LAN to another. */
export interface Locality {
  /** CIDR prefixes of the home. */
  prefixes: readonly string[]
  /** Addresses of this box. */
  own: readonly string[]
}

export interface CaptureOptions {
  /** Cap of the flow table, 16 to 4194304; the flow idle for longest (to a second) goes first and counts as evicted. Default 131072. */
  maxFlows?: number
  /** Seconds without a packet after which a flow ends. Defaults 600, 60 and 60; a TCP flow after FIN from both ends or RST: 5. */
  tcpIdleSeconds?: number
  /** The same for TCP of which nothing but SYNs was seen: at most `tcpIdleSeconds`. Default 60, longer than a client waits between two. */
  halfOpenIdleSeconds?: number
  udpIdleSeconds?: number
  otherIdleSeconds?: number
  /** False: only flows that ended are handed up. Default true. */
  updates?: boolean
  /** Which packets that carry names are handed up. Default `dns` and `sni`. */
  names?: readonly NameKind[]
  /**
   * Packets that carry names, per device: how many a second, and how many at once. Default 200 and 2000; Infinity a second: no
   * limit, as for files, which wait until names have been taken. A DNS answer comes with its query and is not counted.
   */
  namesPerSecond?: number
  namesBurst?: number
  /** Bytes of the ring, per interface. Default 8 MiB. */
  ringBytes?: number
}

/** Cumulative since the start. `packets` = `decoded` + `malformed` + `unsupported`. */
export interface Counters {
  packets: number
  decoded: number
  malformed: number
  unsupported: number
  bytes: number
  ipPackets: number
  ipBytes: number
  /** Flows begun. */
  flows: number
  /** Flows in the table now. */
  liveFlows: number
  flowsEvicted: number
  dnsQueries: number
  /** Packets with names that were over a limit, and messages of which there was no room to wait for the rest. */
  namesDropped: number
  /** Packets that the rings had no room for, or that were lost with an interface that went. */
  ringDropped: number
  /** Time of the first and the last packet, 0 before any. */
  firstMs: number
  lastMs: number
}

export interface InterfaceCounters {
  name: string
  up: boolean
  packets: number
  dropped: number
  /** Why it is down, in words. */
  reason?: string
}

/** A source that could not be read wholly, by its place in the order in which they were given. */
export interface SourceFault {
  source: number
  /** As `error` of a batch. Absent if it was read to its end. */
  error?: string
  unsupportedLinks: string[]
}

/** What changed since the last drain. Read `names` first, then `flows`; layout in layout.ts. */
export interface Batch {
  flowCount: number
  /** `flowCount` records, and room behind them; the next drain writes into the same buffer. */
  flows: ArrayBuffer
  names: ArrayBuffer
  counters: Counters
  interfaces: InterfaceCounters[]
  /** Link types in the source at hand that could not be read, by name. */
  unsupportedLinks: string[]
  /** The meter's clock: packet time of a file, else the time of day. */
  timeMs: number
  /** The source has ended and this is the last batch. */
  ended: boolean
  /** Why the source ended before its end, for a person: `packet 12 at byte 3456: …`. Of several, the last that did. */
  error?: string
  /** Of all sources so far; absent if there are none. */
  faults?: SourceFault[]
}

/**
 * Meters packets in a thread of its own. Give it its sources, `start`, and `drain` whenever told.
 * A slow reader loses nothing but detail: changes of a flow coalesce in the table.
 */
export interface Capture {
  /**
   * Reads pcap or pcapng from a file's path, as fast as batches are drained, by packet time. Throws if it can't be read.
   * Several, also with descriptors between them, are one capture in this order: flows go on from one to the next. One
   * that begins before the end of the one before it is another capture, with flows of its own.
   */
  readFile: (path: string) => void
  /**
   * Reads pcap or pcapng from a descriptor, which it closes at the end.
   * `live`: time-outs run by the time of day (a command that goes on writing); else by packet time.
   */
  readDescriptor: (fd: number, live: boolean) => void
  /**
   * Captures interfaces; again at any time with another list. One that is in it again goes on without a gap, whatever else is
   * wanted of it; one that is absent is waited for. Throws without the right to.
   */
  setInterfaces: (specs: readonly InterfaceSpec[]) => void
  setLocality: (locality: Locality) => void
  /** `onReady` is called on this thread once a second, when much has come together, and at the end. */
  start: (onReady: () => void) => void
  drain: () => Batch
  /** Ends the thread; every flow is closed as `eof`. Then `drain` once more for the rest. */
  stop: () => void
}

/** What the kernel says of links, addresses, neighbours and default routes (rtnetlink). First everything that is, then every change. */
export type NetlinkEvent =
  | {
      kind: 'link'
      index: number
      name: string
      mac?: string
      up: boolean
      /** Index of the bridge that it is a port of. */
      master?: number
      /** IFLA_INFO_KIND: `bridge`, `veth`, … */
      linkKind?: string
      /** Of a VLAN: index of the link that its frames go through, and their tag. */
      parent?: number
      vlan?: VlanTag
      /** IFF_LOOPBACK */
      loopback: boolean
      removed: boolean
    }
  | { kind: 'address'; index: number; ip: string; prefixLength: number; removed: boolean }
  | {
      kind: 'neighbour'
      index: number
      ip: string
      mac?: string
      /** It answered moments ago (NUD_REACHABLE); else it is remembered, or somebody put it there. */
      reachable: boolean
      router: boolean
      removed: boolean
    }
  /** The gateways of all default routes, whenever one may have changed. One that several routes have is there as often. */
  | { kind: 'gateways'; gateways: readonly { index: number; ip: string }[] }
  /** Messages were lost (ENOBUFS); everything that is follows again. */
  | { kind: 'overrun' }
  /** Everything that was there at the start, or after an overrun, has been told. */
  | { kind: 'synchronised' }

export interface Netlink {
  /** Throws where the kernel refuses. */
  start: (onEvents: (events: NetlinkEvent[]) => void) => void
  stop: () => void
}

class NativeCapture implements Capture {
  readonly #native: Capture
  #state: 'fresh' | 'started' | 'stopped' = 'fresh'
  readonly #descriptors = new Set<number>()
  #source: 'files' | 'live' | 'interfaces' | undefined

  constructor(options: CaptureOptions) {
    this.#native = new (binding().Capture)(captureOptions(options))
  }

  readFile(path: string): void {
    this.#freshOnly('files')
    this.#native.readFile(checkedPath(path))
    this.#source = 'files'
  }

  readDescriptor(fd: number, live: boolean): void {
    this.#freshOnly(live ? 'live' : 'files')
    if (this.#descriptors.has(checkedDescriptor(fd))) {
      throw new Error(`descriptor ${fd} can be read only once`)
    }
    this.#native.readDescriptor(fd, live)
    this.#descriptors.add(fd)
    this.#source = live ? 'live' : 'files'
  }

  setInterfaces(specs: readonly InterfaceSpec[]): void {
    if (this.#source !== undefined && this.#source !== 'interfaces') {
      throw new Error('this capture has its source already')
    }
    this.#native.setInterfaces(checkedSpecs(specs))
    this.#source = 'interfaces'
  }

  setLocality(locality: Locality): void {
    this.#native.setLocality(checkedLocality(locality))
  }

  start(onReady: () => void): void {
    if (this.#state !== 'fresh') throw new Error(`this capture was ${this.#state} already`)
    if (this.#source === undefined) {
      throw new Error('this capture has no source; call readFile, readDescriptor or setInterfaces')
    }
    this.#native.start(checkedFunction('onReady', onReady))
    this.#state = 'started'
  }

  drain(): Batch {
    return this.#native.drain()
  }

  stop(): void {
    this.#state = 'stopped'
    this.#native.stop()
  }

  /** Files may be several. */
  #freshOnly(wanted: 'files' | 'live'): void {
    if (this.#state !== 'fresh') throw new Error(`this capture was ${this.#state} already`)
    if (this.#source !== undefined && (wanted === 'live' || this.#source !== 'files')) {
      throw new Error('this capture has its source already')
    }
  }
}

/** A capture without a source yet. Throws a TypeError or RangeError that names the option that is wrong. */
export function createCapture(options: CaptureOptions = {}): Capture {
  return new NativeCapture(options)
}

class NativeNetlink implements Netlink {
  readonly #native: Netlink = new (binding().Netlink)()
  #started = false

  start(onEvents: (events: NetlinkEvent[]) => void): void {
    if (this.#started) throw new Error('this netlink was started already')
    this.#native.start(checkedFunction('onEvents', onEvents))
    this.#started = true
  }

  stop(): void {
    this.#native.stop()
  }
}

/** What the kernel says of links, addresses and neighbours, once started. */
export function createNetlink(): Netlink {
  return new NativeNetlink()
}

/** Offsets of the batches as C++ has them; layout.ts must say the same. */
export function nativeLayout(): Record<string, Record<string, number>> {
  return binding().layout
}

/** Why an interface can't be captured, in words; undefined if it can. */
export function tryInterface(name: string): string | undefined {
  return binding().tryInterface(checkedInterfaceName(name))
}

/**
 * Writes `count` flow records, from that with the number `from`, as lines of JSON (`Flow` of the protocol) into `into`. `notes`
 * has `FLOW_NOTE.WORDS` numbers a record; `texts` is the table that they point into: two bytes of length (little endian), then
 * the text as it stands in JSON between its quotes. `run` begins each id. Returns how many bytes were written or, where `into`
 * is too small, below zero, how many would do. Throws a RangeError where there are fewer records or notes.
 */
export function flowLines(
  records: ArrayBuffer,
  notes: Uint32Array,
  count: number,
  run: string,
  texts: Uint8Array,
  into: Uint8Array,
  from = 0,
): number {
  if (!Number.isSafeInteger(count) || count < 0) throw new RangeError('count must be 0 or more')
  if (!Number.isSafeInteger(from) || from < 0) throw new RangeError('from must be 0 or more')
  const end = from + count
  if (records.byteLength < end * FLOW_RECORD_BYTES || notes.length < end * FLOW_NOTE.WORDS) {
    throw new RangeError('there are fewer records or notes than count says')
  }
  if (!/^[0-9a-z]{1,32}$/.test(run)) throw new RangeError('run must be 1 to 32 of 0-9 and a-z')
  return binding().flowLines(records, notes, count, run, texts, into, from)
}
