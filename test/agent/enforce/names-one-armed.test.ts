// Names and first packets where one port is all: the device, this box, its router and other machines on one wire.
import assert from 'node:assert/strict'
import type { Place } from '../../../agent/enforce/place/place.ts'
import { Child, canQueue, DEVICE, MAC, QueueHome } from '../../native/queue/home.ts'
import { NamesAgent } from './names-agent.ts'

const BOX = '192.0.2.1'
const ROUTER = '192.0.2.254'
/** Another machine of the device's own network, which answers names too. */
const NEIGHBOUR = '192.0.2.53'
/** In the internet, behind the router. */
const RESOLVER = '198.51.100.2'
const ZONE = [
  { name: 'good.example', type: 'A', data: '203.0.113.20' },
  { name: 'ads.example', type: 'A', data: '203.0.113.9' },
] as const

class OneArmedHome extends QueueHome {
  neighbour: Child | undefined

  override async start(): Promise<void> {
    const ends = ['dev', 'gw', 'wan']
    await this.spaces.make(['sw', ...ends])
    await this.spaces.ip('sw', [
      'link set lo up',
      'link add br0 type bridge',
      'link set br0 up',
      `addr add ${NEIGHBOUR}/24 dev br0`,
    ])
    for (const [i, name] of ends.entries()) {
      await this.spaces.set(name, ['net/ipv6/conf/default/disable_ipv6'], '1')
      await this.spaces.ip('sw', [
        `link add p${i} type veth peer name eth0 netns ${this.spaces.name(name)}`,
        `link set p${i} master br0 up`,
      ])
      await this.spaces.ip(name, ['link set lo up'])
    }
    await this.spaces.set('gw', ['net/ipv4/ip_forward'], '1')
    await this.spaces.ip('dev', [
      `link set eth0 address ${MAC} up`,
      'addr add 192.0.2.11/24 dev eth0',
      `route add default via ${BOX}`,
    ])
    await this.spaces.ip('gw', [
      'link set eth0 up',
      `addr add ${BOX}/24 dev eth0`,
      `route add default via ${ROUTER}`,
    ])
    await this.spaces.ip('wan', [
      'link set eth0 up',
      `addr add ${ROUTER}/24 dev eth0`,
      `addr add ${RESOLVER}/32 dev lo`,
      'route add local 203.0.113.0/24 dev lo',
      // What its one resolver says comes from where it was asked.
      `route replace 192.0.2.0/24 dev eth0 src ${RESOLVER}`,
    ])
    this.device = new Child(this.spaces.exec('dev')).start()
    this.server = new Child(this.spaces.exec('wan')).start()
    this.router = new Child(this.spaces.exec('gw')).start()
    this.neighbour = new Child(this.spaces.exec('sw')).start()
    for (const child of [this.server, this.router, this.neighbour]) {
      await child.tell('zone', { zone: [...ZONE] })
    }
    await this.server.tell('echo', { port: 7 })
  }

  override async stop(): Promise<void> {
    await this.neighbour?.stop()
    await super.stop()
  }
}

describe('names and first packets on one port', function () {
  this.timeout(60_000)
  let home: OneArmedHome
  let agent: NamesAgent
  before(function () {
    if (!canQueue()) this.skip()
  })
  beforeEach(async () => {
    home = new OneArmedHome()
    await home.start()
    const link = await home.gw('cat', '/sys/class/net/eth0/address')
    const place: Place = {
      position: 'one_armed',
      interfaces: ['eth0'],
      ports: [],
      uplinks: ['eth0'],
      lan: ['192.0.2.0/24'],
      own: [BOX],
      infrastructure: [link.trim()],
      controllers: [],
      resolvers: [RESOLVER],
      features: { egress: true, bridge: false, bridgeConntrack: false, queue: 'xt', tails: true },
      queues: { dns: 81, first: 82 },
      masquerade: true,
    }
    agent = new NamesAgent(home, place)
    agent.start()
  })
  afterEach(async () => {
    await agent.stop()
    await home.stop()
  })

  it('hides a blocked name asked of this box and of the internet, not of the machine next to it', async () => {
    await agent.apply({
      matches: [{ ruleId: 'b', action: 'block', domain: 'ads.example' }],
    })
    for (const way of [[], ['+tcp']]) {
      for (const server of [BOX, RESOLVER]) {
        assert.equal(await agent.dig(server, 'ads.example', ...way), 'NXDOMAIN', server)
        assert.equal(await agent.dig(server, 'good.example', ...way), 'NOERROR', server)
      }
    }
    assert.equal(await agent.reaches('203.0.113.9'), false)
    assert.equal(await agent.reaches('203.0.113.20'), true)
    assert.equal(await agent.dig(NEIGHBOUR, 'ads.example'), 'NOERROR', 'it does not pass this box')
  })

  it('opens what was resolved through it, and nothing that was resolved past it', async () => {
    await agent.apply({ restrictions: { no_dns_no_connect: { ruleId: 'n' } } })
    assert.equal(await agent.dig(NEIGHBOUR, 'ads.example'), 'NOERROR')
    assert.equal(await agent.reaches('203.0.113.9'), false)
    for (const [server, name, ip] of [
      [RESOLVER, 'good.example', '203.0.113.20'],
      [BOX, 'ads.example', '203.0.113.9'],
    ] as const) {
      assert.equal(await agent.reaches(ip), false)
      assert.equal(await agent.dig(server, name), 'NOERROR')
      assert.equal(await agent.reaches(ip), true, `${name} of ${server}`)
    }
  })

  it('asks before a connection that passes this box, once', async () => {
    const ask = { deviceId: DEVICE, restrictions: { ask: { ruleId: 'q' } } }
    await agent.apply(ask, true)
    assert.equal(await agent.reaches('203.0.113.20'), true)
    assert.equal((await agent.tell({})).asked, 1)
    await agent.apply(ask, false)
    assert.equal(await agent.reaches('203.0.113.9'), false)
    assert.ok((await agent.tell({})).asked >= 2)
  })
})
