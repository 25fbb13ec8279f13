// First packets that wait for a verdict: each message carries the handle with which a verdict node answers.
import type { Node, NodeAPI } from 'node-red'
import type { Connection } from '../protocol/act.ts'
import { CONNECTION_FILTER_KEYS, connectionTest } from './act-filter.ts'
import type { AgentUserDef, JoiningUser } from './agent-node.ts'
import { Badge, deviceLabel, joinAgent } from './agent-node.ts'
import { filterOf } from './filter.ts'
import { LiveFilter } from './live-filter.ts'
import { sendOutput } from './message.ts'

interface ConnectionDef extends AgentUserDef {
  devices: string[]
  direction: string
  remote: string
  remoteType: string
  port: string
  portType: string
}

/** What of a message a verdict node needs. Plain data, so that it is copied along where a flow branches. */
export interface ConnectionHandle {
  /** Id of the config node of the agent that holds the packet. */
  agent: string
  id: string
  deadline_ms: number
  /** What is done when nobody answers. */
  default: Connection['default']
}

export default function register(RED: NodeAPI): void {
  function HomespinConnection(this: Node, def: ConnectionDef): void {
    RED.nodes.createNode(this, def)
    const badge = new Badge(this)
    const filter = new LiveFilter(
      RED,
      this,
      {
        devices: { value: def.devices, type: 'raw' },
        direction: { value: def.direction, type: 'raw' },
        remote: { value: def.remote, type: def.remoteType || 'str' },
        port: { value: def.port, type: def.portType || 'str' },
      },
      (values) => connectionTest(values),
      (error) => {
        badge.setFault('filter', error && 'homespin.status.filter')
        // With a message, even an empty one, a catch node hears of it.
        if (error) this.error(error, {})
      },
    )

    const user: JoiningUser = {
      wants: ['connection'],
      connection: (connection) => {
        if (!filter.current()?.(connection)) return
        const { id, device_id, deadline_ms, default: otherwise } = connection
        const handle: ConnectionHandle = { agent: def.agent, id, deadline_ms, default: otherwise }
        const device = link && deviceLabel(link, device_id)
        const msg = { topic: device_id, device, connection: handle }
        // Other nodes get the same connection, and what comes after them may write into it.
        sendOutput(RED, this, msg, def.output, structuredClone(connection))
        badge.setLast('homespin.status.waits')
      },
    }
    const others = { topic: '', device: {}, connection: {} }
    const link = joinAgent(RED, this, def, badge, user, others)

    this.on('input', (msg, _send, done) => {
      try {
        filter.override(msg.filter === null ? {} : filterOf(msg.filter, CONNECTION_FILTER_KEYS))
        done()
      } catch (error) {
        done(error as Error)
      }
    })
  }
  RED.nodes.registerType('homespin-connection', HomespinConnection)
}
