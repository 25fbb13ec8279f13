// What holds after a boot until the agent takes over: the same rules, by what can be loaded before any interface is there.
// Chains of netdev are bound to interfaces and would make the whole text fail; so what goes to devices is known by address,
// as on a kernel without netdev egress. What comes from devices is known by MAC, from the first packet that they send.
import type { Desired } from '../../policy/desired.ts'
import type { ElementNow } from '../kernel/kernel.ts'
import type { Place } from '../place/place.ts'
import { EVERY_NEED } from '../tables/ruleset-needs.ts'
import type { ElementSpec, Elements, SetId, SetSpec } from '../tables/sets.ts'
import { setId } from '../tables/sets.ts'
import type { Ruleset } from './reconciler-ruleset.ts'

/** Sets of exceptions, but not that of devices on an allow-list. */
const EXCEPTIONS = /_allow(?:$|_(?:host|net|port))/
/** Sets of addresses that the DNS gate shut because of their names. */
const BY_NAME = /^dns_block/

/** A place as it is before its interfaces are there. */
function withoutInterfaces(place: Place): Place {
  return { ...place, features: { ...place.features, egress: false } }
}

/** Sets that the DNS gate filled and that a boot should find as they were: their names may not be asked for again. */
export function setsByName(place: Place, ruleset: Ruleset): SetSpec[] {
  return ruleset.sets(withoutInterfaces(place)).filter(({ name }) => BY_NAME.test(name))
}

/** How long the box will be off is not known, so a timed block counts from the boot on, and a timed exception not at all. */
function forBoot(elements: Elements, sets: readonly SetSpec[], ruleset: Ruleset): Elements {
  const byId = new Map(sets.map((set) => [setId(set), set]))
  const kept = new Map<SetId, ReadonlyMap<string, ElementSpec>>()
  for (const [id, all] of elements) {
    const set = byId.get(id)
    if (set === undefined) continue
    const isException = EXCEPTIONS.test(set.name)
    const good = [...all].filter(
      ([key, { untilBootMs }]) =>
        !(isException && untilBootMs !== undefined) && isElement(set, key, ruleset),
    )
    kept.set(id, new Map(good))
  }
  return kept
}

/** One that is none would make the whole text fail. */
function isElement(set: SetSpec, key: string, ruleset: Ruleset): boolean {
  try {
    ruleset.canonical(set, key)
    return true
  } catch {
    return false
  }
}

function specOf({ remainingMs }: ElementNow, bootMs: number): ElementSpec {
  return {
    ruleIds: [],
    ...(remainingMs === undefined ? {} : { untilBootMs: bootMs + remainingMs }),
  }
}

/**
 * A text for `nft -f` that needs no interface. `byName`: what is in `setsByName` now. `bootMs`: CLOCK_BOOTTIME; the time that
 * is left of each element then is its time after a boot.
 */
export function bootText(
  desired: Desired,
  place: Place,
  byName: ReadonlyMap<SetId, ReadonlyMap<string, ElementNow>>,
  bootMs: number,
  ruleset: Ruleset,
): string {
  const there = withoutInterfaces(place)
  const elements = new Map(forBoot(ruleset.elements(desired, there), ruleset.sets(there), ruleset))
  for (const [id, found] of byName) {
    elements.set(id, new Map([...found].map(([key, now]) => [key, specOf(now, bootMs)])))
  }
  return ruleset.text(there, elements, bootMs, ruleset.needs(elements))
}

/** Chains and sets of such a text, without any element: what a check of one says of all. */
export function frameText(place: Place, ruleset: Ruleset): string {
  return ruleset.text(withoutInterfaces(place), new Map(), 0, EVERY_NEED)
}
