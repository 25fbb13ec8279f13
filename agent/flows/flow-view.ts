// One flow as it goes out: as an object for the living agent, or as a line of JSON at once, which is what a replay of
// millions is made of. Both say the same; a test holds them against each other.
import { CLOSED_BY, FLOW, FLOW_STATES } from '../../native/layout.ts'
import type { Endpoint, Flow } from '../../protocol/messages.ts'
import type { AddressText } from '../address.ts'
import { isGroupMac, macKey } from '../address.ts'
import type { DeviceEntry } from '../inventory/inventory.ts'
import type { Ends } from './ends.ts'
import type { FlowRecords } from './records.ts'
import { protocolName, serviceName } from './services.ts'

/** Protocols with ports: TCP, UDP, DCCP, SCTP, UDP-Lite. */
const HAS_PORTS = new Set([6, 17, 33, 132, 136])

/** What is remembered of a flow from record to record. */
export interface LiveFlow {
  number: number
  flags: number
  ends: Ends
  name: string | undefined
  nameSource: 'dns' | 'sni' | undefined
  sni: string | undefined
}

/** Three digits of every number below 1000. */
const DIGITS = Array.from({ length: 1000 }, (_, i) => String(i).padStart(3, '0'))

/** A window on one record: `at` moves it, nothing is copied. */
export class FlowView {
  readonly #run: string
  readonly #text: AddressText
  #records!: FlowRecords
  #base = 0
  #live!: LiveFlow
  #second = 0
  #secondText = '0'

  constructor(run: string, text: AddressText) {
    this.#run = run
    this.#text = text
  }

  at(records: FlowRecords, base: number, live: LiveFlow): this {
    this.#records = records
    this.#base = base
    this.#live = live
    return this
  }

  /** The responder's figures are `sent` where the flow is told from the responder's side. */
  #fromResponder(): boolean {
    const { owner, originator, responder } = this.#live.ends
    return originator === undefined && owner === responder
  }

  flow(): Flow {
    const records = this.#records
    const base = this.#base
    const live = this.#live
    const { owner, originator, responder, direction } = live.ends
    const turned = this.#fromResponder()
    const flow: Flow = {
      type: 'flow',
      id: `${this.#run}-${live.number.toString(36)}`,
      device_id: owner.id,
      direction,
      protocol: protocolName(records.byte(base, FLOW.PROTOCOL)),
      originator: this.#endpoint(FLOW.ORIG_IP, FLOW.ORIG_PORT, FLOW.ORIG_MAC, originator),
      responder: this.#endpoint(FLOW.RESP_IP, FLOW.RESP_PORT, FLOW.RESP_MAC, responder),
      sent_bytes: records.double(base, turned ? FLOW.RESP_BYTES : FLOW.ORIG_BYTES),
      received_bytes: records.double(base, turned ? FLOW.ORIG_BYTES : FLOW.RESP_BYTES),
      sent_packets: records.double(base, turned ? FLOW.RESP_PACKETS : FLOW.ORIG_PACKETS),
      received_packets: records.double(base, turned ? FLOW.ORIG_PACKETS : FLOW.RESP_PACKETS),
      first_ms: Math.floor(records.double(base, FLOW.FIRST_MS)),
      last_ms: Math.floor(records.double(base, FLOW.LAST_MS)),
      state: FLOW_STATES[records.byte(base, FLOW.STATE)] ?? 'active',
    }
    if (originator !== undefined && responder !== undefined) flow.peer_device_id = responder.id
    if (live.name !== undefined && live.nameSource !== undefined) {
      flow.remote_name = live.name
      flow.remote_name_source = live.nameSource
    }
    const service = this.#service()
    if (service !== undefined) flow.service = service
    if (live.sni !== undefined) flow.sni = live.sni
    const closedBy = this.#closedBy()
    if (closedBy !== undefined) flow.closed_by = closedBy
    return flow
  }

  json(): string {
    const records = this.#records
    const base = this.#base
    const live = this.#live
    const { owner, originator, responder, direction } = live.ends
    const turned = this.#fromResponder()
    let line = `{"type":"flow","id":"${this.#run}-${live.number.toString(36)}","device_id":"${owner.id}`
    if (originator !== undefined && responder !== undefined) {
      line += `","peer_device_id":"${responder.id}`
    }
    line += `","direction":"${direction}","protocol":"${protocolName(records.byte(base, FLOW.PROTOCOL))}"`
    line += `,"originator":${this.#endpointJson(FLOW.ORIG_IP, FLOW.ORIG_PORT, FLOW.ORIG_MAC, originator)}`
    line += `,"responder":${this.#endpointJson(FLOW.RESP_IP, FLOW.RESP_PORT, FLOW.RESP_MAC, responder)}`
    if (live.name !== undefined && live.nameSource !== undefined) {
      line += `,"remote_name":${quote(live.name)},"remote_name_source":"${live.nameSource}"`
    }
    const service = this.#service()
    if (service !== undefined) line += `,"service":"${service}"`
    if (live.sni !== undefined) line += `,"sni":${quote(live.sni)}`
    line += `,"sent_bytes":${records.double(base, turned ? FLOW.RESP_BYTES : FLOW.ORIG_BYTES)}`
    line += `,"received_bytes":${records.double(base, turned ? FLOW.ORIG_BYTES : FLOW.RESP_BYTES)}`
    line += `,"sent_packets":${records.double(base, turned ? FLOW.RESP_PACKETS : FLOW.ORIG_PACKETS)}`
    line += `,"received_packets":${records.double(base, turned ? FLOW.ORIG_PACKETS : FLOW.RESP_PACKETS)}`
    line += `,"first_ms":${this.#milliseconds(FLOW.FIRST_MS)},"last_ms":${this.#milliseconds(FLOW.LAST_MS)}`
    const closedBy = this.#closedBy()
    return closedBy === undefined
      ? `${line},"state":"${FLOW_STATES[records.byte(base, FLOW.STATE)] ?? 'active'}"}`
      : `${line},"state":"closed","closed_by":"${closedBy}"}`
  }

  #service(): string | undefined {
    const records = this.#records
    return serviceName(
      records.byte(this.#base, FLOW.PROTOCOL),
      records.port(this.#base, FLOW.RESP_PORT),
    )
  }

  #closedBy(): Flow['closed_by'] {
    const closed = FLOW_STATES[this.#records.byte(this.#base, FLOW.STATE)] === 'closed'
    return closed ? CLOSED_BY[this.#records.byte(this.#base, FLOW.CLOSED_BY)] : undefined
  }

  /** The MAC is told only of the home's own ends: a remote's would be the router's. 0: none. */
  #mac(at: number, device: DeviceEntry | undefined): number {
    if (device === undefined) return 0
    const key = macKey(this.#records.words, (this.#base + at) >> 1)
    return isGroupMac(key) ? 0 : key
  }

  #ip(at: number): string {
    return this.#text.ip(this.#records.bytes, this.#base + at, this.#records.ipv6(this.#base))
  }

  #endpoint(ip: number, port: number, mac: number, device: DeviceEntry | undefined): Endpoint {
    const end: Endpoint = { ip: this.#ip(ip) }
    if (HAS_PORTS.has(this.#records.byte(this.#base, FLOW.PROTOCOL))) {
      end.port = this.#records.port(this.#base, port)
    }
    const key = this.#mac(mac, device)
    if (key !== 0) end.mac = this.#text.mac(key)
    return end
  }

  #endpointJson(ip: number, port: number, mac: number, device: DeviceEntry | undefined): string {
    let end = `{"ip":"${this.#ip(ip)}"`
    if (HAS_PORTS.has(this.#records.byte(this.#base, FLOW.PROTOCOL))) {
      end += `,"port":${this.#records.port(this.#base, port)}`
    }
    const key = this.#mac(mac, device)
    return key === 0 ? `${end}}` : `${end},"mac":"${this.#text.mac(key)}"}`
  }

  /** Whole milliseconds as text; flows come in the order of time, so the seconds are mostly those of the one before. */
  #milliseconds(at: number): string {
    const time = Math.floor(this.#records.double(this.#base, at))
    if (time < 1000 || time > 2e12) return String(time)
    const second = Math.floor(time / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#secondText = String(second)
    }
    return this.#secondText + (DIGITS[time - second * 1000] as string)
  }
}

/** A name as JSON; names are printable ASCII, in which only two characters need more than quotes. */
function quote(name: string): string {
  return name.includes('\\') || name.includes('"') ? JSON.stringify(name) : `"${name}"`
}
