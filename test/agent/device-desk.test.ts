import assert from 'node:assert/strict'
import { parseMac } from '../../agent/address.ts'
import { DeviceDesk } from '../../agent/device-desk.ts'
import { deviceMessage, Inventory } from '../../agent/inventory/inventory.ts'
import type { Device } from '../../protocol/messages.ts'

class Bench {
  readonly inventory = new Inventory({ vendorOf: () => undefined, maxDevices: 200 })
  readonly said: string[] = []
  readonly sentences: string[] = []
  /** Bytes of what was told: as they were stored, and of that moment. */
  readonly counted: [stored: number, live: number][] = []
  saves = true
  readonly desk = new DeviceDesk({
    inventory: this.inventory,
    goneAfterMs: 600_000,
    save: (devices) => {
      this.said.push(`save ${devices.map((d) => d.id.slice(-2)).join()}`)
      return this.saves
    },
    changed: () => {},
    tell: (device, live) => {
      this.said.push(`tell ${device.id.slice(-2)}`)
      this.counted.push([device.sent_bytes, live.sent_bytes])
    },
    forget: (id) => this.said.push(`forget ${id.slice(-2)}`),
    event: (event) => {
      this.said.push(`${event.kind} ${event.device?.id.slice(-2)}`)
      this.sentences.push(event.sentence)
    },
  })

  see(n: number, timeMs: number, ip = `192.0.2.${n}`): void {
    this.inventory.seen(2 + n * 2 ** 40, ip, false, timeMs)
  }

  tick(nowMs: number): string[] {
    this.said.length = 0
    this.desk.tick(nowMs)
    return [...this.said]
  }
}

describe('devices on their way out', () => {
  const T = 1_000_000_000

  it('are stored before they are told, new ones at once, counters every half minute', () => {
    const bench = new Bench()
    bench.tick(T)
    bench.see(1, T + 1)
    assert.deepEqual(bench.tick(T + 1000), ['save 01', 'tell 01', 'device_new 01'])
    bench.see(1, T + 2000)
    assert.deepEqual(bench.tick(T + 2000), [])
    assert.deepEqual(bench.tick(T + 30_000), ['save 01', 'tell 01'])
    assert.deepEqual(bench.tick(T + 60_000), [], 'nothing was seen since')
  })

  it('are taken off the broker when they are forgotten for others', () => {
    const bench = new Bench()
    for (let n = 1; n <= 200; n++) bench.see(n, T + n)
    bench.tick(T + 500)
    bench.see(201, T + 600)
    const said = bench.tick(T + 1000)
    assert.equal(said[0], 'forget 01')
    assert.equal(said.filter((line) => line.startsWith('forget')).length, 1)
  })

  it('that somebody named stay stored and told in a flood of made-up ones', () => {
    const bench = new Bench()
    for (let n = 1; n <= 20; n++) {
      bench.see(n, T)
      const entry = bench.inventory.byMac(2 + n * 2 ** 40)
      assert.ok(entry !== undefined)
      bench.inventory.name(entry, `my device ${n}`, 'user')
    }
    bench.tick(T)
    const said: string[] = []
    for (let second = 1; second <= 5; second++) {
      for (let i = 0; i < 4000; i++) {
        bench.inventory.seen(
          0x02000002 + (second * 4000 + i) * 2 ** 32,
          '',
          false,
          T + second * 1000,
        )
      }
      said.push(...bench.tick(T + second * 1000))
    }
    const mine = [...bench.inventory.all()].filter((entry) => entry.nameSource === 'user')
    assert.equal(mine.length, 20)
    const forgotten = said.filter((line) => line.startsWith('forget'))
    assert.ok(forgotten.length > 0)
    for (const { id } of mine) assert.ok(!forgotten.includes(`forget ${id}`))
    const stored = new Set(said.filter((line) => line.startsWith('tell')).map((l) => l.slice(5)))
    for (const id of forgotten.map((line) => line.slice(7))) stored.delete(id)
    assert.ok(stored.size <= 200, `${stored.size} are left in the store of 200 that there can be`)
  })

  it('of an earlier run are taken off the broker, too, when they are forgotten for others', () => {
    const before = new Bench()
    for (let n = 1; n <= 200; n++) before.see(n, T)
    const bench = new Bench()
    bench.inventory.restore([...before.inventory.all()].map(deviceMessage), parseMac)
    bench.tick(T + 1000)
    bench.see(201, T + 1001)
    const said = bench.tick(T + 2000)
    assert.equal(said.filter((line) => line.startsWith('forget')).length, 1)
  })

  it('that were forgotten are not stored again by what was still to be told of them', () => {
    const bench = new Bench()
    bench.see(1, T)
    bench.tick(T)
    bench.see(1, T + 1, '192.0.2.99')
    bench.inventory.forget('020000000001')
    assert.deepEqual(bench.tick(T + 1000), [])
  })

  it('are told as gone once, and as changed when they come back', () => {
    const bench = new Bench()
    bench.see(1, T)
    bench.tick(T)
    const gone = bench.tick(T + 610_000)
    assert.deepEqual(gone.slice(0, 3), ['save 01', 'tell 01', 'device_gone 01'])
    assert.deepEqual(bench.tick(T + 620_000), [])
    bench.see(1, T + 625_000)
    bench.see(1, T + 625_000, '192.0.2.99')
    assert.deepEqual(bench.tick(T + 626_000), ['save 01', 'tell 01', 'device_changed 01'])
    assert.deepEqual(bench.sentences, [
      'A new device: 192.0.2.1',
      '192.0.2.1 has not been seen for a while',
      '192.0.2.1 changed: present, ips',
    ])
  })

  it('that could not be stored are not told their counters, and are tried again', () => {
    const bench = new Bench()
    bench.see(1, T)
    bench.tick(T)
    bench.see(1, T + 1)
    bench.saves = false
    assert.deepEqual(bench.tick(T + 30_000), ['save 01'])
    bench.saves = true
    assert.deepEqual(bench.tick(T + 60_000), ['save 01', 'tell 01'])
  })

  it('are never told counters that a crash would take back', () => {
    const bench = new Bench()
    bench.see(1, T)
    const [entry] = bench.inventory.all()
    assert.ok(entry !== undefined)
    const { id } = entry
    const show = (bytes: number): [number, number] | undefined => {
      entry.count(bytes, 0, 1, 0, entry.lastSeenMs + 1)
      bench.desk.show(entry)
      return bench.counted.at(-1)
    }
    assert.deepEqual(show(10), [0, 10], 'nothing is stored yet')
    bench.tick(T)
    assert.deepEqual(bench.counted.at(-1), [10, 10])
    assert.deepEqual(show(5), [10, 15])
    // A full disk: its address is told, its counters are not.
    bench.saves = false
    bench.see(1, T + 100, '192.0.2.77')
    bench.tick(T + 1000)
    assert.deepEqual(bench.counted.at(-1), [10, 15])
    bench.tick(T + 30_000)
    assert.deepEqual(show(1), [10, 16])
    bench.saves = true
    bench.tick(T + 60_000)
    assert.deepEqual(bench.counted.at(-1), [16, 16])
    // The next run begins with what is stored.
    const next = new Bench()
    next.see(1, T)
    const [again] = next.inventory.all()
    const device = { id, sent_bytes: 16, received_bytes: 1, sent_packets: 1, received_packets: 1 }
    next.desk.restore([device as Device])
    if (again !== undefined) next.desk.show(again)
    assert.deepEqual(next.counted, [[16, 0]])
  })

  it('go on when the clock is set back', () => {
    const bench = new Bench()
    bench.see(1, T)
    bench.tick(T)
    bench.see(1, T + 1)
    assert.deepEqual(bench.tick(T - 3_600_000), ['save 01', 'tell 01'])
  })

  it('made up by the thousand are no flood of events', () => {
    const bench = new Bench()
    bench.tick(T)
    for (let n = 0; n < 5000; n++) bench.inventory.seen(2 + n * 256, '', false, T + n)
    const said = bench.tick(T + 1000)
    assert.equal(said.filter((line) => line.startsWith('device_new')).length, 100)
    assert.ok(said.length <= 1 + 200 + 100)
  })
})
