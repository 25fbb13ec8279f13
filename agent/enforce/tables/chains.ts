// The judgement of packets `from` devices and `to` devices: the same order in every table, written once.
//
//   held device?  ─► always (DHCP, ND, ARP) ─► allowed (exceptions) ─► full ─► blocked ─► other levels and restrictions
//   else, where anything is ordered for more than single devices: unknown devices, and blocks for everybody
//
// A look-up costs a packet most, so one tells whether a device has exceptions or blocks at all.
// Sets with counters are looked up only in rules that drop, so that each element counts exactly what it dropped. `accept`
// ends a base chain of ours and nothing else: later hooks, ours and others', still see the packet.

import type { Place } from '../place/place.ts'
import { hex, PACKET_ANSWER } from './marks.ts'
import type { Needs } from './ruleset-needs.ts'
import type { Action, Direction, Kind, Purpose, Side } from './ruleset-sets.ts'
import { hasTails, setName, TAIL } from './ruleset-sets.ts'
import type { Family } from './sets.ts'

/** A chain that packets are sent to, or with `hook` a base chain. */
export interface Chain {
  name: string
  /** `type … hook … priority …;` */
  hook?: string
  rules: readonly string[]
}

export const IP = { 4: 'ip', 6: 'ip6' } as const
export const BOTH = [4, 6] as const
/** Before connections are looked up: whatever is held ends at once, also in the midst of a connection. */
export const BEFORE_CONNTRACK = -300

export const DNS = 'meta l4proto { tcp, udp } th'

/** Where what a name has opened is accepted, behind conntrack: chains-inet.ts. */
export const STATE_NAMED = 'state_named'

/** Tells what cannot be read without asking for a neighbour's help: errors about packets that the device sent. */
const ICMP_ERRORS = [
  'icmp type { destination-unreachable, time-exceeded, parameter-problem }',
  'icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }',
]

/** Frames that are not IP, and do not carry it in a way that hides where it goes. */
const PLAIN_FRAMES = 'meta protocol != { ip, ip6, vlan, 0x8863, 0x8864, 0x88a8 }'

/** The device's own address or MAC in a packet. */
export function deviceField(direction: Direction, kind: Kind): string {
  const side = direction === 'from' ? 'saddr' : 'daddr'
  return kind === 'mac' ? `ether ${side}` : `${kind === 'ip4' ? 'ip' : 'ip6'} ${side}`
}

/** The other side's address in a packet. */
export function remoteField(direction: Direction, version: 4 | 6): string {
  return `${IP[version]} ${direction === 'from' ? 'daddr' : 'saddr'}`
}

/** The LAN interface by which a packet comes or goes. */
export function interfaceField(direction: Direction): string {
  return direction === 'from' ? 'iifname' : 'oifname'
}

/** Neither known nor part of the network itself. */
export function strangers(direction: Direction): string {
  const mac = deviceField(direction, 'mac')
  const single = 'and 01:00:00:00:00:00 == 00:00:00:00:00:00'
  return `${interfaceField(direction)} @${direction}_unknown ${mac} ${single} ${mac} != @known ${mac} != @infrastructure`
}

/** Whether a device found so can be in a packet that `before` matches: its addresses are of one version. */
function fits(kind: Kind, before: string): boolean {
  return kind === 'mac' || !before.split(' ').includes(kind === 'ip4' ? 'ip6' : 'ip')
}

/** A rule for each way in which a device may be in the sets of a purpose. */
export function perKind(side: Side, purpose: Purpose, verdict: string, before = ''): string[] {
  const { direction } = side
  const kinds = side.kinds.filter((kind) => fits(kind, before))
  return kinds.map((kind) => {
    const set = `@${setName(direction, kind, purpose)}`
    return `${before} ${deviceField(direction, kind)} ${set} ${verdict}`.trim()
  })
}

/** What closes a level: for devices that are held, or for strangers. */
export type Who = 'held' | 'unknown'

type ClosingLevel = 'internet_only' | 'local_only' | 'full'

export function close(side: Side, who: Who, level: ClosingLevel, before = ''): string[] {
  if (who === 'held') return perKind(side, level, 'drop', before)
  const { direction } = side
  const set = `@${direction}_unknown_${level}`
  return [`${before} ${interfaceField(direction)} ${set} goto ${direction}_unknown_drop`.trim()]
}

/** What never is cut: a device's own DHCP, neighbour discovery and ARP, with the home only. */
function always({ family, direction }: Side): Chain {
  const home = BOTH.map((v) => `${remoteField(direction, v)} @home${v}`)
  const [home4 = '', home6 = ''] = home
  const [client, server] = direction === 'from' ? ['sport', 'dport'] : ['dport', 'sport']
  // Routers advertise and queriers ask; a held device only answers and solicits.
  const types = direction === 'from' ? '131, 132, 133, 135, 136, 143' : '130, 134, 135, 136, 137'
  const rules = [
    `udp ${client} 68 udp ${server} 67 ${home4} accept`,
    `udp ${client} 546 udp ${server} 547 ${home6} accept`,
    `icmpv6 type { ${types} } ${home6} accept`,
  ]
  // 802.1X: without its keys a device of this box's own access point would fall off.
  if (family !== 'inet') rules.unshift('meta protocol { arp, 0x888e } accept')
  return { name: `${direction}_always`, rules }
}

function allDrop({ direction, kinds }: Side, what: 'all' | 'unknown'): Chain {
  const rules = BOTH.map((v) => {
    const device = deviceField(direction, kinds.includes('mac') ? 'mac' : `ip${v}`)
    return `update @${direction}_${what}_drops${v} { ${device} . ${remoteField(direction, v)} }`
  })
  return { name: `${direction}_${what}_drop`, rules: [...rules, 'drop'] }
}

/** The rule that leads to what holds for the whole home; none where nothing can. */
export function forEverybody({ direction }: Side, action: Action, needs: Needs): string[] {
  if (!needs.has('general')) return []
  return [`${interfaceField(direction)} @${direction}_guarded jump ${direction}_${action}_all`]
}

/** Whether what is judged here has a connection, which remembers what it was allowed for. */
function hasState({ family, direction }: Side, needs: Needs): boolean {
  return family === 'inet' && direction === 'from' && needs.has('state')
}

/** Addresses that the DNS gate found for names of a device that is known by its addresses. */
export function namesByIp({ direction }: Side, action: Action, verdict: string): string[] {
  return BOTH.map((v) => {
    const device = deviceField(direction, `ip${v}`)
    return `${device} . ${remoteField(direction, v)} @dns_${action}_ip${v} ${verdict}`
  })
}

/** What accepts an exception of the DNS gate. */
export function namedVerdict(side: Side, needs: Needs): string {
  return hasState(side, needs) ? `goto ${STATE_NAMED}` : 'accept'
}

/** DNS and errors of the home's router where it is on another port of this bridge. */
export function routerRules({ direction }: Side): string[] {
  const router = `ether ${direction === 'from' ? 'daddr' : 'saddr'} @infrastructure`
  const dns = `${DNS} ${direction === 'from' ? 'dport' : 'sport'} 53`
  const rules = BOTH.map((v) => `${router} ${remoteField(direction, v)} @home${v} ${dns} accept`)
  if (direction === 'to') rules.push(...ICMP_ERRORS.map((type) => `${router} ${type} accept`))
  return rules
}

/** IPv6 that goes to or comes from no router: to or from a device of the home, whatever its prefix. */
export function besideRouters({ direction }: Pick<Side, 'direction'>): string {
  return `meta protocol ip6 ether ${direction === 'from' ? 'daddr' : 'saddr'} != @routers`
}

/**
 * On a bridge, which need not have IPv6 itself: by MAC, as its prefixes are not all known. Where no router is known this may be
 * the home or the internet, and is closed by what closes either.
 */
function besideRule(side: Side, who: Who, place: Place): string {
  const way = place.knowsIpv6
    ? `goto ${side.direction}_${who}_home`
    : `jump ${side.direction}_${who}_beside`
  return `${besideRouters(side)} ${way}`
}

/** The device's own part in what a controller began, on a bridge. */
function begunRules(): string[] {
  return [
    ...BOTH.map((v) => {
      const talk = `ether saddr . ${IP[v]} daddr . meta l4proto . th dport . th sport`
      return `${talk} @begun${v} update @begun${v} { ${talk} timeout 1h } accept`
    }),
    'icmp type echo-reply accept',
    'icmpv6 type echo-reply accept',
    ...ICMP_ERRORS.map((type) => `${type} accept`),
  ]
}

/** Restrictions that are judged without connections; `to` devices only answers come. */
function internetRules(side: Side): string[] {
  const { family, direction, kinds } = side
  const lists = [...perKind(side, 'allow_list', 'drop'), ...perKind(side, 'no_dns', 'drop')]
  if (family === 'bridge') {
    const dns = `${DNS} ${direction === 'from' ? 'dport' : 'sport'} 53`
    const found = BOTH.flatMap((v) =>
      perKind(side, 'gate', 'accept', `${remoteField(direction, v)} @resolvers${v} ${dns}`),
    )
    for (const v of BOTH) {
      for (const [by, kind] of [['', 'mac'] as const, ['_ip', `ip${v}`] as const]) {
        const pair = `${deviceField(direction, kind)} . ${remoteField(direction, v)}`
        const using = `@using${by}${v}`
        if (direction === 'to') found.push(`${pair} ${using} accept`)
        else {
          const use = `update ${using} { ${pair} timeout 1h } accept`
          found.push(`${pair} @resolved${by}${v} ${use}`, `${pair} ${using} ${use}`)
        }
      }
    }
    return [...found, ...lists]
  }
  // From a device: behind conntrack, in chains-inet.ts.
  if (direction === 'from') return []
  const answer = hex(PACKET_ANSWER)
  return [`meta mark and ${answer} == ${answer} accept`, ...(kinds.length > 0 ? lists : [])]
}

function encryptedDns(side: Side): string[] {
  if (side.direction === 'to') return []
  // The port first: all else is a look-up.
  const to = (port: number): string => `th dport ${port} meta l4proto { tcp, udp }`
  // Before a flowtable: there is no set of resolvers in its table.
  const doh = side.family === 'netdev' ? [] : BOTH.map((v) => `${to(443)} ${IP[v]} daddr @doh${v}`)
  return [to(853), ...doh].flatMap((before) => perKind(side, 'no_encrypted_dns', 'drop', before))
}

function levelChains(side: Side, who: Who, place: Place): Chain[] {
  const { family, direction } = side
  const name = `${direction}_${who}`
  const near = BOTH.flatMap((v) => {
    const remote = remoteField(direction, v)
    return [
      `${remote} @own${v} goto ${name}_controller`,
      `${remote} @controllers${v} goto ${name}_controller`,
      `${remote} @home${v} goto ${name}_home`,
    ]
  })
  // Of held devices those at level full have ended before.
  const full = who === 'held' ? [] : close(side, who, 'full')
  // Frames that this box itself sends, such as those of its access point.
  const other = family === 'netdev' ? 'controller' : 'home'
  const bridged = family === 'bridge'
  const viaRouter = bridged || (family === 'inet' && place.position === 'bridge')
  return [
    {
      name: `${name}_levels`,
      rules: [
        ...(who === 'held' ? encryptedDns(side) : []),
        ...near,
        ...(viaRouter && side.kinds.includes('mac') ? [besideRule(side, who, place)] : []),
        ...(family === 'inet' ? [] : [`${PLAIN_FRAMES} goto ${name}_${other}`]),
        ...full,
        ...close(side, who, 'local_only'),
        ...(who === 'held' ? internetRules(side) : []),
      ],
    },
    {
      name: `${name}_controller`,
      rules: [
        ...full,
        // Elsewhere connections tell who began: chains-inet.ts.
        ...(bridged && direction === 'from' ? begunRules() : []),
        ...(bridged && direction === 'from' ? close(side, who, 'internet_only') : []),
      ],
    },
    ...(viaRouter ? [{ name: `${name}_beside`, rules: close(side, who, 'internet_only') }] : []),
    {
      name: `${name}_home`,
      rules: [
        ...full,
        ...(viaRouter ? routerRules(side) : []),
        ...close(side, who, 'internet_only'),
      ],
    },
  ]
}

/** The chains of one direction in one table, without those of its rules (chains-matches.ts) and the base chain that leads to them. */
export function judgement(side: Side, place: Place, needs: Needs): Chain[] {
  const { direction, kinds } = side
  const network = `${deviceField(direction, 'mac')} @infrastructure accept`
  const byMac = kinds.includes('mac')
  // Behind conntrack, where it matters who began a connection: chains-inet.ts.
  const ending = (who: Who, found = ''): string[] =>
    hasState(side, needs)
      ? [`jump ${direction}_${who}_levels`, `goto state_${who}${found}`]
      : [`goto ${direction}_${who}_levels`]
  const heldBy = (
    found: '' | '_ip',
    names: (action: Action, verdict: string) => string[],
  ): Chain => ({
    name: `${direction}_held${found}`,
    rules: [
      ...(byMac ? [network] : []),
      `jump ${direction}_always`,
      ...names('allow', namedVerdict(side, needs)),
      ...perKind(side, 'excepted', `jump ${direction}_allow`),
      ...forEverybody(side, 'allow', needs),
      // Whoever floods although nothing of it passes costs as little as can be.
      ...close(side, 'held', 'full'),
      ...names('block', 'drop'),
      ...perKind(side, 'blocked', `jump ${direction}_block`),
      ...forEverybody(side, 'block', needs),
      ...ending('held', found),
    ],
  })
  const held = heldBy('', () => [])
  // Who is found by MAC does not pay for looking by address.
  const heldByIp = heldBy('_ip', (action, verdict) => namesByIp(side, action, verdict))
  const general: Chain = {
    name: `${direction}_general`,
    rules: [
      ...(byMac ? [network] : []),
      ...perKind(
        { ...side, kinds: kinds.filter((kind) => kind !== 'mac') },
        'held',
        `goto ${direction}_held_ip`,
      ),
      ...(byMac ? [`${strangers(direction)} goto ${direction}_unknown`] : []),
      `jump ${direction}_always`,
      `jump ${direction}_allow_all`,
      `goto ${direction}_block_all`,
    ],
  }
  const unknown: Chain = {
    name: `${direction}_unknown`,
    rules: [
      `jump ${direction}_always`,
      `jump ${direction}_allow_all`,
      `jump ${direction}_block_all`,
      // Protected machines whose MACs are not known yet.
      ...BOTH.map((v) => `${deviceField(direction, `ip${v}`)} @machines${v} accept`),
      ...ending('unknown'),
    ],
  }
  return [
    always(side),
    allDrop(side, 'all'),
    ...levelChains(side, 'held', place).reverse(),
    held,
    heldByIp,
    ...(byMac
      ? [allDrop(side, 'unknown'), ...levelChains(side, 'unknown', place).reverse(), unknown]
      : []),
    general,
  ]
}

/** The rules of a base chain that lead to the judgement of a direction; who is not meant leaves by the first. */
export function entry(side: Side, place: Place, needs: Needs): string[] {
  const { direction, kinds } = side
  const mac = deviceField(direction, 'mac')
  const byMac = kinds.includes('mac')
  const held = byMac ? [`${mac} @${direction}_mac_held goto ${direction}_held`] : []
  const others = `${interfaceField(direction)} @${direction}_guarded goto ${direction}_general`
  if (needs.has('general') || !byMac) return [...held, others]
  if (needs.has('unknown')) return [`${mac} @free accept`, ...held, others]
  const tail =
    hasTails(side, place) && !needs.has('many')
      ? [`${TAIL[direction]} != @${direction}_tails accept`]
      : []
  return [...tail, ...held]
}

/** `hook` of a base chain that filters. */
export function filter(hook: string, priority: number, family: Family, device?: string): string {
  const on = family === 'netdev' && device !== undefined ? ` device "${device}"` : ''
  return `type filter hook ${hook}${on} priority ${priority}; policy accept;`
}
