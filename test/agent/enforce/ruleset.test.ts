// The texts of rules as nft itself takes them, and what becomes of many elements.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import type { Place } from '../../../agent/enforce/place/place.ts'
import { elementsOf } from '../../../agent/enforce/tables/elements.ts'
import { CT_DNS, CT_RESOLVED, PACKET_ANSWER } from '../../../agent/enforce/tables/marks.ts'
import { regrowthText, rulesetText } from '../../../agent/enforce/tables/ruleset.ts'
import type { Need, Needs } from '../../../agent/enforce/tables/ruleset-needs.ts'
import { EVERY_NEED, NEEDS } from '../../../agent/enforce/tables/ruleset-needs.ts'
import { setsOf } from '../../../agent/enforce/tables/ruleset-sets.ts'
import { setId } from '../../../agent/enforce/tables/sets.ts'
import type { Desired, DesiredDevice, DesiredMatch } from '../../../agent/policy/desired.ts'
import { NOTHING } from '../../../agent/policy/desired.ts'
import { count } from '../../full.ts'
import { Namespaces } from '../../lab/namespaces.ts'
import { requires } from '../../lab/process.ts'

const MANY = count('TEST_ELEMENTS', 5000, 50_000)

const PLACE: Place = {
  position: 'two_armed',
  interfaces: ['br0'],
  ports: ['port0'],
  uplinks: ['br0'],
  lan: ['192.0.2.0/24', '2001:db8:1::/64'],
  own: ['192.0.2.1', '198.51.100.1', '2001:db8:1::1'],
  infrastructure: ['02:0d:e0:ff:00:01'],
  controllers: ['192.0.2.50', '2001:db8:1::50'],
  features: { egress: true, bridge: true, bridgeConntrack: false, queue: 'xt' },
  queues: { dns: 1, first: 2 },
  masquerade: true,
}

const MACHINES = {
  macs: ['02:0d:e0:00:00:05'],
  unresolved: ['192.0.2.9/32', '192.0.2.8/31', '2001:db8:1::9/128'],
  kept: ['192.0.2.9/32', '172.30.32.0/23', '2001:db8:1::9/128'],
  resolvers: ['203.0.113.53/32', '192.0.2.9/32'],
}
const FLOWTABLE = { name: 'inet fw4 ft', priority: -400, devices: ['port0'], hardware: false }

function macOf(i: number): string {
  const tail = [i >> 16, i >> 8, i].map((byte) => (byte & 255).toString(16).padStart(2, '0'))
  return `02:0d:e0:${tail.join(':')}`
}

function deviceOf(i: number, rest: Partial<DesiredDevice>): DesiredDevice {
  const mac = macOf(i)
  const deviceId = mac.replaceAll(':', '')
  return { deviceId, mac, ips: [], restrictions: {}, matches: [], ...rest }
}

function desire(devices: DesiredDevice[], everyone: DesiredMatch[] = []): Desired {
  return { devices, everyone, unknown: undefined }
}

/** Something in every set that can have something. */
function everything(): Desired {
  const matches = (['allow', 'block'] as const).flatMap((action): DesiredMatch[] => [
    { ruleId: `${action}1`, action, prefix: '203.0.113.7/32' },
    { ruleId: `${action}2`, action, prefix: '203.0.113.0/25', untilBootMs: 90_000_000_000 },
    { ruleId: `${action}3`, action, prefix: '203.0.113.0/24' },
    { ruleId: `${action}4`, action, prefix: '2001:db8:7::7/128' },
    { ruleId: `${action}5`, action, prefix: '2001:db8:7::/64' },
    { ruleId: `${action}6`, action, protocol: 1 },
    { ruleId: `${action}7`, action, protocol: 6, ports: [80, 90] },
    { ruleId: `${action}8`, action, protocol: 17, ports: [443, 443], prefix: '203.0.113.0/24' },
    { ruleId: `${action}9`, action, ports: [1, 65535], prefix: '2001:db8:7::/48' },
    { ruleId: `${action}10`, action },
    { ruleId: `${action}11`, action, domain: 'example.com' },
  ])
  const restrictions = {
    allow_list: { ruleId: 'r1' },
    no_dns_no_connect: { ruleId: 'r2', untilBootMs: 5000 },
    no_encrypted_dns: { ruleId: 'r3' },
    ask: { ruleId: 'r4' },
  }
  const levels = ['observe', 'internet_only', 'local_only', 'full'] as const
  const devices = levels.flatMap((level, i): DesiredDevice[] => [
    deviceOf(i, { level: { level, ruleId: `l${i}` }, restrictions, matches }),
    {
      ...deviceOf(i + 10, { matches, restrictions }),
      mac: undefined as never,
      ips: [`192.0.2.${i + 60}`, `2001:db8:1::${i + 60}`],
    },
  ])
  return {
    devices: devices.map(({ mac, ...rest }) => (mac === undefined ? rest : { mac, ...rest })),
    everyone: matches,
    unknown: { level: { level: 'local_only', ruleId: 'u' }, free: ['020de00000aa'] },
  }
}

describe('rulesetText', function () {
  this.timeout(60_000)
  const spaces = new Namespaces()
  const nft = (args: string[], input: string): string =>
    execFileSync('ip', spaces.exec('box', 'nft', ...args), {
      input,
      stdio: 'pipe',
      timeout: 60_000,
      maxBuffer: 1 << 28,
    }).toString()

  before(async function () {
    requires(this, 'root', 'ip', 'nft')
    await spaces.make(['box'])
    await spaces.ip('box', ['link add br0 type bridge', 'link add port0 type veth peer name port1'])
  })
  after(() => spaces.remove())

  for (const position of ['two_armed', 'one_armed', 'bridge'] as const) {
    for (const egress of [true, false]) {
      for (const bridge of [true, false]) {
        const title = `${position}, ${egress ? 'with' : 'without'} egress, ${bridge ? 'with' : 'without'} family bridge`
        it(`is taken by nft: ${title}`, () => {
          const features = { ...PLACE.features, egress, bridge }
          const usual: Place = { ...PLACE, position, features, machines: MACHINES }
          for (const place of [usual, { ...usual, flowtables: [FLOWTABLE] }])
            for (const desired of [NOTHING, everything()]) {
              const elements = elementsOf(desired, place)
              nft(['-c', '-f', '-'], rulesetText(place, elements, 1000))
              const sets = new Map(setsOf(place).map((set) => [setId(set), set]))
              for (const id of elements.keys()) {
                assert.equal(sets.get(id)?.dynamic, false, `${id} is a set of the place`)
              }
            }
        })
      }
    }
  }

  it('stands before flowtables on each interface and port that they may take packets of', () => {
    const desired = desire([deviceOf(1, { level: { level: 'full', ruleId: 'r' } })])
    const place = { ...PLACE, flowtables: [FLOWTABLE] }
    const hooks = (text: string): string[] =>
      [...text.matchAll(/hook ingress device "(\w+)" priority (-\d+)/g)].map(
        ([, name, priority]) => `${name} ${priority}`,
      )
    const text = rulesetText(place, elementsOf(desired, place), 0)
    assert.deepEqual(hooks(text), ['br0 -401', 'port0 -401'])
    assert.match(text, /hook egress device "port0"/)
    const higher = { ...place, flowtables: [{ ...FLOWTABLE, priority: 10 }] }
    const usual = rulesetText(higher, elementsOf(desired, higher), 0)
    assert.deepEqual(hooks(usual), ['br0 -300', 'port0 -300'])
    assert.deepEqual(hooks(rulesetText(PLACE, elementsOf(desired, PLACE), 0)), [])
  })

  it('replaces what was there, ours alone, and again', () => {
    const elements = elementsOf(everything(), PLACE)
    const text = rulesetText(PLACE, elements, 1000)
    nft(['-f', '-'], 'add table inet others\n')
    nft(['-f', '-'], text)
    nft(['-f', '-'], text)
    const tables = nft(['list', 'tables'], '').trim().split('\n').sort()
    const ours = ['table bridge homespin', 'table inet homespin', 'table netdev homespin']
    assert.deepEqual(tables, [...ours, 'table inet others'].sort())
    nft(
      ['-f', '-'],
      rulesetText({ ...PLACE, features: { ...PLACE.features, egress: false } }, new Map(), 0),
    )
    assert.doesNotMatch(nft(['list', 'tables'], ''), /netdev/)
  })

  it('gives each element what is left of its time, and leaves out what is over', () => {
    const until = (i: number, untilBootMs: number): DesiredDevice =>
      deviceOf(i, { level: { level: 'full', ruleId: 'r', untilBootMs } })
    const desired = desire([until(1, 100_000), until(2, 1000), until(3, 31_622_400_000)])
    nft(['-f', '-'], rulesetText(PLACE, elementsOf(desired, PLACE), 1000))
    const set = nft(['list', 'set', 'inet', 'homespin', 'from_mac_full'], '')
    assert.match(set, /00:00:01 counter packets 0 bytes 0 timeout 1m39s/)
    assert.doesNotMatch(set, /00:00:02/)
    assert.match(set, /00:00:03 counter packets 0 bytes 0 timeout 36[56]d/)
  })

  it('refuses names of interfaces that would mean something in the text', () => {
    for (const name of ['a b', 'x"', 'y;', '', 'a-name-of-17-chars']) {
      assert.throws(() => rulesetText({ ...PLACE, interfaces: [name] }, new Map(), 0), /Rename/)
    }
  })

  const hosts = (prefix: (i: number) => string): DesiredMatch[] =>
    Array.from({ length: MANY }, (_, i) => ({
      ruleId: `r${i}`,
      action: 'block',
      prefix: prefix(i),
    }))
  const address = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`
  const network = (i: number): string => `10.${i >> 8}.${i & 255}.0/24`
  const level = { level: 'full', ruleId: 'r', untilBootMs: 86_400_000 } as const
  const large: readonly [string, () => Desired, string][] = [
    [
      'devices',
      () => desire(Array.from({ length: MANY }, (_, i) => deviceOf(i, { level }))),
      'from_mac_full',
    ],
    [
      'addresses of one device',
      () => desire([deviceOf(1, { matches: hosts(address) })]),
      'from_mac_block_host4',
    ],
    ['prefixes for everybody', () => desire([], hosts(network)), 'from_all_block_net4'],
  ]
  // One table; with the others it is three times as much.
  const alone = {
    ...PLACE,
    features: { ...PLACE.features, egress: false, bridge: false, tails: true },
  }
  for (const [title, make, name] of large) {
    it(`takes ${MANY} ${title}`, () => {
      const desired = make()
      const times = [performance.now()]
      const elements = elementsOf(desired, alone)
      times.push(performance.now())
      const text = rulesetText(alone, elements, 0)
      times.push(performance.now())
      nft(['-f', '-'], text)
      times.push(performance.now())
      assert.equal(elements.get(`inet homespin ${name}`)?.size, MANY)
      const listed = nft(['list', 'set', 'inet', 'homespin', name], '')
      const keys = listed.slice(listed.indexOf('elements = {')).split(',').length
      assert.equal(keys, MANY)
      const [a = 0, b = 0, c = 0, d = 0] = times
      console.log(
        `      ${MANY} ${title}: elements ${(b - a).toFixed(0)} ms, text ${(c - b).toFixed(0)} ms (${(text.length / 1e6).toFixed(1)} MB), nft ${(d - c).toFixed(0)} ms`,
      )
    })
  }
})

describe('marks', () => {
  it('are single bits, each its own', () => {
    for (const bits of [[PACKET_ANSWER], [CT_DNS, CT_RESOLVED]]) {
      assert.equal(
        bits
          .reduce((all, bit) => all | bit, 0)
          .toString(2)
          .replaceAll('0', '').length,
        bits.length,
      )
    }
  })
})

describe('regrowthText', function () {
  this.timeout(60_000)
  const spaces = new Namespaces()
  const nft = (args: string[], input: string): string =>
    execFileSync('ip', spaces.exec('box', 'nft', ...args), { input, stdio: 'pipe' }).toString()
  /** Chains in an order of their own, as they come in the order in which they were made. */
  const chains = (): string[] =>
    nft(['-s', 'list', 'ruleset'], '')
      .split(/^(?=table |\tchain |\tset )/m)
      .map((part) => part.replace(/[}\s]+$/, '').trim())
      .filter((part) => part.startsWith('chain'))
      .sort()

  before(async function () {
    requires(this, 'root', 'ip', 'nft')
    await spaces.make(['box'])
    await spaces.ip('box', ['link add br0 type bridge', 'link add port0 type veth peer name port1'])
  })
  after(() => spaces.remove())

  it('makes of the chains of any needs those of others, and leaves what sets hold', () => {
    const features = { ...PLACE.features, tails: true }
    const place = { ...PLACE, features, flowtables: [FLOWTABLE] }
    const desired = desire([deviceOf(1, { level: { level: 'full', ruleId: 'r' } })])
    const elements = elementsOf(desired, place)
    const all: Needs[] = [
      new Set(),
      ...NEEDS.map((need) => new Set<Need>(need === 'many' ? ['held', 'many'] : [need])),
      EVERY_NEED,
    ]
    const whole = all.map((needs) => {
      nft(['-f', '-'], rulesetText(place, elements, 0, needs))
      return chains()
    })
    assert.equal(new Set(whole.map((each) => each.join())).size, all.length)
    let at = EVERY_NEED
    for (const from of [new Set<never>(), EVERY_NEED]) {
      for (const [i, to] of all.entries()) {
        for (const needs of [from, to]) {
          nft(['-f', '-'], regrowthText({ place, needs: at }, { place, needs }))
          at = needs
        }
        assert.deepEqual(chains(), whole[i], `${[...from].join()} → ${[...to].join()}`)
      }
    }
    assert.match(nft(['list', 'set', 'inet', 'homespin', 'from_mac_full'], ''), /00:00:01/)
  })

  it('makes of the chains of a place those of one that more is known of', () => {
    const places: Place[] = [
      PLACE,
      { ...PLACE, knowsIpv6: true, usesIpv6: true, routers: ['02:0d:e0:ff:00:09'] },
      { ...PLACE, flowtables: [FLOWTABLE], bridgeNetfilter: true },
    ]
    const needs = EVERY_NEED
    const whole = places.map((place) => {
      nft(['-f', '-'], rulesetText(place, new Map(), 0, needs))
      return chains()
    })
    assert.notDeepEqual(whole[0], whole[1])
    let at = places.at(-1) as Place
    for (const from of places) {
      for (const [i, to] of places.entries()) {
        for (const place of [from, to]) {
          const text = regrowthText({ place: at, needs }, { place, needs })
          nft(['-f', '-'], text)
          // With a hook the kernel drops what waits in queues.
          if (at.flowtables === place.flowtables) assert.doesNotMatch(text, /hook|delete/)
          at = place
        }
        assert.deepEqual(chains(), whole[i])
      }
    }
  })
})
