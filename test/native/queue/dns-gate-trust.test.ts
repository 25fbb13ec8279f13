// Who is believed, and about what: answers of strangers, names of the internet that point into the home, and times that are too long.
import assert from 'node:assert/strict'
import type { GateElement } from '../../../native/dns-gate.ts'
import { free, GateHome, policy, SERVER } from './gate-home.ts'
import { canQueue, DEVICE_IPS, MAC, OTHER_MAC } from './home.ts'

const BOX = '192.0.2.1'
const HOME = ['192.0.2.0/24', '2001:db8:1::/64']
/** Known by its addresses alone. */
const { mac: _, ...bare } = { ...free, ips: ['0.0.0.0', '::', ...DEVICE_IPS] }

describe('DNS gate: who is believed', function () {
  this.timeout(60_000)
  const home = new GateHome()
  before(async function () {
    if (!canQueue()) this.skip()
    await home.start()
  })
  beforeEach(() => home.reset())
  after(() => home.stop())

  const elements = async (): Promise<GateElement[]> =>
    (await home.router.tell<'elements', { elements: GateElement[] }>('elements', {})).elements

  for (const way of [[], ['+tcp']]) {
    it(`lets a stranger's answer shut what the one that asked reaches, and no more: ${way.join() || 'udp'}`, async () => {
      const around = { resolvers: [BOX], block: [['evil.example']] }
      await home.zone([
        { name: 'evil.example', type: 'A', data: '203.0.113.66' },
        { name: 'ads.example', type: 'A', data: '203.0.113.9' },
        { name: 'good.example', type: 'A', data: '203.0.113.20' },
      ])
      const { mac, ips, ...otherwise } = free
      await home.gate(policy({}, { ...around, devices: [], otherwise }))
      assert.equal((await home.dig('evil.example', ...way)).status, 'NXDOMAIN')
      assert.deepEqual(await elements(), [])
      await home.policy(
        policy({ mac, ips, block: [['ads.example']], allow: [['good.example']] }, around),
      )
      for (const name of ['evil.example', 'ads.example', 'good.example']) {
        await home.dig(name, ...way)
      }
      await home.holds('block4', [`${MAC} 203.0.113.66`, `${MAC} 203.0.113.9`])
      await home.holds('blockAll4', [])
      await home.holds('allow4', [])
      await home.policy(policy({}, { ...around, resolvers: [SERVER] }))
      await home.dig('evil.example', ...way)
      await home.holds('blockAll4', ['203.0.113.66'])
    })
  }

  it('learns nothing from an answer to another question than was asked', async () => {
    await home.gate(policy({ block: [['ads.example', 'other.example']] }, { resolvers: [BOX] }))
    await home.server.tell('lie', { name: 'other.example', data: '203.0.113.50' })
    const hex = '1235010000010000000000000367' + '6f6f076578616d706c650000010001'
    const order = { ip: SERVER, port: 53, hex, tcp: false, ms: 2000 }
    await home.device.tell('raw', order)
    await home.dig('ads.example')
    await home.holds('block4', [`${MAC} 203.0.113.9`])
  })

  it('shuts for who asked what was only heard of a stranger', async () => {
    const devices = [
      { ...free, block: [['ads.example']] },
      { ...free, mac: OTHER_MAC, ips: ['192.0.2.12'], block: [['ads.example']] },
    ]
    await home.gate(policy({}, { devices, block: [['evil.example']] }))
    const only = { mac: MAC, ip: DEVICE_IPS[0] }
    const heard = ['ads.example', 'evil.example'].map((name, i) => ({
      ...{ only, names: [name], ips: [`203.0.113.${70 + i}`], ttlS: 60 },
    }))
    await home.router.tell('hear', { heard })
    await home.holds('block4', [`${MAC} 203.0.113.70`, `${MAC} 203.0.113.71`])
    await home.router.tell('hear', { heard: heard.map(({ only: __, ...all }) => all) })
    await home.holds('block4', [
      `${MAC} 203.0.113.70`,
      `${MAC} 203.0.113.71`,
      `${OTHER_MAC} 203.0.113.70`,
    ])
    await home.holds('blockAll4', ['203.0.113.71'])
  })

  it('opens and shuts nothing in the home for a name of the internet', async () => {
    const inside = [BOX, '192.0.2.50', '10.1.2.3', '172.16.0.1', '192.168.1.1', '100.64.0.1']
    const special = ['127.0.0.1', '169.254.1.1', '224.0.0.251']
    const inside6 = ['2001:db8:1::50', 'fd00::1', '64:ff9b::a01:203', 'fe80::1', '::1']
    const zone = ['ads.example', 'evil.example', 'nas.lan', 'good.example'].flatMap((name, n) => [
      ...[...inside, ...special, `203.0.113.${30 + n}`].map((data) => ({
        ...{ name, type: 'A' as const, data },
      })),
      ...[...inside6, `2001:db8:9::${30 + n}`].map((data) => ({
        ...{ name, type: 'AAAA' as const, data },
      })),
    ])
    await home.zone(zone)
    const around = { home: HOME, protect: [BOX, '203.0.113.53'] }
    await home.gate(
      policy(
        { block: [['ads.example']], allow: [['evil.example', 'nas.lan']], noDnsNoConnect: true },
        around,
      ),
    )
    for (const name of ['ads.example', 'evil.example', 'nas.lan', 'good.example']) {
      for (const type of ['A', 'AAAA']) await home.dig('+tcp', name, type)
    }
    await home.holds('block4', [`${MAC} 203.0.113.30`])
    await home.holds('block6', [`${MAC} 2001:db8:9::30`])
    const mine = (ips: string[]): string[] => ips.map((ip) => `${MAC} ${ip}`).sort()
    assert.deepEqual(await home.set('allow4'), mine([...inside, '203.0.113.31', '203.0.113.32']))
    assert.deepEqual(
      await home.set('resolved4'),
      mine([...inside, '203.0.113.31', '203.0.113.32', '203.0.113.33']),
    )
    const local6 = ['2001:db8:1::50', 'fd00::1', '64:ff9b::a01:203', '2001:db8:9::32']
    assert.deepEqual(await home.set('allow6'), mine([...local6, '2001:db8:9::31']))
    // What is protected elsewhere may be resolved, but passes no level because of a name.
    await home.zone([{ name: 'evil.example', type: 'A', data: '203.0.113.53' }])
    await home.dig('evil.example')
    const found = (await elements()).filter(({ ip }) => ip === '203.0.113.53')
    assert.deepEqual(
      found.map(({ set }) => set),
      ['resolved'],
    )
    assert.ok((await home.counters()).unfit > 0)
    // With the name's rule goes what is in the home.
    await home.policy(policy({ allow: [['evil.example']], allowList: true }, around))
    await home.holds('allow4', mine(['203.0.113.31']))
  })

  for (const way of [[], ['+tcp']]) {
    it(`tells no device that a name lasts for longer than its addresses are open: ${way.join() || 'udp'}`, async () => {
      const ttl = 86_400
      await home.zone([
        { name: 'good.example', type: 'CNAME', data: 'split-far.example', ttl },
        { name: 'split-far.example', type: 'A', data: '203.0.113.20', ttl },
        { name: 'split-far.example', type: 'A', data: '203.0.113.21', ttl: 30 },
        { name: 'split-far.example', type: 'AAAA', data: '2001:db8:9::20', ttl },
      ])
      const ttls = async (...words: string[]): Promise<string[]> => {
        const { text } = await home.dig(...way, ...words)
        assert.doesNotMatch(text, /WARNING|malformed|mismatch/i)
        return [...text.matchAll(/^(?!;)\S+\s+(\d+)\s+IN/gm)].map(([, found]) => found ?? '')
      }
      await home.gate(policy({ block: [['ads.example']] }))
      assert.deepEqual(await ttls('good.example'), ['86400', '86400', '30'])
      for (const closed of [{ allowList: true }, { noDnsNoConnect: true }]) {
        await home.policy(policy({ ...closed, allow: [['good.example']] }))
        assert.deepEqual(await ttls('good.example'), ['3600', '3600', '30'])
        assert.deepEqual(await ttls(`@2001:db8:2::2`, 'good.example', 'AAAA'), ['3600', '3600'])
      }
      const left = (await elements()).map(({ leftMs }) => leftMs)
      assert.ok(Math.max(...left) > 3_600_000, 'open for as long as it was told')
      assert.equal((await home.counters()).malformed, 0)
    })
  }

  it('knows a device by its addresses, where it has no MAC of its own', async () => {
    const [ipv4, ipv6] = DEVICE_IPS
    const device = { ...bare, block: [['ads.example']], allow: [['good.example']], allowList: true }
    await home.gate(policy({}, { devices: [device] }))
    for (const way of [[], ['+tcp']]) {
      assert.equal((await home.dig('ads.example', ...way)).status, 'NXDOMAIN')
      assert.deepEqual((await home.dig('good.example', ...way)).data, ['203.0.113.20'])
      assert.equal((await home.dig('good.example', 'AAAA', ...way)).status, 'NOERROR')
    }
    await home.holds('blockIp4', [`${ipv4} 203.0.113.9`])
    await home.holds('allowIp4', [`${ipv4} 203.0.113.20`])
    await home.holds('resolvedIp4', [`${ipv4} 203.0.113.20`])
    await home.holds('resolvedIp6', [`${ipv6} 2001:db8:9::20`])
    for (const all of ['resolved4', 'blockAll4', 'allowAll4']) await home.holds(all, [])
    const events = await home.router.tell<'events', { refused: { source?: string }[] }>(
      'events',
      {},
    )
    assert.ok(events.refused.length > 0 && events.refused.every(({ source }) => source === ipv4))
    // An address that is its no more takes what was learned for it along.
    await home.policy(policy({}, { devices: [{ ...device, ips: ['192.0.2.77'] }] }))
    await home.holds('resolvedIp4', [])
    await home.holds('blockIp4', [])
  })
})
