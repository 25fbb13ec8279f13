// Made-up boxes, told as netlink tells them.
import { Box } from '../../../agent/capture/box.ts'
import type { NetlinkEvent, VlanTag } from '../../../native/index.ts'

export interface LinkOf {
  name: string
  index: number
  /** Addresses as CIDR. */
  ips?: string[]
  /** Default gateways over this link. */
  gateways?: string[]
  /** Neighbours by address. */
  neighbours?: Record<string, string>
  kind?: string
  master?: number
  up?: boolean
  loopback?: boolean
  /** Default: one made of the index. */
  mac?: string | null
  /** Of a VLAN: the link that its frames go through, and their tag. */
  parent?: number
  vlan?: VlanTag
}

export function macOf(index: number): string {
  return `02:00:00:00:01:${index.toString(16).padStart(2, '0')}`
}

/** What netlink tells of a link, in the kernel's order; gateways come by themselves. */
export function eventsOf(link: LinkOf): NetlinkEvent[] {
  const { index, name, ips = [], neighbours = {} } = link
  const mac = link.mac === undefined ? macOf(index) : link.mac
  return [
    {
      kind: 'link',
      index,
      name,
      up: link.up ?? true,
      loopback: link.loopback ?? false,
      removed: false,
      ...(mac === null ? {} : { mac }),
      ...(link.master === undefined ? {} : { master: link.master }),
      ...(link.kind === undefined ? {} : { linkKind: link.kind }),
      ...(link.parent === undefined ? {} : { parent: link.parent }),
      ...(link.vlan === undefined ? {} : { vlan: link.vlan }),
    },
    ...ips.map((text): NetlinkEvent => {
      const [ip = '', length] = text.split('/')
      return { kind: 'address', index, ip, prefixLength: Number(length), removed: false }
    }),
    ...Object.entries(neighbours).map(([ip, of]): NetlinkEvent => neighbour(index, ip, of)),
  ]
}

/** The default routes of all these links. */
export function gatewaysOf(...links: readonly LinkOf[]): NetlinkEvent {
  const gateways = links.flatMap(({ index, gateways = [] }) =>
    gateways.map((ip) => ({ index, ip })),
  )
  return { kind: 'gateways', gateways }
}

export function neighbour(index: number, ip: string, mac?: string, removed = false): NetlinkEvent {
  return {
    kind: 'neighbour',
    index,
    ip,
    reachable: true,
    router: false,
    removed,
    ...(mac === undefined ? {} : { mac }),
  }
}

const LOOPBACK: LinkOf = {
  name: 'lo',
  index: 1,
  ips: ['127.0.0.1/8', '::1/128'],
  loopback: true,
  mac: null,
}

export function allEvents(...links: readonly LinkOf[]): NetlinkEvent[] {
  return [...[LOOPBACK, ...links].flatMap(eventsOf), gatewaysOf(...links), { kind: 'synchronised' }]
}

export function boxOf(...links: readonly LinkOf[]): Box {
  const box = new Box()
  for (const event of allEvents(...links)) box.apply(event)
  return box
}

export const UPSTREAM = '02:00:00:00:00:fe'

/** A router with two LANs, a container engine and a tunnel. */
export const ROUTER_BOX: LinkOf[] = [
  {
    name: 'eth0',
    index: 2,
    ips: ['203.0.113.5/24'],
    gateways: ['203.0.113.1'],
    neighbours: { '203.0.113.1': UPSTREAM },
  },
  { name: 'eth1', index: 3, ips: ['192.0.2.1/24', '2001:db8:1::1/64', 'fe80::1/64'] },
  { name: 'eth2', index: 4, ips: ['198.51.100.1/25'] },
  { name: 'eth3', index: 5, up: false, ips: ['10.9.9.1/24'] },
  { name: 'docker0', index: 6, ips: ['172.17.0.1/16'], kind: 'bridge' },
  { name: 'br-0123456789ab', index: 7, ips: ['172.18.0.1/16'], kind: 'bridge' },
  { name: 'veth1a2b', index: 8, master: 6, kind: 'veth' },
  { name: 'wg0', index: 9, ips: ['10.8.0.1/24'], mac: null },
  { name: 'eth4', index: 10, ips: ['fe80::4/64'] },
]

/** One port in the home, with the home's router as gateway. */
export const HOST_BOX: LinkOf[] = [
  {
    name: 'eth0',
    index: 2,
    ips: ['192.0.2.9/24', '2001:db8:1::9/64', 'fe80::9/64'],
    gateways: ['192.0.2.1'],
    neighbours: { '192.0.2.1': UPSTREAM },
  },
  { name: 'docker0', index: 6, ips: ['172.17.0.1/16'], kind: 'bridge' },
]

/** A bridge with two ports, and its own way to the internet over it. */
export const BRIDGE_BOX: LinkOf[] = [
  {
    name: 'br0',
    index: 2,
    ips: ['192.0.2.2/24'],
    gateways: ['192.0.2.1'],
    neighbours: { '192.0.2.1': UPSTREAM },
    kind: 'bridge',
  },
  { name: 'eth0', index: 3, master: 2 },
  { name: 'eth1', index: 4, master: 2 },
  { name: 'eth2', index: 5, ips: ['198.51.100.2/24'] },
  { name: 'docker0', index: 6, ips: ['172.17.0.1/16'], kind: 'bridge' },
  { name: 'veth1a2b', index: 8, master: 6, kind: 'veth' },
]
