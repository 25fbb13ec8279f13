import assert from 'node:assert/strict'
import type { Order } from '../../../agent/policy/contract.ts'
import type { Made } from './desk.ts'
import { block, id, ME, make, quarantine, removeAll } from './desk.ts'

const GROUP = { group_id: 'g' }
const NINE = { endpoint: '203.0.113.9' }

describe('Policy: groups that change, and what they still hold', function () {
  this.timeout(30_000)
  afterEach(removeAll)

  const ofGroup = (order: Order): Order => ({ ...order, subject: GROUP })

  /** Sets the members of the group. */
  const set = ({ policy }: Made, ...members: number[]) =>
    policy.setGroup({ id: 'g', name: 'Kids', device_ids: members.map(id) }, ME)

  const shut = ({ kernel }: Made): number[] =>
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].filter((n) => kernel.level(id(n)) === 'full')

  it('many that join a group that is shut leave it again unless that is confirmed', async () => {
    const home = await make()
    const { policy, kernel, time, settle, told } = home
    await set(home, 1)
    await policy.order(ofGroup(quarantine(1, 'full', { forS: 3600 })), ME)
    // One more is no risk, nor is it one that the block of an address is about.
    await set(home, 1, 2)
    assert.equal(policy.groups()[0]?.confirm_until_ms, undefined)
    const { groups } = await set(home, 1, 2, 3, 4, 5, 6)
    const [group] = policy.groups()
    assert.deepEqual(groups, [group])
    assert.deepEqual(group?.joining, [3, 4, 5, 6].map(id))
    assert.equal(group?.confirm_until_ms, time.wallMs + 60_000)
    assert.deepEqual(shut(home), [1, 2, 3, 4, 5, 6])
    // The kernel lets go of them by itself, and of the others when it is time.
    assert.equal(kernel.device(id(3))?.level?.untilBootMs, time.boot + 60_000)
    assert.equal(kernel.device(id(2))?.level?.untilBootMs, time.boot + 3600_000)
    time.pass(60_000)
    await settle()
    assert.deepEqual(shut(home), [1, 2])
    assert.deepEqual(policy.groups(), [{ id: 'g', name: 'Kids', device_ids: [1, 2].map(id) }])
    const [entry] = policy.journal(undefined, 1).entries
    assert.deepEqual([entry?.verb, entry?.actor.kind], ['roll-back', 'system'])
    assert.ok(told.events.some(({ kind }) => kind === 'rolled_back'))
    await assert.rejects(policy.confirm({ groupId: 'g' }, ME), { code: 'conflict' })
  })

  it('once confirmed they stay, over a restart too; undo takes the change back', async () => {
    const first = await make()
    await set(first, 1)
    await first.policy.order(ofGroup(quarantine(1, 'full')), ME)
    const { journal_seq } = await set(first, 1, 2, 3, 4, 5)
    const home = await first.again()
    assert.equal(home.kernel.device(id(3))?.level?.untilBootMs, home.time.boot + 60_000)
    await home.policy.confirm({ groupId: 'g' }, ME)
    home.time.pass(61_000)
    await home.settle()
    assert.deepEqual(shut(home), [1, 2, 3, 4, 5])
    assert.equal(home.kernel.device(id(3))?.level?.untilBootMs, undefined)
    await home.policy.undo({ seq: journal_seq as number }, ME)
    assert.deepEqual(shut(home), [1])
  })

  it('those who wait to be confirmed go on waiting when more join, and leave at the start of an agent that was dead', async () => {
    const first = await make()
    await set(first, 1)
    await first.policy.order(ofGroup(quarantine(1, 'full')), ME)
    await set(first, 1, 2, 3, 4)
    await set(first, 1, 2, 3, 4, 5)
    assert.deepEqual(first.policy.groups()[0]?.joining, [2, 3, 4, 5].map(id))
    const home = await first.again(() => first.time.pass(61_000))
    await home.settle()
    assert.deepEqual(shut(home), [1])
    assert.equal(home.policy.groups()[0]?.joining, undefined)
  })

  it('what still holds a device is told when what is lifted was not all', async () => {
    const home = await make()
    const { policy } = home
    await set(home, 1)
    await policy.order(ofGroup(quarantine(1, 'full', { confirmS: 0 })), ME)
    const own = { subject: { device_id: id(1) } }
    const none = await policy.lift({ action: 'quarantine', ...own }, ME)
    assert.deepEqual(none.rules, [])
    assert.equal(none.policies[id(1)]?.level, 'full')
    assert.equal(
      none.still_held,
      'device 1 is still held: group Kids is quarantined (full). Release group g, too.',
    )
    await policy.order(quarantine(1, 'full'), ME)
    const some = await policy.lift({ action: 'quarantine', ...own }, ME)
    assert.equal(some.rules.length, 1)
    assert.match(some.still_held ?? '', /group Kids/)
    // By its id, too; and of a group what holds one of its devices.
    const { rules } = await policy.order(block(1, {}), ME)
    const [whole] = policy.rules().filter(({ subject }) => 'group_id' in subject)
    const group = await policy.lift({ ruleId: whole?.id as string }, ME)
    assert.match(group.still_held ?? '', /device 1 is blocked\. Unblock it, too\./)
    const last = await policy.lift({ ruleId: rules[0]?.id as string }, ME)
    assert.equal(last.still_held, undefined)
    assert.equal(last.policies[id(1)]?.level, undefined)
  })

  it('also what closes the same by another rule: everyone, new devices, a restriction', async () => {
    const { policy } = await make()
    const own = { subject: { device_id: id(1) } }
    await policy.order({ ...block(1, NINE), subject: { everyone: true } }, ME)
    await policy.order(block(1, NINE), ME)
    const block9 = await policy.lift({ action: 'block', match: NINE, ...own }, ME)
    assert.match(block9.still_held ?? '', /for every device\. Unblock everyone, too\./)
    const all = await policy.lift({ action: 'block', ...own }, ME)
    assert.equal(all.still_held, undefined, 'the device itself is open')
    const restrict = {
      action: 'restrict',
      restriction: 'no_encrypted_dns',
      subject: { everyone: true },
      term: {},
    } as const
    await policy.order(restrict, ME)
    const free = await policy.lift({ action: 'restrict', ...own }, ME)
    assert.match(free.still_held ?? '', /encrypted DNS.*Unrestrict everyone/)
    const fresh = { ...quarantine(1, 'full', { confirmS: 0 }), subject: { new_devices: true } }
    await policy.order(fresh as Order, ME)
    await policy.accept(id(1), false, ME)
    const held = await policy.lift({ action: 'quarantine', ...own }, ME)
    assert.match(held.still_held ?? '', /Accept the device, or release new devices/)
  })
})
