// What can be enforced here, each with its reason: for `info`, for doctor and for refusals.
import type { Capability } from '../../../protocol/messages.ts'
import type { KernelProbes, Probe } from '../kernel/kernel.ts'
import type { Ruleset } from '../reconcile/reconciler-ruleset.ts'
import { offloadCapability } from './offload.ts'
import type { Standing } from './standing.ts'

function of(probe: Probe, works: string, fails: string): Capability {
  return probe.works ? { ok: true, reason: works } : { ok: false, reason: probe.reason ?? fails }
}

/** Why nothing can be enforced: a sentence, and whether that is over by itself (`Capability.passing`). */
export interface Trouble {
  reason: string
  passing?: true
}

/** Of what is over by itself; undefined: nothing is the matter. */
export function passing(reason: string | undefined): Trouble | undefined {
  return reason === undefined ? undefined : { reason, passing: true }
}

/** A kernel that refuses at the start is not asked again; a router that is away is. */
export function troubleOf(error: unknown): Trouble {
  const reason = (error as Error).message
  return (error as { code?: unknown }).code === 'AWAY' ? { reason, passing: true } : { reason }
}

function none(trouble: Trouble): Record<string, Capability> {
  return { enforce: { ok: false, ...trouble }, levels: { ok: false, ...trouble, values: [] } }
}

/** `problem`: why the kernel takes nothing at the moment. */
export function capabilitiesOf(
  standing: Standing | undefined,
  probes: KernelProbes | undefined,
  problem: Trouble | undefined,
  ruleset: Ruleset,
): Record<string, Capability> {
  if (problem !== undefined) return none(problem)
  if (standing === undefined || probes === undefined) {
    return none({
      reason: 'It is not known yet where this box stands in the network.',
      passing: true,
    })
  }
  if (standing.place === undefined) {
    const { reason, passing } = standing
    return none({ reason, ...(passing && { passing }) })
  }
  const { place } = standing
  const levels = ruleset.levels(place)
  const bare = [...probes.egress].filter(([, probe]) => !probe.works)
  const egress = place.features.egress
    ? { ok: true, reason: 'What goes to a device is stopped by its MAC (netdev egress).' }
    : {
        ok: false,
        reason: `What goes to a device is stopped by its addresses only: ${bare[0]?.[1].reason ?? 'no netdev egress hook (Linux 5.16)'}`,
      }
  const queues = probes.queue.inet
  const way = place.features.queue
  const offload = offloadCapability(place)
  return {
    enforce: {
      ok: true,
      reason: `nftables, as ${place.position.replace('_', '-')} ${place.position === 'bridge' ? '' : 'gateway '}on ${place.interfaces.join(', ')}`,
    },
    levels: { ok: levels.values.length > 0, reason: levels.reason, values: [...levels.values] },
    egress,
    ...(offload === undefined ? {} : { offload }),
    bridge: of(
      probes.bridge,
      'Tables of family bridge work.',
      'The kernel has no tables of family bridge.',
    ),
    queue:
      way === undefined
        ? {
            ok: false,
            reason: queues.nft.reason ?? 'The kernel has neither nft queue nor the xt target.',
          }
        : {
            ok: true,
            reason: `NFQUEUE by ${way === 'nft' ? "nft's queue statement" : 'the xt target'}.`,
            values: [way],
          },
  }
}
