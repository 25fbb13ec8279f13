// What the box does by itself: ends what is over, releases what was quiet, rolls back what nobody confirmed.
import type { By } from './contract.ts'
import { PolicyError } from './contract.ts'
import { dueNow } from './due.ts'
import type { StandingGroup } from './groups.ts'
import { settledMembers } from './groups.ts'
import type { Desk, Plan } from './plan.ts'
import { planBy, SYSTEM_VERBS } from './plan.ts'
import type { StandingRule } from './rules.ts'
import { rulesText } from './sentences.ts'
import type { PolicyState } from './state.ts'
import type { StoredEntry } from './stored.ts'
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
  const { expired, quiet, unconfirmed, unconfirmedGroups } = dueNow(desk.state, desk.timers)
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
  for (const group of unconfirmedGroups) take(planGroupRollBack(desk, group))
}

const UNCONFIRMED = bySystem('nobody confirmed it in time')

/** What was before the order comes back, where nothing was ordered since; else the rule alone goes. */
function planRollBack(desk: Desk, rule: StandingRule): Plan {
  const told = {
    verb: SYSTEM_VERBS.unconfirmed,
    sentence: rulesText([rule], desk, (text) => `Rolled back: ${text}`),
  }
  const before = planBefore(desk, rule.seq, ({ added }) => added.length === 1)
  return {
    ...(before ?? planBy(UNCONFIRMED, { change: { added: [], removed: [rule] }, ...told })),
    ...told,
  }
}

/** The group becomes what it was before, where nothing was ordered since; else those who joined leave it. */
function planGroupRollBack(desk: Desk, group: StandingGroup): Plan {
  const { joining, ...rest } = group
  const told = {
    verb: SYSTEM_VERBS.unconfirmed,
    sentence: `Rolled back: group ${group.name} has ${group.device_ids.length} devices.`,
  }
  const after = { ...rest, device_ids: settledMembers(group) }
  const change = { added: [], removed: [], groups: { before: [group], after: [after] } }
  const before = planBefore(desk, joining?.seq, ({ added }) => added.length === 0)
  return { ...(before ?? planBy(UNCONFIRMED, { change, ...told })), ...told }
}

/** The change of an entry taken back by the box, if that can be done and the entry is of this kind. */
function planBefore(
  desk: Desk,
  seq: number | undefined,
  isRight: (entry: StoredEntry) => boolean,
): Plan | undefined {
  const entry = seq === undefined ? undefined : desk.journal.get(seq)
  if (entry === undefined || !isRight(entry)) return undefined
  try {
    return planUndoOf(desk, entry, UNCONFIRMED)
  } catch (error) {
    if (error instanceof PolicyError) return undefined
    throw error
  }
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
