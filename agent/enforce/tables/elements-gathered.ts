// Elements while they are gathered: several rules may ask for the same one, and then it lasts as long as the longest.
import type { Box, Span } from './elements-boxes.ts'
import { disjoint } from './elements-boxes.ts'
import { addressKey, numberKey } from './elements-keys.ts'
import type { ElementSpec } from './sets.ts'

/** What a rule, or several, ask of an element. */
export type Claim = ElementSpec

/** One rule as the end of an element: behind the device, or alone. */
export interface Part {
  /** Name of the set without direction and device. */
  what: string
  spans: readonly Span[]
  /** Of the address that the spans begin with, if they do. */
  version: 4 | 6 | undefined
}

interface Ranges {
  version: 4 | 6 | undefined
  deviceId: string | undefined
  boxes: Box[]
}

/** Claims of the same thing, made one at the end: a device may have thousands of rules. */
export class Claims<Key> {
  readonly #found = new Map<Key, { claim: Claim; ruleIds?: Set<string> }>()

  add(key: Key, claim: Claim): void {
    const had = this.#found.get(key)
    if (!had) {
      this.#found.set(key, { claim })
      return
    }
    had.ruleIds ??= new Set(had.claim.ruleIds)
    for (const ruleId of claim.ruleIds) had.ruleIds.add(ruleId)
    const { untilBootMs, deviceId } = had.claim
    const end = later(untilBootMs, claim.untilBootMs)
    had.claim = claimOf(had.claim.ruleIds, end, deviceId === claim.deviceId ? deviceId : undefined)
  }

  done(): Map<Key, Claim> {
    const done = new Map<Key, Claim>()
    for (const [key, { claim, ruleIds }] of this.#found) {
      done.set(key, ruleIds ? { ...claim, ruleIds: [...ruleIds] } : claim)
    }
    return done
  }
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : Math.max(a, b)
}

export function claimOf(
  ruleIds: readonly string[],
  untilBootMs: number | undefined,
  deviceId: string | undefined,
): Claim {
  return {
    ruleIds,
    ...(untilBootMs === undefined ? {} : { untilBootMs }),
    ...(deviceId === undefined ? {} : { deviceId }),
  }
}

/** The text of an element: what stands before (a device, or nothing), then each span. */
function keyOf(before: string, spans: readonly Span[], version: 4 | 6 | undefined): string {
  const parts = spans.map((span, i) =>
    i === 0 && version !== undefined ? addressKey(span, version) : numberKey(span),
  )
  return before === '' ? parts.join(' . ') : [before, ...parts].join(' . ')
}

/** By name of the set. */
export class Gathered {
  readonly #sets = new Map<string, Claims<string>>()
  readonly #ranges = new Map<string, Map<string, Ranges>>()

  add(set: string, key: string, claim: Claim): void {
    const claims = this.#sets.get(set) ?? new Claims<string>()
    this.#sets.set(set, claims)
    claims.add(key, claim)
  }

  addPart(set: string, before: string, { spans, version }: Part, claim: Claim): void {
    this.add(set, keyOf(before, spans, version), claim)
  }

  /** For interval sets, where `finish` takes overlaps apart. */
  addRange(set: string, before: string, { spans, version }: Part, claim: Claim): void {
    const { untilBootMs, ruleIds, deviceId } = claim
    const ranges = this.#ranges.get(set) ?? new Map<string, Ranges>()
    this.#ranges.set(set, ranges)
    const range = ranges.get(before) ?? { version, deviceId, boxes: [] }
    ranges.set(before, range)
    range.boxes.push({ spans, untilBootMs, ruleIds })
  }

  finish(): Map<string, Map<string, ElementSpec>> {
    for (const [set, ranges] of this.#ranges) {
      for (const [before, { version, deviceId, boxes }] of ranges) {
        for (const { spans, untilBootMs, ruleIds } of disjoint(boxes)) {
          this.add(set, keyOf(before, spans, version), claimOf(ruleIds, untilBootMs, deviceId))
        }
      }
    }
    return new Map([...this.#sets].map(([set, claims]) => [set, claims.done()]))
  }
}
