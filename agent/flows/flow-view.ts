// One flow as it goes out: as an object, or as the note from which native writes its line of JSON, which is what a replay
// of millions is made of. Both say the same; a test holds them against each other.
import {
  CLOSED_BY,
  FLOW,
  FLOW_FLAGS,
  FLOW_NOTE,
  FLOW_RECORD_BYTES,
  FLOW_STATES,
  NOTE_DIRECTIONS,
  NOTE_FLAGS,
} from '../../native/layout.ts'
import type { Endpoint, Flow } from '../../protocol/messages.ts'
import type { AddressText } from '../address.ts'
import { macKey } from '../address.ts'
import type { DeviceEntry } from '../inventory/inventory.ts'
import type { Ends } from './ends.ts'
import type { FlowRecords } from './records.ts'
import { protocolName, serviceName } from './services.ts'
import type { TextTable } from './text-table.ts'

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

/** A window on one record: `at` moves it, nothing is copied. */
export class FlowView {
  readonly #run: string
  readonly #text: AddressText
  #records!: FlowRecords
  #base = 0
  #live!: LiveFlow

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
    const { owner, originator, responder, direction } = this.#live.ends
    return originator === undefined && (owner === responder || direction === 'inbound')
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
      originator: this.#endpoint(
        FLOW.ORIG_IP,
        FLOW.ORIG_PORT,
        this.#mac(FLOW.ORIG_MAC, FLOW_FLAGS.ORIG_MAC_SEEN, originator),
      ),
      responder: this.#endpoint(
        FLOW.RESP_IP,
        FLOW.RESP_PORT,
        this.#mac(FLOW.RESP_MAC, FLOW_FLAGS.RESP_MAC_SEEN, responder),
      ),
      sent_bytes: records.double(base, turned ? FLOW.RESP_BYTES : FLOW.ORIG_BYTES),
      received_bytes: records.double(base, turned ? FLOW.ORIG_BYTES : FLOW.RESP_BYTES),
      sent_packets: records.double(base, turned ? FLOW.RESP_PACKETS : FLOW.ORIG_PACKETS),
      received_packets: records.double(base, turned ? FLOW.ORIG_PACKETS : FLOW.RESP_PACKETS),
      first_ms: Math.floor(records.double(base, FLOW.FIRST_MS)),
      last_ms: Math.floor(records.double(base, FLOW.LAST_MS)),
      state: FLOW_STATES[records.byte(base, FLOW.STATE)] ?? 'active',
    }
    if (originator !== undefined && responder?.listed) flow.peer_device_id = responder.id
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

  /** The record's number in its batch. */
  get index(): number {
    return this.#base / FLOW_RECORD_BYTES
  }

  /** What native needs besides the record to write the flow as a line: see `FLOW_NOTE`. */
  note(texts: TextTable, notes: Uint32Array): void {
    const { ends, name, nameSource, sni } = this.#live
    const { owner, originator, responder, direction } = ends
    const at = this.index * FLOW_NOTE.WORDS
    const service = this.#service()
    notes[at + FLOW_NOTE.OWNER] = texts.place(owner.id)
    notes[at + FLOW_NOTE.PEER] =
      originator !== undefined && responder?.listed ? texts.place(responder.id) : 0
    notes[at + FLOW_NOTE.NAME] = name === undefined ? 0 : texts.place(name)
    notes[at + FLOW_NOTE.SNI] = sni === undefined ? 0 : texts.place(sni)
    notes[at + FLOW_NOTE.SERVICE] = service === undefined ? 0 : texts.place(service)
    notes[at + FLOW_NOTE.FLAGS] =
      NOTE_DIRECTIONS.indexOf(direction) |
      (nameSource === 'sni' ? NOTE_FLAGS.NAME_FROM_SNI : 0) |
      (this.#fromResponder() ? NOTE_FLAGS.FROM_RESPONDER : 0) |
      (this.#mac(FLOW.ORIG_MAC, FLOW_FLAGS.ORIG_MAC_SEEN, originator) === 0
        ? 0
        : NOTE_FLAGS.ORIG_MAC) |
      (this.#mac(FLOW.RESP_MAC, FLOW_FLAGS.RESP_MAC_SEEN, responder) === 0
        ? 0
        : NOTE_FLAGS.RESP_MAC)
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

  /** Told of the home's own ends alone, and only where it stood on their frames: else it would be a router's. 0: none. */
  #mac(at: number, seen: number, device: DeviceEntry | undefined): number {
    if (device === undefined || device.mac === 0) return 0
    const records = this.#records
    if ((records.byte(this.#base, FLOW.FLAGS) & seen) === 0) return 0
    return macKey(records.words, (this.#base + at) >> 1) === device.mac ? device.mac : 0
  }

  #ip(at: number): string {
    return this.#text.ip(this.#records.ints, (this.#base + at) >> 2, this.#records.ipv6(this.#base))
  }

  #endpoint(ip: number, port: number, mac: number): Endpoint {
    const end: Endpoint = { ip: this.#ip(ip) }
    if (HAS_PORTS.has(this.#records.byte(this.#base, FLOW.PROTOCOL))) {
      end.port = this.#records.port(this.#base, port)
    }
    if (mac !== 0) end.mac = this.#text.mac(mac)
    return end
  }
}
