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
import { LastClaims, readNeighbour } from './inventory/arp.ts'
import type { Inventory } from './inventory/inventory.ts'
import type { Locality } from './inventory/locality.ts'
import { isGroupAddress, isPrivate } from './inventory/locality.ts'
import type { DhcpClient, DhcpLease } from './names/dhcp.ts'
import { readDhcpClient, readDhcpLease } from './names/dhcp.ts'
import { DhcpQuestions } from './names/dhcp-questions.ts'
import type { OnAnswer } from './names/dns-tracker.ts'
import { DnsTracker } from './names/dns-tracker.ts'
import type { NameCache } from './names/name-cache.ts'

const DHCP_SERVER_PORT = 67

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
  readonly #ends: EndsResolver
  readonly #dns: DnsTracker
  readonly #dhcp = new DhcpQuestions()
  readonly #claims = new LastClaims()
  readonly #traffic: TrafficSums | undefined
  readonly #parts: PipelineParts

  constructor(parts: PipelineParts) {
    this.#parts = parts
    this.#ends = new EndsResolver(parts.locality, parts.inventory)
    this.#dns = new DnsTracker(parts.names, parts.onAnswer)
    this.#traffic = parts.differences ? new TrafficSums() : undefined
    this.flows = new FlowReader({
      run: parts.run,
      text: this.#text,
      names: parts.names,
      ends: this.#ends,
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
      } else if (kind === 'arp') {
        if (!this.#isClaimedAgain(bytes, words, at, timeMs))
          this.#readNeighbour(bytes, at, kind, timeMs)
      } else if (kind === 'ndp') this.#readNeighbour(bytes, at, kind, timeMs)
      else if (kind === 'dhcp4') this.#readDhcp(bytes, words, at, timeMs)
    }
  }

  #readDns(bytes: Buffer, words: Uint16Array, ints: Int32Array, at: number, timeMs: number): void {
    const isAnswer = ((bytes[at + NAME_HEAD_BYTES + DNS.FLAGS] as number) & 1) === 1
    const client = isAnswer
      ? { id: '', ip: this.#text.ip(ints, (at + NAME.DST_IP) >> 2, bytes[at + NAME.IPV6] === 1) }
      : this.#asker(bytes, words, ints, at, timeMs)
    if (client !== undefined) this.#dns.record(bytes, at, client, Math.floor(timeMs))
  }

  /** The device that asks. Who is answered needs no look: it has to be who asked. */
  #asker(
    bytes: Buffer,
    words: Uint16Array,
    ints: Int32Array,
    at: number,
    timeMs: number,
  ): { id: string; ip: string } | undefined {
    const ipv6 = bytes[at + NAME.IPV6] === 1
    const ipAt = at + NAME.SRC_IP
    const mac = macKey(words, (at + NAME.SRC_MAC) >> 1)
    if (isGroupAddress(bytes, ipAt, ipv6) || isGroupMac(mac)) return undefined
    const ip = this.#text.ip(ints, ipAt >> 2, ipv6)
    const { inventory, locality } = this.#parts
    if (locality.isLocal(bytes, ipAt, ipv6, mac)) {
      return { id: this.#ends.sender(mac, ip, ipv6, timeMs).id, ip }
    }
    // A device with an address that is in no prefix that is known: see `EndsResolver`.
    if (mac === 0 || locality.carriesRemotes(mac)) return undefined
    return { id: inventory.seen(mac, '', ipv6, timeMs).id, ip }
  }

  #readDhcp(bytes: Buffer, words: Uint16Array, at: number, timeMs: number): void {
    const start = at + NAME_HEAD_BYTES
    const message = bytes.subarray(start, start + bytes.readUInt32LE(at + NAME.PAYLOAD_BYTES))
    const client = readDhcpClient(message)
    if (client !== undefined) {
      this.#dhcpAsked(client, macKey(words, (at + NAME.SRC_MAC) >> 1), timeMs)
    } else if (words[(at + NAME.SRC_PORT) >> 1] === DHCP_SERVER_PORT) {
      this.#dhcpAnswered(readDhcpLease(message), timeMs)
    }
  }

  /** Only a device itself may name itself: the message's client must have sent the frame. */
  #dhcpAsked({ mac, transaction, name }: DhcpClient, frameMac: number, timeMs: number): void {
    if (mac === 0 || mac !== frameMac || isGroupMac(mac)) return
    const { inventory } = this.#parts
    const entry = inventory.seen(mac, '', false, timeMs)
    this.#dhcp.asked(mac, transaction, timeMs)
    if (name !== undefined) inventory.name(entry, name, 'dhcp')
  }

  #dhcpAnswered(lease: DhcpLease | undefined, timeMs: number): void {
    if (lease === undefined) return
    const { mac, transaction, ip } = lease
    const { inventory, locality } = this.#parts
    if (isGroupAddress(ip, 0, false) || locality.isBroadcast(ip, 0, false)) return
    if (!locality.inPrefixes(ip, 0, false)) return
    if (!this.#dhcp.answered(mac, transaction, timeMs)) return
    inventory.leased(mac, formatIp(ip, false), timeMs)
  }

  /** Whether a device says by ARP what it said before, and nobody else since: then it has been seen, and that is all. */
  #isClaimedAgain(bytes: Buffer, words: Uint16Array, at: number, timeMs: number): boolean {
    const mac = macKey(words, (at + NAME.SRC_MAC) >> 1)
    const length = bytes.readUInt32LE(at + NAME.PAYLOAD_BYTES)
    const ip = this.#claims.again(bytes, at + NAME_HEAD_BYTES, length, mac)
    if (ip === undefined) return false
    const { inventory } = this.#parts
    const entry = inventory.byMac(mac)
    if (entry === undefined || entry.shared || entry.lastIp !== ip || !entry.own.has(ip, mac))
      return false
    inventory.seen(mac, ip, false, timeMs)
    return true
  }

  #readNeighbour(bytes: Buffer, at: number, kind: 'arp' | 'ndp', timeMs: number): void {
    const start = at + NAME_HEAD_BYTES
    const payload = bytes.subarray(start, start + bytes.readUInt32LE(at + NAME.PAYLOAD_BYTES))
    const head = bytes.subarray(at, at + NAME_HEAD_BYTES)
    if (kind === 'ndp') this.#parts.onNdp?.(payload, head)
    const found = readNeighbour(kind, payload, head)
    if (found === undefined || isGroupAddress(found.ip, 0, found.ipv6)) return
    const { mac, ip, ipv6 } = found
    const { inventory, locality } = this.#parts
    // No such message comes through a router: a private address is of this link, whoever has it.
    if (!locality.isLocal(ip, 0, ipv6, mac) && !isPrivate(ip, 0, ipv6)) return
    const text = formatIp(ip, ipv6)
    if (!ipv6) this.#claims.note(mac, ip, text)
    inventory.claimed(mac, text, ipv6, timeMs)
  }
}
