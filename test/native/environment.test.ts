import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Conversation, pcap } from './packets.ts'

const facade = new URL('../../native/index.ts', import.meta.url).href

/** Reads a file and tells what it counted. */
const READ = `
  import { parentPort, workerData } from 'node:worker_threads'
  import { createCapture } from '${facade}'
  const capture = createCapture()
  capture.readFile(workerData)
  capture.start(() => {
    const batch = capture.drain()
    if (batch.ended) parentPort.postMessage(batch.counters.packets)
  })`

/** Reads and follows without an end, and never stops by itself. */
const ENDLESS = `
  import { createCapture, createNetlink } from '${facade}'
  import { execFileSync } from 'node:child_process'
  const capture = createCapture()
  capture.readFile(FIFO)
  let told = 0
  capture.start(() => { capture.drain(); if (told++ === 0) TELL })
  createNetlink().start(() => {})`

describe('native addon and its environment', function () {
  this.timeout(20_000)
  let folder = ''
  let path = ''
  let fifo = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-env-'))
    path = join(folder, 'file.pcap')
    fifo = join(folder, 'pipe')
    const frames = Array.from({ length: 5000 }, (_, i) =>
      new Conversation({ clientPort: 1024 + i }).udp(true, Buffer.from('x')),
    )
    writeFileSync(path, pcap(frames))
    assert.equal(spawnSync('mkfifo', [fifo]).status, 0)
  })
  after(() => rmSync(folder, { recursive: true }))

  const worker = (code: string): Worker =>
    new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData: path })
  const endless = (tell: string): string =>
    ENDLESS.replace('FIFO', `'${fifo}'`).replace('TELL', tell)

  it('works in several workers at once', async () => {
    const workers = Array.from({ length: 4 }, () => worker(READ))
    const counts = await Promise.all(
      workers.map(async (each) => {
        // Both can come in one turn of the loop, so the second is listened to before the first is there.
        const exit = once(each, 'exit')
        const [count] = await once(each, 'message')
        await exit
        return count as number
      }),
    )
    assert.deepEqual(counts, [5000, 5000, 5000, 5000])
  })

  it('ends with a worker that is terminated while it runs', async () => {
    for (let i = 0; i < 3; i++) {
      const each = worker(
        endless(`(await import('node:worker_threads')).parentPort.postMessage(1)`).replace(
          '() => { capture',
          'async () => { capture',
        ),
      )
      await once(each, 'message')
      const start = performance.now()
      await each.terminate()
      assert.ok(performance.now() - start < 1000)
    }
  })

  it('ends with a process that exits while it runs', () => {
    const { status, signal } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', endless('process.exit(7)')],
      { timeout: 10_000 },
    )
    assert.equal(signal, null)
    assert.equal(status, 7)
  })

  it('does not keep a process that has read to the end, or was stopped, and leaves no handles', () => {
    const stop = `
      import { createCapture, createNetlink } from '${facade}'
      const capture = createCapture()
      capture.readFile('${fifo}')
      capture.start(() => {})
      const netlink = createNetlink()
      netlink.start(() => {})
      setTimeout(() => { capture.stop(); capture.stop(); netlink.stop(); netlink.stop() }, 50)`
    const read = READ.replace('workerData)', `'${path}')`).replace(
      'parentPort.postMessage(batch.counters.packets)',
      'console.log(batch.counters.packets)',
    )
    for (const [code, out] of [
      [stop, ''],
      [read, '5000\n'],
    ] as const) {
      const { status, signal, stdout, stderr } = spawnSync(
        process.execPath,
        ['--input-type=module', '-e', code],
        { timeout: 10_000 },
      )
      assert.equal(signal, null)
      assert.equal(status, 0, stderr.toString())
      assert.equal(stdout.toString(), out)
    }
  })

  it('frees a capture that nobody holds any more', async () => {
    const code = `
      import { createCapture } from '${facade}'
      for (let round = 0; round < 300; round++) {
        const capture = createCapture({ maxFlows: 131072 })
        capture.readFile('${path}')
        await new Promise((resolve) => capture.start(() => { if (capture.drain().ended) resolve() }))
        if (round % 20 === 0) { globalThis.gc(); await new Promise(setImmediate) }
      }
      console.log(process.memoryUsage().rss)`
    const { stdout, status, stderr } = spawnSync(
      process.execPath,
      ['--expose-gc', '--input-type=module', '-e', code],
      { timeout: 20_000 },
    )
    assert.equal(status, 0, stderr.toString())
    assert.ok(Number(stdout.toString()) < 300 * 2 ** 20, stdout.toString())
  })
})
