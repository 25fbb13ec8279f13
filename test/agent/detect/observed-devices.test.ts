import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { IncidentDesk } from '../../../agent/detect/incident-desk.ts'
import { IncidentStore } from '../../../agent/detect/incident-store.ts'
import { ObservedDevices } from '../../../agent/detect/observed-devices.ts'
import { createLog } from '../../../agent/log.ts'
import type { Incident } from '../../../protocol/act.ts'

const LAMP = '020de0000001'
const MINUTE = 60_000

describe('observed devices', () => {
  let folder: string
  let store: IncidentStore
  let desk: IncidentDesk
  let devices: ObservedDevices
  let observed: ReadonlySet<string>
  let told: Incident[]

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-observed-'))
    observed = new Set()
    told = []
    open()
  })
  afterEach(() => {
    store.stop()
    rmSync(folder, { recursive: true })
  })

  function open(): void {
    store = new IncidentStore(
      join(folder, 'incidents.db'),
      createLog('error', () => {}),
    )
    store.start()
    desk = new IncidentDesk({
      store,
      run: 'run',
      tell: (incident) => told.push(incident),
      event: () => {},
      closed: (incident) => devices.closed(incident),
      stays: (incident) => devices.keeps(incident),
    })
    desk.start()
    devices = new ObservedDevices({
      desk,
      run: 'run',
      observed: () => observed,
      device: (id) => ({ id, name: id === LAMP ? 'Lamp' : '', ips: ['192.0.2.11'] }),
    })
  }

  function tick(nowMs: number): void {
    devices.tick(nowMs)
    desk.tick(nowMs)
  }

  it('one incident is raised at once, grows with what the device does, and stays as long as it is observed', () => {
    devices.begun(LAMP, '203.0.113.1', 443, 1)
    tick(MINUTE)
    assert.deepEqual(desk.open(), [])
    observed = new Set([LAMP])
    tick(2 * MINUTE)
    const [first] = desk.open()
    assert.deepEqual([first?.kind, first?.severity, first?.device_id], ['anomaly', 'info', LAMP])
    for (let n = 0; n < 30; n++) devices.begun(LAMP, `203.0.113.${n % 3}`, 443, n)
    devices.begun(LAMP, '192.0.2.1', 53, 31)
    tick(3 * MINUTE)
    const [now] = desk.open()
    assert.equal(now?.id, first?.id)
    assert.deepEqual(now?.params, {
      level: 'observe',
      connections: 30,
      remotes: 3,
      since_ms: 2 * MINUTE,
    })
    assert.deepEqual(
      now?.evidence.map(({ what, observed: seen }) => [what, seen]),
      [
        ['connections', 30],
        ['remotes', 3],
      ],
    )
    assert.equal(now?.evidence[0]?.flow_ids.at(-1), 'run-t')
    assert.match(now?.sentence ?? '', /^Lamp is observed: it began 30 connections to 3 remotes/)
    // A silent device is observed all the same.
    tick(300 * MINUTE)
    assert.equal(desk.open()[0]?.id, first?.id)
    observed = new Set()
    tick(301 * MINUTE)
    assert.deepEqual(desk.open(), [])
    assert.deepEqual([told.at(-1)?.state, told.at(-1)?.closed_by], ['closed', 'released'])
  })

  it('is not opened again when a person has closed it, until the device is observed anew', () => {
    observed = new Set([LAMP])
    tick(1)
    desk.close(desk.open()[0]?.id ?? '', 'person', 2)
    devices.begun(LAMP, '203.0.113.1', 443, 1)
    tick(3)
    assert.deepEqual(desk.open(), [])
    observed = new Set()
    tick(4)
    observed = new Set([LAMP])
    tick(5)
    assert.equal(desk.open().length, 1)
  })

  it('takes up those of an earlier run, and closes those that are over', () => {
    observed = new Set([LAMP, '020de0000002'])
    tick(1)
    const ids = desk.open().map(({ id }) => id)
    store.stop()
    open()
    // A long time passed, and what is ordered was not read yet.
    desk.tick(60 * MINUTE)
    assert.equal(desk.open().length, 2)
    observed = new Set([LAMP])
    tick(60 * MINUTE)
    assert.deepEqual(
      desk.open().map(({ id, device_id }) => [ids.includes(id), device_id]),
      [[true, LAMP]],
    )
  })

  it('is bounded', () => {
    observed = new Set(Array.from({ length: 2000 }, (_, n) => n.toString(16).padStart(12, '0')))
    tick(1)
    assert.equal(desk.open().length, 100)
    for (let n = 0; n < 10_000; n++) devices.begun('000000000001', `2001:db8::${n}`, 443, n)
    tick(2)
    const one = desk.open().find(({ device_id }) => device_id === '000000000001')
    assert.deepEqual([one?.params.connections, one?.params.remotes], [10_000, 4096])
  })
})
