// What doctor tries of this machine's nftables: whatever holds devices, by the same trials that the agent makes at its start.
import type { Addon } from '../addon.ts'
import type { Flowtable } from '../enforce/kernel/flowtables.ts'
import type { KernelProbes, Probe } from '../enforce/kernel/kernel.ts'
import { LocalKernel } from '../enforce/kernel/local-kernel.ts'
import type { Finding } from './finding.ts'

type Found = Omit<Finding, 'type'>

/** Nothing of what is tried stays. `interfaces`: those towards devices. */
export async function tryKernel(addon: Addon, interfaces: readonly string[]): Promise<Found[]> {
  const what = 'nftables'
  const kernel = new LocalKernel(addon)
  try {
    await kernel.start()
    const isThere = (name: string): boolean => addon.tryInterface(name) !== absence(name)
    const probes = await kernel.probe(interfaces.filter(isThere))
    const flowtables = await kernel.flowtables()
    return [
      { what, state: 'ok', reason: 'tables can be made: what passes this machine can be blocked' },
      ...egressFindings(probes),
      ...interfaces.filter((name) => !isThere(name)).map(absentFinding),
      queueFinding(probes.queue.inet),
      bridgeFinding(probes),
      ...flowtables.map(offloadFinding),
    ]
  } catch (error) {
    const reason = `${(error as Error).message}; without it Homespin sees and warns, and blocks nothing`
    return [{ what, state: 'note', reason }]
  } finally {
    await kernel.stop()
  }
}

/** What native says of an interface that is not there. */
function absence(name: string): string {
  return `there is no interface ${name}`
}

/** The kernel takes a chain for an interface that is yet to come: that it does tells nothing of the interface. */
function absentFinding(name: string): Found {
  const reason = `${absence(name)}, so it was not tried`
  return { what: `netdev egress on ${name}`, state: 'note', reason }
}

function egressFindings({ egress }: KernelProbes): Found[] {
  return [...egress].map(([name, { works, reason }]) => {
    const what = `netdev egress on ${name}`
    return works
      ? { what, state: 'ok', reason: 'what goes to a device is stopped by its MAC' }
      : {
          what,
          state: 'note',
          reason: `${reason}; what goes to a device is stopped by its known addresses only`,
        }
  })
}

/** What carries connections that run past the rules of everybody. */
export function offloadFinding({ name, devices, hardware }: Flowtable): Found {
  const what = `flow offloading (flowtable ${name} on ${devices.join(', ')})`
  return hardware
    ? {
        what,
        state: 'note',
        reason:
          'the network chip carries connections that run: what is ordered holds for new ones. Turn off hardware flow offloading (OpenWrt: flow_offloading_hw)',
      }
    : { what, state: 'ok', reason: 'devices are held before it' }
}

/** Which of the two ways the agent takes: nft's own where there is one. */
function queueFinding({ nft, xt }: Readonly<Record<'nft' | 'xt', Probe>>): Found {
  const what = 'queue (NFQUEUE)'
  if (nft.works) return { what, state: 'ok', reason: "by nft's queue statement" }
  if (xt.works) return { what, state: 'ok', reason: `by the xt target, as ${nft.reason}` }
  return {
    what,
    state: 'note',
    reason: `${nft.reason}, and ${xt.reason}: no rules on names, and nothing is asked before a connection`,
  }
}

function bridgeFinding({ bridge, queue }: KernelProbes): Found {
  const what = 'bridges'
  if (!bridge.works) return { what, state: 'note', reason: bridge.reason ?? 'no tables' }
  if (queue.bridge.nft.works || queue.bridge.xt.works)
    return { what, state: 'ok', reason: 'frames from port to port can be blocked, and queued' }
  return {
    what,
    state: 'note',
    reason: `frames from port to port can be blocked but not queued (${queue.bridge.nft.reason}): rules on names and first packets hold there only with br_netfilter`,
  }
}
