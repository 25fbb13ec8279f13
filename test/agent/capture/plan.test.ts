import assert from 'node:assert/strict'
import type { Plan, Wanted } from '../../../agent/capture/plan.ts'
import { planCapture } from '../../../agent/capture/plan.ts'
import type { LinkOf } from './boxes.ts'
import { BRIDGE_BOX, boxOf, HOST_BOX, macOf, ROUTER_BOX, UPSTREAM } from './boxes.ts'

function plan(links: readonly LinkOf[], wanted: Partial<Wanted> = {}): Plan {
  const all: Wanted = {
    mode: 'auto',
    interfaces: [],
    lan: [],
    promiscuous: false,
    forwards: false,
    ...wanted,
  }
  return planCapture(all, boxOf(...links))
}

function names({ specs }: Plan): string[] {
  return specs.map((spec) => `${spec.name} ${spec.count}${spec.promiscuous ? ' promiscuous' : ''}`)
}

describe('mode auto', () => {
  const cases: [what: string, links: LinkOf[], forwards: boolean, mode: string, names: string[]][] =
    [
      ['a router with LANs is a gateway', ROUTER_BOX, true, 'gateway', ['eth1 all', 'eth2 all']],
      ['the same box that does not forward is a host', ROUTER_BOX, false, 'host', ['eth0 all']],
      ['a host with containers forwards for no LAN', HOST_BOX, true, 'host', ['eth0 all']],
      [
        'a box without a gateway takes what is up',
        ROUTER_BOX.slice(1),
        false,
        'host',
        ['eth1 all', 'eth2 all', 'eth4 all'],
      ],
      ['ports of a bridge are not taken beside it', BRIDGE_BOX, false, 'host', ['br0 all']],
    ]
  for (const [what, links, forwards, mode, wanted] of cases) {
    it(what, () => {
      const found = plan(links, { forwards })
      assert.equal(found.mode, mode)
      assert.deepEqual(names(found), wanted)
    })
  }
})

describe('mode gateway', () => {
  it('two-armed: the LAN’s side of a router', () => {
    const found = plan(ROUTER_BOX, { mode: 'gateway' })
    assert.deepEqual(found.specs, [
      { name: 'eth1', count: 'all', promiscuous: false },
      { name: 'eth2', count: 'all', promiscuous: false },
    ])
    assert.deepEqual(found.lan, ['192.0.2.0/24', '2001:db8:1::/64', '198.51.100.0/25'])
    assert.deepEqual(found.routers, [UPSTREAM, macOf(3), macOf(4)])
    assert.ok(found.own.includes('203.0.113.5') && found.own.includes('192.0.2.1'))
    assert.match(found.visibility, /routed from and to eth1, eth2/)
    assert.equal(found.unresolvedGateway, undefined)
  })

  it('one-armed: without the box’s own copies to the router upstream', () => {
    const found = plan(HOST_BOX, { mode: 'gateway', interfaces: ['eth0'], promiscuous: true })
    assert.deepEqual(found.specs, [
      { name: 'eth0', count: 'all', promiscuous: true, upstreamMacs: [UPSTREAM] },
    ])
    assert.deepEqual(found.lan, ['192.0.2.0/24', '2001:db8:1::/64'])
    assert.deepEqual(found.routers, [UPSTREAM, macOf(2)])
    assert.match(
      found.visibility,
      /IPv4 of the devices that use this box as their default gateway, by eth0/,
    )
  })

  it('one-armed, with a gateway whose MAC is not known yet: says whom to ask', () => {
    const [eth0] = HOST_BOX as [LinkOf]
    const found = plan([{ ...eth0, neighbours: {} }], { mode: 'gateway', interfaces: ['eth0'] })
    assert.equal(found.unresolvedGateway, '192.0.2.1')
    assert.equal(found.specs[0]?.upstreamMacs, undefined)
    const two = plan([{ ...eth0, gateways: ['192.0.2.1', '192.0.2.254'] }], {
      mode: 'gateway',
      interfaces: ['eth0'],
    })
    assert.equal(two.unresolvedGateway, '192.0.2.254')
    assert.deepEqual(two.specs[0]?.upstreamMacs, [UPSTREAM])
  })

  it('finds nothing by itself where the only port is the way out', () => {
    assert.throws(
      () => plan(HOST_BOX, { mode: 'gateway' }),
      /mode gateway found no interface.*--interface \(there are eth0, docker0\)/,
    )
    assert.throws(
      () => plan(HOST_BOX, { mode: 'gateway', app: true }),
      /name one in the option Network interfaces \(interfaces\) \(there are eth0, docker0\)/,
    )
  })

  it('takes no address for a network that a port gave itself for want of one', () => {
    const [eth0, ...rest] = HOST_BOX as [LinkOf]
    const lonely = { ...eth0, name: 'eth1', index: 70, gateways: [], ips: ['169.254.7.9/16'] }
    assert.equal(plan([eth0, ...rest, lonely], { forwards: true }).mode, 'host')
    const lan = { ...lonely, ips: ['198.51.100.1/24'] }
    assert.equal(plan([eth0, ...rest, lan], { forwards: true }).mode, 'gateway')
  })
})

describe('mode bridge', () => {
  const whole = ['br0 own_outgoing', 'eth0 incoming', 'eth1 incoming']
  const cases: [what: string, interfaces: string[], names: string[]][] = [
    ['by itself', [], whole],
    ['by the bridge’s name', ['br0'], whole],
    ['by the name of a port', ['eth1'], whole],
    ['by everything at once', ['eth0', 'br0', 'eth1', 'eth0'], whole],
  ]
  for (const [what, interfaces, wanted] of cases) {
    it(`is found ${what}`, () => {
      const found = plan(BRIDGE_BOX, { mode: 'bridge', interfaces })
      assert.deepEqual(names(found).sort(), wanted)
      assert.deepEqual(found.lan, ['192.0.2.0/24'])
      assert.deepEqual(found.routers, [UPSTREAM])
      assert.match(found.visibility, /crosses the bridge br0,/)
    })
  }

  it('says whom to ask for the MAC of its gateway where that is not known', () => {
    const [br0, ...others] = BRIDGE_BOX as [LinkOf, ...LinkOf[]]
    assert.equal(plan(BRIDGE_BOX, { mode: 'bridge' }).unresolvedGateway, undefined)
    const found = plan([{ ...br0, neighbours: {} }, ...others], { mode: 'bridge' })
    assert.equal(found.unresolvedGateway, '192.0.2.1')
  })

  it('that routes is a router itself', () => {
    assert.deepEqual(plan(BRIDGE_BOX, { mode: 'bridge', forwards: true }).routers, [
      UPSTREAM,
      macOf(2),
    ])
  })

  it('of containers is taken where it is asked for', () => {
    const found = plan(BRIDGE_BOX, { mode: 'bridge', interfaces: ['docker0'] })
    assert.deepEqual(names(found), ['docker0 own_outgoing', 'veth1a2b incoming'])
    assert.deepEqual(found.lan, ['172.17.0.0/16'])
  })

  it('that is none, or not there yet, is taken by its name', () => {
    for (const name of ['eth2', 'br7']) {
      const found = plan(BRIDGE_BOX, { mode: 'bridge', interfaces: [name] })
      assert.deepEqual(names(found), [`${name} incoming promiscuous`])
      assert.match(found.visibility, new RegExp(`the bridge ${name},`))
      assert.deepEqual(found.lan, name === 'eth2' ? ['198.51.100.0/24'] : [])
    }
  })

  it('is missed with a sentence', () => {
    assert.throws(
      () => plan(HOST_BOX, { mode: 'bridge' }),
      /mode bridge found no interface to capture: name one with --interface/,
    )
  })
})

describe('mode mirror', () => {
  it('takes the port that is named, and every network of the box as home', () => {
    const found = plan(ROUTER_BOX, {
      mode: 'mirror',
      interfaces: ['eth4'],
      lan: ['2001:db8:7::/48'],
    })
    assert.deepEqual(names(found), ['eth4 incoming promiscuous'])
    assert.deepEqual(found.lan, [
      '2001:db8:7::/48',
      '203.0.113.0/24',
      '192.0.2.0/24',
      '2001:db8:1::/64',
      '198.51.100.0/25',
      '10.9.9.0/24',
    ])
    assert.match(found.visibility, /mirror port sends to eth4/)
  })

  it('asks which port it is', () => {
    assert.throws(() => plan(ROUTER_BOX, { mode: 'mirror' }), /mode mirror found no interface/)
  })
})

describe('mode host', () => {
  it('takes the way to the internet', () => {
    const found = plan(HOST_BOX, { mode: 'host' })
    assert.deepEqual(names(found), ['eth0 all'])
    assert.deepEqual(found.lan, ['192.0.2.0/24', '2001:db8:1::/64'])
    assert.deepEqual(found.own, [
      '127.0.0.1',
      '::1',
      '192.0.2.9',
      '2001:db8:1::9',
      'fe80::9',
      '172.17.0.1',
    ])
    assert.deepEqual(found.routers, [UPSTREAM])
    assert.match(found.visibility, /this box's own traffic.*eth0; not what other devices/)
  })

  it('takes what is named, once, and waits for what is not there', () => {
    const found = plan(HOST_BOX, {
      mode: 'host',
      interfaces: ['eth7', 'docker0', 'eth7'],
      promiscuous: true,
    })
    assert.deepEqual(names(found), ['eth7 all promiscuous', 'docker0 all promiscuous'])
    assert.deepEqual(found.lan, ['172.17.0.0/16'])
  })

  it('on a box with loopback alone says so', () => {
    assert.throws(() => plan([], { mode: 'host' }), /there is none but loopback/)
    assert.throws(() => plan([]), /mode host found no interface/)
  })
})

describe('a VLAN beside the link below it', () => {
  const eth1: LinkOf = { name: 'eth1', index: 3, ips: ['192.0.2.1/24'] }
  const vlan = (id: number, index: number, more: Partial<LinkOf> = {}): LinkOf => ({
    name: `eth1.${id}`,
    index,
    parent: 3,
    vlan: { type: 0x8100, id },
    kind: 'vlan',
    ips: [`198.51.100.${id}/28`],
    ...more,
  })
  const without = ({ specs }: Plan): unknown[] =>
    specs.map(({ name, withoutVlans = [] }) => [name, withoutVlans.map(({ id }) => id)])

  it('is counted there alone, where both are captured', () => {
    const links = [eth1, vlan(10, 4), vlan(20, 5)]
    assert.deepEqual(without(plan(links, { mode: 'gateway' })), [
      ['eth1', [10, 20]],
      ['eth1.10', []],
      ['eth1.20', []],
    ])
    assert.deepEqual(plan(links, { mode: 'gateway' }).specs[0]?.withoutVlans, [
      { type: 0x8100, id: 10 },
      { type: 0x8100, id: 20 },
    ])
    for (const mode of ['host', 'mirror'] as const) {
      const interfaces = ['eth1.20', 'eth1']
      assert.deepEqual(without(plan(links, { mode, interfaces })), [
        ['eth1.20', []],
        ['eth1', [20]],
      ])
    }
    assert.deepEqual(without(plan(links, { mode: 'gateway', interfaces: ['eth1'] })), [
      ['eth1', []],
    ])
  })

  it('is not counted where it is the way out of a router', () => {
    const wan = vlan(30, 6, { gateways: ['198.51.100.17'] })
    assert.deepEqual(without(plan([eth1, wan], { mode: 'gateway' })), [['eth1', [30]]])
  })

  it('is counted there alone where both are ports of bridges', () => {
    const links: LinkOf[] = [
      { name: 'br0', index: 7, kind: 'bridge', ips: ['192.0.2.1/24'] },
      { name: 'br1', index: 8, kind: 'bridge', ips: ['198.51.100.1/24'] },
      { ...eth1, ips: [], master: 7 },
      vlan(10, 4, { ips: [], master: 8 }),
    ]
    assert.deepEqual(without(plan(links, { mode: 'bridge' })).sort(), [
      ['br0', []],
      ['br1', []],
      ['eth1', [10]],
      ['eth1.10', []],
    ])
  })
})

describe('the home of a plan', () => {
  it('is each network once, as a network, whatever was given', () => {
    const link: LinkOf = {
      name: 'eth0',
      index: 2,
      ips: ['192.0.2.1/24', '192.0.2.2/24', '169.254.1.1/16'],
    }
    const found = plan([link], { lan: ['192.0.2.77/24', '198.51.100.130/25', '2001:db8::5'] })
    assert.deepEqual(found.lan, ['192.0.2.0/24', '198.51.100.128/25', '2001:db8::5/128'])
  })
})
