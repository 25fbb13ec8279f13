// First packets with the real agent: a new connection of a chosen device waits until somebody decides, and everybody else goes on.
import assert from 'node:assert/strict'
import type { MqttClient } from 'mqtt'
import { connectAsync } from 'mqtt'
import type { Connection } from '../../protocol/act.ts'
import { topicsOf } from '../../protocol/topics.ts'
import { below } from '../figure.ts'
import { CATCH, CAUGHT, EAR, verdict, waiting } from '../nodes/flows.ts'
import {
  badgesOf,
  deploy,
  Ear,
  nodeOf,
  startRuntime,
  stopRuntime,
  undeploy,
  untilBadge,
} from '../nodes/runtime.ts'
import { MQTT_PORT } from './agent-process.ts'
import { GateHome } from './gate-home.ts'
import { MqttOrders } from './orders.ts'
import { requires, sleep, until } from './process.ts'

const [ASKED, FREE] = [0, 1]
const DEADLINE_MS = 1000
const PORT = 7
/** As in from-config.ts. */
const QUEUE = '4281'
const REMOTES = ['203.0.113.60', '2001:db8:113::60']

/** What somebody does about a connection that waits. */
type Decide = (connection: Connection) => Promise<unknown> | undefined

describe('lab: first packets', function () {
  this.timeout(60_000)
  const home = new GateHome({ position: 'two_armed', devices: 2 })
  const asked: Connection[] = []
  let mqtt: MqttOrders
  let client: MqttClient
  let decide: Decide = () => undefined

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl')
    await home.start([
      ...['--enforce-verdict-deadline-ms', String(DEADLINE_MS)],
      ...['--enforce-verdict-default', 'drop'],
    ])
    const port = await home.home.door(MQTT_PORT)
    mqtt = await MqttOrders.connect(port, home.agent.id)
    client = await connectAsync(`mqtt://127.0.0.1:${port}`)
    client.on('message', (_, payload) => {
      const connection = JSON.parse(payload.toString()) as Connection
      asked.push(connection)
      void decide(connection)
    })
    await client.subscribeAsync(topicsOf(home.agent.id).connection)
  })
  beforeEach(async () => {
    asked.length = 0
    decide = () => undefined
    await home.order('restrict', ASKED, { restriction: 'ask' })
  })
  afterEach(() => home.release())
  after(async () => {
    await client?.endAsync(true)
    await mqtt?.stop()
    await home.stop()
  })

  /** Milliseconds to a connection; undefined: there was none in time. The first packet alone counts. */
  async function connects(device: number, ip: string): Promise<number | undefined> {
    const began = performance.now()
    const found = await home.reaches(device, [ip], 800)
    return found === 1 ? performance.now() - began : undefined
  }

  /** Packets that went to user space, by the queue's own count. */
  async function queued(): Promise<number> {
    const text = await home.home.in('box', 'cat', '/proc/net/netfilter/nfnetlink_queue')
    const line = text
      .split('\n')
      .map((each) => each.trim().split(/\s+/))
      .find(([id]) => id === QUEUE)
    return Number(line?.[7])
  }

  it('says that it asks', () => {
    const { first_packets } = home.tap.info?.capabilities ?? {}
    assert.equal(first_packets?.ok, true, first_packets?.reason)
  })

  it('holds a connection until it is accepted over MQTT, and asks once', async () => {
    decide = ({ id }) => mqtt.order('verdict', { connection: id, verdict: 'accept' })
    for (const [n, ip] of REMOTES.entries()) {
      const took = await connects(ASKED, ip)
      assert.ok(took !== undefined && took < DEADLINE_MS, `${took}`)
      assert.equal(asked.length, n + 1)
      const {
        device_id,
        responder,
        direction,
        protocol,
        default: otherwise,
      } = asked[n] as Connection
      assert.equal(device_id, home.home.device(ASKED).id)
      assert.deepEqual([responder.ip, responder.port], [ip, PORT])
      assert.deepEqual([direction, protocol, otherwise], ['outbound', 'tcp', 'drop'])
      console.log(`      connected after ${took.toFixed(0)} ms with a verdict over MQTT`)
    }
  })

  it('drops what is refused over HTTP, and what nobody decides about in time', async () => {
    const outcomes: unknown[] = []
    decide = async ({ id }) =>
      outcomes.push(await home.orders.rest('verdict', { connection: id, verdict: 'drop' }))
    assert.equal(await connects(ASKED, '203.0.113.61'), undefined)
    assert.equal(asked.length, 1)
    assert.match(JSON.stringify(outcomes), /"verdict":"drop"/)
    decide = () => undefined
    assert.equal(await connects(ASKED, '203.0.113.62'), undefined)
    await sleep(DEADLINE_MS)
    const late = await home.orders.rest('verdict', {
      connection: asked.at(-1)?.id,
      verdict: 'accept',
    })
    assert.equal(late.error?.code, 'not_found')
  })

  it('remembers for as long as it is told', async () => {
    decide = ({ id }) =>
      mqtt.order('verdict', { connection: id, verdict: 'accept', remember: '3s' })
    assert.ok(await connects(ASKED, '203.0.113.63'))
    decide = () => undefined
    const took = await connects(ASKED, '203.0.113.63')
    assert.ok(took !== undefined && took < DEADLINE_MS / 2, `${took}`)
    assert.equal(asked.length, 1)
    await sleep(3100)
    assert.equal(await connects(ASKED, '203.0.113.63'), undefined)
  })

  it('never sees what comes after the first packet', async () => {
    decide = ({ id }) => mqtt.order('verdict', { connection: id, verdict: 'accept' })
    const before = await queued()
    await home.does(ASKED, { do: 'hold', ip: '203.0.113.64', port: PORT })
    for (let i = 0; i < 100; i++) {
      assert.equal((await home.does(ASKED, { do: 'echo', ms: 1000 })).connected, 1)
    }
    assert.equal((await queued()) - before, 1)
  })

  it('leaves others alone, also while many wait and while the agent hangs', async () => {
    const many = Array.from({ length: 60 }, (_, i) => `203.0.113.${110 + i}`)
    const waits = home.does(ASKED, { do: 'connect', ips: many, port: PORT, ms: 300 })
    const others = await Promise.all([connects(FREE, '203.0.113.65'), waits])
    below('another device meanwhile', others[0] ?? Number.NaN, 200)
    const before = await queued()
    assert.ok(await connects(FREE, '203.0.113.66'))
    assert.equal(await queued(), before)
    home.agent.program.signal('SIGSTOP')
    try {
      for (let i = 0; i < 10; i++) assert.ok(await connects(FREE, '203.0.113.67'))
      const began = performance.now()
      await until(
        'open',
        async () => (await connects(ASKED, '203.0.113.68')) !== undefined || undefined,
        5000,
        5,
      )
      const took = performance.now() - began
      below('the agent hangs: its device connects', took, 2000)
    } finally {
      home.agent.program.signal('SIGCONT')
    }
  })

  describe('by a flow', () => {
    before(() => startRuntime())
    after(() => stopRuntime())
    afterEach(() => undeploy())

    it('asks and answers with its nodes', async () => {
      const { id } = home.home.device(ASKED)
      const asks = waiting({ devices: [id], wires: [['verdict-1']] })
      const port = await home.home.door(MQTT_PORT)
      await deploy(port, [asks, verdict({ remember: '1h' }), EAR, CATCH, CAUGHT], {
        agent: home.agent.id,
      })
      const ear = new Ear(nodeOf('ear-1'))
      await untilBadge(badgesOf(nodeOf('verdict-1')), 'homespin.status.online')
      const took = await connects(ASKED, '203.0.113.70')
      assert.ok(took !== undefined && took < DEADLINE_MS, `${took}`)
      const [answer] = await ear.take(1)
      assert.equal(answer?.payload.verdict, 'accept')
      console.log(`      connected after ${took.toFixed(0)} ms with a verdict of a flow`)
      assert.ok(await connects(ASKED, '203.0.113.70'))
      assert.equal(asked.length, 1)
    })
  })
})
