import assert from 'node:assert/strict'
import { FlowMemory } from '../../nodes/flow-memory.ts'
import { TrafficSummary } from '../../nodes/summary.ts'
import type { Flow, FlowBatch } from '../../protocol/messages.ts'
import { CAMERA, flow, LAMP } from './agent-double.ts'

const NONE: ReadonlySet<string> = new Set()

function batch(...flows: Flow[]): FlowBatch {
  const times = { from_ms: 2_000_000, to_ms: 2_001_000 }
  return { type: 'flow_batch', seq: 1, part: 1, parts: 1, complete: true, ...times, flows }
}

describe('nodes/flow-memory', () => {
  it('turns cumulative counters into steps', () => {
    const memory = new FlowMemory()
    const steps = [
      flow({ sent_bytes: 100, received_bytes: 10 }),
      flow({ sent_bytes: 150, received_bytes: 10, state: 'active' }),
      flow({ sent_bytes: 180, received_bytes: 50, state: 'closed' }),
    ].flatMap((each) => memory.take(batch(each)))
    assert.deepEqual(
      steps.map((step) => [step.isNew, step.sent_bytes, step.received_bytes]),
      [
        [true, 100, 10],
        [false, 50, 0],
        [false, 30, 40],
      ],
    )
    assert.equal(memory.size, 0)
  })

  it('counts a flow that was there before only from its first word on', () => {
    const memory = new FlowMemory()
    const old = { first_ms: 1_999_999, state: 'active' } as const
    const [first] = memory.take(batch(flow({ ...old, sent_bytes: 5000 })))
    const [second] = memory.take(batch(flow({ ...old, sent_bytes: 5010 })))
    assert.deepEqual([first?.isNew, first?.sent_bytes, first?.received_bytes], [false, 0, 0])
    assert.equal(second?.sent_bytes, 10)
  })

  it('knows a flow that began and ended at once as new', () => {
    const [step] = new FlowMemory().take(batch(flow({ state: 'closed', closed_by: 'fin' })))
    assert.deepEqual([step?.isNew, step?.sent_bytes], [true, 100])
  })

  it('holds no more than its limit, and forgets what was quiet for longest', () => {
    const memory = new FlowMemory(2)
    memory.take(batch(flow({ id: 'a' }), flow({ id: 'b' })))
    memory.take(batch(flow({ id: 'a', sent_bytes: 110, state: 'active' }), flow({ id: 'c' })))
    assert.equal(memory.size, 2)
    const [kept] = memory.take(batch(flow({ id: 'a', sent_bytes: 115, state: 'active' })))
    assert.equal(kept?.sent_bytes, 5)
  })
})

describe('nodes/summary', () => {
  it('adds up per device and remote, most bytes first', () => {
    const memory = new FlowMemory()
    const summary = new TrafficSummary(1000, true)
    const steps = memory.take(
      batch(
        flow({ id: 'a' }),
        flow({ id: 'b', remote_name: 'b.example.com', sent_bytes: 5000 }),
        flow({ id: 'c', device_id: LAMP, remote_name: undefined, sent_bytes: 1 }),
      ),
    )
    for (const step of steps) summary.add(step)
    const [camera, lamp, ...others] = summary.end(2000, NONE, true)
    assert.deepEqual(camera, {
      type: 'traffic_summary',
      device_id: CAMERA,
      from_ms: 1000,
      to_ms: 2000,
      complete: true,
      sent_bytes: 5100,
      received_bytes: 400,
      flows: 2,
      new_flows: 2,
      remotes: [
        { remote: 'b.example.com', sent_bytes: 5000, received_bytes: 200 },
        { remote: 'api.example.com', sent_bytes: 100, received_bytes: 200 },
      ],
    })
    assert.equal(lamp?.remotes[0]?.remote, '203.0.113.9')
    assert.deepEqual(others, [])
    assert.deepEqual(summary.end(3000, NONE, true), [], 'each interval begins at nothing')
  })

  it('counts a local flow at both of its ends, each seen from its own', () => {
    const summary = new TrafficSummary(0, true)
    const local = flow({ direction: 'local', peer_device_id: LAMP, remote_name: undefined })
    for (const step of new FlowMemory().take(batch(local))) summary.add(step)
    const sums = new Map(summary.end(1, NONE, true).map((sum) => [sum.device_id, sum]))
    assert.deepEqual(sums.get(CAMERA)?.remotes, [
      { remote: LAMP, sent_bytes: 100, received_bytes: 200 },
    ])
    assert.deepEqual(sums.get(LAMP)?.remotes, [
      { remote: CAMERA, sent_bytes: 200, received_bytes: 100 },
    ])
  })

  it('shows silence as zero only where it was observed', () => {
    const summary = new TrafficSummary(0, false)
    const chosen = new Set([LAMP])
    assert.deepEqual(summary.end(1, chosen, true), [], 'not there from the beginning')
    const [silent] = summary.end(2, chosen, true)
    assert.deepEqual([silent?.sent_bytes, silent?.complete], [0, true])
    summary.markIncomplete()
    assert.deepEqual(summary.end(3, chosen, true), [])
    assert.equal(summary.end(4, chosen, true).length, 1)
  })

  it('names ten remotes, puts the rest together, and loses none of their bytes', () => {
    const summary = new TrafficSummary(0, true)
    const flows = Array.from({ length: 2000 }, (_, n) =>
      flow({ id: `f${n}`, remote_name: `n${n}.example.com`, sent_bytes: n, received_bytes: 0 }),
    )
    for (const step of new FlowMemory().take(batch(...flows))) summary.add(step)
    const [sum] = summary.end(1, NONE, true)
    assert.equal(sum?.remotes.length, 11)
    assert.equal(sum?.remotes[10]?.remote, undefined)
    const bytes = sum?.remotes.reduce((total, remote) => total + remote.sent_bytes, 0)
    assert.equal(bytes, (1999 * 2000) / 2)
    assert.equal(sum?.flows, 2000)
  })

  it('remembers so many remotes over all devices, and loses no bytes of the others', () => {
    const summary = new TrafficSummary(0, true)
    const memory = new FlowMemory()
    for (let n = 0; n < 100; n += 1) {
      const device_id = n.toString(16).padStart(12, '0')
      const flows = Array.from({ length: 400 }, (_, m) =>
        flow({ id: `f${n}-${m}`, device_id, remote_name: `n${m}.example.com`, sent_bytes: 1 }),
      )
      for (const step of memory.take(batch(...flows))) summary.add(step)
    }
    assert.equal(summary.remotes, 32_768)
    const sums = summary.end(1, NONE, true)
    assert.deepEqual(
      [sums.length, new Set(sums.map((sum) => sum.sent_bytes))],
      [100, new Set([400])],
    )
    assert.equal(summary.remotes, 0)
  })
})
