import assert from 'node:assert/strict'
import { Inventory } from '../../nodes/inventory.ts'
import type { AgentEvent, Device } from '../../protocol/messages.ts'
import { CAMERA, device, LAMP } from './agent-double.ts'

const lamp = (over: Partial<Device> = {}): Device =>
  device({ id: LAMP, mac: '02:0d:e0:00:00:02', ips: ['192.0.2.12'], name: 'Lamp', ...over })

function event(
  kind: AgentEvent['kind'],
  about: Device,
  over: Partial<AgentEvent> = {},
): AgentEvent {
  return { type: 'event', kind, seq: 1, time_ms: 1, device: about, sentence: 'It is.', ...over }
}

function filled(): Inventory {
  const inventory = new Inventory()
  inventory.beginSession()
  inventory.take(device())
  inventory.take(lamp())
  return inventory
}

describe('nodes/inventory', () => {
  it('takes what is retained as present, and counters as no change', () => {
    const inventory = new Inventory()
    inventory.beginSession()
    assert.equal(inventory.take(device())?.kind, 'present')
    assert.equal(inventory.take(device({ sent_bytes: 9, last_seen_ms: 3_000_000 })), undefined)
    assert.equal(inventory.get(CAMERA)?.sent_bytes, 9)
    assert.equal(inventory.take(device({ ips: ['2001:db8:1::11', '192.0.2.11'] })), undefined)
  })

  it('tells each change once, whichever topic comes first', () => {
    const inventory = filled()
    const renamed = device({ name: 'porch' })
    assert.deepEqual(inventory.take(renamed)?.changed, ['name'])
    assert.equal(inventory.takeEvent(event('device_changed', renamed)), undefined)
    const moved = device({ name: 'porch', ips: ['192.0.2.99'] })
    assert.deepEqual(inventory.takeEvent(event('device_changed', moved))?.changed, ['ips'])
    assert.equal(inventory.take(moved), undefined)
  })

  it('tells of a new device once, whichever topic comes first', () => {
    const inventory = new Inventory()
    inventory.beginSession()
    assert.equal(inventory.takeEvent(event('device_new', device()))?.kind, 'new')
    assert.equal(inventory.take(device()), undefined)
    assert.equal(inventory.takeEvent(event('device_new', device())), undefined)
    inventory.sweep()
    assert.equal(inventory.take(lamp())?.kind, 'new')
    assert.equal(inventory.takeEvent(event('device_new', lamp())), undefined)
  })

  it('tells once of a device that is gone, and of its return', () => {
    const inventory = filled()
    const gone = device({ present: false })
    assert.equal(inventory.take(gone)?.kind, 'gone')
    assert.equal(inventory.takeEvent(event('device_gone', gone)), undefined)
    assert.deepEqual(inventory.takeEvent(event('device_changed', device())), {
      kind: 'back',
      device: device(),
    })
    assert.equal(inventory.take(device()), undefined)
    assert.equal(inventory.takeEvent(event('device_gone', device()))?.device.present, false)
    assert.deepEqual(inventory.take(device({ name: 'porch' })), {
      kind: 'back',
      device: device({ name: 'porch' }),
      changed: ['name'],
    })
  })

  it('tells once of a device that is forgotten, and of its return as a new one', () => {
    const inventory = filled()
    assert.equal(inventory.forget(LAMP)?.device.name, 'Lamp')
    assert.equal(inventory.takeEvent(event('device_gone', lamp())), undefined)
    assert.equal(inventory.forget(LAMP), undefined)
    inventory.take(device({ present: false }))
    assert.equal(inventory.forget(CAMERA), undefined, 'it was gone already')
    assert.equal(inventory.size, 0)
    assert.equal(inventory.takeEvent(event('device_new', lamp()))?.kind, 'new')
  })

  it('finds out after an absence what is new, changed and gone', () => {
    const inventory = filled()
    inventory.beginSession()
    const plug = device({ id: '020de0000003', name: 'plug', first_seen_ms: 2_500_000 })
    const older = device({ id: '020de0000004', name: 'older', first_seen_ms: 1_500_000 })
    assert.equal(inventory.take(plug)?.kind, 'new')
    assert.equal(inventory.take(older)?.kind, 'present')
    assert.deepEqual(inventory.take(device({ vendor: 'Other' }))?.changed, ['vendor'])
    assert.deepEqual(
      inventory.sweep().map((change) => [change.kind, change.device.id]),
      [['gone', LAMP]],
    )
  })

  it('finds a device by id, MAC, address or name', () => {
    const inventory = filled()
    const ids = (text: string): string[] => inventory.find(text).map((found) => found.id)
    assert.deepEqual(ids(CAMERA), [CAMERA])
    assert.deepEqual(ids(' 02-0D-E0-00-00-02 '), [LAMP])
    assert.deepEqual(ids('192.0.2.11'), [CAMERA])
    assert.deepEqual(ids('2001:DB8:1:0:0:0:0:11'), [CAMERA])
    assert.deepEqual(ids('lamp'), [LAMP])
    assert.deepEqual(ids('nobody'), [])
    assert.deepEqual(ids(''), [])
    inventory.take(device({ id: '020de0000003', name: 'LAMP' }))
    assert.equal(ids('Lamp').length, 2)
  })

  it('does not let a name pass for an id or an address', () => {
    const inventory = filled()
    inventory.take(device({ id: '020de0000003', mac: undefined, ips: [], name: CAMERA }))
    inventory.take(device({ id: '020de0000004', mac: undefined, ips: [], name: '192.0.2.12' }))
    assert.deepEqual(
      inventory.find(CAMERA).map((found) => found.id),
      [CAMERA],
    )
    assert.deepEqual(
      inventory.find('192.0.2.12').map((found) => found.id),
      [LAMP],
    )
  })

  it('holds no more than its limit', () => {
    const inventory = new Inventory(1)
    inventory.beginSession()
    inventory.take(device())
    assert.throws(() => inventory.take(lamp()), /more than 1 devices/)
    assert.ok(inventory.take(device({ name: 'still followed' })))
  })
})
