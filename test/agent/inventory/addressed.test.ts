import assert from 'node:assert/strict'
import { parseMac } from '../../../agent/address.ts'
import { Inventory } from '../../../agent/inventory/inventory.ts'

const A = parseMac('02:00:00:00:00:0a') as number
const B = parseMac('02:00:00:00:00:0b') as number
const ROUTER = parseMac('02:00:00:00:00:fe') as number

function inventoryOf(maxDevices = 100): Inventory {
  return new Inventory({ vendorOf: () => undefined, maxDevices })
}

describe('addresses that are only spoken to', () => {
  it('are nobody’s: a scan of a network makes no device, with MACs or without', () => {
    const inventory = inventoryOf()
    for (let i = 0; i < 10_000; i++) {
      const ip = `10.9.${i >> 8}.${i & 255}`
      assert.equal(inventory.addressed(0, ip, 1000, false).listed, false)
      assert.equal(inventory.addressed(ROUTER, ip, 1000, true).listed, false)
    }
    assert.deepEqual([inventory.size, inventory.refused], [0, 0])
    assert.equal(inventory.byAddress('10.9.0.1'), undefined)
    assert.deepEqual(inventory.takeChanges(), [])
  })

  it('are not noted of the device whose MAC is spoken to, which gets what is sent', () => {
    const inventory = inventoryOf()
    const victim = inventory.seen(A, '192.0.2.10', false, 1000)
    for (let i = 100; i < 150; i++) {
      assert.equal(inventory.addressed(A, `192.0.2.${i}`, 2000, false), victim)
    }
    assert.equal(victim.shared, false)
    assert.deepEqual([...victim.ips.keys()], ['192.0.2.10'])
    assert.equal(inventory.byAddress('192.0.2.100'), undefined)
    assert.equal(victim.lastSeenMs, 1000, 'it has said nothing')
    const other = inventory.seen(B, '192.0.2.20', false, 1000)
    assert.equal(inventory.addressed(A, '192.0.2.20', 2000, false), victim, 'its MAC, its bytes')
    assert.equal(inventory.addressed(ROUTER, '192.0.2.20', 2000, true), other, 'behind a router')
    assert.equal(inventory.addressed(0, '192.0.2.20', 2000, false), other)
  })

  it('a MAC that frames go to is a device without addresses', () => {
    const inventory = inventoryOf()
    const entry = inventory.addressed(A, '192.0.2.10', 1000, false)
    assert.deepEqual([entry.id, entry.ips.size, entry.listed], ['02000000000a', 0, true])
    assert.equal(inventory.byAddress('192.0.2.10'), undefined)
  })

  it('that turn out to be a device’s have been so all the time', () => {
    const inventory = inventoryOf()
    for (const [mac, ip] of [
      [0, '192.0.2.10'],
      [A, '192.0.2.20'],
      [ROUTER, '192.0.2.30'],
    ] as const) {
      const stranger = inventory.addressed(0, ip, 1000, false)
      stranger.count(0, 500, 0, 5, 1500)
      const { epoch } = stranger
      assert.equal(inventory.addressed(0, ip, 1600, false), stranger, 'the same again')
      const device = inventory.seen(mac, ip, false, 2000)
      assert.deepEqual([device.receivedBytes, device.receivedPackets], [500, 5])
      assert.notEqual(stranger.epoch, epoch, 'its flows ask anew')
      assert.equal(inventory.addressed(0, ip, 3000, false), device)
      if (mac === 0) assert.equal(device.id, stranger.id)
    }
  })

  it('behind a MAC that is shared are each its own', () => {
    const inventory = inventoryOf()
    for (let i = 1; i <= 9; i++) inventory.seen(A, `192.0.2.${i}`, false, 1000)
    const known = inventory.byAddress('192.0.2.3')
    assert.equal(inventory.addressed(A, '192.0.2.3', 2000, false), known)
    const stranger = inventory.addressed(A, '192.0.2.77', 2000, false)
    assert.equal(stranger.listed, false)
    stranger.count(0, 40, 0, 1, 2000)
    assert.equal(inventory.seen(A, '192.0.2.77', false, 3000).receivedBytes, 40)
  })
})
