import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parseMac } from '../../../agent/address.ts'
import type { DeviceEntry, InventoryChange } from '../../../agent/inventory/inventory.ts'
import { deviceMessage, Inventory } from '../../../agent/inventory/inventory.ts'

const A = '02:00:00:00:00:0a'
const B = '02:00:00:00:00:0b'
const BOUGHT = '00:1b:c5:00:00:01'

function inventoryOf(maxDevices?: number): Inventory {
  return new Inventory({
    vendorOf: (mac) => (mac === BOUGHT ? 'Maker' : undefined),
    ...(maxDevices === undefined ? {} : { maxDevices }),
  })
}

function see(inventory: Inventory, mac: string, ip: string, timeMs = 1000): DeviceEntry {
  return inventory.seen(mac === '' ? 0 : (parseMac(mac) as number), ip, ip.includes(':'), timeMs)
}

/** `new 02000000000a`, `changed 02000000000a ips,present`. */
function said(changes: readonly InventoryChange[]): string[] {
  return changes.map((change) =>
    [
      change.kind.slice('device_'.length),
      change.entry.id,
      ...(change.kind === 'device_changed' ? [change.changed.join()] : []),
    ].join(' '),
  )
}

describe('devices', () => {
  it('are known by their MAC, and named by vendor or else by address', () => {
    const inventory = inventoryOf()
    see(inventory, A, '192.0.2.10')
    see(inventory, BOUGHT, '192.0.2.11')
    see(inventory, BOUGHT, '2001:db8:1::11')
    assert.deepEqual(said(inventory.takeChanges()), ['new 02000000000a', 'new 001bc5000001'])
    const [random, bought] = [...inventory.all()].map(deviceMessage)
    assert.deepEqual(random, {
      type: 'device',
      id: '02000000000a',
      mac: A,
      ips: ['192.0.2.10'],
      name: '192.0.2.10',
      name_source: 'address',
      random_mac: true,
      present: true,
      sent_bytes: 0,
      received_bytes: 0,
      sent_packets: 0,
      received_packets: 0,
      first_seen_ms: 1000,
      last_seen_ms: 1000,
    })
    assert.equal(bought?.name, 'Maker 00:01')
    assert.equal(bought?.name_source, 'vendor')
    assert.equal(bought?.vendor, 'Maker')
    assert.equal(bought?.random_mac, false)
    assert.deepEqual(bought?.ips, ['2001:db8:1::11', '192.0.2.11'])
  })

  it('without a MAC are known by the hash of their address, unless a MAC is known for it', () => {
    const inventory = inventoryOf()
    const entry = see(inventory, '', '192.0.2.10')
    // sha256('ip:192.0.2.10'), first 16 hex digits.
    assert.match(entry.id, /^[0-9a-f]{16}$/)
    assert.equal(see(inventoryOf(), '', '192.0.2.10').id, entry.id)
    assert.notEqual(see(inventory, '', '192.0.2.11').id, entry.id)
    assert.equal('mac' in deviceMessage(entry), false)
    assert.equal(deviceMessage(entry).random_mac, false)
    const known = see(inventory, A, '192.0.2.12')
    assert.equal(see(inventory, '', '192.0.2.12'), known)
  })

  it('times of packets are whole milliseconds when they go out', () => {
    const inventory = inventoryOf()
    const entry = see(inventory, A, '192.0.2.10', 1000.719)
    entry.lastSeenMs = 2000.25
    const { first_seen_ms, last_seen_ms } = deviceMessage(entry)
    assert.deepEqual([first_seen_ms, last_seen_ms], [1000, 2000])
  })

  it('take the name of their IPv4 address when it comes after IPv6, and say so', () => {
    const inventory = inventoryOf()
    const entry = see(inventory, A, '')
    assert.equal(entry.name, A)
    see(inventory, A, 'fe80::1')
    assert.equal(entry.name, A)
    inventory.takeChanges()
    see(inventory, A, '2001:db8:1::1')
    assert.equal(entry.name, '2001:db8:1::1')
    assert.deepEqual(said(inventory.takeChanges()), ['changed 02000000000a name,ips'])
    see(inventory, A, '192.0.2.10')
    assert.equal(entry.name, '192.0.2.10')
    assert.deepEqual(said(inventory.takeChanges()), ['changed 02000000000a name,ips'])
  })

  it('changes of a device are told as one, and a new device is told as new alone', () => {
    const inventory = inventoryOf()
    see(inventory, A, '192.0.2.10')
    see(inventory, A, '192.0.2.11')
    see(inventory, B, '192.0.2.20')
    assert.deepEqual(said(inventory.takeChanges()), ['new 02000000000a', 'new 02000000000b'])
    see(inventory, A, '192.0.2.12')
    see(inventory, B, '192.0.2.21')
    see(inventory, A, '192.0.2.13')
    assert.deepEqual(said(inventory.takeChanges()), [
      'changed 02000000000a ips',
      'changed 02000000000b ips',
    ])
    see(inventory, A, '192.0.2.12')
    assert.deepEqual(inventory.takeChanges(), [])
  })

  it('go and come back, each told once and in order', () => {
    const inventory = inventoryOf()
    see(inventory, A, '192.0.2.10', 1000)
    see(inventory, B, '192.0.2.20', 5000)
    inventory.takeChanges()
    inventory.expire(1000)
    assert.deepEqual(inventory.takeChanges(), [])
    inventory.expire(1001)
    inventory.expire(1001)
    assert.deepEqual(said(inventory.takeChanges()), ['gone 02000000000a'])
    see(inventory, A, '192.0.2.10', 6000)
    assert.deepEqual(said(inventory.takeChanges()), ['changed 02000000000a present'])
    see(inventory, A, '192.0.2.11', 7000)
    inventory.expire(8000)
    see(inventory, A, '192.0.2.11', 9000)
    assert.deepEqual(said(inventory.takeChanges()), [
      'changed 02000000000a ips',
      'gone 02000000000a',
      'gone 02000000000b',
      'changed 02000000000a present',
    ])
  })

  it('are never seen earlier than before', () => {
    const inventory = inventoryOf()
    const entry = see(inventory, A, '192.0.2.10', 5000)
    see(inventory, A, '192.0.2.10', 4000)
    assert.equal(entry.lastSeenMs, 5000)
  })
})

describe('addresses of a device', () => {
  it('are the 32 newest, newest first', () => {
    const inventory = inventoryOf()
    const entry = see(inventory, A, '2001:db8:1::0')
    for (let i = 1; i < 40; i++) see(inventory, A, `2001:db8:1::${i.toString(16)}`, 1000 + i)
    const { ips } = deviceMessage(entry)
    assert.equal(ips.length, 32)
    assert.equal(ips[0], '2001:db8:1::27')
    assert.equal(ips[31], '2001:db8:1::8')
    assert.equal(inventory.byAddress('2001:db8:1::7'), undefined)
    assert.equal(inventory.byAddress('2001:db8:1::8'), entry)
  })

  it('in use are kept, however many privacy addresses come after them', () => {
    const inventory = inventoryOf()
    const entry = see(inventory, A, '192.0.2.10')
    for (let i = 1; i < 100; i++) {
      see(inventory, A, `2001:db8:1::${i.toString(16)}`, 1000 + i)
      see(inventory, A, '192.0.2.10', 1000 + i)
    }
    assert.ok(deviceMessage(entry).ips.includes('192.0.2.10'))
    assert.equal(deviceMessage(entry).ips.length, 32)
    assert.equal(inventory.byAddress('192.0.2.10'), entry)
  })

  it('go to the device that uses them now, and back', () => {
    const inventory = inventoryOf()
    const a = see(inventory, A, '192.0.2.10')
    const b = see(inventory, B, '192.0.2.20')
    assert.equal(see(inventory, B, '192.0.2.10', 2000), b)
    assert.equal(inventory.byAddress('192.0.2.10'), b)
    see(inventory, A, '192.0.2.10', 3000)
    assert.equal(inventory.byAddress('192.0.2.10'), a)
    const c = see(inventory, BOUGHT, '192.0.2.10', 4000)
    assert.equal(inventory.byAddress('192.0.2.10'), c, 'a new device')
    see(inventory, A, '192.0.2.10', 5000)
    assert.equal(inventory.byAddress('192.0.2.10'), a)
    inventory.forget(a.id)
    assert.equal(inventory.byAddress('192.0.2.10'), undefined)
    assert.equal(inventory.byAddress('192.0.2.20'), b)
  })
})

describe('the store of devices', () => {
  it('comes back with counters and addresses, gone until seen', () => {
    const before = inventoryOf()
    const entry = see(before, BOUGHT, '192.0.2.10')
    see(before, BOUGHT, '2001:db8:1::10', 2000)
    see(before, '', '192.0.2.99')
    entry.count(10, 20, 1, 2, 0)
    const stored = [...before.all()].map(deviceMessage)
    const after = inventoryOf()
    after.restore(stored, parseMac)
    assert.deepEqual(after.takeChanges(), [])
    assert.deepEqual(
      [...after.all()].map(deviceMessage),
      stored.map((device) => ({ ...device, present: false })),
    )
    assert.equal(after.byMac(parseMac(BOUGHT) as number)?.id, entry.id)
    assert.equal(after.byAddress('2001:db8:1::10')?.id, entry.id)
    const again = see(after, BOUGHT, '192.0.2.10', 9000)
    assert.equal(again.sentBytes, 10)
    assert.deepEqual(said(after.takeChanges()), [`changed ${entry.id} present`])
    assert.deepEqual(deviceMessage(again).ips, ['192.0.2.10', '2001:db8:1::10'])
    assert.equal(see(after, '', '192.0.2.99').id, stored[1]?.id)
  })

  it('gives an address that two had to the one that was seen with it last', () => {
    const before = inventoryOf()
    see(before, A, '192.0.2.10', 5000)
    const first = [...before.all()].map(deviceMessage)
    const later = inventoryOf()
    see(later, B, '192.0.2.10', 9000)
    for (const stored of [
      [...first, ...[...later.all()].map(deviceMessage)],
      [...[...later.all()].map(deviceMessage), ...first],
    ]) {
      const after = inventoryOf()
      after.restore(stored, parseMac)
      assert.equal(after.byAddress('192.0.2.10')?.mac, parseMac(B))
    }
  })

  it('is taken up to the cap, and no device twice', () => {
    const before = inventoryOf()
    for (let i = 0; i < 40; i++) see(before, `02:00:00:00:01:${(16 + i).toString(16)}`, '')
    const stored = [...before.all()].map(deviceMessage)
    const after = inventoryOf(20)
    after.restore([...stored, ...stored], parseMac)
    assert.equal(after.size, 20)
  })
})

describe('a full table', () => {
  it('forgets the device unseen for longest, with its addresses', () => {
    const inventory = inventoryOf(16)
    const macOf = (i: number): string => `02:00:00:00:02:${i.toString(16).padStart(2, '0')}`
    for (let i = 0; i < 16; i++) see(inventory, macOf(i), `192.0.2.${i + 1}`, 1000 + i)
    see(inventory, macOf(0), '192.0.2.1', 5000)
    see(inventory, A, '192.0.2.200', 6000)
    assert.equal(inventory.size, 16)
    assert.equal(inventory.evicted, 1)
    assert.equal(inventory.byMac(parseMac(macOf(1)) as number), undefined)
    assert.equal(inventory.byAddress('192.0.2.2'), undefined)
    assert.equal(inventory.get('020000000200')?.present, true)
    // Those that were seen since are spared in the next round, too.
    see(inventory, macOf(2), '192.0.2.3', 7000)
    see(inventory, B, '192.0.2.201', 8000)
    assert.equal(inventory.get('020000000202')?.present, true)
    assert.equal(inventory.get('020000000203'), undefined)
  })

  it('100 000 made-up MACs cost neither memory beyond the cap nor a long time', () => {
    const cap = 1024
    const inventory = inventoryOf(cap)
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    const flood = (from: number, count: number): void => {
      for (let i = from; i < from + count; i++) {
        inventory.seen(
          2 + i * 256,
          `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`,
          false,
          1000 + i,
        )
      }
    }
    const heap = (): number => {
      gc()
      return process.memoryUsage().heapUsed
    }
    flood(0, 2 * cap)
    const before = heap()
    flood(2 * cap, 100_000)
    const growth = heap() - before
    assert.equal(inventory.size, cap)
    assert.equal(inventory.evicted, 100_000 + cap)
    assert.ok([...inventory.all()].every((entry) => entry.lastSeenMs > 100_000))
    assert.ok(growth < 5_000_000, `${growth} bytes more`)
    assert.ok(inventory.takeChanges().length <= cap, 'what is told is bounded, too')
  }).timeout(10_000)

  it('of the default size takes a made-up MAC in microseconds', () => {
    const inventory = inventoryOf()
    // The processor's time: others may use it, too.
    const begun = process.cpuUsage().user
    for (let i = 0; i < 16_384 + 20_000; i++) inventory.seen(2 + i * 256, '', false, 1000 + i)
    const perDevice = (process.cpuUsage().user - begun) / 36_384
    assert.ok(perDevice < 50, `${perDevice.toFixed(1)} µs each`)
  }).timeout(30_000)
})
