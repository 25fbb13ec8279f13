// Runs the addon on bytes, through its facade alone, and reads its batches back.
import { randomUUID } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Batch, CaptureOptions, Counters } from '../../native/index.ts'
import { createCapture } from '../../native/index.ts'
import type { NameKind } from '../../native/layout.ts'
import {
  CLOSED_BY,
  DNS,
  DNS_ANSWER,
  FLOW,
  FLOW_FLAGS,
  FLOW_RECORD_BYTES,
  FLOW_STATES,
  NAME,
  NAME_HEAD_BYTES,
  NAME_KINDS,
} from '../../native/layout.ts'

export interface FlowRow {
  slot: number
  state: (typeof FLOW_STATES)[number]
  closedBy: (typeof CLOSED_BY)[number] | undefined
  protocol: number
  ipv6: boolean
  number: number
  firstMs: number
  lastMs: number
  /** `address:port`, MAC, bytes, packets and flags of the originator, then of the responder. */
  orig: string
  resp: string
  origMac: string
  respMac: string
  origMacSeen: boolean
  respMacSeen: boolean
  origBytes: number
  respBytes: number
  origPackets: number
  respPackets: number
  origFlags: number
  respFlags: number
  vlan: number
  interface: number
}

export interface Answer {
  rtype: number
  name: string
  data: string
  ttl: number
}

export interface DnsMessage {
  id: number
  response: boolean
  tcp: boolean
  truncated: boolean
  cut: boolean
  rcode: number
  qtype: number
  name: string
  answers: Answer[]
}

export interface NameRow {
  kind: NameKind
  slot: number
  fromOrig: boolean
  timeMs: number
  src: string
  dst: string
  srcMac: string
  dstMac: string
  payload: Buffer
  /** Of kind `sni`. */
  text: string
  dns: DnsMessage | undefined
}

export interface Replay {
  rows: FlowRow[]
  /** The last record of each flow. */
  flows: FlowRow[]
  names: NameRow[]
  counters: Counters
  error: string | undefined
  unsupportedLinks: string[]
  batches: number
}

function ipText(bytes: Buffer, ipv6: boolean): string {
  if (!ipv6) return bytes.subarray(0, 4).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16))
  return groups
    .join(':')
    .replace(/\b0(:0)+\b/, '')
    .replace(/^:?$|^:(?!:)|(?<!:):$/, '::')
    .replace(':::', '::')
}

const macText = (bytes: Buffer): string => bytes.toString('hex').replace(/..(?=.)/g, '$&:')

export function flowRows(batch: Batch): FlowRow[] {
  return Array.from({ length: batch.flowCount }, (_, i) => {
    const at = Buffer.from(batch.flows, i * FLOW_RECORD_BYTES, FLOW_RECORD_BYTES)
    const flags = at.readUInt8(FLOW.FLAGS)
    const ipv6 = (flags & FLOW_FLAGS.IPV6) !== 0
    const end = (ip: number, port: number): string =>
      `${ipText(at.subarray(ip, ip + 16), ipv6)}:${at.readUInt16LE(port)}`
    const state = FLOW_STATES[at.readUInt8(FLOW.STATE)]
    if (state === undefined) throw new Error('a flow with a state that does not exist')
    return {
      slot: at.readUInt32LE(FLOW.SLOT),
      state,
      closedBy: CLOSED_BY[at.readUInt8(FLOW.CLOSED_BY)],
      protocol: at.readUInt8(FLOW.PROTOCOL),
      ipv6,
      number: at.readDoubleLE(FLOW.NUMBER),
      firstMs: at.readDoubleLE(FLOW.FIRST_MS),
      lastMs: at.readDoubleLE(FLOW.LAST_MS),
      orig: end(FLOW.ORIG_IP, FLOW.ORIG_PORT),
      resp: end(FLOW.RESP_IP, FLOW.RESP_PORT),
      origMac: macText(at.subarray(FLOW.ORIG_MAC, FLOW.ORIG_MAC + 6)),
      respMac: macText(at.subarray(FLOW.RESP_MAC, FLOW.RESP_MAC + 6)),
      origMacSeen: (flags & FLOW_FLAGS.ORIG_MAC_SEEN) !== 0,
      respMacSeen: (flags & FLOW_FLAGS.RESP_MAC_SEEN) !== 0,
      origBytes: at.readDoubleLE(FLOW.ORIG_BYTES),
      respBytes: at.readDoubleLE(FLOW.RESP_BYTES),
      origPackets: at.readDoubleLE(FLOW.ORIG_PACKETS),
      respPackets: at.readDoubleLE(FLOW.RESP_PACKETS),
      origFlags: at.readUInt8(FLOW.ORIG_TCP_FLAGS),
      respFlags: at.readUInt8(FLOW.RESP_TCP_FLAGS),
      vlan: at.readUInt16LE(FLOW.VLAN),
      interface: at.readUInt16LE(FLOW.INTERFACE),
    }
  })
}

function readDns(payload: Buffer): DnsMessage {
  const flags = payload.readUInt8(DNS.FLAGS)
  const nameBytes = payload.readUInt16LE(DNS.NAME_BYTES)
  let at: number = DNS.HEAD_BYTES
  const text = (length: number): string => {
    at += length
    return payload.toString('latin1', at - length, at)
  }
  const name = text(nameBytes)
  const answers: Answer[] = []
  for (let i = 0; i < payload.readUInt16LE(DNS.ANSWERS); i++) {
    const head = payload.subarray(at, at + DNS_ANSWER.HEAD_BYTES)
    at += DNS_ANSWER.HEAD_BYTES
    const owner = head.readUInt16LE(DNS_ANSWER.NAME_BYTES)
    answers.push({
      rtype: head.readUInt16LE(DNS_ANSWER.RTYPE),
      ttl: head.readUInt32LE(DNS_ANSWER.TTL_S),
      name: owner === 0xffff ? name : text(owner),
      data: text(head.readUInt16LE(DNS_ANSWER.DATA_BYTES)),
    })
  }
  if (at !== payload.length) throw new Error('a dns record whose parts do not fill it')
  return {
    id: payload.readUInt16LE(DNS.ID),
    response: (flags & 1) !== 0,
    tcp: (flags & 2) !== 0,
    truncated: (flags & 4) !== 0,
    cut: (flags & 8) !== 0,
    rcode: payload.readUInt8(DNS.RCODE),
    qtype: payload.readUInt16LE(DNS.QTYPE),
    name,
    answers,
  }
}

export function nameRows(batch: Batch): NameRow[] {
  const rows: NameRow[] = []
  for (let at = 0; at < batch.names.byteLength; ) {
    const rest = Buffer.from(batch.names, at)
    const size = rest.readUInt32LE(NAME.SIZE)
    if (size % 8 !== 0 || size < NAME_HEAD_BYTES || size > rest.length)
      throw new Error('a name record of a wrong size')
    const kind = NAME_KINDS[rest.readUInt8(NAME.KIND)]
    if (kind === undefined) throw new Error('a name record of no kind')
    const ipv6 = rest.readUInt8(NAME.IPV6) === 1
    const payload = rest.subarray(
      NAME_HEAD_BYTES,
      NAME_HEAD_BYTES + rest.readUInt32LE(NAME.PAYLOAD_BYTES),
    )
    const end = (ip: number, port: number): string =>
      `${ipText(rest.subarray(ip, ip + 16), ipv6)}:${rest.readUInt16LE(port)}`
    rows.push({
      kind,
      slot: rest.readUInt32LE(NAME.SLOT),
      fromOrig: rest.readUInt8(NAME.FROM_ORIG) === 1,
      timeMs: rest.readDoubleLE(NAME.TIME_MS),
      src: end(NAME.SRC_IP, NAME.SRC_PORT),
      dst: end(NAME.DST_IP, NAME.DST_PORT),
      srcMac: macText(rest.subarray(NAME.SRC_MAC, NAME.SRC_MAC + 6)),
      dstMac: macText(rest.subarray(NAME.DST_MAC, NAME.DST_MAC + 6)),
      payload,
      text: kind === 'sni' ? payload.toString('latin1') : '',
      dns: kind === 'dns' ? readDns(payload) : undefined,
    })
    at += size
  }
  return rows
}

/** Reads a capture from a path to its end. */
export async function replayPath(path: string, options: CaptureOptions = {}): Promise<Replay> {
  const capture = createCapture(options)
  capture.readFile(path)
  const rows: FlowRow[] = []
  const names: NameRow[] = []
  let batches = 0
  const last = await new Promise<Batch>((resolve, reject) => {
    capture.start(() => {
      try {
        const batch = capture.drain()
        batches++
        names.push(...nameRows(batch))
        rows.push(...flowRows(batch))
        if (batch.ended) resolve(batch)
      } catch (error) {
        reject(error)
      }
    })
  })
  capture.stop()
  const flows = [...new Map(rows.map((row) => [row.number, row])).values()].sort(
    (a, b) => a.number - b.number,
  )
  const { counters, error, unsupportedLinks } = last
  return { rows, flows, names, counters, error, unsupportedLinks, batches }
}

/** Reads a capture that is here as bytes. */
export async function replay(bytes: Buffer, options: CaptureOptions = {}): Promise<Replay> {
  const path = join(tmpdir(), `homespin-native-${process.pid}-${randomUUID()}.pcap`)
  writeFileSync(path, bytes)
  try {
    return await replayPath(path, options)
  } finally {
    rmSync(path)
  }
}
