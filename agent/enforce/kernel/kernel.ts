// The kernel as enforce/ sees it, on this host or on a router by SSH: whole rulesets, elements of sets, and what others do.
import type { Family, SetSpec } from '../tables/sets.ts'
import type { Flowtable } from './flowtables.ts'

/** A table as nft names it: `inet homespin`. */
export type TableId = `${Family} ${string}`

/** One element in or out of one set. */
export interface ElementChange {
  /**
   * `add`: afterwards it is there and ends after `timeoutMs`, whatever was there before (in a set with time-outs its counter
   * begins anew). `delete`: afterwards it is not there; one that was not there is no error.
   */
  do: 'add' | 'delete'
  set: SetSpec
  /** As nft writes it; `canonicalKey` of native/nft-key.ts makes one text of each element. A range is deleted by the same range. */
  key: string
  /** From now; absent: without an end. Only where the set has time-outs. At least 1. */
  timeoutMs?: number
}

/** One element that is there. */
export interface ElementNow {
  /** What is left of its time; absent: without an end. */
  remainingMs?: number
  /** Since it was added; 0 where the set has no counter. */
  packets: number
  bytes: number
}

/** A rule that puts every packet that comes to it into a queue, at the end of a chain that is there. */
export interface QueueRule {
  family: 'inet' | 'bridge'
  table: string
  chain: string
  /** Number of the queue. */
  queue: number
  way: 'nft' | 'xt'
  /** Packets pass where nobody serves the queue. */
  bypass: boolean
}

/** Whether something can be done here; `reason` is a sentence, present where it can't. */
export interface Probe {
  works: boolean
  reason?: string
}

/** What this kernel can do, tried for real: nothing of it stays, nobody else sees it. */
export interface KernelProbes {
  /** Tables of family inet with base chains and sets. Where this fails nothing can be enforced. */
  tables: Probe
  bridge: Probe
  /** `ct` in family bridge. */
  bridgeConntrack: Probe
  /** A netdev egress chain on each interface that was asked about. */
  egress: ReadonlyMap<string, Probe>
  /** Sets of parts of a packet that no protocol names; absent: not known. */
  tails?: Probe
  /** nft's `queue` and the xt target, in family inet and in family bridge. */
  queue: Readonly<Record<'inet' | 'bridge', Readonly<Record<'nft' | 'xt', Probe>>>>
}

/** Somebody else changed something in nftables: tables of ours, or not. Compare `shapes` and `elements` to know. */
export interface ForeignChange {
  /** Who did it, as far as it was told: name of the program and its process id. */
  by: readonly { pid: number; name: string }[]
  /** Changes may have been missed. */
  missed: boolean
}

/** Why the kernel did not do as told: then nothing of that call is done. */
export class KernelError extends Error {
  /** `ENFILE` (a set is full), `EPERM`, `ENOENT` (table, chain or set is gone), …; `AWAY`: the router can't be reached. */
  readonly code: string
  /** Which of the changes failed, where the kernel says. */
  readonly index: number | undefined

  constructor(code: string, message: string, index?: number, options?: ErrorOptions) {
    super(message, options)
    this.name = 'KernelError'
    this.code = code
    this.index = index
  }
}

/**
 * The door to nftables. Calls are carried out one after the other, each as one transaction; each rejects with a `KernelError`
 * and then has changed nothing. A TypeError or RangeError says that an argument is none.
 */
export interface Kernel {
  /** Resolves when changes can be made; rejects with a `KernelError` where none can (a router is tried again by itself). */
  start(): Promise<void>
  /** Leaves the rules as they are. */
  stop(): Promise<void>
  /** Why it can't be reached now, a sentence; undefined: it can. Always undefined on this host. */
  readonly away: string | undefined
  /** Gone away, or back: then anything may have changed meanwhile. */
  onAway: (away: string | undefined) => void
  /** Others' changes, at most 50 times a second. Own ones are not told. */
  onForeignChange: (change: ForeignChange) => void

  /** A whole text for `nft -f -`, one transaction. `message` of the error is what nft says. */
  replace(text: string): Promise<void>
  /** Elements, in this order, one transaction; about 100 000 at once. */
  change(changes: readonly ElementChange[]): Promise<void>
  /** Rules that nft's text can't say (way `xt`), or either way alike; one transaction. */
  addQueueRules(rules: readonly QueueRule[]): Promise<void>
  /** What is in a set, by canonical key. */
  elements(set: SetSpec): Promise<ReadonlyMap<string, ElementNow>>
  /**
   * Of each of these tables that is there, a text that stays the same as long as its chains, rules and sets do, and differs
   * once any was removed, added, replaced or put to sleep. Elements and counters have no part in it. Absent: no such table.
   */
  shapes(tables: readonly TableId[]): Promise<ReadonlyMap<TableId, string>>
  probe(interfaces: readonly string[]): Promise<KernelProbes>
  /** Flowtables of whoever; none where the kernel has no such thing. */
  flowtables(): Promise<readonly Flowtable[]>
}
