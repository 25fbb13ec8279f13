// The enforcement of this box, put together as the configuration says.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Connection } from '../../protocol/act.ts'
import type { Addon } from '../addon.ts'
import type { LiveCapture } from '../capture/live.ts'
import { bootMs } from '../clock.ts'
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'
import { BOOT_RULES } from '../paths.ts'
import { KernelEnforcement } from './enforcement.ts'
import { DnsGating } from './gate/dns-gate.ts'
import { FirstPacketDesk } from './gate/first-packets.ts'
import { PUBLIC_RESOLVERS } from './gate/public-resolvers.ts'
import { DockerUser } from './kernel/docker-user.ts'
import { LocalKernel } from './kernel/local-kernel.ts'
import { BrokerAddresses } from './place/broker-addresses.ts'
import { readPortFacts } from './place/port-facts.ts'
import { BootFile } from './reconcile/boot-file.ts'
import { homespinTables } from './reconcile/reconciler-tables.ts'

/** Numbers of NFQUEUE: high, as others begin at 0. */
const QUEUES = { dns: 4280, first: 4281 }

/** Of both versions of IP; not there without the module br_netfilter. */
async function bridgeNetfilter(): Promise<boolean> {
  const files = ['iptables', 'ip6tables'].map(
    (name) => `/proc/sys/net/bridge/bridge-nf-call-${name}`,
  )
  const found = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '0')))
  return found.every((text) => text.trim() === '1')
}

export interface KernelParts {
  config: Pick<Config, 'admin_addresses' | 'broker' | 'data' | 'enforce'>
  addon: Addon
  live: Pick<LiveCapture, 'box' | 'plan'>
  /** Begins the ids of this run. */
  run: string
  /** What a device calls a remote. */
  nameOf: (deviceId: string, ip: string) => string | undefined
  /** Whether an address is of the home. */
  isLocal: (ip: string) => boolean
  /** A first packet waits for a verdict. */
  onConnection: (connection: Connection) => void
  log: Log
}

/** What acts on the kernel of this box. */
export interface KernelRoom {
  enforcement: KernelEnforcement
  /** Absent on a router by SSH. */
  first?: FirstPacketDesk
  gate?: DnsGating
}

export function kernelRoom(parts: KernelParts): KernelRoom {
  const { config, addon, live, run, nameOf, isLocal, onConnection, log } = parts
  const { controllers, masquerade, resolvers, local_names, verdict_default, verdict_deadline_ms } =
    config.enforce
  const broker = new BrokerAddresses(config.broker)
  const gate = new DnsGating({ gate: addon.createDnsGate, sets: homespinTables.sets, log })
  const first = new FirstPacketDesk(
    { otherwise: verdict_default, deadlineMs: verdict_deadline_ms },
    { packets: addon.createFirstPackets, onConnection, nameOf, isLocal, run, log },
  )
  const kernel = new LocalKernel(addon, 'nft', () => [gate.port()])
  const enforcement = new KernelEnforcement(
    {
      brokers: [],
      homeAssistant: controllers,
      admin: config.admin_addresses,
      masquerade,
      queues: QUEUES,
    },
    {
      kernel,
      ruleset: homespinTables,
      box: live.box,
      plan: () => live.plan,
      bridgeNetfilter,
      portFacts: (names) => readPortFacts(names),
      resolvConf: () => readFile('/etc/resolv.conf', 'utf8').catch(() => undefined),
      brokers: () => broker.current(),
      door: new DockerUser(),
      gate,
      first,
      kept: new BootFile({
        path: join(config.data, BOOT_RULES),
        ruleset: homespinTables,
        elements: (set) => kernel.elements(set),
        bootMs,
        log,
      }),
      resolvers: [...PUBLIC_RESOLVERS, ...resolvers],
      localNames: local_names,
      bootMs,
      log,
    },
  )
  return { enforcement, first, gate }
}
