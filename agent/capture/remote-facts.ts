// What a router's kernel says of itself, read over SSH from /proc and /sys; `ip` is asked only where it is there (busybox's
// will do), for what those files do not have: IPv6 neighbours, and which neighbours answered lately.
import type { NetlinkEvent } from '../../native/index.ts'
import { formatIp } from '../address.ts'

/** A look at the router. */
export interface Facts {
  /** As netlink would tell them, by a key of what they are of. */
  events: ReadonlyMap<string, NetlinkEvent>
  /** It routes IPv4. */
  forwards: boolean
  /** Bridged packets pass the inet hooks too; undefined: it can't (no br_netfilter). */
  bridgeNetfilter: boolean | undefined
  /** Text of its resolv.conf(5). */
  resolvConf: string
  /** Packets that each interface took and sent, by name. */
  packets: ReadonlyMap<string, number>
  /** Of each interface: which switch chip it is a port of, and whether it is an access point. */
  ports: ReadonlyMap<string, { switchId?: string; isRadio?: true }>
}

/** Neighbours taken at most. */
const MAX_NEIGHBOURS = 16384
const IFF_UP = 1
const IFF_LOOPBACK = 8
const RTF_UP = 1
const RTF_GATEWAY = 2
const RTF_REJECT = 0x200
const NO_MAC = /^(?:00:){5}00$/

/** Begins each part of an answer. */
const PART = '##'

/**
 * Runs on the router: a look for each line of input. Only builtins of a POSIX shell and `cat`, so that a look costs little.
 * OpenWrt has the resolvers of its uplinks in a file of its own.
 */
export const FACTS_PROGRAM = `
ip=; command -v ip >/dev/null 2>&1 && ip=1
part() { echo "${PART} $1"; }
file() { part "$1"; cat "$2" 2>/dev/null; }
while read -r x; do
  part links
  for d in /sys/class/net/*; do
    i=; f=; a=; s=; t=; m=; k=; r=0; w=0; p=; y=0
    {
      read -r i <"$d/ifindex" && read -r f <"$d/flags" || continue
      read -r a <"$d/address"; read -r s <"$d/operstate"; read -r t <"$d/type"
      read -r r <"$d/statistics/rx_packets"; read -r w <"$d/statistics/tx_packets"
      [ -e "$d/brport/bridge/ifindex" ] && read -r m <"$d/brport/bridge/ifindex"
      [ -d "$d/bridge" ] && k=bridge
      read -r p <"$d/phys_switch_id"
      [ -e "$d/phy80211" ] && y=1
    } 2>/dev/null
    echo "\${d##*/} $i $f \${a:--} \${s:--} \${t:-0} \${m:-0} \${k:--} $r $w \${p:--} $y"
  done
  file route /proc/net/route
  file fib_trie /proc/net/fib_trie
  file if_inet6 /proc/net/if_inet6
  file ipv6_route /proc/net/ipv6_route
  file arp /proc/net/arp
  [ "$ip" ] && { part addresses; ip -o -4 addr show; part neighbours; ip neigh show; } 2>/dev/null
  file forward /proc/sys/net/ipv4/ip_forward
  file bridge /proc/sys/net/bridge/bridge-nf-call-iptables
  file resolv /etc/resolv.conf
  cat /tmp/resolv.conf.d/resolv.conf.auto 2>/dev/null
  part end
done
`

/** An answer is whole with this at its end. */
export const FACTS_END = `${PART} end\n`

/** Reads an answer of the program. What can't be understood is left out. */
export function readFacts(text: string): Facts {
  const parts = new Map<string, string[]>()
  let lines: string[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith(`${PART} `)) {
      lines = []
      parts.set(line.slice(PART.length + 1), lines)
    } else if (line !== '') lines.push(line)
  }
  const part = (name: string): string[] => parts.get(name) ?? []
  const events = new Map<string, NetlinkEvent>()
  const indexes = new Map<string, number>()
  const packets = new Map<string, number>()
  const ports = new Map<string, { switchId?: string; isRadio?: true }>()
  for (const line of part('links')) {
    readLink(line, events, indexes, packets)
    readPort(line, ports)
  }
  const routes = routesOf(part('route'), indexes)
  const addresses = parts.has('addresses')
    ? addressesOf(part('addresses'), indexes)
    : addressesInTrie(part('fib_trie'), routes)
  for (const { index, ip, prefixLength } of [...addresses, ...addresses6(part('if_inet6'))]) {
    const address: NetlinkEvent = { kind: 'address', index, ip, prefixLength, removed: false }
    events.set(`address ${index} ${ip}`, address)
  }
  const gateways = [...gateways4(routes), ...gateways6(part('ipv6_route'), indexes)]
  events.set('gateways', { kind: 'gateways', gateways })
  const neighbours = parts.has('neighbours')
    ? neighboursOf(part('neighbours'), indexes)
    : arpOf(part('arp'), indexes)
  for (const each of neighbours.slice(0, MAX_NEIGHBOURS)) {
    events.set(`neighbour ${each.index} ${each.ip}`, each)
  }
  const [bridge] = part('bridge')
  return {
    events,
    forwards: part('forward')[0]?.trim() === '1',
    bridgeNetfilter: bridge === undefined ? undefined : bridge.trim() === '1',
    resolvConf: part('resolv').join('\n'),
    packets,
    ports,
  }
}

/** What has changed since the look before, as netlink would have told it. */
export function changesSince(before: Facts | undefined, now: Facts): NetlinkEvent[] {
  const gone = [...(before?.events ?? [])].flatMap(([key, event]): NetlinkEvent[] =>
    now.events.has(key) || !('removed' in event) ? [] : [{ ...event, removed: true }],
  )
  const news = [...now.events].flatMap(([key, event]) =>
    JSON.stringify(before?.events.get(key)) === JSON.stringify(event) ? [] : [event],
  )
  return [...gone, ...news]
}

function readLink(
  line: string,
  events: Map<string, NetlinkEvent>,
  indexes: Map<string, number>,
  packets: Map<string, number>,
): void {
  const [name = '', index, flags, mac = '', state, , master, kind, taken, sent] = line.split(' ')
  const number = Number(index)
  const bits = Number(flags)
  if (!Number.isInteger(number) || number < 1 || !Number.isInteger(bits)) return
  indexes.set(name, number)
  packets.set(name, (Number(taken) || 0) + (Number(sent) || 0))
  events.set(`link ${number}`, {
    kind: 'link',
    index: number,
    name,
    up: (bits & IFF_UP) !== 0 && state !== 'down' && state !== 'lowerlayerdown',
    loopback: (bits & IFF_LOOPBACK) !== 0,
    removed: false,
    ...(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(mac) && !NO_MAC.test(mac) ? { mac } : {}),
    ...(Number(master) > 0 ? { master: Number(master) } : {}),
    ...(kind === 'bridge' ? { linkKind: kind } : {}),
  })
}

function readPort(line: string, ports: Map<string, { switchId?: string; isRadio?: true }>): void {
  const words = line.split(' ')
  const [name = '', chip = '-', radio] = [words[0], words[10], words[11]]
  ports.set(name, {
    ...(/^[0-9a-f]{1,64}$/.test(chip) ? { switchId: chip } : {}),
    ...(radio === '1' ? { isRadio: true } : {}),
  })
}

interface Route {
  index: number
  /** As numbers, the first byte of the address the highest. */
  to: number
  mask: number
  via: number
  flags: number
}

interface Address {
  index: number
  ip: string
  prefixLength: number
}

/** /proc/net/route writes addresses as this machine's words: masks tell which end comes first, as their ones do. */
function routesOf(lines: readonly string[], indexes: ReadonlyMap<string, number>): Route[] {
  const rows = lines.slice(1).map((line) => line.trim().split(/\s+/))
  const masks = rows.map((row) => Number.parseInt(row[7] ?? '0', 16) >>> 0)
  const telling = masks.filter((mask) => mask !== 0 && mask !== 0xffffffff)
  const bigEndian = telling.length > 0 && telling.every((mask) => (~mask & (~mask + 1)) === 0)
  const word = (text: string | undefined): number => {
    const value = Number.parseInt(text ?? '', 16) >>> 0
    if (bigEndian) return value
    return Buffer.from([
      value & 255,
      (value >> 8) & 255,
      (value >> 16) & 255,
      value >>> 24,
    ]).readUInt32BE()
  }
  return rows.flatMap((row): Route[] => {
    const index = indexes.get(row[0] ?? '')
    if (index === undefined || row.length < 8) return []
    const flags = Number.parseInt(row[3] ?? '0', 16)
    return [{ index, to: word(row[1]), via: word(row[2]), mask: word(row[7]), flags }]
  })
}

function ipOf(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')
}

function wordOf(ip: string): number {
  return ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

function gateways4(routes: readonly Route[]): { index: number; ip: string }[] {
  return routes
    .filter((route) => route.to === 0 && route.mask === 0 && route.via !== 0)
    .filter((route) => (route.flags & RTF_GATEWAY) !== 0)
    .map(({ index, via }) => ({ index, ip: ipOf(via) }))
}

/** Which addresses are this machine's is in the trie, on which interface follows from the route of its network. */
function addressesInTrie(lines: readonly string[], routes: readonly Route[]): Address[] {
  const found = new Map<string, Address>()
  let ip = ''
  for (const line of lines) {
    const leaf = /\|-- ([\d.]+)/.exec(line)
    if (leaf !== null) ip = leaf[1] ?? ''
    if (!/\/32 host LOCAL/.test(line) || ip === '' || ip.startsWith('127.')) continue
    const value = wordOf(ip)
    const [narrow] = routes
      .filter(
        (route) => route.via === 0 && route.mask !== 0 && (value & route.mask) >>> 0 === route.to,
      )
      .sort((a, b) => b.mask - a.mask)
    // Of a point-to-point link there is no network: the address is this machine's all the same.
    const prefixLength = narrow === undefined ? 32 : ones(narrow.mask)
    found.set(ip, { index: narrow?.index ?? 0, ip, prefixLength })
  }
  return [...found.values()]
}

function ones(mask: number): number {
  return Math.clz32(~mask >>> 0)
}

/** Lines of `ip -o -4 addr show`: `2: eth0    inet 192.0.2.1/24 …`. */
function addressesOf(lines: readonly string[], indexes: ReadonlyMap<string, number>): Address[] {
  return lines.flatMap((line): Address[] => {
    const found = /^\d+:\s+([^\s:@]+)\S*\s+inet\s+([\d.]+)(?:\s+peer\s+[\d.]+)?\/(\d+)/.exec(line)
    const index = indexes.get(found?.[1] ?? '')
    const ip = found?.[2] ?? ''
    if (index === undefined || ip.startsWith('127.')) return []
    return [{ index, ip, prefixLength: Number(found?.[3]) }]
  })
}

function address6(hex: string): string {
  return formatIp(Buffer.from(hex, 'hex'), true)
}

/** Lines of /proc/net/if_inet6: address, index, prefix length, scope and flags in hexadecimal, and the name. */
function addresses6(lines: readonly string[]): Address[] {
  return lines.flatMap((line): Address[] => {
    const [ip = '', index = '', length = ''] = line.trim().split(/\s+/)
    if (!/^[0-9a-f]{32}$/.test(ip) || /^0{31}1$/.test(ip)) return []
    return [
      {
        index: Number.parseInt(index, 16),
        ip: address6(ip),
        prefixLength: Number.parseInt(length, 16),
      },
    ]
  })
}

/** Lines of /proc/net/ipv6_route: where to, from where, by whom, metric, two counts, flags, and the name. */
function gateways6(
  lines: readonly string[],
  indexes: ReadonlyMap<string, number>,
): { index: number; ip: string }[] {
  return lines.flatMap((line) => {
    const [to = '', length, , , via = '', , , , flags = '', name = ''] = line.trim().split(/\s+/)
    const bits = Number.parseInt(flags, 16)
    const index = indexes.get(name)
    if (index === undefined || !/^0{32}$/.test(to) || length !== '00') return []
    if (!/^[0-9a-f]{32}$/.test(via) || (bits & RTF_REJECT) !== 0) return []
    return (bits & RTF_UP) !== 0 && (bits & RTF_GATEWAY) !== 0 ? [{ index, ip: address6(via) }] : []
  })
}

type Neighbour = NetlinkEvent & { kind: 'neighbour' }

/** Lines of /proc/net/arp: address, type, flags (2: complete), MAC, mask, interface. Whether it answered lately is not told. */
function arpOf(lines: readonly string[], indexes: ReadonlyMap<string, number>): Neighbour[] {
  return lines.slice(1).flatMap((line): Neighbour[] => {
    const [ip = '', , flags = '', mac = '', , name = ''] = line.trim().split(/\s+/)
    const index = indexes.get(name)
    if (index === undefined || (Number(flags) & 2) === 0 || NO_MAC.test(mac)) return []
    const reachable = false
    return [{ kind: 'neighbour', index, ip, mac, reachable, router: false, removed: false }]
  })
}

/** Lines of `ip neigh show`: `192.0.2.11 dev br-lan lladdr 02:0d:e0:00:00:01 REACHABLE`. */
function neighboursOf(lines: readonly string[], indexes: ReadonlyMap<string, number>): Neighbour[] {
  return lines.flatMap((line): Neighbour[] => {
    const [ip = ''] = line.split(' ')
    const index = indexes.get(/ dev (\S+)/.exec(line)?.[1] ?? '')
    const mac = / lladdr ([0-9a-f:]{17})/.exec(line)?.[1]
    if (index === undefined || mac === undefined || / (?:FAILED|INCOMPLETE)\b/.test(line)) return []
    const reachable = / REACHABLE\b/.test(line)
    const router = / router\b/.test(line)
    return [{ kind: 'neighbour', index, ip, mac, reachable, router, removed: false }]
  })
}
