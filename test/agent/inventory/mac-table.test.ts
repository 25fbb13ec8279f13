import assert from 'node:assert/strict'
import { DeviceEntry } from '../../../agent/inventory/device-entry.ts'
import { MacTable } from '../../../agent/inventory/mac-table.ts'

function entry(mac: number): DeviceEntry {
  return new DeviceEntry({
    id: `${mac}`,
    mac,
    ips: new Map(),
    name: '',
    nameSource: 'address',
    vendor: undefined,
    shared: false,
    present: true,
    firstSeenMs: 1,
    lastSeenMs: 1,
    lastIp: '',
    lastIp6: '',
  })
}

describe('the table of MACs', () => {
  it('says what a Map says, through any order of additions and removals', () => {
    let seed = Math.floor(Math.random() * 2 ** 31)
    const began = seed
    const random = (limit: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
      return seed % limit
    }
    const table = new MacTable()
    const model = new Map<number, DeviceEntry>()
    // MACs of one maker, and made-up ones, up to 48 bits.
    const macs = Array.from({ length: 3000 }, (_, i) =>
      i % 2 === 0 ? 0x10de00000002 + i * 2 ** 24 : 1 + random(2 ** 24) * 2 ** 24 + random(2 ** 24),
    )
    for (let step = 0; step < 60_000; step++) {
      const mac = macs[random(macs.length)] as number
      if (random(3) === 0) {
        model.delete(mac)
        table.delete(mac)
      } else if (random(2) === 0) {
        const device = entry(mac)
        model.set(mac, device)
        table.set(mac, device)
      }
      assert.equal(table.get(mac), model.get(mac), `seed ${began}, step ${step}`)
    }
    for (const mac of macs) assert.equal(table.get(mac), model.get(mac), `seed ${began}`)
  })
})

describe('the entry of a device', () => {
  it('counts by itself, however many there are', () => {
    const entries = Array.from({ length: 500 }, (_, i) => entry(i + 1))
    for (const [i, device] of entries.entries()) device.count(i, i * 2, 1, 2, i)
    for (const [i, device] of entries.entries()) {
      const { sentBytes, receivedBytes, sentPackets, receivedPackets, lastSeenMs } = device
      const found = [sentBytes, receivedBytes, sentPackets, receivedPackets, lastSeenMs]
      assert.deepEqual(found, [i, i * 2, 1, 2, Math.max(i, 1)])
      assert.equal(device.firstSeenMs, 1)
    }
    assert.equal(new Set(entries.map(({ number }) => number)).size, 500)
  })
})
