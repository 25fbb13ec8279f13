import assert from 'node:assert/strict'
import type { ForwardDoor } from '../../../agent/enforce/place/door-watch.ts'
import { DoorWatch } from '../../../agent/enforce/place/door-watch.ts'
import { createLog } from '../../../agent/log.ts'
import { until } from '../../lab/process.ts'
import { enforcementOn, FakeKernel } from './fake-kernel.ts'

const SHUT = 'Docker drops what this box would route.'

describe('what is in the way of routed traffic', () => {
  it('is looked at now and then, whether or not anybody tells of a change', async () => {
    let looks = 0
    const door: ForwardDoor = { open: async () => undefined, close: async () => {} }
    const watch = new DoorWatch({ door, log: createLog('error'), onLook: () => looks++ }, 10)
    watch.start()
    try {
      await until('two looks', () => looks > 1 || undefined)
    } finally {
      watch.stop()
    }
    const without = new DoorWatch(
      { door: undefined, log: createLog('error'), onLook: () => assert.fail('nothing to look at') },
      1,
    )
    without.start()
    without.changed()
    assert.deepEqual(await without.behind({ reason: 'x' }), { reason: 'x' })
    without.stop()
  })

  it('keeps no table of ours when all is removed, though it can not be closed', async () => {
    const kernel = new FakeKernel()
    const did: string[] = []
    const door: ForwardDoor = {
      open: async () => undefined,
      close: async () => {
        did.push('door')
        throw new Error('iptables-nft is gone')
      },
    }
    const enforcement = enforcementOn(kernel, { door })
    await enforcement.start()
    const replace = kernel.replace.bind(kernel)
    kernel.replace = async (text) => {
      did.push('tables')
      await replace(text)
    }
    await enforcement.stop(true)
    assert.deepEqual(did, ['tables', 'door'])
    assert.match(kernel.texts.at(-1) ?? '', /delete table inet homespin/)
  })

  it('shuts off a mode that it is found in the way of, and lets it act again', async () => {
    let shut: string | undefined
    const door: ForwardDoor = { open: async () => shut, close: async () => {} }
    const kernel = new FakeKernel()
    const enforcement = enforcementOn(kernel, { door })
    await enforcement.start()
    try {
      assert.equal(enforcement.capabilities().enforce?.ok, true)
      shut = SHUT
      kernel.onForeignChange({ by: [], missed: false })
      await until(
        'it to be seen',
        () => enforcement.capabilities().enforce?.reason === SHUT || undefined,
      )
      shut = undefined
      kernel.onForeignChange({ by: [], missed: false })
      await until('it to be open', () => enforcement.capabilities().enforce?.ok || undefined)
    } finally {
      await enforcement.stop(false)
    }
  }).timeout(20_000)
})
