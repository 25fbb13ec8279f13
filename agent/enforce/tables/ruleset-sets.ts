// Which sets our tables have. A device is found by its MAC, or by its addresses where it has no MAC of its own; each set is
// for one purpose, one direction (packets `from` a device, or `to` one) and one such key. Single addresses are in hash sets,
// prefixes and ranges in interval sets apart from them.
import type { Place } from '../place/place.ts'
import type { Family, SetSpec } from './sets.ts'

export type Direction = 'from' | 'to'

/** What a device is found by. */
export type Kind = 'mac' | 'ip4' | 'ip6'

/** The name of all our tables. */
export const TABLE = 'homespin'

/** LAN interfaces whose queues are served at this moment. */
export const SERVED = 'served'

/** Elements that any set of ours holds at least; sets that fill up refuse more. */
export const SET_SIZE = 65536

/** One direction in one table, with what devices are found by there. */
export interface Side {
  family: Family
  direction: Direction
  kinds: readonly Kind[]
}

export type Action = 'allow' | 'block'
export const ACTIONS: readonly Action[] = ['allow', 'block']

/** So many devices are told by their tails: the kernel walks all of a bitmap's elements to add one. */
export const MOST_TAILS = 2048

/** The last two bytes of a frame's sender or receiver: a set of so short keys is a bitmap. */
export const TAIL: Readonly<Record<Direction, string>> = { from: '@ll,80,16', to: '@ll,32,16' }

/** Of a device, in a set of its own each. */
export type Purpose =
  | 'held'
  | 'observe'
  | 'internet_only'
  | 'local_only'
  | 'full'
  | 'block'
  | 'allow'
  /** Has rules that block, or exceptions, of any kind: only then these are looked for. */
  | 'blocked'
  | 'excepted'
  | 'allow_list'
  | 'no_dns'
  | 'no_encrypted_dns'
  | 'gate'
  | 'ask'

const KEYS: Record<Kind, string> = { mac: 'ether_addr', ip4: 'ipv4_addr', ip6: 'ipv6_addr' }
const ADDRESS: Record<4 | 6, string> = { 4: 'ipv4_addr', 6: 'ipv6_addr' }
const VERSIONS: readonly (4 | 6)[] = [4, 6]

const PURPOSES: readonly { purpose: Purpose; counter: boolean }[] = [
  { purpose: 'held', counter: false },
  { purpose: 'observe', counter: false },
  { purpose: 'internet_only', counter: true },
  { purpose: 'local_only', counter: true },
  { purpose: 'full', counter: true },
  { purpose: 'block', counter: true },
  { purpose: 'allow', counter: false },
  { purpose: 'blocked', counter: false },
  { purpose: 'excepted', counter: false },
  { purpose: 'allow_list', counter: true },
  { purpose: 'no_dns', counter: true },
  { purpose: 'no_encrypted_dns', counter: true },
  { purpose: 'gate', counter: false },
  { purpose: 'ask', counter: false },
]

/** Whether LAN interfaces are bridges whose frames pass from port to port here. */
export function hasBridge(place: Place): boolean {
  return place.features.bridge && (place.position === 'bridge' || place.ports.length > 0)
}

/** Where devices are looked for. Without netdev egress what goes to them is known by address alone. */
export function sidesOf(place: Place): readonly Side[] {
  const all: readonly Kind[] = ['mac', 'ip4', 'ip6']
  const sides: Side[] = [{ family: 'inet', direction: 'from', kinds: all }]
  if (place.features.egress) {
    sides.push({ family: 'netdev', direction: 'to', kinds: all })
    if (place.flowtables) sides.push({ family: 'netdev', direction: 'from', kinds: all })
  } else sides.push({ family: 'inet', direction: 'to', kinds: ['ip4', 'ip6'] })
  if (hasBridge(place)) {
    sides.push({ family: 'bridge', direction: 'from', kinds: all })
    sides.push({ family: 'bridge', direction: 'to', kinds: all })
  }
  return sides
}

/** Where chains of family netdev are hooked: a flowtable takes packets at the ports of a bridge, and sends them there. */
export function netdevInterfaces({ interfaces, ports, flowtables }: Place): readonly string[] {
  return flowtables ? [...interfaces, ...ports] : interfaces
}

/** Whether most packets are told from those of held devices by a glance at their MAC. */
export function hasTails({ kinds }: Side, place: Place): boolean {
  return place.features.tails === true && kinds.includes('mac')
}

/** IP versions of the other side that a device found by `kind` can have. */
export function versionsOf(kind: Kind): readonly (4 | 6)[] {
  if (kind === 'mac') return VERSIONS
  return kind === 'ip4' ? [4] : [6]
}

/** `from_mac_full`; with a remote side `from_mac_block_host4`. `all` instead of a kind: for the whole home. */
export function setName(direction: Direction, kind: Kind | 'all', what: string): string {
  return `${direction}_${kind}_${what}`
}

type Shape = Partial<Pick<SetSpec, 'interval' | 'timeout' | 'counter' | 'dynamic' | 'like'>>

function spec(family: Family, name: string, key: string, shape: Shape = {}): SetSpec {
  const none = { interval: false, timeout: false, counter: false, dynamic: false }
  return { family, table: TABLE, name, key, ...none, ...shape }
}

/** Blocks and exceptions by the other side: `key` is what stands before it, nothing for the whole home. */
function matchSets({ family, direction }: Side, kind: Kind | 'all', action: Action): SetSpec[] {
  const before = kind === 'all' ? [] : [KEYS[kind]]
  const counter = action === 'block' && kind !== 'all'
  const make = (what: string, parts: string[], interval: boolean): SetSpec =>
    spec(family, setName(direction, kind, `${action}_${what}`), [...before, ...parts].join(' . '), {
      ...{ interval, counter },
      timeout: true,
    })
  const service = ['inet_proto', 'inet_service']
  const versions = kind === 'all' ? VERSIONS : versionsOf(kind)
  return [
    ...versions.map((v) => make(`host${v}`, [ADDRESS[v]], false)),
    ...versions.map((v) => make(`net${v}`, [ADDRESS[v]], true)),
    make('port', service, true),
    ...versions.map((v) => make(`host_port${v}`, [ADDRESS[v], ...service], true)),
  ]
}

function sideSets(side: Side, place: Place): SetSpec[] {
  const { family, direction, kinds } = side
  const found: SetSpec[] = []
  if (hasTails(side, place)) {
    found.push(spec(family, `${direction}_tails`, 'inet_service', { like: TAIL[direction] }))
  }
  for (const kind of kinds) {
    for (const { purpose, counter } of PURPOSES) {
      const name = setName(direction, kind, purpose)
      found.push(spec(family, name, KEYS[kind], { timeout: true, counter }))
    }
    for (const action of ACTIONS) found.push(...matchSets(side, kind, action))
  }
  for (const action of ACTIONS) found.push(...matchSets(side, 'all', action))
  const dynamic = { dynamic: true, timeout: true, counter: true }
  for (const v of VERSIONS) {
    // What was dropped for everybody, by device and remote: the sets above can't tell devices apart.
    const device = kinds.includes('mac') ? 'ether_addr' : ADDRESS[v]
    const key = `${device} . ${ADDRESS[v]}`
    found.push(spec(family, `${direction}_all_drops${v}`, key, dynamic))
    found.push(spec(family, `${direction}_unknown_drops${v}`, key, dynamic))
  }
  found.push(spec(family, `${direction}_guarded`, 'ifname'))
  for (const level of ['', '_internet_only', '_local_only', '_full']) {
    found.push(spec(family, `${direction}_unknown${level}`, 'ifname', { timeout: true }))
  }
  return found
}

/** What a table knows of the place, and what the DNS gate fills. */
function tableSets(family: Family): SetSpec[] {
  const dynamic = { dynamic: true, timeout: true }
  return [
    spec(family, 'infrastructure', 'ether_addr'),
    spec(family, 'routers', 'ether_addr'),
    // With a flag for time-outs, as only then does the kernel's table of it grow with what it holds.
    spec(family, 'known', 'ether_addr', { timeout: true }),
    // Of these and of what is no device those about which nothing is ordered, where others are shut off.
    spec(family, 'free', 'ether_addr', { timeout: true }),
    ...VERSIONS.flatMap((v) => [
      spec(family, `own${v}`, ADDRESS[v]),
      spec(family, `controllers${v}`, ADDRESS[v]),
      spec(family, `home${v}`, ADDRESS[v], { interval: true }),
      // Protected machines that are told by their addresses, and what of all of them blocks by port alone spare.
      spec(family, `machines${v}`, ADDRESS[v], { interval: true }),
      spec(family, `kept${v}`, `${ADDRESS[v]} . inet_proto . inet_service`, { interval: true }),
      spec(family, `dns_block${v}`, `ether_addr . ${ADDRESS[v]}`, { ...dynamic, counter: true }),
      spec(family, `dns_allow${v}`, `ether_addr . ${ADDRESS[v]}`, dynamic),
      spec(family, `dns_block_ip${v}`, `${ADDRESS[v]} . ${ADDRESS[v]}`, {
        ...dynamic,
        counter: true,
      }),
      spec(family, `dns_allow_ip${v}`, `${ADDRESS[v]} . ${ADDRESS[v]}`, dynamic),
      spec(family, `dns_block_all${v}`, ADDRESS[v], { ...dynamic, counter: true }),
      spec(family, `dns_allow_all${v}`, ADDRESS[v], dynamic),
    ]),
  ]
}

/** Sets of the tables that have more than the others. */
function extraSets(family: Family): SetSpec[] {
  const dynamic = { dynamic: true, timeout: true }
  const names = (v: 4 | 6): SetSpec[] => [
    spec(family, `resolved${v}`, `ether_addr . ${ADDRESS[v]}`, dynamic),
    spec(family, `resolved_ip${v}`, `${ADDRESS[v]} . ${ADDRESS[v]}`, dynamic),
    spec(family, `resolvers${v}`, ADDRESS[v]),
    spec(family, `doh${v}`, ADDRESS[v]),
  ]
  if (family === 'netdev') return []
  const found = VERSIONS.flatMap(names)
  if (family === 'inet') {
    // Where what begins outside is asked about too, a device is known by its addresses.
    for (const v of VERSIONS) found.push(spec(family, `asked${v}`, ADDRESS[v]))
    found.push(spec(family, 'gate_all', 'ifname'))
    found.push(spec(family, 'gate_unknown', 'ifname', { timeout: true }))
    // The threads behind the queues say again and again that they are there.
    found.push(spec(family, SERVED, 'ifname', dynamic))
    return found
  }
  // A bridge has no connections: remembers which remotes a device uses, what controllers have begun, and what devices have
  // begun by exceptions for ports.
  for (const v of VERSIONS) {
    found.push(spec(family, `using${v}`, `ether_addr . ${ADDRESS[v]}`, dynamic))
    found.push(spec(family, `using_ip${v}`, `${ADDRESS[v]} . ${ADDRESS[v]}`, dynamic))
    const talk = `ether_addr . ${ADDRESS[v]} . inet_proto . inet_service . inet_service`
    found.push(spec(family, `begun${v}`, talk, dynamic), spec(family, `asking${v}`, talk, dynamic))
  }
  return found
}

/** Every set of every table of ours here, each family's together. */
export function setsOf(place: Place): SetSpec[] {
  const sides = sidesOf(place)
  const families = [...new Set(sides.map((side) => side.family))]
  return families.flatMap((family) => [
    ...tableSets(family),
    ...extraSets(family),
    ...sides.filter((side) => side.family === family).flatMap((side) => sideSets(side, place)),
  ])
}
