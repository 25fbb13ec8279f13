// Records of the native meter → flows of devices, and what each device has exchanged since the batch before.
import { FLOW, FLOW_FLAGS, FLOW_RECORD_BYTES, FLOW_STATES } from '../../native/layout.ts'
import type { Flow } from '../../protocol/messages.ts'
import type { AddressText } from '../address.ts'
import { isGroupMac, macKey } from '../address.ts'
import type { NameCache } from '../names/name-cache.ts'
import type { End, Ends, EndsResolver } from './ends.ts'
import { isStale } from './ends.ts'
import type { LiveFlow } from './flow-view.ts'
import { FlowView } from './flow-view.ts'
import { RecentList } from './recent-list.ts'
import { FlowRecords, RecordStore } from './records.ts'
import type { TrafficSums } from './traffic.ts'

const CLOSED = FLOW_STATES.indexOf('closed')

export interface FlowReaderParts {
  /** The first half of flow ids: unique to this run. */
  run: string
  text: AddressText
  ends: EndsResolver
  names: NameCache
  /** Where differences go; absent in a replay, which tells totals alone. */
  traffic?: TrafficSums
  /**
   * A device began a flow: its id, the other end's address, the responder's port (0 without ports), the flow's number. Not
   * told for what goes to groups.
   */
  onBegun?: ((deviceId: string, remote: string, port: number, flow: number) => void) | undefined
}

/** Follows flows by their slot in the native table. */
export class FlowReader {
  readonly #parts: FlowReaderParts
  readonly #live: (LiveFlow | undefined)[] = []
  readonly #store = new RecordStore()
  readonly #recent = new RecentList()
  /** The ends of the record at hand. */
  readonly #orig: End = { mac: 0, seen: false, at: 0, ip: '' }
  readonly #resp: End = { mac: 0, seen: false, at: 0, ip: '' }
  /** Server names whose flow has not been told yet, by slot. */
  readonly #sni = new Map<number, string>()

  readonly #view: FlowView

  constructor(parts: FlowReaderParts) {
    this.#parts = parts
    this.#view = new FlowView(parts.run, parts.text)
  }

  /** How many flows are open. */
  get size(): number {
    return this.#recent.size
  }

  /** A TLS client asked for `name` in the flow of `slot`. */
  noteSni(slot: number, name: string): void {
    const live = this.#live[slot]
    if (live === undefined) {
      this.#sni.set(slot, name)
      return
    }
    live.sni = name
    if (live.name === undefined && live.ends.direction === 'outbound') {
      live.name = name
      live.nameSource = 'sni'
    }
  }

  /** Tells every record of a batch, in the batch's order; the view is good until the next one. */
  read(buffer: ArrayBuffer, count: number, tell: (flow: FlowView) => void): void {
    const records = new FlowRecords(buffer)
    for (let i = 0; i < count; i++) {
      const base = i * FLOW_RECORD_BYTES
      const slot = records.slot(base)
      const last = this.#live[slot]
      const before =
        last !== undefined && last.number === records.double(base, FLOW.NUMBER) ? last : undefined
      const live =
        before !== undefined &&
        before.flags === records.byte(base, FLOW.FLAGS) &&
        !(isStale(before.ends) && this.#hasNews(records, base, slot))
          ? before
          : this.#meet(records, base, slot, before)
      if (before !== undefined && before !== live) this.#catchUp(slot, live, before)
      this.#count(records, base, slot, live, before !== undefined)
      tell(this.#view.at(records, base, live))
      if (records.byte(base, FLOW.STATE) === CLOSED) {
        this.#live[slot] = undefined
        this.#recent.delete(slot)
        continue
      }
      this.#live[slot] = live
      this.#store.put(records, base)
      this.#recent.touch(slot)
    }
  }

  /** The open flows that `accept` takes, those that changed last first, at most `limit`. */
  open(limit: number, accept: (ends: Ends) => boolean): { flows: Flow[]; total: number } {
    const slots: number[] = []
    for (const slot of this.#recent) {
      const live = this.#live[slot]
      if (live !== undefined && accept(live.ends)) slots.push(slot)
    }
    const flows = slots
      .slice(0, limit)
      .map((slot) =>
        this.#view
          .at(
            this.#store.chunk(slot) as FlowRecords,
            this.#store.base(slot),
            this.#live[slot] as LiveFlow,
          )
          .flow(),
      )
    return { flows, total: slots.length }
  }

  /** The first record of a flow, or one that shows more of its MACs. */
  #meet(records: FlowRecords, base: number, slot: number, before: LiveFlow | undefined): LiveFlow {
    const { text, ends, names } = this.#parts
    const { bytes, words } = records
    const flags = records.byte(base, FLOW.FLAGS)
    const ipv6 = (flags & FLOW_FLAGS.IPV6) !== 0
    const origIp = text.ip(records.ints, (base + FLOW.ORIG_IP) >> 2, ipv6)
    const respIp = text.ip(records.ints, (base + FLOW.RESP_IP) >> 2, ipv6)
    const orig = this.#orig
    orig.mac = macKey(words, (base + FLOW.ORIG_MAC) >> 1)
    orig.seen = (flags & FLOW_FLAGS.ORIG_MAC_SEEN) !== 0
    orig.at = base + FLOW.ORIG_IP
    orig.ip = origIp
    const resp = this.#resp
    resp.mac = macKey(words, (base + FLOW.RESP_MAC) >> 1)
    resp.seen = (flags & FLOW_FLAGS.RESP_MAC_SEEN) !== 0
    resp.at = base + FLOW.RESP_IP
    resp.ip = respIp
    const found = ends.resolve(bytes, ipv6, orig, resp, records.double(base, FLOW.LAST_MS))
    const live: LiveFlow = {
      number: records.double(base, FLOW.NUMBER),
      flags,
      ends: found,
      name: before?.name,
      nameSource: before?.nameSource,
      sni: before?.sni ?? this.#takeSni(slot),
    }
    const { onBegun } = this.#parts
    if (onBegun !== undefined && before === undefined && beganHere(found, resp)) {
      onBegun(found.owner.id, respIp, records.port(base, FLOW.RESP_PORT), live.number)
    }
    if (live.name !== undefined || found.direction === 'local') return live
    const remote = found.direction === 'outbound' ? respIp : origIp
    live.name = names.at(found.owner.id, remote, records.double(base, FLOW.FIRST_MS))
    if (live.name !== undefined) live.nameSource = 'dns'
    else if (live.sni !== undefined && found.direction === 'outbound') {
      live.name = live.sni
      live.nameSource = 'sni'
    }
    return live
  }

  #takeSni(slot: number): string | undefined {
    if (this.#sni.size === 0) return undefined
    const name = this.#sni.get(slot)
    if (name !== undefined) this.#sni.delete(slot)
    return name
  }

  /** Adds what is new in this record to its devices, and to the interval's traffic. */
  #count(records: FlowRecords, base: number, slot: number, live: LiveFlow, known: boolean): void {
    let origBytes = records.double(base, FLOW.ORIG_BYTES)
    let respBytes = records.double(base, FLOW.RESP_BYTES)
    let origPackets = records.double(base, FLOW.ORIG_PACKETS)
    let respPackets = records.double(base, FLOW.RESP_PACKETS)
    const before = known ? this.#store.chunk(slot) : undefined
    if (before !== undefined) {
      const at = this.#store.base(slot)
      origBytes -= before.double(at, FLOW.ORIG_BYTES)
      respBytes -= before.double(at, FLOW.RESP_BYTES)
      origPackets -= before.double(at, FLOW.ORIG_PACKETS)
      respPackets -= before.double(at, FLOW.RESP_PACKETS)
    }
    const lastMs = records.double(base, FLOW.LAST_MS)
    const { originator, responder } = live.ends
    const { traffic } = this.#parts
    if (originator !== undefined) {
      originator.count(origBytes, respBytes, origPackets, respPackets, lastMs)
      if (traffic !== undefined && originator.listed) {
        const remote = live.name ?? this.#ip(records, base, FLOW.RESP_IP)
        traffic.add(originator.id, remote, origBytes, respBytes, origPackets, respPackets)
      }
    }
    if (responder !== undefined) {
      responder.count(respBytes, origBytes, respPackets, origPackets, lastMs)
      if (traffic !== undefined && responder.listed) {
        const remote =
          originator === undefined && live.name !== undefined
            ? live.name
            : this.#ip(records, base, FLOW.ORIG_IP)
        traffic.add(responder.id, remote, respBytes, origBytes, respPackets, origPackets)
      }
    }
  }

  /** Packets have come since the record before: the end of a flow alone does not bring a forgotten device back. */
  #hasNews(records: FlowRecords, base: number, slot: number): boolean {
    const before = this.#store.chunk(slot)
    const at = this.#store.base(slot)
    return [FLOW.ORIG_PACKETS, FLOW.RESP_PACKETS].some(
      (field) => before?.double(at, field) !== records.double(base, field),
    )
  }

  /** An end turned out to be a device after all: what the flow had before this record is the device's, too. */
  #catchUp(slot: number, live: LiveFlow, before: LiveFlow): void {
    const { direction, originator, responder, owner } = live.ends
    const late: Ends = {
      direction,
      originator: before.ends.originator === undefined ? originator : undefined,
      responder: before.ends.responder === undefined ? responder : undefined,
      owner,
      epochs: 0,
    }
    const records = this.#store.chunk(slot)
    if (records === undefined) return
    this.#count(records, this.#store.base(slot), slot, { ...live, ends: late }, false)
  }

  #ip(records: FlowRecords, base: number, field: number): string {
    return this.#parts.text.ip(records.ints, (base + field) >> 2, records.ipv6(base))
  }
}

/** A device of the home began it, and meant one other end. */
function beganHere({ originator, responder, direction }: Ends, resp: End): boolean {
  if (originator?.listed !== true || isGroupMac(resp.mac)) return false
  return direction === 'outbound' || responder !== undefined
}
