import assert from 'node:assert/strict'
import type { Order } from '../../../agent/policy/contract.ts'
import type { Level, Subject } from '../../../protocol/policy.ts'
import { block, device, id, ME, make, quarantine, removeAll } from './desk.ts'

const NINE = { endpoint: '203.0.113.9' }

describe('Policy: what the kernel shall hold', function () {
  this.timeout(30_000)
  afterEach(removeAll)

  function level(subject: Subject, of: Level): Order {
    return { action: 'quarantine', subject, level: of, term: { confirmS: 0 } }
  }

  function exempt(subject: Subject): Order {
    return { action: 'allow', subject, match: {}, term: {} }
  }

  it('of several levels the strictest holds; a whole device that is allowed is out of the wider ones', async () => {
    const { policy, kernel } = await make()
    await policy.setGroup({ id: 'kids', name: 'Kids', device_ids: [id(1), id(2)] }, ME)
    await policy.order(level({ everyone: true }, 'internet_only'), ME)
    await policy.order(level({ group_id: 'kids' }, 'local_only'), ME)
    await policy.order(level({ device_id: id(1) }, 'observe'), ME)
    const levels = (): unknown[] => [1, 2, 3].map((n) => kernel.level(id(n)))
    assert.deepEqual(levels(), ['local_only', 'local_only', 'internet_only'])
    await policy.order(exempt({ device_id: id(1) }), ME)
    assert.deepEqual(levels(), ['observe', 'local_only', 'internet_only'])
    assert.deepEqual([...policy.observed], [id(1)])
    await policy.order(exempt({ device_id: id(3) }), ME)
    assert.deepEqual(levels(), ['observe', 'local_only', undefined])
    assert.deepEqual(kernel.desired.unknown?.free, [id(3)])
    await policy.order(level({ device_id: id(1) }, 'full'), ME)
    assert.deepEqual(levels(), ['full', 'local_only', undefined])
    assert.equal(policy.policyOf(id(3)).in_force, true)
    assert.ok(policy.rules().every(({ state }) => state === 'active'))
    await assert.rejects(policy.order(exempt({ everyone: true }), ME), { code: 'refused' })
  })

  it('blocks and exceptions of devices, groups and everyone, with what each is made of', async () => {
    const { policy, kernel } = await make()
    await policy.setGroup({ id: 'kids', name: 'Kids', device_ids: [id(1), id(2)] }, ME)
    await policy.order(
      {
        ...block(1, { endpoint: '2001:db8::/48', protocol: 'tcp', port: 80, port_to: 89 }),
        subject: { group_id: 'kids' },
      },
      ME,
    )
    await policy.order({ ...block(1, { domain: 'example.com' }), action: 'allow' }, ME)
    await policy.order({ ...block(1, NINE, { confirmS: 0 }), subject: { everyone: true } }, ME)
    const strip = (n: number) => kernel.matches(id(n)).map(({ ruleId: _, ...match }) => match)
    const ofGroup = { action: 'block', prefix: '2001:db8::/48', protocol: 6, ports: [80, 89] }
    assert.deepEqual(strip(1), [{ action: 'allow', domain: 'example.com' }, ofGroup])
    assert.deepEqual(strip(2), [ofGroup])
    assert.deepEqual(
      kernel.desired.everyone.map(({ action, prefix }) => [action, prefix]),
      [['block', '203.0.113.9/32']],
    )
    assert.equal(policy.policyOf(id(1)).rules.length, 3)
    assert.equal(policy.policyOf(id(9)).rules.length, 1)
    // Out of what is blocked for everyone, unless something of its own is closed.
    await policy.order(exempt({ device_id: id(3) }), ME)
    assert.deepEqual(strip(3), [{ action: 'allow', prefix: '203.0.113.9/32' }])
    await policy.order(quarantine(3, 'full'), ME)
    assert.deepEqual(strip(3), [])
    // A whole device that is blocked is shut off.
    await policy.order(block(4, {}), ME)
    assert.equal(kernel.level(id(4)), 'full')
    assert.equal(policy.policyOf(id(4)).desired_level, 'full')
  })

  it('restrictions hold as long as any order says so', async () => {
    const { policy, kernel, time } = await make()
    const order = (subject: Subject, forS?: number): Order => ({
      action: 'restrict',
      subject,
      restriction: 'no_encrypted_dns',
      term: { confirmS: 0, ...(forS === undefined ? {} : { forS }) },
    })
    await policy.order(order({ everyone: true }, 60), ME)
    await policy.order(order({ device_id: id(1) }, 600), ME)
    const ends = [1, 2].map((n) => kernel.device(id(n))?.restrictions.no_encrypted_dns?.untilBootMs)
    assert.deepEqual(ends, [time.boot + 600_000, time.boot + 60_000])
    assert.deepEqual(policy.policyOf(id(1)).restrictions, ['no_encrypted_dns'])
  })

  it('a device that was there when the default policy was ordered is accepted, one that comes is not', async () => {
    const { policy, kernel, devices } = await make({ known: [device(1), device(2)] })
    assert.equal(policy.policyOf(id(1)).accepted, true)
    await policy.accept(id(2), false, ME)
    await policy.order(level({ new_devices: true }, 'local_only'), ME)
    assert.equal(kernel.level(id(1)), undefined)
    assert.equal(kernel.level(id(2)), 'local_only')
    assert.equal(kernel.desired.unknown?.level?.level, 'local_only')
    assert.deepEqual(kernel.desired.unknown?.free, [id(1)])
    devices.set(id(3), device(3))
    policy.devicesChanged([id(3)])
    await policy.idle()
    assert.equal(kernel.level(id(3)), 'local_only')
    assert.equal(policy.policyOf(id(3)).accepted, false)
    await policy.accept(id(3), true, ME)
    assert.equal(kernel.level(id(3)), undefined)
    assert.deepEqual(kernel.desired.unknown?.free, [id(1), id(3)])
    assert.equal(policy.policyOf(id(3)).accepted, true)
    await policy.undo({}, ME)
    assert.equal(kernel.level(id(3)), 'local_only')
    assert.deepEqual(await policy.accept(id(3), false, ME), { rules: [], policies: {} })
    await assert.rejects(policy.accept(id(77), true, ME), { code: 'not_found' })
  })

  it('accepted devices stay so over a restart, seen or not', async () => {
    const first = await make({ known: [device(1), device(2)] })
    await first.policy.order(level({ new_devices: true }, 'full'), ME)
    const { policy, kernel } = await first.again(() => first.devices.delete(id(2)))
    assert.equal(policy.policyOf(id(2)).accepted, true)
    assert.deepEqual(kernel.desired.unknown?.free.toSorted(), [id(1), id(2)])
  })

  it('internet_only and local_only together: what one leaves open the other closes', async () => {
    const { policy, kernel, time, settle } = await make()
    await policy.setGroup({ id: 'kids', name: 'Kids', device_ids: [id(1)] }, ME)
    await policy.order(level({ group_id: 'kids' }, 'internet_only'), ME)
    const [inner] = policy.rules()
    const { rules } = await policy.order(quarantine(1, 'local_only', { forS: 60 }), ME)
    assert.deepEqual(kernel.device(id(1))?.level, {
      level: 'local_only',
      ruleId: rules[0]?.id,
      untilBootMs: time.boot + 60_000,
    })
    assert.deepEqual(kernel.device(id(1))?.further, [{ level: 'internet_only', ruleId: inner?.id }])
    const told = (): unknown[] => {
      const { level: held, also_level, desired_level, in_force } = policy.policyOf(id(1))
      return [desired_level, held, also_level, in_force]
    }
    assert.deepEqual(told(), ['local_only', 'local_only', 'internet_only', true])
    kernel.fails = (rule) => (rule === inner?.id ? 'no' : undefined)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(policy.policyOf(id(1)).in_force, false)
    assert.match(policy.policyOf(id(1)).problem ?? '', /Level internet_only is ordered/)
    kernel.fails = undefined
    time.pass(60_000)
    await settle()
    assert.deepEqual(told(), ['internet_only', 'internet_only', undefined, true])
    // Of everybody, and so of those that nobody knows.
    await policy.order(level({ everyone: true }, 'internet_only'), ME)
    await policy.order(level({ new_devices: true }, 'local_only'), ME)
    const levels = [kernel.desired.unknown?.level, ...(kernel.desired.unknown?.further ?? [])]
    assert.deepEqual(
      levels.map((each) => each?.level),
      ['local_only', 'internet_only'],
    )
  })

  it('what outlasts a stricter level is in the kernel beside it; what is covered to its end is not', async () => {
    const { policy, kernel } = await make()
    await policy.order(quarantine(1, 'local_only'), ME)
    await policy.order(quarantine(1, 'internet_only', { forS: 30 }), ME)
    await policy.order(quarantine(1, 'full', { forS: 60 }), ME)
    const { level: first, further } = kernel.device(id(1)) ?? {}
    assert.deepEqual(
      [first, ...(further ?? [])].map((each) => each?.level),
      ['full', 'local_only'],
    )
    assert.equal(policy.policyOf(id(1)).also_level, undefined)
    assert.ok(policy.rules().every(({ state }) => state === 'active'))
  })

  it('what is ordered of new devices for a while ends in the kernel, too', async () => {
    const { policy, kernel, time } = await make()
    await policy.order(
      { ...level({ new_devices: true }, 'full'), term: { forS: 600, confirmS: 0 } },
      ME,
    )
    assert.equal(kernel.desired.unknown?.level?.untilBootMs, time.boot + 600_000)
    const unconfirmed = { ...level({ everyone: true }, 'full'), term: {} }
    await policy.order(unconfirmed, ME)
    await policy.lift({ subject: { new_devices: true } }, ME)
    assert.equal(kernel.desired.unknown?.level?.untilBootMs, time.boot + 60_000)
  })

  it('a flood of new devices does not fill the kernel, and all are told as held', async () => {
    const { policy, kernel, devices } = await make({ known: [device(1)] })
    await policy.order(level({ new_devices: true }, 'full'), ME)
    for (let n = 2; n < 10_002; n++) devices.set(id(n), device(n))
    policy.devicesChanged([id(2)])
    await policy.idle()
    assert.equal(kernel.desired.devices.length, 1024)
    const policies = [2, 10_001].map((n) => policy.policyOf(id(n)))
    for (const { level: held, in_force } of policies)
      assert.deepEqual([held, in_force], ['full', true])
    assert.equal(policy.rules()[0]?.state, 'active')
  })

  it('a device that is seen anew, with another address, or shared, is held as it is now', async () => {
    const first = await make()
    const { devices } = first
    await first.policy.order(quarantine(1, 'full'), ME)
    devices.set(id(1), device(1, { ips: ['192.0.2.1', '2001:db8::1'] }))
    first.policy.devicesChanged([id(1)])
    await first.policy.idle()
    assert.deepEqual(first.kernel.device(id(1))?.ips, ['192.0.2.1', '2001:db8::1'])
    const { kernel, policy } = await first.again(() => devices.delete(id(1)))
    assert.deepEqual(
      [kernel.device(id(1))?.mac, kernel.device(id(1))?.ips],
      ['02:0d:e0:00:00:01', ['192.0.2.1', '2001:db8::1']],
    )
    await policy.order(block(1, NINE), ME)
    const next = await make({ known: [device(1, { shared: true })] })
    await next.policy.order(quarantine(1, 'full', { confirmS: 0 }), ME)
    assert.equal(next.kernel.device(id(1))?.mac, undefined)
  })

  it('a group that changes changes whom its rules are about; without members they are idle', async () => {
    const { policy, kernel } = await make()
    await policy.setGroup({ id: 'kids', name: 'Kids', device_ids: [] }, ME)
    const { rules } = await policy.order(level({ group_id: 'kids' }, 'full'), ME)
    assert.deepEqual(
      [rules[0]?.state, rules[0]?.state_reason],
      ['idle', 'The group has no devices.'],
    )
    await policy.setGroup({ id: 'kids', name: 'Kids', device_ids: [id(5)] }, ME)
    assert.equal(kernel.level(id(5)), 'full')
    await policy.setGroup({ id: 'kids', name: 'Kids', device_ids: [id(6)] }, ME)
    assert.deepEqual([kernel.level(id(5)), kernel.level(id(6))], [undefined, 'full'])
    await policy.undo({}, ME)
    assert.deepEqual([kernel.level(id(5)), kernel.level(id(6))], ['full', undefined])
  })
})
