import assert from 'node:assert/strict'
import type { Flowtable } from '../../../agent/enforce/kernel/flowtables.ts'
import { flowtablesIn, flowtablesOn } from '../../../agent/enforce/kernel/flowtables.ts'
import { placeOf } from '../../../agent/enforce/place/standing.ts'
import { uncoveredAt } from '../../../agent/enforce/place/uncovered.ts'
import type { DesiredDevice } from '../../../agent/policy/desired.ts'
import { NOTHING } from '../../../agent/policy/desired.ts'
import { until } from '../../lab/process.ts'
import { gatewayPlan, probesOf, routerBox } from './boxes.ts'
import { enforcementOn, FakeKernel } from './fake-kernel.ts'

/** As nft 1.1.3 writes them, and 1.0.6 with numbers and quotes. */
const LISTED = `table inet fw4 {
\tflowtable ft {
\t\thook ingress priority filter - 5
\t\tdevices = { lan1, wan0 }
\t\tflags offload
\t\tcounter
\t}
}
table ip old {
\tflowtable ft2 {
\t\thook ingress priority 10;
\t\tdevices = { "lan2" };
\t}
\tflowtable at {
\t\thook ingress priority filter
\t\tdevices = { eth9 }
\t}
\tflowtable none {
\t\thook ingress priority filter + 10
\t}
}
`
const SOFT: Flowtable = { name: 'inet fw4 ft', priority: 0, devices: ['lan1'], hardware: false }
const HARD: Flowtable = { ...SOFT, hardware: true }
const DEVICE: DesiredDevice = {
  ...{ deviceId: '020de0000001', mac: '02:0d:e0:00:00:01', ips: ['192.0.2.11'] },
  ...{ restrictions: {}, matches: [], level: { level: 'full', ruleId: 'q' } },
}

describe('flow offloading', () => {
  it('is read from what nft lists', () => {
    const all = flowtablesIn(LISTED)
    assert.deepEqual(all, [
      { name: 'inet fw4 ft', priority: -5, devices: ['lan1', 'wan0'], hardware: true },
      { name: 'ip old ft2', priority: 10, devices: ['lan2'], hardware: false },
      { name: 'ip old at', priority: 0, devices: ['eth9'], hardware: false },
    ])
    assert.deepEqual(flowtablesIn('Error: Operation not supported\n'), [])
    const named = flowtablesOn(all, ['lan2', 'lan3']).map(({ name }) => name)
    assert.deepEqual(named, ['ip old ft2'])
  })

  it('is part of a place only where it takes packets of devices', () => {
    const box = routerBox()
    const options = { brokers: [], homeAssistant: [], admin: [], masquerade: false }
    const at = (flowtables: Flowtable[]) =>
      placeOf(
        box,
        gatewayPlan(box),
        probesOf(['br-lan', 'lan1', 'lan2']),
        { ...options, queues: { dns: 1, first: 2 } },
        { flowtables },
      ).place
    assert.deepEqual(at([SOFT])?.flowtables, [SOFT])
    assert.equal(at([{ ...SOFT, devices: ['eth7'] }])?.flowtables, undefined)
  })

  it('is told, found when it comes, and cut only where this processor sees the packets', async () => {
    const kernel = new FakeKernel()
    const enforcement = enforcementOn(kernel)
    await enforcement.start()
    try {
      await enforcement.apply({ ...NOTHING, devices: [DEVICE] })
      assert.equal(enforcement.capabilities().offload, undefined)
      const comes = async (found: Flowtable): Promise<void> => {
        kernel.found = [found]
        kernel.onForeignChange({ by: [], missed: false })
        await until('it to be found', () =>
          enforcement.capabilities().offload?.ok === !found.hardware ? true : undefined,
        )
      }
      await comes(SOFT)
      await until('chains before it', () =>
        /hook ingress device "lan1"/.test(kernel.texts.at(-1) ?? '') ? true : undefined,
      )
      await comes(HARD)
      assert.match(enforcement.capabilities().offload?.reason ?? '', /turn off hardware flow/)
    } finally {
      await enforcement.stop(false)
    }
  })

  it('is told of devices whose connections go on', () => {
    const box = routerBox()
    const options = { brokers: [], homeAssistant: [], admin: [], masquerade: false }
    const place = (flowtable: Flowtable) =>
      placeOf(
        box,
        gatewayPlan(box),
        probesOf(['br-lan', 'lan1', 'lan2']),
        { ...options, queues: { dns: 1, first: 2 } },
        { flowtables: [flowtable] },
      ).place!
    const { level: _, ...open } = DEVICE
    const listed = { ...open, restrictions: { allow_list: { ruleId: 'l' } } }
    assert.match(uncoveredAt(place(HARD), DEVICE) ?? '', /inet fw4 ft/)
    assert.equal(uncoveredAt(place(SOFT), DEVICE), undefined)
    assert.match(uncoveredAt(place(SOFT), listed) ?? '', /go on/)
    assert.equal(uncoveredAt(place(HARD), open), undefined)
  })
})
