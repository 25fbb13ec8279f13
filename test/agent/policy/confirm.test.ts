import assert from 'node:assert/strict'
import type { Match, Restriction, Subject } from '../../../protocol/policy.ts'
import { block, device, id, ME, make, quarantine, removeAll } from './desk.ts'

const YEAR = 366 * 86_400_000
const NINE = { endpoint: '203.0.113.9' }

describe('Policy: what has to be confirmed', function () {
  this.timeout(30_000)
  afterEach(removeAll)

  it('what is risky is rolled back unless it is confirmed, to what was before', async () => {
    const known = [
      ...Array.from({ length: 10 }, (_, n) => device(n + 1)),
      device(11, { shared: true }),
      device(12),
    ]
    const { policy, kernel, time, settle, told } = await make({ known })
    await policy.setGroup({ id: 'few', name: 'few', device_ids: [1, 2, 3].map(id) }, ME)
    await policy.setGroup({ id: 'many', name: 'many', device_ids: [1, 2, 3, 4].map(id) }, ME)
    const on = (subject: object) => ({ ...quarantine(1, 'local_only'), subject }) as never
    const isRisky = async (order: Parameters<typeof policy.order>[0]): Promise<boolean> => {
      const { rules, journal_seq } = await policy.order(order, ME)
      await policy.undo({ seq: journal_seq as number }, ME)
      return rules[0]?.confirm_until_ms === time.wallMs + 60_000
    }
    assert.equal(await isRisky(on({ everyone: true })), true)
    assert.equal(await isRisky(on({ group_id: 'many' })), true)
    assert.equal(await isRisky(on({ group_id: 'few' })), false)
    assert.equal(await isRisky(on({ device_id: id(11) })), true)
    assert.equal(await isRisky(on({ device_id: id(1) })), false)
    // Whole devices, and what names nobody on the other side; not an address or a name, which keep nobody from the home.
    const blocked = (match: Match, subject: Subject) => ({ ...block(1, match), subject })
    for (const subject of [{ everyone: true }, { group_id: 'many' }] as const) {
      assert.equal(await isRisky(blocked({}, subject)), true)
      assert.equal(await isRisky(blocked({ protocol: 'tcp' }, subject)), true)
      assert.equal(await isRisky(blocked(NINE, subject)), false)
      assert.equal(await isRisky(blocked({ domain: 'ads.example.com' }, subject)), false)
      const restrict = (restriction: Restriction) =>
        ({ action: 'restrict', subject, restriction, term: {} }) as const
      assert.equal(await isRisky(restrict('allow_list')), true)
      assert.equal(await isRisky(restrict('no_encrypted_dns')), false)
    }
    assert.equal(await isRisky(blocked(NINE, { device_id: id(11) })), true)
    // Nobody gets more than a minute; who asks for less gets less.
    const confirmsIn = async (confirmS: number): Promise<number> => {
      const order = { ...quarantine(1, 'full', { confirmS }), subject: { everyone: true } } as const
      const { rules } = await policy.order(order, ME)
      await policy.undo({}, ME)
      return ((rules[0]?.confirm_until_ms ?? 0) - time.wallMs) / 1000
    }
    assert.deepEqual([await confirmsIn(3600), await confirmsIn(10)], [60, 10])
    assert.equal(
      await isRisky({ ...block(1, NINE), action: 'allow', subject: { everyone: true } }),
      false,
    )
    assert.equal(await isRisky({ ...quarantine(1, 'observe'), subject: { everyone: true } }), false)

    await policy.order(
      { ...quarantine(1, 'internet_only', { confirmS: 0 }), subject: { everyone: true } },
      ME,
    )
    const { rules } = await policy.order(
      { ...quarantine(1, 'full'), subject: { everyone: true } },
      ME,
    )
    assert.equal(kernel.level(id(5)), 'full')
    assert.equal(kernel.device(id(5))?.level?.untilBootMs, time.boot + 60_000)
    time.pass(58_000)
    await settle()
    assert.equal(kernel.level(id(5)), 'full')
    time.pass(2_000)
    await settle()
    assert.equal(kernel.level(id(5)), 'internet_only')
    const [entry] = policy.journal(undefined, 1).entries
    assert.deepEqual([entry?.verb, entry?.actor.kind], ['roll-back', 'system'])
    assert.ok(told.events.some(({ kind }) => kind === 'rolled_back'))
    await assert.rejects(policy.confirm({ ruleId: rules[0]?.id as string }, ME), {
      code: 'not_found',
    })

    const again = await policy.order({ ...quarantine(1, 'full'), subject: { everyone: true } }, ME)
    const confirmed = await policy.confirm({ ruleId: again.rules[0]?.id as string }, ME)
    assert.equal(confirmed.rules[0]?.confirm_until_ms, undefined)
    time.pass(YEAR)
    await settle()
    assert.equal(kernel.level(id(5)), 'full')
    await assert.rejects(policy.confirm({ ruleId: again.rules[0]?.id as string }, ME), {
      code: 'conflict',
    })
    // Undo takes back the order, not the word that confirmed it.
    await policy.undo({}, ME)
    assert.equal(kernel.level(id(5)), 'internet_only')
  })

  it('an order that nobody could confirm because the agent was dead is rolled back at its start', async () => {
    const first = await make()
    await first.policy.order({ ...quarantine(1, 'full'), subject: { everyone: true } }, ME)
    const { kernel, policy } = await first.again(() => first.time.pass(61_000))
    assert.equal(kernel.level(id(1)), undefined)
    assert.equal(policy.rules().length, 0)
  })
})
