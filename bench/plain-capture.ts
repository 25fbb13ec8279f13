// Captures of UDP frames of one size, where nothing but the number of flows or devices differs from one to another.
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { nothing } from '../test/lab/counters.ts'
import type { DeviceFindings } from '../test/lab/truth.ts'
import type { BenchCapture } from './captures.ts'

const RECORD_HEAD = 16
const FRAME = 120
const IP_BYTES = FRAME - 14
/** So many flows are alive at once; one packet of each in turn. */
const AT_ONCE = 100
const SPAN_US = 600e6
const START_S = 1790000000
const ROUTER = 0x020de0ff0001

function fileHead(): Buffer {
  const head = Buffer.alloc(24)
  head.writeUInt32LE(0xa1b2c3d4, 0)
  head.writeUInt16LE(2, 4)
  head.writeUInt16LE(4, 6)
  head.writeUInt32LE(65535, 16)
  head.writeUInt32LE(1, 20)
  return head
}

function record(): Buffer {
  const bytes = Buffer.alloc(RECORD_HEAD + FRAME)
  bytes.writeUInt32LE(FRAME, 8)
  bytes.writeUInt32LE(FRAME, 12)
  const ip = RECORD_HEAD + 14
  bytes.writeUInt16BE(0x0800, ip - 2)
  bytes[ip] = 0x45
  bytes.writeUInt16BE(IP_BYTES, ip + 2)
  bytes[ip + 8] = 64
  bytes[ip + 9] = 17
  bytes.writeUInt16BE(IP_BYTES - 20, ip + 24)
  return bytes
}

/**
 * Writes `flows` flows of equally many packets, about `packets` in all, of `devices` devices to one router, every second
 * packet an answer. Devices are in 198.18.0.0/15 (RFC 2544), remotes in 203.0.113.0/24.
 */
export function makePlain(
  folder: string,
  size: { packets: number; flows: number; devices: number },
): BenchCapture {
  const { flows, devices } = size
  const each = Math.round(size.packets / flows)
  const packets = each * flows
  const file = join(folder, `plain-${packets}-${flows}-${devices}.pcap`)
  const findings = new Map<string, DeviceFindings>()
  const one = record()
  const chunk = Buffer.alloc(one.length * 4096)
  const fd = openSync(file, 'w')
  writeSync(fd, fileHead())
  let used = 0
  for (let n = 0; n < packets; n++) {
    const group = Math.floor(n / (AT_ONCE * each))
    const inGroup = Math.min(AT_ONCE, flows - group * AT_ONCE)
    const place = n - group * AT_ONCE * each
    const flow = group * AT_ONCE + (place % inGroup)
    const up = Math.floor(place / inGroup) % 2 === 0
    const device = flow % devices
    fill(one, flow, device, up, Math.floor((n / packets) * SPAN_US))
    note(findings, device, up)
    one.copy(chunk, used)
    used += one.length
    if (used < chunk.length && n < packets - 1) continue
    writeSync(fd, chunk, 0, used)
    used = 0
  }
  closeSync(fd)
  const ip_bytes = packets * IP_BYTES
  const truth = { packets, ip_packets: packets, ip_bytes, flows, dns_queries: 0, devices: findings }
  const others = new Set([ROUTER.toString(16).padStart(12, '0')])
  return { file, packets, flows, truth, lan: ['--lan', '198.18.0.0/15'], others }
}

function fill(bytes: Buffer, flow: number, device: number, up: boolean, timeUs: number): void {
  const mac = 0x020de0000001 + device
  const ip = RECORD_HEAD + 14
  // Every device walks through ports of its own, and every 40 000 flows all go on to the next remote.
  const [deviceIp, port] = [0xc6120100 + device, 20_000 + (flow % 40_000)]
  const [remoteIp, remotePort] = [0xcb007101 + (Math.floor(flow / 40_000) % 250), 9000]
  bytes.writeUInt32LE(START_S + Math.floor(timeUs / 1e6), 0)
  bytes.writeUInt32LE(timeUs % 1e6, 4)
  bytes.writeUIntBE(up ? ROUTER : mac, RECORD_HEAD, 6)
  bytes.writeUIntBE(up ? mac : ROUTER, RECORD_HEAD + 6, 6)
  bytes.writeUInt32BE(up ? deviceIp : remoteIp, ip + 12)
  bytes.writeUInt32BE(up ? remoteIp : deviceIp, ip + 16)
  bytes.writeUInt16BE(up ? port : remotePort, ip + 20)
  bytes.writeUInt16BE(up ? remotePort : port, ip + 22)
}

function note(findings: Map<string, DeviceFindings>, device: number, up: boolean): void {
  const id = (0x020de0000001 + device).toString(16).padStart(12, '0')
  let found = findings.get(id)
  if (found === undefined) {
    found = { ...nothing(), dns: {}, sni: {} }
    findings.set(id, found)
  }
  if (up) found.sent_packets++
  else found.received_packets++
  found.sent_bytes = found.sent_packets * IP_BYTES
  found.received_bytes = found.received_packets * IP_BYTES
}
