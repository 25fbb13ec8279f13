// What the nodes that order have in common: evaluate, order, wait for the kernel, confirm, pass on.
import type { Node, NodeAPI, NodeMessage } from 'node-red'
import type { RuleView } from '../protocol/policy.ts'
import type { AgentUserDef } from './agent-node.ts'
import { agentOf, Badge, joinAgent } from './agent-node.ts'
import type { Kept } from './confirm.ts'
import { CONFIRM, confirmAll, unconfirmedIn } from './confirm.ts'
import type { Ordered } from './guard-act.ts'
import { asOrdered } from './guard-act.ts'
import type { Shown } from './kernel-badge.ts'
import { flowNameOf, KernelBadge } from './kernel-badge.ts'
import type { TypedField } from './live-filter.ts'
import { setOutput } from './message.ts'
import type { OrderFields } from './order-arguments.ts'
import { byOf, evaluateAll, field, fieldValue, subjectOf, whoFields } from './order-arguments.ts'
import { OrderError } from './order-desk.ts'

/** What every node of orders has in its stored configuration. */
export interface OrderDef extends AgentUserDef, OrderFields {
  /** Seconds to wait for an answer, 1 to 30. */
  wait: number | string
  /** Confirm by itself what would be rolled back; absent, as in flows of before: yes. */
  confirm?: boolean
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

/** What became of an order. */
interface Outcome extends Kept {
  /** The device that it was about, if it was about one. */
  device: unknown
  /** Rules of it that will be rolled back unless somebody confirms them. */
  unconfirmed: RuleView[]
}

/** Turns `node` into one that orders: a message goes on with what the agent has confirmed, or fails with its words. */
export function giveOrders(RED: NodeAPI, node: Node, def: OrderDef, what: OrderNode): void {
  const badge = new Badge(node)
  const kernel = new KernelBadge(RED, badge, what.shown)
  const fields = { ...what.fields, ...whoFields(def) }
  const reason = field(def.reason, def.reasonType)
  const waitMs = 1000 * Math.min(30, Math.max(1, Number(def.wait) || 10))
  const confirms = def.confirm !== false
  /** What is shown before the first order: the device that the dialog names, if it names one. */
  const named = def.who === 'device' && fields.device?.type === 'str' ? def.device : undefined
  let latest = 0
  let underWay = 0
  let hasOrdered = false
  let isClosed = false

  const link = joinAgent(RED, node, def, badge, {
    wants: [],
    verbs: confirms ? [...what.verbs, CONFIRM] : what.verbs,
    heard: (id) => {
      if (hasOrdered) kernel.heard(id)
      else kernel.watch(named)
    },
    state: (state) => {
      if (state === 'online' && !hasOrdered) kernel.watch(named)
    },
  })
  kernel.follow(link)

  /** A reason is good to have; an order is not held up by it. */
  const reasonOf = async (msg: NodeMessage): Promise<unknown> => {
    try {
      return await fieldValue(RED, node, reason, msg)
    } catch (error) {
      const { message } = error as Error
      node.warn(RED._('homespin.error.reason', { message }))
      return undefined
    }
  }

  const carryOut = async (msg: NodeMessage): Promise<Outcome> => {
    if (!link) {
      const { fault } = agentOf(RED, def)
      throw new OrderError('not_sent', RED._(`homespin.error.${fault}`))
    }
    const values = await evaluateAll(RED, node, fields, msg)
    const { verb, args } = what.orderOf(values)
    const subject = subjectOf(def.who, values)
    const by = byOf(await reasonOf(msg), flowNameOf(RED, node))
    const result = await link.orders.order(verb, { ...subject, ...args, ...by }, waitMs)
    const ordered = confirmed(verb, result)
    const { device } = subject
    // What is taken away has nothing left to confirm.
    if (LIFTS.has(verb)) return { ordered, device, unconfirmed: [] }
    const kept = confirms ? await confirmAll(link.orders, ordered, by, waitMs) : { ordered }
    return { ...kept, device, unconfirmed: unconfirmedIn(kept.ordered) }
  }

  node.on('input', (msg, send, done) => {
    // Of several under way the badge follows the last.
    latest += 1
    const turn = latest
    const isLatest = (): boolean => turn === latest && !isClosed
    hasOrdered = true
    underWay += 1
    kernel.asked()
    carryOut(msg)
      .finally(() => {
        underWay -= 1
      })
      .then(
        ({ ordered, device, unconfirmed, failure }) => {
          if (isLatest()) kernel.done(ordered, device, unconfirmed)
          if (isClosed) return
          try {
            if (failure) throw failure
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
    kernel.stop()
    // Its answer will find nobody: the log is where somebody may look for it.
    if (underWay > 0) node.warn(RED._('homespin.error.stopped', { count: underWay }))
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
  if (LIFTS.has(verb)) return ordered
  const failed = ordered.rules.find((rule) => rule.state === 'failed')
  if (failed) {
    const why = failed.state_reason ?? 'the agent does not say why'
    throw new OrderError('unavailable', `the kernel does not have rule ${failed.id}: ${why}`)
  }
  return ordered
}
