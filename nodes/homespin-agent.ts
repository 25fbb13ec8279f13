// The config node: where the agent is. It owns the connection that its nodes share.
import type { Node, NodeAPI, NodeDef } from 'node-red'
import { DEFAULT_PREFIX } from '../protocol/topics.ts'
import { AgentLink } from './agent-link.ts'
import type { AgentNode } from './agent-node.ts'

interface AgentDef extends NodeDef {
  host: string
  port: number | string
  usetls: boolean
  /** Id of a `tls-config` node; absent: the CAs of the system. */
  tls?: string
  prefix: string
  agent: string
}

interface AgentCredentials {
  user?: string
  password?: string
  /** `mqtt.command_key` of the agent: orders are signed with it. */
  commandKey?: string
}

type ConfigNode = AgentNode & Node<AgentCredentials>

interface TlsConfigNode extends Node {
  /** False: a file that it names could not be read. */
  valid?: boolean
  addTLSOptions: (options: Record<string, unknown>) => Record<string, unknown>
}

/** One device in the editor's list. */
export interface ListedDevice {
  id: string
  name: string
  vendor?: string
  ip?: string
  mac?: string
}

/** `GET homespin/agents/<id of the config node>/devices`. */
export interface DeviceListing {
  state: string
  devices: ListedDevice[]
  /** The levels of quarantine that the agent can hold where it is; absent: it has not said. */
  levels?: readonly string[]
}

export default function register(RED: NodeAPI): void {
  function HomespinAgent(this: ConfigNode, def: AgentDef): void {
    RED.nodes.createNode(this, def)
    try {
      this.link = linkOf(RED, this, def)
    } catch (error) {
      this.error(RED._('homespin-agent.error.settings', { message: (error as Error).message }))
    }
    this.on('close', (done: () => void) => {
      if (this.link) this.link.stop().then(done, done)
      else done()
    })
  }
  RED.nodes.registerType<ConfigNode, AgentDef, unknown, AgentCredentials>(
    'homespin-agent',
    HomespinAgent,
    {
      credentials: {
        user: { type: 'text' },
        password: { type: 'password' },
        commandKey: { type: 'password' },
      },
    },
  )

  RED.httpAdmin.get(
    '/homespin/agents/:id/devices',
    RED.auth.needsPermission('homespin.read'),
    (request, response) => {
      const node = RED.nodes.getNode(String(request.params.id)) as AgentNode | null
      if (node?.type !== 'homespin-agent' || !node.link) {
        response.status(404).json({ error: 'no such agent' })
        return
      }
      const listing: DeviceListing = {
        state: node.link.state,
        ...(node.link.levels && { levels: node.link.levels }),
        devices: node.link.inventory.devices().map(({ id, name, vendor, ips, mac }) => ({
          id,
          name,
          vendor,
          ip: ips[0],
          mac,
        })),
      }
      response.json(listing)
    },
  )
}

function linkOf(RED: NodeAPI, node: ConfigNode, def: AgentDef): AgentLink {
  const port = Number(def.port || 1883)
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new RangeError('the port must be a number from 1 to 65535')
  }
  const broker = {
    host: (def.host || '127.0.0.1').trim(),
    port,
    tls: def.usetls ? tlsOf(RED, def.tls) : undefined,
    username: node.credentials?.user,
    password: node.credentials?.password,
  }
  return new AgentLink({
    broker,
    agent: (def.agent || 'home').trim(),
    prefix: (def.prefix || DEFAULT_PREFIX).trim(),
    commandKey: node.credentials?.commandKey,
    log: {
      log: (sentence) => node.log(sentence),
      warn: (sentence) => node.warn(sentence),
      error: (sentence) => node.error(sentence),
    },
  })
}

/** Options of node:tls. Throws an Error where those of `id` are not to be had: without them others would be trusted. */
function tlsOf(RED: NodeAPI, id: string | undefined): Record<string, unknown> {
  if (!id) return {}
  const settings = RED.nodes.getNode(id) as TlsConfigNode | null
  if (!settings || settings.valid === false) {
    throw new Error('the TLS settings are missing, or name a file that cannot be read')
  }
  return settings.addTLSOptions({})
}
