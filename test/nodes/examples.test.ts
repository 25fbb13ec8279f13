import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AgentDouble, device, dns, flow } from './agent-double.ts'
import type { Mosquitto } from './mosquitto.ts'
import { hasMosquitto, startMosquitto } from './mosquitto.ts'
import type { NodeRed } from './node-red.ts'
import { startNodeRed } from './node-red.ts'
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
  let nodeRed: NodeRed

  before(async function () {
    if (!hasMosquitto()) this.skip()
    broker = await startMosquitto()
    agent = await AgentDouble.connect(broker.port)
    await agent.arrive([device()])
    nodeRed = await startNodeRed({ flows: exampleFlows(broker.port) })
    await until(
      () => broker.log().includes('Sending SUBACK to homespin-nr-'),
      'the nodes to listen',
    )
  })
  after(async () => {
    await nodeRed?.stop()
    await agent?.leave()
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
    for (const words of heard)
      await until(
        () => words.test(nodeRed.log()),
        () => `${words} in ${nodeRed.log()}`,
      )
    assert.doesNotMatch(nodeRed.log(), /\[error\]|missing types/i)
  })
})
