// Shuts a device, a group or all new devices off to a level; pauses; releases.
import type { Node, NodeAPI } from 'node-red'
import type { TypedField } from './live-filter.ts'
import { field, needed, optional } from './order-arguments.ts'
import type { Order, OrderDef } from './order-node.ts'
import { giveOrders } from './order-node.ts'

interface QuarantineDef extends OrderDef {
  action: 'quarantine' | 'pause' | 'release'
  level: string
  levelType: string
}

export default function register(RED: NodeAPI): void {
  function HomespinQuarantine(this: Node, def: QuarantineDef): void {
    RED.nodes.createNode(this, def)
    const isList = !def.levelType || def.levelType === 'level'
    const fields: Record<string, TypedField> = {
      ...(def.action === 'quarantine' && {
        level: isList ? { value: def.level, type: 'raw' } : field(def.level, def.levelType),
      }),
      ...(def.action !== 'release' && { for: field(def.for, def.forType) }),
    }
    const orderOf = (values: Record<string, unknown>): Order => {
      const args = {
        ...(fields.level && { level: needed(values.level, 'level') }),
        ...(fields.for && { for: optional(values.for, fields.for, 'duration') }),
      }
      return { verb: def.action, args }
    }
    const verbs = ['quarantine', 'pause', 'release']
    giveOrders(RED, this, def, { shown: 'levels', verbs, fields, orderOf })
  }
  RED.nodes.registerType('homespin-quarantine', HomespinQuarantine)
}
