import assert from 'node:assert/strict'
import { AgentDouble, blocked, CAMERA, device, dns, flow } from './agent-double.ts'
import {
  CATCH,
  CAUGHT,
  devices,
  dropped,
  EAR,
  incidents,
  order,
  queries,
  rate,
  traffic,
  verdict,
  waiting,
} from './flows.ts'
import type { Mosquitto } from './mosquitto.ts'
import { hasMosquitto, startMosquitto } from './mosquitto.ts'
import { OrderDouble, ordered } from './order-double.ts'
import type { Heard } from './runtime.ts'
import {
  badgesOf,
  deploy,
  Ear,
  errorsOf,
  nodeOf,
  startRuntime,
  stopRuntime,
  undeploy,
  until,
} from './runtime.ts'

const EAR2 = { id: 'ear-2', type: 'helper' }
const messageOf = (msg: Heard | undefined): string =>
  String((msg?.error as Error | undefined)?.message)

/** A result that a node is told to put where nothing can be put: below the id of a device, which is text. */
const NOWHERE = { output: 'topic.of' }
const CANNOT = /msg\.topic\.of cannot be written: put the result somewhere else/

describe('a result that cannot be put where it should', function () {
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
    await agent.arrive([device()])
  })
  afterEach(async () => {
    await undeploy()
    await agent?.leave()
    await broker?.stop()
  })

  const tells: [string, object, () => Promise<void>][] = [
    ['traffic-1', traffic(NOWHERE), () => agent.flows([flow()])],
    [
      'traffic-1',
      traffic({ ...NOWHERE, mode: 'summary', interval: 1 }),
      () => agent.flows([flow()]),
    ],
    ['dns-1', queries(NOWHERE), () => agent.dns([dns()])],
    ['device-1', devices({ ...NOWHERE, tellPresent: true }), () => agent.device(device())],
    ['blocked-1', dropped(NOWHERE), () => agent.blocked([blocked()])],
    ['incident-1', incidents(NOWHERE), () => agent.incident()],
    ['connection-1', waiting(NOWHERE), () => agent.connection()],
  ]
  for (const [id, node, tell] of tells) {
    const { type, mode = '' } = node as { type: string; mode?: string }
    it(`is told to catch nodes, and at once in the badge: ${type} ${mode}`, async () => {
      await deploy(broker.port, [node, EAR, CATCH, CAUGHT])
      const caught = new Ear(nodeOf('caught-1'))
      assert.equal(badgesOf(nodeOf(id)).at(-1)?.text, 'homespin.status.output')
      assert.match(errorsOf(nodeOf(id)).join(), CANNOT)
      await until(() => {
        void tell()
        return caught.messages.length > 0
      }, 'the catch node')
      const [msg] = caught.messages
      assert.match(messageOf(msg), CANNOT)
      assert.equal(msg?.topic, CAMERA)
    })
  }

  it('is told to catch nodes by a rate node, whose timer tells too', async () => {
    await deploy(broker.port, [rate({ ...NOWHERE, threshold: '0' }), EAR, EAR2, CATCH, CAUGHT])
    const caught = new Ear(nodeOf('caught-1'))
    assert.equal(badgesOf(nodeOf('rate-1')).at(-1)?.text, 'homespin.status.output')
    nodeOf('rate-1').receive({ topic: CAMERA, payload: 1 })
    const [above, below] = await caught.take(2)
    assert.deepEqual([above?.payload, above?.topic], [1, CAMERA])
    assert.deepEqual([below?.payload, below?.topic], [undefined, CAMERA])
    for (const msg of [above, below]) assert.match(messageOf(msg), CANNOT)
  })

  it('is told at once of nodes whose path cannot be read at all', async () => {
    const broken = { output: 'payload[' }
    const nodes = [order('block', broken), verdict(broken), traffic(broken), rate(broken)]
    await deploy(broker.port, [...nodes, EAR, EAR2])
    for (const id of ['order-1', 'verdict-1', 'traffic-1', 'rate-1']) {
      assert.equal(badgesOf(nodeOf(id)).at(-1)?.text, 'homespin.status.output', id)
      assert.match(errorsOf(nodeOf(id)).join(), /Invalid property expression/)
    }
  })

  it('fails the message of an order', async () => {
    const desk = await OrderDouble.connect(broker.port)
    try {
      desk.done(ordered())
      await deploy(broker.port, [order('quarantine', NOWHERE), EAR, CATCH, CAUGHT])
      const caught = new Ear(nodeOf('caught-1'))
      nodeOf('order-1').receive({ topic: 'text' })
      assert.match(messageOf((await caught.take(1))[0]), CANNOT)
    } finally {
      await desk.leave()
    }
  })
})
