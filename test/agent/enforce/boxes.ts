// Pictures of a box as netlink tells them, for tests without a kernel.
import { Box } from '../../../agent/capture/box.ts'
import type { Plan } from '../../../agent/capture/plan.ts'
import { planCapture } from '../../../agent/capture/plan.ts'
import type { KernelProbes } from '../../../agent/enforce/kernel/kernel.ts'

export const LAN_MAC = '02:0d:e0:ff:00:01'
export const GATEWAY4 = { ip: '198.51.100.1', mac: '02:0d:e0:ff:00:02' }
export const GATEWAY6 = { ip: 'fe80::1', mac: '02:0d:e0:ff:00:02' }

/** A router: br-lan with ports lan1 and lan2, and wan0. */
export function routerBox(): Box {
  const box = new Box()
  const link = { up: true, loopback: false, removed: false, kind: 'link' as const }
  box.apply({ ...link, index: 1, name: 'lo', loopback: true })
  box.apply({ ...link, index: 2, name: 'br-lan', mac: LAN_MAC, linkKind: 'bridge' })
  box.apply({ ...link, index: 3, name: 'lan1', mac: LAN_MAC, master: 2 })
  box.apply({ ...link, index: 4, name: 'lan2', mac: '02:0d:e0:ff:00:04', master: 2 })
  box.apply({ ...link, index: 5, name: 'wan0', mac: '02:0d:e0:ff:00:05' })
  const address = { kind: 'address' as const, removed: false }
  box.apply({ ...address, index: 2, ip: '192.0.2.1', prefixLength: 24 })
  box.apply({ ...address, index: 2, ip: '2001:db8:1::1', prefixLength: 64 })
  box.apply({ ...address, index: 5, ip: '198.51.100.2', prefixLength: 24 })
  setGateway(box, 5, GATEWAY4)
  setGateway(box, 5, GATEWAY6)
  box.apply({ kind: 'synchronised' })
  return box
}

/** A default route, with the MAC that the kernel knows for it. */
export function setGateway(
  box: Box,
  index: number,
  { ip, mac }: { ip: string; mac: string },
): void {
  box.apply({ kind: 'gateways', gateways: [...box.gateways, { index, ip }] })
  box.apply({ kind: 'neighbour', index, ip, mac, reachable: true, router: false, removed: false })
}

export function gatewayPlan(box: Box, interfaces: readonly string[] = ['br-lan']): Plan {
  return planCapture(
    { mode: 'gateway', interfaces, lan: [], promiscuous: false, forwards: true },
    box,
  )
}

/** A kernel that can do everything but what is named. */
export function probesOf(interfaces: readonly string[], without: 'egress' | '' = ''): KernelProbes {
  const works = { works: true }
  const not = { works: false, reason: 'not in this test' }
  return {
    tables: works,
    bridge: works,
    bridgeConntrack: not,
    egress: new Map(interfaces.map((name) => [name, without === 'egress' ? not : works])),
    queue: { inet: { nft: works, xt: not }, bridge: { nft: works, xt: not } },
  }
}
