import assert from 'node:assert/strict'
import type { HassConnection } from '../../panel/src/card/hass.ts'
import { LiveAgent } from '../../panel/src/card/live-agent.ts'
import { LiveFeed } from '../../panel/src/card/live-feed.ts'
import { readFlowBatch, readIncident } from '../../panel/src/card/live-messages.ts'
import { until } from '../lab/process.ts'

const TV = '020de0000001'
const NAS = '020de0000002'

const flow = (id: string, sent: number, received: number, more: object = {}): object => ({
  type: 'flow',
  id,
  device_id: TV,
  direction: 'outbound',
  protocol: 'tcp',
  originator: { ip: '192.0.2.11', port: 50_000 },
  responder: { ip: '203.0.113.9', port: 443 },
  remote_name: 'video.example.net',
  sent_bytes: sent,
  received_bytes: received,
  sent_packets: 1,
  received_packets: 1,
  first_ms: 1000,
  last_ms: 2000,
  state: 'active',
  ...more,
})

const batch = (second: number, flows: object[], part = 1, parts = 1) => {
  const span = { from_ms: second * 1000, to_ms: (second + 1) * 1000 }
  const head = { type: 'flow_batch', seq: second, ...span, part, parts, complete: true }
  const read = readFlowBatch(JSON.stringify({ ...head, flows }))
  assert.ok(read)
  return read
}

describe('panel: the card, live', () => {
  it('asks again where Home Assistant refuses', async () => {
    const asked: string[] = []
    let held = 0
    let ended = 0
    const connection: HassConnection = {
      subscribeMessage: async (_take, { topic }) => {
        asked.push(String(topic))
        if (asked.length <= 3) throw { code: 'unknown_command', message: 'MQTT is not set up' }
        held += 1
        return async () => {
          ended += 1
        }
      },
    }
    const feed = new LiveFeed(connection, 'homespin', () => {}, 2)
    feed.start(['home'])
    await until('both are taken', () => (held === 2 ? true : undefined), 5000, 2)
    assert.equal(new Set(asked).size, 2)
    feed.stop()
    await until('both end', () => (ended === 2 ? true : undefined), 5000, 2)
  })

  it('makes rates of counters, over all parts of a second', () => {
    const live = new LiveAgent()
    assert.equal(live.rate(TV), undefined)
    assert.equal(live.takeFlows(batch(1, [flow('a', 100, 1000)]), 0), true)
    assert.deepEqual(live.rate(TV), { sent: 100, received: 1000 })
    assert.equal(live.takeFlows(batch(2, [flow('a', 150, 3000)], 1, 2), 1000), false)
    const local = { direction: 'local', peer_device_id: NAS, first_ms: 2500 }
    assert.equal(live.takeFlows(batch(2, [flow('b', 40, 60, local)], 2, 2), 1000), true)
    assert.deepEqual(live.rate(TV), { sent: 90, received: 2060 })
    assert.deepEqual(live.rate(NAS), { sent: 60, received: 40 })
    assert.deepEqual(
      live.remotes(TV).map(({ remote, received_bytes, rate }) => [remote, received_bytes, rate]),
      [['video.example.net', 3000, 2050]],
    )
  })

  it('does not take the life of a long flow for a second of it', () => {
    const live = new LiveAgent()
    live.takeFlows(batch(100, [flow('old', 1e9, 1e9)]), 0)
    assert.deepEqual(live.rate(TV), { sent: 0, received: 0 })
  })

  it('says whether the last second was seen whole', () => {
    const live = new LiveAgent()
    assert.equal(live.isWhole, undefined)
    live.takeFlows(batch(1, []), 0)
    assert.equal(live.isWhole, true)
    live.takeFlows({ ...batch(2, []), complete: false }, 1000)
    assert.equal(live.isWhole, false)
  })

  it('forgets the present when it hears nothing', () => {
    const live = new LiveAgent()
    live.takeFlows(batch(1, [flow('a', 100, 1000)]), 0)
    assert.equal(live.rest(3000), false)
    assert.equal(live.rest(4000), true)
    assert.equal(live.rate(TV), undefined)
    assert.equal(live.rest(5000), false)
  })

  it('closes an incident with the topic that is cleared', () => {
    const live = new LiveAgent()
    const raw = { type: 'incident', id: 'i-1', device_id: TV, kind: 'beacon', severity: 'low' }
    const more = {
      state: 'open',
      opened_ms: 5,
      sentence: 'x',
      params: { a: 1, b: {} },
      evidence: 3,
    }
    const incident = readIncident(JSON.stringify({ ...raw, ...more }), 'i-1')
    assert.deepEqual(incident?.params, { a: 1 })
    assert.deepEqual(incident?.evidence, [])
    live.takeIncident('i-1', incident)
    assert.equal(live.incidents(TV).length, 1)
    live.takeIncident('unknown', undefined)
    live.takeIncident('i-1', undefined)
    assert.deepEqual(live.incidents(TV), [])
  })

  it('takes nothing that is no message', () => {
    const good = JSON.stringify({ ...batch(1, []), flows: [flow('a', 1, 1)] })
    assert.equal(readFlowBatch(good)?.flows.length, 1)
    for (const text of ['', '{', 'null', '7', '[]', '{"type":"flow_batch"}', 'x'.repeat(70_000)]) {
      assert.equal(readFlowBatch(text), undefined)
      assert.equal(readIncident(text, 'i-1'), undefined)
    }
    const odd = [
      null,
      flow('b', -1, 0),
      flow('c', 1, 1, { device_id: '../x' }),
      flow('d', 1, 1, { responder: 'x' }),
      flow('e', 1, 1, { remote_name: {} }),
    ]
    const read = readFlowBatch(JSON.stringify({ ...batch(1, []), flows: odd }))
    assert.deepEqual(read?.flows, [])
    const other = { type: 'incident', id: 'i-2', device_id: TV, kind: 'beacon', severity: 'low' }
    assert.equal(readIncident(JSON.stringify({ ...other, opened_ms: 1 }), 'i-1'), undefined)
  })
})
