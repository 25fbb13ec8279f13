import assert from 'node:assert/strict'
import { parseMac } from '../../../agent/address.ts'
import type { DeviceEntry } from '../../../agent/inventory/inventory.ts'
import { deviceMessage, Inventory } from '../../../agent/inventory/inventory.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const T = 1_790_000_000_000
const CAP = 64

class Bench {
  readonly ordered = new Set<string>()
  readonly inventory: Inventory
  #next = 0

  constructor(maxDevices = CAP) {
    this.inventory = new Inventory({
      vendorOf: () => undefined,
      maxDevices,
      isOrdered: (id) => this.ordered.has(id),
    })
  }

  /** The real device with this number. */
  see(number: number, timeMs = T): DeviceEntry {
    return this.inventory.seen(2 ** 40 + number * 2, `192.0.2.${number}`, false, timeMs)
  }

  /** Made-up devices, each seen once. */
  flood(count: number, timeMs: number): void {
    for (let i = 0; i < count; i++) {
      this.inventory.seen(2 ** 41 + this.#next++ * 256 + 2, '', false, timeMs + i * 0.01)
    }
  }

  get real(): number {
    return [...this.inventory.all()].filter(({ mac }) => mac < 2 ** 41).length
  }
}

describe('a full table of devices', () => {
  const kept: [what: string, prepare: (bench: Bench, entry: DeviceEntry) => void][] = [
    ['a person named', ({ inventory }, entry) => inventory.name(entry, 'my TV', 'user')],
    [
      'Home Assistant named',
      ({ inventory }, entry) => inventory.name(entry, 'TV', 'home_assistant'),
    ],
    ['DHCP named', ({ inventory }, entry) => inventory.name(entry, 'tv', 'dhcp')],
    ['something was ordered about', ({ ordered }, entry) => ordered.add(entry.id)],
    ['were seen for some hours', () => {}],
  ]
  for (const [what, prepare] of kept) {
    it(`keeps devices that ${what} in a flood of made-up ones`, () => {
      const bench = new Bench()
      for (let number = 1; number <= 20; number++) {
        prepare(bench, bench.see(number, what.includes('hours') ? T - 5 * HOUR : T))
        bench.see(number, T)
      }
      bench.flood(20_000, T + 1000)
      assert.equal(bench.real, 20)
      assert.equal(bench.inventory.size, CAP)
      assert.equal(bench.inventory.evicted, 20_000 - (CAP - 20))
      assert.equal(bench.inventory.refused, 0)
    })
  }

  it('keeps what an earlier run has stored', () => {
    const before = new Bench()
    for (let number = 1; number <= 20; number++) before.see(number)
    const bench = new Bench()
    bench.inventory.restore([...before.inventory.all()].map(deviceMessage), parseMac)
    bench.flood(20_000, T + HOUR)
    assert.equal(bench.real, 20)
  })

  it('has room for newcomers even where a flood was stored', () => {
    const before = new Bench()
    for (let number = 1; number <= 10; number++) {
      before.inventory.name(before.see(number), 'mine', 'user')
    }
    before.flood(1000, T)
    const bench = new Bench()
    bench.inventory.restore([...before.inventory.all()].map(deviceMessage), parseMac)
    assert.equal(bench.inventory.size, CAP)
    assert.equal(bench.real, 10)
    for (let number = 11; number <= 20; number++) bench.see(number, T + HOUR)
    assert.equal(bench.real, 20)
    assert.equal(bench.inventory.refused, 0)
  })

  it('keeps a newcomer that goes on before those that were seen once', () => {
    const bench = new Bench()
    bench.see(1, T)
    bench.see(1, T + 60_000)
    bench.flood(5000, T + 61_000)
    assert.equal(bench.real, 1)
  })

  it('refuses newcomers where all others are known, and counts each time', () => {
    const bench = new Bench(16)
    for (let number = 1; number <= 16; number++) bench.ordered.add(bench.see(number).id)
    bench.inventory.takeChanges()
    for (let i = 0; i < 3; i++) {
      const refused = bench.see(99, T + i)
      assert.deepEqual([refused.listed, refused.id], [false, 'c60000000001'])
    }
    assert.deepEqual([bench.inventory.size, bench.inventory.refused, bench.real], [16, 3, 16])
    assert.equal(bench.inventory.byAddress('192.0.2.99'), undefined)
    assert.deepEqual(bench.inventory.takeChanges(), [])
    bench.ordered.delete(bench.see(3).id)
    assert.equal(bench.see(99, T + 500).listed, false, 'it is looked again in a second')
    assert.equal(bench.see(99, T + 2000).listed, true)
    assert.equal(bench.inventory.get(bench.see(99, T + 2000).id)?.listed, true)
  })

  it('gives up devices that named themselves when they are silent', () => {
    const bench = new Bench(16)
    for (let number = 1; number <= 8; number++) {
      bench.inventory.name(bench.see(number, T), 'phone', 'dhcp')
    }
    for (let number = 9; number <= 16; number++) {
      bench.see(number, T - 5 * HOUR)
      bench.see(number, T)
    }
    bench.flood(100, T + 0.5 * HOUR)
    assert.deepEqual([bench.real, bench.inventory.refused], [16, 100])
    bench.flood(100, T + 2 * HOUR)
    assert.ok(bench.real < 16 && bench.real >= 14, 'newcomers go first once there are some')
    for (let number = 9; number <= 16; number++) {
      assert.equal(bench.inventory.byAddress(`192.0.2.${number}`)?.listed, true)
    }
  })

  it('gives up what nobody has named or ordered anything about after a week', () => {
    const bench = new Bench(16)
    for (let number = 1; number <= 16; number++) {
      bench.see(number, T - 5 * HOUR)
      const entry = bench.see(number, T)
      if (number <= 8) bench.inventory.name(entry, 'mine', 'user')
    }
    bench.flood(10, T + 6 * DAY)
    assert.deepEqual([bench.real, bench.inventory.refused], [16, 10])
    bench.flood(10, T + 8 * DAY)
    assert.ok(bench.real < 16)
    for (let number = 1; number <= 8; number++) {
      assert.equal(bench.inventory.byAddress(`192.0.2.${number}`)?.listed, true)
    }
  })

  it('does not let go of one about which something was ordered while it was next to go', () => {
    const bench = new Bench()
    for (let number = 1; number <= 40; number++) bench.see(number, T + number)
    bench.flood(CAP - 40 + 1, T + 1000)
    const next = [...bench.inventory.all()][0] as DeviceEntry
    bench.ordered.add(next.id)
    bench.flood(1000, T + 2000)
    assert.equal(bench.inventory.get(next.id), next)
  })
})
