// What enforce/ owes the rest: it takes a whole `Desired`, brings the kernel there, and says what the kernel has.
import type { Blocked } from '../../protocol/act.ts'
import type { Capability } from '../../protocol/messages.ts'
import type { Level, Match, Restriction } from '../../protocol/policy.ts'
import type { Desired } from '../policy/desired.ts'

/** Why an order can't be taken. */
export interface Refusal {
  code: 'protected' | 'too_wide' | 'not_enforceable' | 'invalid'
  /** One sentence that says what to do instead. */
  message: string
}

/** An order that is asked about before it is stored. */
export interface Order {
  action: 'block' | 'allow' | 'quarantine' | 'restrict'
  /**
   * The devices that it is about now; empty for `everyone`. For `newDevices` those that are not accepted now: only whether the
   * one that asks is among them matters.
   */
  devices: readonly { id: string; mac?: string; ips: readonly string[]; shared?: boolean }[]
  everyone: boolean
  newDevices: boolean
  match?: Match
  level?: Level
  restriction?: Restriction
  /** The address of the client that asks, where the transport knows it: it is protected too. */
  asker?: string
}

/** What the kernel has of one device, read back. */
export interface ActualDevice {
  level?: Level
  /** Levels that it has besides, see `DesiredDevice`. */
  further?: readonly Level[]
  /** Rules all of whose elements are in the kernel. */
  rules: ReadonlySet<string>
  restrictions: ReadonlySet<Restriction>
  /** What is open though ordered. */
  uncovered?: string
  /** It is a protected machine, so it is left out of what is ordered for everyone and for new devices: a sentence. */
  spared?: string
}

/** What came of a `Desired`. */
export interface Applied {
  /** Rules that the kernel does not have, each with a sentence. Empty: the kernel has exactly what is desired. */
  failed: ReadonlyMap<string, string>
}

export interface EnforcementChange {
  kind:
    | 'changed'
    /** Somebody else changed our tables; repaired, or `problem` says why not. */
    | 'tampering'
    /** What can be enforced here has changed. */
    | 'capability'
  sentence: string
  problem?: string
}

/** The only part that changes the kernel. */
export interface Enforcement {
  /** Probes, and reads what is there. Does not throw where nothing can be enforced: the capabilities then say why. */
  start(): Promise<void>
  /** `remove`: leaves nothing behind; else the kernel goes on holding what it has. */
  stop(remove: boolean): Promise<void>
  /** `enforce` as a whole, `levels` (with values), `bridge`, `egress`, `queue`, `dns_gate`, `first_packets`, … */
  capabilities(): Record<string, Capability>
  /** Why this order would be refused; undefined: it can be taken. The writer to the kernel checks again. */
  refusal(order: Order): Refusal | undefined
  /**
   * Resolves once the kernel has it, or has refused it: only then may it be told as done. Calls that come together are one
   * transaction; the last `Desired` counts, and each caller learns the outcome of a state that includes its own.
   */
  apply(desired: Desired): Promise<Applied>
  /** By device id. */
  actual(): ReadonlyMap<string, ActualDevice>
  /** What was dropped since the last call, by rule. */
  takeBlocked(): Promise<readonly Blocked[]>
  onChange: (change: EnforcementChange) => void
}
