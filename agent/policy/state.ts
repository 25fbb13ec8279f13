// What stands: rules, groups, accepted devices. Changes are data, so that each can be taken back.
import type { StandingGroup } from './groups.ts'
import type { StandingRule } from './rules.ts'
import { subjectKey } from './rules.ts'

/** What a change does; swapped, it is its own inverse. */
export interface Change {
  added: readonly StandingRule[]
  removed: readonly StandingRule[]
  /** Only groups that change; absent in one of both: it was not there. */
  groups?: { before: readonly StandingGroup[]; after: readonly StandingGroup[] }
  accepted?: readonly { device_id: string; before: boolean; after: boolean }[]
  /** The first default policy comes (or goes again); these devices were there and count as accepted. */
  closing?: { after: boolean; device_ids: readonly string[] }
}

/** The change that takes `change` back. */
export function inverseOf({ added, removed, groups, accepted, closing }: Change): Change {
  return {
    added: removed,
    removed: added,
    ...(groups && { groups: { before: groups.after, after: groups.before } }),
    ...(accepted && {
      accepted: accepted.map(({ device_id, before, after }) => ({
        device_id,
        before: after,
        after: before,
      })),
    }),
    ...(closing && { closing: { ...closing, after: !closing.after } }),
  }
}

/** All that stands, in memory. */
export class PolicyState {
  readonly #rules = new Map<string, StandingRule>()
  readonly #byKey = new Map<string, string>()
  readonly #bySubject = new Map<string, Set<StandingRule>>()
  readonly #groups = new Map<string, StandingGroup>()
  readonly #accepted = new Map<string, boolean>()
  /** In how many groups a device is. */
  readonly #memberships = new Map<string, number>()
  #weight = 0
  /** A default policy was ordered once: since then nobody is accepted unasked. */
  closed = false

  get rules(): ReadonlyMap<string, StandingRule> {
    return this.#rules
  }

  get groups(): ReadonlyMap<string, StandingGroup> {
    return this.#groups
  }

  /** What was said about devices; those that are not in it follow `closed`. */
  get said(): ReadonlyMap<string, boolean> {
    return this.#accepted
  }

  /** Rules times the devices that they name. */
  get weight(): number {
    return this.#weight
  }

  /** The same, to be changed without consequences. */
  copy(): PolicyState {
    const same = new PolicyState()
    for (const group of this.#groups.values()) same.putGroup(group.id, group)
    for (const rule of this.#rules.values()) same.put(rule)
    for (const [id, accepted] of this.#accepted) same.say(id, accepted)
    same.closed = this.closed
    return same
  }

  isAccepted(deviceId: string): boolean {
    return this.#accepted.get(deviceId) ?? !this.closed
  }

  withKey(key: string): StandingRule | undefined {
    return this.#rules.get(this.#byKey.get(key) ?? '')
  }

  /** Rules about a subject, by its key. */
  about(subject: string): StandingRule[] {
    return [...(this.#bySubject.get(subject) ?? [])]
  }

  /** What goes goes first. Rules to be removed that do not stand, and rules whose key is taken, are passed over. */
  apply({ added, removed, groups, accepted, closing }: Change): void {
    for (const rule of removed) this.remove(rule.id)
    if (groups) {
      const kept = new Set(groups.after.map(({ id }) => id))
      for (const { id } of groups.before) if (!kept.has(id)) this.putGroup(id, undefined)
      for (const group of groups.after) this.putGroup(group.id, group)
    }
    for (const rule of added) this.put(rule)
    for (const { device_id, after } of accepted ?? []) this.say(device_id, after)
    if (closing === undefined) return
    this.closed = closing.after
    for (const id of closing.device_ids) this.say(id, closing.after || undefined)
  }

  put(rule: StandingRule): void {
    if (this.#byKey.has(rule.key) && this.#byKey.get(rule.key) !== rule.id) return
    this.remove(rule.id)
    const subject = subjectKey(rule.subject)
    this.#rules.set(rule.id, rule)
    this.#byKey.set(rule.key, rule.id)
    const about = this.#bySubject.get(subject)
    if (about) about.add(rule)
    else this.#bySubject.set(subject, new Set([rule]))
    this.#weight += this.weightOf(rule)
  }

  remove(id: string): void {
    const rule = this.#rules.get(id)
    if (rule === undefined) return
    const subject = subjectKey(rule.subject)
    this.#weight -= this.weightOf(rule)
    this.#rules.delete(id)
    this.#byKey.delete(rule.key)
    const about = this.#bySubject.get(subject)
    about?.delete(rule)
    if (about?.size === 0) this.#bySubject.delete(subject)
  }

  putGroup(id: string, group: StandingGroup | undefined): void {
    const about = this.#bySubject.get(`group:${id}`)?.size ?? 0
    const before = this.#groups.get(id)?.device_ids ?? []
    const after = group?.device_ids ?? []
    this.#weight += about * (after.length - before.length)
    for (const member of before) this.#countMember(member, -1)
    for (const member of after) this.#countMember(member, 1)
    if (group === undefined) this.#groups.delete(id)
    else this.#groups.set(id, group)
  }

  #countMember(deviceId: string, by: number): void {
    const count = (this.#memberships.get(deviceId) ?? 0) + by
    if (count === 0) this.#memberships.delete(deviceId)
    else this.#memberships.set(deviceId, count)
  }

  /** Whether a rule or a group names a device. */
  names(deviceId: string): boolean {
    return this.#bySubject.has(`device:${deviceId}`) || this.#memberships.has(deviceId)
  }

  say(deviceId: string, accepted: boolean | undefined): void {
    if (accepted === undefined) this.#accepted.delete(deviceId)
    else this.#accepted.set(deviceId, accepted)
  }

  /** How many devices a rule names. */
  weightOf({ subject }: StandingRule): number {
    if (!('group_id' in subject)) return 1
    return this.#groups.get(subject.group_id)?.device_ids.length ?? 0
  }
}
