// Closes a device, a group or the home towards a remote; opens it again; makes an exception.
import type { Node, NodeAPI } from 'node-red'
import type { TypedField } from './live-filter.ts'
import { field, optional, remoteOf } from './order-arguments.ts'
import type { Order, OrderDef } from './order-node.ts'
import { giveOrders } from './order-node.ts'

/** `disallow` takes exceptions away: the method `unblock` with `action: allow`. */
type BlockAction = 'block' | 'unblock' | 'allow' | 'disallow'

interface BlockDef extends OrderDef {
  action: BlockAction
  remote: string
  remoteType: string
  protocol: string
  protocolType: string
  port: string
  portType: string
}

export default function register(RED: NodeAPI): void {
  function HomespinBlock(this: Node, def: BlockDef): void {
    RED.nodes.createNode(this, def)
    const ends = def.action === 'unblock' || def.action === 'disallow'
    const fields: Record<string, TypedField> = {
      remote: field(def.remote, def.remoteType),
      protocol: protocolField(def),
      port: field(def.port, def.portType),
      ...(!ends && { for: field(def.for, def.forType) }),
    }
    const orderOf = (values: Record<string, unknown>): Order => {
      const value = (key: string): string | number | undefined =>
        optional(values[key], fields[key] as TypedField, key)
      const args = {
        ...remoteOf(value('remote')),
        protocol: value('protocol'),
        port: value('port'),
        ...(!ends && { for: value('for') }),
        ...(def.action === 'disallow' && { action: 'allow' }),
      }
      return { verb: ends ? 'unblock' : def.action, args }
    }
    const verbs = ['block', 'unblock', 'allow']
    giveOrders(RED, this, def, { shown: 'rules', verbs, fields, orderOf })
  }
  RED.nodes.registerType('homespin-block', HomespinBlock)
}

/** The list of the dialog stores `any` for none. */
function protocolField({ protocol, protocolType }: BlockDef): TypedField {
  if (protocolType && protocolType !== 'protocol') return field(protocol, protocolType)
  return { value: protocol === 'any' ? '' : (protocol ?? ''), type: 'raw' }
}
