// The text of one transaction for `nft -f -` that puts our tables in the place of whatever they were: there is no moment
// without them. Nothing of others is named.

import type { Place } from '../place/place.ts'
import type { Chain } from './chains.ts'
import { BEFORE_CONNTRACK, entry, filter, judgement } from './chains.ts'
import { bridgeChains } from './chains-bridge.ts'
import { fromChain, oneArmedChains, postroutingTo, stateChains } from './chains-inet.ts'
import { matchChains } from './chains-matches.ts'
import { askChains, dnsChains, replyChains } from './chains-queue.ts'
import type { Needs } from './ruleset-needs.ts'
import { judges, needsOf } from './ruleset-needs.ts'
import type { Side } from './ruleset-sets.ts'
import { netdevInterfaces, SET_SIZE, setsOf, sidesOf, TABLE } from './ruleset-sets.ts'
import type { ElementSpec, Elements, Family, SetSpec } from './sets.ts'
import { setId } from './sets.ts'

/** How long what the packets themselves put into a set stays, unless they say otherwise. */
const DYNAMIC_TIMEOUT = '1h'

/** Elements of sets that only say what the place is. */
const PLACE_SIZE = 4096

const FAMILIES: readonly Family[] = ['inet', 'netdev', 'bridge']

/** Names of interfaces become part of the text: only what the kernel and nft both take without meaning something else. */
function checkNames(place: Place): void {
  for (const name of [...place.interfaces, ...place.ports, ...place.uplinks]) {
    if (/^[^\s"/\\{};#$*]{1,15}$/.test(name)) continue
    throw new Error(`Rename the interface ${JSON.stringify(name)}: nftables cannot take its name.`)
  }
}

function flagsOf(set: SetSpec): string[] {
  const names = ['dynamic', 'interval', 'timeout'] as const
  return names.filter((name) => set[name])
}

/** Milliseconds as nft reads them: it takes no unit above its own bound. */
function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const [days, hours] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24]
  return `${days}d${hours}h${Math.floor(seconds / 60) % 60}m${seconds % 60}s${ms % 1000}ms`
}

function elementText(set: SetSpec, key: string, spec: ElementSpec, nowBootMs: number): string {
  const text = set.key === 'ifname' ? `"${key}"` : key
  if (spec.untilBootMs === undefined || !set.timeout) return text
  return `${text} timeout ${durationText(Math.ceil(spec.untilBootMs - nowBootMs))}`
}

/** Tables without time-outs have all their room from the start. */
function sizeOf(set: SetSpec): number {
  return set.timeout || set.interval || set.like ? SET_SIZE : PLACE_SIZE
}

function setText(set: SetSpec, elements: Elements, nowBootMs: number): string {
  const lines = [set.like ? `typeof ${set.like}` : `type ${set.key}`, `size ${sizeOf(set)}`]
  const flags = flagsOf(set)
  if (flags.length > 0) lines.push(`flags ${flags.join(', ')}`)
  if (set.dynamic) lines.push(`timeout ${DYNAMIC_TIMEOUT}`)
  if (set.counter) lines.push('counter')
  const found = [...(elements.get(setId(set)) ?? [])]
    // Less than a millisecond is left: it would be gone before the rules are there.
    .filter(([, { untilBootMs }]) => untilBootMs === undefined || untilBootMs - nowBootMs >= 1)
    .map(([key, spec]) => elementText(set, key, spec, nowBootMs))
  if (found.length > 0) lines.push(`elements = { ${found.join(',\n')} }`)
  return `set ${set.name} {\n${lines.join('\n')}\n}`
}

function chainText({ name, hook, rules }: Chain): string {
  return `chain ${name} {\n${[...(hook === undefined ? [] : [hook]), ...rules].join('\n')}\n}`
}

/** The chains that lead to the judgement of what goes to devices, on each of their interfaces. */
function egressChains(to: Side, place: Place, needs: Needs): Chain[] {
  return netdevInterfaces(place).map((name, i) => ({
    name: `egress_${i}`,
    hook: filter('egress', BEFORE_CONNTRACK, 'netdev', name),
    rules: entry(to, place, needs),
  }))
}

/**
 * What comes from devices, before a flowtable takes it past all other chains: connections that ran before something was
 * ordered. It knows no connections, so whatever depends on who began them is for those that begin.
 */
function ingressChains(from: Side, place: Place, needs: Needs): Chain[] {
  const lowest = Math.min(...(place.flowtables ?? []).map(({ priority }) => priority))
  const priority = Math.min(BEFORE_CONNTRACK, lowest - 1)
  return netdevInterfaces(place).map((name, i) => ({
    name: `ingress_${i}`,
    hook: filter('ingress', priority, 'netdev', name),
    rules: entry(from, place, needs),
  }))
}

/** A side with what devices are found by where they are judged: by address only where any is. */
function lookedFor(side: Side, needs: Needs): Side {
  const isByMac = side.kinds.includes('mac') && !needs.has('general')
  return isByMac ? { ...side, kinds: ['mac'] } : side
}

function chainsOf(family: Family, place: Place, needs: Needs): Chain[] {
  const sides = sidesOf(place).filter((side) => side.family === family)
  const from = sides.find(({ direction }) => direction === 'from')
  const to = sides.find(({ direction }) => direction === 'to')
  const chains = sides
    .map((side) => lookedFor(side, needs))
    .flatMap((side) => [...matchChains(side, needs).reverse(), ...judgement(side, place, needs)])
  if (family === 'bridge') {
    if (from && to) chains.push(...bridgeChains(from, to, place, needs))
    return chains
  }
  if (family === 'netdev') {
    if (to && judges(needs)) chains.push(...egressChains(to, place, needs))
    if (from && judges(needs)) chains.push(...ingressChains(from, place, needs))
    return chains
  }
  if (from) {
    // Before what leads to it.
    chains.splice(0, 0, ...stateChains(lookedFor(from, needs), place))
    if (judges(needs)) chains.push(fromChain(from, place, needs))
    chains.push(...replyChains(needs), ...dnsChains(from, needs), ...askChains(from, needs))
  }
  if (to && judges(needs)) chains.push(postroutingTo(to, place, needs))
  if (place.position === 'one_armed') chains.push(...oneArmedChains(place))
  return chains
}

/**
 * Text for `nft -f -`, one transaction. All tables of ours are replaced, those that this place does not need removed.
 * `nowBootMs`: CLOCK_BOOTTIME, for what is left of each element's time. Dynamic sets are empty unless `elements` has some.
 * `needs`: what can be held by elements alone from then on.
 */
export function rulesetText(
  place: Place,
  elements: Elements,
  nowBootMs: number,
  needs: Needs = needsOf(elements),
): string {
  checkNames(place)
  const sets = setsOf(place)
  const parts: string[] = []
  for (const family of FAMILIES) {
    if (family === 'bridge' && !place.features.bridge) continue
    const own = sets.filter((set) => set.family === family)
    parts.push(`add table ${family} ${TABLE}`, `delete table ${family} ${TABLE}`)
    if (own.length === 0) continue
    const chains = chainsOf(family, place, needs)
    const inside = [
      ...own.map((set) => setText(set, elements, nowBootMs)),
      ...chains.map((chain) => chainText(chain)),
    ]
    parts.push(`table ${family} ${TABLE} {\n${inside.join('\n')}\n}`)
  }
  return `${parts.join('\n')}\n`
}

function isSameChain(a: Chain | undefined, b: Chain | undefined): boolean {
  return a?.hook === b?.hook && a?.rules.join('\n') === b?.rules.join('\n')
}

/** Chains that are there become others, or none. Queue rules are in chains that never change. */
function regrownText(where: string, had: readonly Chain[], has: readonly Chain[]): string[] {
  const before = new Map(had.map((chain) => [chain.name, chain]))
  const after = new Map(has.map((chain) => [chain.name, chain]))
  const old = had.filter((chain) => !isSameChain(chain, after.get(chain.name)))
  const made = has.filter((chain) => !isSameChain(before.get(chain.name), chain))
  const isOther = ({ name }: Chain): boolean => before.get(name)?.hook !== after.get(name)?.hook
  const isNew = (chain: Chain): boolean => !before.has(chain.name) || isOther(chain)
  const isGone = (chain: Chain): boolean => !after.has(chain.name) || isOther(chain)
  // A chain can't go while a rule leads to it.
  return [
    ...old.map(({ name }) => `flush chain ${where} ${name}`),
    ...old.filter(isGone).map(({ name }) => `delete chain ${where} ${name}`),
    ...made
      .filter(isNew)
      .map(({ name, hook }) => `add chain ${where} ${name}${hook ? ` { ${hook} }` : ''}`),
    ...made.flatMap(({ name, rules }) => rules.map((rule) => `add rule ${where} ${name} ${rule}`)),
  ]
}

/** A place, and what can be held by elements alone there. */
export interface Grown {
  place: Place
  needs: Needs
}

/**
 * Text for `nft -f -`, one transaction: the chains of the one become those of the other; sets, which both have alike, stay as they
 * are. What waits in a queue waits on, unless a hook goes.
 */
export function regrowthText(had: Grown, has: Grown): string {
  checkNames(has.place)
  const lines = FAMILIES.filter(
    (family) => family !== 'bridge' || has.place.features.bridge,
  ).flatMap((family) =>
    regrownText(
      `${family} ${TABLE}`,
      chainsOf(family, had.place, had.needs),
      chainsOf(family, has.place, has.needs),
    ),
  )
  return lines.map((line) => `${line}\n`).join('')
}
