// Our own tables as the reconciler takes them: which set is for what goes by its name (ruleset-sets.ts).
import { canonicalKey } from '../../../native/nft-key.ts'
import type { Desired } from '../../policy/desired.ts'
import type { QueueRule } from '../kernel/kernel.ts'
import { levelsAt } from '../place/levels.ts'
import type { Place } from '../place/place.ts'
import { uncoveredAt } from '../place/uncovered.ts'
import { DNS_QUEUE, FIRST_QUEUE } from '../tables/chains-queue.ts'
import { elementsOf } from '../tables/elements.ts'
import { regrowthText, rulesetText } from '../tables/ruleset.ts'
import { needsOf } from '../tables/ruleset-needs.ts'
import { setsOf, TABLE } from '../tables/ruleset-sets.ts'
import type { ElementSpec, Elements, Family, SetId, SetSpec } from '../tables/sets.ts'
import type { Drops, Ruleset } from './reconciler-ruleset.ts'

/** Sets that only count what was dropped for everybody, and the one that lasts for moments. */
const PASSING = /_drops[46]$|^served$/
const SHUTS_REMOTE = /(?:^dns_block|_block_(?:host|net))/

const CAUSES: readonly (readonly [pattern: RegExp, cause: Drops['cause']])[] = [
  [/_internet_only$/, 'internet_only'],
  [/_local_only$/, 'local_only'],
  [/_full$/, 'full'],
  [/_block(?:_|$)/, 'block'],
  [/_allow_list$/, 'allow_list'],
  [/_no_dns$/, 'no_dns_no_connect'],
  [/_no_encrypted_dns$/, 'no_encrypted_dns'],
]

function dropsOf({ name }: SetSpec, desired: Desired): Drops | undefined {
  const direction = name.startsWith('to_') ? 'to_device' : 'from_device'
  if (name.startsWith('dns_block')) return { cause: 'dns', direction }
  if (name.includes('_all_drops')) {
    return desired.everyone.length > 0 ? { cause: 'block', direction } : undefined
  }
  if (name.includes('_unknown_drops')) {
    const level = desired.unknown?.level
    return level === undefined
      ? undefined
      : { cause: level.level, direction, rule_id: level.ruleId }
  }
  const cause = CAUSES.find(([pattern]) => pattern.test(name))?.[1]
  return cause === undefined ? undefined : { cause, direction }
}

function removal(bridge: boolean): string {
  const families: Family[] = ['inet', 'netdev', ...(bridge ? (['bridge'] as const) : [])]
  return families
    .map((family) => `add table ${family} ${TABLE}\ndelete table ${family} ${TABLE}\n`)
    .join('')
}

/** Packets pass where nobody serves the queues. */
function queueRulesOf(place: Place): QueueRule[] {
  const { queue: way } = place.features
  if (way === undefined) return []
  const common = { family: 'inet', table: TABLE, way, bypass: true } as const
  return [
    { ...common, chain: DNS_QUEUE, queue: place.queues.dns },
    { ...common, chain: FIRST_QUEUE, queue: place.queues.first },
  ]
}

/** nft's text has its own quotes around names of interfaces. */
function withoutQuotes(elements: Elements, sets: readonly SetSpec[]): Elements {
  const plain = new Map<SetId, ReadonlyMap<string, ElementSpec>>(elements)
  for (const set of sets.filter(({ key }) => key === 'ifname')) {
    const id: SetId = `${set.family} ${set.table} ${set.name}`
    const found = [...(elements.get(id) ?? [])]
    plain.set(id, new Map(found.map(([key, element]) => [key.replaceAll('"', ''), element])))
  }
  return plain
}

/** What ruleset.ts and elements.ts make of a place and a desire. */
export const homespinTables: Ruleset = {
  sets: setsOf,
  elements: elementsOf,
  needs: needsOf,
  text: (place, elements, bootMs, needs) =>
    rulesetText(place, withoutQuotes(elements, setsOf(place)), bootMs, needs),
  regrowth: regrowthText,
  queueRules: queueRulesOf,
  removal,
  levels: levelsAt,
  uncovered: uncoveredAt,
  shutsRemote: ({ name }) => SHUTS_REMOTE.test(name),
  keeps: ({ name }) => !PASSING.test(name),
  drops: dropsOf,
  canonical: ({ key, interval }, text) =>
    canonicalKey(key, interval, key === 'ifname' && !text.startsWith('"') ? `"${text}"` : text),
}
