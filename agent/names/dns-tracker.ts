// DNS messages → one entry a query, with the answer that the same flow brought, and the names that it taught the device.
import { DNS, DNS_ANSWER, NAME, NAME_HEAD_BYTES } from '../../native/layout.ts'
import type { Dns, DnsAnswer } from '../../protocol/messages.ts'
import { rcodeName, typeName } from './dns-mnemonics.ts'
import type { NameCache } from './name-cache.ts'

/** A query without an answer for this long is told without one. */
const ANSWER_TIMEOUT_MS = 5000
/** Queries that wait for an answer; beyond, the oldest is told without one. */
const MAX_PENDING = 16384

/** Pairs queries with answers. An answer counts only if its flow asked the same name and type under the same id. */
export class DnsTracker {
  readonly #pending = new Map<number, Dns>()
  readonly #names: NameCache
  #done: Dns[] = []

  constructor(names: NameCache) {
    this.#names = names
  }

  /** Takes the `dns` record at `offset`; `client` is the asking device's id and address. */
  record(bytes: Buffer, offset: number, client: { id: string; ip: string }, timeMs: number): void {
    const at = offset + NAME_HEAD_BYTES
    const flags = bytes[at + DNS.FLAGS] as number
    const slot = bytes.readUInt32LE(offset + NAME.SLOT)
    const id = bytes.readUInt16LE(at + DNS.ID)
    const key = slot * 65536 + id
    const nameBytes = bytes.readUInt16LE(at + DNS.NAME_BYTES)
    const nameAt = at + DNS.HEAD_BYTES
    const query = bytes.toString('latin1', nameAt, nameAt + nameBytes)
    const qtype = typeName(bytes.readUInt16LE(at + DNS.QTYPE))
    if ((flags & 1) === 0) this.#ask(key, client, query, qtype, timeMs)
    else {
      const asked = this.#pending.get(key)
      if (asked === undefined || asked.query !== query || asked.qtype !== qtype) return
      asked.rcode = rcodeName(bytes[at + DNS.RCODE] as number)
      readAnswers(bytes, nameAt + nameBytes, bytes.readUInt16LE(at + DNS.ANSWERS), asked)
      this.#pending.delete(key)
      this.#done.push(asked)
      this.#learn(asked, timeMs)
    }
  }

  #ask(
    key: number,
    client: { id: string; ip: string },
    query: string,
    qtype: string,
    timeMs: number,
  ): void {
    const before = this.#pending.get(key)
    if (before !== undefined) {
      // The same id again is a retransmission or a new question: the earlier one is told as it stands.
      this.#done.push(before)
      this.#pending.delete(key)
    } else if (this.#pending.size >= MAX_PENDING) this.#giveUpOldest()
    this.#pending.set(key, {
      type: 'dns',
      device_id: client.id,
      client_ip: client.ip,
      query,
      qtype,
      answers: [],
      time_ms: timeMs,
    })
  }

  #giveUpOldest(): void {
    const [key, dns] = this.#pending.entries().next().value as [number, Dns]
    this.#pending.delete(key)
    this.#done.push(dns)
  }

  /** Only addresses of the name that was asked, by way of its CNAMEs, teach a name. */
  #learn(dns: Dns, timeMs: number): void {
    if (dns.rcode !== 'NOERROR' || dns.query === '.') return
    const chain = new Set([dns.query])
    for (const answer of dns.answers) {
      if (answer.data === undefined || !chain.has(answer.name)) continue
      if (answer.rtype === 'CNAME') chain.add(answer.data)
      else this.#names.add(dns.device_id, answer.data, dns.query, timeMs)
    }
  }

  /** What is complete by now; with Infinity everything. */
  take(nowMs: number): Dns[] {
    for (const [key, dns] of this.#pending) {
      if (nowMs - dns.time_ms < ANSWER_TIMEOUT_MS) break
      this.#pending.delete(key)
      this.#done.push(dns)
    }
    const done = this.#done
    this.#done = []
    return done
  }
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
