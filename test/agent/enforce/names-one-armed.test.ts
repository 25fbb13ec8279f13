// Names and first packets where one port is all: the device, this box, its router and other machines on one wire.
import assert from 'node:assert/strict'
import type { Place } from '../../../agent/enforce/place/place.ts'
import { Child, canQueue, DEVICE, MAC, QueueHome, ROUTER_MAC } from '../../native/queue/home.ts'
import { NamesAgent, ZONE } from './names-agent.ts'

const BOX = '192.0.2.1'
const ROUTER = '192.0.2.254'
/** Another machine of the device's own network, which answers names too. */
const NEIGHBOUR = '192.0.2.53'
/** In the internet, behind the router. */
const RESOLVER = '198.51.100.2'

class OneArmedHome extends QueueHome {
  neighbour: Child | undefined

  override async start(): Promise<void> {
    await this.spaces.make(['sw', 'dev', 'gw', 'wan'])
    this.startChildren()
    await this.spaces.ip('sw', [
      'link set lo up',
      // Its own, or it would be that of a port, which comes and goes.
      'link add br0 address 02:0d:e0:00:00:53 type bridge',
      'link set br0 up',
      `addr add ${NEIGHBOUR}/24 dev br0`,
    ])
    await Promise.all([
      this.#plug('dev', [
        `link set eth0 address ${MAC} up`,
        'addr add 192.0.2.11/24 dev eth0',
        `route add default via ${BOX}`,
      ]),
      this.connect(),
      this.#plug('wan', [
        'link set eth0 up',
        `addr add ${ROUTER}/24 dev eth0`,
        `addr add ${RESOLVER}/32 dev lo`,
        'route add local 203.0.113.0/24 dev lo',
        // What its one resolver says comes from where it was asked.
        `route replace 192.0.2.0/24 dev eth0 src ${RESOLVER}`,
      ]),
    ])
    await this.server.tell('echo', { port: 7 })
  }

  protected override startChildren(): void {
    super.startChildren()
    this.neighbour = new Child(this.spaces.exec('sw')).start()
  }

  /** A line between the switch and one of the others, which is then told more. */
  async #plug(name: string, lines: readonly string[]): Promise<void> {
    await this.spaces.set(name, ['net/ipv6/conf/default/disable_ipv6'], '1')
    await this.spaces.ip('sw', [
      `link add p-${name} type veth peer name eth0 netns ${this.spaces.name(name)}`,
      `link set p-${name} master br0 up`,
    ])
    await this.spaces.ip(name, ['link set lo up', ...lines])
  }

  protected override async connect(): Promise<void> {
    await this.#plug('gw', [
      `link set eth0 address ${ROUTER_MAC} up`,
      `addr add ${BOX}/24 dev eth0`,
      `route add default via ${ROUTER}`,
    ])
    await this.spaces.set('gw', ['net/ipv4/ip_forward'], '1')
  }

  protected override async disconnect(): Promise<void> {
    await this.spaces.ip('sw', ['link del p-gw'])
  }

  override async renew(): Promise<void> {
    await super.renew()
    for (const child of [this.server, this.router, this.neighbour])
      await child?.tell('zone', { zone: ZONE })
  }

  override async stop(): Promise<void> {
    await this.neighbour?.stop('SIGKILL')
    await super.stop()
  }
}

const PLACE: Place = {
  position: 'one_armed',
  interfaces: ['eth0'],
  ports: [],
  uplinks: ['eth0'],
  lan: ['192.0.2.0/24'],
  own: [BOX],
  infrastructure: [ROUTER_MAC],
  controllers: [],
  resolvers: [RESOLVER],
  features: { egress: true, bridge: false, bridgeConntrack: false, queue: 'xt', tails: true },
  queues: { dns: 81, first: 82 },
  masquerade: true,
}

describe('names and first packets on one port', function () {
  this.timeout(60_000)
  const home = new OneArmedHome()
  let agent: NamesAgent
  before(async function () {
    if (!canQueue()) this.skip()
    await home.start()
  })
  beforeEach(async () => {
    agent = new NamesAgent(home, PLACE)
    await home.renew()
    agent.start()
  })
  afterEach(() => agent.stop())
  after(() => home.stop())

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
