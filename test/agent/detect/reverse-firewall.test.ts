import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { IncidentDesk } from '../../../agent/detect/incident-desk.ts'
import { IncidentStore } from '../../../agent/detect/incident-store.ts'
import type { Limits } from '../../../agent/detect/limits.ts'
import { ReverseFirewall } from '../../../agent/detect/reverse-firewall.ts'
import { createLog } from '../../../agent/log.ts'
import type { By, Order, Ordered } from '../../../agent/policy/contract.ts'
import { PolicyError } from '../../../agent/policy/contract.ts'
import type { Incident } from '../../../protocol/act.ts'

const DEVICE = '020de0000001'
const LIMITS: Limits = {
  connections: 200,
  remotes: 100,
  windowS: 10,
  policy: 'quarantine',
  level: 'local_only',
  forS: 600,
}

describe('reverse firewall', () => {
  let folder: string
  let store: IncidentStore
  let told: Incident[]
  let events: string[]
  let orders: { order: Order; by: By }[]
  let evidence: string[]
  let fault: Error | undefined
  let limits: Limits
  let desk: IncidentDesk
  let firewall: ReverseFirewall

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-detect-'))
    told = []
    events = []
    orders = []
    evidence = []
    fault = undefined
    limits = LIMITS
    open()
  })
  afterEach(() => {
    store.stop()
    rmSync(folder, { recursive: true })
  })

  function open(): void {
    const log = createLog('error', () => {})
    store = new IncidentStore(join(folder, 'incidents.db'), log)
    store.start()
    desk = new IncidentDesk({
      store,
      run: 'run',
      tell: (incident) => told.push(incident),
      event: (event) => events.push(event.kind),
      closed: (incident) => firewall.closed(incident),
      stays: () => false,
    })
    desk.start()
    firewall = new ReverseFirewall({
      desk,
      run: 'run',
      limitsOf: () => limits,
      device: (id) =>
        id === DEVICE
          ? { id, name: 'Lamp', mac: '02:0d:e0:00:00:01', ips: ['192.0.2.11'] }
          : undefined,
      order: async (order, by): Promise<Ordered> => {
        orders.push({ order, by })
        if (fault !== undefined) throw fault
        return { rules: [{ id: 'r1' } as never], policies: {} }
      },
      evidence: (id) => evidence.push(id),
      log,
    })
  }

  const connect = (count: number, port = 443): void => {
    for (let i = 0; i < count; i++) firewall.begun(DEVICE, '203.0.113.1', port, i)
  }

  it('quarantines at the limit, once, with evidence, and not below it', async () => {
    firewall.tick(5000, 1)
    connect(199)
    firewall.tick(6000, 2)
    assert.equal(told.length, 0)
    connect(1)
    firewall.tick(7000, 3)
    await new Promise(setImmediate)
    assert.deepEqual(
      orders.map(({ order, by }) => [order, by.actor]),
      [
        [
          {
            action: 'quarantine',
            subject: { device_id: DEVICE },
            level: 'local_only',
            term: { forS: 600 },
          },
          { kind: 'detector', name: 'connection_rate', via: 'detector' },
        ],
      ],
    )
    const [incident] = desk.open()
    assert.deepEqual(incident?.action, { level: 'local_only', rule_id: 'r1' })
    assert.equal(incident?.evidence[0]?.observed, 200)
    assert.equal(incident?.evidence[0]?.flow_ids.length, 20)
    assert.match(incident?.sentence ?? '', /^Lamp began 200 connections to 1 remotes within 10 s/)
    assert.deepEqual(events, ['incident_opened', 'incident_changed'])
    connect(50)
    firewall.tick(8000, 4)
    await new Promise(setImmediate)
    assert.equal(orders.length, 1)
    assert.deepEqual(evidence, [DEVICE])
  })

  it('does not act again on what somebody has decided about', async () => {
    connect(200)
    firewall.tick(1000, 1)
    await new Promise(setImmediate)
    desk.released(DEVICE, [], 2)
    connect(20)
    firewall.tick(2000, 3)
    assert.equal(desk.open().length, 0)
    connect(180)
    firewall.tick(3000, 4)
    await new Promise(setImmediate)
    assert.equal(orders.length, 2)
  })

  it('only notifies, or asks, where the policy says so', () => {
    limits = { ...LIMITS, policy: 'notify' }
    connect(300)
    firewall.tick(1000, 1)
    assert.equal(desk.open()[0]?.asks, undefined)
    desk.close(desk.open()[0]?.id ?? '', 'person', 2)
    limits = { ...LIMITS, policy: 'ask' }
    connect(300)
    firewall.tick(2000, 3)
    assert.deepEqual(desk.open()[0]?.asks, { level: 'local_only', for_s: 600 })
    assert.equal(orders.length, 0)
  })

  it('leaves out DNS and the like, and devices that are not known', () => {
    connect(500, 53)
    for (let i = 0; i < 500; i++) firewall.begun('020de0000009', '203.0.113.1', 443, i)
    firewall.tick(1000, 1)
    assert.equal(told.length, 0)
  })

  it('says in the incident why a device could not be quarantined', async () => {
    fault = new PolicyError('refused', 'this is the gateway')
    await goesOn(1, 200)
    assert.equal(desk.open()[0]?.action_failed, 'this is the gateway')
    assert.equal(desk.open()[0]?.action, undefined)
    assert.equal(orders.length, 1, 'what is refused is not ordered again')
  })

  /** It goes on over its limits for so many seconds. */
  async function goesOn(from: number, seconds: number): Promise<void> {
    for (let s = from; s < from + seconds; s++) {
      connect(200)
      firewall.tick(s * 1000, s * 1000)
      await new Promise(setImmediate)
    }
  }

  it('orders again what failed, with growing pauses, and then says that it holds', async () => {
    fault = new Error('the agent is just starting')
    await goesOn(1, 130)
    // After 1, 2, 4 … and then every 60 s.
    assert.equal(orders.length, 8)
    assert.equal(desk.open()[0]?.action_failed, 'the agent is just starting')
    fault = undefined
    await goesOn(131, 60)
    assert.equal(orders.length, 9)
    assert.deepEqual(desk.open()[0]?.action, { level: 'local_only', rule_id: 'r1' })
    assert.equal(desk.open()[0]?.action_failed, undefined)
  })

  it('acts on an incident of an earlier run, and on one that was only told when the policy was another', async () => {
    limits = { ...LIMITS, policy: 'notify' }
    await goesOn(1, 3)
    assert.equal(orders.length, 0)
    limits = LIMITS
    await goesOn(4, 3)
    assert.equal(orders.length, 1)
    desk.close(desk.open()[0]?.id ?? '', 'person', 7000)
    limits = { ...LIMITS, policy: 'notify' }
    await goesOn(8, 3)
    store.stop()
    open()
    limits = LIMITS
    await goesOn(11, 3)
    assert.equal(orders.length, 2)
    assert.equal(desk.open().length, 1)
  })

  it('quarantines also where too many incidents are open for another', async () => {
    for (let n = 0; n < 500; n++) {
      const device = { id: (n + 1).toString(16).padStart(12, '0'), name: '', ips: [] }
      const finding = { kind: 'beacon', severity: 'low', device, sentence: '', params: {} } as const
      desk.report({ ...finding, evidence: [] }, 1)
    }
    await goesOn(1, 100)
    assert.equal(desk.leftOut, 100)
    assert.equal(orders.length, 1, 'it holds for ten minutes')
    await goesOn(101, 510)
    assert.equal(orders.length, 2)
  })

  it('keeps open incidents over a restart, and closes them when quiet, resolved or released', async () => {
    connect(200)
    firewall.tick(1000, 1)
    await new Promise(setImmediate)
    const id = desk.open()[0]?.id ?? ''
    store.stop()
    open()
    assert.deepEqual(
      desk.open().map((incident) => [incident.id, incident.action?.rule_id]),
      [[id, 'r1']],
    )
    desk.released('020de0000002', [], 5)
    assert.equal(desk.open().length, 1)
    desk.released(DEVICE, ['local_only'], 5)
    assert.equal(desk.open().length, 1, 'somebody ordered the same to last')
    desk.released(DEVICE, ['internet_only'], 5)
    assert.equal(desk.open().length, 0)
    assert.equal(store.find({ limit: 10 })[0]?.closed_by, 'released')
    assert.equal(desk.close(id, 'person', 6), false)
    connect(200)
    firewall.tick(3000, 7)
    desk.tick(7 + 599_999)
    assert.equal(desk.open().length, 1)
    desk.tick(7 + 600_000)
    assert.equal(desk.open().length, 0)
    assert.equal(told.at(-1)?.closed_by, 'quiet')
  })

  it('tells growing evidence at most every 10 s', () => {
    limits = { ...LIMITS, policy: 'notify' }
    for (let s = 1; s <= 25; s++) {
      connect(200)
      firewall.tick(s * 1000, s * 1000)
      desk.tick(s * 1000)
    }
    assert.deepEqual(events, ['incident_opened', 'incident_changed', 'incident_changed'])
  })
})
