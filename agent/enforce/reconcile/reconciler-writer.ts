// The one function that writes what is desired to the kernel, and the memory of what the kernel was read to hold.
import type { Level } from '../../../protocol/policy.ts'
import type { Desired } from '../../policy/desired.ts'
import type { ElementChange, Kernel, TableId } from '../kernel/kernel.ts'
import { KernelError } from '../kernel/kernel.ts'
import type { Place } from '../place/place.ts'
import type { ProtectedList } from '../place/protected.ts'
import { remoteFault } from '../place/protected.ts'
import { admit } from '../place/protected-desired.ts'
import type { Needs } from '../tables/ruleset-needs.ts'
import { serves } from '../tables/ruleset-needs.ts'
import type { ElementSpec, Elements, SetId, SetSpec } from '../tables/sets.ts'
import { setId } from '../tables/sets.ts'
import type { Held, HeldSets } from './reconciler-diff.ts'
import {
  difference,
  heldOf,
  inSteps,
  isOver,
  isSame,
  missing,
  SAME_END_MS,
} from './reconciler-diff.ts'
import type { Refused } from './reconciler-isolate.ts'
import { isolate } from './reconciler-isolate.ts'
import type { Ruleset } from './reconciler-ruleset.ts'

export interface WriterParts {
  kernel: Kernel
  ruleset: Ruleset
  protected: ProtectedList
  /** What else belongs into dynamic sets when everything is written anew. */
  dynamic?: ((place: Place, nowBootMs: number) => Elements) | undefined
  /** Everything was written anew: what came into dynamic sets meanwhile is gone. */
  replaced?: (() => void) | undefined
  /** Milliseconds of CLOCK_BOOTTIME. */
  bootMs: () => number
}

/** What came of it, read back. */
export interface Written {
  /** What was let through. */
  desired: Desired
  wanted: Elements
  /** Rules that the kernel does not have, each with a sentence. */
  failed: ReadonlyMap<string, string>
  /** Protected machines that are left out, each with a sentence. */
  spared: ReadonlyMap<string, string>
  /** Something of ours was gone, so everything was written anew though it was not asked for. */
  mended: boolean
}

/** How many times a write is begun anew because others write at the same moment. */
const ATTEMPTS = 3

/** A table, chain or set of ours is not there. */
function isGone(error: unknown): boolean {
  return error instanceof KernelError && error.code === 'ENOENT'
}

export class KernelWriter {
  readonly #parts: WriterParts
  #place: Place | undefined
  #levels: ReadonlySet<Level> = new Set()
  #sets = new Map<SetId, SetSpec>()
  #held: HeldSets = new Map()
  /** Elements that the gate has told of, by set: what it tells of no more it has taken back. */
  readonly #told = new Map<SetId, ReadonlySet<string>>()
  #shapes: ReadonlyMap<TableId, string> = new Map()
  /** What can be held by elements alone, as the tables are. */
  #needs: Needs = new Set()
  /** The place that the chains are of, where that is not the place. */
  #chainsOf: Place | undefined

  constructor(parts: WriterParts) {
    this.#parts = parts
  }

  /** By set; as read last. */
  get held(): HeldSets {
    return this.#held
  }

  get sets(): ReadonlyMap<SetId, SetSpec> {
    return this.#sets
  }

  /** From the next write on; one that has other sets only from a whole one. */
  setPlace(place: Place, levels: ReadonlySet<Level>): void {
    this.#chainsOf ??= this.#place
    this.#place = place
    this.#levels = levels
    this.#sets = new Map(this.#parts.ruleset.sets(place).map((set) => [setId(set), set]))
  }

  /**
   * Reads what is there: at the start what an earlier run left, later what is left where a write failed. What the gate told
   * of is remembered, so that it comes back with the next whole write.
   */
  async lookAgain(): Promise<void> {
    const read = await this.#readAll()
    for (const [id, set] of this.#sets) {
      const remembered = set.dynamic && !read.has(id) ? this.#held.get(id) : undefined
      if (remembered !== undefined) read.set(id, remembered)
    }
    this.#held = read
  }

  /**
   * Brings the kernel to `desired`: by elements alone, or whole. Rejects with a KernelError where the kernel can't be
   * written at all; then it holds what it held, and may already hold an element in the set that it was to go to.
   */
  async write(desired: Desired, whole: boolean): Promise<Written> {
    const place = this.#place
    if (place === undefined)
      throw new KernelError('EINVAL', 'It is not known where this box stands.')
    const admitted = admit(desired, this.#parts.protected, this.#levels)
    const { failed, spared } = admitted
    const wanted = this.#checked(this.#parts.ruleset.elements(admitted.desired, place), failed)
    const needs = this.#parts.ruleset.needs(wanted)
    let isWhole = whole
    for (let attempt = 1; ; attempt++) {
      try {
        const isGrown = !isWhole && (await this.#regrow(place, needs))
        const refused = isWhole
          ? await this.#replace(place, wanted, needs)
          : await this.#change(difference(this.#sets, wanted, this.#held, this.#parts.bootMs()))
        // Behind what is to hold: over SSH each question takes its time.
        if (isGrown) this.#shapes = await this.#parts.kernel.shapes(this.#tables())
        this.#fail(failed, wanted, refused)
        return { desired: admitted.desired, wanted, failed, spared, mended: isWhole && !whole }
      } catch (error) {
        if (attempt === ATTEMPTS || !isGone(error)) throw error
        isWhole = true
      }
    }
  }

  /** Elements that come and go with answers of DNS: only in sets that are for them. Nothing protected becomes a target. */
  async writeDynamic(changes: readonly ElementChange[]): Promise<void> {
    const now = this.#parts.bootMs()
    const taken = changes.filter(({ set, key }) => {
      if (!this.#sets.get(setId(set))?.dynamic) {
        throw new TypeError(`${setId(set)} is not filled by the DNS gate`)
      }
      return (
        !this.#parts.ruleset.shutsRemote(set) ||
        remoteFault(this.#parts.protected, key) === undefined
      )
    })
    await this.#parts.kernel.change(taken)
    for (const change of taken) {
      const id = setId(change.set)
      const held = this.#held.get(id) ?? new Map<string, number | undefined>()
      this.#held.set(id, held)
      const key = this.#parts.ruleset.canonical(change.set, change.key)
      if (change.do === 'delete') held.delete(key)
      else held.set(key, change.timeoutMs === undefined ? undefined : now + change.timeoutMs)
    }
  }

  /** What of ours others have changed since it was written. */
  async compare(): Promise<'same' | 'elements' | 'rules'> {
    this.#followGate()
    const shapes = await this.#parts.kernel.shapes(this.#tables())
    for (const [table, shape] of this.#shapes) if (shapes.get(table) !== shape) return 'rules'
    const read = await this.#readAll()
    const now = this.#parts.bootMs()
    let found: 'same' | 'elements' | 'rules' = 'same'
    for (const [id, set] of this.#sets) {
      if (!this.#isRead(set)) continue
      const there = read.get(id)
      if (there === undefined) return 'rules'
      const remembered: Held = this.#held.get(id) ?? new Map()
      if (!set.dynamic) {
        if (found === 'same' && !isSame(remembered, there, now)) found = 'elements'
        continue
      }
      // The gate may have added some by itself; what it told of has to be there.
      for (const [key, end] of remembered) {
        if (there.has(key) || isOver(end === undefined ? end : end - SAME_END_MS, now)) continue
        there.set(key, end)
        found = 'rules'
      }
    }
    this.#held = read
    this.#followGate()
    return found
  }

  /** Leaves nothing of ours, also where an earlier run left it. `bridge`: the kernel has tables of that family. */
  async remove(bridge: boolean): Promise<void> {
    await this.#parts.kernel.replace(this.#parts.ruleset.removal(bridge))
    this.#held = new Map()
    this.#shapes = new Map()
    this.#needs = new Set()
  }

  #tables(): TableId[] {
    return [
      ...new Set([...this.#sets.values()].map((set) => `${set.family} ${set.table}` as const)),
    ]
  }

  /** Elements by their one text; one that is none fails its own rules alone. */
  #checked(elements: Elements, failed: Map<string, string>): Elements {
    const checked = new Map<SetId, Map<string, ElementSpec>>()
    for (const [id, all] of elements) {
      const set = this.#sets.get(id)
      const good = new Map<string, ElementSpec>()
      checked.set(id, good)
      for (const [key, element] of all) {
        try {
          if (set === undefined) throw new Error(`there is no set ${id}`)
          good.set(this.#parts.ruleset.canonical(set, key), element)
        } catch (error) {
          const why = `The kernel has no element like ${key}: ${(error as Error).message}.`
          for (const rule of element.ruleIds) failed.set(rule, why)
        }
      }
    }
    return checked
  }

  async #replace(place: Place, wanted: Elements, needs: Needs): Promise<Refused> {
    const { kernel, ruleset, bootMs } = this.#parts
    const write = async (elements: Elements): Promise<void> => {
      await kernel.replace(ruleset.text(place, this.#withDynamic(elements), bootMs(), needs))
      this.#needs = needs
      this.#chainsOf = undefined
      this.#parts.replaced?.()
      const queues = ruleset.queueRules(place)
      if (queues.length > 0) await kernel.addQueueRules(queues)
    }
    let refused: Refused = new Map()
    try {
      await write(wanted)
    } catch (error) {
      if (!(error instanceof KernelError) || error.code === 'EPERM' || error.code === 'AWAY')
        throw error
      // One element may spoil it all: first what the kernel has taken before, then the rest, told apart.
      await write(this.#takenBefore(wanted))
      await this.#remember()
      refused = await this.#change(difference(this.#sets, wanted, this.#held, bootMs()))
    }
    await this.#remember()
    return refused
  }

  /**
   * Other chains where it takes some, around sets that stay as they are: the gate fills some of them at this moment, and with a
   * chain that is hooked the kernel drops what waits in a queue. Whether it took some.
   */
  async #regrow(place: Place, wanted: Needs): Promise<boolean> {
    const { kernel, ruleset } = this.#parts
    const needs = serves(this.#needs, wanted) ? this.#needs : wanted
    if (needs === this.#needs && this.#chainsOf === undefined) return false
    const had = { place: this.#chainsOf ?? place, needs: this.#needs }
    const text = ruleset.regrowth(had, { place, needs })
    if (text !== '') await kernel.replace(text)
    this.#chainsOf = undefined
    this.#needs = needs
    return text !== ''
  }

  async #remember(): Promise<void> {
    this.#shapes = await this.#parts.kernel.shapes(this.#tables())
    this.#held = await this.#readAll()
    this.#followGate()
  }

  /** What the gate has taken back is remembered no more. Of a set that it says nothing of it may have known nothing yet. */
  #followGate(): void {
    const now = this.#place && this.#parts.dynamic?.(this.#place, this.#parts.bootMs())
    for (const [id, set] of this.#sets) {
      if (!set.dynamic || !this.#isRead(set)) continue
      const found = now?.get(id)
      const keys = [...(found?.keys() ?? [])].map((key) => this.#parts.ruleset.canonical(set, key))
      const told = new Set(keys)
      const held = found === undefined ? undefined : this.#held.get(id)
      if (held !== undefined) {
        for (const key of this.#told.get(id) ?? []) if (!told.has(key)) held.delete(key)
      }
      this.#told.set(id, told)
    }
  }

  async #change(changes: readonly ElementChange[]): Promise<Refused> {
    if (changes.length === 0) return new Map()
    const refused: Refused = new Map()
    for (const step of inSteps(changes)) {
      const out = await isolate(this.#parts.kernel, step)
      for (const [id, keys] of out) refused.set(id, new Map([...(refused.get(id) ?? []), ...keys]))
    }
    // What was written is read before it is told.
    const ids = [...new Set(changes.map(({ set }) => setId(set)))]
    const reads = ids.map((id) => this.#read(this.#sets.get(id) as SetSpec))
    for (const [i, held] of (await Promise.all(reads)).entries())
      this.#held.set(ids[i] as SetId, held)
    return refused
  }

  async #read(set: SetSpec): Promise<Held> {
    return heldOf(await this.#parts.kernel.elements(set), this.#parts.bootMs())
  }

  /** Sets that are not there are left out, as are those that only count. */
  async #readAll(): Promise<HeldSets> {
    const sets = [...this.#sets].filter(([, set]) => this.#isRead(set))
    const all = await Promise.all(
      sets.map(async ([id, set]): Promise<[SetId, Held][]> => {
        try {
          return [[id, await this.#read(set)]]
        } catch (error) {
          if (isGone(error)) return []
          throw error
        }
      }),
    )
    return new Map(all.flat())
  }

  #isRead(set: SetSpec): boolean {
    return !set.dynamic || this.#parts.ruleset.keeps(set)
  }

  #withDynamic(wanted: Elements): Elements {
    this.#followGate()
    const all = new Map(wanted)
    const now = this.#parts.bootMs()
    for (const [id, set] of this.#sets) {
      const held = set.dynamic ? this.#held.get(id) : undefined
      if (held === undefined) continue
      const kept = new Map<string, ElementSpec>()
      for (const [key, end] of held) {
        if (isOver(end, now)) continue
        if (
          this.#parts.ruleset.shutsRemote(set) &&
          remoteFault(this.#parts.protected, key) !== undefined
        )
          continue
        kept.set(key, { ruleIds: [], ...(end === undefined ? {} : { untilBootMs: end }) })
      }
      all.set(id, kept)
    }
    const more = this.#place && this.#parts.dynamic?.(this.#place, now)
    for (const [id, elements] of more ?? []) {
      if (this.#sets.has(id)) all.set(id, new Map([...(all.get(id) ?? []), ...elements]))
    }
    return all
  }

  #takenBefore(wanted: Elements): Elements {
    const taken = new Map<SetId, Map<string, ElementSpec>>()
    for (const [id, elements] of wanted) {
      const held = this.#held.get(id)
      taken.set(id, new Map([...elements].filter(([key]) => held?.has(key))))
    }
    return taken
  }

  #fail(failed: Map<string, string>, wanted: Elements, refused: Refused): void {
    for (const { set, key, element } of missing(wanted, this.#held, this.#parts.bootMs())) {
      const why = refused.get(set)?.get(key) ?? `The kernel does not hold ${key} in ${set}.`
      for (const rule of element.ruleIds) failed.set(rule, why)
    }
  }
}
