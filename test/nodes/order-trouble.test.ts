import assert from 'node:assert/strict'
import { AgentDouble, CAMERA, device } from './agent-double.ts'
import { CATCH, CAUGHT, EAR, order, verdict } from './flows.ts'
import type { Mosquitto } from './mosquitto.ts'
import { hasMosquitto, startMosquitto } from './mosquitto.ts'
import { OrderDouble, ordered } from './order-double.ts'
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
  untilBadge,
} from './runtime.ts'

const errorOf = (msg: Heard | undefined): { message: string; code: unknown } => {
  const error = (msg?.error ?? {}) as { message?: string; code?: unknown }
  return { message: String(error.message), code: error.code }
}

describe('orders in trouble', function () {
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
    desk.done(ordered())
    await agent.arrive([device()])
  })
  afterEach(async () => {
    await undeploy()
    await agent?.leave()
    await desk?.leave()
    await broker?.stop()
  })

  async function start(node: object): Promise<{ ear: Ear; caught: Ear }> {
    await deploy(broker.port, [node, EAR, CATCH, CAUGHT])
    const { id } = node as { id: string }
    await untilBadge(badgesOf(nodeOf(id)), 'homespin.status.online')
    return { ear: new Ear(nodeOf('ear-1')), caught: new Ear(nodeOf('caught-1')) }
  }

  it('go without a reason whose parents are missing, and stop for a device whose are', async () => {
    const fields = { reason: 'why.text', reasonType: 'msg', device: 'who.id', deviceType: 'msg' }
    const { caught, ear } = await start(order('quarantine', fields))
    nodeOf('order-1').receive({ who: { id: CAMERA } })
    await ear.take(1)
    const by = { kind: 'flow', name: TAB }
    assert.deepEqual(desk.taken.splice(0)[0]?.args, { device: CAMERA, level: 'local_only', by })
    nodeOf('order-1').receive({ why: { text: 'because' } })
    assert.deepEqual(errorOf((await caught.take(1))[0]), {
      message: 'Error: the device of this order is empty: nothing was ordered',
      code: 'invalid_arguments',
    })
    assert.deepEqual(desk.taken, [])
  })

  it('go without a reason that fails, and name another field that does', async () => {
    const fails = { reason: '$error("no reason")', reasonType: 'jsonata' }
    const both = { ...fails, device: 'who = "x" ? $error("nobody") : who', deviceType: 'jsonata' }
    const { caught, ear } = await start(order('quarantine', both))
    nodeOf('order-1').receive({ who: CAMERA })
    await ear.take(1)
    assert.equal(desk.taken.splice(0)[0]?.args.reason, undefined)
    nodeOf('order-1').receive({ who: 'x' })
    const { message, code } = errorOf((await caught.take(1))[0])
    assert.match(
      message,
      /^Error: the device of this order cannot be evaluated \(.*nobody.*\): nothing /,
    )
    assert.equal(code, 'invalid_arguments')
    assert.deepEqual(desk.taken, [])
  })

  it('are warned of where they wait for their answer when the flow is stopped', async () => {
    await start(order('quarantine'))
    desk.answer = () => undefined
    const warnings: unknown[] = []
    Object.assign(nodeOf('order-1'), { warn: (words: unknown) => warnings.push(words) })
    nodeOf('order-1').receive({})
    await until(() => desk.taken.length === 1, 'the order')
    await undeploy()
    assert.deepEqual(warnings, ['homespin.error.stopped'])
  })

  it('are not held up as verdicts by clocks that differ: the agent keeps the deadline', async () => {
    const { caught } = await start(verdict())
    desk.answer = () => undefined
    const connection = { agent: 'agent-1', id: 'c-1', deadline_ms: 1, default: 'drop' }
    const begin = performance.now()
    nodeOf('verdict-1').receive({ connection })
    assert.equal(errorOf((await caught.take(1))[0]).code, 'no_answer')
    assert.ok(performance.now() - begin < 10_000)
    assert.equal(desk.taken[0]?.ttlMs, 30_000)
  })
})
