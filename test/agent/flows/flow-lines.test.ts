import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addon } from '../../../agent/addon.ts'
import { FlowLines } from '../../../agent/flows/flow-lines.ts'
import { Inventory } from '../../../agent/inventory/inventory.ts'
import type { Prefix } from '../../../agent/inventory/locality.ts'
import { Locality, parsePrefix } from '../../../agent/inventory/locality.ts'
import { NameCache } from '../../../agent/names/name-cache.ts'
import { Pipeline } from '../../../agent/pipeline.ts'
import type { Flow } from '../../../protocol/messages.ts'

const root = join(import.meta.dirname, '../../..')

describe('flows as lines', function () {
  this.timeout(60_000)
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-lines-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  it('written by native say what the objects say, at every change', async () => {
    const seed = Math.floor(Math.random() * 1e6)
    const made = spawnSync(
      process.execPath,
      [join(root, 'agent/demo/main.ts'), '--seed', `${seed}`, '--speed', 'max', '--seconds', '60'],
      { maxBuffer: 1 << 28 },
    )
    assert.equal(made.status, 0, String(made.stderr))
    const file = join(folder, 'home.pcap')
    writeFileSync(file, made.stdout)
    const locality = new Locality()
    locality.setPrefixes(['192.0.2.0/24', '2001:db8:1::/64'].map((t) => parsePrefix(t) as Prefix))
    const inventory = new Inventory({ vendorOf: () => undefined })
    const pipeline = new Pipeline({
      run: 'r1',
      locality,
      inventory,
      names: new NameCache(),
      differences: false,
    })
    const lines = new FlowLines(addon.flowLines)
    const capture = addon.createCapture({ names: ['dns', 'sni'] })
    capture.readFile(file)
    let compared = 0
    await new Promise<void>((resolve, reject) => {
      capture.start(() => {
        try {
          const batch = capture.drain()
          const objects: Flow[] = []
          lines.begin(batch.flowCount)
          pipeline.take(batch, {
            flow: (flow) => {
              objects.push(flow.flow())
              lines.add(flow)
            },
            dns: () => {},
          })
          const text = lines.lines(batch.flows, batch.flowCount, 'r1').toString()
          const parsed = text.split('\n').filter((line) => line !== '')
          assert.deepEqual(
            parsed.map((line) => JSON.parse(line)),
            objects,
            `seed ${seed}`,
          )
          compared += objects.length
          if (batch.ended) resolve()
        } catch (error) {
          reject(error)
        }
      })
    })
    capture.stop()
    assert.ok(compared > 200, `${compared} flows`)
  })
})
