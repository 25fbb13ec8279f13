// What of our tables has to be hooked for what is desired: chains that nothing needs are left out, so that who is only seen pays
// nothing. A look-up in a set costs a packet more than a whole chain of plain comparisons.
import { MOST_TAILS } from './ruleset-sets.ts'
import type { Elements } from './sets.ts'

export const NEEDS = [
  'held',
  'many',
  'unknown',
  'general',
  'state',
  'ask',
  'gate',
  'ports',
] as const

/**
 * `held`: single devices, found by MAC before all else. `many`: more of them than a glance at their MAC is good for. `unknown`: whoever is not known, so that a look-up tells who is free.
 * `general`: everybody, or devices without a MAC of their own, so that each packet of an interface is judged. `state`: who began a connection matters, so that devices are judged behind conntrack. `ask`: first
 * packets wait. `gate`: queries and answers of DNS do. `ports`: exceptions name ports, and who begins from one is no answer.
 */
export type Need = (typeof NEEDS)[number]

export type Needs = ReadonlySet<Need>

/** Sets of which one element makes a need. */
const SETS: Readonly<Record<Need, RegExp>> = {
  held: /_(?:mac|ip4|ip6)_held$/,
  many: / from_mac_held$/,
  unknown: / from_unknown$/,
  general: /(?: from_(?:ip4|ip6)_held| from_all_(?:allow|block)_\w+| gate_all)$/,
  state: / from_(?:(?:mac|ip4|ip6)_(?:internet_only|allow_list|no_dns)|unknown_internet_only)$/,
  ask: / from_(?:mac|ip4|ip6)_ask$/,
  gate: /(?: from_(?:mac|ip4|ip6)_gate| gate_all| gate_unknown)$/,
  ports: / from_(?:mac|ip4|ip6|all)_allow_(?:port|host_port[46])$/,
}

export const EVERY_NEED: Needs = new Set(NEEDS)

/** What these elements need. */
export function needsOf(elements: Elements): Needs {
  const filled = (atLeast: number): string[] =>
    [...elements].flatMap(([id, { size }]) => (size >= atLeast ? [id] : []))
  const [any, many] = [filled(1), filled(MOST_TAILS + 1)]
  return new Set(
    NEEDS.filter((need) => (need === 'many' ? many : any).some((id) => SETS[need].test(id))),
  )
}

/** Whether anything is judged at all. */
export function judges(needs: Needs): boolean {
  return needs.has('held') || needs.has('unknown') || needs.has('general')
}

/** Whether tables that were made for `had` hold what needs `wanted`, and do not stand in the way of what needs nothing. */
export function serves(had: Needs, wanted: Needs): boolean {
  return [...wanted].every((need) => had.has(need)) && (wanted.size > 0 || had.size === 0)
}
