import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AgentDouble, CAMERA, device } from './agent-double.ts'
import { CATCH, CAUGHT, EAR, lamp, order } from './flows.ts'
import type { Mosquitto } from './mosquitto.ts'
import { hasMosquitto, startMosquitto } from './mosquitto.ts'
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
  untilBadge,
} from './runtime.ts'

const BY = { by: { kind: 'flow', name: TAB } }
const ONLINE = 'homespin.status.online'

const errorOf = (msg: Heard | undefined): { message: string; code: unknown } => {
  const error = (msg?.error ?? {}) as { message?: string; code?: unknown }
  return { message: String(error.message), code: error.code }
}

describe('nodes that order', function () {
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
  })
  afterEach(async () => {
    await undeploy()
    await agent?.leave()
    await desk?.leave()
    await broker?.stop()
  })

  /** Deploys one node of orders with an ear and a catch node, and waits until the agent is heard. */
  async function start(
    node: object,
    credentials: object = {},
  ): Promise<{ ear: Ear; caught: Ear; give: (msg?: object) => void; badge: () => string }> {
    const done = { id: 'done-1', type: 'complete', scope: ['order-1'], wires: [['done-2']] }
    await agent.arrive([device({ policy: policy() }), lamp])
    await deploy(
      broker.port,
      [node, EAR, CATCH, CAUGHT, done, { id: 'done-2', type: 'helper' }],
      {},
      credentials,
    )
    const badges = badgesOf(nodeOf('order-1'))
    await until(
      () => broker.log().includes('homespin/home/response/') && badges.length > 1,
      'the node to listen',
    )
    return {
      ear: new Ear(nodeOf('ear-1')),
      caught: new Ear(nodeOf('caught-1')),
      give: (msg = {}) => nodeOf('order-1').receive(msg),
      badge: () => String(badges.at(-1)?.text),
    }
  }

  it('sends an order as protocol has it, and passes on what the kernel has', async () => {
    const { ear, give, badge } = await start(
      order('quarantine', { level: 'full', for: '30m', reason: 'it shouts' }),
    )
    const finished = new Ear(nodeOf('done-2'))
    await until(() => badge() === 'homespin.status.open', 'the badge of an open device')
    const result = ordered({ level: 'full', desired_level: 'full' }, rule({ level: 'full' }))
    let answer = (): void => {}
    desk.answer = ({ verb, id }) => {
      answer = () => void desk.respond(verb, { type: 'response', id, ok: true, result })
    }
    const before = Date.now()
    give({ payload: 'go', kept: 1 })
    await until(() => desk.taken.length === 1, 'the order')
    const [taken] = desk.taken
    assert.deepEqual(
      [taken?.verb, taken?.args, taken?.ttlMs, taken?.retained],
      [
        'quarantine',
        { device: CAMERA, level: 'full', for: '30m', reason: 'it shouts', ...BY },
        10000,
        false,
      ],
    )
    assert.match(taken?.id ?? '', /^[A-Za-z0-9_-]{1,64}$/)
    assert.ok((taken?.issuedMs ?? 0) >= before && (taken?.issuedMs ?? 0) <= Date.now())
    // Nothing is claimed before the answer.
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.deepEqual([ear.messages, finished.messages], [[], []])
    assert.equal(badge(), 'homespin.status.asked')
    answer()
    const [msg] = await ear.take(1)
    assert.deepEqual([msg?.payload, msg?.kept], [result, 1])
    await finished.take(1)
    assert.equal(badge(), 'homespin.status.full')
    // The kernel says otherwise later, and so does the badge.
    await agent.device(device({ policy: policy({ level: 'local_only' }) }))
    await until(() => badge() === 'homespin.status.local_only', 'what the kernel has')
    const differs = policy({ level: 'local_only', desired_level: 'full', in_force: false })
    await agent.device(device({ policy: differs }))
    await until(() => badge() === 'homespin.status.differs', 'what the kernel has not')
    await agent.device(device({ policy: policy() }))
    await until(() => badge() === 'homespin.status.open', 'what the kernel has')
    assert.equal(desk.taken.length, 1)
  })

  it('takes each value from where the dialog says', async () => {
    const fields = {
      device: 'device',
      deviceType: 'msg',
      remote: '$lowercase(payload.host)',
      remoteType: 'jsonata',
      protocol: 'proto',
      protocolType: 'flow',
      port: 'port',
      portType: 'global',
      for: 'HOMESPIN_TEST_FOR',
      forType: 'env',
      reason: 'why',
      reasonType: 'msg',
    }
    process.env.HOMESPIN_TEST_FOR = '2h'
    try {
      const { ear, give } = await start(order('block', fields))
      desk.done(ordered({ rules: ['r1-7'] }, rule({ action: 'block' })))
      const context = nodeOf('order-1').context()
      context.flow.set('proto', 'tcp')
      context.global.set('port', 443)
      const why = `${'x'.repeat(198)}😀 and more`
      give({ device: { id: CAMERA, name: 'camera' }, payload: { host: 'ADS.example.com' }, why })
      await ear.take(1)
      assert.deepEqual(desk.taken[0]?.args, {
        device: CAMERA,
        domain: 'ads.example.com',
        protocol: 'tcp',
        port: 443,
        for: '2h',
        reason: `${'x'.repeat(198)}…`,
        ...BY,
      })
    } finally {
      delete process.env.HOMESPIN_TEST_FOR
    }
  })

  it('says about whom and what in the words of the methods', async () => {
    const group = { who: 'group', group: 'tablets' }
    const lift = { action: 'disallow', ...group, remote: '2001:db8::/32' }
    const cases: [object, string, object][] = [
      [order('block', group), 'block', { group: 'tablets' }],
      [order('block', { action: 'allow', who: 'everyone' }), 'allow', { everyone: true }],
      [
        order('block', { action: 'unblock', remote: '203.0.113.9' }),
        'unblock',
        { device: CAMERA, endpoint: '203.0.113.9' },
      ],
      [
        order('block', lift),
        'unblock',
        { group: 'tablets', action: 'allow', endpoint: '2001:db8::/32' },
      ],
      [order('quarantine', { action: 'pause' }), 'pause', { device: CAMERA }],
      [order('quarantine', { action: 'release', for: '1h' }), 'release', { device: CAMERA }],
      [
        order('quarantine', { who: 'new_devices' }),
        'quarantine',
        { new_devices: true, level: 'local_only' },
      ],
    ]
    await agent.arrive([device()])
    desk.done(ordered())
    const nodes = cases.map(([node], index) => ({ ...node, id: `order-${index}` }))
    await deploy(broker.port, [...nodes, EAR])
    await untilBadge(badgesOf(nodeOf('order-0')), ONLINE)
    const ear = new Ear(nodeOf('ear-1'))
    for (const [index, [, verb, args]] of cases.entries()) {
      nodeOf(`order-${index}`).receive({})
      await ear.take(1)
      const taken = desk.taken.at(-1)
      assert.deepEqual([taken?.verb, taken?.args], [verb, { ...args, ...BY }])
    }
  })

  it('never takes what is empty for everything', async () => {
    const from = { deviceType: 'msg', device: 'who', remoteType: 'msg', remote: 'where' }
    const { caught, give, ear } = await start(
      order('block', { ...from, forType: 'msg', for: 'long' }),
    )
    desk.done(ordered())
    const right = { who: CAMERA, where: 'example.com', long: '1h' }
    for (const [key, wrong, words] of [
      ['who', undefined, /device of this order is empty/],
      ['who', {}, /device of this order is not text/],
      ['who', { id: ['x'] }, /device of this order is not text/],
      ['where', '  ', /remote of this order is/],
      ['where', ['example.com'], /remote of this order is not text/],
      ['long', Number.NaN, /for of this order is not text/],
    ] as const) {
      give({ ...right, [key]: wrong })
      const { message, code } = errorOf((await caught.take(1))[0])
      assert.match(message, words)
      assert.equal(code, 'invalid_arguments')
    }
    assert.deepEqual(desk.taken, [])
    give(right)
    await ear.take(1)
    assert.equal(desk.taken.length, 1)
  })

  it('fails with the agent’s sentence and code, and does not claim that it holds', async () => {
    const { caught, ear, give, badge } = await start(order('quarantine'))
    desk.refuse('refused', '192.0.2.1 <b>is</b> the gateway, which is protected')
    give({ kept: 1 })
    const [msg] = await caught.take(1)
    assert.deepEqual(errorOf(msg), {
      message: 'Error: 192.0.2.1 <b>is</b> the gateway, which is protected',
      code: 'refused',
    })
    assert.equal(msg?.kept, 1)
    assert.equal(badge(), 'homespin.status.failed')
    const failed = rule({ state: 'failed', state_reason: 'no netdev egress here' })
    desk.done(ordered({ in_force: false }, failed))
    give()
    assert.match(errorOf((await caught.take(1))[0]).message, /r1-7: no netdev egress here/)
    assert.deepEqual(ear.messages, [])
  })

  it('is not fooled by answers that are late, for others, twice or of no shape', async () => {
    const { caught, ear, give } = await start(order('quarantine', { wait: 1 }))
    const result = ordered({ level: 'local_only' }, rule())
    give({ n: 1 })
    await until(() => desk.taken.length === 1, 'the order')
    const id = desk.taken[0]?.id
    const answer = { type: 'response', id, ok: true, result }
    const hostile: unknown[] = [
      '',
      '{',
      'null',
      '[]',
      '['.repeat(20000),
      '{"__proto__":{"polluted":1}}',
      { ...answer, id: 'another' },
      { ...answer, id: ['x'] },
      { ...answer, ok: 'true' },
      { ...answer, type: 'done' },
      { type: 'response', id, ok: false, error: 'no' },
      { type: 'response', id, ok: false, error: { code: 'x', message: 'y'.repeat(9000) } },
    ]
    for (const each of hostile) await desk.respond('quarantine', each)
    await desk.respond('pause', answer)
    const { message, code } = errorOf((await caught.take(1))[0])
    assert.equal(code, 'no_answer')
    assert.match(message, /did not answer within 1 s: whether the order was carried out/)
    await desk.respond('quarantine', answer)
    desk.answer = ({ verb, id }) => {
      const twice = { type: 'response', id, ok: true, result }
      void desk.respond(verb, twice)
      return twice
    }
    give({ n: 2 })
    assert.equal((await ear.take(1))[0]?.n, 2)
    for (const wrong of [null, 'done', {}, { rules: [{}], policies: {} }, badPolicies()]) {
      desk.done(wrong)
      give()
      assert.match(errorOf((await caught.take(1))[0]).message, /in a shape that these nodes/)
    }
    assert.deepEqual([ear.messages, caught.messages], [[], []])
  })

  it('signs orders with the key of the agent', async () => {
    await desk.leave()
    desk = await OrderDouble.connect(broker.port, 'open sesame')
    const { ear, give } = await start(order('quarantine'), { commandKey: 'open sesame' })
    desk.done(ordered())
    give()
    await ear.take(1)
    assert.match(desk.taken[0]?.text ?? '', /^[0-9a-f]{64}\.\{/)
  })

  it('orders nothing of an agent that is not there, and says so', async () => {
    const { caught, give } = await start(order('quarantine', { wait: 1 }))
    const badges = badgesOf(nodeOf('order-1'))
    await agent.raw(agent.topics.status, 'offline', true)
    await untilBadge(badges, 'homespin.status.offline')
    give()
    assert.equal(errorOf((await caught.take(1))[0]).code, 'not_sent')
    assert.deepEqual(desk.taken, [])
  })

  it('waits for an agent that is late, and asks again with the same id after a lost connection', async () => {
    const { ear, give } = await start(order('quarantine', { wait: 20 }))
    await agent.raw(agent.topics.status, 'offline', true)
    await untilBadge(badgesOf(nodeOf('order-1')), 'homespin.status.offline')
    give()
    await agent.raw(agent.topics.status, 'online', true)
    await until(() => desk.taken.length === 1, 'the order')
    // The answer to the first is lost with the broker.
    await agent.leave()
    await desk.leave()
    const { port } = broker
    await broker.stop()
    broker = await startMosquitto({ port })
    agent = await AgentDouble.connect(port)
    const { taken } = desk
    desk = await OrderDouble.connect(port)
    desk.done(ordered())
    await agent.arrive([device()])
    await ear.take(1)
    assert.deepEqual(
      desk.taken.map((each) => each.text),
      [taken[0]?.text],
    )
  })

  it('says what the broker does not let it write', async () => {
    await agent.leave()
    await desk.leave()
    await broker.stop()
    const directory = mkdtempSync(join(tmpdir(), 'homespin-acl-'))
    const file = join(directory, 'acl')
    const writable = ['status', 'info', 'device/+'].map((topic) => `homespin/home/${topic}`)
    const lines = ['topic read homespin/#', ...writable.map((topic) => `topic write ${topic}`)]
    writeFileSync(file, `${lines.join('\n')}\n`)
    try {
      broker = await startMosquitto({ config: [`acl_file ${file}`] })
      agent = await AgentDouble.connect(broker.port)
      desk = await OrderDouble.connect(broker.port)
      const { caught, give } = await start(order('quarantine'))
      give()
      const { message, code } = errorOf((await caught.take(1))[0])
      assert.equal(code, 'forbidden')
      assert.match(message, /does not let this user write homespin\/home\/command\/quarantine: /)
      assert.deepEqual(desk.taken, [])
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

function badPolicies(): object {
  return { rules: [], policies: { [CAMERA]: { level: 'full' } } }
}
