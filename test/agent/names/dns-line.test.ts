import assert from 'node:assert/strict'
import { dnsLine } from '../../../agent/names/dns-line.ts'
import type { Dns } from '../../../protocol/messages.ts'

describe('a DNS query as a line', () => {
  const plain: Dns = {
    type: 'dns',
    device_id: '020de0000001',
    client_ip: '192.0.2.11',
    query: 'api.example.com',
    qtype: 'A',
    answers: [],
    time_ms: 1_790_000_000_123,
  }
  const cases: [what: string, dns: Dns][] = [
    ['without an answer', plain],
    ['refused', { ...plain, rcode: 'REFUSED' }],
    [
      'with a chain and an undecoded record',
      {
        ...plain,
        rcode: 'NOERROR',
        answers: [
          { name: 'api.example.com', rtype: 'CNAME', ttl_s: 60, data: 'edge.example.net' },
          { name: 'edge.example.net', rtype: 'AAAA', ttl_s: 0, data: '2001:db8::1' },
          { name: 'edge.example.net', rtype: 'TXT', ttl_s: 4_294_967_295 },
        ],
      },
    ],
    [
      'with names that need escapes',
      {
        ...plain,
        query: 'a\\255b"c\\.d.example',
        rcode: 'NOERROR',
        answers: [{ name: 'a\\255b"c\\.d.example', rtype: 'CNAME', ttl_s: 1, data: '"\\\\' }],
      },
    ],
  ]
  for (const [what, dns] of cases) {
    it(`${what} says what JSON.stringify says`, () => {
      assert.deepEqual(JSON.parse(dnsLine(dns)), JSON.parse(JSON.stringify(dns)))
    })
  }
})
