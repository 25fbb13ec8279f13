// What the nodes that order have in common: evaluate, order, wait for the kernel, pass on.
import type { Node, NodeAPI, NodeMessage } from 'node-red'
import type { AgentUserDef } from './agent-node.ts'
import { Badge, joinAgent, setOutput } from './agent-node.ts'
import type { Ordered } from './guard-act.ts'
import { asOrdered } from './guard-act.ts'
import type { Shown } from './kernel-badge.ts'
import { flowNameOf, KernelBadge } from './kernel-badge.ts'
import type { TypedField } from './live-filter.ts'
import { evaluateAll } from './live-filter.ts'
import type { OrderFields } from './order-arguments.ts'
import { byOf, field, subjectOf, whoFields } from './order-arguments.ts'
import { OrderError } from './order-desk.ts'

/** What every node of orders has in its stored configuration. */
export interface OrderDef extends AgentUserDef, OrderFields {
  /** Seconds to wait for an answer, 1 to 30. */
  wait: number | string
}

/** One order, made of the values for one message. */
export interface Order {
  verb: string
  args: Record<string, unknown>
}

/** What makes one node of orders another than the next. */
export interface OrderNode {
  shown: Shown
  /** Every verb that it may use. */
  verbs: readonly string[]
  /** Typed inputs besides those of every order. */
  fields: Readonly<Record<string, TypedField>>
  /** The verb and its own arguments. Throws an `OrderError` where the values make no order. */
  orderOf: (values: Record<string, unknown>) => Order
}

/** Turns `node` into one that orders: a message goes on with what the agent has confirmed, or fails with its words. */
export function giveOrders(RED: NodeAPI, node: Node, def: OrderDef, what: OrderNode): void {
  const badge = new Badge(node)
  const kernel = new KernelBadge(RED, badge, what.shown)
  const fields: Record<string, TypedField> = {
    ...what.fields,
    ...whoFields(def),
    reason: field(def.reason, def.reasonType),
  }
  const ttlMs = 1000 * Math.min(30, Math.max(1, Number(def.wait) || 10))
  /** What is shown before the first order: the device that the dialog names, if it names one. */
  const named = def.who === 'device' && fields.device?.type === 'str' ? def.device : undefined
  let latest = 0
  let hasOrdered = false
  let isClosed = false

  const link = joinAgent(RED, node, def, badge, {
    wants: [],
    verbs: what.verbs,
    heard: (id) => {
      if (hasOrdered) kernel.heard(id)
      else kernel.watch(named)
    },
    state: (state) => {
      if (state === 'online' && !hasOrdered) kernel.watch(named)
    },
  })
  kernel.follow(link)

  const carryOut = async (msg: NodeMessage): Promise<{ ordered: Ordered; device: unknown }> => {
    if (!link) throw new OrderError('not_sent', RED._('homespin.error.no_agent'))
    const values = await evaluateAll(RED, node, fields, msg)
    const { verb, args } = what.orderOf(values)
    const subject = subjectOf(def.who, values)
    const all = {
      ...subject,
      ...args,
      ...byOf(values.reason, flowNameOf(RED, node)),
    }
    const ordered = confirmed(verb, await link.orders.order(verb, all, ttlMs))
    return { ordered, device: subject.device }
  }

  node.on('input', (msg, send, done) => {
    // Of several under way the badge follows the last.
    latest += 1
    const turn = latest
    const isLatest = (): boolean => turn === latest && !isClosed
    hasOrdered = true
    kernel.asked()
    carryOut(msg).then(
      ({ ordered, device }) => {
        if (isLatest()) kernel.done(ordered, device)
        if (isClosed) return
        try {
          setOutput(RED, msg, def.output, ordered)
          send(msg)
          done()
        } catch (error) {
          done(error as Error)
        }
      },
      (error: unknown) => {
        if (isLatest()) kernel.failed()
        if (!isClosed) done(error instanceof Error ? error : new Error(String(error)))
      },
    )
  })
  node.on('close', () => {
    isClosed = true
  })
}

/** The verbs that take something away: of theirs the result tells the rules that went. */
const LIFTS = new Set(['unblock', 'release'])

function confirmed(verb: string, result: unknown): Ordered {
  const ordered = asOrdered(result)
  if (!ordered) {
    throw new OrderError(
      'no_answer',
      'the agent answered in a shape that these nodes do not know: update the older one',
    )
  }
  const failed = ordered.rules.find((rule) => rule.state === 'failed')
  if (failed && !LIFTS.has(verb)) {
    const why = failed.state_reason ?? 'the agent does not say why'
    throw new OrderError('unavailable', `the kernel does not have rule ${failed.id}: ${why}`)
  }
  return ordered
}
