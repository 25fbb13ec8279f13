// What could lock somebody out is rolled back after a minute, unless it is confirmed. That the answer to an order came back
// over the broker is the proof that the way to the agent still works: whoever got it may confirm.
import type { RuleView } from '../protocol/policy.ts'
import type { Ordered } from './guard-act.ts'
import { asOrdered } from './guard-act.ts'
import type { OrderDesk } from './order-desk.ts'
import { OrderError } from './order-desk.ts'

/** The verb, and with it the topic that its answers come under. */
export const CONFIRM = 'confirm'

/** The rules of an answer that the agent rolls back unless they are confirmed. */
export function unconfirmedIn({ rules }: Ordered): RuleView[] {
  return rules.filter((rule) => rule.confirm_until_ms !== undefined)
}

/** What stands after an attempt to confirm it; `failure`: why some of it will be rolled back. */
export interface Kept {
  ordered: Ordered
  failure?: OrderError
}

/** Confirms every rule of `ordered` that waits for it, in the name of who ordered it (`by`). */
export async function confirmAll(
  orders: OrderDesk,
  ordered: Ordered,
  by: Record<string, unknown>,
  waitMs: number,
): Promise<Kept> {
  let kept = ordered
  for (const rule of unconfirmedIn(ordered)) {
    try {
      kept = confirmedIn(kept, rule, await orders.order(CONFIRM, { rule: rule.id, ...by }, waitMs))
    } catch (error) {
      const { code, message } = error as OrderError
      // Somebody else was quicker.
      if (code === 'conflict') kept = confirmedIn(kept, rule, undefined)
      else return { ordered: kept, failure: new OrderError(code, `${UNCONFIRMED}: ${message}`) }
    }
  }
  return { ordered: kept }
}

const UNCONFIRMED = 'the kernel has it, but it could not be confirmed and will be rolled back'

function confirmedIn(ordered: Ordered, rule: RuleView, result: unknown): Ordered {
  const { confirm_until_ms: _, ...kept } = rule
  const answer = asOrdered(result)
  const now = answer?.rules.find((each) => each.id === rule.id) ?? kept
  return {
    ...ordered,
    rules: ordered.rules.map((each) => (each.id === rule.id ? now : each)),
    policies: { ...ordered.policies, ...answer?.policies },
  }
}
