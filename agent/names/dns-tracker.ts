// DNS messages → one entry a query, with the answer that the same flow brought, and the names that it taught the device.
import { DNS, DNS_ANSWER, NAME, NAME_HEAD_BYTES } from '../../native/layout.ts'
import type { Dns, DnsAnswer } from '../../protocol/messages.ts'
import { formatIp, formatMac } from '../address.ts'
import { rcodeName, typeName } from './dns-mnemonics.ts'
import type { NameCache } from './name-cache.ts'

/** A query without an answer for this long is told without one. */
const ANSWER_TIMEOUT_MS = 5000
/** Queries that wait for an answer; beyond, the oldest is told without one. */
const MAX_PENDING = 16384

/** A query that waits for its answer. */
interface Pending {
  id: number
  slot: number
  dns: Dns
  done: boolean
}

/** A device was told where a name is. */
export interface Answered {
  /** The name, then its aliases in order. */
  names: readonly string[]
  ips: readonly string[]
  /** The shortest of theirs. */
  ttlS: number
  /** Who asked: its id and its address. */
  deviceId: string
  client: string
  /** The address of who answered, and the MAC that sent the frame; absent where there is none. */
  resolver: string
  sender?: string
}

export type OnAnswer = (answer: Answered) => void

/** Pairs queries with answers. An answer counts only if its flow asked the same name and type under the same id. */
export class DnsTracker {
  /** By flow: most have one query, some (a resolver's, TCP) many. */
  readonly #bySlot = new Map<number, Pending[]>()
  /** In the order of time; those that are done stay until they come to the front. */
  #queue: Pending[] = []
  #first = 0
  #latestMs = 0
  readonly #names: NameCache
  readonly #onAnswer: OnAnswer | undefined
  #done: Dns[] = []

  constructor(names: NameCache, onAnswer?: OnAnswer) {
    this.#names = names
    this.#onAnswer = onAnswer
  }

  /** Takes the `dns` record at `offset`; `client` is the asking device's id and address, of an answer the address that it is for. */
  record(bytes: Buffer, offset: number, client: { id: string; ip: string }, timeMs: number): void {
    // A clock that was set back, or an older capture: no answer to what waits will come.
    if (timeMs < this.#latestMs - ANSWER_TIMEOUT_MS) this.#finishAll()
    this.#latestMs = timeMs
    const at = offset + NAME_HEAD_BYTES
    const slot = bytes.readUInt32LE(offset + NAME.SLOT)
    const id = bytes.readUInt16LE(at + DNS.ID)
    const nameAt = at + DNS.HEAD_BYTES
    const nameEnd = nameAt + bytes.readUInt16LE(at + DNS.NAME_BYTES)
    const query = bytes.toString('latin1', nameAt, nameEnd)
    const qtype = typeName(bytes.readUInt16LE(at + DNS.QTYPE))
    const pending = this.#find(slot, id, query, qtype)
    if (((bytes[at + DNS.FLAGS] as number) & 1) === 0) {
      // The same question again is a retransmission: the earlier one is told as it stands.
      if (pending !== undefined) this.#finish(pending)
      this.#ask(slot, id, client, query, qtype, timeMs)
      return
    }
    if (pending === undefined || pending.dns.client_ip !== client.ip) return
    const { dns } = pending
    dns.rcode = rcodeName(bytes[at + DNS.RCODE] as number)
    readAnswers(bytes, nameEnd, bytes.readUInt16LE(at + DNS.ANSWERS), dns)
    this.#finish(pending)
    this.#learn(dns, timeMs, bytes, offset)
  }

  #find(slot: number, id: number, query: string, qtype: string): Pending | undefined {
    const list = this.#bySlot.get(slot)
    if (list === undefined) return undefined
    for (const pending of list) {
      const { dns } = pending
      if (pending.id === id && dns.query === query && dns.qtype === qtype) return pending
    }
    return undefined
  }

  #ask(
    slot: number,
    id: number,
    client: { id: string; ip: string },
    query: string,
    qtype: string,
    timeMs: number,
  ): void {
    const dns: Dns = {
      type: 'dns',
      device_id: client.id,
      client_ip: client.ip,
      query,
      qtype,
      answers: [],
      time_ms: timeMs,
    }
    const pending: Pending = { id, slot, dns, done: false }
    this.#queue.push(pending)
    const list = this.#bySlot.get(slot)
    if (list === undefined) this.#bySlot.set(slot, [pending])
    else list.push(pending)
    while (this.#queue.length - this.#first > MAX_PENDING) this.#finishFirst()
  }

  #finish(pending: Pending): void {
    pending.done = true
    this.#done.push(pending.dns)
    const list = this.#bySlot.get(pending.slot)
    if (list === undefined || list.length === 1) this.#bySlot.delete(pending.slot)
    else list.splice(list.indexOf(pending), 1)
  }

  #finishFirst(): void {
    const pending = this.#queue[this.#first]
    this.#first++
    if (pending !== undefined && !pending.done) this.#finish(pending)
    if (this.#first < 4096) return
    this.#queue = this.#queue.slice(this.#first)
    this.#first = 0
  }

  #finishAll(): void {
    while (this.#first < this.#queue.length) this.#finishFirst()
  }

  /** Only addresses of the name that was asked, by way of its CNAMEs, teach a name. */
  #learn(dns: Dns, timeMs: number, bytes: Buffer, offset: number): void {
    if (dns.rcode !== 'NOERROR' || dns.query === '.') return
    const aliases = aliasesOf(dns)
    const ips: string[] = []
    let ttlS = Number.POSITIVE_INFINITY
    for (const { data, name, rtype, ttl_s } of dns.answers) {
      if (data === undefined || rtype === 'CNAME') continue
      if (name !== dns.query && aliases?.has(name) !== true) continue
      this.#names.add(dns.device_id, data, dns.query, timeMs)
      ips.push(data)
      ttlS = Math.min(ttlS, ttl_s)
    }
    if (ips.length === 0 || this.#onAnswer === undefined) return
    const names = [dns.query, ...(aliases ?? [])]
    const { device_id: deviceId, client_ip: client } = dns
    this.#onAnswer({ names, ips, ttlS, deviceId, client, ...answererOf(bytes, offset) })
  }

  /** What is complete by now; with Infinity everything. */
  take(nowMs: number): Dns[] {
    while (this.#first < this.#queue.length) {
      const pending = this.#queue[this.#first] as Pending
      if (!pending.done && nowMs - pending.dns.time_ms < ANSWER_TIMEOUT_MS) break
      this.#finishFirst()
    }
    const done = this.#done
    this.#done = []
    return done
  }
}

/** The names that the asked one leads to by CNAMEs, the nearest first; a message has its records in any order. */
function aliasesOf({ query, answers }: Dns): Set<string> | undefined {
  let aliases: Set<string> | undefined
  for (let before = -1; before !== (aliases?.size ?? 0); ) {
    before = aliases?.size ?? 0
    for (const { data, name, rtype } of answers) {
      if (rtype !== 'CNAME' || data === undefined || data === query) continue
      if (name !== query && aliases?.has(name) !== true) continue
      aliases ??= new Set()
      aliases.add(data)
    }
  }
  return aliases
}

/** Who sent the record at `offset`. */
function answererOf(bytes: Buffer, offset: number): { resolver: string; sender?: string } {
  const ipv6 = bytes[offset + NAME.IPV6] === 1
  const ipAt = offset + NAME.SRC_IP
  const resolver = formatIp(bytes.subarray(ipAt, ipAt + (ipv6 ? 16 : 4)), ipv6)
  const mac = bytes.readUIntLE(offset + NAME.SRC_MAC, 6)
  return mac === 0 ? { resolver } : { resolver, sender: formatMac(mac) }
}

function readAnswers(bytes: Buffer, start: number, count: number, dns: Dns): void {
  let at = start
  for (let i = 0; i < count; i++) {
    const nameBytes = bytes.readUInt16LE(at + DNS_ANSWER.NAME_BYTES)
    const dataBytes = bytes.readUInt16LE(at + DNS_ANSWER.DATA_BYTES)
    const answer: DnsAnswer = {
      name: dns.query,
      rtype: typeName(bytes.readUInt16LE(at + DNS_ANSWER.RTYPE)),
      ttl_s: bytes.readUInt32LE(at + DNS_ANSWER.TTL_S),
    }
    at += DNS_ANSWER.HEAD_BYTES
    if (nameBytes !== 0xffff) {
      answer.name = bytes.toString('latin1', at, at + nameBytes)
      at += nameBytes
    }
    if (dataBytes > 0) answer.data = bytes.toString('latin1', at, at + dataBytes)
    at += dataBytes
    dns.answers.push(answer)
  }
}
