import assert from 'node:assert/strict'
import { PlaceWatch } from '../../../agent/enforce/place/place-watch.ts'
import type { Standing } from '../../../agent/enforce/place/standing.ts'
import { placeOf } from '../../../agent/enforce/place/standing.ts'
import type { Surroundings } from '../../../agent/enforce/place/surroundings.ts'
import { createLog } from '../../../agent/log.ts'
import { sleep } from '../../lab/process.ts'
import { GATEWAY4, gatewayPlan, LAN_MAC, probesOf, routerBox, setGateway } from './boxes.ts'

const OPTIONS = {
  brokers: [],
  homeAssistant: ['192.0.2.5', '192.0.2.1'],
  admin: [],
  masquerade: true,
  queues: { dns: 1, first: 2 },
}
const ALL = ['br-lan', 'lan1', 'lan2', 'wan0']

describe('where this box stands', () => {
  it('between a bridged LAN and an uplink', () => {
    const box = routerBox()
    const { place } = placeOf(box, gatewayPlan(box), probesOf(ALL), OPTIONS)
    assert.equal(place?.position, 'two_armed')
    assert.deepEqual(place?.interfaces, ['br-lan'])
    assert.deepEqual(place?.ports, ['lan1', 'lan2'])
    assert.deepEqual(place?.uplinks, ['wan0'])
    assert.deepEqual(place?.lan, ['192.0.2.0/24', '2001:db8:1::/64'])
    assert.ok(place?.infrastructure.includes(LAN_MAC))
    assert.ok(place?.infrastructure.includes(GATEWAY4.mac))
    // An address of this box is no other controller.
    assert.deepEqual(place?.controllers, ['192.0.2.5'])
    assert.equal(place?.features.queue, 'nft')
    assert.equal(place?.masquerade, false)
  })

  it('with one arm, where the LAN is the uplink', () => {
    const box = routerBox()
    const { place } = placeOf(box, gatewayPlan(box, ['wan0']), probesOf(ALL), OPTIONS)
    assert.equal(place?.position, 'one_armed')
    assert.equal(place?.masquerade, true)
    assert.deepEqual(place?.uplinks, ['wan0'])
  })

  it('nowhere, with the reason: only looking on, no tables, no interface', () => {
    const box = routerBox()
    const plan = gatewayPlan(box)
    const reason = (standing: Standing): string => ('reason' in standing ? standing.reason : '')
    assert.match(
      reason(placeOf(box, { ...plan, mode: 'host' }, probesOf(ALL), OPTIONS)),
      /gateway or bridge/,
    )
    const none = { ...probesOf(ALL), tables: { works: false, reason: 'no NET_ADMIN.' } }
    assert.match(reason(placeOf(box, plan, none, OPTIONS)), /no NET_ADMIN/)
    assert.match(
      reason(placeOf(box, gatewayPlan(box, ['lan9']), probesOf(ALL), OPTIONS)),
      /waited for/,
    )
  })

  it('knows no egress where one interface has none', () => {
    const box = routerBox()
    const { place } = placeOf(box, gatewayPlan(box), probesOf(ALL, 'egress'), OPTIONS)
    assert.equal(place?.features.egress, false)
  })

  it('is followed: links that go and come back under their name are others; a forgotten MAC of the gateway is kept', async () => {
    const box = routerBox()
    const told: string[] = []
    const links: string[] = []
    let around: Surroundings | undefined
    let resolvConf = ''
    const watch = new PlaceWatch(OPTIONS, {
      box,
      plan: () => gatewayPlan(box),
      probe: async (interfaces) => probesOf(interfaces),
      resolvConf: async () => resolvConf,
      log: createLog('error'),
      onPlace: (standing) => told.push('key' in standing ? standing.key : standing.reason),
      onLinks: (_, text) => links.push(text),
      onSurroundings: (surroundings) => {
        around = surroundings
      },
    })
    await watch.start()
    try {
      assert.equal(told.length, 1)
      watch.changed()
      await sleep(200)
      assert.equal(told.length, 1)
      box.apply({
        kind: 'neighbour',
        index: 5,
        ip: GATEWAY4.ip,
        reachable: false,
        router: false,
        removed: true,
      })
      watch.changed()
      await sleep(200)
      assert.equal(told.length, 1)
      assert.equal(around?.macs.get(GATEWAY4.mac), 'the default gateway')
      const link = { kind: 'link', name: 'lan2', up: true, loopback: false } as const
      box.apply({ ...link, index: 4, removed: true })
      watch.changed()
      assert.deepEqual(links, [])
      box.apply({ ...link, index: 14, mac: '02:0d:e0:ff:00:04', master: 2, removed: false })
      watch.changed()
      assert.deepEqual(links, ['br-lan=2,lan1=3,lan2=14'], 'at once')
      await sleep(200)
      assert.equal(told.length, 2)
      setGateway(box, 5, { ip: '198.51.100.9', mac: '02:0d:e0:ff:00:09' })
      watch.changed()
      assert.ok(around?.macs.has('02:0d:e0:ff:00:09'), 'at once')
      resolvConf = 'nameserver 203.0.113.53\n'
      await sleep(3300)
      assert.ok(around?.ranges.some(({ resolver }) => resolver))
    } finally {
      await watch.stop()
    }
  }).timeout(8000)
})
