import assert from 'node:assert/strict'
import type { Term } from '../../../agent/policy/contract.ts'
import { NOTHING } from '../../../agent/policy/desired.ts'
import type { WallFacts } from '../../../agent/policy/timers.ts'
import { isBelieved } from '../../../agent/policy/timers.ts'
import type { Schedule } from '../../../protocol/policy.ts'
import { until } from '../mqtt/listener.ts'
import { block, id, ME, make, quarantine, removeAll, setTime } from './desk.ts'

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

  it('the clock on the wall is believed where somebody keeps it right, else after a while', () => {
    const wallMs = Date.UTC(2026, 5, 1)
    const believed = (facts: Partial<WallFacts>): boolean =>
      isBelieved({
        ...{ kernelSays: false, timesyncdSays: undefined, trusted: false, wallMs, bootMs: MINUTE },
        ...facts,
      })
    assert.equal(believed({}), false, 'a date alone is no proof')
    assert.equal(believed({ kernelSays: true, wallMs: 0 }), true)
    assert.equal(believed({ timesyncdSays: true }), true)
    assert.equal(believed({ timesyncdSays: false }), false)
    assert.equal(believed({ trusted: true }), true)
    assert.equal(believed({ bootMs: 15 * MINUTE }), true)
    assert.equal(believed({ bootMs: 15 * MINUTE, wallMs: 0 }), false)
    assert.equal(believed({ kernelSays: undefined }), true, 'as far as it can be known')
    assert.equal(believed({ kernelSays: undefined, timesyncdSays: false }), false)
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

  it('an uptime that begins anew under one boot id is another boot', async () => {
    const first = await make()
    const { time } = first
    time.boot = 10 * 86_400_000
    await first.policy.order(quarantine(1, 'full', { forS: 3600 }), ME)
    await first.policy.order(quarantine(2, 'full', { forS: 3600 }), ME)
    await first.policy.lift({ subject: { device_id: id(2) } }, ME)
    time.pass(10 * MINUTE)
    const restarted = (): void => {
      time.boot = 5000
      time.wallMs += 20 * MINUTE
    }
    const second = await first.again(restarted)
    assert.equal(second.kernel.device(id(1))?.level?.untilBootMs, time.boot + 30 * MINUTE)
    assert.equal(second.policy.rules()[0]?.until_ms, time.wallMs + 30 * MINUTE)
    // What comes back from the journal has the same end.
    await second.policy.undo({ seq: 3 }, ME)
    assert.equal(second.kernel.device(id(2))?.level?.untilBootMs, time.boot + 30 * MINUTE)
    time.pass(2 * MINUTE)
    const third = await second.again()
    assert.equal(third.kernel.device(id(1))?.level?.untilBootMs, time.boot + 28 * MINUTE)
    const fourth = await third.again(restarted)
    assert.equal(fourth.kernel.device(id(1))?.level?.untilBootMs, time.boot + 8 * MINUTE)
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

  it('what is ordered for a while never ends what lasts, and lifting takes both', async () => {
    const { policy, kernel, time, settle } = await make()
    const level = (): unknown => kernel.level(id(1))
    for (const order of [
      (term: Term) => quarantine(1, 'full', term),
      (term: Term) => block(1, {}, term),
    ]) {
      await policy.order(order({}), ME)
      await policy.order(order({ forS: 60 }), { ...ME, reason: 'a while' })
      assert.equal(policy.rules().length, 2)
      time.pass(60_000)
      await settle()
      assert.equal(level(), 'full')
      assert.equal(policy.policyOf(id(1)).in_force, true)
      await policy.order(order({ forS: 60 }), ME)
      // The same for a while: its end is the new one.
      await policy.order(order({ forS: 90 }), ME)
      assert.equal(policy.rules().length, 2)
      const { rules } = await policy.lift({ subject: { device_id: id(1) } }, ME)
      assert.equal(rules.length, 2)
      assert.equal(level(), undefined)
    }
    await policy.order(block(1, NINE, { forS: 60 }), ME)
    await policy.order(block(1, NINE), ME)
    assert.equal(policy.rules().length, 1)
    assert.equal(kernel.matches(id(1))[0]?.untilBootMs, undefined)
    await policy.undo({}, ME)
    assert.equal(kernel.matches(id(1))[0]?.untilBootMs, time.boot + 60_000)
  })

  it('what a detector orders shortens nothing, not even what it ordered itself', async () => {
    const { policy, kernel, time, settle } = await make()
    const detector = { ...ME, actor: { kind: 'detector', via: 'detector' } } as const
    const end = (): unknown => kernel.device(id(1))?.level?.untilBootMs
    const hours = (n: number): Term => ({ forS: n * 3600 })
    await policy.order(quarantine(1, 'full', hours(24)), ME)
    await policy.order(quarantine(1, 'full', hours(1)), detector)
    assert.equal(end(), time.boot + 24 * 3_600_000)
    time.pass(3_600_000)
    await settle()
    assert.equal(kernel.level(id(1)), 'full')
    await policy.panic(ME)
    await policy.order(quarantine(1, 'full', hours(2)), detector)
    await policy.order(quarantine(1, 'full', hours(1)), detector)
    assert.equal(end(), time.boot + 2 * 3_600_000)
    await policy.order(quarantine(1, 'full', hours(3)), detector)
    assert.equal(end(), time.boot + 3 * 3_600_000)
    assert.equal(policy.rules().length, 1)
    // What others order for a while lies beside it; what they order to last takes its place.
    await policy.order(quarantine(1, 'full', hours(1)), ME)
    assert.equal(end(), time.boot + 3 * 3_600_000)
    await policy.order(quarantine(1, 'full'), ME)
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
})
