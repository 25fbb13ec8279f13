// What is over by now: durations, probations, unconfirmed orders; and when the next of them will be.
import type { Schedule } from '../../protocol/policy.ts'
import type { StandingGroup } from './groups.ts'
import type { Holding } from './resolve.ts'
import type { StandingRule } from './rules.ts'
import type { Moment } from './schedule.ts'
import { momentOf } from './schedule.ts'
import type { PolicyState } from './state.ts'
import type { Timers } from './timers.ts'

/** Rules and groups whose time is over, by why. */
export interface Due {
  expired: StandingRule[]
  quiet: StandingRule[]
  unconfirmed: StandingRule[]
  unconfirmedGroups: StandingGroup[]
}

export function dueNow(
  { rules, groups }: Pick<PolicyState, 'rules' | 'groups'>,
  timers: Timers,
): Due {
  const due: Due = { expired: [], quiet: [], unconfirmed: [], unconfirmedGroups: [] }
  const now = timers.bootNow
  for (const group of groups.values()) {
    if (group.joining && group.joining.confirm.boot_ms <= now) due.unconfirmedGroups.push(group)
  }
  for (const rule of rules.values()) {
    if (rule.until && rule.until.boot_ms <= now) due.expired.push(rule)
    else if (rule.confirm && rule.confirm.boot_ms <= now) due.unconfirmed.push(rule)
    else if (rule.probation && rule.probation.boot_ms <= now) due.quiet.push(rule)
  }
  return due
}

/** Windows by schedule; each is computed once until it changes or the clock is set. */
export class Windows {
  readonly #timers: Timers
  readonly #moments = new Map<string, Moment>()
  #turned = 0

  constructor(timers: Timers) {
    this.#timers = timers
  }

  /** How often a window was found to have begun or ended: what was made of another count is out of date. */
  get turned(): number {
    return this.#turned
  }

  /** The clock was set. */
  forget(): void {
    this.#moments.clear()
  }

  #momentOf(schedule: Schedule): Moment {
    const key = JSON.stringify(schedule)
    const now = this.#timers.wallNow
    const known = this.#moments.get(key)
    if (known !== undefined && now < (known.untilMs ?? Number.POSITIVE_INFINITY)) return known
    if (known !== undefined) this.#turned++
    if (this.#moments.size > 10_000) this.#moments.clear()
    const moment = momentOf(schedule, now)
    this.#moments.set(key, moment)
    return moment
  }

  /** Whether a rule holds, and until when the kernel may hold it by itself. */
  holding({ until, confirm, schedule }: StandingRule): Holding {
    const ends = [until?.boot_ms, confirm?.boot_ms].filter((end) => end !== undefined)
    if (ends.some((end) => end <= this.#timers.bootNow)) return { idle: 'Its time is over.' }
    if (schedule !== undefined) {
      if (!this.#timers.trusted) return { idle: 'It waits until the clock is synchronised.' }
      const moment = this.#momentOf(schedule)
      if (!moment.open) return { idle: 'It is outside its windows now.' }
      if (moment.untilMs !== undefined) ends.push(this.#timers.bootAt(moment.untilMs))
    }
    return ends.length === 0 ? {} : { untilBootMs: Math.min(...ends) }
  }

  /** Boot time of the next end, or of the next change of a window; undefined where nothing is to come. */
  next({ rules, groups }: Pick<PolicyState, 'rules' | 'groups'>): number | undefined {
    let next = Number.POSITIVE_INFINITY
    for (const { joining } of groups.values()) {
      if (joining !== undefined) next = Math.min(next, joining.confirm.boot_ms)
    }
    for (const { until, probation, confirm, schedule } of rules.values()) {
      for (const end of [until, probation, confirm]) {
        if (end !== undefined && end.boot_ms < next) next = end.boot_ms
      }
      if (schedule === undefined) continue
      const change = this.#timers.trusted ? this.#momentOf(schedule).untilMs : undefined
      // A schedule that is never to change is looked at again when the clock is.
      // By the wall as it is now: the two clocks drift, and before the wall has passed it nothing has changed.
      const { bootNow, wallNow } = this.#timers
      if (change !== undefined) next = Math.min(next, bootNow + Math.max(0, change - wallNow))
    }
    return Number.isFinite(next) ? next : undefined
  }
}
