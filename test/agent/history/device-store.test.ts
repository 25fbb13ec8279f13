import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DeviceStore } from '../../../agent/history/device-store.ts'
import { device, recordingLog } from '../mqtt/listener.ts'
import { folder, onRemove, removeAll } from './store.ts'

describe('DeviceStore', function () {
  this.timeout(60_000)
  afterEach(removeAll)

  function open(dir: string): { store: DeviceStore; lines: string[] } {
    const log = recordingLog()
    const store = new DeviceStore(join(dir, 'devices.db'), log)
    store.start()
    onRemove(() => store.stop())
    return { store, lines: log.lines }
  }

  it('gives back what was stored, after a kill too', () => {
    const dir = folder()
    const script = `
      const { DeviceStore } = await import('./agent/history/device-store.ts')
      const { createLog } = await import('./agent/log.ts')
      const { device } = await import('./test/agent/mqtt/listener.ts')
      const store = new DeviceStore(process.argv[1], createLog('error'))
      store.start()
      for (let n = 1; n <= 50; n++) store.saveDevices([device(1, { sent_bytes: n }), device(2)])
      store.deleteDevice(device(2).id)
      process.kill(process.pid, 'SIGKILL')`
    assert.throws(() =>
      execFileSync(
        process.execPath,
        ['--input-type=module', '-e', script, join(dir, 'devices.db')],
        { stdio: 'pipe' },
      ),
    )
    const { store, lines } = open(dir)
    assert.deepEqual(store.loadDevices(), [device(1, { sent_bytes: 50 })])
    assert.deepEqual(lines, [])
    assert.equal(statSync(join(dir, 'devices.db')).mode & 0o777, 0o600)
  })

  it('leaves out records that are no devices, and sets a damaged file aside', () => {
    const dir = folder()
    const first = open(dir)
    first.store.saveDevices([device(1)])
    first.store.stop()
    const db = new DatabaseSync(join(dir, 'devices.db'))
    for (const record of [
      '{',
      'null',
      '{}',
      JSON.stringify(device(3)),
      JSON.stringify({ ...device(4), sent_bytes: -1 }),
    ]) {
      db.prepare('INSERT OR REPLACE INTO device VALUES (?, ?)').run(`x${record.length}`, record)
    }
    db.close()
    const second = open(dir)
    assert.deepEqual(second.store.loadDevices(), [device(1)])
    second.store.stop()
    writeFileSync(join(dir, 'devices.db'), readFileSync(join(dir, 'devices.db')).fill(0x41, 0, 60))
    const last = open(dir)
    assert.deepEqual(last.store.loadDevices(), [])
    assert.match(last.lines[0] as string, /list of devices is damaged/)
    assert.equal(last.store.saveDevices([device(2)]), true)
    assert.deepEqual(last.store.loadDevices(), [device(2)])
  })
})
