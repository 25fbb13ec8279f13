// Where nothing passes this box at all: a capture that is played, a home that is made up.
import type { Blocked } from '../../protocol/act.ts'
import type { Capability } from '../../protocol/messages.ts'
import type { Desired } from '../policy/desired.ts'
import type { ActualDevice, Applied, Enforcement, EnforcementChange, Refusal } from './contract.ts'
import { rulesOfDesired } from './place/protected-desired.ts'

/** Refuses every order, with the reason. */
export class NoEnforcement implements Enforcement {
  readonly #reason: string
  onChange: (change: EnforcementChange) => void = () => {}

  /** `reason`: one sentence that says what to do instead. */
  constructor(reason: string) {
    this.#reason = reason
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  capabilities(): Record<string, Capability> {
    const no = { ok: false, reason: this.#reason }
    return { enforce: no, levels: { ...no, values: [] } }
  }

  refusal(): Refusal {
    return { code: 'not_enforceable', message: this.#reason }
  }

  async apply(desired: Desired): Promise<Applied> {
    return { failed: new Map(rulesOfDesired(desired).map((rule) => [rule, this.#reason])) }
  }

  actual(): ReadonlyMap<string, ActualDevice> {
    return new Map()
  }

  async takeBlocked(): Promise<readonly Blocked[]> {
    return []
  }
}
