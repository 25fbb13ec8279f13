// One batch of the native meter, from left to right: names, then flows, then devices. The same for every source.

import type { Batch } from '../native/index.ts'
import { DNS, NAME, NAME_HEAD_BYTES, NAME_KINDS } from '../native/layout.ts'
import type { Dns } from '../protocol/messages.ts'
import { AddressText, formatIp, isGroupMac, macKey } from './address.ts'
import { EndsResolver } from './flows/ends.ts'
import type { FlowReaderParts } from './flows/flow-reader.ts'
import { FlowReader } from './flows/flow-reader.ts'
import type { FlowView } from './flows/flow-view.ts'
import { TrafficSums } from './flows/traffic.ts'
import type { Traffic } from './interval.ts'
import { readNeighbour } from './inventory/arp.ts'
import type { DeviceEntry, Inventory } from './inventory/inventory.ts'
import type { Locality } from './inventory/locality.ts'
import { isGroupAddress } from './inventory/locality.ts'
import { readDhcpClient } from './names/dhcp.ts'
import type { OnAnswer } from './names/dns-tracker.ts'
import { DnsTracker } from './names/dns-tracker.ts'
import type { NameCache } from './names/name-cache.ts'

export interface PipelineParts {
  /** The first half of flow ids: unique to this run. */
  run: string
  locality: Locality
  inventory: Inventory
  names: NameCache
  /** Whether differences per device and remote are wanted (history), not totals alone. */
  differences: boolean
  /** See `FlowReaderParts.onBegun`. */
  onBegun?: FlowReaderParts['onBegun']
  onAnswer?: OnAnswer
  /** A message of IPv6 neighbour discovery, and the head of its record. */
  onNdp?: (message: Buffer, head: Buffer) => void
}

/** Who receives what a batch holds. `dns` comes when its answer has come, or late without one. */
export interface PipelineSink {
  flow: (flow: FlowView) => void
  dns: (dns: Dns) => void
}

/** Turns batches into flows, DNS queries and devices. */
export class Pipeline {
  readonly flows: FlowReader
  readonly #text = new AddressText()
  readonly #dns: DnsTracker
  readonly #traffic: TrafficSums | undefined
  readonly #parts: PipelineParts

  constructor(parts: PipelineParts) {
    this.#parts = parts
    this.#dns = new DnsTracker(parts.names, parts.onAnswer)
    this.#traffic = parts.differences ? new TrafficSums() : undefined
    this.flows = new FlowReader({
      run: parts.run,
      text: this.#text,
      names: parts.names,
      ends: new EndsResolver(parts.locality, parts.inventory),
      ...(this.#traffic === undefined ? {} : { traffic: this.#traffic }),
      onBegun: parts.onBegun,
    })
  }

  take(batch: Batch, sink: PipelineSink): void {
    this.#readNames(batch.names)
    this.flows.read(batch.flows, batch.flowCount, sink.flow)
    for (const dns of this.#dns.take(batch.ended ? Number.POSITIVE_INFINITY : batch.timeMs)) {
      sink.dns(dns)
    }
  }

  /** What was exchanged since the last call. */
  takeTraffic(): Traffic[] {
    return this.#traffic?.take() ?? []
  }

  #readNames(buffer: ArrayBuffer): void {
    const bytes = Buffer.from(buffer)
    const words = new Uint16Array(buffer)
    const ints = new Int32Array(buffer)
    for (
      let at = 0;
      at + NAME_HEAD_BYTES <= bytes.length;
      at += bytes.readUInt32LE(at + NAME.SIZE)
    ) {
      const kind = NAME_KINDS[bytes[at + NAME.KIND] as number]
      const timeMs = bytes.readDoubleLE(at + NAME.TIME_MS)
      if (kind === 'dns') this.#readDns(bytes, words, ints, at, timeMs)
      else if (kind === 'sni') {
        const start = at + NAME_HEAD_BYTES
        const end = start + bytes.readUInt32LE(at + NAME.PAYLOAD_BYTES)
        this.flows.noteSni(bytes.readUInt32LE(at + NAME.SLOT), bytes.toString('latin1', start, end))
      } else if (kind === 'arp' || kind === 'ndp') this.#readNeighbour(bytes, at, kind, timeMs)
      else if (kind === 'dhcp4') this.#readDhcp(bytes, words, at, timeMs)
    }
  }

  #readDns(bytes: Buffer, words: Uint16Array, ints: Int32Array, at: number, timeMs: number): void {
    const isQuery = ((bytes[at + NAME_HEAD_BYTES + DNS.FLAGS] as number) & 1) === 0
    const client = this.#client(bytes, words, ints, at, isQuery, timeMs)
    if (client !== undefined) this.#dns.record(bytes, at, client, Math.floor(timeMs))
  }

  /** The device that asks or is answered, if it is of the home. Which end began the flow may be unknown in mid-capture. */
  #client(
    bytes: Buffer,
    words: Uint16Array,
    ints: Int32Array,
    at: number,
    isSource: boolean,
    timeMs: number,
  ): { id: string; ip: string } | undefined {
    const ipv6 = bytes[at + NAME.IPV6] === 1
    const ipAt = at + (isSource ? NAME.SRC_IP : NAME.DST_IP)
    const mac = macKey(words, (at + (isSource ? NAME.SRC_MAC : NAME.DST_MAC)) >> 1)
    if (isGroupAddress(bytes, ipAt, ipv6) || isGroupMac(mac)) return undefined
    if (!this.#parts.locality.isLocal(bytes, ipAt, ipv6, mac)) return undefined
    const ip = this.#text.ip(ints, ipAt >> 2, ipv6)
    return { id: this.#device(mac, ip, ipv6, timeMs).id, ip }
  }

  #device(mac: number, ip: string, ipv6: boolean, timeMs: number): DeviceEntry {
    return this.#parts.inventory.seen(mac, ip, ipv6, timeMs)
  }

  /** Only a device itself may name itself: the message's client must have sent the frame. */
  #readDhcp(bytes: Buffer, words: Uint16Array, at: number, timeMs: number): void {
    const start = at + NAME_HEAD_BYTES
    const end = start + bytes.readUInt32LE(at + NAME.PAYLOAD_BYTES)
    const client = readDhcpClient(bytes.subarray(start, end))
    if (client === undefined || client.mac !== macKey(words, (at + NAME.SRC_MAC) >> 1)) return
    if (isGroupMac(client.mac)) return
    const entry = this.#device(client.mac, '', false, timeMs)
    this.#parts.inventory.name(entry, client.name, 'dhcp')
  }

  #readNeighbour(bytes: Buffer, at: number, kind: 'arp' | 'ndp', timeMs: number): void {
    const start = at + NAME_HEAD_BYTES
    const payload = bytes.subarray(start, start + bytes.readUInt32LE(at + NAME.PAYLOAD_BYTES))
    const head = bytes.subarray(at, at + NAME_HEAD_BYTES)
    if (kind === 'ndp') this.#parts.onNdp?.(payload, head)
    const found = readNeighbour(kind, payload, head)
    if (found === undefined || isGroupAddress(found.ip, 0, found.ipv6)) return
    if (!this.#parts.locality.isLocal(found.ip, 0, found.ipv6, found.mac)) return
    this.#device(found.mac, formatIp(found.ip, found.ipv6), found.ipv6, timeMs)
  }
}
