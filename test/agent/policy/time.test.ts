import assert from 'node:assert/strict'
import { NOTHING } from '../../../agent/policy/desired.ts'
import type { Schedule } from '../../../protocol/policy.ts'
import { until } from '../mqtt/listener.ts'
import { block, device, id, ME, make, quarantine, removeAll, setTime } from './desk.ts'

const MINUTE = 60_000
const YEAR = 366 * 86_400_000
const NINE = { endpoint: '203.0.113.9' }

describe('Policy: time', function () {
  this.timeout(30_000)
  afterEach(removeAll)

  it('an end comes on time, in the journal by the system, and the kernel knows it beforehand', async () => {
    const { policy, kernel, time, settle, told } = await make()
    const { rules } = await policy.order(quarantine(1, 'full', { forS: 1800 }), ME)
    assert.equal(rules[0]?.until_ms, time.wallMs + 30 * MINUTE)
    assert.equal(kernel.device(id(1))?.level?.untilBootMs, time.boot + 30 * MINUTE)
    assert.equal(policy.policyOf(id(1)).level_until_ms, time.wallMs + 30 * MINUTE)
    time.pass(30 * MINUTE - 1)
    await settle()
    assert.equal(kernel.level(id(1)), 'full')
    time.pass(1)
    await settle()
    assert.equal(kernel.level(id(1)), undefined)
    const [entry] = policy.journal(undefined, 1).entries
    assert.deepEqual(
      [entry?.verb, entry?.actor.kind, entry?.actor.via, entry?.removed.length],
      ['expire', 'system', 'timer', 1],
    )
    assert.ok(told.events.some(({ kind }) => kind === 'rule_expired'))
  })

  it('between its end and the look at it a rule is over, and did not fail', async () => {
    const { policy, kernel, time } = await make()
    await policy.order(quarantine(1, 'full', { forS: 60 }), ME)
    await policy.order(block(2, NINE, { forS: 60 }), ME)
    time.pass(60_000)
    // The kernel has let go by itself.
    kernel.desired = NOTHING
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(
      policy.rules().map(({ state, state_reason }) => [state, state_reason]),
      [
        ['idle', 'Its time is over.'],
        ['idle', 'Its time is over.'],
      ],
    )
    assert.equal(policy.policyOf(id(1)).problem, undefined)
    assert.equal(policy.policyOf(id(2)).problem, undefined)
  })

  it('by itself, without being asked', async () => {
    const time = setTime()
    const began = performance.now()
    time.bootMs = () => time.boot + (performance.now() - began)
    const { policy, kernel } = await make({ time })
    await policy.order(quarantine(1, 'full', { forS: 1 }), ME)
    await until(() => kernel.level(id(1)) === undefined, 3000)
    assert.ok(performance.now() - began >= 1000)
  })

  it('a clock that jumps by a year moves no end by two seconds', async () => {
    for (const jump of [YEAR, -YEAR, 3_600_000, -3_600_000]) {
      const { policy, kernel, time, settle } = await make()
      await policy.order(quarantine(1, 'full', { forS: 600 }), ME)
      await policy.order(quarantine(2, 'full', { probationS: 600 }), ME)
      await policy.order(quarantine(3, 'full', { confirmS: 600 }), ME)
      time.pass(300_000)
      time.wallMs += jump
      await settle()
      const [rule] = policy.rules()
      assert.equal(rule?.until_ms, time.wallMs + 300_000)
      time.pass(298_000)
      await settle()
      assert.deepEqual(
        [1, 2, 3].map((n) => kernel.level(id(n))),
        ['full', 'full', 'full'],
      )
      time.pass(2_000)
      await settle()
      assert.deepEqual(
        [1, 2, 3].map((n) => kernel.level(id(n))),
        [undefined, undefined, undefined],
      )
    }
  })

  it('a restart of the agent moves no end, whatever the wall did meanwhile', async () => {
    const first = await make()
    await first.policy.order(quarantine(1, 'full', { forS: 600 }), ME)
    const { kernel, time, settle } = await first.again(() => {
      first.time.pass(200_000)
      first.time.wallMs += YEAR
    })
    assert.equal(kernel.device(id(1))?.level?.untilBootMs, time.boot + 400_000)
    time.pass(400_000)
    await settle()
    assert.equal(kernel.level(id(1)), undefined)
  })

  it('over a reboot by the wall, where it is synchronised', async () => {
    const first = await make()
    await first.policy.order(quarantine(1, 'full', { forS: 3600 }), ME)
    await first.policy.order(quarantine(2, 'full', { forS: 60 }), ME)
    const { kernel, time } = await first.again(() => first.time.reboot(20 * MINUTE))
    assert.equal(kernel.device(id(1))?.level?.untilBootMs, time.boot + 40 * MINUTE)
    assert.equal(kernel.level(id(2)), undefined)
  })

  it('over a reboot by what was left, where it is not; by the wall once it is, never later', async () => {
    const first = await make()
    await first.policy.order(quarantine(1, 'full', { forS: 3600 }), ME)
    first.time.pass(10 * MINUTE)
    const next = await first.again(() => {
      first.time.reboot(0)
      first.time.wallMs = Date.UTC(1970, 0, 1)
      first.time.isSynchronised = false
    })
    const { kernel, time, settle } = next
    assert.equal(kernel.device(id(1))?.level?.untilBootMs, time.boot + 50 * MINUTE)
    // Once more, before anybody says what time it is.
    const third = await next.again(() => time.reboot(MINUTE))
    assert.equal(kernel.device(id(1))?.level?.untilBootMs, time.boot + 50 * MINUTE)
    time.pass(MINUTE)
    time.wallMs = Date.UTC(2026, 5, 1, 12) + 45 * MINUTE
    time.isSynchronised = true
    await third.settle()
    assert.equal(kernel.device(id(1))?.level?.untilBootMs, time.boot + 15 * MINUTE)
    await settle()
  })

  it('what was ordered under a wrong clock keeps what was left over a reboot', async () => {
    const time = setTime(Date.UTC(1970, 0, 1))
    time.isSynchronised = false
    const first = await make({ time })
    await first.policy.order(quarantine(1, 'full', { forS: 3600 }), ME)
    const { kernel } = await first.again(() => {
      time.reboot(0)
      time.wallMs = Date.UTC(2026, 5, 1)
      time.isSynchronised = true
    })
    assert.equal(kernel.device(id(1))?.level?.untilBootMs, time.boot + 3600_000)
  })

  const night: Schedule = {
    time_zone: 'Europe/Amsterdam',
    windows: [{ days: [1, 2, 3, 4, 5, 6, 7], from: '22:00', to: '06:00' }],
  }

  it('a schedule waits for a clock that can be believed, then holds in the window that it is', async () => {
    const time = setTime(Date.UTC(1970, 0, 1))
    time.isSynchronised = false
    const { policy, kernel, settle } = await make({ time })
    const { rules } = await policy.order(quarantine(1, 'local_only', { schedule: night }), ME)
    assert.deepEqual(
      [rules[0]?.state, rules[0]?.state_reason],
      ['idle', 'It waits until the clock is synchronised.'],
    )
    time.wallMs = Date.UTC(2026, 5, 1, 21)
    time.isSynchronised = true
    await settle()
    assert.equal(kernel.level(id(1)), 'local_only')
    assert.equal(kernel.device(id(1))?.level?.untilBootMs, time.boot + 7 * 3_600_000)
    time.pass(7 * 3_600_000)
    await settle()
    assert.equal(kernel.level(id(1)), undefined)
    assert.equal(policy.rules()[0]?.state, 'idle')
    time.pass(16 * 3_600_000)
    await settle()
    assert.equal(kernel.level(id(1)), 'local_only')
    // The clock is set: the window is that of the new time.
    time.wallMs += 12 * 3_600_000
    await settle()
    assert.equal(kernel.level(id(1)), undefined)
  })

  it('a window begins though the clocks drift, whichever is ahead', async () => {
    for (const drift of [300, 1, -1, -300]) {
      const time = setTime(Date.UTC(2026, 5, 1, 19, 59, 59))
      const { policy, kernel, settle } = await make({ time })
      await policy.order(quarantine(1, 'local_only', { schedule: night }), ME)
      time.wallMs += drift
      time.pass(1000 - Math.max(0, drift))
      // Asked about, as it is all the time, just when one of them has passed it.
      await settle()
      assert.equal(policy.rules().length, 1)
      time.pass(Math.abs(drift) + 1)
      await settle()
      assert.equal(kernel.level(id(1)), 'local_only', `${drift} ms`)
    }
  })

  it('a pause is laid over a schedule and over what lasts, and takes nothing away', async () => {
    const { policy, kernel, time, settle } = await make()
    await policy.order(quarantine(1, 'local_only', { schedule: night }), ME)
    await policy.order(quarantine(1, 'internet_only'), ME)
    await policy.order(quarantine(1, 'local_only', { forS: 60 }), ME)
    assert.equal(kernel.level(id(1)), 'local_only')
    time.pass(60_000)
    await settle()
    assert.equal(kernel.level(id(1)), 'internet_only')
    // A level that is ordered to last takes the place of the other, the milder one too.
    await policy.order(quarantine(1, 'full'), ME)
    await policy.order(quarantine(1, 'internet_only'), ME)
    assert.equal(kernel.level(id(1)), 'internet_only')
    // Not so what a detector orders.
    const detector = { ...ME, actor: { kind: 'detector', via: 'detector' } } as const
    await policy.order(quarantine(1, 'full'), ME)
    await policy.order(quarantine(1, 'local_only'), detector)
    assert.equal(kernel.level(id(1)), 'full')
    assert.equal(policy.rules().length, 3)
  })

  it('a pause at the level that lasts ends, and what lasts does not', async () => {
    const { policy, kernel, time, settle } = await make()
    const detector = { ...ME, actor: { kind: 'detector', via: 'detector' } } as const
    // In either order; and whoever ordered what lasts, with a probation or without.
    for (const [by, term] of [
      [ME, {}],
      [detector, {}],
      [detector, { probationS: 3600 }],
    ] as const) {
      for (const isFirst of [true, false]) {
        if (isFirst) await policy.order(quarantine(1, 'full', term), by)
        await policy.order(quarantine(1, 'full', { forS: 60 }), ME)
        if (!isFirst) await policy.order(quarantine(1, 'full', term), by)
        time.pass(60_000)
        await settle()
        assert.equal(kernel.level(id(1)), 'full', `${by.actor.kind} ${isFirst}`)
        await policy.lift({ action: 'quarantine' }, ME)
        assert.equal(kernel.level(id(1)), undefined)
      }
    }
    // A detector's hour does not cut short what was ordered for the night.
    await policy.order(quarantine(1, 'full', { forS: 3600 }), ME)
    await policy.order(quarantine(1, 'full', { forS: 60 }), detector)
    time.pass(60_000)
    await settle()
    assert.equal(kernel.level(id(1)), 'full')
    await policy.lift({ action: 'quarantine' }, ME)
    // Two for a while are one.
    await policy.order(quarantine(1, 'full', { forS: 60 }), ME)
    await policy.order(quarantine(1, 'full', { forS: 30 }), ME)
    assert.equal(policy.rules().length, 1)
  })

  it('a probation ends when it was quiet for so long; evidence begins it anew, over a restart too', async () => {
    const first = await make()
    const { time } = first
    await first.policy.setGroup({ id: 'g', name: 'g', device_ids: [id(2)] }, ME)
    await first.policy.order(quarantine(1, 'full', { probationS: 600 }), ME)
    const toGroup = { ...quarantine(1, 'full', { probationS: 600 }), subject: { group_id: 'g' } }
    await first.policy.order(toGroup, ME)
    time.pass(500_000)
    first.policy.evidence(id(1))
    first.policy.evidence(id(2))
    const { policy, kernel, settle } = await first.again(() => time.pass(500_000))
    assert.equal(kernel.level(id(1)), 'full')
    assert.equal(kernel.level(id(2)), 'full')
    assert.equal(policy.rules()[0]?.probation_s, 600)
    time.pass(100_000)
    await settle()
    assert.equal(kernel.level(id(1)), undefined)
    assert.equal(kernel.level(id(2)), undefined)
    assert.equal(policy.journal(undefined, 1).entries[0]?.verb, 'probation-end')
  })

  it('what is risky is rolled back unless it is confirmed, to what was before', async () => {
    const known = [
      ...Array.from({ length: 10 }, (_, n) => device(n + 1)),
      device(11, { shared: true }),
      device(12, { infrastructure: true }),
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
    assert.equal(await isRisky(on({ device_id: id(12) })), true)
    assert.equal(await isRisky(on({ device_id: id(1) })), false)
    assert.equal(await isRisky({ ...block(1, NINE), subject: { everyone: true } }), true)
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
    await assert.rejects(policy.confirm(rules[0]?.id as string, ME), { code: 'not_found' })

    const again = await policy.order({ ...quarantine(1, 'full'), subject: { everyone: true } }, ME)
    const confirmed = await policy.confirm(again.rules[0]?.id as string, ME)
    assert.equal(confirmed.rules[0]?.confirm_until_ms, undefined)
    time.pass(YEAR)
    await settle()
    assert.equal(kernel.level(id(5)), 'full')
    await assert.rejects(policy.confirm(again.rules[0]?.id as string, ME), { code: 'conflict' })
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
