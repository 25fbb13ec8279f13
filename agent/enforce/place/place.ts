// Where this box stands, as far as its rules depend on it. Facts only: probed and followed elsewhere.

import type { Flowtable } from '../kernel/flowtables.ts'
import type { Machines } from './machines.ts'
import type { Shortcuts } from './port-facts.ts'

/** How packets are put to user space, where at all: nft's own `queue`, or the xt target through nft_compat. */
export type QueueWay = 'nft' | 'xt'

export interface Place {
  /** Routes between a LAN and an uplink, routes on one port, or bridges. */
  position: 'two_armed' | 'one_armed' | 'bridge'
  /** LAN interfaces: of a gateway those towards devices, of a bridge the bridges themselves. */
  interfaces: readonly string[]
  /** Ports of those interfaces that are bridges (a gateway's LAN is often one). */
  ports: readonly string[]
  /** Ways from port to port that do not come by here; absent: none is known. */
  shortcuts?: Shortcuts
  /** One-armed: also where the uplink is. */
  uplinks: readonly string[]
  /** Flowtables of others that take packets of those interfaces or ports; absent: none. */
  flowtables?: readonly Flowtable[]
  /** Prefixes of the home, CIDR. */
  lan: readonly string[]
  /** Addresses of this box. */
  own: readonly string[]
  /** MACs of this box's interfaces and of its default gateways: infrastructure, never unknown devices. */
  infrastructure: readonly string[]
  /** MACs of routers, those that were only heard to be some among them; absent: the infrastructure. */
  routers?: readonly string[]
  /** Every router of IPv6 is among them, as far as was heard: what goes to another MAC stays in the home. */
  knowsIpv6?: true
  /** Somebody there has an address of the IPv6 internet. */
  usesIpv6?: true
  /** Addresses of Home Assistant and of chosen controllers, not of this box. */
  controllers: readonly string[]
  /** Machines of the protected list; absent: none but those above. */
  machines?: Machines
  /** Resolvers of the internet that devices may ask which reach only what their names say. */
  resolvers?: readonly string[]
  features: {
    /** netdev egress hook (Linux 5.16). */
    egress: boolean
    /** Tables of family bridge. */
    bridge: boolean
    /** Conntrack in family bridge (nf_conntrack_bridge). */
    bridgeConntrack: boolean
    queue: QueueWay | undefined
    /** Sets of parts of a packet that no protocol names (nft 1.0.3): makes it cheaper not to be meant. */
    tails?: boolean
  }
  /** What passes a bridge of this box from port to port passes the inet hooks, and with them the queues. */
  bridgeNetfilter?: boolean
  /** Numbers of the queues, where there is a way to them. */
  queues: { dns: number; first: number }
  /** One-armed: source addresses are this box's own towards the uplink, so that answers come back here. */
  masquerade: boolean
}
