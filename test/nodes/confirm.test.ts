import assert from 'node:assert/strict'
import { AgentDouble, CAMERA, device } from './agent-double.ts'
import { CATCH, CAUGHT, EAR, order } from './flows.ts'
import type { Mosquitto } from './mosquitto.ts'
import { hasMosquitto, startMosquitto } from './mosquitto.ts'
import type { Taken } from './order-double.ts'
import { OrderDouble, ordered, policy, rule } from './order-double.ts'
import type { Heard } from './runtime.ts'
import {
  badgesOf,
  deploy,
  Ear,
  nodeOf,
  startRuntime,
  stopRuntime,
  TAB,
  undeploy,
  until,
} from './runtime.ts'

const BY = { kind: 'flow', name: TAB }
const CREATED_MS = 2_000_000
/** A rule that is rolled back after a minute. */
const risky = rule({ created_ms: CREATED_MS, confirm_until_ms: CREATED_MS + 60_000 })

const errorOf = (msg: Heard | undefined): { message: string; code: unknown } => {
  const error = (msg?.error ?? {}) as { message?: string; code?: unknown }
  return { message: String(error.message), code: error.code }
}

describe('orders that are rolled back unless they are confirmed', function () {
  this.timeout(20000)
  let broker: Mosquitto
  let agent: AgentDouble
  let desk: OrderDouble

  before(async function () {
    if (!hasMosquitto()) this.skip()
    await startRuntime()
  })
  after(() => stopRuntime())
  beforeEach(async () => {
    broker = await startMosquitto()
    agent = await AgentDouble.connect(broker.port)
    desk = await OrderDouble.connect(broker.port)
    await agent.arrive([device({ policy: policy() })])
  })
  afterEach(async () => {
    await undeploy()
    await agent?.leave()
    await desk?.leave()
    await broker?.stop()
  })

  async function start(
    over: object = {},
  ): Promise<{ ear: Ear; caught: Ear; give: () => void; badge: () => string }> {
    await deploy(broker.port, [order('quarantine', { reason: 'r', ...over }), EAR, CATCH, CAUGHT])
    const badges = badgesOf(nodeOf('order-1'))
    await until(() => badges.at(-1)?.text === 'homespin.status.open', 'the node to listen')
    return {
      ear: new Ear(nodeOf('ear-1')),
      caught: new Ear(nodeOf('caught-1')),
      give: () => nodeOf('order-1').receive({}),
      badge: () => String(badges.at(-1)?.text),
    }
  }

  /** Answers an order with a rule that waits, and `confirm` as told. */
  function answer(confirm: (taken: Taken) => object): void {
    desk.answer = (taken) => {
      const head = { type: 'response', id: taken.id }
      if (taken.verb === 'confirm') return { ...head, ...confirm(taken) }
      return { ...head, ok: true, result: ordered({ level: 'local_only' }, risky) }
    }
  }

  it('are confirmed once the agent has answered, and then the message goes on', async () => {
    const { ear, give, badge } = await start()
    const { confirm_until_ms: _, ...kept } = risky
    const after = { ...(ordered({ level: 'local_only' }, kept) as object), journal_seq: 4 }
    answer(() => ({ ok: true, result: after }))
    give()
    const [msg] = await ear.take(1)
    assert.deepEqual(
      desk.taken.map(({ verb, args }) => [verb, args]),
      [
        ['quarantine', { device: CAMERA, level: 'local_only', reason: 'r', by: BY }],
        ['confirm', { rule: 'r1-7', reason: 'r', by: BY }],
      ],
    )
    // What undoes it is the entry of the order.
    assert.deepEqual(msg?.payload, ordered({ level: 'local_only' }, kept))
    assert.equal(badge(), 'homespin.status.local_only')
  })

  it('are confirmed where somebody else was quicker, too', async () => {
    const { ear, give } = await start()
    const error = { code: 'conflict', message: 'This rule does not wait to be confirmed.' }
    answer(() => ({ ok: false, error }))
    give()
    const [msg] = await ear.take(1)
    const { confirm_until_ms: _, ...kept } = risky
    assert.deepEqual(msg?.payload.rules, [kept])
  })

  it('fail, and say until when they stand, where they cannot be confirmed', async () => {
    const { caught, ear, give, badge } = await start()
    const error = { code: 'forbidden', message: 'confirm is not taken over MQTT here' }
    answer(() => ({ ok: false, error }))
    give()
    assert.deepEqual(errorOf((await caught.take(1))[0]), {
      message:
        'Error: the kernel has it, but it could not be confirmed and will be rolled back: confirm is not taken over MQTT here',
      code: 'forbidden',
    })
    assert.deepEqual(ear.messages, [])
    assert.equal(badge(), 'homespin.status.unconfirmed')
  })

  it('are left to a person where the node is told so, with a badge until they are over', async () => {
    const { ear, give, badge } = await start({ confirm: false })
    answer(() => ({ ok: true, result: {} }))
    give()
    const [msg] = await ear.take(1)
    assert.deepEqual(msg?.payload.rules, [risky])
    assert.equal(badge(), 'homespin.status.unconfirmed')
    await agent.device(device({ name: 'porch', policy: policy({ level: 'local_only' }) }))
    await agent.device(device({ policy: policy() }))
    await until(() => badge() === 'homespin.status.open', 'what the kernel has, rolled back')
    assert.deepEqual(
      desk.taken.map(({ verb }) => verb),
      ['quarantine'],
    )
    const short = { ...risky, confirm_until_ms: CREATED_MS + 300 }
    desk.done(ordered({ level: 'local_only' }, short))
    give()
    await ear.take(1)
    await until(() => badge() === 'homespin.status.local_only', 'the end of its time')
  })

  it('are nothing to confirm where they take away, or are not rolled back', async () => {
    const { ear, give, badge } = await start({ action: 'release' })
    answer(() => ({ ok: true, result: {} }))
    give()
    await ear.take(1)
    assert.equal(badge(), 'homespin.status.local_only')
    assert.deepEqual(
      desk.taken.map(({ verb }) => verb),
      ['release'],
    )
  })

  it('show what stays open though ordered', async () => {
    const { ear, give, badge } = await start()
    const uncovered = 'its IPv6 goes round this box'
    desk.done(ordered({ level: 'local_only', uncovered }, rule()))
    give()
    await ear.take(1)
    assert.equal(badge(), 'homespin.status.uncovered')
    await agent.device(device({ policy: policy({ uncovered }) }))
    await until(() => badge() === 'homespin.status.open', 'an open device without gaps')
  })
})
