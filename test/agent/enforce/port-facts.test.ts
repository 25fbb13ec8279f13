import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { levelsAt } from '../../../agent/enforce/place/levels.ts'
import type { Place } from '../../../agent/enforce/place/place.ts'
import type { AllPortFacts } from '../../../agent/enforce/place/port-facts.ts'
import { readPortFacts, shortcutsOf } from '../../../agent/enforce/place/port-facts.ts'
import { placeOf } from '../../../agent/enforce/place/standing.ts'
import { uncoveredAt } from '../../../agent/enforce/place/uncovered.ts'
import type { DesiredDevice } from '../../../agent/policy/desired.ts'
import { makeFolder, removeFolder } from '../../lab/folders.ts'
import { gatewayPlan, probesOf, routerBox } from './boxes.ts'

const CHIP = { switchId: '000000000001' }
const OPTIONS = { brokers: [], homeAssistant: [], admin: [], masquerade: false }
const DEVICE: DesiredDevice = {
  ...{ deviceId: '020de0000001', mac: '02:0d:e0:00:00:01', ips: ['192.0.2.11'] },
  ...{ restrictions: {}, matches: [] },
}
const FULL: DesiredDevice = { ...DEVICE, level: { level: 'full', ruleId: 'q' } }

/** A router whose br-lan has the ports lan1 and lan2. */
function at(facts: [string, object][]): Place {
  const box = routerBox()
  const options = { ...OPTIONS, queues: { dns: 1, first: 2 } }
  const probes = probesOf(['br-lan', 'lan1', 'lan2'])
  const ports: AllPortFacts = new Map(facts)
  return placeOf(box, gatewayPlan(box), probes, options, { ports }).place as Place
}

describe('ports that do not need this box', () => {
  it('are read from sysfs, where most links refuse to say or have nothing to say', async () => {
    const folder = makeFolder()
    try {
      for (const name of ['lan1', 'wlan0', 'eth0']) mkdirSync(join(folder, name))
      writeFileSync(join(folder, 'lan1/phys_switch_id'), '0a0b0c0d\n')
      mkdirSync(join(folder, 'wlan0/phy80211'))
      const found = await readPortFacts(['lan1', 'wlan0', 'eth0', 'gone'], folder)
      assert.deepEqual(
        [...found],
        [
          ['lan1', { switchId: '0a0b0c0d' }],
          ['wlan0', { isRadio: true }],
          ['eth0', {}],
          ['gone', {}],
        ],
      )
      assert.equal(shortcutsOf(['lan1', 'eth0'], found), undefined)
      assert.equal((await readPortFacts(['lo'])).size, 1)
    } finally {
      removeFolder(folder)
    }
  })

  it('take the level away that needs all of them, and are told with those that stay', () => {
    const none = at([])
    assert.equal(none.shortcuts, undefined)
    assert.ok(levelsAt(none).values.includes('internet_only'))
    assert.equal(uncoveredAt(none, FULL), undefined)

    const chip = at([
      ['lan1', CHIP],
      ['lan2', CHIP],
    ])
    assert.deepEqual(levelsAt(chip).values, ['observe', 'local_only', 'full'])
    assert.match(levelsAt(chip).reason, /lan1, lan2 reach each other in the switch chip/)
    assert.deepEqual(levelsAt({ ...chip, position: 'bridge' }).values, ['observe'])

    const mixed: Place = {
      ...chip,
      ports: ['lan1', 'lan2', 'wlan0'],
      shortcuts: { switches: [['lan1', 'lan2']], radios: ['wlan0'], areAll: false },
    }
    assert.ok(levelsAt(mixed).values.includes('internet_only'))
    assert.match(levelsAt(mixed).reason, /switch chip.*Stations of wlan0/)
    assert.match(uncoveredAt(mixed, FULL) ?? '', /switch chip.*Stations of wlan0/)
    const internetOnly = { level: 'internet_only' as const, ruleId: 'q' }
    const local = { level: 'local_only' as const, ruleId: 'q' }
    const peer = { ruleId: 'b', action: 'block' as const, prefix: '192.0.2.12/32' }
    assert.match(uncoveredAt(mixed, { ...DEVICE, level: internetOnly }) ?? '', /switch chip/)
    assert.match(uncoveredAt(mixed, { ...DEVICE, matches: [peer] }) ?? '', /switch chip/)
    for (const device of [
      DEVICE,
      { ...DEVICE, level: local },
      { ...DEVICE, matches: [{ ...peer, prefix: '203.0.113.9/32' }] },
    ])
      assert.equal(uncoveredAt(mixed, device), undefined)
  })
})
