// What is told of where nothing can be enforced: for ever here, or only now.
import assert from 'node:assert/strict'
import { KernelError } from '../../../agent/enforce/kernel/kernel.ts'
import { NoEnforcement } from '../../../agent/enforce/no-enforcement.ts'
import type { Capability } from '../../../protocol/messages.ts'
import { until } from '../../lab/process.ts'
import { gatewayPlan, routerBox } from './boxes.ts'
import { enforcementOn, FakeKernel } from './fake-kernel.ts'

function told(of: { capabilities: () => Record<string, Capability> }): string {
  const { enforce, levels } = of.capabilities()
  assert.equal(enforce?.passing, levels?.passing)
  assert.ok(enforce?.ok || (enforce?.reason ?? '').length > 10)
  return enforce?.ok ? 'can' : enforce?.passing ? 'not now' : 'not here'
}

describe('capabilities', () => {
  it('are away only for now while a router can not be reached', async () => {
    const kernel = new FakeKernel()
    const enforcement = enforcementOn(kernel)
    assert.equal(told(enforcement), 'not now')
    await enforcement.start()
    try {
      assert.equal(told(enforcement), 'can')
      kernel.goes('router.example can not be reached by SSH')
      assert.equal(told(enforcement), 'not now')
      assert.match(enforcement.capabilities().enforce?.reason ?? '', /router\.example/)
      kernel.goes(undefined)
      await until('it to be back', () => told(enforcement) === 'can' || undefined)
    } finally {
      await enforcement.stop(false)
    }
  })

  it('are away only for now where it can not be reached at the start, or interfaces are waited for', async () => {
    const kernel = new FakeKernel()
    kernel.away = 'router.example can not be reached by SSH'
    kernel.startsWith = new KernelError('AWAY', kernel.away)
    const enforcement = enforcementOn(kernel)
    await enforcement.start()
    assert.equal(told(enforcement), 'not now')
    await enforcement.stop(false)
    const box = routerBox()
    const waits = enforcementOn(new FakeKernel(), { box, plan: () => gatewayPlan(box, ['lan9']) })
    await waits.start()
    assert.equal(told(waits), 'not now')
    await waits.stop(false)
  })

  it('are not there in a mode that only sees, on a kernel that refuses, and where Docker drops', async () => {
    assert.equal(told(new NoEnforcement('nothing passes this box')), 'not here')
    const box = routerBox()
    const host = { ...gatewayPlan(box), mode: 'host' as const }
    const seeing = enforcementOn(new FakeKernel(), { box, plan: () => host })
    const refused = new FakeKernel()
    refused.startsWith = new KernelError('EPERM', 'Operation not permitted: NET_ADMIN is missing')
    const refusing = enforcementOn(refused)
    const door = {
      open: async () => 'Docker drops what this box would route',
      close: async () => {},
    }
    const shut = enforcementOn(new FakeKernel(), { door })
    for (const enforcement of [seeing, refusing, shut]) {
      await enforcement.start()
      assert.equal(told(enforcement), 'not here')
      await enforcement.stop(false)
    }
  })
})
