// The desk for orders. Those that come together are planned one after the other, stored as one transaction, brought to the
// kernel at once, and only then answered; what the kernel refuses is taken back out and its order rejected.
//
// On a disk that takes nothing an order is carried out all the same, and its answer says that it is not stored.
import type { DevicePolicy, Group, JournalEntry, RuleView } from '../../protocol/policy.ts'
import type { Enforcement, EnforcementChange } from '../enforce/contract.ts'
import type { Log } from '../log.ts'
import type { By, Order, Ordered, PolicyDesk, PolicyEvents, Selector } from './contract.ts'
import { PolicyError } from './contract.ts'
import type { KnownDevices } from './device-book.ts'
import { DeviceBook } from './device-book.ts'
import { DisableSwitch } from './disable-switch.ts'
import { Windows } from './due.ts'
import type { StandingGroup } from './groups.ts'
import { publicGroup } from './groups.ts'
import { Holder } from './holder.ts'
import { publicEntry } from './journal.ts'
import type { Taken } from './ledger.ts'
import { Ledger } from './ledger.ts'
import { checkAsker } from './lock-out.ts'
import type { Desk, Plan } from './plan.ts'
import { devicesOf, planAccept, planConfirm, planLift, planOrder, planPanic } from './plan.ts'
import { planGroup, planGroupConfirm, planGroupRemoval } from './plan-groups.ts'
import { dueChanges, planDisabled, renewed } from './probation.ts'
import { Rounds } from './rounds.ts'
import { stillHeld, targetsOf } from './still-held.ts'
import { Teller, viewsOf } from './teller.ts'
import type { BoxTime } from './timers.ts'
import { boxTime, Timers } from './timers.ts'
import { planUndo } from './undo.ts'

/** The clocks are looked at this often while anything depends on them: nothing tells when the wall is set. */
const CLOCKS_MS = 5_000
/** How the clocks stand is written this often while anything has an end, and what a full disk did not take is tried again. */
const MARK_MS = 60_000
const RETRY_MS = 10_000
/** Policies in an answer. */
const MAX_POLICIES = 100

export interface PolicyOptions {
  /** The data folder; it exists. */
  dir: string
  log: Log
  devices: KnownDevices
  enforcement: Enforcement
  events: PolicyEvents
  /** The box's own clocks unless given. */
  time?: BoxTime
  /** Transactions begin at most this often. Default 55: at most twenty a second, the first at once. */
  paceMs?: number
}

/** Takes orders, keeps them, has them carried out. */
export class Policy implements PolicyDesk {
  readonly #options: PolicyOptions
  readonly #timers: Timers
  readonly #windows: Windows
  readonly #book: DeviceBook
  readonly #ledger: Ledger
  readonly #holder: Holder
  readonly #teller: Teller
  readonly #switch: DisableSwitch
  readonly #desk: Desk
  readonly #rounds: Rounds
  #timer: NodeJS.Timeout | undefined
  #wasOff = false
  #markedMs = 0
  /** Boot time of the next end or window. */
  #nextMs = Number.POSITIVE_INFINITY
  #triedMs = 0
  #started = false
  #ready = false

  constructor(options: PolicyOptions) {
    const { dir, log, enforcement, events } = options
    this.#options = options
    this.#timers = new Timers(options.time ?? boxTime())
    this.#windows = new Windows(this.#timers)
    this.#book = new DeviceBook(options.devices)
    this.#ledger = new Ledger(dir, log, this.#book, this.#timers)
    this.#switch = new DisableSwitch(dir, log)
    const { state, journal } = this.#ledger
    const off = (): string | undefined => this.#off()
    const shared = { state, book: this.#book, timers: this.#timers, enforcement, off }
    this.#holder = new Holder({ ...shared, windows: this.#windows })
    this.#teller = new Teller(events, shared, this.#holder)
    this.#desk = { ...shared, journal }
    this.#rounds = new Rounds({
      log,
      ledger: this.#ledger,
      holder: this.#holder,
      wallNow: () => this.#timers.wallNow,
      own: (take) => this.#own(take),
      done: (taken) => this.#done(taken),
      paceMs: options.paceMs ?? 55,
    })
  }

  /** Reads what is stored and brings it to the kernel. Throws for a file of a newer Homespin. */
  async start(): Promise<void> {
    this.#timers.follow()
    this.#ledger.start()
    this.#switch.onChange = () => this.#rounds.again()
    this.#switch.start()
    this.#wasOff = this.#switch.isOn
    this.#started = true
    this.#rounds.again()
    await this.#rounds.idle()
    this.#ready = true
  }

  /** Leaves the kernel as it is. */
  async stop(): Promise<void> {
    if (!this.#started) return
    this.#started = false
    this.#ready = false
    clearTimeout(this.#timer)
    this.#switch.stop()
    await this.#rounds.stop()
    this.#teller.stop()
    await this.#ledger.stop()
  }

  order(order: Order, by: By): Promise<Ordered> {
    // Orders about single devices are judged by what they name; who is new is nobody's to say beforehand.
    const isWide = 'new_devices' in order.subject
    return this.#submit(() => planOrder(this.#desk, order, by), isWide ? by.asker : undefined)
  }

  async lift(selector: Selector, by: By): Promise<Ordered> {
    const rule = this.#ledger.state.rules.get(selector.ruleId ?? '')
    const done = await this.#submit(() => planLift(this.#desk, selector, by), by.asker)
    const subject = selector.subject ?? rule?.subject
    if (subject === undefined) return done
    const ids = targetsOf(subject, this.#ledger.state).slice(0, MAX_POLICIES)
    const still_held = stillHeld(rule ?? selector, subject, this.#desk, this.#holder)
    return {
      ...done,
      policies: { ...done.policies, ...this.#policiesOf(ids) },
      ...(still_held === undefined ? {} : { still_held }),
    }
  }

  undo(which: { seq?: number; toMs?: number }, by: By): Promise<Ordered> {
    return this.#submit(() => planUndo(this.#desk, which, by), by.asker)
  }

  panic(by: By): Promise<Ordered> {
    return this.#submit(() => planPanic(this.#desk, by))
  }

  confirm(what: { ruleId: string } | { groupId: string }, by: By): Promise<Ordered> {
    return this.#submit(() =>
      'ruleId' in what
        ? planConfirm(this.#desk, what.ruleId, by)
        : planGroupConfirm(this.#desk, what.groupId, by),
    )
  }

  accept(deviceId: string, accepted: boolean, by: By): Promise<Ordered> {
    return this.#submit(() => planAccept(this.#desk, deviceId, accepted, by), by.asker)
  }

  setGroup(group: Group, by: By): Promise<Ordered> {
    return this.#submit(() => planGroup(this.#desk, group, by), by.asker)
  }

  removeGroup(id: string, by: By): Promise<Ordered> {
    return this.#submit(() => planGroupRemoval(this.#desk, id, by))
  }

  evidence(deviceId: string): void {
    for (const rule of renewed(this.#ledger.state, deviceId, this.#timers)) {
      this.#ledger.replace(rule)
    }
  }

  get isReady(): boolean {
    return this.#ready
  }

  /** Devices whose level is `observe`; another set whenever that changes. */
  get observed(): ReadonlySet<string> {
    return this.#holder.observed
  }

  rules(): RuleView[] {
    return viewsOf(this.#ledger.state, this.#holder)
  }

  groups(): Group[] {
    return [...this.#ledger.state.groups.values()].map((group) => this.#told(group))
  }

  policyOf(deviceId: string): DevicePolicy {
    return this.#holder.policyOf(deviceId)
  }

  /** A rule or a group names this device, or it was said whether it is accepted. */
  isOrdered(deviceId: string): boolean {
    const { state } = this.#ledger
    return state.names(deviceId) || state.said.has(deviceId)
  }

  journal(before: number | undefined, limit: number): { entries: JournalEntry[]; total: number } {
    const { journal } = this.#ledger
    const entries = journal.page(before ?? Number.MAX_SAFE_INTEGER, limit)
    return {
      entries: entries.map((entry) => publicEntry(entry, this.#timers)),
      total: journal.total,
    }
  }

  /** Why not all that is ordered is stored or held, in sentences; empty: it is. */
  get problems(): string[] {
    return [this.#off(), this.#ledger.problem, this.#holder.trouble].filter(
      (sentence) => sentence !== undefined,
    )
  }

  /** Addresses, MAC or name of devices changed, or devices came or went. */
  devicesChanged(deviceIds: readonly string[]): void {
    const { state } = this.#ledger
    for (const id of deviceIds) this.#ledger.deviceChanged(id)
    const matters =
      state.about('everyone').length + state.about('new').length > 0 ||
      deviceIds.some((id) => state.names(id))
    if (this.#started && matters) this.#rounds.again()
  }

  /** What enforcement told; its change may be that it can act now. */
  enforcementChanged({ kind, sentence, problem }: EnforcementChange): void {
    if (kind === 'tampering') {
      const told = problem === undefined ? sentence : `${sentence} ${problem}`
      this.#options.events.onEvent({ kind: 'tampering', sentence: told })
    }
    if (kind === 'capability' && this.#started) this.#rounds.again()
    this.#teller.changed()
  }

  /** Resolves once nothing that was ordered, and nothing that was due, waits. */
  idle(): Promise<void> {
    return this.#rounds.idle()
  }

  /** Does what is due by the clocks now; by itself this happens within five seconds of any change of them. */
  check(): void {
    if (!this.#started) return
    const stepped = this.#timers.follow()
    if (stepped) this.#windows.forget()
    const now = this.#timers.bootNow
    const next = this.#windows.next(this.#ledger.state)
    const retry = this.#isIncomplete() && now - this.#triedMs >= RETRY_MS
    const due = this.#nextMs <= now || this.#isTurned()
    if (stepped || retry || due || this.#switch.isOn !== this.#wasOff) {
      this.#triedMs = now
      this.#rounds.again()
    } else if (next !== undefined && now - this.#markedMs >= MARK_MS) {
      this.#ledger.write()
      this.#markedMs = now
    }
    this.#arm()
  }

  #arm(): void {
    clearTimeout(this.#timer)
    if (!this.#started) return
    const now = this.#timers.bootNow
    const { state } = this.#ledger
    const next = this.#windows.next(state) ?? Number.POSITIVE_INFINITY
    this.#nextMs = this.#isTurned() ? now : next
    const watches =
      [...state.rules.values()].some(({ schedule }) => schedule !== undefined) ||
      Number.isFinite(this.#nextMs) ||
      this.#isIncomplete()
    if (!watches) return
    const waitMs = Math.min(CLOCKS_MS, Math.max(1, this.#nextMs - now))
    this.#timer = setTimeout(() => this.check(), waitMs).unref()
  }

  /** A window has begun or ended since what is held was made, by a clock a millisecond ahead of the timer's maybe. */
  #isTurned(): boolean {
    return this.#windows.turned !== this.#holder.turned
  }

  /** Something that was ordered is not stored, or not in the kernel. */
  #isIncomplete(): boolean {
    const { trouble, failed } = this.#holder
    return trouble !== undefined || failed.size > 0 || this.#ledger.problem !== undefined
  }

  #off(): string | undefined {
    return this.#switch.isOn
      ? 'Everything is released while the file DISABLE is in the data folder; remove it first.'
      : undefined
  }

  /** What the box does by itself at this moment. */
  #own(take: (plan: Plan) => void): void {
    if (this.#timers.follow()) this.#windows.forget()
    this.#settle()
    dueChanges(this.#desk, take)
    if (this.#switch.isOn === this.#wasOff) return
    this.#wasOff = this.#switch.isOn
    take(planDisabled(this.#wasOff))
  }

  /** Ends that waited for the clock on the wall, once it is believed. */
  #settle(): void {
    if (!this.#timers.trusted) return
    for (const rule of this.#ledger.state.rules.values()) {
      const { until, probation, confirm } = rule
      if ([until, probation, confirm].every((end) => end?.wall_pending === undefined)) continue
      this.#ledger.replace({
        ...rule,
        ...(until && { until: this.#timers.settle(until) }),
        ...(probation && { probation: this.#timers.settle(probation) }),
        ...(confirm && { confirm: this.#timers.settle(confirm) }),
      })
    }
  }

  #done(taken: readonly Taken[]): void {
    this.#teller.done(taken)
    this.#arm()
  }

  /** `asker`: whose own device the change must not close, beyond what the plan itself checks. */
  async #submit(plan: () => Plan | undefined, asker?: string): Promise<Ordered> {
    if (!this.#started) {
      throw new PolicyError('unavailable', 'The agent is just starting or stopping: try again.')
    }
    const { taken, notStored } = await this.#rounds.submit(() => {
      const planned = plan()
      if (planned !== undefined) checkAsker(this.#desk, planned.change, asker)
      return planned
    })
    if (taken === undefined) return { rules: [], policies: {} }
    const { change } = taken.plan
    const rules = change.added.length > 0 ? change.added : change.removed
    const ids = devicesOf(this.#desk, taken.plan, MAX_POLICIES)
    return {
      rules: rules.map((rule) => this.#holder.view(rule)),
      policies: this.#policiesOf(ids),
      ...(change.groups && { groups: change.groups.after.map((one) => this.#told(one)) }),
      journal_seq: taken.entry.seq,
      ...(notStored === undefined ? {} : { not_stored: notStored }),
    }
  }

  #told(group: StandingGroup): Group {
    return publicGroup(group, this.#timers)
  }

  #policiesOf(ids: readonly string[]): Record<string, DevicePolicy> {
    return Object.fromEntries(ids.map((id) => [id, this.#holder.policyOf(id)]))
  }
}
