// A big home in a real Home Assistant: three hundred devices that are all seen within a second.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import { DEVICE_ENTITIES } from '../../protocol/home-assistant.ts'
import { below } from '../figure.ts'
import { requires, succeed, until } from '../lab/process.ts'
import { requiresCore } from './core.ts'
import { HaHome } from './ha-home.ts'

const DEVICES = 300
/** Entities that are there without anybody enabling them. */
const KEYS = Object.keys(DEVICE_ENTITIES).length
const LIMIT_MS = 5000

/** A packet capture (libpcap, Ethernet) with one UDP datagram over IPv6 from each of so many devices. */
function captureOf(devices: number): Buffer {
  const head = Buffer.alloc(24)
  head.writeUInt32LE(0xa1b2c3d4, 0)
  head.writeUInt16LE(2, 4)
  head.writeUInt16LE(4, 6)
  head.writeUInt32LE(65535, 16)
  head.writeUInt32LE(1, 20)
  const parts = [head]
  for (let i = 0; i < devices; i++) {
    const frame = Buffer.alloc(14 + 40 + 8 + 16)
    frame.write('020de0ff0001', 0, 'hex')
    frame.write('020de1000000', 6, 'hex')
    frame.writeUInt16BE(i, 10)
    frame.writeUInt16BE(0x86dd, 12)
    frame.writeUInt8(0x60, 14)
    frame.writeUInt16BE(24, 18)
    frame.writeUInt8(17, 20)
    frame.writeUInt8(64, 21)
    frame.write('20010db8000100000000000000010000', 22, 'hex')
    frame.writeUInt16BE(i, 36)
    frame.write('20010db8011300000000000000000009', 38, 'hex')
    frame.writeUInt16BE(40_000, 54)
    frame.writeUInt16BE(9, 56)
    frame.writeUInt16BE(24, 58)
    const record = Buffer.alloc(16)
    record.writeUInt32LE(i * 1000, 4)
    record.writeUInt32LE(frame.length, 8)
    record.writeUInt32LE(frame.length, 12)
    parts.push(record, frame)
  }
  return Buffer.concat(parts)
}

describe('three hundred devices in Home Assistant', function () {
  this.timeout(240_000)
  const ha = new HaHome({ devices: 1 })

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl', 'tcpreplay')
    requiresCore(this)
    await ha.start()
    await ha.meet(0)
    ha.core.complaints()
  })
  after(() => ha.stop())

  it('are in its registry within seconds, and it has nothing to complain of', async () => {
    const file = join(ha.home.folder, 'many.pcap')
    writeFileSync(file, captureOf(DEVICES))
    const client = await connectAsync(ha.core.broker.url)
    let first = 0
    client.on('message', (topic) => {
      if (/_020de1[0-9a-f]{6}\/config$/.test(topic)) first ||= Date.now()
    })
    await client.subscribeAsync('homeassistant/device/+/config')
    let registered = 0
    const forget = await ha.core.subscribe(
      'subscribe_events',
      { event_type: 'device_registry_updated' },
      (event) => {
        if ((event as { data: { action: string } }).data.action === 'create') registered++
      },
    )
    const sent = Date.now()
    await succeed('ip', ha.home.inside('dev1', 'tcpreplay', '-q', '-i', 'eth0', file))
    const isHere = (): true | undefined => (registered >= DEVICES ? true : undefined)
    await until('the devices in the registry', isHere, 120_000)
    const done = Date.now()
    await forget()
    await client.endAsync(true)
    below('from the first announcement to 300 devices in the registry', done - first, LIMIT_MS)
    console.log(`      from their first packet: ${done - sent} ms`)
    const isAll = async (): Promise<true | undefined> => {
      const ids = [...(await ha.core.entities()).keys()]
      const ours = ids.filter((id) => id.startsWith('homespin_lab_020de1'))
      return ours.length === DEVICES * KEYS ? true : undefined
    }
    await until('all their entities', isAll, 60_000, 500)
    assert.deepEqual(ha.core.complaints(), [])
  })
})
