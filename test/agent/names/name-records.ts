// Name records as the native reader writes them, from what a test wants to say.
import { addressBytes } from '../../../agent/inventory/locality.ts'
import type { NameKind } from '../../../native/layout.ts'
import { DNS, DNS_ANSWER, NAME, NAME_HEAD_BYTES, NAME_KINDS } from '../../../native/layout.ts'
import { macBytes } from '../flows/flow-records.ts'

export const TYPE = { A: 1, NS: 2, CNAME: 5, TXT: 16, AAAA: 28, HTTPS: 65 } as const

export interface AnswerOf {
  /** Absent: the same as the query's. */
  name?: string
  type: number
  data?: string
  ttl?: number
}

export interface DnsOf {
  id?: number
  /** Absent: a query. */
  answers?: readonly AnswerOf[]
  rcode?: number
  type?: number
  name: string
  tcp?: boolean
}

export interface HeadOf {
  kind: NameKind
  slot?: number
  timeMs?: number
  fromOrig?: boolean
  src: { ip: string; mac?: string; port?: number }
  dst: { ip: string; mac?: string; port?: number }
}

/** The payload of a `dns` record. */
export function dnsPayload(dns: DnsOf): Buffer {
  const name = Buffer.from(dns.name, 'latin1')
  const head = Buffer.alloc(DNS.HEAD_BYTES)
  head.writeUInt16LE(dns.id ?? 1, DNS.ID)
  head[DNS.FLAGS] = (dns.answers === undefined ? 0 : 1) | (dns.tcp ? 2 : 0)
  head[DNS.RCODE] = dns.rcode ?? 0
  head.writeUInt16LE(dns.type ?? TYPE.A, DNS.QTYPE)
  head.writeUInt16LE(name.length, DNS.NAME_BYTES)
  head.writeUInt16LE(dns.answers?.length ?? 0, DNS.ANSWERS)
  return Buffer.concat([head, name, ...(dns.answers ?? []).map(answerBytes)])
}

function answerBytes(answer: AnswerOf): Buffer {
  const owner = Buffer.from(answer.name ?? '', 'latin1')
  const data = Buffer.from(answer.data ?? '', 'latin1')
  const head = Buffer.alloc(DNS_ANSWER.HEAD_BYTES)
  head.writeUInt16LE(answer.type, DNS_ANSWER.RTYPE)
  head.writeUInt16LE(answer.name === undefined ? 0xffff : owner.length, DNS_ANSWER.NAME_BYTES)
  head.writeUInt16LE(data.length, DNS_ANSWER.DATA_BYTES)
  head.writeUInt32LE(answer.ttl ?? 60, DNS_ANSWER.TTL_S)
  return Buffer.concat([head, owner, data])
}

/** The head of a record, without its payload. */
export function nameHead(of: HeadOf, payloadBytes: number): Buffer {
  const head = Buffer.alloc(NAME_HEAD_BYTES)
  head.writeUInt32LE((NAME_HEAD_BYTES + payloadBytes + 7) & ~7, NAME.SIZE)
  head.writeUInt32LE(payloadBytes, NAME.PAYLOAD_BYTES)
  head[NAME.KIND] = NAME_KINDS.indexOf(of.kind)
  head[NAME.IPV6] = of.src.ip.includes(':') ? 1 : 0
  head[NAME.FROM_ORIG] = (of.fromOrig ?? true) ? 1 : 0
  head.writeUInt32LE(of.slot ?? 0xffffffff, NAME.SLOT)
  head.writeDoubleLE(of.timeMs ?? 1000, NAME.TIME_MS)
  head.set(addressBytes(of.src.ip), NAME.SRC_IP)
  head.set(addressBytes(of.dst.ip), NAME.DST_IP)
  if (of.src.mac !== undefined) head.set(macBytes(of.src.mac), NAME.SRC_MAC)
  if (of.dst.mac !== undefined) head.set(macBytes(of.dst.mac), NAME.DST_MAC)
  head.writeUInt16LE(of.src.port ?? 0, NAME.SRC_PORT)
  head.writeUInt16LE(of.dst.port ?? 0, NAME.DST_PORT)
  return head
}

/** One whole record, padded. */
export function nameRecord(of: HeadOf, payload: Buffer): Buffer {
  const padding = Buffer.alloc(-payload.length & 7)
  return Buffer.concat([nameHead(of, payload.length), payload, padding])
}

/** Records in one buffer, as a batch has them. */
export function nameRecords(...records: readonly Buffer[]): ArrayBuffer {
  return Uint8Array.from(Buffer.concat(records)).buffer
}
