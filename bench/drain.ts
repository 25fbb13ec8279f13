// Reads every record that the native meter hands up, and nothing more: the cost of flows, devices, DNS and SNI arriving in
// JavaScript. `node drain.ts FILE [all|ends]`: every change of a flow once a second, or flows at their end alone
// (default). Prints one line of JSON.

import type { Batch } from '../native/index.ts'
import { createCapture } from '../native/index.ts'
import {
  DNS,
  FLOW,
  FLOW_RECORD_BYTES,
  FLOW_STATES,
  NAME,
  NAME_HEAD_BYTES,
  NAME_KINDS,
} from '../native/layout.ts'

const CLOSED = FLOW_STATES.indexOf('closed')
const DNS_KIND = NAME_KINDS.indexOf('dns')
const SNI_KIND = NAME_KINDS.indexOf('sni')

interface DeviceSum {
  sent: number
  received: number
}

const devices = new Map<number, DeviceSum>()
const queries = new Map<string, number>()
const servers = new Map<string, number>()
let records = 0
let flows = 0
let dnsMessages = 0

function macAt(bytes: Uint8Array, at: number): number {
  let mac = 0
  for (let i = 0; i < 6; i++) mac = mac * 256 + (bytes[at + i] ?? 0)
  return mac
}

function deviceOf(mac: number): DeviceSum {
  let device = devices.get(mac)
  if (device === undefined) {
    device = { sent: 0, received: 0 }
    devices.set(mac, device)
  }
  return device
}

function readFlows(batch: Batch): void {
  const bytes = new Uint8Array(batch.flows)
  const numbers = new Float64Array(batch.flows)
  for (let i = 0; i < batch.flowCount; i++) {
    const at = i * FLOW_RECORD_BYTES
    records++
    if (bytes[at + FLOW.STATE] !== CLOSED) continue
    flows++
    const sent = numbers[(at + FLOW.ORIG_BYTES) >> 3] ?? 0
    const received = numbers[(at + FLOW.RESP_BYTES) >> 3] ?? 0
    const originator = deviceOf(macAt(bytes, at + FLOW.ORIG_MAC))
    originator.sent += sent
    originator.received += received
    const responder = deviceOf(macAt(bytes, at + FLOW.RESP_MAC))
    responder.sent += received
    responder.received += sent
  }
}

function count(names: Map<string, number>, name: string): void {
  names.set(name, (names.get(name) ?? 0) + 1)
}

function readNames(batch: Batch): void {
  const bytes = Buffer.from(batch.names)
  const words = new Uint32Array(batch.names)
  let at = 0
  while (at < bytes.length) {
    const payload = at + NAME_HEAD_BYTES
    const kind = bytes[at + NAME.KIND]
    if (kind === DNS_KIND) {
      dnsMessages++
      const answer = ((bytes[payload + DNS.FLAGS] ?? 0) & 1) !== 0
      const size = bytes.readUInt16LE(payload + DNS.NAME_BYTES)
      const begin = payload + DNS.HEAD_BYTES
      if (!answer) count(queries, bytes.toString('latin1', begin, begin + size))
    } else if (kind === SNI_KIND) {
      const size = words[(at + NAME.PAYLOAD_BYTES) >> 2] ?? 0
      count(servers, bytes.toString('latin1', payload, payload + size))
    }
    at += words[(at + NAME.SIZE) >> 2] ?? bytes.length
  }
}

function sum(counts: Map<string, number>): number {
  return [...counts.values()].reduce((total, each) => total + each, 0)
}

const [file, which = 'ends'] = process.argv.slice(2)
if (file === undefined) throw new Error('usage: drain.ts FILE [all|ends]')
const capture = createCapture({ updates: which === 'all', names: ['dns', 'sni'] })
capture.readFile(file)
capture.start(() => {
  const batch = capture.drain()
  readNames(batch)
  readFlows(batch)
  if (!batch.ended) return
  if (batch.error !== undefined) throw new Error(batch.error)
  const { packets, ipPackets, ipBytes } = batch.counters
  const names = { dns: sum(queries), sni: sum(servers), dns_messages: dnsMessages }
  const totals = { packets, ip_packets: ipPackets, ip_bytes: ipBytes, flows, records, ...names }
  console.log(JSON.stringify({ ...totals, devices: devices.size }))
})
