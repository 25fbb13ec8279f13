// DNS and mDNS messages (RFC 1035, 6762), uncompressed but for the query's own name.
import type { Address } from './frames.ts'

export const QTYPE = { A: 1, CNAME: 5, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, HTTPS: 65 } as const

/** One resource record. `data` is an address, a name, or the bytes as they are. */
export interface RecordData {
  name: string
  type: number
  ttlSeconds: number
  data: Address | string | Buffer
}

/** What a DNS message says. */
export interface DnsMessage {
  id: number
  query: string
  qtype: number
  /** Absent: a query. */
  answers?: readonly RecordData[]
  rcode?: number
  truncated?: boolean
}

const CACHE_FLUSH = 0x8000
const MULTICAST_TTL_S = 120

/** A name as labels, with no compression. */
export function labels(name: string): Buffer {
  const parts: Buffer[] = []
  for (const label of name.split('.')) {
    const text = Buffer.from(label, 'utf8')
    parts.push(Buffer.from([text.length]), text)
  }
  return Buffer.concat([...parts, Buffer.from([0])])
}

function header(id: number, flags: number, questions: number, answers: number): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(id, 0)
  head.writeUInt16BE(flags, 2)
  head.writeUInt16BE(questions, 4)
  head.writeUInt16BE(answers, 6)
  return head
}

function question(name: string, type: number): Buffer {
  const tail = Buffer.alloc(4)
  tail.writeUInt16BE(type, 0)
  tail.writeUInt16BE(1, 2)
  return Buffer.concat([labels(name), tail])
}

function resource(owner: Buffer, record: RecordData, dnsClass: number): Buffer {
  const { data } = record
  const body = typeof data === 'string' ? labels(data) : 'bytes' in data ? data.bytes : data
  const head = Buffer.alloc(10)
  head.writeUInt16BE(record.type, 0)
  head.writeUInt16BE(dnsClass, 2)
  head.writeUInt32BE(record.ttlSeconds, 4)
  head.writeUInt16BE(body.length, 8)
  return Buffer.concat([owner, head, body])
}

/** A query, or its answer where `answers` is there; an owner that is the query's name points at it. */
export function dnsMessage(message: DnsMessage): Buffer {
  const { answers } = message
  const pointer = Buffer.from([0xc0, 12])
  let flags = answers ? 0x8180 | (message.rcode ?? 0) : 0x0100
  if (message.truncated) flags |= 0x0200
  return Buffer.concat([
    header(message.id, flags, 1, answers?.length ?? 0),
    question(message.query, message.qtype),
    ...(answers ?? []).map((each) =>
      resource(each.name === message.query ? pointer : labels(each.name), each, 1),
    ),
  ])
}

/** The same over TCP: the length stands before it (RFC 1035, 4.2.2). */
export function overTcp(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length, 0)
  return Buffer.concat([length, message])
}

/** A legacy multicast question for the instances of `service` (RFC 6762, 6.7). */
export function mdnsQuestion(id: number, service: string): Buffer {
  return Buffer.concat([header(id, 0, 1, 0), question(service, QTYPE.PTR)])
}

/** What a device announces of itself: its addresses and one service, with the port it listens on. */
export interface Announcement {
  host: string
  addresses: readonly Address[]
  service: string
  instance: string
  port: number
  text: readonly string[]
}

function serviceRecords(from: Announcement): RecordData[] {
  const full = `${from.instance}.${from.service}`
  const place = Buffer.alloc(6)
  place.writeUInt16BE(from.port, 4)
  const text = from.text.map((each) =>
    Buffer.concat([Buffer.from([each.length]), Buffer.from(each)]),
  )
  const ttlSeconds = MULTICAST_TTL_S
  return [
    { name: from.service, type: QTYPE.PTR, ttlSeconds, data: full },
    { name: full, type: QTYPE.SRV, ttlSeconds, data: Buffer.concat([place, labels(from.host)]) },
    { name: full, type: QTYPE.TXT, ttlSeconds, data: Buffer.concat(text) },
    ...from.addresses.map((data) => ({
      name: from.host,
      type: data.v6 ? QTYPE.AAAA : QTYPE.A,
      ttlSeconds,
      data,
    })),
  ]
}

/** An unasked multicast announcement (RFC 6762, 8.3); what is the device's alone carries the cache-flush bit. */
export function mdnsAnnouncement(from: Announcement): Buffer {
  const records = serviceRecords(from)
  return Buffer.concat([
    header(0, 0x8400, 0, records.length),
    ...records.map((each) =>
      resource(labels(each.name), each, each.type === QTYPE.PTR ? 1 : CACHE_FLUSH | 1),
    ),
  ])
}

/** The unicast answer to a legacy question, which repeats it (RFC 6762, 6.7). */
export function mdnsAnswer(id: number, from: Announcement): Buffer {
  const records = serviceRecords(from).map((each) => ({ ...each, ttlSeconds: 10 }))
  return Buffer.concat([
    header(id, 0x8400, 1, records.length),
    question(from.service, QTYPE.PTR),
    ...records.map((each) => resource(labels(each.name), each, 1)),
  ])
}
