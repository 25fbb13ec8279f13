// Flow records as the native meter writes them, from what a test wants to say.

import { addressBytes } from '../../../agent/inventory/locality.ts'
import {
  CLOSED_BY,
  FLOW,
  FLOW_FLAGS,
  FLOW_RECORD_BYTES,
  FLOW_STATES,
} from '../../../native/layout.ts'

/** One record; what is left out is zero, TCP, and `active`. */
export interface RecordOf {
  slot?: number
  number?: number
  state?: (typeof FLOW_STATES)[number]
  closedBy?: (typeof CLOSED_BY)[number]
  protocol?: number
  firstMs?: number
  lastMs?: number
  /** Bytes and packets of the originator, then of the responder. */
  sent?: readonly [bytes: number, packets: number]
  received?: readonly [bytes: number, packets: number]
  orig: EndOf
  resp: EndOf
}

/** `seen`: its MAC stood as source of a frame. Default: true for the originator. */
export interface EndOf {
  ip: string
  mac?: string
  port?: number
  seen?: boolean
}

/** Six bytes of a MAC in text. */
export function macBytes(mac: string): number[] {
  return mac.split(':').map((part) => Number.parseInt(part, 16))
}

/** Records in one buffer, as a batch has them. */
export function flowRecords(...records: readonly RecordOf[]): ArrayBuffer {
  const buffer = new ArrayBuffer(records.length * FLOW_RECORD_BYTES)
  for (const [i, record] of records.entries()) {
    writeRecord(Buffer.from(buffer, i * FLOW_RECORD_BYTES, FLOW_RECORD_BYTES), record)
  }
  return buffer
}

function writeRecord(at: Buffer, record: RecordOf): void {
  const { orig, resp, sent = [0, 0], received = [0, 0] } = record
  const ipv6 = orig.ip.includes(':')
  at.writeUInt32LE(record.slot ?? 0, FLOW.SLOT)
  at[FLOW.STATE] = FLOW_STATES.indexOf(record.state ?? (record.closedBy ? 'closed' : 'active'))
  at[FLOW.CLOSED_BY] = record.closedBy === undefined ? 255 : CLOSED_BY.indexOf(record.closedBy)
  at[FLOW.PROTOCOL] = record.protocol ?? 6
  at[FLOW.FLAGS] =
    (ipv6 ? FLOW_FLAGS.IPV6 : 0) |
    ((orig.seen ?? orig.mac !== undefined) ? FLOW_FLAGS.ORIG_MAC_SEEN : 0) |
    (resp.seen ? FLOW_FLAGS.RESP_MAC_SEEN : 0)
  at.writeDoubleLE(record.number ?? 1, FLOW.NUMBER)
  at.writeDoubleLE(record.firstMs ?? 1000, FLOW.FIRST_MS)
  at.writeDoubleLE(record.lastMs ?? record.firstMs ?? 1000, FLOW.LAST_MS)
  at.writeDoubleLE(sent[0], FLOW.ORIG_BYTES)
  at.writeDoubleLE(sent[1], FLOW.ORIG_PACKETS)
  at.writeDoubleLE(received[0], FLOW.RESP_BYTES)
  at.writeDoubleLE(received[1], FLOW.RESP_PACKETS)
  at.set(addressBytes(orig.ip), FLOW.ORIG_IP)
  at.set(addressBytes(resp.ip), FLOW.RESP_IP)
  if (orig.mac !== undefined) at.set(macBytes(orig.mac), FLOW.ORIG_MAC)
  if (resp.mac !== undefined) at.set(macBytes(resp.mac), FLOW.RESP_MAC)
  at.writeUInt16LE(orig.port ?? 0, FLOW.ORIG_PORT)
  at.writeUInt16LE(resp.port ?? 0, FLOW.RESP_PORT)
}
