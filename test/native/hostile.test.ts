import assert from 'node:assert/strict'
import { NAME_KINDS } from '../../native/layout.ts'
import { count } from '../full.ts'
import { pcap } from './packets.ts'
import type { Replay } from './replay.ts'
import { replay } from './replay.ts'
import { captures, frames, mutated, random } from './samples.ts'

function consistent({ counters, flows, rows }: Replay): void {
  assert.equal(counters.packets, counters.decoded + counters.malformed + counters.unsupported)
  assert.equal(counters.liveFlows, 0)
  assert.equal(flows.length, counters.flows)
  assert.equal(rows.filter((row) => row.state === 'closed').length, counters.flows)
  const packets = flows.reduce((sum, flow) => sum + flow.origPackets + flow.respPackets, 0)
  assert.equal(packets, counters.ipPackets)
  assert.equal(
    flows.reduce((sum, flow) => sum + flow.origBytes + flow.respBytes, 0),
    counters.ipBytes,
  )
}

/** `npm test` cuts at every third byte, from another one on each time. */
const STEP = count('TEST_CUT_STEP', 3, 1)
const MUTANTS = count('TEST_MUTANTS', 2000, 6000)
const options = { names: NAME_KINDS, maxFlows: 16 }

describe('native captures that are broken', function () {
  this.timeout(60_000)

  it('reads the whole ones', async () => {
    for (const bytes of captures()) {
      const result = await replay(bytes, options)
      consistent(result)
      assert.equal(result.error, undefined)
      assert.equal(result.counters.malformed, 0)
      assert.ok(result.counters.packets >= frames().length)
    }
  })

  it('says where it ends, cut at every byte', async () => {
    for (const bytes of captures()) {
      let whole = 0
      for (let at = process.pid % STEP; at < bytes.length; at += STEP) {
        const result = await replay(bytes.subarray(0, at), options)
        consistent(result)
        if (result.error === undefined) whole++
        else
          assert.match(
            result.error,
            /empty|ends within its header|^packet \d+ at byte \d+: the capture ends within it$/,
          )
      }
      // Between two packets or blocks nothing is missing that could be known of.
      assert.ok(whole <= frames().length + 12, `${whole} cuts went unnoticed`)
    }
  })

  it('decodes every frame cut at every byte', async () => {
    for (const frame of frames()) {
      const cut = Array.from({ length: frame.length }, (_, i) => frame.subarray(0, i))
      const snapped = cut.map((data) => ({ data, length: frame.length }))
      const results = [await replay(pcap(cut), options), await replay(pcap(snapped), options)]
      for (const result of results) {
        consistent(result)
        assert.equal(result.counters.packets, frame.length)
      }
    }
  })

  it('survives thousands of mutants, each in less than a second, without growing', async () => {
    const next = random(20260101)
    const seeds = captures()
    let before = 0
    let slowest = 0
    for (let i = 0; i < MUTANTS; i++) {
      const bytes = mutated(seeds[i % seeds.length] ?? Buffer.alloc(0), next)
      const start = performance.now()
      consistent(await replay(bytes, options))
      slowest = Math.max(slowest, performance.now() - start)
      if (i === MUTANTS / 2) before = process.memoryUsage().rss
    }
    assert.ok(slowest < 1000, `${slowest} ms`)
    const grown = process.memoryUsage().rss - before
    assert.ok(grown < 64 * 2 ** 20, `${grown} bytes more`)
  })

  it('survives mutants of frames in a sound capture', async () => {
    const next = random(7)
    for (let i = 0; i < 200; i++) {
      const bent = frames().map((frame) => mutated(frame, next))
      const result = await replay(pcap(bent), options)
      consistent(result)
      assert.equal(result.counters.packets, bent.length)
    }
  })
})
