// Where names were, as answers said that passed somewhere: a block that is ordered later shuts what a device already knows.
import type { HeardAddresses } from '../../../native/queue.ts'

/** Names that are remembered; those that were not heard for longest go first. */
const MOST_NAMES = 8192
const MOST_ADDRESSES = 32
/** Programs and connections use an address for longer than its name lasts. */
const KEPT_MS = 24 * 3_600_000
/** So long an address is shut that was heard before its name was blocked: connections that can say nothing are given up by then. */
const SHUT_S = 900

interface Heard {
  names: readonly string[]
  ips: Set<string>
  atMs: number
}

/** Whether a name is one of these domains or below one. */
function isBelow(name: string, domains: ReadonlySet<string>): boolean {
  for (let rest = name; ; ) {
    if (domains.has(rest)) return true
    const dot = rest.indexOf('.')
    if (dot < 0) return false
    rest = rest.slice(dot + 1)
  }
}

export class HeardNames {
  readonly #byName = new Map<string, Heard>()

  get size(): number {
    return this.#byName.size
  }

  hear({ names, ips }: HeardAddresses, nowMs: number): void {
    const [name] = names
    if (name === undefined || ips.length === 0) return
    const known = this.#byName.get(name)
    this.#byName.delete(name)
    const all = known === undefined ? new Set<string>() : known.ips
    for (const ip of ips) {
      all.delete(ip)
      all.add(ip)
    }
    for (const ip of all) {
      if (all.size <= MOST_ADDRESSES) break
      all.delete(ip)
    }
    this.#byName.set(name, { names, ips: all, atMs: nowMs })
    if (this.#byName.size <= MOST_NAMES) return
    for (const oldest of this.#byName.keys()) {
      this.#byName.delete(oldest)
      return
    }
  }

  /** What was heard of names that are one of these domains or below one, themselves or by an alias. */
  of(domains: ReadonlySet<string>, nowMs: number): HeardAddresses[] {
    const found: HeardAddresses[] = []
    for (const { names, ips, atMs } of this.#byName.values()) {
      if (nowMs - atMs > KEPT_MS) continue
      if (!names.some((name) => isBelow(name, domains))) continue
      found.push({ names, ips: [...ips], ttlS: SHUT_S })
    }
    return found
  }
}
