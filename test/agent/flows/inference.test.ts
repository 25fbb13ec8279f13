import assert from 'node:assert/strict'
import { formatIp, parseMac } from '../../../agent/address.ts'
import { LocalityInference } from '../../../agent/flows/inference.ts'
import { addressBytes, Locality } from '../../../agent/inventory/locality.ts'
import { A, B, ROUTER } from './flow-bench.ts'
import type { EndOf } from './flow-records.ts'
import { flowRecords } from './flow-records.ts'

type Talk = [orig: [ip: string, mac?: string], resp: [ip: string, mac?: string]]

function infer(...talks: Talk[]): Locality {
  const locality = new Locality()
  const inference = new LocalityInference()
  const end = ([ip, mac]: [string, string?]): EndOf => (mac === undefined ? { ip } : { ip, mac })
  const records = talks.map(([orig, resp]) => ({ orig: end(orig), resp: end(resp) }))
  inference.look(flowRecords(...records), records.length)
  inference.conclude(locality)
  return locality
}

function routers(locality: Locality): string[] {
  return [A, B, ROUTER].filter((mac) => locality.isRouter(parseMac(mac) as number))
}

function prefixes(locality: Locality): string[] {
  return locality.prefixes.map((p) => `${formatIp(p.bytes, p.ipv6)}/${p.length}`)
}

function local(locality: Locality, ip: string, mac: string): boolean {
  return locality.isLocal(addressBytes(ip), 0, ip.includes(':'), parseMac(mac) as number)
}

describe('a capture of which nothing is known', () => {
  it('shows a router by the networks that it carries', () => {
    const found = infer(
      [
        ['192.0.2.10', A],
        ['203.0.113.9', ROUTER],
      ],
      [
        ['192.0.2.10', A],
        ['198.51.100.7', ROUTER],
      ],
      [
        ['2001:db8:1::a', A],
        ['2001:db8:f::1', ROUTER],
      ],
    )
    assert.deepEqual(routers(found), [ROUTER])
    assert.deepEqual(prefixes(found), ['192.0.2.0/24', '2001:db8:1::/64'])
    assert.equal(local(found, '203.0.113.9', ROUTER), false)
    assert.equal(local(found, '192.0.2.1', ROUTER), true, 'its own address')
    assert.equal(local(found, '192.0.2.200', B), true)
  })

  it('shows a router with one remote alone where devices have private addresses', () => {
    const found = infer([
      ['192.168.7.10', A],
      ['203.0.113.9', ROUTER],
    ])
    assert.deepEqual(routers(found), [ROUTER])
    assert.deepEqual(prefixes(found), ['192.168.7.0/24'])
    assert.equal(local(found, '203.0.113.9', ROUTER), false)
  })

  it('shows a router that talks itself, too', () => {
    const found = infer(
      [
        ['192.168.7.10', A],
        ['203.0.113.9', ROUTER],
      ],
      [
        ['192.168.7.10', A],
        ['192.168.7.1', ROUTER],
      ],
    )
    assert.deepEqual(routers(found), [ROUTER])
    assert.deepEqual(prefixes(found), ['192.168.7.0/24'])
  })

  it('shows a router by several networks of IPv6, but a device may have three', () => {
    const talks = (n: number): Talk[] =>
      Array.from(
        { length: n },
        (_, i): Talk => [
          ['fe80::a', B],
          [`2001:db8:${i}::1`, A],
        ],
      )
    assert.deepEqual(routers(infer(...talks(3))), [])
    assert.deepEqual(routers(infer(...talks(4))), [A])
  })

  it('without a router is all home', () => {
    const found = infer(
      [
        ['192.168.7.10', A],
        ['192.168.7.20', B],
      ],
      [
        ['fe80::a', A],
        ['fe80::b', B],
      ],
    )
    assert.deepEqual(routers(found), [])
    assert.deepEqual(prefixes(found), ['192.168.7.0/24'])
    assert.equal(local(found, '203.0.113.9', A), true, 'whatever a device says is its own')
  })

  it('takes no heed of groups, link-local addresses, and ends without an address or a MAC', () => {
    const found = infer(
      [
        ['0.0.0.0', A],
        ['255.255.255.255', 'ff:ff:ff:ff:ff:ff'],
      ],
      [
        ['169.254.3.4', A],
        ['224.0.0.251', '01:00:5e:00:00:fb'],
      ],
      [
        ['::', A],
        ['ff02::1', '33:33:00:00:00:01'],
      ],
      [['192.168.7.10'], ['203.0.113.9']],
    )
    assert.deepEqual([routers(found), prefixes(found)], [[], []])
  })

  it('without MACs has no home but private addresses', () => {
    const found = infer([['192.168.7.10'], ['203.0.113.9']])
    assert.equal(found.isLocal(addressBytes('192.168.7.10'), 0, false, 0), true)
    assert.equal(found.isLocal(addressBytes('203.0.113.9'), 0, false, 0), false)
  })

  it('can be looked at further, and concluded again', () => {
    const locality = new Locality()
    const inference = new LocalityInference()
    const look = (remote: string): void => {
      inference.look(
        flowRecords({ orig: { ip: '192.0.2.10', mac: A }, resp: { ip: remote, mac: ROUTER } }),
        1,
      )
      inference.conclude(locality)
    }
    look('203.0.113.9')
    look('198.51.100.9')
    assert.deepEqual(routers(locality), [ROUTER])
    assert.deepEqual(prefixes(locality), ['192.0.2.0/24'])
  })

  it('with a flood of made-up MACs comes to an end', () => {
    const inference = new LocalityInference()
    const records = Array.from({ length: 1000 }, (_, i) => ({
      orig: {
        ip: '192.0.2.10',
        mac: `02:00:00:01:${(i >> 8).toString(16)}:${(i & 255).toString(16)}`,
      },
      resp: { ip: i % 2 === 0 ? '203.0.113.9' : '198.51.100.9', mac: ROUTER },
    }))
    inference.look(flowRecords(...records), records.length)
    const locality = new Locality()
    inference.conclude(locality)
    assert.deepEqual(routers(locality), [ROUTER])
    assert.deepEqual(prefixes(locality), ['192.0.2.0/24'])
  })
})
