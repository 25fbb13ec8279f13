import assert from 'node:assert/strict'
import { rcodeName, typeName } from '../../../agent/names/dns-mnemonics.ts'
import type { Answered } from '../../../agent/names/dns-tracker.ts'
import { DnsTracker } from '../../../agent/names/dns-tracker.ts'
import { NameCache } from '../../../agent/names/name-cache.ts'
import type { Dns } from '../../../protocol/messages.ts'
import type { DnsOf } from './name-records.ts'
import { dnsPayload, nameRecord, TYPE } from './name-records.ts'

const CLIENT = { id: 'a', ip: '192.0.2.10' }
const OTHER = { id: 'b', ip: '192.0.2.20' }

interface MessageOf extends DnsOf {
  slot?: number
  at?: number
  client?: { id: string; ip: string }
}

class Bench {
  readonly names = new NameCache()
  readonly told: Answered[] = []
  readonly tracker = new DnsTracker(this.names, (answer) => this.told.push(answer))

  hear(...messages: readonly MessageOf[]): this {
    for (const { slot = 3, at = 1000, client = CLIENT, ...dns } of messages) {
      const isQuery = dns.answers === undefined
      const client_ = { ip: client.ip }
      const server = { ip: '192.0.2.1', mac: '02:0d:e0:ff:00:01' }
      const head = {
        kind: 'dns' as const,
        slot,
        timeMs: at,
        fromOrig: isQuery,
        src: isQuery ? client_ : server,
        dst: isQuery ? server : client_,
      }
      // The record does not begin at 0, as most do not.
      const bytes = Buffer.concat([Buffer.alloc(16), nameRecord(head, dnsPayload(dns))])
      this.tracker.record(bytes, 16, client, at)
    }
    return this
  }

  nameOf(ip: string, client = CLIENT): string | undefined {
    return this.names.at(client.id, ip, 1e12)
  }

  take(nowMs = Number.POSITIVE_INFINITY): Dns[] {
    return this.tracker.take(nowMs)
  }
}

const QUERY: MessageOf = { name: 'www.example.com' }
const ADDRESS = { type: TYPE.A, data: '203.0.113.5' }
const ANSWER: MessageOf = { ...QUERY, answers: [ADDRESS] }

describe('DNS queries with their answers', () => {
  it('do not wait for an answer when the clock is set back', () => {
    const bench = new Bench()
    bench.hear({ ...QUERY, at: 900_000 }, { ...QUERY, at: 1000 }, { ...ANSWER, at: 1020 })
    const times = bench.take(1020).map(({ time_ms, rcode }) => [time_ms, rcode])
    assert.deepEqual(times, [
      [900_000, undefined],
      [1000, 'NOERROR'],
    ])
  })

  it('are one entry, at the time of the query, and teach the device the name', () => {
    const bench = new Bench()
    bench.hear({ ...QUERY, at: 1000 }, { ...ANSWER, at: 1020 })
    assert.deepEqual(bench.take(1020), [
      {
        type: 'dns',
        device_id: 'a',
        client_ip: '192.0.2.10',
        query: 'www.example.com',
        qtype: 'A',
        rcode: 'NOERROR',
        answers: [{ name: 'www.example.com', rtype: 'A', data: '203.0.113.5', ttl_s: 60 }],
        time_ms: 1000,
      },
    ])
    assert.equal(bench.names.at('a', '203.0.113.5', 1020), 'www.example.com')
    assert.equal(bench.names.at('a', '203.0.113.5', 1019), undefined, 'not before it was answered')
    assert.equal(bench.nameOf('203.0.113.5', OTHER), undefined)
    assert.deepEqual(bench.take(), [])
    assert.deepEqual(bench.told, [
      {
        names: ['www.example.com'],
        ips: ['203.0.113.5'],
        ttlS: 60,
        deviceId: 'a',
        client: '192.0.2.10',
        resolver: '192.0.2.1',
        sender: '02:0d:e0:ff:00:01',
      },
    ])
  })

  const offPath: [what: string, answer: Partial<MessageOf>][] = [
    ['of another flow', { slot: 4 }],
    ['with another id', { id: 2 }],
    ['to another name', { name: 'www.example.org' }],
    ['to another type', { type: TYPE.AAAA }],
    ['to another device', { client: OTHER }],
    ['to another address of the device', { client: { id: 'a', ip: '192.0.2.11' } }],
  ]
  for (const [what, change] of offPath) {
    it(`an answer ${what} is ignored, and the true one still counts`, () => {
      const bench = new Bench()
      bench.hear(QUERY, {
        ...ANSWER,
        ...change,
        answers: [{ type: TYPE.A, data: '198.51.100.66' }],
      })
      assert.equal(bench.nameOf('198.51.100.66'), undefined)
      assert.deepEqual(bench.take(1000), [])
      bench.hear(ANSWER)
      assert.equal(bench.nameOf('203.0.113.5'), 'www.example.com')
      assert.equal(bench.take().length, 1)
    })
  }

  it('an answer without a query, and a second one, are ignored', () => {
    const bench = new Bench()
    bench.hear(ANSWER)
    assert.equal(bench.nameOf('203.0.113.5'), undefined)
    bench.hear(QUERY, ANSWER, { ...QUERY, answers: [{ type: TYPE.A, data: '198.51.100.66' }] })
    assert.equal(bench.nameOf('198.51.100.66'), undefined)
    assert.equal(bench.take().length, 1)
  })

  it('of several in one flow are told apart by id', () => {
    const bench = new Bench()
    const ids = [7, 65535, 0]
    bench.hear(...ids.map((id) => ({ id, name: `n${id}.example` })))
    for (const id of [0, 7, 65535]) {
      bench.hear({
        id,
        name: `n${id}.example`,
        answers: [{ type: TYPE.A, data: `203.0.113.${id % 250}` }],
      })
    }
    assert.deepEqual(
      bench.take().map(({ query, answers }) => [query, answers[0]?.data]),
      [
        ['n0.example', '203.0.113.0'],
        ['n7.example', '203.0.113.7'],
        ['n65535.example', '203.0.113.35'],
      ],
    )
  })

  it('A and AAAA of one name with one id in one flow are both answered', () => {
    const bench = new Bench()
    bench.hear(QUERY, { ...QUERY, type: TYPE.AAAA }, ANSWER, {
      ...QUERY,
      type: TYPE.AAAA,
      answers: [{ type: TYPE.AAAA, data: '2001:db8:f::5' }],
    })
    assert.deepEqual(
      bench.take().map(({ qtype, rcode }) => [qtype, rcode]),
      [
        ['A', 'NOERROR'],
        ['AAAA', 'NOERROR'],
      ],
    )
    assert.equal(bench.nameOf('203.0.113.5'), 'www.example.com')
    assert.equal(bench.nameOf('2001:db8:f::5'), 'www.example.com')
  })

  it('retransmitted are counted once each, and the answer goes to the last', () => {
    const bench = new Bench()
    bench.hear(
      { ...QUERY, at: 1000 },
      { ...QUERY, at: 2000 },
      { ...QUERY, at: 3000 },
      { ...ANSWER, at: 3010 },
    )
    assert.deepEqual(
      bench.take().map(({ time_ms, rcode }) => [time_ms, rcode]),
      [
        [1000, undefined],
        [2000, undefined],
        [3000, 'NOERROR'],
      ],
    )
    assert.equal(bench.nameOf('203.0.113.5'), 'www.example.com')
  })

  it('are told without an answer after five seconds, or at the end', () => {
    const bench = new Bench()
    bench.hear({ ...QUERY, id: 1, at: 1000 }, { ...QUERY, id: 2, at: 3000 })
    assert.deepEqual(bench.take(5999), [])
    const [late, ...more] = bench.take(6000)
    assert.deepEqual([late?.time_ms, late?.answers, more], [1000, [], []])
    assert.equal('rcode' in (late as Dns), false)
    bench.hear({ ...ANSWER, id: 1, at: 6100 })
    assert.equal(bench.nameOf('203.0.113.5'), undefined, 'too late to be trusted')
    assert.deepEqual(
      bench.take().map(({ time_ms }) => time_ms),
      [3000],
    )
    assert.deepEqual(bench.take(), [])
  })

  it('that wait are bounded: the oldest is told without an answer', () => {
    const bench = new Bench()
    for (let slot = 0; slot < 20_000; slot++) bench.hear({ ...QUERY, slot, at: 1000 + slot / 100 })
    assert.equal(bench.take(1200).length, 20_000 - 16_384)
    assert.equal(bench.take().length, 16_384)
  })

  it('without a flow are paired, too', () => {
    const bench = new Bench()
    bench.hear({ ...QUERY, slot: 0xffffffff }, { ...ANSWER, slot: 0xffffffff })
    assert.equal(bench.nameOf('203.0.113.5'), 'www.example.com')
  })
})

describe('what a DNS answer teaches', () => {
  const cases: [what: string, answer: Partial<DnsOf>, names: Record<string, string | undefined>][] =
    [
      [
        'the asked name for every address at the end of a CNAME chain',
        {
          answers: [
            { type: TYPE.CNAME, data: 'cdn.example.net' },
            { name: 'cdn.example.net', type: TYPE.CNAME, data: 'edge.example.net' },
            { name: 'edge.example.net', type: TYPE.A, data: '203.0.113.7' },
            { name: 'edge.example.net', type: TYPE.A, data: '203.0.113.8' },
          ],
        },
        {
          '203.0.113.7': 'www.example.com',
          '203.0.113.8': 'www.example.com',
          'cdn.example.net': undefined,
        },
      ],
      [
        'the asked name also where CNAMEs come after the address, the last one first',
        {
          answers: [
            { name: 'edge.example.net', type: TYPE.A, data: '203.0.113.7' },
            { name: 'cdn.example.net', type: TYPE.CNAME, data: 'edge.example.net' },
            { type: TYPE.CNAME, data: 'cdn.example.net' },
          ],
        },
        { '203.0.113.7': 'www.example.com', 'edge.example.net': undefined },
      ],
      [
        'nothing by records of names that were not asked for',
        {
          answers: [
            { name: 'bank.example', type: TYPE.A, data: '198.51.100.66' },
            { type: TYPE.A, data: '203.0.113.7' },
            { name: 'other.example', type: TYPE.CNAME, data: 'more.example' },
            { name: 'more.example', type: TYPE.A, data: '198.51.100.67' },
          ],
        },
        {
          '203.0.113.7': 'www.example.com',
          '198.51.100.66': undefined,
          '198.51.100.67': undefined,
        },
      ],
      [
        'an end to CNAMEs that go in a circle',
        {
          answers: [
            { type: TYPE.CNAME, data: 'b.example' },
            { name: 'b.example', type: TYPE.CNAME, data: 'www.example.com' },
            { name: 'b.example', type: TYPE.A, data: '203.0.113.7' },
          ],
        },
        { '203.0.113.7': 'www.example.com', 'b.example': undefined },
      ],
      ['nothing by NXDOMAIN', { rcode: 3, answers: [ADDRESS] }, { '203.0.113.5': undefined }],
      ['nothing by SERVFAIL', { rcode: 2, answers: [ADDRESS] }, { '203.0.113.5': undefined }],
      ['nothing by an answer without data', { answers: [{ type: TYPE.TXT }] }, { '': undefined }],
      [
        'an address to a query of another type (ANY, HTTPS)',
        {
          type: TYPE.HTTPS,
          answers: [{ type: TYPE.HTTPS }, { type: TYPE.A, data: '203.0.113.9' }],
        },
        { '203.0.113.9': 'www.example.com' },
      ],
      ['nothing of the root', { name: '.', answers: [ADDRESS] }, { '203.0.113.5': undefined }],
    ]
  for (const [what, change, names] of cases) {
    it(what, () => {
      const bench = new Bench()
      const { answers, rcode, ...query } = change
      bench.hear({ ...QUERY, ...query }, { ...ANSWER, ...change })
      for (const [ip, name] of Object.entries(names)) assert.equal(bench.nameOf(ip), name, ip)
      assert.equal(bench.take()[0]?.answers.length, answers?.length)
    })
  }

  it('is told with the name, its aliases in order, and each address, in any order of records', () => {
    const chain = [
      { type: TYPE.CNAME, data: 'b.example', ttl: 900 },
      { name: 'b.example', type: TYPE.CNAME, data: 'c.example', ttl: 900 },
      { name: 'c.example', type: TYPE.CNAME, data: 'www.example.com' },
      { name: 'c.example', type: TYPE.A, data: '203.0.113.7', ttl: 60 },
      { name: 'other.example', type: TYPE.A, data: '203.0.113.66', ttl: 1 },
    ]
    for (const answers of [chain, chain.toReversed()]) {
      const told: unknown[] = []
      const tracker = new DnsTracker(new NameCache(), (...said) => told.push(said))
      const [device, server] = [{ ip: CLIENT.ip }, { ip: '192.0.2.1' }]
      for (const dns of [QUERY, { ...QUERY, answers }]) {
        const asks = dns === QUERY
        const ends = asks ? { src: device, dst: server } : { src: server, dst: device }
        const head = { kind: 'dns' as const, slot: 3, fromOrig: asks, ...ends }
        tracker.record(nameRecord(head, dnsPayload(dns)), 0, CLIENT, 1)
      }
      const names = ['www.example.com', 'b.example', 'c.example']
      const who = { deviceId: CLIENT.id, client: CLIENT.ip, resolver: server.ip }
      assert.deepEqual(told, [[{ names, ips: ['203.0.113.7'], ttlS: 60, ...who }]])
    }
  })

  it('keeps owners, types and TTLs of all records', () => {
    const bench = new Bench()
    const answers = [
      { type: TYPE.CNAME, data: 'cdn.example.net', ttl: 0 },
      { name: 'cdn.example.net', type: TYPE.AAAA, data: '2001:db8:f::1', ttl: 4294967295 },
      { name: 'cdn.example.net', type: 4711, ttl: 30 },
    ]
    bench.hear({ ...QUERY, tcp: true }, { ...QUERY, tcp: true, answers })
    assert.deepEqual(bench.take()[0]?.answers, [
      { name: 'www.example.com', rtype: 'CNAME', data: 'cdn.example.net', ttl_s: 0 },
      { name: 'cdn.example.net', rtype: 'AAAA', data: '2001:db8:f::1', ttl_s: 4294967295 },
      { name: 'cdn.example.net', rtype: 'TYPE4711', ttl_s: 30 },
    ])
  })
})

describe('mnemonics', () => {
  it('have RFC 3597 names where there is none', () => {
    assert.deepEqual([1, 28, 65, 255, 0, 65535].map(typeName), [
      'A',
      'AAAA',
      'HTTPS',
      'ANY',
      'TYPE0',
      'TYPE65535',
    ])
    assert.deepEqual([0, 3, 10, 11, 15].map(rcodeName), [
      'NOERROR',
      'NXDOMAIN',
      'NOTZONE',
      'RCODE11',
      'RCODE15',
    ])
  })
})
