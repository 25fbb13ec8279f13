import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { below } from '../figure.ts'
import { AgentDouble, CAMERA, device, dns, flow } from './agent-double.ts'
import type { Mosquitto } from './mosquitto.ts'
import { hasMosquitto, startMosquitto } from './mosquitto.ts'
import type { NodeRed } from './node-red.ts'
import { startNodeRed } from './node-red.ts'
import { OrderDouble, ordered, rule } from './order-double.ts'
import { until } from './runtime.ts'

const EXAMPLES = join(import.meta.dirname, '../../examples')

/** All examples at once, as if each had been imported, with the port of the test's broker. */
function exampleFlows(port: number): Record<string, unknown>[] {
  const nodes = globSync('*.json', { cwd: EXAMPLES }).flatMap(
    (file) => JSON.parse(readFileSync(join(EXAMPLES, file), 'utf8')) as Record<string, unknown>[],
  )
  const byId = new Map(nodes.map((node) => [node.id, node]))
  return [...byId.values()].map((node) => {
    if (node.type === 'homespin-agent') return { ...node, port }
    if (node.type === 'debug') return { ...node, console: true }
    if (node.type === 'homespin-traffic') return { ...node, interval: 1 }
    return node
  })
}

describe('the example flows', function () {
  this.timeout(90000)
  let broker: Mosquitto
  let agent: AgentDouble
  let desk: OrderDouble
  let nodeRed: NodeRed

  before(async function () {
    if (!hasMosquitto()) this.skip()
    broker = await startMosquitto()
    agent = await AgentDouble.connect(broker.port)
    desk = await OrderDouble.connect(broker.port)
    await agent.arrive([device()])
    nodeRed = await startNodeRed({ flows: exampleFlows(broker.port) })
    const read = ['flow', 'dns', 'event', 'connection', 'response/verdict']
    await until(
      () => read.every((topic) => broker.log().includes(`homespin/home/${topic} (QoS`)),
      'the nodes to listen',
    )
  })
  after(async () => {
    await nodeRed?.stop()
    await agent?.leave()
    await desk?.leave()
    await broker?.stop()
  })

  it('do in a real Node-RED what they promise', async () => {
    const plug = device({ id: '020de0000003', name: 'plug', ips: ['192.0.2.13'] })
    await agent.flows([flow({ id: 'large', sent_bytes: 20_000_000 })])
    await agent.dns([dns(), dns({ query: 'missing.example.com', rcode: 'NXDOMAIN' })])
    await agent.event({ kind: 'device_new', device: plug })
    const heard = [
      /\[debug:flows\][^[]*id: 'large'/,
      /\[debug:names\] missing\.example\.com/,
      /\[debug:devices\] new: plug \(Example Corp\), 192\.0\.2\.13/,
      /\[debug:much sent\][^[]*type: 'traffic_summary'[^[]*sent_bytes: 20000000/,
    ]
    await untilHeard(...heard)
    assert.doesNotMatch(nodeRed.log(), /\[error\]|missing types/i)
  })

  it('quarantine a device that opens too many connections, within 2 s of the 151st', async () => {
    desk.answer = ({ id, args }) => {
      const level = args.level as 'local_only'
      const result = ordered({ level, desired_level: level }, rule({ level }))
      return { type: 'response', id, ok: true, result }
    }
    // What a stranger begins does not count against the device.
    const inbound = Array.from({ length: 200 }, (_, n) =>
      flow({ id: `in-${n}`, direction: 'inbound' }),
    )
    await agent.flows(inbound.slice(0, 100))
    await agent.flows(inbound.slice(100))
    await untilHeard(/\[debug:flows\][^[]*id: 'in-199'/)
    assert.deepEqual(desk.taken, [])
    const begin = performance.now()
    const many = Array.from({ length: 200 }, (_, n) => flow({ id: `many-${n}` }))
    await agent.flows(many.slice(0, 100))
    await agent.flows(many.slice(100))
    await until(() => desk.taken.length > 0, 'the order')
    const took = performance.now() - begin
    below('ordered after 200 connections were told', took, 2000)
    const [{ verb, args } = { verb: '', args: {} }] = desk.taken.splice(0)
    assert.deepEqual(
      [verb, args],
      [
        'quarantine',
        {
          device: CAMERA,
          level: 'local_only',
          for: '1h',
          reason: 'messages: 151 in 10 s, more than 150',
          by: { kind: 'flow', name: 'Quarantine a device that opens too many connections' },
        },
      ],
    )
    await untilHeard(/\[debug:quarantined\][\s\S]*?policies: [\s\S]*?level: 'local_only'/)
  })

  it('block a domain for a group, and pause the TV, when they are told to', async () => {
    desk.done(ordered({}, rule()))
    for (const id of [
      '06b2d8f3c5e0a103',
      '06b2d8f3c5e0a105',
      '08d4fab5e702c303',
      '08d4fab5e702c305',
    ]) {
      const { status } = await fetch(`${nodeRed.url}inject/${id}`, { method: 'POST' })
      assert.equal(status, 200)
      await until(() => desk.taken.some(({ args }) => args.by !== undefined), 'the order')
    }
    await until(() => desk.taken.length === 4, 'four orders')
    assert.deepEqual(
      desk.taken.splice(0).map(({ verb, args: { by: _, ...args } }) => [verb, args]),
      [
        ['block', { group: 'tablets', domain: 'example.com', for: '10h', reason: 'at night' }],
        ['unblock', { group: 'tablets', domain: 'example.com', reason: 'a holiday' }],
        ['pause', { device: 'tv', for: '30m', reason: 'time for something else' }],
        ['release', { device: 'tv' }],
      ],
    )
    // Where a block would be rolled back, it is confirmed: it has to last until the morning.
    const until_ms = Date.now() + 60_000
    desk.answer = ({ verb, id }) => {
      const waits = verb === 'block' ? { confirm_until_ms: until_ms } : {}
      return { type: 'response', id, ok: true, result: ordered({}, rule({ id: 'r6-1', ...waits })) }
    }
    await fetch(`${nodeRed.url}inject/06b2d8f3c5e0a103`, { method: 'POST' })
    await until(() => desk.taken.length === 2, 'the confirmation')
    assert.deepEqual(
      desk.taken.splice(0).map(({ verb, args: { rule: id } }) => [verb, id]),
      [
        ['block', undefined],
        ['confirm', 'r6-1'],
      ],
    )
    desk.refuse('not_found', 'there is no device "tv"')
    await fetch(`${nodeRed.url}inject/08d4fab5e702c303`, { method: 'POST' })
    await untilHeard(/\[debug:not done\] Error: there is no device "tv"/)
    desk.taken.length = 0
  })

  it('drop the connection of a new device until a person says yes', async () => {
    desk.answer = ({ id, args: { connection, verdict } }) => {
      return { type: 'response', id, ok: true, result: { connection, verdict } }
    }
    await agent.connection({ id: 'c-1' })
    await until(() => desk.taken.length === 1, 'the verdict')
    await untilHeard(/\[debug:ask\] May camera reach api\.example\.com 203\.0\.113\.9\?/)
    await fetch(`${nodeRed.url}inject/07c3e9a4d6f1b20b`, { method: 'POST' })
    await until(() => {
      void agent.connection({ id: 'c-2' })
      return desk.taken.some(({ args }) => args.verdict === 'accept')
    }, 'the flow to remember')
    const [first] = desk.taken
    assert.deepEqual(first?.args, { connection: 'c-1', verdict: 'drop' })
    const accepted = desk.taken.find(({ args }) => args.verdict === 'accept')
    assert.deepEqual(accepted?.args, { connection: 'c-2', verdict: 'accept', remember: '1h' })
    desk.refuse('not_found', 'no such connection waits; its time may be over')
    await agent.connection({ id: 'c-3' })
    await untilHeard(/\[debug:too late\] Error: no such connection waits/)
  })

  async function untilHeard(...heard: RegExp[]): Promise<void> {
    for (const words of heard)
      await until(
        () => words.test(nodeRed.log()),
        () => `${words} in ${nodeRed.log()}`,
      )
  }
})
