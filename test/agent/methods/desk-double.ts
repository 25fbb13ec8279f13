// A policy that keeps orders in memory and says that the kernel has them: for the ways in, which end at its border.
import type { By, Order, Ordered, PolicyDesk, Selector } from '../../../agent/policy/contract.ts'
import { PolicyError } from '../../../agent/policy/contract.ts'
import type {
  Group,
  JournalEntry,
  Match,
  Rule,
  RuleView,
  Subject,
} from '../../../protocol/policy.ts'

/** The desk, and what was asked of it. */
export interface DeskDouble extends PolicyDesk {
  calls: { what: string; by: By; order?: Order; selector?: Selector; group?: Group }[]
  /** Orders are refused so, if set. */
  fault: PolicyError | undefined
  /** What goes on holding whatever is lifted. */
  stillHeld: string | undefined
  /** How long an order takes. */
  delayMs: number
}

/** Makes one; `now` gives the time of what is ordered. */
export function deskDouble(now: () => number = Date.now): DeskDouble {
  let rules: RuleView[] = []
  let groups: Group[] = []
  let count = 0
  const journal: JournalEntry[] = []
  const done = async (
    verb: string,
    by: By,
    added: Rule[],
    removed: Rule[],
    call: Omit<DeskDouble['calls'][number], 'what' | 'by'> = {},
  ): Promise<Ordered> => {
    desk.calls.push({ what: verb, by, ...call })
    if (desk.fault !== undefined) throw desk.fault
    if (desk.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, desk.delayMs))
    rules = rules.filter((rule) => !removed.some(({ id }) => id === rule.id))
    const views = added.map((rule): RuleView => ({ ...rule, state: 'active' }))
    rules.push(...views)
    if (added.length === 0 && removed.length === 0 && !verb.startsWith('group'))
      return { rules: [], policies: {} }
    const seq = journal.length + 1
    const { actor, reason } = by
    journal.unshift({ seq, time_ms: now(), actor, verb, sentence: verb, reason, added, removed })
    return { rules: views, policies: {}, journal_seq: seq }
  }
  const ruleOf = (order: Order, by: By): Rule => {
    const { term, ...what } = order
    return {
      id: `r${++count}`,
      ...what,
      ...(term.forS === undefined ? {} : { until_ms: now() + term.forS * 1000 }),
      ...(term.schedule === undefined ? {} : { schedule: term.schedule }),
      reason: by.reason,
      actor: by.actor,
      created_ms: now(),
    }
  }
  const desk: DeskDouble = {
    calls: [],
    fault: undefined,
    stillHeld: undefined,
    delayMs: 0,
    order: (order, by) => {
      const rule = ruleOf(order, by)
      const same = rules.filter((each) => sameOrder(each, rule))
      return done(order.action, by, [rule], same, { order })
    },
    lift: async (selector, by) => {
      const selected = rules.filter((rule) => isSelected(rule, selector))
      const lifted = await done('lift', by, [], selected, { selector })
      const { stillHeld } = desk
      return stillHeld === undefined ? lifted : { ...lifted, still_held: stillHeld }
    },
    undo: ({ seq }, by) => {
      const entry = seq === undefined ? journal[0] : journal.find((each) => each.seq === seq)
      if (entry === undefined)
        return Promise.reject(new PolicyError('not_found', 'there is nothing to take back'))
      return done('undo', by, entry.removed, entry.added)
    },
    panic: (by) => done('panic', by, [], rules),
    confirm: (what, by) => {
      if ('ruleId' in what && rules.every(({ id }) => id !== what.ruleId))
        return Promise.reject(new PolicyError('not_found', `there is no rule ${what.ruleId}`))
      return done('confirm', by, [], [])
    },
    accept: (_id, accepted, by) => done(accepted ? 'accept' : 'unaccept', by, [], []),
    setGroup: (group, by) => {
      groups = [...groups.filter(({ id }) => id !== group.id), group]
      return done('group-set', by, [], [], { group })
    },
    removeGroup: (id, by) => {
      groups = groups.filter((group) => group.id !== id)
      return done('group-remove', by, [], [])
    },
    evidence: () => {},
    isReady: true,
    rules: () => rules,
    groups: () => groups,
    policyOf: () => ({ accepted: true, rules: [], restrictions: [], in_force: true }),
    journal: (before = Number.POSITIVE_INFINITY, limit) => ({
      entries: journal.filter(({ seq }) => seq < before).slice(0, limit),
      total: journal.length,
    }),
  }
  return desk
}

function sameOrder(a: Rule, b: Rule): boolean {
  const key = ({ action, subject, match }: Rule): string => JSON.stringify([action, subject, match])
  return key(a) === key(b)
}

function isSelected(
  rule: Rule,
  { ruleId, action, subject, match, restriction }: Selector,
): boolean {
  const same = (a: Subject | Match | undefined, b: Subject | Match | undefined): boolean =>
    b === undefined || JSON.stringify(a) === JSON.stringify(b)
  return (
    (ruleId === undefined || rule.id === ruleId) &&
    (action === undefined || rule.action === action) &&
    (restriction === undefined || rule.restriction === restriction) &&
    same(rule.subject, subject) &&
    same(rule.match, match)
  )
}
