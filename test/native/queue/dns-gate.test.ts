import assert from 'node:assert/strict'
import type { GateEvents } from '../../../native/dns-gate.ts'
import { free, GateHome, policy, SERVER } from './gate-home.ts'
import { Child, canQueue, MAC, SERVER_IPS } from './home.ts'

describe('DNS gate: what is answered', function () {
  this.timeout(60_000)
  const home = new GateHome()
  before(async function () {
    if (!canQueue()) this.skip()
    await home.start()
  })
  beforeEach(() => home.reset())
  after(() => home.stop())

  it('answers a blocked name at once, learns its addresses, and leaves others alone', async () => {
    await home.gate(policy({ block: [['ads.example', 'nothing.example']] }))
    for (const server of SERVER_IPS) {
      for (const name of ['ads.example', 'AdS.eXample', 'x.ads.example']) {
        const { status, data, text } = await home.dig(`@${server}`, name)
        assert.deepEqual([status, data], ['NXDOMAIN', []])
        assert.doesNotMatch(text, /WARNING|malformed|mismatch/i)
        assert.match(text, /EDNS: version: 0/)
      }
    }
    assert.equal((await home.dig('ads.example', '+noedns')).status, 'NXDOMAIN')
    assert.equal((await home.dig('ads.example', 'AAAA')).status, 'NXDOMAIN')
    assert.deepEqual((await home.dig('gads.example')).status, 'NXDOMAIN')
    assert.deepEqual((await home.dig('good.example')).data, ['203.0.113.20'])
    await home.holds('block4', [`${MAC} 203.0.113.10`, `${MAC} 203.0.113.9`])
    await home.holds('block6', [`${MAC} 2001:db8:9::9`])
    await home.holds('resolved4', [])
    const events = await home.router.tell<'events', GateEvents>('events', {})
    const ads = events.refused.filter(({ name }) => name === 'ads.example')
    assert.equal(
      ads.reduce((sum, { count }) => sum + count, 0),
      6,
    )
    assert.equal(ads[0]?.mac, MAC)
    const { refused, malformed, failed } = await home.counters()
    assert.deepEqual([refused, malformed, failed], [8, 0, 0])
  })

  it('blanks answers over TCP in place, whole and in pieces', async () => {
    const many = Array.from({ length: 200 }, (_, i) => ({
      name: 'split-ads.example',
      type: 'A' as const,
      data: `203.0.113.${i + 1}`,
    }))
    await home.zone([
      ...many,
      { name: 'ads.example', type: 'A', data: '203.0.113.9' },
      { name: 'split-good.example', type: 'A', data: '203.0.113.77' },
      { name: 'split-text.example', type: 'TXT', data: 'x'.repeat(3000) },
    ])
    await home.gate(
      policy({
        block: [['ads.example', 'split-ads.example']],
        allow: [['split-good.example']],
        allowList: true,
      }),
    )
    for (const words of [['ads.example'], ['ads.example', '+noedns'], ['split-ads.example']]) {
      for (const server of SERVER_IPS) {
        const { status, data, text } = await home.dig('+tcp', `@${server}`, ...words)
        assert.deepEqual([status, data.filter((line) => /\d\.\d/.test(line))], ['NXDOMAIN', []])
        assert.doesNotMatch(text, /WARNING|malformed|mismatch/i)
      }
    }
    const good = await home.dig('+tcp', 'split-good.example')
    assert.deepEqual(good.data, ['203.0.113.77'])
    assert.deepEqual(await home.set('resolved4'), [`${MAC} 203.0.113.77`])
    assert.equal((await home.dig('+tcp', 'split-text.example', 'TXT')).status, 'NOERROR')
    assert.equal((await home.set('block4')).length, 64)
    assert.equal((await home.counters()).segmentsExpired, 0)
  })

  it('refuses names that are not of the home, and the canary, without asking further', async () => {
    await home.zone([
      { name: 'nas.lan', type: 'A', data: '192.0.2.20' },
      { name: 'good.example', type: 'A', data: '203.0.113.20' },
      { name: 'use-application-dns.net', type: 'A', data: '203.0.113.1' },
    ])
    await home.gate(policy({ localOnly: true }))
    assert.deepEqual((await home.dig('nas.lan')).data, ['192.0.2.20'])
    assert.equal((await home.dig('good.example')).status, 'NXDOMAIN')
    await home.policy(policy({ canary: true }))
    assert.equal((await home.dig('use-application-dns.net')).status, 'NXDOMAIN')
    assert.deepEqual((await home.dig('good.example')).data, ['203.0.113.20'])
    assert.deepEqual(await home.server.tell('asks', {}), { 'nas.lan': 1, 'good.example': 1 })
    assert.deepEqual(await home.set('block4'), [])
  })

  it('gates a resolver on the router, and devices that are not listed', async () => {
    const resolver = new Child(home.spaces.exec('gw')).start()
    try {
      await resolver.tell('zone', {
        zone: [
          { name: 'ads.example', type: 'A', data: '203.0.113.9' },
          { name: 'good.example', type: 'A', data: '203.0.113.20' },
        ],
      })
      const { mac: _, ips: __, ...otherwise } = free
      await home.gate(policy({}, { devices: [], otherwise, block: [['ads.example']] }))
      for (const way of [[], ['+tcp']]) {
        assert.equal((await home.dig('@192.0.2.1', 'ads.example', ...way)).status, 'NXDOMAIN')
        assert.deepEqual((await home.dig('@2001:db8:1::1', 'good.example', ...way)).data, [
          '203.0.113.20',
        ])
      }
      await home.holds('blockAll4', ['203.0.113.9'])
      await home.router.tell('policy', {
        policy: policy({ allow: [['good.example']], allowList: true }),
      })
      for (const way of [[], ['+tcp']]) {
        assert.deepEqual((await home.dig('@192.0.2.1', 'good.example', ...way)).data, [
          '203.0.113.20',
        ])
      }
      assert.deepEqual(await home.set('resolved4'), [`${MAC} 203.0.113.20`])
    } finally {
      await resolver.stop()
    }
  })

  it('lets what it cannot read pass, except to devices that get only what is understood', async () => {
    await home.zone([{ name: 'bad.example', type: 'A', data: '203.0.113.9' }])
    await home.gate(policy({ block: [['ads.example']] }))
    const order = { server: SERVER, names: ['bad.example'], port: 7, connect: false }
    const open = await home.device.tell<'resolve', { p50Ms: number }>('resolve', order)
    assert.ok(open.p50Ms < 1000)
    await home.policy(policy({ noDnsNoConnect: true }))
    const closed = await home.device.tell<'resolve', { p50Ms: number }>('resolve', order)
    assert.ok(closed.p50Ms > 1900)
    assert.equal((await home.counters()).malformed, 2)
  })
})
