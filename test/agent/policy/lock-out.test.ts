import assert from 'node:assert/strict'
import type { Order as Asked } from '../../../agent/enforce/contract.ts'
import type { Order } from '../../../agent/policy/contract.ts'
import type { Level, Subject } from '../../../protocol/policy.ts'
import type { Made } from './desk.ts'
import { block, id, ME, make, quarantine, removeAll } from './desk.ts'

const OWN = { device_id: id(1) }
/** The first device asks: by IPv4 in the form that a socket of IPv6 tells. */
const MINE = { ...ME, asker: '::ffff:192.0.2.1' }
const REFUSED = { code: 'refused', message: 'It is the one that asks.' }

describe('Policy: who asks does not lock themselves out', function () {
  this.timeout(30_000)
  afterEach(removeAll)

  /** Refuses what shuts off the device that asks, as enforce/ does. */
  async function made(): Promise<Made> {
    const home = await make()
    home.kernel.refuses = ({ action, devices, asker, level }: Asked) =>
      action === 'quarantine' && asker && level !== 'observe' && devices[0]?.id === id(1)
        ? { code: 'protected', message: REFUSED.message }
        : undefined
    return home
  }

  function level(subject: Subject, of: Level): Order {
    return { action: 'quarantine', subject, level: of, term: { confirmS: 0 } }
  }

  const exempt = (subject: Subject): Order => ({ action: 'allow', subject, match: {}, term: {} })

  it('by making its own device new again', async () => {
    const { policy, kernel } = await made()
    await policy.order(level({ new_devices: true }, 'full'), MINE)
    await assert.rejects(policy.accept(id(1), false, MINE), REFUSED)
    await policy.accept(id(2), false, MINE)
    await policy.accept(id(1), false, ME)
    assert.equal(kernel.desired.unknown?.free.includes(id(1)), false)
    // It is new now: nothing more may be ordered of such from there.
    await policy.lift({ subject: { new_devices: true } }, ME)
    await assert.rejects(policy.order(level({ new_devices: true }, 'full'), MINE), REFUSED)
    await policy.order(level({ new_devices: true }, 'observe'), MINE)
  })

  it('by lifting its own exception, whole or in part', async () => {
    const { policy } = await made()
    await policy.order(exempt(OWN), ME)
    await policy.order(level({ everyone: true }, 'full'), ME)
    await assert.rejects(policy.lift({ action: 'allow', subject: OWN }, MINE), REFUSED)
    await assert.rejects(policy.undo({ seq: 1 }, MINE), REFUSED)
    assert.equal(policy.rules().length, 2)
    await policy.lift({ action: 'allow', subject: OWN }, ME)
    const endpoint = '192.0.2.250'
    await policy.order({ ...block(1, { endpoint }), action: 'allow' }, ME)
    await assert.rejects(policy.lift({ match: { endpoint } }, MINE), REFUSED)
    await policy.lift({ action: 'quarantine', subject: { everyone: true } }, MINE)
    await policy.lift({ match: { endpoint } }, MINE)
  })

  it('by taking its own device out of a group that is exempt, or into one that is shut', async () => {
    const { policy } = await made()
    await policy.setGroup({ id: 'free', name: 'free', device_ids: [id(1), id(2)] }, ME)
    await policy.setGroup({ id: 'shut', name: 'shut', device_ids: [] }, ME)
    await policy.order(exempt({ group_id: 'free' }), ME)
    await policy.order(level({ everyone: true }, 'local_only'), ME)
    await policy.order(level({ group_id: 'shut' }, 'full'), ME)
    const set = (group: string, ...members: number[]) =>
      policy.setGroup({ id: group, name: group, device_ids: members.map(id) }, MINE)
    await assert.rejects(set('free', 2), REFUSED)
    await assert.rejects(set('shut', 1), REFUSED)
    await set('free', 1)
    await set('shut', 2)
  })

  it('and may do all that closes nothing of its own', async () => {
    const { policy } = await made()
    await policy.order(exempt(OWN), MINE)
    await policy.order(quarantine(2, 'full'), MINE)
    await policy.lift({ action: 'allow', subject: OWN }, MINE)
    await policy.undo({}, MINE)
    await policy.undo({ toMs: 0 }, MINE)
    assert.deepEqual(policy.rules(), [])
  })
})
