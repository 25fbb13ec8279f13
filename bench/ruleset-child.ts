// Our own tables in a namespace, for the benchmark: `node ruleset-child.ts asked|free|blocks COUNT MAC LAN UPLINK`. So many devices are
// held, and one that asks before connections: the one with this MAC, or another; or so many addresses are blocked for that with
// this MAC. Everything else is accepted. Says `ready`.
import { addon } from '../agent/addon.ts'
import { bootMs } from '../agent/clock.ts'
import { DnsGating } from '../agent/enforce/gate/dns-gate.ts'
import { FirstPacketDesk } from '../agent/enforce/gate/first-packets.ts'
import { LocalKernel } from '../agent/enforce/kernel/local-kernel.ts'
import type { Place } from '../agent/enforce/place/place.ts'
import { homespinTables } from '../agent/enforce/reconcile/reconciler-tables.ts'
import { createLog } from '../agent/log.ts'
import type { Desired, DesiredDevice } from '../agent/policy/desired.ts'
import { NOTHING } from '../agent/policy/desired.ts'

const [way, count, mac = '', lan = '', uplink = ''] = process.argv.slice(2)
const log = createLog('warn')

function device(i: number): DesiredDevice {
  // None ends like the device that is measured: of two that do one is looked up once more.
  const tail = (i + 16).toString(16).padStart(6, '0').match(/../g)?.join(':')
  const id = `020de1${tail?.replaceAll(':', '')}`
  const level = { level: 'full', ruleId: `r${i}` } as const
  return { deviceId: id, mac: `02:0d:e1:${tail}`, ips: [], level, restrictions: {}, matches: [] }
}

const asked: DesiredDevice = {
  deviceId: '020de0000001',
  mac: way === 'asked' ? mac : '02:0d:e0:00:00:77',
  ips: [],
  restrictions: { ask: { ruleId: 'ask' } },
  matches: [],
}
const numbers = Array.from({ length: Number(count) }, (_, i) => i)
const blocking: DesiredDevice = {
  ...{ deviceId: '020de0000001', mac, ips: [], restrictions: {} },
  matches: numbers.map((i) => ({
    ...{ ruleId: `b${i}`, action: 'block' },
    prefix: `10.0.${i >> 8}.${i & 255}/32`,
  })),
}
const desired: Desired = {
  ...NOTHING,
  devices: way === 'blocks' ? [blocking] : [asked, ...numbers.map(device)],
}

const kernel = new LocalKernel(addon)
await kernel.start()
const { queue, egress, tails } = await kernel.probe([lan])
const place: Place = {
  position: 'two_armed',
  interfaces: [lan],
  ports: [],
  uplinks: [uplink],
  lan: ['192.0.2.0/24'],
  own: ['192.0.2.1', '198.51.100.1'],
  infrastructure: [],
  controllers: [],
  features: {
    egress: egress.get(lan)?.works ?? false,
    bridge: false,
    bridgeConntrack: false,
    queue: queue.inet.nft.works ? 'nft' : 'xt',
    tails: tails?.works === true,
  },
  queues: { dns: 4, first: 5 },
  masquerade: false,
}
const gating = new DnsGating({ gate: addon.createDnsGate, sets: homespinTables.sets, log })
const desk: FirstPacketDesk = new FirstPacketDesk(
  { otherwise: 'accept', deadlineMs: 200 },
  {
    packets: addon.createFirstPackets,
    onConnection: ({ id }) => desk.verdict(id, true),
    nameOf: () => undefined,
    isLocal: () => false,
    run: 'bench',
    log,
  },
)
gating.start(place)
desk.start(place)
gating.apply(desired, { protect: [], resolvers: [], local: [] })
desk.apply(desired)
const elements = homespinTables.elements(desired, place)
const needs = homespinTables.needs(elements)
await kernel.replace(homespinTables.text(place, elements, bootMs(), needs))
await kernel.addQueueRules(homespinTables.queueRules(place))
gating.restore()
process.on('SIGTERM', () => process.exit(0))
process.stdout.write('ready\n')
