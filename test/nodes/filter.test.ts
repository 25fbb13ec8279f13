import assert from 'node:assert/strict'
import type { DnsFilter, FlowFilter } from '../../nodes/filter.ts'
import { dnsTest, FLOW_FILTER_KEYS, filterOf, flowTest } from '../../nodes/filter.ts'
import type { Dns, Flow } from '../../protocol/messages.ts'
import { CAMERA, dns, flow, LAMP } from './agent-double.ts'

const passes = (filter: FlowFilter, over: Partial<Flow> = {}): boolean =>
  flowTest(filter)(flow(over))
const asks = (filter: DnsFilter, over: Partial<Dns> = {}): boolean => dnsTest(filter)(dns(over))
const to = (ip: string): Partial<Flow> => ({ responder: { ip, port: 443 }, remote_name: undefined })

describe('nodes/filter', () => {
  it('lets everything pass where nothing is asked', () => {
    assert.ok(passes({}))
    assert.ok(passes({ devices: [], direction: 'any', remote: '', port: null, min_bytes: '0' }))
    assert.ok(asks({ devices: undefined, name: ' , ', qtype: [], only: 'all' }))
  })

  it('knows devices by id and by any spelling of their MAC, at both ends of a local flow', () => {
    assert.ok(passes({ devices: [CAMERA] }))
    assert.ok(passes({ devices: '02-0D-E0-00-00-01' }))
    assert.ok(!passes({ devices: [LAMP] }))
    assert.ok(passes({ devices: [LAMP] }, { direction: 'local', peer_device_id: LAMP }))
    assert.throws(() => flowTest({ devices: ['camera'] }), /“camera” is not a device id/)
  })

  it('matches names with their subdomains, and only whole labels', () => {
    assert.ok(passes({ remote: 'example.com' }))
    assert.ok(passes({ remote: 'API.Example.COM.' }))
    assert.ok(passes({ remote: '*.example.com' }))
    assert.ok(passes({ remote: 'example.net; com' }))
    assert.ok(!passes({ remote: 'ample.com' }))
    assert.ok(!passes({ remote: 'www.api.example.com' }))
    assert.ok(!passes({ remote: 'example.com' }, { remote_name: undefined }))
    assert.ok(passes({ remote: 'bücher.example' }, { remote_name: 'www.xn--bcher-kva.example' }))
    assert.ok(passes({ remote: '_tcp.local' }, { remote_name: '_http._tcp.local' }))
    assert.throws(() => flowTest({ remote: 'a..b' }), /“a..b” is not a name/)
  })

  it('matches addresses and prefixes of the remote end, IPv4 and IPv6', () => {
    assert.ok(passes({ remote: '203.0.113.0/24' }))
    assert.ok(passes({ remote: '203.0.113.9' }))
    assert.ok(!passes({ remote: '203.0.113.10' }))
    assert.ok(!passes({ remote: '192.0.2.0/24' }), 'its own end is not the remote')
    assert.ok(passes({ remote: '192.0.2.0/24' }, { direction: 'inbound' }))
    for (const direction of ['outbound,local', ['outbound', 'local']]) {
      assert.ok(passes({ direction }, { direction: 'local' }))
      assert.ok(!passes({ direction }, { direction: 'inbound' }))
    }
    assert.ok(passes({ remote: '2001:db8::/32' }, to('2001:db8:f::1')))
    assert.ok(passes({ remote: '2001:0db8:0:0::1' }, to('2001:db8::1')))
    assert.ok(!passes({ remote: '2001:db8::/48' }, to('2001:db8:1::1')))
    assert.ok(passes({ remote: '0.0.0.0/0' }, to('198.51.100.1')))
    assert.ok(!passes({ remote: '0.0.0.0/0' }, to('2001:db8::1')))
    for (const wrong of ['203.0.113.0/33', '2001:db8::/129', '203.0.113.0/', '203.0.113.0/8/8']) {
      assert.throws(() => flowTest({ remote: wrong }), /is not an address/, wrong)
    }
  })

  it('matches ports of the responder, singly and in ranges', () => {
    assert.ok(passes({ port: 443 }))
    assert.ok(passes({ port: '80, 400-500' }))
    assert.ok(!passes({ port: '50123' }))
    assert.ok(!passes({ port: '0-65535' }, { responder: { ip: '203.0.113.9' } }))
    for (const wrong of ['65536', '9-1', '-1', 'https', '1-2-3']) {
      assert.throws(() => flowTest({ port: wrong }), /is not a port/, wrong)
    }
  })

  it('counts bytes of both ways', () => {
    assert.ok(passes({ min_bytes: 300 }))
    assert.ok(!passes({ min_bytes: '301' }))
    for (const wrong of ['many', -1, Number.NaN, true]) {
      assert.throws(() => flowTest({ min_bytes: wrong }), /least number of bytes/)
    }
  })

  it('wants all parts to match', () => {
    const filter = { devices: [CAMERA], direction: 'outbound', remote: 'example.com', port: 443 }
    assert.ok(passes(filter))
    assert.ok(!passes({ ...filter, direction: 'inbound' }))
    assert.throws(() => flowTest({ direction: 'up' }), /direction must be one of/)
    assert.throws(() => flowTest({ direction: 'outbound,up' }), /direction must be one of/)
  })

  it('filters queries by name, type and answer', () => {
    assert.ok(asks({ name: 'example.com', qtype: 'a, aaaa' }))
    assert.ok(!asks({ qtype: 'AAAA' }))
    assert.ok(!asks({ only: 'failed' }))
    assert.ok(asks({ only: 'failed' }, { rcode: 'SERVFAIL' }))
    assert.ok(asks({ only: 'failed' }, { rcode: undefined }))
    assert.ok(asks({ only: 'nxdomain' }, { rcode: 'NXDOMAIN' }))
    assert.ok(!asks({ only: 'nxdomain' }, { rcode: 'SERVFAIL' }))
    assert.throws(() => dnsTest({ only: 'some' }), /only must be one of/)
  })

  it('takes no list that is too long or is none', () => {
    assert.throws(() => flowTest({ port: Array(1001).fill(1) }), /more than 1000/)
    assert.throws(() => flowTest({ remote: { a: 1 } }), /must be text/)
    assert.throws(() => filterOf([], FLOW_FILTER_KEYS), /must be an object/)
    assert.throws(() => filterOf({ ports: 1 }, FLOW_FILTER_KEYS), /no key “ports”: use devices/)
  })
})
