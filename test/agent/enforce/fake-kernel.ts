// A kernel that takes everything and forgets nothing but what it is told to, and an enforcement on it, for tests without root.

import type { EnforcementParts } from '../../../agent/enforce/enforcement.ts'
import { KernelEnforcement } from '../../../agent/enforce/enforcement.ts'
import type { Flowtable } from '../../../agent/enforce/kernel/flowtables.ts'
import type {
  ElementNow,
  Kernel,
  KernelProbes,
  TableId,
} from '../../../agent/enforce/kernel/kernel.ts'
import { homespinTables } from '../../../agent/enforce/reconcile/reconciler-tables.ts'
import { createLog } from '../../../agent/log.ts'
import { gatewayPlan, probesOf, routerBox } from './boxes.ts'

export class FakeKernel implements Kernel {
  away: string | undefined
  onAway: Kernel['onAway'] = () => {}
  onForeignChange: Kernel['onForeignChange'] = () => {}
  /** Texts that it took, the oldest first. */
  readonly texts: string[] = []
  /** What `start` rejects with. */
  startsWith: Error | undefined
  probes: KernelProbes | undefined
  /** Flowtables of others. */
  found: readonly Flowtable[] = []

  async start(): Promise<void> {
    if (this.startsWith !== undefined) throw this.startsWith
  }
  async stop(): Promise<void> {}
  async replace(text: string): Promise<void> {
    this.texts.push(text)
  }
  async change(): Promise<void> {}
  async addQueueRules(): Promise<void> {}
  async elements(): Promise<ReadonlyMap<string, ElementNow>> {
    return new Map()
  }
  async shapes(): Promise<ReadonlyMap<TableId, string>> {
    return new Map()
  }
  async probe(interfaces: readonly string[]): Promise<KernelProbes> {
    return this.probes ?? probesOf(interfaces)
  }

  async flowtables(): Promise<readonly Flowtable[]> {
    return this.found
  }

  /** The connection to it goes or comes. */
  goes(away: string | undefined): void {
    this.away = away
    this.onAway(away)
  }
}

/** An enforcement on a router between br-lan and wan0. */
export function enforcementOn(
  kernel: FakeKernel,
  parts: Partial<EnforcementParts> = {},
): KernelEnforcement {
  const box = routerBox()
  const options = { brokers: [], homeAssistant: [], admin: [], masquerade: false }
  return new KernelEnforcement(
    { ...options, queues: { dns: 1, first: 2 } },
    {
      kernel,
      ruleset: homespinTables,
      box,
      plan: () => gatewayPlan(box),
      resolvConf: async () => '',
      bootMs: () => performance.now(),
      log: createLog('error'),
      ...parts,
    },
  )
}
