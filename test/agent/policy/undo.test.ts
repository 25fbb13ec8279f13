import assert from 'node:assert/strict'
import { block, device, id, ME, make, quarantine, removeAll } from './desk.ts'

const NINE = { endpoint: '203.0.113.9' }
const EIGHT = { endpoint: '203.0.113.8' }

describe('Policy: the journal and undo', function () {
  this.timeout(60_000)
  afterEach(removeAll)

  it('an entry says who, why, when, until when, and what it takes to undo it', async () => {
    const { policy, time, told } = await make()
    const by = {
      actor: { kind: 'automation', name: 'Bed\u202etime\n', via: 'mqtt' },
      reason: 'it is\u0000late',
    } as const
    await policy.order(quarantine(1, 'internet_only'), ME)
    const { rules } = await policy.order(quarantine(1, 'local_only', { forS: 600 }), by)
    await policy.order(quarantine(1, 'local_only', { forS: 90 }), by)
    const { entries, total } = policy.journal(undefined, 1)
    assert.equal(total, 3)
    assert.deepEqual(entries[0], told.journal[2])
    const { added, removed, ...rest } = entries[0] as (typeof entries)[0]
    assert.deepEqual(rest, {
      seq: 3,
      time_ms: time.wallMs,
      actor: { kind: 'automation', name: 'Bed time', via: 'mqtt' },
      verb: 'quarantine',
      sentence: 'device 1 is quarantined (local_only) for 1.5 minutes.',
      reason: 'it is late',
    })
    assert.deepEqual(
      removed.map((rule) => rule.id),
      [rules[0]?.id],
    )
    assert.equal(added[0]?.until_ms, time.wallMs + 90_000)
    assert.ok(!('key' in (added[0] ?? {})))
    assert.deepEqual(
      policy.journal(3, 10).entries.map(({ seq }) => seq),
      [2, 1],
    )
  })

  it('undo takes back the last change that stands, step by step, and each can be undone itself', async () => {
    const { policy, kernel } = await make()
    const levels = (): unknown[] => [1, 2].map((n) => kernel.level(id(n)))
    await policy.order(quarantine(1, 'full'), ME)
    await policy.order(quarantine(2, 'full'), ME)
    await policy.lift({ subject: { device_id: id(1) } }, ME)
    assert.deepEqual(levels(), [undefined, 'full'])
    await policy.undo({}, ME)
    assert.deepEqual(levels(), ['full', 'full'])
    await policy.undo({}, ME)
    assert.deepEqual(levels(), ['full', undefined])
    const { journal_seq } = await policy.undo({}, ME)
    assert.deepEqual(levels(), [undefined, undefined])
    await assert.rejects(policy.undo({}, ME), { code: 'conflict', message: /nothing to undo/ })
    await policy.undo({ seq: journal_seq as number }, ME)
    assert.deepEqual(levels(), ['full', undefined])
    const first = policy.journal(2, 1).entries[0]
    assert.equal(first?.undone_by, undefined)
    await policy.undo({}, ME)
    assert.deepEqual(levels(), [undefined, undefined])
  })

  it('panic releases everything and is undone as a whole', async () => {
    const { policy, kernel } = await make()
    for (let n = 1; n <= 10; n++) await policy.order(block(n, NINE), ME)
    await policy.order(
      { ...quarantine(1, 'full', { confirmS: 0 }), subject: { new_devices: true } },
      ME,
    )
    await policy.panic(ME)
    assert.deepEqual(kernel.desired, { devices: [], everyone: [], unknown: undefined })
    assert.deepEqual(await policy.panic(ME), { rules: [], policies: {} })
    await policy.undo({}, ME)
    assert.equal(policy.rules().length, 11)
    assert.equal(kernel.desired.devices.length, 10)
  })

  it('an order that was replaced is in conflict, and says with what', async () => {
    const { policy } = await make()
    await policy.order(block(1, NINE), ME)
    await policy.order(block(1, NINE), { ...ME, reason: 'anew' })
    await assert.rejects(policy.undo({ seq: 1 }, ME), {
      code: 'conflict',
      message: /ordered anew since \(entry 2\)/,
    })
    await assert.rejects(policy.undo({ seq: 77 }, ME), { code: 'not_found' })
    await policy.undo({ seq: 2 }, ME)
    assert.equal(policy.rules()[0]?.reason, 'a test')
    await assert.rejects(policy.undo({ seq: 2 }, ME), {
      code: 'conflict',
      message: /already undone, by 3/,
    })
  })

  it('what has ended stays away; an end is not prolonged', async () => {
    const { policy, kernel, time, settle } = await make()
    await policy.order(quarantine(1, 'full', { forS: 60 }), ME)
    await policy.order(quarantine(2, 'full', { forS: 600 }), ME)
    await policy.panic(ME)
    time.pass(100_000)
    await policy.undo({}, ME)
    assert.equal(kernel.level(id(1)), undefined)
    assert.equal(kernel.device(id(2))?.level?.untilBootMs, time.boot + 500_000)
    time.pass(500_000)
    await settle()
    await assert.rejects(policy.undo({}, ME), { code: 'conflict', message: /nothing to undo/ })
    const [expired] = policy.journal(undefined, 1).entries
    await assert.rejects(policy.undo({ seq: expired?.seq as number }, ME), {
      code: 'conflict',
      message: /what is over stays over/,
    })
  })

  it('groups and acceptance are undone, unless they changed since', async () => {
    const { policy } = await make()
    await policy.setGroup({ id: 'g', name: 'one', device_ids: [id(1)] }, ME)
    await policy.setGroup({ id: 'g', name: 'two', device_ids: [id(2)] }, ME)
    await assert.rejects(policy.undo({ seq: 1 }, ME), { code: 'conflict', message: /was changed/ })
    await policy.undo({}, ME)
    assert.deepEqual(policy.groups(), [{ id: 'g', name: 'one', device_ids: [id(1)] }])
    await policy.order({ ...block(1, NINE), subject: { group_id: 'g' } }, ME)
    await assert.rejects(policy.undo({ seq: 1 }, ME), {
      code: 'conflict',
      message: /rules are about/,
    })
    await policy.lift({ action: 'block' }, ME)
    await policy.removeGroup('g', ME)
    await assert.rejects(policy.undo({ seq: 5 }, ME), {
      code: 'not_found',
      message: /no such group/,
    })
    await policy.undo({}, ME)
    await policy.undo({}, ME)
    assert.equal(policy.rules()[0]?.state, 'active')
  })

  it('what became protected is not brought back', async () => {
    const { policy, kernel } = await make()
    await policy.order(block(1, NINE), ME)
    await policy.panic(ME)
    kernel.refuses = () => ({ code: 'protected', message: 'It is the broker now.' })
    await assert.rejects(policy.undo({}, ME), { code: 'refused', message: /broker/ })
  })

  it('back to a time: everything as it was then, as one change that can be undone', async () => {
    const { policy, time, kernel, again } = await make()
    await policy.setGroup({ id: 'g', name: 'g', device_ids: [id(1)] }, ME)
    await policy.order(block(1, NINE), ME)
    await policy.order(
      { ...quarantine(1, 'full', { confirmS: 0 }), subject: { new_devices: true } },
      ME,
    )
    const then = policy.rules().map((rule) => rule.id)
    const at = time.wallMs
    time.pass(1000)
    await policy.order(block(1, NINE), { ...ME, reason: 'anew' })
    await policy.order(block(2, EIGHT, { forS: 60 }), ME)
    await policy.setGroup({ id: 'g', name: 'g', device_ids: [id(1), id(2)] }, ME)
    await policy.accept(id(3), false, ME)
    await policy.undo({}, ME)
    await policy.setGroup({ id: 'h', name: 'h', device_ids: [] }, ME)
    await policy.lift({ subject: { new_devices: true } }, ME)
    const { journal_seq } = await policy.undo({ toMs: at }, ME)
    assert.deepEqual(
      policy
        .rules()
        .map((rule) => rule.id)
        .toSorted(),
      then.toSorted(),
    )
    assert.deepEqual(policy.groups(), [{ id: 'g', name: 'g', device_ids: [id(1)] }])
    assert.deepEqual(await policy.undo({ toMs: time.wallMs }, ME), { rules: [], policies: {} })
    const next = await again()
    assert.deepEqual(
      next.policy
        .rules()
        .map((rule) => rule.id)
        .toSorted(),
      then.toSorted(),
    )
    await next.policy.undo({ seq: journal_seq as number }, ME)
    assert.equal(next.policy.rules().length, 2)
    assert.equal(next.policy.groups().length, 2)
    assert.equal(kernel.matches(id(2)).length, 1)
    await next.policy.undo({ toMs: 0 }, ME)
    assert.deepEqual([next.policy.rules(), next.policy.groups()], [[], []])
    // The first default policy was undone, too: everybody counts as accepted again.
    next.devices.set(id(50), device(50))
    assert.equal(next.policy.policyOf(id(50)).accepted, true)
  })
})
