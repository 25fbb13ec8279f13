// Threads that serve queues of the kernel (NFQUEUE): arguments are checked here, C++ trusts them. A thread decides by what it
// has been told and keeps its deadlines itself, so that JavaScript that is busy or gone stalls nothing.
import { checkedFunction } from './arguments.ts'
import { binding } from './binding.ts'
import { VERDICT, VERDICT_BYTES } from './layout.ts'
import {
  askedDevices,
  booleanOf,
  deviceIdOf,
  firstPacketsOptions,
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
