// Who is believed about names, and whom closed devices may ask.
import assert from 'node:assert/strict'
import { gateSurroundings, withResolvers } from '../../../agent/enforce/gate/believed.ts'
import { ProtectedList } from '../../../agent/enforce/place/protected.ts'
import { placeOf } from '../../../agent/enforce/place/standing.ts'
import { surroundings } from '../../../agent/enforce/place/surroundings.ts'
import { GATEWAY4, gatewayPlan, probesOf, routerBox } from './boxes.ts'

const OPTIONS = {
  brokers: ['203.0.113.20'],
  homeAssistant: ['192.0.2.5'],
  admin: ['192.0.2.9'],
}
const TOLD = { resolvers: ['203.0.113.53', '192.0.2.53'], localNames: ['house.example'] }

describe('who is believed about names', () => {
  const box = routerBox()
  const list = new ProtectedList()
  list.follow(surroundings(box, ['9.9.9.9'], OPTIONS))

  it('are machines of the home and resolvers, those in the home by their address alone', () => {
    const around = gateSurroundings(list, TOLD, ['192.0.2.0/24'])
    for (const ip of ['192.0.2.1', GATEWAY4.ip, '9.9.9.9', '192.0.2.5', ...TOLD.resolvers]) {
      assert.ok(around.resolvers.includes(ip), ip)
    }
    assert.deepEqual(around.neighbours, ['192.0.2.53'])
    assert.deepEqual(around.local, TOLD.localNames)
    assert.ok(around.protect.includes('203.0.113.20/32'))
  })

  it('may be asked by closed devices, but no broker and no controller', () => {
    const standing = placeOf(box, gatewayPlan(box), probesOf(['br-lan', 'lan1', 'lan2']), {
      ...OPTIONS,
      ...{ masquerade: false, queues: { dns: 1, first: 2 } },
    })
    const { place } = withResolvers(standing, list, TOLD)
    for (const ip of [GATEWAY4.ip, '9.9.9.9', ...TOLD.resolvers]) {
      assert.ok(place?.resolvers?.includes(ip), ip)
    }
    for (const ip of ['203.0.113.20', '192.0.2.5', '192.0.2.9']) {
      assert.equal(place?.resolvers?.includes(ip), false, ip)
    }
    assert.deepEqual(withResolvers({ reason: 'x' }, list, TOLD), { reason: 'x' })
  })
})
