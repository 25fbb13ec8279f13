import assert from 'node:assert/strict'
import { until } from '../../lab/process.ts'
import { canQueue, DEVICE_IPS, QueueHome, SERVER_IPS } from '../../native/queue/home.ts'
import type { Told } from './names-agent.ts'
import { NamesAgent, ROUTER_PLACE, ZONE } from './names-agent.ts'

const [SERVER] = SERVER_IPS

describe('names and first packets on a router', function () {
  this.timeout(60_000)
  let home: QueueHome
  let agent: NamesAgent
  before(function () {
    if (!canQueue()) this.skip()
  })
  beforeEach(async () => {
    home = new QueueHome()
    await home.start()
    await home.server.tell('echo', { port: 7 })
    await home.server.tell('zone', { zone: ZONE })
    agent = new NamesAgent(home, ROUTER_PLACE)
    agent.start()
  })
  afterEach(async () => {
    await agent.stop()
    await home.stop()
  })

  const tell = (order: object): Promise<Told> => agent.tell(order)
  const apply: NamesAgent['apply'] = (device, verdict) => agent.apply(device, verdict)
  const reaches = (ip: string): Promise<boolean> => agent.reaches(ip)
  const dig = (name: string, ...more: string[]): Promise<string> => agent.dig(SERVER, name, ...more)

  it('opens only what an allow-list names, over UDP and TCP', async () => {
    const { reasons } = await apply({
      restrictions: { allow_list: { ruleId: 'l' } },
      matches: [{ ruleId: 'a', action: 'allow', domain: 'good.example' }],
    })
    assert.match(reasons[0] ?? '', /DNS of chosen devices/)
    assert.equal(await reaches('203.0.113.20'), false)
    assert.equal(await dig('good.example'), 'NOERROR')
    assert.equal(await reaches('203.0.113.20'), true)
    assert.equal(await dig('ads.example', '+tcp'), 'NOERROR')
    assert.equal(await reaches('203.0.113.9'), false)
  })

  it('hides a blocked name, and shuts its addresses', async () => {
    await apply({ matches: [{ ruleId: 'b', action: 'block', domain: 'ads.example' }] })
    assert.equal(await reaches('203.0.113.9'), true)
    assert.equal(await dig('x.ads.example'), 'NXDOMAIN')
    assert.equal(await dig('ads.example'), 'NXDOMAIN')
    assert.equal(await dig('ads.example', '+tcp'), 'NXDOMAIN')
    assert.equal(await reaches('203.0.113.9'), false)
    assert.equal(await reaches('203.0.113.20'), true)
    const { blocked, foreign } = await tell({})
    assert.deepEqual(foreign, [])
    assert.deepEqual(
      blocked.map(({ rule_id, remote, packets }) => [rule_id, remote, packets]).sort(),
      [
        ['b', 'ads.example', 2],
        ['b', 'x.ads.example', 1],
      ],
    )
  })

  it('lets a device reach what it has resolved, and nothing else', async () => {
    await apply({ restrictions: { no_dns_no_connect: { ruleId: 'n' } } })
    assert.equal(await reaches('203.0.113.20'), false)
    assert.equal(await dig('good.example'), 'NOERROR')
    assert.equal(await reaches('203.0.113.20'), true)
    await apply({ restrictions: { no_dns_no_connect: { ruleId: 'n' } } })
    // The thread of the gate brings them back, soon after the tables were written anew.
    await until('the same again', async () => (await reaches('203.0.113.20')) || undefined)
  })

  it('asks before a connection, once', async () => {
    const ask = { restrictions: { ask: { ruleId: 'q' } } }
    await apply(ask, true)
    assert.equal(await reaches(SERVER), true)
    assert.equal((await tell({})).asked, 1)
    await apply(ask, false)
    assert.equal(await reaches('203.0.113.20'), false)
    await apply(ask)
    assert.equal(await reaches('203.0.113.9'), false)
    assert.equal((await tell({})).asked, 3)
  })

  it('asks before a connection that begins outside, and not about what is allowed', async () => {
    await home.device.tell('echo', { port: 9 })
    const comes = async (ip: string): Promise<boolean> => {
      const order = { ip, port: 9, ms: 700 }
      return (await home.server.tell<'tcp', { answers: number }>('tcp', order)).answers > 0
    }
    const ask = { restrictions: { ask: { ruleId: 'q' } } }
    for (const [i, ip] of DEVICE_IPS.entries()) {
      await apply(ask, true)
      assert.equal(await comes(ip), true, ip)
      await apply(ask, false)
      assert.equal(await comes(ip), false, ip)
      assert.ok((await tell({})).asked >= 2 * (i + 1), 'both were asked about')
    }
    const { asked } = await tell({})
    await apply({ ...ask, matches: [{ ruleId: 'a', action: 'allow', prefix: `${SERVER}/32` }] })
    assert.equal(await reaches(SERVER), true)
    assert.equal((await tell({})).asked, asked)
  })

  it('asks about one-way UDP once, and about nothing that ran before', async () => {
    const order = { ip: '203.0.113.20', port: 99, ms: 300, everyMs: 10, fromPort: 4000 }
    // From now on connections are looked at.
    await apply({ matches: [{ ruleId: 'n', action: 'block', domain: 'ads.example' }] })
    await home.device.tell('udp', order)
    await apply({ restrictions: { ask: { ruleId: 'q' } } }, true)
    await home.device.tell('udp', order)
    assert.equal((await tell({})).asked, 0)
    await home.device.tell('udp', { ...order, fromPort: 4001 })
    assert.equal((await tell({})).asked, 1)
  })
})
