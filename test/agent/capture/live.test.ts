import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseMac } from '../../../agent/address.ts'
import { LiveCapture } from '../../../agent/capture/live.ts'
import type { Plan, Wanted } from '../../../agent/capture/plan.ts'
import { Locality } from '../../../agent/inventory/locality.ts'
import { createLog } from '../../../agent/log.ts'
import type { Capture, InterfaceSpec, NetlinkEvent } from '../../../native/index.ts'
import type { LinkOf } from './boxes.ts'
import {
  allEvents,
  BRIDGE_BOX,
  eventsOf,
  gatewaysOf,
  HOST_BOX,
  neighbour,
  ROUTER_BOX,
  UPSTREAM,
} from './boxes.ts'

/** The kernel and the meter from outside: what is told, and what was asked of them. */
class Bench {
  readonly specs: string[][] = []
  readonly plans: Plan[] = []
  readonly neighbours: string[] = []
  readonly log: string[] = []
  readonly locality = new Locality()
  readonly live: LiveCapture
  tell: (events: NetlinkEvent[]) => void = () => assert.fail('netlink was not started')
  stopped = false
  refuse = false

  constructor(wanted: Partial<Omit<Wanted, 'forwards'>>) {
    const capture = {
      setInterfaces: (specs: readonly InterfaceSpec[]) =>
        this.specs.push(specs.map(({ name }) => name)),
      setLocality: () => {},
    } as unknown as Capture
    this.live = new LiveCapture(
      { mode: 'auto', interfaces: [], lan: [], promiscuous: false, ...wanted },
      {
        capture,
        netlink: {
          start: (onEvents) => {
            if (this.refuse) throw new Error('operation not permitted')
            this.tell = onEvents
          },
          stop: () => {
            this.stopped = true
          },
        },
        locality: this.locality,
        log: createLog('info', (line) => this.log.push(line)),
        onNeighbour: (mac, ip) => this.neighbours.push(`${mac.toString(16)} ${ip}`),
        onBox: () => {},
        onPlan: (plan) => this.plans.push(plan),
      },
    )
  }

  async start(...links: LinkOf[]): Promise<Plan> {
    const started = this.live.start()
    if (!this.refuse) this.tell(allEvents(...links))
    return await started
  }

  /** Tells, and waits until what follows has been done. */
  async change(...events: NetlinkEvent[]): Promise<void> {
    this.tell(events)
    await sleep(200)
  }
}

function gone(link: LinkOf): NetlinkEvent {
  return { ...eventsOf(link)[0], removed: true } as NetlinkEvent
}

describe('live capture', () => {
  let bench: Bench | undefined
  afterEach(() => bench?.live.stop())

  it('begins with the first plan, and follows addresses without touching the rings', async () => {
    bench = new Bench({ mode: 'host' })
    const plan = await bench.start(...HOST_BOX)
    assert.equal(plan.mode, 'host')
    assert.deepEqual(bench.specs, [['eth0']])
    await bench.change({
      kind: 'address',
      index: 2,
      ip: '198.51.100.9',
      prefixLength: 24,
      removed: false,
    })
    assert.deepEqual(bench.specs, [['eth0']])
    assert.deepEqual(bench.plans.at(-1)?.lan, [
      '192.0.2.0/24',
      '2001:db8:1::/64',
      '198.51.100.0/24',
    ])
    assert.equal(bench.locality.prefixes.length, 3)
    assert.equal(bench.locality.isRouter(parseMac('02:00:00:00:00:fe') as number), true)
  })

  it('has nothing to capture, and says what to name', async () => {
    bench = new Bench({ mode: 'host' })
    await assert.rejects(bench.start(), /name one with --interface/)
  })

  it('ends at once where the kernel refuses netlink', async () => {
    bench = new Bench({ mode: 'host' })
    bench.refuse = true
    // Not before mocha has set its own timer.
    await sleep(1)
    const timers = (): number =>
      process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = timers()
    await assert.rejects(bench.start(), /not permitted/)
    assert.equal(timers(), before)
  })

  it('waits for an interface that was chosen, went, and came back', async () => {
    bench = new Bench({ mode: 'gateway' })
    await bench.start(...ROUTER_BOX)
    const eth2 = ROUTER_BOX[2] as LinkOf
    await bench.change(gone(eth2))
    await bench.change(...eventsOf({ ...eth2, index: 30 }))
    assert.deepEqual(bench.specs, [['eth1', 'eth2']], 'it stays in the plan all the time')
    assert.deepEqual(bench.plans.at(-1)?.lan, [
      '192.0.2.0/24',
      '2001:db8:1::/64',
      '198.51.100.0/25',
    ])
    assert.ok(bench.plans.every(({ mode }) => mode === 'gateway'))
  })

  it('keeps its mode and interfaces when another way to the internet comes', async () => {
    bench = new Bench({ mode: 'host' })
    await bench.start(...HOST_BOX)
    const wlan0 = {
      name: 'wlan0',
      index: 9,
      ips: ['198.51.100.9/24'],
      gateways: ['198.51.100.1'],
    }
    await bench.change(...eventsOf(wlan0), gatewaysOf(...HOST_BOX, wlan0))
    assert.deepEqual(bench.specs, [['eth0']])
    assert.deepEqual(
      bench.plans.map(({ mode }) => mode),
      ['host', 'host'],
    )
  })

  it('takes ports that join the bridge, and lets go those that leave', async () => {
    bench = new Bench({ mode: 'bridge' })
    await bench.start(...BRIDGE_BOX)
    assert.deepEqual(bench.specs.at(-1), ['br0', 'eth0', 'eth1'])
    await bench.change(...eventsOf({ name: 'eth2', index: 5, master: 2 }))
    assert.deepEqual(bench.specs.at(-1), ['br0', 'eth0', 'eth1', 'eth2'])
    await bench.change(gone({ name: 'eth0', index: 3 }), ...eventsOf({ name: 'eth1', index: 4 }))
    assert.deepEqual(bench.specs.at(-1), ['br0', 'eth2'])
  })

  it('plans nothing from half of the tables after an overrun', async () => {
    bench = new Bench({ mode: 'bridge' })
    await bench.start(...BRIDGE_BOX)
    await bench.change({ kind: 'overrun' }, ...BRIDGE_BOX.slice(0, 2).flatMap(eventsOf))
    assert.equal(bench.live.overruns, 1)
    assert.deepEqual([bench.specs.length, bench.plans.length], [1, 1])
    await bench.change(...BRIDGE_BOX.slice(2).flatMap(eventsOf), { kind: 'synchronised' })
    assert.equal(bench.specs.length, 1)
    assert.equal(bench.plans.length, 2)
    assert.match(bench.log.join(''), /netlink messages were lost/)
  })

  it('tells of neighbours that answer on what it captures, if they are of the home', async () => {
    bench = new Bench({ mode: 'gateway' })
    await bench.start(...ROUTER_BOX)
    const mac = '02:00:00:00:00:0a'
    bench.tell([
      neighbour(3, '192.0.2.10', mac),
      neighbour(3, '192.0.2.11'),
      neighbour(3, '192.0.2.12', mac, true),
      { ...neighbour(3, '192.0.2.13', mac), reachable: false } as NetlinkEvent,
      neighbour(3, '203.0.113.77', mac),
      neighbour(2, '192.0.2.14', mac),
      neighbour(99, '192.0.2.15', mac),
      neighbour(3, '2001:db8:1::a', mac),
    ])
    const key = (parseMac(mac) as number).toString(16)
    assert.deepEqual(bench.neighbours, [`${key} 192.0.2.10`, `${key} 2001:db8:1::a`])
  })

  it('tells of neighbours that answered before it was known what is captured', async () => {
    const [eth0, eth1, ...rest] = ROUTER_BOX as [LinkOf, LinkOf, ...LinkOf[]]
    const mac = '02:00:00:00:00:0a'
    const stale = { ...neighbour(3, '192.0.2.11', mac), reachable: false } as NetlinkEvent
    bench = new Bench({ mode: 'gateway' })
    const started = bench.live.start()
    const all = allEvents(eth0, eth1, ...rest)
    bench.tell([...all.slice(0, -1), neighbour(3, '192.0.2.10', mac), stale])
    assert.deepEqual(bench.neighbours, [])
    bench.tell(all.slice(-1))
    await started
    assert.deepEqual(bench.neighbours, [`${(parseMac(mac) as number).toString(16)} 192.0.2.10`])
  })

  it('does not touch the rings while the gateway does not answer', async () => {
    bench = new Bench({ mode: 'gateway', interfaces: ['eth0'] })
    await bench.start(...HOST_BOX)
    for (const event of [neighbour(2, '192.0.2.1'), neighbour(2, '192.0.2.1', UPSTREAM)]) {
      await bench.change(event)
    }
    assert.equal(bench.specs.length, 1)
    assert.equal(bench.plans.length, 1)
  })

  it('changes nothing once it was stopped', async () => {
    bench = new Bench({ mode: 'host' })
    await bench.start(...HOST_BOX)
    bench.tell([
      { kind: 'address', index: 2, ip: '198.51.100.9', prefixLength: 24, removed: false },
    ])
    bench.live.stop()
    await sleep(200)
    assert.equal(bench.plans.length, 1)
    assert.equal(bench.stopped, true)
  })
})
