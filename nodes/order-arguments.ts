// From what a dialog stores and a message brings to the arguments of an order. What is empty never widens an order: a
// device, a remote or a duration that is to be taken from somewhere must be there.
import { isIP } from 'node:net'
import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red'
import type { TypedField } from './live-filter.ts'
import { evaluate } from './live-filter.ts'
import { OrderError } from './order-desk.ts'

/** About whom: what the dialog offers. */
export type Who = 'device' | 'group' | 'everyone' | 'new_devices'

/** What the dialogs of orders store. */
export interface OrderFields {
  who: Who
  device: string
  deviceType: string
  group: string
  groupType: string
  /** Of an order that ends by itself. */
  for?: string
  forType?: string
  reason: string
  reasonType: string
}

/** Longer reasons are cut: the agent keeps 200 characters. */
const MAX_REASON = 200
/** The name of a flow is cut: the agent keeps 100 characters. */
const MAX_FLOW_NAME = 100

/** The typed inputs that say about whom. */
export function whoFields(def: NodeDef & OrderFields): Record<string, TypedField> {
  if (def.who === 'device') return { device: field(def.device, def.deviceType) }
  if (def.who === 'group') return { group: field(def.group, def.groupType) }
  return {}
}

/** One typed input. */
export function field(value: unknown, type: string | undefined): TypedField {
  return { value: value ?? '', type: type || 'str' }
}

/** The values of several typed inputs for one message. Rejects with an `OrderError` that names the first that fails. */
export async function evaluateAll<Key extends string>(
  RED: NodeAPI,
  node: Node,
  fields: Readonly<Record<Key, TypedField>>,
  msg: NodeMessage,
): Promise<Record<Key, unknown>> {
  const evaluated = Object.entries<TypedField>(fields).map(async ([key, each]) => {
    try {
      return [key, await fieldValue(RED, node, each, msg)]
    } catch (error) {
      const why = `the ${key} of this order cannot be evaluated (${(error as Error).message})`
      throw new OrderError('invalid_arguments', `${why}: nothing was ordered`)
    }
  })
  return Object.fromEntries(await Promise.all(evaluated)) as Record<Key, unknown>
}

/** The value of one typed input for one message. Rejects with what Node-RED says where it has none. */
export function fieldValue(
  RED: NodeAPI,
  node: Node,
  from: TypedField,
  msg: NodeMessage,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    evaluate(RED, node, from, msg, (error, value) => {
      if (error) reject(error)
      else resolve(value)
    })
  })
}

/** The subject of an order. Throws an `OrderError` where it is empty. */
export function subjectOf(who: Who, values: Record<string, unknown>): Record<string, unknown> {
  if (who === 'everyone') return { everyone: true }
  if (who === 'new_devices') return { new_devices: true }
  if (who === 'group') return { group: needed(values.group, 'group') }
  return { device: needed(deviceIn(values.device), 'device') }
}

/**
 * A value of an order: absent where the dialog leaves it empty. Throws an `OrderError` where it should have come from
 * elsewhere and did not, or is neither text nor a number.
 */
export function optional(
  value: unknown,
  from: TypedField,
  what: string,
): string | number | undefined {
  const isTyped = from.type === 'str' || from.type === 'num' || from.type === 'raw'
  if (isTyped && (value === '' || String(from.value).trim() === '')) return undefined
  return needed(value, what)
}

/** The other side of a block: an address or a prefix, else a name. */
export function remoteOf(remote: string | number | undefined): Record<string, unknown> {
  if (remote === undefined) return {}
  const text = String(remote).trim()
  return isIP(text.split('/')[0] ?? '') === 0 ? { domain: text } : { endpoint: text }
}

/** Why and in whose name, as the agent's journal keeps it. A reason may be missing. */
export function byOf(reason: unknown, flowName: unknown): Record<string, unknown> {
  const name = typeof flowName === 'string' ? cut(flowName.trim(), MAX_FLOW_NAME) : ''
  const why = typeof reason === 'string' || typeof reason === 'number' ? String(reason).trim() : ''
  return {
    ...(why && { reason: cut(why, MAX_REASON) }),
    by: { kind: 'flow', ...(name && { name }) },
  }
}

/** Throws an `OrderError` where `value` is neither text nor a number, or empty. */
export function needed(value: unknown, what: string): string | number {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (typeof value === 'string' && value.trim() !== '') return value.trim()
  const found = value === undefined || value === null || value === '' ? 'is empty' : 'is not text'
  throw new OrderError(
    'invalid_arguments',
    `the ${what} of this order ${found}: nothing was ordered`,
  )
}

/** A device of a message may be its id, or an object that has one, as `msg.device` of the other nodes. */
function deviceIn(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  return Object.hasOwn(value, 'id') ? (value as { id: unknown }).id : value
}

/** Cut to `most` UTF-16 units, never within a character. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text
  return `${text.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
}
