// The enforcement on a router, over the one SSH connection to it: its kernel, its place in the home, and what of it may never
// be shut off, this agent's own way to it above all.
import { networkInterfaces } from 'node:os'
import type { Capability } from '../../protocol/messages.ts'
import type { RemoteCapture } from '../capture/remote-capture.ts'
import type { RouterConnection } from '../capture/remote-connection.ts'
import { bootMs } from '../clock.ts'
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'
import { KernelEnforcement } from './enforcement.ts'
import type { KernelRoom } from './from-config.ts'
import { PUBLIC_RESOLVERS } from './gate/public-resolvers.ts'
import { RemoteKernel } from './kernel/remote-kernel.ts'
import { BrokerAddresses } from './place/broker-addresses.ts'
import { homespinTables } from './reconcile/reconciler-tables.ts'

const OVER_SSH =
  'Packets of a router are not put to user space over SSH: run the agent on the router itself for that.'

/** What needs each packet to wait for this process. */
const MISSING: Record<string, Capability> = {
  dns_gate: { ok: false, reason: `Names can't be blocked as such. ${OVER_SSH}` },
  first_packets: { ok: false, reason: `Nobody can be asked before a connection. ${OVER_SSH}` },
}

export interface RemoteRoomParts {
  config: Pick<Config, 'admin_addresses' | 'broker' | 'enforce'>
  remote: RemoteCapture
  connection: RouterConnection
  log: Log
}

export function remoteRoom(parts: RemoteRoomParts): KernelRoom {
  const { config, remote, connection, log } = parts
  const { controllers, masquerade, resolvers } = config.enforce
  const broker = new BrokerAddresses(config.broker)
  const enforcement = new KernelEnforcement(
    {
      brokers: [],
      homeAssistant: controllers,
      admin: config.admin_addresses,
      masquerade,
      queues: { dns: 0, first: 0 },
    },
    {
      kernel: new RemoteKernel(connection.target, log, connection),
      ruleset: homespinTables,
      box: remote.box,
      plan: () => remote.plan,
      resolvConf: () => Promise.resolve(remote.resolvConf),
      brokers: () => broker.current(),
      agents: () => agentAddresses(connection),
      portFacts: () => Promise.resolve(remote.ports),
      missing: MISSING,
      resolvers: [...PUBLIC_RESOLVERS, ...resolvers],
      bootMs,
      log,
    },
  )
  return { enforcement }
}

/** Where this agent is: as the router sees it, and as it sees itself. */
function agentAddresses({ ends }: RouterConnection): string[] {
  const own = Object.values(networkInterfaces())
    .flat()
    .flatMap((each) =>
      each === undefined || each.internal ? [] : [each.address.replace(/%.*$/, '')],
    )
    .filter((ip) => !ip.startsWith('fe80:'))
  return [...new Set([...(ends === undefined ? [] : [ends.client.ip]), ...own])]
}
