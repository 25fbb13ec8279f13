// What becomes of state and of what happens while the broker is away, and what an earlier run has left on it.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Blocked } from '../../../protocol/act.ts'
import { MAX_PAYLOAD_BYTES } from '../../../protocol/topics.ts'
import { hasMosquitto } from '../../nodes/mosquitto.ts'
import { device, dns, event, flow, gateTo, info, interval, until } from './listener.ts'
import { broker, cleanUps, listener, publisher, stopAll, topics } from './publishing.ts'

describe('Publisher while the broker is away, and after', function () {
  this.timeout(60_000)
  before(function () {
    if (!hasMosquitto()) this.skip()
  })
  afterEach(stopAll)

  it('sums up what was blocked while the broker is away, and counts the connections that nobody was asked about', async () => {
    const { port } = await broker()
    const gate = await gateTo(port)
    cleanUps.push(gate.stop)
    const { publisher: one } = publisher(gate.port)
    const entry = { device_id: device(1).id, cause: 'block', direction: 'from_device' } as const
    const told = (n: number, remote: string): void =>
      one.publishBlocked({
        type: 'blocked_batch',
        seq: n,
        from_ms: n * 1000,
        to_ms: n * 1000 + 1000,
        blocked: [{ ...entry, rule_id: 'r1', remote, packets: 2, bytes: 100 }],
      })
    for (let n = 0; n < 100; n++) told(n, n % 2 === 0 ? '203.0.113.9' : '203.0.113.10')
    const end = { ip: '192.0.2.11' }
    const ids = {
      id: 'c1',
      device_id: device(1).id,
      direction: 'outbound',
      protocol: 'tcp',
    } as const
    const times = { asked_ms: 0, deadline_ms: 1, default: 'accept' } as const
    one.publishConnection({ type: 'connection', ...ids, ...times, originator: end, responder: end })
    assert.equal(one.spoolDropped, 1)
    for (let n = 0; n < 6000; n++) told(100, `198.51.100.${n}`)
    assert.equal(one.spoolDropped, 1 + 6000 - 4998)
    const heard = await listener(port, topics.blocked)
    gate.open()
    await until(() => heard.on(topics.blocked).flatMap(({ blocked }) => blocked).length === 5000)
    const batches = heard.on(topics.blocked)
    assert.deepEqual(
      batches.map(({ seq }) => seq),
      batches.map((_, i) => i + 1),
    )
    assert.deepEqual([batches[0].from_ms, batches[0].to_ms], [0, 101_000])
    assert.deepEqual(
      batches[0].blocked.slice(0, 2).map(({ packets, bytes }: Blocked) => [packets, bytes]),
      [
        [100, 5000],
        [100, 5000],
      ],
    )
    for (const { text } of heard.heard) assert.ok(Buffer.byteLength(text) <= MAX_PAYLOAD_BYTES)
  })

  it('takes off the broker what an earlier run left there, and nothing else', async () => {
    const { port } = await broker()
    const old = await listener(port, 'nothing')
    const put = async (topic: string): Promise<void> => {
      await old.client.publishAsync(topic, '{}', { retain: true, qos: 1 })
    }
    const others = [
      'homespin/house/device/not-an-id',
      `homespin/house/device/${device(1).id}/more`,
      'homespin/house/incident/NOT-ONE',
      'homespin/house/response/block',
      `homespin/attic/device/${device(2).id}`,
    ]
    const left = [topics.device(device(2).id), topics.incident('run-1')]
    for (const topic of [...others, ...left, topics.device(device(1).id)]) await put(topic)
    const { publisher: one, link } = publisher(port, { leftoverMs: 300 })
    await until(() => link.connected)
    one.publishDevice(device(1))
    one.complete()
    // Told while it still listens.
    one.publishDevice(device(2, { name: 'back' }))
    await sleep(800)
    const heard = await listener(port)
    await until(() => heard.heard.length >= others.length + 3)
    await sleep(100)
    assert.deepEqual(
      heard.heard.map(({ topic }) => topic).sort(),
      [...others, topics.device(device(1).id), topics.device(device(2).id), topics.status].sort(),
    )
    // The same again, where it was away when an incident ended.
    const gone = topics.incident('run-2')
    await put(gone)
    link.reconnect()
    const cleared = await listener(port, gone)
    await until(() => cleared.heard.at(-1)?.text === '')
  })

  it('is not held up by a broker that is full of made-up devices', async () => {
    const { port } = await broker()
    const old = await listener(port, 'nothing')
    const put = (n: number): Promise<unknown> =>
      old.client.publishAsync(topics.device(device(n).id), 'x'.repeat(500), { retain: true })
    for (let at = 0; at < 20_000; at += 500)
      await Promise.all(Array.from({ length: 500 }, (_, n) => put(at + n)))
    const limits = { maxDevices: 100 }
    const { publisher: one, link } = publisher(port, { leftoverMs: 10_000, limits })
    await until(() => link.connected)
    const heard = await listener(port, topics.event)
    one.complete()
    const begun = performance.now()
    one.publishEvent(event(1))
    await until(() => heard.on(topics.event).length === 1, 20_000)
    console.log(`      an event meanwhile took ${Math.round(performance.now() - begun)} ms`)
    assert.equal(link.connected, true)
  })

  it('merges flows while the broker is away, and bounds and counts the rest', async () => {
    const { port } = await broker()
    const gate = await gateTo(port)
    cleanUps.push(gate.stop)
    const { publisher: one } = publisher(gate.port, {
      limits: { maxFlows: 100, maxDns: 10, maxEvents: 50, maxBacklogBytes: 1024 * 1024 },
    })
    for (let round = 0; round < 20; round++) {
      const flows = Array.from({ length: 100 }, (_, n) => flow(n, { sent_bytes: round }))
      one.publishInterval(interval(round * 1000, flows, { dns: [dns(`q${round}.example.com`)] }))
    }
    for (let n = 1; n <= 60; n++) one.publishEvent(event(n))
    assert.equal(one.spoolDropped, 10 + 10)
    one.publishInterval(interval(20_000, [flow(1000)]))
    assert.equal(one.spoolDropped, 21)
    const heard = await listener(port)
    gate.open()
    await until(() => heard.on(topics.event).length > 0 && heard.on(topics.flow).length > 0)
    await until(() => heard.on(topics.event).at(-1).seq === 60)
    const [batch] = heard.on(topics.flow)
    assert.equal(batch.flows.length, 100)
    assert.ok(
      batch.flows.slice(0, 99).every((one: { sent_bytes: number }) => one.sent_bytes === 19),
    )
    assert.deepEqual([batch.from_ms, batch.to_ms, batch.complete], [0, 21_000, false])
    assert.equal(heard.on(topics.dns)[0].dns.length, 10)
    assert.equal(heard.on(topics.event)[0].seq, 11)
  })

  it('sends its state again to a broker that forgot everything', async () => {
    const first = await broker()
    const { publisher: one, link } = publisher(first.port)
    one.publishInfo(info('one', 1000))
    for (let n = 0; n < 100; n++) one.publishDevice(device(n))
    await until(() => link.connected)
    await first.stop()
    await until(() => !link.connected)
    one.publishDevice(device(5, { name: 'renamed' }))
    await broker({ port: first.port })
    await until(() => link.connected)
    const heard = await listener(first.port)
    await until(() => heard.heard.length >= 102)
    assert.equal(heard.on(topics.device(device(5).id))[0].name, 'renamed')
  })
})
