// What messages with names teach about devices: who asks, who is answered, who is given which address.
import assert from 'node:assert/strict'
import { parseMac } from '../../agent/address.ts'
import { address, mac } from '../../agent/demo/frames.ts'
import { DHCP, dhcpMessage } from '../../agent/demo/plain-messages.ts'
import { Inventory } from '../../agent/inventory/inventory.ts'
import type { Prefix } from '../../agent/inventory/locality.ts'
import { addressBytes, Locality, parsePrefix } from '../../agent/inventory/locality.ts'
import { NameCache } from '../../agent/names/name-cache.ts'
import { Pipeline } from '../../agent/pipeline.ts'
import type { Batch } from '../../native/index.ts'
import type { Dns } from '../../protocol/messages.ts'
import { A, A_ID, B, B_ID, ROUTER } from './flows/flow-bench.ts'
import type { HeadOf } from './names/name-records.ts'
import { dnsPayload, nameRecord, nameRecords, TYPE } from './names/name-records.ts'

class Bench {
  readonly inventory = new Inventory({ vendorOf: () => undefined })
  readonly locality = new Locality()
  readonly names = new NameCache()
  readonly #pipeline: Pipeline

  constructor() {
    this.locality.setPrefixes(
      ['192.0.2.0/24', '2001:db8:1::/64'].map((text) => parsePrefix(text) as Prefix),
    )
    this.#pipeline = new Pipeline({
      run: 'r',
      locality: this.locality,
      inventory: this.inventory,
      names: this.names,
      differences: false,
    })
  }

  take(...records: readonly Buffer[]): Dns[] {
    const found: Dns[] = []
    const batch = {
      names: nameRecords(...records),
      flows: new ArrayBuffer(0),
      flowCount: 0,
      timeMs: 1e9,
      ended: false,
    } as unknown as Batch
    this.#pipeline.take(batch, { flow: () => {}, dns: (dns) => found.push(dns) })
    return found
  }

  ipsOf(id: string): string[] | undefined {
    const entry = this.inventory.get(id)
    return entry && [...entry.ips.keys()]
  }
}

const CLIENT = { ip: '192.0.2.10', mac: A }
const RESOLVER = { ip: '192.0.2.53', mac: B }
const NAME = { name: 'www.example.com' }
const ANSWER = { ...NAME, answers: [{ type: TYPE.A, data: '203.0.113.9' }] }

function question(src: HeadOf['src'], dst: HeadOf['dst']): Buffer {
  return nameRecord({ kind: 'dns', slot: 9, src, dst }, dnsPayload(NAME))
}

function answer(src: HeadOf['src'], dst: HeadOf['dst']): Buffer {
  return nameRecord({ kind: 'dns', slot: 9, src, dst, fromOrig: false }, dnsPayload(ANSWER))
}

describe('DNS of devices', () => {
  it('teaches no address by answers, whichever MAC they are sent to', () => {
    const bench = new Bench()
    const [dns] = bench.take(
      question(CLIENT, RESOLVER),
      // Answers to devices behind a router go to the router's MAC.
      answer(RESOLVER, { ...CLIENT, mac: ROUTER }),
      answer(RESOLVER, { ip: '192.0.2.77', mac: ROUTER }),
    )
    assert.deepEqual([dns?.device_id, dns?.rcode], [A_ID, 'NOERROR'])
    assert.equal(bench.names.at(A_ID, '203.0.113.9', 1e9), 'www.example.com')
    assert.deepEqual(
      [...bench.inventory.all()].map(({ id }) => id),
      [A_ID],
    )
    assert.equal(bench.inventory.byAddress('192.0.2.10')?.id, A_ID)
    assert.equal(bench.inventory.byAddress('192.0.2.77'), undefined)
  })

  it('is of the device that asks also when its question comes by way of a router', () => {
    const bench = new Bench()
    bench.locality.addRouter(parseMac(ROUTER) as number)
    bench.inventory.seen(parseMac(A) as number, CLIENT.ip, false, 1000)
    const [dns] = bench.take(
      question({ ...CLIENT, mac: ROUTER }, RESOLVER),
      answer(RESOLVER, { ...CLIENT, mac: ROUTER }),
    )
    assert.equal(dns?.device_id, A_ID)
    assert.equal(bench.inventory.byAddress(CLIENT.ip)?.id, A_ID)
  })

  it('is of the MAC where the address is in no known network', () => {
    const bench = new Bench()
    const client = { ip: '2001:db8:2::a', mac: A }
    const resolver = { ip: '2001:db8:2::53', mac: B }
    const [dns] = bench.take(question(client, resolver), answer(resolver, client))
    assert.deepEqual([dns?.device_id, dns?.rcode], [A_ID, 'NOERROR'])
    assert.deepEqual(bench.ipsOf(A_ID), [])
  })
})

interface DhcpOf {
  kind: number
  /** Client's. */
  client?: string
  from?: string
  transaction?: number
  lease?: string
  port?: number
  timeMs?: number
}

function dhcp(of: DhcpOf): Buffer {
  const { kind, client = A, transaction = 7, lease, timeMs = 1000 } = of
  const isReply = kind === DHCP.OFFER || kind === DHCP.ACK
  const payload = dhcpMessage({
    kind,
    transaction,
    mac: mac(client),
    ...(lease === undefined ? {} : { lease: address(lease) }),
    ...(isReply ? { server: address('192.0.2.1') } : {}),
  })
  const port = of.port ?? (isReply ? 67 : 68)
  const src = {
    ip: isReply ? '192.0.2.1' : '0.0.0.0',
    mac: of.from ?? (isReply ? ROUTER : A),
    port,
  }
  const dst = { ip: '255.255.255.255', mac: 'ff:ff:ff:ff:ff:ff', port: 135 - port }
  return nameRecord({ kind: 'dhcp4', timeMs, src, dst }, payload)
}

describe('DHCP', () => {
  const REQUEST = dhcp({ kind: DHCP.REQUEST })
  const LEASE: DhcpOf = { kind: DHCP.ACK, lease: '192.0.2.10' }

  it('tells the address that a device was given before it uses it', () => {
    const bench = new Bench()
    bench.take(REQUEST, dhcp(LEASE))
    assert.deepEqual(bench.ipsOf(A_ID), ['192.0.2.10'])
    assert.equal(bench.inventory.byAddress('192.0.2.10')?.id, A_ID)
    assert.equal(bench.inventory.get(A_ID)?.name, '192.0.2.10')
  })

  const refused: [what: string, answer: Partial<DhcpOf>][] = [
    ['an offer', { kind: DHCP.OFFER }],
    ['an answer to another transaction', { transaction: 8 }],
    ['an answer to another client', { client: B }],
    ['an answer of a client', { port: 68 }],
    ['an answer after a long time', { timeMs: 60_000 }],
    ['an address outside the home', { lease: '203.0.113.9' }],
    ['a private address outside the home', { lease: '10.0.0.1' }],
    ['the broadcast address', { lease: '192.0.2.255' }],
    ['a group', { lease: '224.0.0.1' }],
    ['no address', { lease: '0.0.0.0' }],
  ]
  for (const [what, change] of refused) {
    it(`is not believed: ${what}`, () => {
      const bench = new Bench()
      const owner = bench.inventory.seen(parseMac(B) as number, '192.0.2.10', false, 500)
      bench.take(REQUEST, dhcp({ ...LEASE, ...change }))
      assert.deepEqual(bench.ipsOf(A_ID), [])
      assert.deepEqual(bench.ipsOf(B_ID), ['192.0.2.10'])
      assert.equal(bench.inventory.byAddress('192.0.2.10'), owner)
    })
  }

  it('is not believed without a question, or a second time', () => {
    const bench = new Bench()
    bench.take(dhcp(LEASE), dhcp({ kind: DHCP.REQUEST, from: B }), dhcp(LEASE))
    assert.equal(bench.inventory.size, 0, 'nobody asks for another')
    bench.take(REQUEST, dhcp(LEASE), dhcp({ ...LEASE, lease: '192.0.2.66' }))
    assert.deepEqual(bench.ipsOf(A_ID), ['192.0.2.10'])
  })

  it('of made-up clients is bounded', () => {
    const bench = new Bench()
    for (let i = 0; i < 5000; i++) {
      const client = `02:00:00:01:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`
      bench.take(dhcp({ kind: DHCP.REQUEST, client, from: client }))
    }
    bench.take(dhcp({ ...LEASE, client: '02:00:00:01:00:00' }))
    assert.deepEqual(bench.ipsOf('020000010000'), [], 'the first was forgotten for later ones')
  })
})

describe('ARP of devices', () => {
  const IP = '192.0.2.30'

  function claim(from: string, ip: string, timeMs: number): Buffer {
    const message = Buffer.alloc(28)
    message.writeUInt32BE(0x00010800, 0)
    message.writeUInt16BE(0x0604, 4)
    message.set(mac(from), 8)
    message.set(addressBytes(ip), 14)
    const head = { kind: 'arp', src: { ip: '0.0.0.0', mac: from }, dst: { ip: '0.0.0.0' } } as const
    return nameRecord({ ...head, timeMs }, message)
  }

  it('says again what it said, and takes an address back from whoever took it', () => {
    const bench = new Bench()
    const owner = (): string | undefined => bench.inventory.byAddress(IP)?.id
    for (let i = 1; i <= 3; i++) bench.take(claim(A, IP, i * 1000))
    assert.equal(owner(), A_ID)
    assert.equal(bench.inventory.get(A_ID)?.lastSeenMs, 3000)
    bench.take(claim(B, IP, 4000))
    assert.equal(owner(), B_ID)
    bench.take(claim(A, IP, 5000))
    assert.equal(owner(), A_ID)
    bench.take(claim(B, IP, 6000), claim(B, IP, 6000))
    assert.equal(owner(), B_ID)
    assert.deepEqual(bench.ipsOf(A_ID), [IP])
  })

  it('that goes from one address to another and back has both, the last one last', () => {
    const bench = new Bench()
    bench.take(claim(A, IP, 1000), claim(A, '192.0.2.31', 2000), claim(A, IP, 3000))
    assert.deepEqual(bench.ipsOf(A_ID), ['192.0.2.31', IP])
  })
})
