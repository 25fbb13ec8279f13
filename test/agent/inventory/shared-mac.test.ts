import assert from 'node:assert/strict'
import { parseMac } from '../../../agent/address.ts'
import type { DeviceEntry } from '../../../agent/inventory/inventory.ts'
import { deviceMessage, Inventory } from '../../../agent/inventory/inventory.ts'
import { hostOf } from '../../../agent/inventory/shared-mac.ts'

const REPEATER = '02:00:00:00:00:0a'
const KEY = parseMac(REPEATER) as number
const OTHER = parseMac('02:00:00:00:00:0b') as number
const HOUR = 3_600_000
const DAY = 24 * HOUR
const T = 1_790_000_000_000

class Bench {
  readonly inventory = new Inventory({ vendorOf: () => undefined })

  see(ip: string, timeMs = T, mac = KEY): DeviceEntry {
    return this.inventory.seen(mac, ip, ip.includes(':'), timeMs)
  }

  claim(ip: string, timeMs = T): DeviceEntry {
    return this.inventory.claimed(KEY, ip, ip.includes(':'), timeMs)
  }

  /** Addresses `192.0.2.<from>` to `192.0.2.<to>`. */
  seeMany(from: number, to: number, timeMs = T): void {
    for (let i = from; i <= to; i++) this.see(`192.0.2.${i}`, timeMs)
  }

  get mac(): DeviceEntry {
    return this.inventory.byMac(KEY) as DeviceEntry
  }

  /** What each address belongs to: `itself` is a device that is known by it alone. */
  owner(ip: string): string | undefined {
    const entry = this.inventory.byAddress(ip)
    return entry?.mac === 0 ? 'itself' : entry?.id
  }
}

describe('a MAC that carries many addresses', () => {
  it('is shared with the ninth, and each of them becomes a device of its own', () => {
    const bench = new Bench()
    bench.seeMany(1, 8)
    assert.equal(bench.mac.shared, false)
    bench.mac.count(800, 80, 8, 8, T)
    bench.inventory.takeChanges()
    const ninth = bench.see('192.0.2.9')
    assert.equal(bench.mac.shared, true)
    assert.equal(deviceMessage(bench.mac).shared, true)
    assert.deepEqual(deviceMessage(bench.mac).ips, [])
    assert.equal(bench.mac.sentBytes, 800, 'what it has counted stays its own')
    assert.match(ninth.id, /^[0-9a-f]{16}$/)
    for (let i = 1; i <= 9; i++) assert.equal(bench.owner(`192.0.2.${i}`), 'itself')
    const changes = bench.inventory.takeChanges()
    assert.deepEqual(changes[0], {
      kind: 'device_changed',
      entry: bench.mac,
      changed: ['shared', 'name', 'ips'],
    })
    assert.equal(changes.filter(({ kind }) => kind === 'device_new').length, 9)
    const tenth = bench.see('192.0.2.50')
    assert.match(tenth.id, /^[0-9a-f]{16}$/)
    assert.equal(bench.see('192.0.2.50'), tenth)
    assert.equal(bench.see('192.0.2.9'), ninth)
    assert.equal(bench.see(''), bench.mac, 'no address')
    assert.equal(bench.inventory.size, 11)
  })

  it('has flows that ask anew whose they are', () => {
    const bench = new Bench()
    bench.seeMany(1, 8)
    const { epoch } = bench.mac
    bench.see('192.0.2.9')
    assert.notEqual(bench.mac.epoch, epoch)
  })

  it('keeps the address that it alone says is its own', () => {
    const bench = new Bench()
    bench.claim('192.0.2.3')
    bench.claim('fe80::3')
    bench.seeMany(1, 9)
    assert.deepEqual(deviceMessage(bench.mac).ips.sort(), ['192.0.2.3', 'fe80::3'])
    assert.equal(bench.see('192.0.2.3'), bench.mac)
    assert.equal(bench.owner('192.0.2.4'), 'itself')
  })

  it('keeps none where it answers ARP for all that it carries, but what DHCP gave it', () => {
    for (const lease of [false, true]) {
      const bench = new Bench()
      for (let i = 1; i <= 8; i++) bench.claim(`192.0.2.${i}`)
      if (lease) bench.inventory.leased(KEY, '192.0.2.8', T)
      bench.claim('192.0.2.9')
      assert.deepEqual(deviceMessage(bench.mac).ips, lease ? ['192.0.2.8'] : [])
    }
  })

  it('is given its own address by DHCP also when it is shared already', () => {
    const bench = new Bench()
    bench.seeMany(1, 9)
    bench.inventory.leased(KEY, '192.0.2.5', T)
    assert.equal(bench.see('192.0.2.5'), bench.mac)
    assert.equal(bench.owner('192.0.2.6'), 'itself')
  })

  it('keeps IPv6 addresses that are made of it', () => {
    const bench = new Bench()
    bench.see('2001:db8:1::ff:fe00:a')
    bench.see('2001:db8:1:0:0:00ff:fe00:b')
    bench.seeMany(1, 9)
    assert.deepEqual(deviceMessage(bench.mac).ips, ['2001:db8:1::ff:fe00:a'])
  })

  it('does not take an address that a device with a MAC of its own uses', () => {
    const bench = new Bench()
    const victim = bench.see('192.0.2.100', T, OTHER)
    bench.seeMany(1, 9)
    const liar = bench.see('192.0.2.100')
    assert.notEqual(liar, victim)
    assert.equal(bench.see('192.0.2.100', T, OTHER), victim)
    assert.equal(bench.inventory.byAddress('192.0.2.100'), victim)
  })

  it('is not one that changes its address now and then', () => {
    const bench = new Bench()
    for (let i = 2; i <= 30; i++) bench.see(`192.0.2.${i}`, T + i * 0.2 * HOUR)
    assert.equal(bench.mac.shared, false)
  })

  it('is not shared any more after a day without as many, nor before', () => {
    const bench = new Bench()
    bench.seeMany(1, 9)
    const address = bench.see('192.0.2.7')
    // Some devices only, at night.
    for (let hour = 1; hour < 20; hour++) bench.seeMany(1, 3, T + hour * HOUR)
    assert.equal(bench.mac.shared, true)
    bench.seeMany(1, 12, T + 20 * HOUR)
    bench.seeMany(1, 3, T + 30 * HOUR)
    assert.equal(bench.mac.shared, true, 'it held for another day')
    bench.inventory.takeChanges()
    assert.equal(bench.see('192.0.2.7', T + 20 * HOUR + DAY + 1), bench.mac)
    assert.equal(bench.mac.shared, false)
    assert.ok(
      bench.inventory
        .takeChanges()
        .some((change) => change.kind === 'device_changed' && change.changed.includes('shared')),
    )
    assert.equal(bench.inventory.get(address.id), address, 'what was a device stays one')
    assert.equal(bench.inventory.byAddress('192.0.2.7'), bench.mac)
    bench.seeMany(20, 27, T + 45 * HOUR)
    assert.equal(bench.mac.shared, true, 'and again')
    assert.equal(bench.see('192.0.2.20', T + 45 * HOUR).mac, 0)
  })

  it('comes back shared from the store, with the devices behind it', () => {
    const bench = new Bench()
    bench.claim('192.0.2.1')
    bench.seeMany(1, 9)
    const behind = bench.see('192.0.2.5')
    behind.count(10, 20, 1, 2, T)
    const after = new Bench()
    after.inventory.restore([...bench.inventory.all()].map(deviceMessage), parseMac)
    assert.equal(after.mac.shared, true)
    assert.equal(after.see('192.0.2.1', T + HOUR), after.mac)
    const again = after.see('192.0.2.5', T + HOUR)
    assert.deepEqual([again.id, again.sentBytes], [behind.id, 10])
    assert.equal(after.see('192.0.2.1', T + 2 * DAY).shared, false)
  })
})

describe('hosts of IPv6 behind one MAC', () => {
  const hosts: [ip: string, host: string | undefined][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['fe80::1', '0000000000000001'],
    ['fe80::202:b3ff:fe1e:8329', '0202b3fffe1e8329'],
    ['2001:db8:1::202:b3ff:fe1e:8329', '0202b3fffe1e8329'],
    ['2001:db8:1::1', undefined],
    ['2001:db8:1:0:8d2f:1a3c:77e0:5b21', undefined],
  ]
  for (const [ip, host] of hosts) {
    it(`${ip}: ${host ?? 'says nothing'}`, () => assert.equal(hostOf(ip), host))
  }

  it('are told apart by link-local addresses', () => {
    const bench = new Bench()
    for (let i = 1; i <= 8; i++) {
      bench.see(`fe80::${i}`)
      bench.see(`2001:db8:1::${i}`)
    }
    assert.equal(bench.mac.shared, false)
    bench.see('fe80::9')
    assert.equal(bench.mac.shared, true)
    assert.equal(bench.owner('2001:db8:1::3'), 'itself')
    assert.equal(bench.owner('fe80::3'), 'itself')
  })

  it('one with an address of each network that is made of its MAC is one host', () => {
    const bench = new Bench()
    for (let i = 1; i <= 20; i++) bench.see(`2001:db8:${i}:0:0:ff:fe00:a`)
    assert.equal(bench.mac.shared, false)
  })

  it('one with 1000 privacy addresses is one device with 32 of them', () => {
    const bench = new Bench()
    bench.claim('fe80::a')
    for (let i = 1; i <= 1000; i++) {
      bench.see(`2001:db8:1:0:${(i * 7919).toString(16).padStart(5, '1').slice(-4)}:2b3c:4d5e:${i}`)
    }
    for (let i = 1; i <= 1000; i++) bench.see(`2001:db8:1::${i.toString(16)}`)
    assert.equal(bench.inventory.size, 1)
    assert.equal(bench.mac.shared, false)
    assert.equal(deviceMessage(bench.mac).ips.length, 32)
  })
})
