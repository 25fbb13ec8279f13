// Node-RED's runtime for one test file, without the editor.
import { createRequire } from 'node:module'
import type { NodeInitializer, NodeStatus } from 'node-red'
import registerAgent from '../../nodes/homespin-agent.ts'
import registerBlock from '../../nodes/homespin-block.ts'
import registerBlocked from '../../nodes/homespin-blocked.ts'
import registerConnection from '../../nodes/homespin-connection.ts'
import registerDevice from '../../nodes/homespin-device.ts'
import registerDns from '../../nodes/homespin-dns.ts'
import registerIncident from '../../nodes/homespin-incident.ts'
import registerQuarantine from '../../nodes/homespin-quarantine.ts'
import registerRate from '../../nodes/homespin-rate.ts'
import registerTraffic from '../../nodes/homespin-traffic.ts'
import registerVerdict from '../../nodes/homespin-verdict.ts'

const require = createRequire(import.meta.url)

/** A node as the helper hands it out. */
export interface TestNode extends NodeJS.EventEmitter {
  id: string
  receive: (msg: object) => void
  error: { getCalls: () => { thisValue: unknown; args: unknown[] }[] }
  status: { getCalls: () => { thisValue: unknown; args: [NodeStatus] }[] }
  context: () => Record<'flow' | 'global', { set: (key: string, value: unknown) => void }>
}

interface Request {
  get: (path: string) => Promise<{ status: number; body: unknown }>
}

interface Helper {
  init: (runtime: string) => void
  startServer: () => Promise<void>
  stopServer: () => Promise<void>
  load: (nodes: NodeInitializer[], flow: object[], credentials: object) => Promise<void>
  unload: () => Promise<void>
  getNode: (id: string) => TestNode | null
  request: () => Request
}

const helper = require('node-red-node-test-helper') as Helper
const registerTls = require('@node-red/nodes/core/network/05-tls.js') as NodeInitializer

/** A message as a test looks at it. */
export type Heard = Record<string, unknown> & { payload: Record<string, unknown> }

const NODES: NodeInitializer[] = [
  registerTls,
  registerAgent,
  registerTraffic,
  registerDns,
  registerDevice,
  registerBlock,
  registerQuarantine,
  registerBlocked,
  registerIncident,
  registerConnection,
  registerVerdict,
  registerRate,
]

/** What nodes have sent to one node, and a way to wait for it. */
export class Ear {
  readonly messages: Heard[] = []

  constructor(node: TestNode) {
    node.on('input', (msg: Heard) => this.messages.push(msg))
  }

  /** Waits until there are `count` messages, and hands them out. */
  async take(count: number): Promise<Heard[]> {
    await until(() => this.messages.length >= count, `${count} messages`)
    return this.messages.splice(0, count)
  }
}

export function startRuntime(): Promise<void> {
  helper.init(require.resolve('node-red'))
  return helper.startServer()
}

export async function stopRuntime(): Promise<void> {
  await helper.stopServer()
}

/** The name of the flow that is deployed. */
export const TAB = 'night & day'

/** Deploys `flow`, with a config node `agent-1` for the broker on `port`. */
export async function deploy(
  port: number,
  flow: object[],
  settings: object = {},
  credentials: object = {},
): Promise<void> {
  const tab = { id: 'tab-1', type: 'tab', label: TAB }
  const agent = {
    id: 'agent-1',
    type: 'homespin-agent',
    name: '',
    host: '127.0.0.1',
    port,
    prefix: 'homespin',
    agent: 'home',
    ...settings,
  }
  await helper.load(NODES, [tab, agent, ...flow.map((node) => ({ z: 'tab-1', ...node }))], {
    'agent-1': credentials,
  })
}

export async function undeploy(): Promise<void> {
  await helper.unload()
}

export function nodeOf(id: string): TestNode {
  const node = helper.getNode(id)
  if (!node) throw new Error(`there is no node ${id}`)
  return node
}

/** Asks an endpoint of the admin API. */
export function adminGet(path: string): Promise<{ status: number; body: unknown }> {
  return helper.request().get(path)
}

/** Every badge that a node has shown and will show. */
export function badgesOf(node: TestNode): NodeStatus[] {
  const shown = node.status.getCalls().filter((call) => call.thisValue === node)
  const badges: NodeStatus[] = shown.map((call) => call.args[0])
  node.on('call:status', (call: { args: [NodeStatus] }) => badges.push(call.args[0]))
  return badges
}

/** Every error that a node has raised so far, as text. */
export function errorsOf(node: TestNode): string[] {
  const raised = node.error.getCalls().filter((call) => call.thisValue === node)
  return raised.map((call) => String(call.args[0]))
}

/** Waits until `isSo`, at most 10 s. */
export async function until(isSo: () => boolean, what: string | (() => string)): Promise<void> {
  const end = performance.now() + 10000
  while (!isSo()) {
    if (performance.now() > end) {
      throw new Error(`waited in vain for ${typeof what === 'string' ? what : what()}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Waits until a node shows a badge with this text. */
export async function untilBadge(badges: NodeStatus[], text: string): Promise<void> {
  const what = (): string => `the badge ${text}, saw ${JSON.stringify(badges)}`
  await until(() => badges.at(-1)?.text === text, what)
}
