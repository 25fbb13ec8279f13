// What was dropped, of which device, and by which rule.
import type { Node, NodeAPI } from 'node-red'
import type { Blocked } from '../protocol/act.ts'
import { BLOCKED_FILTER_KEYS, blockedTest } from './act-filter.ts'
import type { AgentUserDef, JoiningUser } from './agent-node.ts'
import { Badge, deviceLabel, joinAgent } from './agent-node.ts'
import { filterOf } from './filter.ts'
import { LiveFilter } from './live-filter.ts'
import { sendOutput } from './message.ts'

interface BlockedDef extends AgentUserDef {
  /** A message for each entry, or one for all of an interval. */
  mode: 'each' | 'batch'
  devices: string[]
  rule: string
  ruleType: string
  cause: string
  causeType: string
}

export default function register(RED: NodeAPI): void {
  function HomespinBlocked(this: Node, def: BlockedDef): void {
    RED.nodes.createNode(this, def)
    const badge = new Badge(this)
    const filter = new LiveFilter(
      RED,
      this,
      {
        devices: { value: def.devices, type: 'raw' },
        rule: { value: def.rule, type: def.ruleType || 'str' },
        cause: {
          value: def.cause,
          type: !def.causeType || def.causeType === 'cause' ? 'raw' : def.causeType,
        },
      },
      (values) => blockedTest(values),
      (error) => {
        badge.setFault('filter', error && 'homespin.status.filter')
        // With a message, even an empty one, a catch node hears of it.
        if (error) this.error(error, {})
      },
    )

    const sendEach = (blocked: Blocked): void => {
      const msg = { topic: blocked.device_id, device: link && deviceLabel(link, blocked.device_id) }
      // Other nodes get the same entry, and what comes after them may write into it.
      sendOutput(RED, this, msg, def.output, structuredClone(blocked))
    }

    const user: JoiningUser = {
      wants: ['blocked'],
      blocked: ({ from_ms, to_ms, blocked }) => {
        const test = filter.current()
        const told = test ? blocked.filter(test) : []
        if (told.length === 0) return
        if (def.mode === 'batch') {
          const msg = { from_ms, to_ms }
          sendOutput(RED, this, msg, def.output, structuredClone(told))
        } else for (const each of told) sendEach(each)
        const count = told.reduce((sum, each) => sum + each.packets, 0)
        badge.setLast(RED._('homespin.status.packets', { count }))
      },
    }
    const others = def.mode === 'batch' ? { from_ms: 0, to_ms: 0 } : { topic: '', device: {} }
    const link = joinAgent(RED, this, def, badge, user, others)

    this.on('input', (msg, _send, done) => {
      try {
        filter.override(msg.filter === null ? {} : filterOf(msg.filter, BLOCKED_FILTER_KEYS))
        done()
      } catch (error) {
        done(error as Error)
      }
    })
  }
  RED.nodes.registerType('homespin-blocked', HomespinBlocked)
}
