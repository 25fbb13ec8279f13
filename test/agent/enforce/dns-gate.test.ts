import assert from 'node:assert/strict'
import { DnsGating } from '../../../agent/enforce/gate/dns-gate.ts'
import { dnsPolicyOf, gateSets } from '../../../agent/enforce/gate/dns-policy.ts'
import type { Whose } from '../../../agent/enforce/gate/narrowing.ts'
import type { Place } from '../../../agent/enforce/place/place.ts'
import { setsOf } from '../../../agent/enforce/tables/ruleset-sets.ts'
import { createLog } from '../../../agent/log.ts'
import type { Desired, DesiredDevice } from '../../../agent/policy/desired.ts'
import { NOTHING } from '../../../agent/policy/desired.ts'
import type {
  DnsGateOptions,
  DnsPolicy,
  GateEvents,
  HeardAddresses,
} from '../../../native/dns-gate.ts'

const MAC = '02:0d:e0:00:00:01'
const around = { protect: ['192.0.2.1'], resolvers: ['192.0.2.1'], local: ['house.example'] }
const device: DesiredDevice = {
  deviceId: '020de0000001',
  mac: MAC,
  ips: ['192.0.2.11'],
  restrictions: {},
  matches: [
    { ruleId: 'b', action: 'block', domain: 'ads.example' },
    { ruleId: 'bb', action: 'block', domain: 'deep.ads.example' },
    { ruleId: 'p', action: 'block', prefix: '203.0.113.0/24' },
  ],
}
const place: Place = {
  position: 'two_armed',
  interfaces: ['lan0'],
  ports: [],
  uplinks: ['wan0'],
  lan: ['192.0.2.0/24'],
  own: ['192.0.2.1'],
  infrastructure: [],
  controllers: [],
  features: { egress: true, bridge: false, bridgeConntrack: false, queue: 'xt' },
  queues: { dns: 5, first: 6 },
  masquerade: false,
}

class Thread {
  readonly options: DnsGateOptions
  policies: DnsPolicy[] = []
  stopped = false
  tell: (events: GateEvents) => void = () => {}

  constructor(options: DnsGateOptions) {
    this.options = options
  }
  start(tell: (events: GateEvents) => void): void {
    if (this.options.queue === 13) throw new Error('queue 13 is served by another program')
    this.tell = tell
  }
  stop(): void {
    this.stopped = true
  }
  setPolicy(policy: DnsPolicy): void {
    this.policies.push(policy)
  }
  heard: HeardAddresses[] = []
  hear(heard: readonly HeardAddresses[]): void {
    this.heard.push(...heard)
  }
  taken: (readonly string[])[] = []
  takeMarks(_: number, keep: readonly string[]): void {
    this.taken.push(keep)
  }
  restore(): void {}
  serve(): void {}
  elements(): never[] {
    return []
  }
  port(): number {
    return 7
  }
  counters(): never {
    throw new Error('not asked for')
  }
}

describe('what the DNS gate is told', () => {
  it('is nothing where nothing is ordered about names', () => {
    assert.equal(dnsPolicyOf(NOTHING, around), undefined)
    const full = { level: { level: 'full', ruleId: 'x' } } as const
    const quiet = { ...device, matches: device.matches.slice(2), ...full }
    assert.equal(dnsPolicyOf({ ...NOTHING, devices: [quiet] }, around), undefined)
  })

  it('is what names each device may have', () => {
    const policy = dnsPolicyOf({ ...NOTHING, devices: [device] }, around)
    assert.deepEqual(policy?.devices, [
      {
        mac: MAC,
        ips: ['192.0.2.11'],
        block: [['ads.example', 'deep.ads.example']],
        allow: [],
        allowList: false,
        localOnly: false,
        noDnsNoConnect: false,
        canary: false,
      },
    ])
    assert.equal(policy.otherwise, undefined)
    assert.ok(policy.local.includes('house.example') && policy.local.includes('lan'))
    const restrictions = {
      allow_list: { ruleId: 'r' },
      no_dns_no_connect: { ruleId: 'r' },
      no_encrypted_dns: { ruleId: 'r' },
    }
    const [held] =
      dnsPolicyOf({ ...NOTHING, devices: [{ ...device, restrictions }] }, around)?.devices ?? []
    assert.deepEqual([held?.allowList, held?.noDnsNoConnect, held?.canary], [true, true, true])
  })

  it('tells known devices from strangers who may have local names alone', () => {
    const unknown = {
      level: { level: 'local_only', ruleId: 'u' },
      free: ['020de0000002', '02:0d:e0:00:00:03', '0123456789abcdef'],
    } as const
    const policy = dnsPolicyOf({ ...NOTHING, unknown }, around)
    assert.deepEqual(
      policy?.devices.map(({ mac, localOnly }) => [mac, localOnly]),
      [
        ['02:0d:e0:00:00:02', false],
        ['02:0d:e0:00:00:03', false],
      ],
    )
    assert.equal(policy?.otherwise?.localOnly, true)
  })

  it('names the sets that it fills', () => {
    const sets = gateSets(setsOf(place))
    const named = sets.map(({ family, set }) => `${family} ${set}`).sort()
    const each = (family: string, names: string[]): string[] =>
      names.flatMap((name) => [`${family} ${name}4`, `${family} ${name}6`])
    const both = ['dns_allow', 'dns_block'].flatMap((set) => [set, `${set}_all`, `${set}_ip`])
    const resolved = ['resolved', 'resolved_ip']
    assert.deepEqual(
      named,
      [...each('inet', [...both, ...resolved]), ...each('netdev', both)].sort(),
    )
    const all = sets.find(({ family, set }) => family === 'inet' && set === 'dns_block_all6')
    assert.deepEqual([all?.kind, all?.key, all?.ipv6], ['block', 'none', true])
  })
})

describe('DNS gating', () => {
  const log = createLog('error', () => {})
  function gating(): { gating: DnsGating; threads: Thread[] } {
    const threads: Thread[] = []
    const gate = (options: DnsGateOptions): Thread => {
      const thread = new Thread(options)
      threads.push(thread)
      return thread
    }
    return { gating: new DnsGating({ gate, sets: setsOf, log }), threads }
  }

  it('serves the queue of its place, anew where the place differs', () => {
    const { gating: desk, threads } = gating()
    assert.equal(desk.capability().ok, false)
    desk.start(place)
    desk.start({ ...place, own: [] })
    assert.equal(threads.length, 1)
    assert.equal(threads[0]?.options.queue, 5)
    assert.equal(desk.capability().ok, true)
    desk.start({ ...place, features: { ...place.features, egress: false } })
    assert.equal(threads.length, 2)
    assert.equal(threads[0]?.stopped, true)
    desk.start({ ...place, features: { ...place.features, queue: undefined } })
    assert.match(desk.capability().reason, /NFQUEUE/)
    desk.start({ ...place, queues: { dns: 13, first: 6 } })
    assert.match(desk.capability().reason, /served by another program/)
    desk.stop()
    assert.equal(desk.port(), 0)
  })

  it('believes about others only resolvers that are believed, and nobody who poses as one', async () => {
    const ROUTER = '02:0d:e0:ff:00:01'
    const { gating: desk, threads } = gating()
    const known = { ...around, resolvers: ['192.0.2.1', '192.0.2.53', '198.51.100.53'] }
    const desired: Desired = { ...NOTHING, devices: [device] }
    desk.apply(desired, { ...known, neighbours: ['192.0.2.53'] })
    desk.start({ ...place, infrastructure: [ROUTER] })
    const heard = async (resolver: string, sender?: string, deviceId = 'x'): Promise<object[]> => {
      desk.hear({
        ...{ names: ['x.ads.example'], ips: ['203.0.113.9'], ttlS: 60, client: '192.0.2.11' },
        ...{ deviceId, resolver, ...(sender === undefined ? {} : { sender }) },
      })
      await new Promise((resolve) => setImmediate(resolve))
      return threads[0]?.heard.splice(0) ?? []
    }
    const forAll = [
      { names: ['x.ads.example'], ips: ['203.0.113.9'], ttlS: 60, only: undefined },
    ] as const
    assert.deepEqual(await heard('198.51.100.53', ROUTER), forAll)
    assert.deepEqual(await heard('192.0.2.53', MAC), forAll)
    assert.deepEqual(await heard('198.51.100.53', MAC), [])
    assert.deepEqual(await heard('192.0.2.1', MAC), [])
    assert.deepEqual(await heard('198.51.100.53'), [])
    assert.deepEqual(await heard('203.0.113.66', ROUTER), [])
    const only = { mac: MAC, ip: '192.0.2.11' }
    const [one] = await heard('203.0.113.66', ROUTER, device.deviceId)
    assert.deepEqual(one, { ...forAll[0], only })
    // A block that is ordered later: what was heard of a stranger is for who asked then too.
    desk.apply(NOTHING, known)
    desk.apply(
      { ...NOTHING, everyone: [{ ruleId: 'e', action: 'block', domain: 'ads.example' }] },
      known,
    )
    await new Promise((resolve) => setImmediate(resolve))
    const later = threads[0]?.heard.splice(0) ?? []
    assert.deepEqual(later.map((each) => each.only).sort(), [only, undefined])
  })

  it('hands over a long memory some at a time', async () => {
    const { gating: desk, threads } = gating()
    desk.start({ ...place, infrastructure: [MAC] })
    desk.apply(NOTHING, around)
    for (let i = 0; i < 1000; i++) {
      desk.hear({
        ...{ names: [`n${i}.ads.example`], ips: ['203.0.113.9'], ttlS: 60, client: '192.0.2.11' },
        ...{ deviceId: 'x', resolver: '192.0.2.1', sender: MAC },
      })
    }
    desk.apply({ ...NOTHING, devices: [device] }, around)
    const counts: number[] = []
    for (let turn = 0; turn < 6; turn++) {
      counts.push(threads[0]?.heard.length ?? 0)
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.deepEqual(counts, [0, 256, 512, 768, 1000, 1000])
  })

  it('has connections looked at anew where a list became narrower', () => {
    const { gating: desk, threads } = gating()
    const list = { allow_list: { ruleId: 'l' } }
    const other: DesiredDevice = {
      ...{ deviceId: '020de0000002', mac: '02:0d:e0:00:00:02', ips: ['192.0.2.12'] },
      ...{ restrictions: { no_dns_no_connect: { ruleId: 'n' } }, matches: [] },
    }
    const told: string[] = []
    const tell = (what: string, { devices, everyone }: Whose): void => {
      told.push([what, ...devices.map(({ deviceId }) => deviceId), `${everyone}`].join(' '))
    }
    desk.onNarrowed = (whose) => tell('narrowed', whose)
    desk.onUnblocked = (whose) => tell('unblocked', whose)
    const listed: Desired = { ...NOTHING, devices: [{ ...device, restrictions: list }, other] }
    // What it begins with is no change.
    desk.apply(listed, around)
    desk.start(place)
    assert.deepEqual(threads[0]?.taken, [])
    desk.apply({ ...NOTHING, devices: [device, other] }, around)
    desk.apply(listed, around)
    assert.deepEqual(threads[0]?.taken, [['192.0.2.12']])
    assert.deepEqual(told, [])
    threads[0]?.tell({ refused: [], learned: [], marks: [{ count: 3 }] })
    assert.deepEqual(told.splice(0), [`narrowed ${device.deviceId} false`])
    assert.equal(desk.uncovered(device.deviceId), undefined)
    desk.apply({ ...NOTHING, devices: [{ ...device, matches: [] }] }, around)
    assert.deepEqual(told.splice(0), [`unblocked ${device.deviceId} false`])
    // The thread is another one before it has told: once more.
    desk.apply({ ...NOTHING, devices: [{ ...device, restrictions: list }] }, around)
    desk.stop()
    desk.start(place)
    assert.deepEqual(threads[1]?.taken, [[]])
    threads[1]?.tell({ refused: [], learned: [], marks: [{ count: 0, error: 'not permitted' }] })
    assert.match(desk.uncovered(device.deviceId) ?? '', /from before its list may go on: not perm/)
  })

  it('tells what was refused, by the rule that fits longest', () => {
    const { gating: desk, threads } = gating()
    const desired: Desired = {
      ...NOTHING,
      devices: [device],
      everyone: [{ ruleId: 'e', action: 'block', domain: 'evil.example' }],
    }
    desk.apply(desired, around)
    desk.start(place)
    assert.equal(threads[0]?.policies[0]?.devices.length, 1)
    const name = (mac: string, text: string, count = 1): GateEvents['refused'][0] => {
      return { mac, name: text, count }
    }
    threads[0]?.tell({
      refused: [
        name(MAC, 'x.deep.ads.example', 2),
        name(MAC, 'xads.example'),
        name('02:0d:e0:00:00:09', 'evil.example'),
      ],
      learned: [],
      marks: [],
    })
    threads[0]?.tell({ refused: [name(MAC, 'x.deep.ads.example', 3)], learned: [], marks: [] })
    const blocked = desk.takeBlocked()
    assert.deepEqual(
      blocked.map((one) => [one.device_id, one.rule_id, one.remote, one.packets, one.cause]),
      [
        ['020de0000001', 'bb', 'x.deep.ads.example', 5, 'dns'],
        ['020de0000001', undefined, 'xads.example', 1, 'dns'],
        ['020de0000009', 'e', 'evil.example', 1, 'dns'],
      ],
    )
    assert.deepEqual(desk.takeBlocked(), [])
    const flood = Array.from({ length: 5000 }, (_, i) => name(MAC, `n${i}.ads.example`))
    threads[0]?.tell({ refused: flood, learned: [], marks: [] })
    const bounded = desk.takeBlocked()
    assert.equal(bounded.length, 2049)
    assert.equal(
      bounded.reduce((sum, { packets }) => sum + packets, 0),
      5000,
    )
    desk.apply(NOTHING, around)
    assert.deepEqual(threads[0]?.policies.at(-1)?.devices, [])
  })
})
