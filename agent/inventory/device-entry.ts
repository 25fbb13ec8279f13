// One device as the pipeline keeps it. What changes with every flow lies close together, as a home of thousands costs the
// processor a wait for each place that it has to fetch from.
import type { DeviceNameSource } from '../../protocol/messages.ts'
import type { CarriedHosts } from './shared-mac.ts'
import { OwnAddresses } from './shared-mac.ts'

/** Figures of one device, in a row. */
const SENT_BYTES = 0
const RECEIVED_BYTES = 1
const SENT_PACKETS = 2
const RECEIVED_PACKETS = 3
const FIRST_SEEN_MS = 4
const LAST_SEEN_MS = 5
/** 64 bytes: a line of the processor's cache. */
const ROW = 8
/** Rows that are had at once; they go when the last of their devices has gone. */
const ROWS = 64

let rows = new Float64Array(0)
let used = 0
let count = 0

/** What a device begins with. */
export interface NewDevice {
  id: string
  mac: number
  ips: Map<string, number>
  name: string
  nameSource: DeviceNameSource
  vendor: string | undefined
  shared: boolean
  present: boolean
  firstSeenMs: number
  lastSeenMs: number
  lastIp: string
  lastIp6: string
  /** Whether it stands in the inventory. Default true. */
  listed?: boolean
  /** It is no newcomer, however briefly it was seen. Default false. */
  stays?: boolean
}

/** A device; counters are added to directly. */
export class DeviceEntry {
  readonly #figures: Float64Array
  readonly #row: number
  /** Told apart from every other of this process by it. */
  readonly number: number
  /** Grows when what is remembered of its flows no longer holds: it was forgotten, or its addresses changed hands. */
  epoch = 0
  /** It stands in the inventory: what it does is told under its id, and kept. */
  listed: boolean
  present: boolean
  shared: boolean
  /** The address it was seen with last: spares the map a look-up a packet. */
  lastIp: string
  lastIp6: string
  readonly id: string
  /** See `macKey`; 0 for a device that is known by its address alone. */
  readonly mac: number
  /** Address → when it was last seen, oldest first. */
  readonly ips: Map<string, number>
  name: string
  nameSource: DeviceNameSource
  readonly vendor: string | undefined
  /** It is no newcomer: see `Departures`. */
  readonly stays: boolean
  /** The addresses that it says are its MAC's own. */
  readonly own = new OwnAddresses()
  /** Only while it is shared: whom it carries. */
  carried: CarriedHosts | undefined

  constructor(begin: NewDevice) {
    if (used === rows.length) {
      rows = new Float64Array(ROW * ROWS)
      used = 0
    }
    this.#figures = rows
    this.#row = used
    used += ROW
    this.number = count++
    this.present = begin.present
    this.shared = begin.shared
    this.lastIp = begin.lastIp
    this.lastIp6 = begin.lastIp6
    this.id = begin.id
    this.mac = begin.mac
    this.ips = begin.ips
    this.name = begin.name
    this.nameSource = begin.nameSource
    this.vendor = begin.vendor
    this.listed = begin.listed ?? true
    this.stays = begin.stays ?? false
    this.#figures[this.#row + FIRST_SEEN_MS] = begin.firstSeenMs
    this.#figures[this.#row + LAST_SEEN_MS] = begin.lastSeenMs
  }

  /** Adds what the device has sent and received, at `timeMs`. */
  count(
    sentBytes: number,
    receivedBytes: number,
    sentPackets: number,
    receivedPackets: number,
    timeMs: number,
  ): void {
    const figures = this.#figures
    const row = this.#row
    ;(figures[row + SENT_BYTES] as number) += sentBytes
    ;(figures[row + RECEIVED_BYTES] as number) += receivedBytes
    ;(figures[row + SENT_PACKETS] as number) += sentPackets
    ;(figures[row + RECEIVED_PACKETS] as number) += receivedPackets
    if (timeMs > (figures[row + LAST_SEEN_MS] as number)) figures[row + LAST_SEEN_MS] = timeMs
  }

  get sentBytes(): number {
    return this.#figures[this.#row + SENT_BYTES] as number
  }

  get receivedBytes(): number {
    return this.#figures[this.#row + RECEIVED_BYTES] as number
  }

  get sentPackets(): number {
    return this.#figures[this.#row + SENT_PACKETS] as number
  }

  get receivedPackets(): number {
    return this.#figures[this.#row + RECEIVED_PACKETS] as number
  }

  get firstSeenMs(): number {
    return this.#figures[this.#row + FIRST_SEEN_MS] as number
  }

  get lastSeenMs(): number {
    return this.#figures[this.#row + LAST_SEEN_MS] as number
  }

  set lastSeenMs(timeMs: number) {
    this.#figures[this.#row + LAST_SEEN_MS] = timeMs
  }
}
