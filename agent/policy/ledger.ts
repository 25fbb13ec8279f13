// What stands, in memory and on the disk: takes plans, takes them back, and writes what waits for the disk.
import type { Log } from '../log.ts'
import type { DeviceBook } from './device-book.ts'
import type { StandingGroup } from './groups.ts'
import { Journal } from './journal.ts'
import type { Plan } from './plan.ts'
import type { CopyContent } from './policy-copy.ts'
import { PolicyStore } from './policy-store.ts'
import type { StandingRule } from './rules.ts'
import type { Change } from './state.ts'
import { inverseOf, PolicyState } from './state.ts'
import type { StoredEntry, StoreState } from './stored.ts'
import { clearPending, isNothing, nothingPending } from './stored.ts'
import type { Mark, Timers } from './timers.ts'

/** Entries that the copy holds beside what stands. */
const COPIED_ENTRIES = 100
const COPIED_BYTES = 1024 * 1024

/** A plan that was carried out in memory. */
export interface Taken {
  plan: Plan
  entry: StoredEntry
}

export class Ledger {
  readonly state = new PolicyState()
  readonly journal: Journal
  readonly #store: PolicyStore
  readonly #book: DeviceBook
  readonly #timers: Timers
  readonly #pending = nothingPending()
  #revision = 0
  #mark: Mark | undefined

  /** `dir` is the data folder; it exists. */
  constructor(dir: string, log: Log, book: DeviceBook, timers: Timers) {
    this.#store = new PolicyStore(dir, log)
    this.#book = book
    this.#timers = timers
    this.journal = new Journal(this.#store, this.#pending)
  }

  /** Reads what is stored; ends of another boot become ends of this one. Throws only for a file of a newer Homespin. */
  start(): void {
    const { rules, groups, devices, state, recovered } = this.#store.load()
    this.#timers.begin(state.mark)
    this.#book.load(devices)
    this.#revision = state.revision
    this.journal.seq = state.seq
    this.state.closed = state.closed
    for (const group of groups) this.#carryGroupOver(group, state.mark)
    for (const { id, accepted } of devices) this.state.say(id, accepted)
    for (const rule of rules) this.#carryOver(rule, state.mark)
    for (const id of this.#book.remembered.keys()) this.#remember(id)
    if (recovered) this.#markAll()
    this.write()
  }

  async stop(): Promise<void> {
    this.write()
    await this.#store.stop()
  }

  /** Why what was ordered is not on the disk, a sentence; undefined: it is. */
  get problem(): string | undefined {
    return this.#store.problem
  }

  /** Whether something waits for the disk. */
  get waits(): boolean {
    return !isNothing(this.#pending)
  }

  take(plan: Plan, nowMs: number): Taken {
    const { change, verb, sentence, reason, actor, undid, undoes, revived } = plan
    const seq = this.journal.seq + 1
    const added = change.added.map((rule) => ({ ...rule, seq }))
    const { accepted, closing } = change
    const groups = change.groups && {
      before: change.groups.before,
      // What comes back keeps the entry with which it came first.
      after: change.groups.after.map(({ joining, ...group }) =>
        joining === undefined ? group : { ...group, joining: { seq, ...joining } },
      ),
    }
    const entry = this.journal.append({
      time_ms: nowMs,
      actor,
      verb,
      sentence,
      reason,
      added,
      removed: change.removed,
      ...(groups && { groups_before: [...groups.before], groups_after: [...groups.after] }),
      ...(accepted && { accepted: [...accepted] }),
      ...(closing && { closing }),
      ...(undoes === undefined ? {} : { undoes }),
      ...(undid && { undid }),
    })
    const carried: Change = { ...change, added, ...(groups && { groups }) }
    const taken = { plan: { ...plan, change: carried }, entry }
    this.state.apply(taken.plan.change)
    for (const one of undid ?? []) this.journal.mark(one, seq)
    for (const one of revived ?? []) this.journal.mark(one, undefined)
    this.#note(taken.plan)
    return taken
  }

  /** The kernel did not take it: nothing of it stands. */
  takeBack({ plan, entry }: Taken): void {
    this.state.apply(inverseOf(plan.change))
    this.journal.takeBack(entry.seq)
    for (const one of plan.undid ?? []) this.journal.mark(one, undefined)
    for (const one of plan.revived ?? []) this.journal.mark(one, entry.undoes)
    this.#note(plan)
  }

  /** A rule's ends changed, without an entry. */
  replace(rule: StandingRule): void {
    this.state.put(rule)
    this.#pending.rules.set(rule.id, rule)
  }

  /** A device that something is ordered about has changed. */
  deviceChanged(id: string): void {
    if (this.#book.remembered.has(id)) this.#remember(id)
  }

  /** Writes all that waits. Undefined: it is on the disk; else why not, a sentence. */
  write(): string | undefined {
    let problem: string | undefined
    const markOnly = isNothing(this.#pending)
    for (let tries = 0; tries < 2; tries++) {
      if (this.#store.takeLost()) this.#markAll()
      this.#mark = this.#timers.mark()
      this.#revision++
      problem = this.#store.write(this.#pending, this.#storeState())
      if (problem === undefined) break
    }
    if (problem === undefined) clearPending(this.#pending)
    if (!markOnly) this.#store.copyLater(() => this.#copied())
    return problem
  }

  #storeState(): StoreState {
    return {
      revision: this.#revision,
      seq: this.journal.seq,
      closed: this.state.closed,
      ...(this.#mark && { mark: this.#mark }),
    }
  }

  #copied(): CopyContent {
    let bytes = 0
    const entries = this.journal.page(Number.MAX_SAFE_INTEGER, COPIED_ENTRIES).filter((entry) => {
      bytes += JSON.stringify(entry).length
      return bytes <= COPIED_BYTES
    })
    return {
      entries: entries.reverse(),
      rules: [...this.state.rules.values()],
      groups: [...this.state.groups.values()],
      devices: [...this.#book.remembered.values()],
      state: this.#storeState(),
    }
  }

  #carryOver(rule: StandingRule, mark: Mark | undefined): void {
    const { until, probation, confirm } = rule
    const carried: StandingRule = {
      ...rule,
      ...(until && { until: this.#timers.carryOver(until, mark) }),
      ...(probation && { probation: this.#timers.carryOver(probation, mark) }),
      ...(confirm && { confirm: this.#timers.carryOver(confirm, mark) }),
    }
    if (JSON.stringify(carried) === JSON.stringify(rule)) this.state.put(rule)
    else this.replace(carried)
  }

  #carryGroupOver(group: StandingGroup, mark: Mark | undefined): void {
    const { joining } = group
    const confirm = joining && this.#timers.carryOver(joining.confirm, mark)
    const carried = joining && confirm ? { ...group, joining: { ...joining, confirm } } : group
    this.state.putGroup(group.id, carried)
    if (confirm?.boot_id !== joining?.confirm.boot_id) this.#pending.groups.set(group.id, carried)
  }

  #note({ change }: Plan): void {
    const { rules, groups } = this.#pending
    for (const { id, subject } of [...change.added, ...change.removed]) {
      rules.set(id, this.state.rules.get(id))
      if ('device_id' in subject) this.#remember(subject.device_id)
    }
    const touched = [...(change.groups?.before ?? []), ...(change.groups?.after ?? [])]
    for (const { id } of touched) groups.set(id, this.state.groups.get(id))
    for (const id of new Set(touched.flatMap(({ device_ids }) => device_ids))) this.#remember(id)
    for (const { device_id } of change.accepted ?? []) this.#remember(device_id)
    for (const id of change.closing?.device_ids ?? []) this.#remember(id)
  }

  #remember(id: string): void {
    const record = this.#book.remember(id, this.state)
    if (record !== undefined) this.#pending.devices.set(id, record ?? undefined)
  }

  #markAll(): void {
    const { rules, groups, devices } = this.#pending
    this.#pending.whole = true
    for (const rule of this.state.rules.values()) rules.set(rule.id, rule)
    for (const group of this.state.groups.values()) groups.set(group.id, group)
    for (const device of this.#book.remembered.values()) devices.set(device.id, device)
  }
}
