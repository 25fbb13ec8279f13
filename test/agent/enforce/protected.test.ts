import assert from 'node:assert/strict'
import type { Order } from '../../../agent/enforce/contract.ts'
import type { Place } from '../../../agent/enforce/place/place.ts'
import { ProtectedList, remoteFault } from '../../../agent/enforce/place/protected.ts'
import { admit } from '../../../agent/enforce/place/protected-desired.ts'
import type { Grounds } from '../../../agent/enforce/place/refusals.ts'
import { refusalOf } from '../../../agent/enforce/place/refusals.ts'
import { placeOf } from '../../../agent/enforce/place/standing.ts'
import { nameservers, surroundings } from '../../../agent/enforce/place/surroundings.ts'
import { elementsOf } from '../../../agent/enforce/tables/elements.ts'
import type { SetId } from '../../../agent/enforce/tables/sets.ts'
import type { Match } from '../../../protocol/policy.ts'
import { GATEWAY4, gatewayPlan, LAN_MAC, probesOf, routerBox, setGateway } from './boxes.ts'

const OPTIONS = {
  brokers: ['203.0.113.20', '192.0.2.20'],
  homeAssistant: ['192.0.2.5'],
  admin: ['192.0.2.9'],
}
const BROKER_MAC = '02:0d:e0:00:00:20'
const ASKER = '192.0.2.77'
const DEVICE = { id: '020de0000001', mac: '02:0d:e0:00:00:01', ips: ['192.0.2.11', 'fe80::11'] }

/** What threat model 2.5 lists, each as an endpoint, written in the ways in which it can be. */
const TARGETS: readonly (readonly [what: string, endpoints: readonly string[]])[] = [
  ['this host', ['192.0.2.1', '198.51.100.2', '2001:db8:1::1', '192.0.2.1/32']],
  ['the default gateway', ['198.51.100.1', '198.51.100.0/24']],
  ['a configured resolver', ['9.9.9.9', '2001:db8:53::53']],
  ['the broker', ['203.0.113.20', '203.0.113.0/24']],
  ['Home Assistant', ['192.0.2.5', '192.0.2.0/24']],
  ["the Supervisor's networks", ['172.30.32.2', '172.30.33.0/24', 'fd0c:ac1e:2100::2']],
  ['loopback', ['127.0.0.1', '::1', '127.0.1.0/24']],
  ['multicast and broadcast', ['224.0.0.251', 'ff02::1', '255.255.255.255', '192.0.2.255']],
  ['link-local', ['fe80::1', 'fe80::/64']],
  ['admin_addresses', ['192.0.2.9']],
  ['the client that asks', [ASKER]],
  ['too wide', ['0.0.0.0/0', '::/0', '128.0.0.0/1', '203.0.112.0/23', '2001:db8::/32']],
]

function setUp(): { list: ProtectedList; grounds: Grounds } {
  const box = routerBox()
  const neighbour = { kind: 'neighbour', reachable: true, router: false, removed: false } as const
  box.apply({ ...neighbour, index: 2, ip: '192.0.2.20', mac: BROKER_MAC })
  const list = new ProtectedList()
  const around = surroundings(box, ['9.9.9.9', '2001:db8:53::53'], OPTIONS)
  list.follow(around)
  const probes = probesOf(['br-lan', 'lan1', 'lan2'])
  const options = { ...OPTIONS, masquerade: false, queues: { dns: 1, first: 2 } }
  const standing = placeOf(box, gatewayPlan(box), probes, options, { around })
  const ok = { ok: true, reason: 'works' }
  const levels = { ok: true, reason: 'all', values: ['observe', 'local_only', 'full'] }
  return {
    list,
    grounds: {
      capabilities: {
        enforce: ok,
        levels,
        dns_gate: ok,
        first_packets: { ok: false, reason: 'no queue' },
      },
      place: standing.place,
      protected: list,
    },
  }
}

function block(match: Match, devices: Order['devices'] = [DEVICE]): Order {
  const everyone = devices.length === 0
  return { action: 'block', devices, everyone, newDevices: false, match, asker: ASKER }
}

describe('the protected list', () => {
  const { list, grounds } = setUp()

  for (const [what, endpoints] of TARGETS) {
    it(`refuses ${what} as the remote side, for a device and for everyone`, () => {
      for (const endpoint of endpoints) {
        for (const devices of [[DEVICE], []]) {
          const refusal = refusalOf(block({ endpoint }, devices), grounds)
          assert.ok(refusal, endpoint)
          assert.match(refusal.code, /^(?:protected|too_wide)$/)
          assert.match(refusal.message, /[.;]/)
        }
      }
    })
  }

  it('refuses this box, the gateway and others of the list as devices', () => {
    const machines = [
      { id: 'box', mac: LAN_MAC, ips: [] },
      { id: 'gateway', mac: GATEWAY4.mac.toUpperCase(), ips: [] },
      { id: 'by-address', ips: ['198.51.100.1'] },
      { id: 'home-assistant', mac: '02:0d:e0:00:00:05', ips: ['192.0.2.5'] },
      { id: 'broker', ips: ['203.0.113.20'] },
      { id: 'admin', ips: ['192.0.2.9'] },
      { id: 'asker', ips: [ASKER] },
    ]
    for (const device of machines) {
      const order: Order = {
        action: 'quarantine',
        level: 'full',
        devices: [DEVICE, device],
        everyone: false,
        newDevices: false,
        asker: ASKER,
      }
      assert.equal(refusalOf(order, grounds)?.code, 'protected', device.id)
      assert.equal(refusalOf({ ...order, devices: [DEVICE] }, grounds), undefined)
    }
  })

  it("a device that only says that it has the gateway's address stays what it is", () => {
    const liar = {
      id: 'liar',
      mac: '02:0d:e0:00:00:66',
      ips: ['192.0.2.66', '198.51.100.1', '192.0.2.1'],
    }
    const order: Order = {
      action: 'quarantine',
      level: 'full',
      devices: [liar],
      everyone: false,
      newDevices: false,
    }
    assert.equal(refusalOf(order, grounds), undefined)
    // And its false addresses never become elements.
    const desired = {
      devices: [{ deviceId: 'liar', mac: liar.mac, ips: liar.ips, restrictions: {}, matches: [] }],
      everyone: [],
      unknown: undefined,
    }
    assert.deepEqual(admit(desired, list, new Set()).desired.devices[0]?.ips, ['192.0.2.66'])
  })

  it('takes what is allowed: public resolvers port by port, a way of a device, common blocks', () => {
    const taken: Order[] = [
      block({ endpoint: '9.9.9.9', protocol: 'tcp', port: 853 }),
      block({ endpoint: '203.0.113.99' }),
      block({ endpoint: '203.0.114.0/24' }),
      block({ endpoint: '2001:db8:77::/64' }),
      block({}),
      block({ domain: 'ads.example.com' }),
      block({ protocol: 'udp', port: 1, port_to: 65535 }),
      block({ endpoint: '203.0.113.99', protocol: 'udp', port: 443 }, []),
    ]
    for (const order of taken)
      assert.equal(refusalOf(order, grounds), undefined, JSON.stringify(order.match))
    const refused: Order[] = [
      block({ endpoint: '9.9.9.9', protocol: 'tcp', port: 853 }, []),
      block({ protocol: 'udp', port: 67, port_to: 68 }),
      block({}, []),
    ]
    for (const order of refused) assert.equal(refusalOf(order, grounds)?.code, 'protected')
  })

  it('refuses what is no order, and what this place cannot hold', () => {
    const code = (order: Order): string | undefined => refusalOf(order, grounds)?.code
    assert.equal(code(block({ endpoint: '300.1.1.1' })), 'invalid')
    assert.equal(code(block({ endpoint: '::ffff:203.0.113.9' })), 'invalid')
    assert.equal(code(block({ port: 53 })), 'invalid')
    assert.equal(code(block({ protocol: 'tcp', port: 90, port_to: 80 })), 'invalid')
    assert.equal(code({ ...block({}), devices: [{ id: 'ghost', ips: [] }] }), 'not_enforceable')
    const quarantine: Order = {
      action: 'quarantine',
      level: 'internet_only',
      devices: [DEVICE],
      everyone: false,
      newDevices: false,
    }
    assert.match(refusalOf(quarantine, grounds)?.message ?? '', /observe, local_only, full/)
    const restrict: Order = { ...quarantine, action: 'restrict', restriction: 'ask' }
    assert.match(refusalOf({ ...restrict, level: 'full' }, grounds)?.message ?? '', /no queue/)
    const nothing = { ...grounds, capabilities: { enforce: { ok: false, reason: 'no NET_ADMIN' } } }
    assert.match(refusalOf(quarantine, nothing)?.message ?? '', /no NET_ADMIN/)
  })

  it('writes nothing protected, whatever way it came: by Desired and by answers of DNS', () => {
    for (const [, endpoints] of TARGETS.slice(0, -2)) {
      for (const prefix of endpoints) {
        const match = { ruleId: 'r', action: 'block' as const, prefix }
        const device = {
          deviceId: DEVICE.id,
          mac: DEVICE.mac,
          ips: DEVICE.ips,
          restrictions: {},
          matches: [match],
        }
        const desired = { devices: [device], everyone: [match], unknown: undefined }
        const admitted = admit(desired, list, new Set(['full']))
        assert.deepEqual(admitted.desired.devices[0]?.matches, [])
        assert.deepEqual(admitted.desired.everyone, [])
        assert.ok(admitted.failed.get('r'))
        assert.ok(remoteFault(list, `${DEVICE.mac} . ${prefix}`), prefix)
      }
    }
    const gateway = {
      deviceId: 'gw',
      mac: GATEWAY4.mac,
      ips: [],
      level: { level: 'full' as const, ruleId: 'q' },
      restrictions: {},
      matches: [],
    }
    const admitted = admit(
      { devices: [gateway], everyone: [], unknown: undefined },
      list,
      new Set(['full']),
    )
    assert.deepEqual(admitted.desired.devices, [])
    assert.ok(admitted.failed.get('q'))
  })

  it('refuses names that are a whole top-level domain, in orders and in what is written', () => {
    for (const devices of [[DEVICE], []]) {
      for (const domain of ['com', 'lan'])
        assert.equal(refusalOf(block({ domain }, devices), grounds)?.code, 'too_wide')
      assert.equal(refusalOf(block({ domain: 'ads.example' }, devices), grounds), undefined)
    }
    const match = { ruleId: 'r', action: 'block' as const, domain: 'com' }
    const device = { deviceId: DEVICE.id, mac: DEVICE.mac, ips: [], restrictions: {} }
    const desired = { devices: [{ ...device, matches: [match] }], everyone: [match] }
    const admitted = admit({ ...desired, unknown: undefined }, list, new Set())
    assert.deepEqual(admitted.desired.devices[0]?.matches, [])
    assert.deepEqual(admitted.desired.everyone, [])
    // An exception closes nothing.
    assert.equal(refusalOf({ ...block({ domain: 'lan' }), action: 'allow' }, grounds), undefined)
  })

  it('refuses to close a whole protocol of the device that asks, as much as all of it', () => {
    const own = [{ ...DEVICE, ips: [...DEVICE.ips, ASKER] }]
    const refused: Match[] = [{}, { protocol: 'tcp' }, { protocol: 'tcp', port: 1, port_to: 65535 }]
    for (const match of refused) {
      const refusal = refusalOf(block(match, own), grounds)
      assert.match(refusal?.message ?? '', /lock itself out/, JSON.stringify(match))
      assert.equal(refusalOf(block(match), grounds), undefined)
    }
    assert.equal(refusalOf(block({ protocol: 'udp', port: 443 }, own), grounds), undefined)
  })

  it('refuses to shut off new devices for one that is itself not accepted', () => {
    const fresh = [DEVICE, { id: 'mine', mac: '02:0d:e0:00:00:77', ips: [ASKER] }]
    const order: Order = {
      action: 'quarantine',
      level: 'full',
      devices: fresh,
      everyone: false,
      newDevices: true,
      asker: ASKER,
    }
    assert.match(refusalOf(order, grounds)?.message ?? '', /accept it first/)
    assert.equal(refusalOf({ ...order, devices: [DEVICE] }, grounds), undefined)
    assert.equal(refusalOf({ ...order, level: 'observe' }, grounds), undefined)
    // Protected machines are left out of it, so they may order it.
    const admin = { id: 'admin', mac: '02:0d:e0:00:00:09', ips: ['192.0.2.9'] }
    const byAdmin = { ...order, devices: [...fresh, admin], asker: '192.0.2.9' }
    assert.equal(refusalOf(byAdmin, grounds), undefined)
  })

  it('leaves its machines out of what is ordered for unknown devices, and fails no rule for that', () => {
    const level = { level: 'full' as const, ruleId: 'new' }
    const entry = { restrictions: {}, matches: [] }
    const ha = { ...entry, deviceId: '020de0000005', mac: '02:0d:e0:00:00:05', ips: ['192.0.2.5'] }
    const desired = {
      devices: [
        { ...ha, level },
        { ...entry, deviceId: DEVICE.id, mac: DEVICE.mac, ips: DEVICE.ips, level },
      ],
      everyone: [],
      unknown: { level, free: [] },
    }
    const admitted = admit(desired, list, new Set(['full']))
    assert.deepEqual([...admitted.failed], [])
    assert.deepEqual([...admitted.spared.keys()], [ha.deviceId])
    assert.deepEqual(admitted.desired.unknown?.free, [ha.mac])
    const place = grounds.place as Place
    const elements = elementsOf(admitted.desired, place)
    const keys = (id: SetId): string[] => [...(elements.get(id)?.keys() ?? [])]
    for (const name of ['known', 'free'] as const) {
      assert.ok(keys(`inet homespin ${name}`).includes(ha.mac), name)
      // The kernel knows its MAC though no device was seen.
      assert.ok(keys(`inet homespin ${name}`).includes(BROKER_MAC), name)
    }
    // Where it does not, the address tells; of one whose MAC is known it would prove nothing.
    assert.deepEqual(keys('inet homespin machines4'), ['192.0.2.5', '192.0.2.9'])
    assert.deepEqual(keys('inet homespin from_mac_full'), [DEVICE.mac])
  })

  it('follows the gateway at once', () => {
    const box = routerBox()
    const followed = new ProtectedList()
    followed.follow(surroundings(box, [], OPTIONS))
    const next = { ip: '198.51.100.9', mac: '02:0d:e0:ff:00:09' }
    assert.equal(followed.targetFault({ prefix: next.ip, forDevice: true }), undefined)
    setGateway(box, 5, next)
    followed.follow(surroundings(box, [], OPTIONS))
    assert.equal(followed.targetFault({ prefix: next.ip, forDevice: true })?.code, 'protected')
    assert.equal(followed.deviceIs({ mac: next.mac, ips: [] }), 'the default gateway')
  })

  it('reads resolv.conf', () => {
    const text =
      '# nameserver 203.0.113.1\nsearch home\nnameserver 192.0.2.53\n nameserver fe80::1%eth0\nnameserver x\n'
    assert.deepEqual(nameservers(text), ['192.0.2.53', 'fe80::1'])
  })
})
