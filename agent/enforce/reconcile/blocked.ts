// What was dropped, by element: differences between two readings of the sets that count.
import type { Blocked } from '../../../protocol/act.ts'
import type { Desired } from '../../policy/desired.ts'
import type { ElementNow, Kernel } from '../kernel/kernel.ts'
import { remoteOf } from '../place/protected.ts'
import type { ElementSpec, SetId, SetSpec } from '../tables/sets.ts'
import type { Drops, Ruleset } from './reconciler-ruleset.ts'
import type { KernelWriter, Written } from './reconciler-writer.ts'

/** Reading costs time; this is the share of one processor that it may take. */
const SHARE = 0.05
const SHORTEST_MS = 1000
/** Of one reading; more are added up by device and rule. */
const MAX_ENTRIES = 2000

interface Count {
  packets: number
  bytes: number
}

export class BlockedCounter {
  readonly #kernel: Kernel
  readonly #ruleset: Ruleset
  readonly #writer: KernelWriter
  readonly #last = new Map<SetId, Map<string, Count>>()
  #nextMs = 0

  constructor(kernel: Kernel, ruleset: Ruleset, writer: KernelWriter) {
    this.#kernel = kernel
    this.#ruleset = ruleset
    this.#writer = writer
  }

  /** Since the last call that read; at most once a second, less often where reading is slow. */
  async take(written: Written | undefined): Promise<readonly Blocked[]> {
    const began = performance.now()
    if (written === undefined || began < this.#nextMs) return []
    this.#nextMs = began + SHORTEST_MS
    const blocked: Blocked[] = []
    for (const [id, set] of this.#writer.sets) {
      const drops = set.counter ? this.#ruleset.drops(set, written.desired) : undefined
      // A set that holds nothing counts nothing; of those that packets fill nothing is remembered.
      const isEmpty = this.#writer.held.get(id)?.size === 0
      if (drops === undefined || isEmpty) {
        this.#last.delete(id)
        continue
      }
      const now = await this.#kernel.elements(set)
      this.#compare(id, set, now, written, drops, blocked)
    }
    this.#nextMs = began + Math.max(SHORTEST_MS, (performance.now() - began) / SHARE)
    return blocked.length > MAX_ENTRIES ? addedUp(blocked) : blocked
  }

  #compare(
    id: SetId,
    set: SetSpec,
    now: ReadonlyMap<string, ElementNow>,
    { wanted, desired }: Written,
    drops: Drops,
    blocked: Blocked[],
  ): void {
    const last = this.#last.get(id)
    const next = new Map<string, Count>()
    for (const [key, { packets, bytes }] of now) {
      if (packets === 0) continue
      next.set(key, { packets, bytes })
      // A counter that fell began anew: its element was written again.
      const before = last?.get(key)
      const isFresh = before === undefined || before.packets > packets
      const delta = isFresh ? packets : packets - before.packets
      if (delta === 0) continue
      const element: ElementSpec | undefined = wanted.get(id)?.get(key)
      const hasRemote = this.#ruleset.shutsRemote(set) || set.dynamic
      const remote = hasRemote ? remoteOf(key) : undefined
      blocked.push({
        device_id: element?.deviceId ?? deviceOf(key, desired),
        ...(element?.ruleIds[0] === undefined ? {} : { rule_id: element.ruleIds[0] }),
        ...drops,
        ...(remote === undefined ? {} : { remote }),
        packets: delta,
        bytes: isFresh ? bytes : bytes - before.bytes,
      })
    }
    this.#last.set(id, next)
  }
}

/** A device that has no id here has the one that its MAC or its address gives it; empty where the key names none. */
function deviceOf(key: string, { devices }: Desired): string {
  const first = key.split(' . ')[0] as string
  if (/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(first)) return first.replaceAll(':', '')
  if (!key.includes(' . ')) return ''
  return devices.find(({ ips }) => ips.includes(first))?.deviceId ?? ''
}

/** Without the remote sides. */
function addedUp(blocked: readonly Blocked[]): Blocked[] {
  const sums = new Map<string, Blocked>()
  for (const { remote: _, ...one } of blocked) {
    const key = `${one.device_id} ${one.rule_id ?? ''} ${one.cause} ${one.direction}`
    const sum = sums.get(key)
    if (sum === undefined) sums.set(key, one)
    else {
      sum.packets += one.packets
      sum.bytes += one.bytes
    }
  }
  return [...sums.values()]
}
