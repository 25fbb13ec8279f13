// What of a device's orders is told to be open: by the place, and by what the device was seen to do.
import assert from 'node:assert/strict'
import { AskedElsewhere } from '../../../agent/enforce/gate/asked-elsewhere.ts'
import type { Place } from '../../../agent/enforce/place/place.ts'
import { uncoveredAt } from '../../../agent/enforce/place/uncovered.ts'
import type { DesiredDevice } from '../../../agent/policy/desired.ts'
import { NOTHING } from '../../../agent/policy/desired.ts'

const PLACE: Place = {
  position: 'two_armed',
  interfaces: ['lan0'],
  ports: [],
  uplinks: ['wan0'],
  lan: ['192.0.2.0/24', '198.51.100.0/24'],
  own: ['192.0.2.1'],
  infrastructure: [],
  controllers: [],
  features: { egress: true, bridge: true, bridgeConntrack: false, queue: 'xt' },
  queues: { dns: 1, first: 2 },
  masquerade: false,
}
const DEVICE: DesiredDevice = {
  deviceId: '020de0000001',
  mac: '02:0d:e0:00:00:01',
  ips: ['192.0.2.11', 'fe80::1'],
  restrictions: {},
  matches: [],
}
const NAMED: DesiredDevice = {
  ...DEVICE,
  matches: [{ ruleId: 'n', action: 'block', domain: 'ads.example' }],
}
const ASKED: DesiredDevice = { ...DEVICE, restrictions: { ask: { ruleId: 'a' } } }
const HELD: DesiredDevice = { ...DEVICE, level: { level: 'full', ruleId: 'q' } }

describe('what a place leaves open', () => {
  const at = (place: Partial<Place>, device: DesiredDevice): string =>
    uncoveredAt({ ...PLACE, ...place }, device) ?? ''

  it('is nothing where everything passes, or nothing is ordered', () => {
    for (const device of [NAMED, ASKED, HELD]) assert.equal(at({}, device), '')
    for (const position of ['one_armed', 'bridge'] as const) {
      assert.equal(at({ position }, DEVICE), '')
      assert.equal(at({ position }, { ...DEVICE, level: { level: 'observe', ruleId: 'o' } }), '')
    }
  })

  it('is IPv6 on one port where the home is seen to use it, and names that go past', () => {
    const position = 'one_armed'
    assert.doesNotMatch(at({ position }, HELD), /IPv6/)
    assert.match(at({ position }, HELD), /other routers go round/)
    assert.match(at({ position }, { ...HELD, ips: ['2001:db8:1::11'] }), /IPv6/)
    assert.match(at({ position, lan: ['192.0.2.0/24', '2001:db8:1::/64'] }, HELD), /IPv6/)
    assert.doesNotMatch(at({ position }, HELD), /[Nn]ames/)
    assert.match(at({ position }, NAMED), /another machine of its own network/)
  })

  it('is what no queue gets: on a bridge without br_netfilter, or without queues', () => {
    const position = 'bridge'
    assert.match(at({ position }, NAMED), /Only names that it asks this box/)
    assert.match(at({ position }, ASKED), /Only connections to this box/)
    for (const device of [NAMED, ASKED]) {
      assert.equal(at({ position, bridgeNetfilter: true }, device), '')
    }
    const features = { ...PLACE.features, queue: undefined }
    assert.match(at({ features }, NAMED), /Names are not gated/)
    assert.match(at({ features }, ASKED), /Connections are not asked about/)
    assert.equal(at({ features }, HELD), '')
  })
})

describe('encrypted DNS that is refused', () => {
  const device: DesiredDevice = { ...DEVICE, restrictions: { no_encrypted_dns: { ruleId: 'e' } } }
  const at = (place: Partial<Place>): string => uncoveredAt({ ...PLACE, ...place }, device) ?? ''

  it('is told to be open to browsers where the canary name can not be answered', () => {
    assert.equal(at({}), '')
    assert.match(at({ features: { ...PLACE.features, queue: undefined } }), /not asked to leave/)
    assert.match(at({ position: 'bridge' }), /unless they ask this box/)
    assert.equal(at({ position: 'bridge', bridgeNetfilter: true }), '')
    assert.match(at({ position: 'one_armed' }), /another machine of its own network/)
  })
})

describe('devices that ask past the gate', () => {
  let found = 0
  const watch = (place: Partial<Place> = {}, device = NAMED): AskedElsewhere => {
    found = 0
    const elsewhere = new AskedElsewhere()
    elsewhere.onFound = () => found++
    elsewhere.stand({ ...PLACE, ...place })
    elsewhere.apply({ ...NOTHING, devices: [device] })
    return elsewhere
  }
  const { deviceId } = NAMED
  const connects = (elsewhere: AskedElsewhere, times: number, everyMs: number): void => {
    for (let i = 0; i < times; i++) elsewhere.begun(deviceId, '203.0.113.9', 443, i * everyMs)
  }

  it('are told with the machine of their network that they ask', () => {
    const elsewhere = watch()
    for (let i = 0; i < 3; i++) elsewhere.begun(deviceId, '192.0.2.53', 53, i)
    assert.match(elsewhere.uncovered(deviceId) ?? '', /asks 192\.0\.2\.53/)
    assert.equal(found, 1)
  })

  it('are not those that ask this box, another network, the internet, or across a bridge with queues', () => {
    for (const [remote, place] of [
      ['192.0.2.1', {}],
      ['198.51.100.53', {}],
      ['203.0.113.53', {}],
      ['192.0.2.53', { bridgeNetfilter: true }],
    ] as const) {
      const elsewhere = watch(place)
      elsewhere.begun(deviceId, remote, 53, 0)
      connects(elsewhere, 100, 60_000)
      assert.equal(elsewhere.uncovered(deviceId), undefined, remote)
    }
    const without = watch({}, HELD)
    without.begun(deviceId, '192.0.2.53', 53, 0)
    assert.equal(without.uncovered(deviceId), undefined)
  })

  it('follow from connections of a device that never asks, over time', () => {
    const soon = watch()
    connects(soon, 100, 100)
    assert.equal(soon.uncovered(deviceId), undefined)
    const late = watch()
    connects(late, 20, 30_000)
    assert.match(late.uncovered(deviceId) ?? '', /asked for no name here/)
    assert.equal(found, 1)
    late.begun(deviceId, '192.0.2.1', 53, 1)
    assert.equal(late.uncovered(deviceId), undefined)
    late.apply(NOTHING)
    assert.equal(late.uncovered(deviceId), undefined)
  })
})
