// Groups as they are kept: a change that closes many devices at once waits to be confirmed, as an order does.
import type { Group } from '../../protocol/policy.ts'
import type { Deadline, Timers } from './timers.ts'

/** A group, and which of its members may have to leave again. */
export interface StandingGroup extends Omit<Group, 'joining' | 'confirm_until_ms'> {
  /** They joined by a change that waits to be confirmed; the kernel lets go of them by itself then. */
  joining?: Joining
}

export interface Joining {
  device_ids: readonly string[]
  confirm: Deadline
  /** The entry of the journal with which they joined. */
  seq?: number
}

/** The group as others see it. */
export function publicGroup({ joining, ...group }: StandingGroup, timers: Timers): Group {
  return joining === undefined
    ? group
    : {
        ...group,
        joining: [...joining.device_ids],
        confirm_until_ms: timers.wallOf(joining.confirm),
      }
}

/** Whether both have the same name and members. */
export function isSameGroup(a: StandingGroup | undefined, b: StandingGroup | undefined): boolean {
  const text = (group: StandingGroup | undefined): string =>
    JSON.stringify(group && [group.id, group.name, group.device_ids])
  return text(a) === text(b)
}

/** Its members without those that have to be confirmed. */
export function settledMembers(group: StandingGroup | undefined): string[] {
  const joining = new Set(group?.joining?.device_ids)
  return (group?.device_ids ?? []).filter((id) => !joining.has(id))
}
