// What the box does by itself: ends what is over, releases what was quiet, rolls back what nobody confirmed.
import type { By } from './contract.ts'
import { PolicyError } from './contract.ts'
import { dueNow } from './due.ts'
import type { Desk, Plan } from './plan.ts'
import { planBy, SYSTEM_VERBS } from './plan.ts'
import type { StandingRule } from './rules.ts'
import { rulesText } from './sentences.ts'
import type { PolicyState } from './state.ts'
import type { Timers } from './timers.ts'
import { planUndoOf } from './undo.ts'

function bySystem(reason: string, via: 'timer' | 'file' = 'timer'): By {
  return { actor: { kind: 'system', via }, reason }
}

/** Rules on probation that new evidence about a device renews, with their new ends. */
export function renewed(state: PolicyState, deviceId: string, timers: Timers): StandingRule[] {
  const groups = [...state.groups.values()].filter(({ device_ids }) =>
    device_ids.includes(deviceId),
  )
  return [
    ...state.about(`device:${deviceId}`),
    ...groups.flatMap(({ id }) => state.about(`group:${id}`)),
  ].flatMap((rule) =>
    rule.probation_s === undefined
      ? []
      : [{ ...rule, probation: timers.after(rule.probation_s * 1000) }],
  )
}

/** One plan for all that ends, one for each order that is rolled back. Carried out in this order, they do not collide. */
export function dueChanges(desk: Desk, take: (plan: Plan) => void): void {
  const { expired, quiet, unconfirmed } = dueNow(desk.state.rules.values(), desk.timers)
  if (expired.length > 0) {
    take(
      planBy(bySystem('its time is over'), {
        change: { added: [], removed: expired },
        verb: SYSTEM_VERBS.expired,
        sentence: rulesText(expired, desk, (rule) => `It is over: ${rule}`),
      }),
    )
  }
  if (quiet.length > 0) {
    take(
      planBy(bySystem('no new evidence came'), {
        change: { added: [], removed: quiet },
        verb: SYSTEM_VERBS.quiet,
        sentence: rulesText(quiet, desk, (rule) => `Quiet since: ${rule}`),
      }),
    )
  }
  for (const rule of unconfirmed) if (desk.state.rules.has(rule.id)) take(planRollBack(desk, rule))
}

/** What was before the order comes back, where nothing was ordered since; else the rule alone goes. */
function planRollBack(desk: Desk, rule: StandingRule): Plan {
  const by = bySystem('nobody confirmed it in time')
  const told = {
    verb: SYSTEM_VERBS.unconfirmed,
    sentence: rulesText([rule], desk, (text) => `Rolled back: ${text}`),
  }
  const entry = rule.seq === undefined ? undefined : desk.journal.get(rule.seq)
  if (entry !== undefined && entry.added.length === 1) {
    try {
      return { ...planUndoOf(desk, entry, by), ...told }
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error
    }
  }
  return planBy(by, { change: { added: [], removed: [rule] }, ...told })
}

/** The file `DISABLE` came or went. */
export function planDisabled(isOn: boolean): Plan {
  return planBy(bySystem('the file DISABLE', 'file'), {
    change: { added: [], removed: [] },
    verb: isOn ? SYSTEM_VERBS.disabled : SYSTEM_VERBS.enabled,
    sentence: isOn
      ? 'Everything is released while the file DISABLE is there.'
      : 'The file DISABLE is gone; what is ordered holds again.',
  })
}
