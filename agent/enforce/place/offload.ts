// What flow offloading means here: a flowtable takes packets of connections that run past every chain behind it. Chains of netdev
// ingress stand before it, except where the network chip forwards by itself.
import type { Capability } from '../../../protocol/messages.ts'
import type { DesiredDevice } from '../../policy/desired.ts'
import type { Place } from './place.ts'

/** Why connections that run are not cut; undefined: they are. */
function pastAll({ flowtables = [], features }: Place): string | undefined {
  const hardware = flowtables.find((table) => table.hardware)
  if (hardware !== undefined)
    return `the network chip carries them past this box (flowtable ${hardware.name}, flags offload): turn off hardware flow offloading`
  if (flowtables.length > 0 && !features.egress)
    return `flowtable ${flowtables[0]?.name} carries them past its rules, and the kernel has no netdev egress hook (Linux 5.16): turn off flow offloading`
  return undefined
}

/** Undefined where there is no flow offloading. */
export function offloadCapability(place: Place): Capability | undefined {
  const { flowtables = [] } = place
  if (flowtables.length === 0) return undefined
  const names = flowtables.map(({ name }) => name).join(', ')
  const why = pastAll(place)
  return why === undefined
    ? {
        ok: true,
        reason: `Flow offloading (flowtable ${names}): devices are held before it. Allow lists and connections without names hold for those that begin.`,
      }
    : { ok: false, reason: `Connections that run when something is ordered go on: ${why}.` }
}

/** What of a device's orders connections that run escape. */
export function offloadUncovered(place: Place, { restrictions }: DesiredDevice): string[] {
  const { flowtables = [] } = place
  if (flowtables.length === 0) return []
  const why = pastAll(place)
  if (why !== undefined) return [`Connections that run already go on: ${why}.`]
  const lists = restrictions.allow_list ?? restrictions.no_dns_no_connect
  return lists === undefined
    ? []
    : [`Connections that run already go on, as flowtable ${flowtables[0]?.name} carries them.`]
}
