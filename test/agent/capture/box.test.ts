import assert from 'node:assert/strict'
import type { Box } from '../../../agent/capture/box.ts'
import type { NetlinkEvent } from '../../../native/index.ts'
import type { LinkOf } from './boxes.ts'
import { boxOf, eventsOf, gatewaysOf, HOST_BOX, neighbour, UPSTREAM } from './boxes.ts'

describe('the tables of a box', () => {
  it('follow what comes and goes', () => {
    const box = boxOf(...HOST_BOX)
    assert.equal(box.byName('eth0')?.index, 2)
    assert.equal(box.byName('eth9'), undefined)
    assert.equal(box.macOf(2, '192.0.2.1'), UPSTREAM)
    assert.deepEqual(box.gateways, [{ index: 2, ip: '192.0.2.1' }])
    box.apply({ kind: 'address', index: 2, ip: '192.0.2.9', prefixLength: 24, removed: true })
    box.apply({ kind: 'gateways', gateways: [] })
    assert.ok(!box.addresses.some(({ ip }) => ip === '192.0.2.9'))
    assert.deepEqual(box.gateways, [])
  })

  it('forget what belonged to a link that is gone', () => {
    const box = boxOf(...HOST_BOX, { name: 'eth20', index: 20, ips: ['198.51.100.1/24'] })
    const [link] = eventsOf({ name: 'eth0', index: 2 })
    box.apply({ ...link, removed: true } as Parameters<Box['apply']>[0])
    assert.equal(box.byName('eth0'), undefined)
    assert.deepEqual(box.gateways, [])
    assert.equal(box.macOf(2, '192.0.2.1'), undefined)
    assert.deepEqual(
      box.addresses.map(({ ip }) => ip),
      ['127.0.0.1', '::1', '172.17.0.1', '198.51.100.1'],
    )
  })

  it('know the MAC of a gateway while it does not answer, and no longer than it is one', () => {
    const box = boxOf(...HOST_BOX)
    for (const event of [neighbour(2, '192.0.2.1'), neighbour(2, '192.0.2.1', UPSTREAM, true)]) {
      box.apply(event)
      assert.equal(box.macOf(2, '192.0.2.1'), UPSTREAM)
    }
    const tables = [eventsOf(HOST_BOX[0] as LinkOf)[0], gatewaysOf(...HOST_BOX)]
    for (const event of [{ kind: 'overrun' }, ...tables]) box.apply(event as NetlinkEvent)
    assert.equal(box.macOf(2, '192.0.2.1'), UPSTREAM, 'also after an overrun')
    box.apply(neighbour(2, '192.0.2.1', '02:00:00:00:00:fd'))
    assert.equal(box.macOf(2, '192.0.2.1'), '02:00:00:00:00:fd')
    box.apply(neighbour(2, '192.0.2.1'))
    box.apply({ kind: 'gateways', gateways: [] })
    assert.equal(box.macOf(2, '192.0.2.1'), undefined)
  })

  it('are told anew after an overrun', () => {
    const box = boxOf(...HOST_BOX)
    assert.equal(box.whole, true)
    assert.equal(box.apply({ kind: 'overrun' }), false)
    assert.equal(box.whole, false)
    assert.deepEqual([box.links.size, box.addresses, box.gateways], [0, [], []])
    assert.equal(box.macOf(2, '192.0.2.9'), undefined)
    assert.equal(box.apply({ kind: 'synchronised' }), true)
    assert.equal(box.whole, true)
  })
})

describe('what may change a plan', () => {
  const NEW_MAC = '02:00:00:00:00:fd'
  const cases: [what: string, event: Parameters<Box['apply']>[0], changes: boolean][] = [
    ['a link', eventsOf({ name: 'eth9', index: 9 })[0] as Parameters<Box['apply']>[0], true],
    [
      'an address',
      { kind: 'address', index: 2, ip: '192.0.2.8', prefixLength: 24, removed: false },
      true,
    ],
    ['another gateway', gatewaysOf({ name: 'eth0', index: 2, gateways: ['192.0.2.254'] }), true],
    ['the gateways as they were', gatewaysOf(...HOST_BOX), false],
    ['a neighbour', neighbour(2, '192.0.2.30', NEW_MAC), false],
    ['the gateway as it was', neighbour(2, '192.0.2.1', UPSTREAM), false],
    ['another MAC of the gateway', neighbour(2, '192.0.2.1', NEW_MAC), true],
    ['a gateway that does not answer', neighbour(2, '192.0.2.1'), false],
    ['a gateway that is forgotten', neighbour(2, '192.0.2.1', UPSTREAM, true), false],
    ['the gateway’s address on another link', neighbour(6, '192.0.2.1', NEW_MAC), false],
  ]
  for (const [what, event, changes] of cases) {
    it(`${what}: ${changes ? 'yes' : 'no'}`, () =>
      assert.equal(boxOf(...HOST_BOX).apply(event), changes))
  }

  it('a flood of neighbours does not fill the memory, nor hide the gateway’s change', () => {
    const box = boxOf(...HOST_BOX)
    for (let i = 0; i < 40_000; i++)
      box.apply(neighbour(2, `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, NEW_MAC))
    assert.equal(box.macOf(2, '10.0.0.1'), NEW_MAC)
    assert.equal(box.macOf(2, '10.0.156.63'), undefined)
    assert.equal(box.apply(neighbour(2, '192.0.2.1', NEW_MAC)), true)
  })
})
