// What policy/ owes the rest: it takes orders, keeps them, has the kernel carry them out, and tells what holds. Each order
// resolves when the kernel has it, or is rejected with a `PolicyError` and then nothing of it stands.
import type {
  Actor,
  DevicePolicy,
  Group,
  JournalEntry,
  Level,
  Match,
  Restriction,
  Rule,
  RuleView,
  Schedule,
  Subject,
} from '../../protocol/policy.ts'
import type { Ordered } from '../../protocol/results.ts'

export type { Ordered }

/** Why an order was not carried out. */
export type PolicyErrorCode =
  /** Protected, too wide, or not to be enforced here. */
  | 'refused'
  /** There is no such device, rule, group or entry. */
  | 'not_found'
  /** It contradicts what stands: already undone, a group that rules are about, … */
  | 'conflict'
  /** The kernel or the store did not take it; nothing of it stands. */
  | 'unavailable'

export class PolicyError extends Error {
  readonly code: PolicyErrorCode

  constructor(code: PolicyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PolicyError'
    this.code = code
  }
}

/** Who orders, and from where. */
export interface By {
  actor: Actor
  /** The address from which they ask, where it is known: it is protected. */
  asker?: string
  /** They may take back and confirm only what the safe orders could do themselves: no restrictions, no groups, no panic. */
  safeOnly?: boolean
  reason: string
}

/** For how long: at most one of `forS` and `schedule`. */
export interface Term {
  /** Seconds, 1 to 31622400. */
  forS?: number
  schedule?: Schedule
  /** Seconds without new evidence after which it is released. */
  probationS?: number
  /**
   * Rolled back after so many seconds unless confirmed. Where it is absent, the policy decides: risky orders get 60, and no
   * more than that where more is asked for. 0, which no transport asks for: it stands.
   */
  confirmS?: number
}

/**
 * What is ordered. The same order again replaces the first one (its end, reason and actor). One for a while is laid over the
 * same one that lasts; one that lasts takes the place of those for a while.
 */
export type Order =
  | { action: 'block' | 'allow'; subject: Subject; match: Match; term: Term }
  | { action: 'quarantine'; subject: Subject; level: Level; term: Term }
  | { action: 'restrict'; subject: Subject; restriction: Restriction; term: Term }

/** Which rules go. Absent keys match everything; at least one key. */
export interface Selector {
  ruleId?: string
  action?: Rule['action'] | undefined
  subject?: Subject
  match?: Match
  restriction?: Restriction
}

export interface PolicyDesk {
  /** What is stored has been read and the kernel told. Before, nothing that is told of rules is true yet. */
  readonly isReady: boolean
  order(order: Order, by: By): Promise<Ordered>
  /**
   * Takes rules away: `unblock`, `release`. With none that matches: nothing changes and `rules` is empty. The policies of its
   * subject are told either way.
   */
  lift(selector: Selector, by: By): Promise<Ordered>
  /** Takes back the last change that is not undone, one entry, or everything after a time. */
  undo(which: { seq?: number; toMs?: number }, by: By): Promise<Ordered>
  /** Releases everything at once, and holds nothing until something is ordered again. */
  panic(by: By): Promise<Ordered>
  /** Keeps a rule, or a change of a group, that would be rolled back. */
  confirm(what: { ruleId: string } | { groupId: string }, by: By): Promise<Ordered>
  /** Accepts a device (or not): the default policy no longer holds for it. */
  accept(deviceId: string, accepted: boolean, by: By): Promise<Ordered>
  setGroup(group: Group, by: By): Promise<Ordered>
  removeGroup(id: string, by: By): Promise<Ordered>
  /** New evidence about a device: its probation begins anew. */
  evidence(deviceId: string): void

  rules(): RuleView[]
  groups(): Group[]
  /** Of one device; a device that nothing is ordered about has one too. */
  policyOf(deviceId: string): DevicePolicy
  journal(before: number | undefined, limit: number): { entries: JournalEntry[]; total: number }
}

/** What happened, for those who publish it. */
export interface PolicyEvents {
  /** Rules or their states changed; these are all that stand now, the oldest first. At most ten times a second. */
  onRules: (rules: RuleView[]) => void
  onGroups: (groups: Group[]) => void
  onJournal: (entry: JournalEntry) => void
  /** What holds for these devices has changed. */
  onDevices: (deviceIds: readonly string[]) => void
  onEvent: (event: {
    kind:
      | 'rule_applied'
      | 'rule_expired'
      | 'rule_removed'
      | 'rule_failed'
      | 'rolled_back'
      | 'tampering'
    rule?: Rule
    device_id?: string
    sentence: string
  }) => void
}
