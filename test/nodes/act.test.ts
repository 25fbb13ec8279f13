import assert from 'node:assert/strict'
import {
  AgentDouble,
  blocked,
  CAMERA,
  connection,
  device,
  flow,
  incident,
  LAMP,
} from './agent-double.ts'
import {
  CATCH,
  CAUGHT,
  dropped,
  EAR,
  incidents,
  lamp,
  rate,
  traffic,
  verdict,
  waiting,
} from './flows.ts'
import type { Mosquitto } from './mosquitto.ts'
import { hasMosquitto, startMosquitto } from './mosquitto.ts'
import { OrderDouble } from './order-double.ts'
import type { Heard } from './runtime.ts'
import {
  badgesOf,
  deploy,
  Ear,
  nodeOf,
  startRuntime,
  stopRuntime,
  undeploy,
  until,
  untilBadge,
} from './runtime.ts'

const ONLINE = 'homespin.status.online'
const EAR2 = { id: 'ear-2', type: 'helper' }
const errorOf = (msg: Heard | undefined): { message: string; code: unknown } => {
  const error = (msg?.error ?? {}) as { message?: string; code?: unknown }
  return { message: String(error.message), code: error.code }
}

describe('nodes that act with the agent', function () {
  this.timeout(20000)
  let broker: Mosquitto
  let agent: AgentDouble

  before(async function () {
    if (!hasMosquitto()) this.skip()
    await startRuntime()
  })
  after(() => stopRuntime())
  beforeEach(async () => {
    broker = await startMosquitto()
    agent = await AgentDouble.connect(broker.port)
    await agent.arrive([device(), lamp])
  })
  afterEach(async () => {
    await undeploy()
    await agent?.leave()
    await broker?.stop()
  })

  describe('homespin-blocked', () => {
    it('tells what was dropped, entry by entry or all at once, as far as its filter goes', async () => {
      const batch = dropped({ id: 'batch-1', mode: 'batch', cause: 'full,dns', wires: [['ear-2']] })
      const byRule = dropped({ rule: 'rules', ruleType: 'flow', devices: [CAMERA] })
      await deploy(broker.port, [byRule, batch, EAR, EAR2])
      const [ear, ear2] = [new Ear(nodeOf('ear-1')), new Ear(nodeOf('ear-2'))]
      nodeOf('blocked-1').context().flow.set('rules', ['r1-7'])
      await untilBadge(badgesOf(nodeOf('batch-1')), ONLINE)
      const entries = [
        blocked(),
        blocked({ rule_id: 'r1-8', cause: 'full' }),
        blocked({ device_id: LAMP, cause: 'dns', remote: '<img src=x>' }),
        { ...blocked(), packets: -1 },
        null as never,
      ]
      await agent.blocked(entries)
      const [first] = await ear.take(1)
      assert.deepEqual([first?.payload, first?.topic], [blocked(), CAMERA])
      assert.deepEqual(first?.device, { id: CAMERA, name: 'camera' })
      const [all] = await ear2.take(1)
      assert.deepEqual(all?.payload, entries.slice(1, 3))
      assert.deepEqual([all?.from_ms, all?.to_ms], [2_000_000, 2_001_000])
      nodeOf('blocked-1').receive({ filter: { rule: '', cause: 'dns', devices: LAMP } })
      await agent.blocked(entries)
      assert.equal((await ear.take(1))[0]?.topic, LAMP)
      assert.deepEqual(ear.messages, [])
    })
  })

  describe('homespin-incident', () => {
    it('tells what is open, opened, changed and closed, each once', async () => {
      await agent.incident({ id: 'old-1' })
      await deploy(broker.port, [incidents(), EAR])
      const ear = new Ear(nodeOf('ear-1'))
      const next = async (): Promise<unknown[]> => {
        const [msg] = await ear.take(1)
        return [msg?.event, msg?.payload.id, msg?.payload.state, msg?.topic]
      }
      assert.deepEqual(await next(), ['present', 'old-1', 'open', CAMERA])
      await agent.incident()
      assert.deepEqual(await next(), ['opened', 'i1-1', 'open', CAMERA])
      await agent.incident()
      await agent.incident({ last_ms: 2_000_900 })
      assert.deepEqual(await next(), ['changed', 'i1-1', 'open', CAMERA])
      await agent.incident({ state: 'closed', closed_by: 'quiet' })
      assert.deepEqual(await next(), ['closed', 'i1-1', 'closed', CAMERA])
      // Its last word is lost: that it is cleared says enough.
      await agent.raw(agent.topics.incident('old-1'), '', true)
      assert.deepEqual(await next(), ['closed', 'old-1', 'closed', CAMERA])
      await agent.raw(agent.topics.incident('x'), JSON.stringify(incident({ id: 'y' })))
      await agent.raw(agent.topics.incident('x'), '{"type":"incident"}')
      await agent.incident({ id: 'x', kind: 'moon_rose' as never })
      assert.deepEqual(await next(), ['opened', 'x', 'open', CAMERA])
      assert.deepEqual(ear.messages, [])
    })

    it('lets through what is asked for: devices, kinds and severity', async () => {
      const filter = { devices: [CAMERA], kinds: 'flood,beacon', severity: 'medium' }
      await deploy(broker.port, [incidents(filter), EAR, CATCH, CAUGHT])
      const [ear, caught] = [new Ear(nodeOf('ear-1')), new Ear(nodeOf('caught-1'))]
      await untilBadge(badgesOf(nodeOf('incident-1')), ONLINE)
      await agent.incident({ id: 'a', kind: 'flood', severity: 'low' })
      await agent.incident({ id: 'b', kind: 'flood', device_id: LAMP })
      await agent.incident({ id: 'c' })
      await agent.incident({ id: 'd', kind: 'beacon', severity: 'high' })
      assert.equal((await ear.take(1))[0]?.payload.id, 'd')
      nodeOf('incident-1').receive({ filter: { severity: 'terrible' } })
      assert.match(errorOf((await caught.take(1))[0]).message, /severity must be one of/)
      assert.deepEqual(ear.messages, [])
    })

    it('tells after a lost connection what was opened and closed meanwhile', async () => {
      await agent.incident()
      await deploy(broker.port, [incidents(), EAR])
      const ear = new Ear(nodeOf('ear-1'))
      const badges = badgesOf(nodeOf('incident-1'))
      await ear.take(1)
      await untilBadge(badges, 'homespin.status.open')
      const { port } = broker
      await agent.leave()
      await broker.stop()
      await untilBadge(badges, 'homespin.status.disconnected')
      broker = await startMosquitto({ port })
      agent = await AgentDouble.connect(port)
      await agent.incident({ id: 'i1-2' })
      await agent.incident({ last_ms: 2_100_000 })
      await agent.arrive([device()])
      const told = (await ear.take(2)).map((msg) => [msg.event, msg.payload.id]).sort()
      assert.deepEqual(told[0], ['changed', 'i1-1'])
      assert.equal(told[1]?.[1], 'i1-2')
    })
  })

  describe('homespin-connection and homespin-verdict', () => {
    let desk: OrderDouble
    beforeEach(async () => {
      desk = await OrderDouble.connect(broker.port)
    })
    afterEach(() => desk.leave())

    it('ask and answer, as http in and http response do', async () => {
      desk.answer = ({ id, args }) => {
        const { connection, verdict } = args
        return { type: 'response', id, ok: true, result: { connection, verdict } }
      }
      const asks = waiting({ remote: 'example.com', wires: [['verdict-1', 'ear-2']] })
      await deploy(broker.port, [asks, verdict({ remember: '1h' }), EAR, EAR2])
      const [ear, asked] = [new Ear(nodeOf('ear-1')), new Ear(nodeOf('ear-2'))]
      const badges = badgesOf(nodeOf('verdict-1'))
      await untilBadge(badges, ONLINE)
      await agent.connection({ id: 'hidden', remote_name: 'example.net' })
      await agent.raw(agent.topics.connection, JSON.stringify({ ...connection(), id: '../x' }))
      await agent.connection()
      const [question] = await asked.take(1)
      assert.deepEqual(question?.payload, connection())
      assert.deepEqual(
        [question?.topic, question?.device],
        [CAMERA, { id: CAMERA, name: 'camera' }],
      )
      const [answer] = await ear.take(1)
      assert.deepEqual(answer?.payload, { connection: 'c-1', verdict: 'accept' })
      assert.deepEqual(
        desk.taken.map(({ verb, args }) => [verb, args]),
        [['verdict', { connection: 'c-1', verdict: 'accept', remember: '1h' }]],
      )
      assert.equal(badges.at(-1)?.text, 'homespin.status.accept')
      assert.deepEqual(asked.messages, [])
    })

    it('fail where the verdict is late, wrong, for nothing, or for another agent', async () => {
      const decides = verdict({ verdict: 'payload', verdictType: 'msg' })
      await deploy(broker.port, [decides, EAR, CATCH, CAUGHT])
      const [ear, caught] = [new Ear(nodeOf('ear-1')), new Ear(nodeOf('caught-1'))]
      const badges = badgesOf(nodeOf('verdict-1'))
      await untilBadge(badges, ONLINE)
      const give = async (msg: object): Promise<{ message: string; code: unknown }> => {
        nodeOf('verdict-1').receive(msg)
        return errorOf((await caught.take(1))[0])
      }
      const handle = { agent: 'agent-1', id: 'c-1', deadline_ms: 1, default: 'drop' }
      for (const wrong of [undefined, 'c-1', {}, { agent: 'agent-1', id: 7 }]) {
        const { message, code } = await give({ connection: wrong, payload: 'drop' })
        assert.ok(message.endsWith('homespin-verdict.error.handle'), message)
        assert.equal(code, 'invalid_arguments')
      }
      const other = await give({ connection: { ...handle, agent: 'agent-2' }, payload: 'drop' })
      assert.ok(other.message.endsWith('homespin-verdict.error.other'))
      assert.match((await give({ connection: handle, payload: 'maybe' })).message, /accept or drop/)
      assert.deepEqual(desk.taken, [])

      desk.refuse('not_found', 'no such connection waits; its time may be over')
      const late = await give({ connection: handle, payload: false })
      assert.deepEqual(late, {
        message: 'Error: no such connection waits; its time may be over',
        code: 'not_found',
      })
      assert.equal(badges.at(-1)?.text, 'homespin.status.late')
      desk.done({ connection: 'c-1', verdict: 'accept' })
      const differs = await give({ connection: handle, payload: 'drop' })
      assert.ok(differs.message.endsWith('homespin-verdict.error.answer'))
      assert.deepEqual(ear.messages, [])
    })
  })

  describe('homespin-rate', () => {
    it('is a reverse firewall: one message above, one back below, for each device', async () => {
      await deploy(broker.port, [
        traffic({ when: 'new', wires: [['rate-1']] }),
        rate({ count: 'distinct' }),
        EAR,
        EAR2,
      ])
      const [above, below] = [new Ear(nodeOf('ear-1')), new Ear(nodeOf('ear-2'))]
      await untilBadge(badgesOf(nodeOf('traffic-1')), ONLINE)
      const badges = badgesOf(nodeOf('rate-1'))
      await untilBadge(badges, 'homespin.status.below')
      const opened = (id: number, host: number): ReturnType<typeof flow> =>
        flow({ id: `f-${id}`, responder: { ip: `203.0.113.${host}`, port: 443 } })
      const quiet = { device_id: LAMP, id: 'lamp-1' }
      const same = Array.from({ length: 9 }, (_, n) => opened(n, 1))
      await agent.flows([...same, flow(quiet)])
      const begin = performance.now()
      await agent.flows(Array.from({ length: 9 }, (_, n) => opened(20 + n, n)))
      const [msg] = await above.take(1)
      const { evidence, values, ...told } = { ...msg?.payload }
      assert.deepEqual(told, { type: 'rate', key: CAMERA, above: true, window_s: 1 })
      const { flow_ids, ...counted } = { flow_ids: [''], ...(evidence as object) }
      assert.deepEqual(counted, {
        what: 'payload.responder.ip',
        observed: 6,
        threshold: 5,
        weight: 1,
      })
      assert.deepEqual(flow_ids.slice(-1), ['f-25'])
      assert.equal((values as string[]).length, 6)
      assert.deepEqual([msg?.topic, msg?.device], [CAMERA, { id: CAMERA, name: 'camera' }])
      await untilBadge(badges, 'homespin.status.above')
      const [back] = await below.take(1)
      const took = performance.now() - begin
      assert.ok(took > 900 && took < 15_000, `${took}`)
      assert.deepEqual(
        [back?.payload.above, back?.topic, back?.device],
        [false, CAMERA, { id: CAMERA, name: 'camera' }],
      )
      await untilBadge(badges, 'homespin.status.below')
      assert.deepEqual([above.messages, below.messages], [[], []])
    })

    it('counts sums and keys by JSONata, with a threshold that may change', async () => {
      const sums = {
        key: 'payload.device & "/" & payload.cause',
        keyType: 'jsonata',
        count: 'sum',
        value: 'payload.packets',
        threshold: 'most',
        thresholdType: 'flow',
        window: '60',
      }
      await deploy(broker.port, [rate(sums), EAR, EAR2, CATCH, CAUGHT])
      const [ear, caught] = [new Ear(nodeOf('ear-1')), new Ear(nodeOf('caught-1'))]
      const node = nodeOf('rate-1')
      const give = (packets: unknown, cause = 'dns'): void =>
        node.receive({ payload: { device: 'tv', cause, packets } })
      await until(() => badgesOf(node).length > 0, 'a badge')
      give(5)
      assert.ok(errorOf((await caught.take(1))[0]).message.includes('homespin-rate.error.settings'))
      node.context().flow.set('most', 100)
      give(60)
      give(60, 'full')
      give('60')
      give(-1)
      give(41)
      const [msg] = await ear.take(1)
      assert.deepEqual([msg?.payload.key, msg?.topic], ['tv/dns', 'tv/dns'])
      const { evidence } = msg?.payload ?? {}
      assert.equal((evidence as { observed: number } | undefined)?.observed, 101)
      node.receive({ reset: true })
      give(101)
      await ear.take(1)
      assert.deepEqual([ear.messages, caught.messages], [[], []])
    })

    it('tells again of who stays above, and does not count what has nothing to count', async () => {
      const often = { again: '1', threshold: '1', window: '60', count: 'distinct' }
      await deploy(broker.port, [rate(often), EAR, EAR2, CATCH, CAUGHT])
      const [ear, caught] = [new Ear(nodeOf('ear-1')), new Ear(nodeOf('caught-1'))]
      const give = (payload: unknown): void => nodeOf('rate-1').receive({ topic: CAMERA, payload })
      for (const none of [undefined, 5, {}, { responder: 'x' }]) give(none)
      let n = 0
      await until(() => {
        n += 1
        give({ responder: { ip: `192.0.2.${n % 200}` } })
        return ear.messages.length >= 2
      }, 'it to be told again')
      const told = ear.messages.map(({ payload: { again, above } }) => [again, above])
      assert.deepEqual(told.slice(0, 2), [
        [undefined, true],
        [true, true],
      ])
      assert.deepEqual(caught.messages, [])
    })

    it('says of a message without a key that it has none', async () => {
      await deploy(broker.port, [rate(), EAR, EAR2, CATCH, CAUGHT])
      const caught = new Ear(nodeOf('caught-1'))
      for (const topic of [undefined, '', {}, ['x']]) {
        nodeOf('rate-1').receive({ topic })
        assert.ok(errorOf((await caught.take(1))[0]).message.endsWith('homespin-rate.error.key'))
      }
    })
  })
})
