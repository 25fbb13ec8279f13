// Where names were, as answers said that passed somewhere: a block that is ordered later shuts what a device already knows.
import type { HeardAddresses } from '../../../native/dns-gate.ts'

/** Names that are remembered; those that were not heard for longest go first. */
const MOST_NAMES = 8192
/** Those that only one device was told, by somebody who is not believed: they may not drive out the others. */
const MOST_TOLD = 1024
const MOST_ADDRESSES = 32
/** Programs and connections use an address for longer than its name lasts. */
const KEPT_MS = 24 * 3_600_000
/** So long an address is shut that was heard before its name was blocked: connections that can say nothing are given up by then. */
const SHUT_S = 900

interface Heard {
  names: readonly string[]
  ips: Set<string>
  only: HeardAddresses['only']
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
  /** By who asked, and by name. */
  readonly #told = new Map<string, Heard>()

  get size(): number {
    return this.#byName.size + this.#told.size
  }

  hear({ names, ips, only }: HeardAddresses, nowMs: number): void {
    const [name] = names
    if (name === undefined || ips.length === 0) return
    const [all, most, key] =
      only === undefined
        ? ([this.#byName, MOST_NAMES, name] as const)
        : ([this.#told, MOST_TOLD, `${only.mac ?? only.ip} ${name}`] as const)
    const known = all.get(key)
    all.delete(key)
    const kept = known === undefined ? new Set<string>() : known.ips
    for (const ip of ips) {
      kept.delete(ip)
      kept.add(ip)
    }
    for (const ip of kept) {
      if (kept.size <= MOST_ADDRESSES) break
      kept.delete(ip)
    }
    all.set(key, { names, ips: kept, only, atMs: nowMs })
    if (all.size <= most) return
    for (const oldest of all.keys()) {
      all.delete(oldest)
      return
    }
  }

  /** What was heard of names that are one of these domains or below one, themselves or by an alias. */
  of(domains: ReadonlySet<string>, nowMs: number): HeardAddresses[] {
    const found: HeardAddresses[] = []
    for (const { names, ips, only, atMs } of [...this.#byName.values(), ...this.#told.values()]) {
      if (nowMs - atMs > KEPT_MS) continue
      if (!names.some((name) => isBelow(name, domains))) continue
      found.push({ names, ips: [...ips], ttlS: SHUT_S, only })
    }
    return found
  }
}
