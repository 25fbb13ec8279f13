import assert from 'node:assert/strict'
import type { Server } from 'node:net'
import { createServer } from 'node:net'
import { Aedes } from 'aedes'
import { AgentLink } from '../../nodes/agent-link.ts'
import type { LinkState, LinkUser } from '../../nodes/link-user.ts'
import {
  AgentDouble,
  blocked,
  CAMERA,
  connection,
  device,
  dns,
  flow,
  incident,
} from './agent-double.ts'
import { until } from './runtime.ts'

/** A node that writes down what it is told. */
class Recorded implements LinkUser {
  readonly states: LinkState[] = []
  readonly heardOf: string[] = []
  readonly wants: LinkUser['wants']
  readonly verbs: readonly string[]

  constructor(wants: LinkUser['wants'], verbs: readonly string[] = []) {
    this.wants = wants
    this.verbs = verbs
  }

  state(state: LinkState): void {
    this.states.push(state)
  }

  device({ kind, device: { name } }: Parameters<NonNullable<LinkUser['device']>>[0]): void {
    this.heardOf.push(`${kind} ${name}`)
  }

  flows(steps: Parameters<NonNullable<LinkUser['flows']>>[0]): void {
    this.heardOf.push(...steps.map((step) => step.flow.id))
  }

  dns(queries: Parameters<NonNullable<LinkUser['dns']>>[0]): void {
    this.heardOf.push(...queries.map(({ query }) => query))
  }

  blocked(batch: Parameters<NonNullable<LinkUser['blocked']>>[0]): void {
    this.heardOf.push(...batch.blocked.map(({ cause }) => cause))
  }

  connection({ id }: Parameters<NonNullable<LinkUser['connection']>>[0]): void {
    this.heardOf.push(id)
  }

  incident({ kind, incident }: Parameters<NonNullable<LinkUser['incident']>>[0]): void {
    this.heardOf.push(`${kind} ${incident.id}`)
  }

  async untilState(state: LinkState): Promise<void> {
    await until(
      () => this.states.at(-1) === state,
      () => `${state}, saw ${this.states}`,
    )
  }
}

const without = (user: Recorded, ...keys: ('device' | 'flows')[]): Recorded => {
  for (const key of keys) Object.defineProperty(user, key, { value: undefined })
  return user
}

describe('nodes/agent-link', () => {
  let aedes: Aedes
  let server: Server
  let agent: AgentDouble
  let link: AgentLink
  let denied: (topic: string) => boolean
  let port = 0
  const told: string[] = []

  beforeEach(async () => {
    denied = () => false
    told.length = 0
    aedes = await Aedes.createBroker()
    aedes.authorizeSubscribe = (_client, wanted, done) => {
      done(null, denied(wanted.topic) ? null : wanted)
    }
    server = createServer((socket) => aedes.handle(socket))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as { port: number }).port
    agent = await AgentDouble.connect(port, { protocolVersion: 4 })
    const tell = (sentence: string): void => {
      told.push(sentence)
    }
    link = new AgentLink({
      broker: { host: '127.0.0.1', port },
      agent: 'home',
      prefix: 'homespin',
      log: { log: () => {}, warn: tell, error: tell },
    })
  })
  afterEach(async () => {
    await link.stop()
    await agent.leave()
    await new Promise<void>((resolve) => aedes.close(() => resolve()))
    await new Promise((resolve) => server.close(resolve))
  })

  it('shows a denied topic only at the nodes that want it, and orders all the same', async () => {
    const { topics } = agent
    denied = (topic) => topic === topics.connection || topic === topics.response('verdict')
    await agent.arrive([device()])
    const orders = new Recorded(['flow'], ['block'])
    const asks = new Recorded(['connection'])
    link.use(orders)
    await orders.untilState('online')
    link.use(asks)
    await asks.untilState('refused')
    assert.equal(orders.states.at(-1), 'online')
    assert.equal(link.state, 'online')
    assert.match(told.join('\n'), /^the broker does not let us read homespin\/home\/connection: \w/)
    await agent.flows([flow()])
    await until(() => orders.heardOf.includes('r1-1'), 'the flow')
    const unanswered = (verb: string): Promise<string> =>
      link.orders.order(verb, {}, 100).then(String, (error) => `${error.code} ${error.message}`)
    assert.match(await unanswered('block'), /^no_answer /)

    const decides = new Recorded([], ['verdict'])
    link.use(decides)
    await decides.untilState('refused')
    assert.equal(
      await unanswered('verdict'),
      'forbidden the broker does not let this user read homespin/home/response/verdict: nothing was ordered',
    )

    // What was denied once is asked for anew.
    await link.release(asks)
    denied = () => false
    const later = new Recorded(['connection'])
    link.use(later)
    await later.untilState('online')
  })

  it('takes no device for denied at nodes that are not about devices', async () => {
    denied = (topic) => topic === agent.topics.devices
    await agent.arrive([device()])
    const tells = new Recorded(['event'])
    const orders = without(new Recorded(['flow'], ['block']), 'device')
    link.use(tells)
    link.use(orders)
    await tells.untilState('refused')
    await orders.untilState('online')
  })

  it('does not read what an agent of another protocol says, and forgets what one had said', async () => {
    await agent.arrive([device()], { protocol: 2, version: '9.0.0' })
    await agent.incident()
    const user = new Recorded(['event', 'incidents'])
    link.use(user)
    await user.untilState('protocol')
    await agent.device(device({ name: 'told by protocol 2' }))
    await agent.event({ kind: 'device_new', device: device({ id: '020de0000009' }) })
    await agent.info()
    await user.untilState('online')
    await until(() => user.heardOf.length === 2, 'device and incident')
    assert.deepEqual(user.heardOf.sort(), ['present i1-1', 'present told by protocol 2'])
    assert.equal(link.inventory.find(CAMERA).length, 1)
    await agent.info({ protocol: 2, version: '9.0.0' })
    await user.untilState('protocol')
    assert.deepEqual(link.inventory.find(CAMERA), [])
    assert.deepEqual(link.board.incidents(), [])
  })

  it('drops what is retained where nothing is, and says so once', async () => {
    const { topics } = agent
    const batch = { seq: 1, from_ms: 1, to_ms: 2, part: 1, parts: 1, complete: true }
    const event = { type: 'event', kind: 'device_new', seq: 1, time_ms: 1, sentence: 'It is.' }
    const old: [string, object][] = [
      [topics.flow, { type: 'flow_batch', ...batch, flows: [flow()] }],
      [topics.dns, { type: 'dns_batch', ...batch, dns: [dns()] }],
      [topics.event, { ...event, device: device({ id: '020de0000009', name: 'old' }) }],
      [topics.blocked, { type: 'blocked_batch', ...batch, blocked: [blocked()] }],
      [topics.connection, connection()],
    ]
    for (const [topic, message] of old) await agent.raw(topic, JSON.stringify(message), true)
    await agent.arrive([device()])
    await agent.incident()
    const user = new Recorded(['flow', 'dns', 'event', 'blocked', 'connection', 'incidents'])
    link.use(user)
    await user.untilState('online')
    await agent.flows([flow({ id: 'live' })])
    await until(() => user.heardOf.includes('live'), 'what is not retained')
    assert.deepEqual(user.heardOf.sort(), ['live', 'present camera', `present ${incident().id}`])
    assert.equal(told.length, 5)
    for (const sentence of told)
      assert.match(
        sentence,
        /^\w+: homespin\/home\/\w+ is retained, which no agent does: left out$/,
      )
  })

  it('begins anew when the last node has left', async () => {
    await agent.arrive([device()])
    await agent.incident()
    const user = new Recorded(['event', 'incidents'])
    link.use(user)
    await until(() => user.heardOf.length === 2, 'device and incident')
    await link.release(user)
    await agent.forget(CAMERA)
    const later = new Recorded(['event', 'incidents'])
    link.use(later)
    assert.deepEqual(link.inventory.devices(), [])
    await later.untilState('online')
    await until(() => later.heardOf.length > 0, 'the incident')
    assert.deepEqual(later.heardOf, ['present i1-1'])
  })

  it('says why nothing was ordered', async () => {
    const user = new Recorded([], ['block'])
    link.use(user)
    const why = (): Promise<string> =>
      link.orders.order('block', {}, 50).then(String, (error) => `${error.code} ${error.message}`)
    await user.untilState('waiting')
    const tail = ', and nothing was ordered'
    const head = 'not_sent the agent did not answer within 0.05 s: '
    assert.equal(await why(), `${head}nothing was heard of the agent${tail}`)
    await agent.arrive([], { protocol: 2 })
    await user.untilState('protocol')
    assert.equal(await why(), `${head}the agent speaks another protocol than these nodes${tail}`)
    await agent.info()
    await agent.raw(agent.topics.status, 'offline', true)
    await user.untilState('offline')
    assert.equal(await why(), `${head}the agent is not there${tail}`)
  })
})
