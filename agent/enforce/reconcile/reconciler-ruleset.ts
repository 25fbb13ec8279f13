// What the reconciler needs to know of our tables; pure functions, so that it can be held against other tables in tests.
import type { Blocked } from '../../../protocol/act.ts'
import type { Level } from '../../../protocol/policy.ts'
import type { Desired, DesiredDevice } from '../../policy/desired.ts'
import type { QueueRule } from '../kernel/kernel.ts'
import type { Place } from '../place/place.ts'
import type { Grown } from '../tables/ruleset.ts'
import type { Needs } from '../tables/ruleset-needs.ts'
import type { Elements, SetSpec } from '../tables/sets.ts'

/** What a set's counters are about. */
export type Drops = Pick<Blocked, 'cause' | 'direction' | 'rule_id'>

/** How rules are written for a place. */
export interface Ruleset {
  sets: (place: Place) => readonly SetSpec[]
  elements: (desired: Desired, place: Place) => Elements
  /** What has to be hooked so that these elements hold. */
  needs: (elements: Elements) => Needs
  /**
   * One transaction of nft: our tables as they shall be, with these elements, in place of whatever they were. `needs`: what can
   * be held by elements alone from then on.
   */
  text: (place: Place, elements: Elements, bootMs: number, needs: Needs) => string
  /** One transaction that makes the chains of the one those of the other; sets, which are the same, stay. */
  regrowth: (had: Grown, has: Grown) => string
  /** Rules that the text can't say. */
  queueRules: (place: Place) => readonly QueueRule[]
  /** One transaction of nft that leaves nothing of ours. `bridge`: the kernel has tables of that family. */
  removal: (bridge: boolean) => string
  /** Levels that can be held, and in a sentence why no more. */
  levels: (place: Place) => { values: readonly Level[]; reason: string }
  /** What is open for a device though ordered, in sentences; undefined: nothing. */
  uncovered: (place: Place, device: DesiredDevice) => string | undefined
  /** Whether an element closes the way to an address that its key names. */
  shutsRemote: (set: SetSpec) => boolean
  /** Of dynamic sets: whether what they hold matters beyond counting, so that it is kept when all is written anew. */
  keeps: (set: SetSpec) => boolean
  /** What a packet that an element of the set counts came to; undefined: it was not dropped, or nothing is counted now. */
  drops: (set: SetSpec, desired: Desired) => Drops | undefined
  /** One text of each element; throws an Error where it is none. */
  canonical: (set: SetSpec, key: string) => string
}
