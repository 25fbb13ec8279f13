// What is desired, as elements of sets. Pure: the same desire at the same place gives the same elements.
import type { Restriction } from '../../../protocol/policy.ts'
import type { Desired, DesiredDevice, DesiredMatch } from '../../policy/desired.ts'
import { levelsOf } from '../../policy/desired.ts'
import type { Place } from '../place/place.ts'
import type { Span } from './elements-boxes.ts'
import type { Claim, Part } from './elements-gathered.ts'
import { Claims, claimOf, Gathered } from './elements-gathered.ts'
import { addressKey, addressSpan, macText } from './elements-keys.ts'
import { placeElements } from './elements-place.ts'
import type { Kind, Purpose } from './ruleset-sets.ts'
import { hasTails, MOST_TAILS, sidesOf, TABLE } from './ruleset-sets.ts'
import type { ElementSpec, Elements, SetId } from './sets.ts'

const RESTRICTIONS: readonly (readonly [Restriction, Purpose])[] = [
  ['allow_list', 'allow_list'],
  ['no_dns_no_connect', 'no_dns'],
  ['no_encrypted_dns', 'no_encrypted_dns'],
  ['ask', 'ask'],
]

type Order = Pick<DesiredMatch, 'ruleId' | 'untilBootMs'>

/** Protocols that have ports, where a rule names ports alone: TCP and UDP. */
const WITH_PORTS = [6, 17]

/** One rule, as elements without the device: which set, and what stands behind the device there. Names are the DNS gate's. */
function partsOf(match: DesiredMatch): Part[] {
  const { prefix, protocol, ports } = match
  const address = prefix === undefined ? undefined : addressSpan(prefix)
  if (prefix !== undefined && !address) return []
  const protocols = protocol !== undefined ? [protocol] : ports ? WITH_PORTS : []
  const [low, high] = ports ?? [0, 65535]
  const services = protocols.map((number): Span[] => [
    [BigInt(number), BigInt(number)],
    [BigInt(low), BigInt(high)],
  ])
  if (!address) {
    if (services.length === 0) return [{ what: match.action, spans: [], version: undefined }]
    const what = `${match.action}_port`
    return services.map((spans) => ({ what, spans, version: undefined }))
  }
  const { version, span } = address
  if (services.length > 0) {
    const what = `${match.action}_host_port${version}`
    return services.map((service) => ({ what, spans: [span, ...service], version }))
  }
  const what = `${match.action}_${span[0] === span[1] ? 'host' : 'net'}${version}`
  return [{ what, spans: [span], version }]
}

/** What a device is found by in a side's table. */
function keysOf(device: DesiredDevice, kinds: readonly Kind[]): { kind: Kind; key: string }[] {
  const mac = device.mac === undefined ? undefined : macText(device.mac)
  if (mac !== undefined && kinds.includes('mac')) return [{ kind: 'mac', key: mac }]
  return device.ips.flatMap((ip) => {
    const address = addressSpan(ip)
    if (!address || address.span[0] !== address.span[1]) return []
    const { version, span } = address
    return [
      { kind: version === 6 ? ('ip6' as const) : ('ip4' as const), key: addressKey(span, version) },
    ]
  })
}

/** For which purposes a device is in a set of its own, with the claim of each. `named`: names are blocked for everybody. */
function purposesOf(device: DesiredDevice, named: boolean): Map<Purpose, Claim> {
  const claims = new Claims<Purpose>()
  const note = (purpose: Purpose, order: Order): void => {
    claims.add(purpose, claimOf([order.ruleId], order.untilBootMs, device.deviceId))
  }
  const { restrictions, matches } = device
  for (const level of levelsOf(device)) {
    note(level.level, level)
    if (level.level !== 'observe') note('held', level)
    // At local_only the gate answers local names only.
    if (level.level === 'local_only') note('gate', level)
  }
  for (const [restriction, purpose] of RESTRICTIONS) {
    const order = restrictions[restriction]
    if (!order) continue
    note(purpose, order)
    // What is only asked about costs nothing once it was decided: chains-inet.ts looks for it by itself.
    if (restriction === 'ask') continue
    note('held', order)
    note('gate', order)
  }
  for (const match of matches) {
    note('held', match)
    note(match.action === 'allow' ? 'excepted' : 'blocked', match)
    if (match.domain !== undefined) note('gate', match)
  }
  // What somebody who is not believed says of a name that is blocked for everybody is blocked for the device that asked.
  if (named) claims.add('blocked', claimOf([], undefined, device.deviceId))
  return claims.done()
}

function addMatches(
  into: Gathered,
  kind: Kind | 'all',
  before: string,
  matches: readonly DesiredMatch[],
  deviceId?: string,
): void {
  for (const match of matches) {
    if (match.domain !== undefined) continue
    const claim = claimOf([match.ruleId], match.untilBootMs, deviceId)
    for (const part of partsOf(match)) {
      // An IPv4 address talks to IPv4 addresses.
      if (kind !== 'mac' && kind !== 'all' && part.version && `ip${part.version}` !== kind) continue
      // A block of everything for everybody has no set.
      if (kind === 'all' && part.spans.length === 0) continue
      const set = `${kind}_${part.what}`
      if (part.spans.length === 0) into.add(set, before, claim)
      else if (/_host[46]$/.test(part.what)) into.addPart(set, before, part, claim)
      else into.addRange(set, before, part, claim)
    }
  }
}

/** What most packets are told by: without an end, as sets of them know none. */
function addTail(into: Gathered, mac: string, { ruleIds, deviceId }: Claim): void {
  const tail = Number.parseInt(mac.slice(12).replace(':', ''), 16)
  into.add('tails', String(tail), claimOf(ruleIds, undefined, deviceId))
}

/** The elements of one side, by the name of the set without its direction. */
function sideElements(
  desired: Desired,
  kinds: readonly Kind[],
  tails: boolean,
): Map<string, ReadonlyElements> {
  const into = new Gathered()
  const named = desired.everyone.some(({ action, domain }) => action === 'block' && domain)
  for (const device of desired.devices) {
    const purposes = purposesOf(device, named)
    for (const { kind, key } of keysOf(device, kinds)) {
      for (const [purpose, claim] of purposes) into.add(`${kind}_${purpose}`, key, claim)
      const held = tails && kind === 'mac' ? purposes.get('held') : undefined
      if (held !== undefined) addTail(into, key, held)
      addMatches(into, kind, key, device.matches, device.deviceId)
    }
  }
  addMatches(into, 'all', '', desired.everyone)
  const found = into.finish()
  if ((found.get('mac_held')?.size ?? 0) > MOST_TAILS) found.delete('tails')
  return found
}

type ReadonlyElements = ReadonlyMap<string, ElementSpec>

/** The elements of every set that is not dynamic. */
export function elementsOf(desired: Desired, place: Place): Elements {
  const found = new Map<SetId, ReadonlyElements>(placeElements(desired, place))
  const byKinds = new Map<string, Map<string, ReadonlyElements>>()
  for (const side of sidesOf(place)) {
    const { family, direction, kinds } = side
    // The same everywhere, but where MACs are not seen.
    const which = kinds.join()
    const elements = byKinds.get(which) ?? sideElements(desired, kinds, hasTails(side, place))
    byKinds.set(which, elements)
    for (const [name, held] of elements) found.set(`${family} ${TABLE} ${direction}_${name}`, held)
  }
  return found
}
