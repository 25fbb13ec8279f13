// Brings what stands to the kernel, and reads back what the kernel has of it.
import type { DevicePolicy, RuleView } from '../../protocol/policy.ts'
import type { Enforcement } from '../enforce/contract.ts'
import { NOTHING } from './desired.ts'
import type { DeviceBook } from './device-book.ts'
import type { Windows } from './due.ts'
import type { Readings } from './read-back.ts'
import { devicePolicy, ruleView } from './read-back.ts'
import type { Outcome, Resolved } from './resolve.ts'
import { resolve } from './resolve.ts'
import type { StandingRule } from './rules.ts'
import type { PolicyState } from './state.ts'
import type { Timers } from './timers.ts'

export interface HolderParts {
  state: PolicyState
  book: DeviceBook
  timers: Timers
  windows: Windows
  enforcement: Enforcement
  /** Why nothing is to be held, a sentence. */
  off: () => string | undefined
}

export class Holder {
  readonly #parts: HolderParts
  #resolved: Resolved = { desired: NOTHING, outcomes: new Map(), expected: new Map() }
  #failed: ReadonlyMap<string, string> = new Map()
  #trouble: string | undefined
  #turned = 0
  #observed: ReadonlySet<string> = new Set()
  #readings: Readings | undefined
  readonly #policies = new Map<string, DevicePolicy>()

  constructor(parts: HolderParts) {
    this.#parts = parts
  }

  /** Rules that the kernel refused when it was last told. */
  get failed(): ReadonlyMap<string, string> {
    return this.#failed
  }

  /** `Windows.turned` when what is held was made. */
  get turned(): number {
    return this.#turned
  }

  /** Why the kernel could not be told at all, a sentence. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /** Devices of which something particular is ordered. */
  get heldDevices(): Iterable<string> {
    return this.#resolved.outcomes.keys()
  }

  /** Devices whose level is `observe`; the same set as long as it holds the same. */
  get observed(): ReadonlySet<string> {
    return this.#observed
  }

  /** What is ordered of a device; undefined: nothing particular. */
  outcomeOf(deviceId: string): Outcome | undefined {
    return this.#resolved.outcomes.get(deviceId)
  }

  /** What everyone is held to, by rule; devices without anything particular have this alone. */
  get everyone(): readonly string[] {
    return this.#resolved.desired.everyone.map(({ ruleId }) => ruleId)
  }

  /** Resolves once the kernel has what stands, or has refused: see `failed` and `trouble`. */
  async hold(): Promise<void> {
    const { state, book, windows, enforcement, off } = this.#parts
    const resolved = resolve(state, book.all(), (rule) => windows.holding(rule))
    this.#turned = windows.turned
    try {
      const { failed } = await enforcement.apply(off() === undefined ? resolved.desired : NOTHING)
      this.#failed = failed
      this.#trouble = undefined
    } catch (error) {
      this.#trouble = `The kernel could not be told: ${(error as Error).message}`
    }
    this.#resolved = resolved
    const observed = new Set(off() === undefined ? observedIn(resolved) : [])
    const isSame =
      observed.size === this.#observed.size && [...observed].every((id) => this.#observed.has(id))
    if (!isSame) this.#observed = observed
    this.#forget()
  }

  /** What views are made of; read once for all that is asked in one turn of the event loop. */
  readings(): Readings {
    if (this.#readings !== undefined) return this.#readings
    const { timers, enforcement, off } = this.#parts
    this.#readings = {
      timers,
      resolved: this.#resolved,
      actual: enforcement.actual(),
      failed: this.#failed,
      off: off(),
    }
    setImmediate(() => this.#forget())
    return this.#readings
  }

  #forget(): void {
    this.#readings = undefined
    this.#policies.clear()
  }

  view(rule: StandingRule): RuleView {
    return ruleView(rule, this.readings())
  }

  policyOf(deviceId: string): DevicePolicy {
    const readings = this.readings()
    let policy = this.#policies.get(deviceId)
    if (policy === undefined) {
      const { state } = this.#parts
      const accepted = state.isAccepted(deviceId)
      policy = devicePolicy(deviceId, accepted, (id) => state.rules.get(id), readings)
      this.#policies.set(deviceId, policy)
    }
    return policy
  }
}

function* observedIn({ outcomes }: Resolved): Generator<string> {
  for (const [id, { levels }] of outcomes) if (levels[0]?.level === 'observe') yield id
}
