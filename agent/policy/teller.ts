// Tells others what changed: rules and devices at most ten times a second, entries and events as they come.
import type { DevicePolicy, RuleView } from '../../protocol/policy.ts'
import type { PolicyEvents } from './contract.ts'
import { publicGroup } from './groups.ts'
import type { Holder } from './holder.ts'
import { publicEntry } from './journal.ts'
import type { Taken } from './ledger.ts'
import { SYSTEM_VERBS } from './plan.ts'
import type { StandingRule } from './rules.ts'
import { publicRule } from './rules.ts'
import type { Words } from './sentences.ts'
import { ruleText } from './sentences.ts'
import type { PolicyState } from './state.ts'

const TELL_MS = 100
/** Events of one change; a thousand rules that end at once are not a thousand messages. */
const MAX_EVENTS = 100

type EventKind = Parameters<PolicyEvents['onEvent']>[0]['kind']

/** Rules, the oldest first. */
export function viewsOf(state: PolicyState, holder: Holder): RuleView[] {
  return [...state.rules.values()]
    .sort((a, b) => a.created_ms - b.created_ms)
    .map((rule) => holder.view(rule))
}

export class Teller {
  readonly #events: PolicyEvents
  readonly #words: Words
  readonly #holder: Holder
  #timer: NodeJS.Timeout | undefined
  #rules = ''
  #policies = new Map<string, string>([['', '']])
  #failed = new Set<string>()
  #toldMs = 0
  #tookMs = 0
  #groupsChanged = false

  constructor(events: PolicyEvents, words: Words, holder: Holder) {
    this.#events = events
    this.#words = words
    this.#holder = holder
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Changes that the kernel has. */
  done(taken: readonly Taken[]): void {
    for (const { plan, entry } of taken) {
      this.#events.onJournal(publicEntry(entry, this.#words.timers))
      const { added, removed, groups } = plan.change
      if (groups) this.#groupsChanged = true
      const came = new Set(added.map(({ key }) => key))
      const gone = removed.filter(({ key }) => !came.has(key))
      if (plan.verb !== 'confirm') this.#tellEach('rule_applied', added, '')
      if (plan.verb === SYSTEM_VERBS.unconfirmed) {
        this.#tellEach('rolled_back', gone, 'Nobody confirmed it: ')
        if (groups) this.#events.onEvent({ kind: 'rolled_back', sentence: plan.sentence })
      } else if (plan.actor.kind === 'system') this.#tellEach('rule_expired', gone, 'It is over: ')
      else this.#tellEach('rule_removed', gone, 'No longer: ')
    }
    this.changed()
  }

  #tellEach(kind: EventKind, rules: readonly StandingRule[], before: string): void {
    for (const rule of rules.slice(0, MAX_EVENTS)) {
      const { subject } = rule
      this.#events.onEvent({
        kind,
        rule: publicRule(rule, this.#words.timers),
        ...('device_id' in subject ? { device_id: subject.device_id } : {}),
        sentence: `${before}${ruleText(rule, this.#words)}.`,
      })
    }
  }

  /** Something may have changed: it is looked soon, and told. */
  changed(): void {
    if (this.#timer !== undefined) return
    const pauseMs = Math.max(TELL_MS, this.#tookMs * 10)
    const waitMs = Math.max(0, this.#toldMs + pauseMs - performance.now())
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      const began = performance.now()
      this.#tell()
      this.#tookMs = performance.now() - began
    }, waitMs).unref()
  }

  #tell(): void {
    this.#toldMs = performance.now()
    const { state } = this.#words
    if (this.#groupsChanged) this.#tellGroups()
    this.#groupsChanged = false
    const views = viewsOf(state, this.#holder)
    const text = JSON.stringify(views)
    if (text !== this.#rules) this.#events.onRules(views)
    this.#rules = text
    this.#tellFailed(views)
    const devices = this.#changedDevices()
    if (devices.length > 0) this.#events.onDevices(devices)
  }

  #tellGroups(): void {
    const { state, timers } = this.#words
    this.#events.onGroups([...state.groups.values()].map((group) => publicGroup(group, timers)))
  }

  #tellFailed(views: readonly RuleView[]): void {
    const failed = views.filter((view) => view.state === 'failed')
    for (const view of failed.filter(({ id }) => !this.#failed.has(id)).slice(0, MAX_EVENTS)) {
      const { state: _, state_reason, ...rule } = view
      this.#events.onEvent({
        kind: 'rule_failed',
        rule,
        ...('device_id' in rule.subject ? { device_id: rule.subject.device_id } : {}),
        sentence: state_reason ?? 'The kernel does not have it.',
      })
    }
    this.#failed = new Set(failed.map(({ id }) => id))
  }

  #changedDevices(): string[] {
    const readings = this.#holder.readings()
    const changed = new Set<string>()
    const policies = new Map<string, string>()
    const look = (id: string): void => {
      if (policies.has(id)) return
      const text = JSON.stringify(this.#holder.policyOf(id) satisfies DevicePolicy)
      if (this.#policies.get(id) !== text) changed.add(id)
      policies.set(id, text)
    }
    for (const id of this.#holder.heldDevices) look(id)
    for (const id of readings.actual.keys()) look(id)
    for (const id of this.#words.state.said.keys()) look(id)
    for (const id of this.#policies.keys()) if (!policies.has(id)) changed.add(id)
    // What everyone is held to concerns those too of which nothing particular is ordered.
    const everyone = this.#holder.everyone.join()
    if (everyone !== this.#policies.get('')) {
      for (const { id } of this.#words.book.all()) changed.add(id)
    }
    policies.set('', everyone)
    this.#policies = policies
    changed.delete('')
    return [...changed]
  }
}
