// What every plan asks before it is made. Each throws a `PolicyError` that says what is wrong.
import type { Subject } from '../../protocol/policy.ts'
import { PolicyError } from './contract.ts'
import type { Desk } from './plan.ts'
import type { PolicyDevice } from './resolve.ts'
import { levelOfRule } from './resolve.ts'
import type { StandingRule } from './rules.ts'
import { MAX_WEIGHT } from './rules.ts'

/** Throws where nothing can be held now. */
export function checkOn(desk: Desk): void {
  const off = desk.off()
  if (off !== undefined) throw new PolicyError('refused', off)
}

/** Throws where rules about groups come to more than there is room for. */
export function checkWeight(weight: number): void {
  if (weight > MAX_WEIGHT) {
    throw new PolicyError(
      'refused',
      `Rules about groups would come to more than ${MAX_WEIGHT} entries; use fewer rules or smaller groups.`,
    )
  }
}

/** Throws where nobody ever heard of it. */
export function checkDevice({ book }: Desk, id: string): void {
  if (book.find(id) === undefined) {
    throw new PolicyError('not_found', 'There is no such device; look it up with get-devices.')
  }
}

/** Whom a subject means now, for checks; of everyone nobody in particular. */
export function reachOf(
  { state, book }: Desk,
  subject: Subject,
  members?: readonly string[],
): PolicyDevice[] {
  if ('device_id' in subject) return [book.named(subject.device_id)]
  if ('group_id' in subject) {
    const ids = members ?? state.groups.get(subject.group_id)?.device_ids ?? []
    return ids.map((id) => book.named(id))
  }
  if ('everyone' in subject) return []
  return [...book.seen()].filter(({ id }) => !state.isAccepted(id))
}

/** Throws where the subject is not there, or where enforcement refuses. */
export function checkRule(
  desk: Desk,
  rule: StandingRule,
  asker?: string,
  members?: readonly string[],
): void {
  const { subject, action, match, restriction } = rule
  if ('device_id' in subject) checkDevice(desk, subject.device_id)
  if ('group_id' in subject && members === undefined && !desk.state.groups.has(subject.group_id)) {
    throw new PolicyError('not_found', 'There is no such group.')
  }
  const level = levelOfRule(rule)
  const refusal = desk.enforcement.refusal({
    action,
    devices: reachOf(desk, subject, members),
    everyone: 'everyone' in subject,
    newDevices: 'new_devices' in subject,
    ...(match === undefined ? {} : { match }),
    ...(level === undefined ? {} : { level }),
    ...(restriction === undefined ? {} : { restriction }),
    ...(asker === undefined ? {} : { asker }),
  })
  if (refusal !== undefined) throw new PolicyError('refused', refusal.message)
}
