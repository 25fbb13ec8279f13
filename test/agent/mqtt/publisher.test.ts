import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { MqttLink } from '../../../agent/mqtt/mqtt-link.ts'
import type { PublisherOptions } from '../../../agent/mqtt/publisher.ts'
import { linkNeeds, Publisher } from '../../../agent/mqtt/publisher.ts'
import { MAX_PAYLOAD_BYTES, topicsOf } from '../../../protocol/topics.ts'
import type { Mosquitto, MosquittoOptions } from '../../nodes/mosquitto.ts'
import { hasMosquitto, startMosquitto } from '../../nodes/mosquitto.ts'
import type { Listener } from './listener.ts'
import {
  device,
  dns,
  event,
  flow,
  gateTo,
  info,
  interval,
  listenTo,
  recordingLog,
  until,
} from './listener.ts'

const topics = topicsOf('house')

describe('Publisher with a real mosquitto', function () {
  this.timeout(60_000)
  const cleanUps: (() => Promise<unknown>)[] = []

  before(function () {
    if (!hasMosquitto()) this.skip()
  })

  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
  })

  async function broker(options: MosquittoOptions = {}): Promise<Mosquitto> {
    const started = await startMosquitto({
      ...options,
      config: ['max_queued_messages 0', ...(options.config ?? [])],
    })
    cleanUps.push(started.stop)
    return started
  }

  function publisher(
    port: number,
    more: Partial<PublisherOptions> = {},
  ): {
    publisher: Publisher
    link: MqttLink
    log: ReturnType<typeof recordingLog>
  } {
    const log = recordingLog()
    const link = new MqttLink({
      url: `mqtt://127.0.0.1:${port}`,
      clientIdPrefix: 'homespin-test',
      ...linkNeeds(topics),
      log,
      maxBackOffMs: 300,
    })
    const made = new Publisher({
      link,
      topics,
      instance: 'one',
      clock: { now: () => Date.now() },
      log,
      publishNames: true,
      ...more,
    })
    made.start()
    cleanUps.push(() => made.stop())
    return { publisher: made, link, log }
  }

  async function listener(
    port: number,
    filter: string | string[] = 'homespin/#',
  ): Promise<Listener> {
    const made = await listenTo(`mqtt://127.0.0.1:${port}`, filter)
    cleanUps.push(made.stop)
    return made
  }

  it('retains status, info and devices, and says offline at its end', async () => {
    const { port } = await broker()
    const { publisher: one, link } = publisher(port)
    one.publishInfo(info('one', 1000))
    one.publishDevice(device(1))
    one.publishDevice(device(2))
    await until(() => link.connected)
    one.forgetDevice(device(2).id)
    await sleep(200)
    const after = await listener(port)
    await until(() => after.heard.length >= 3)
    await sleep(100)
    assert.deepEqual(
      after.heard.map(({ topic, retained, qos }) => [topic, retained, qos]).sort(),
      [
        [topics.device(device(1).id), true, 1],
        [topics.info, true, 1],
        [topics.status, true, 1],
      ].sort(),
    )
    assert.equal(after.heard.find(({ topic }) => topic === topics.status)?.text, 'online')
    await one.stop()
    await until(() => after.heard.at(-1)?.topic === topics.status)
    assert.equal(after.heard.at(-1)?.text, 'offline')
  })

  it('cuts an interval into parts of at most 64 KiB and loses nothing', async () => {
    const { port } = await broker()
    const heard = await listener(port, topics.flow)
    const { publisher: one, link } = publisher(port)
    await until(() => link.connected)
    const flows = Array.from({ length: 3000 }, (_, n) => flow(n, { sni: 'é"\\'.repeat(n % 20) }))
    one.publishInterval(interval(0, flows))
    one.publishInterval(interval(1000, [], { complete: false }))
    await until(() => heard.on(topics.flow).some(({ from_ms }) => from_ms === 1000))
    const batches = heard.on(topics.flow)
    for (const { text } of heard.heard) assert.ok(Buffer.byteLength(text) <= MAX_PAYLOAD_BYTES)
    assert.ok(Buffer.byteLength(heard.heard[0]?.text as string) > MAX_PAYLOAD_BYTES * 0.95)
    assert.deepEqual(
      batches.map(({ seq }) => seq),
      batches.map((_, i) => i + 1),
    )
    const first = batches.slice(0, -1)
    assert.deepEqual(
      first.map(({ part }) => part),
      first.map((_, i) => i + 1),
    )
    assert.ok(first.every(({ parts, complete }) => parts === first.length && complete))
    assert.deepEqual(
      first.flatMap(({ flows }) => flows),
      flows,
    )
    assert.deepEqual(batches.at(-1), {
      type: 'flow_batch',
      seq: batches.length,
      from_ms: 1000,
      to_ms: 2000,
      part: 1,
      parts: 1,
      complete: false,
      flows: [],
    })
    assert.equal(one.spoolDropped, 0)
  })

  it('publishes DNS queries, and no names at all where names are not to be published', async () => {
    const { port } = await broker()
    const heard = await listener(port)
    const { publisher: open, link } = publisher(port)
    await until(() => link.connected)
    open.publishInterval(interval(0, [flow(1)], { dns: [dns('secret.example.com')] }))
    await until(() => heard.on(topics.dns).length === 1)
    assert.equal(heard.on(topics.dns)[0].dns[0].query, 'secret.example.com')
    assert.equal(heard.on(topics.flow)[0].flows[0].remote_name, 'host-1.example.com')
    await open.stop()
    heard.heard.length = 0
    const { publisher: discreet, link: second } = publisher(port, { publishNames: false })
    await until(() => second.connected)
    discreet.publishInterval(interval(0, [flow(1)], { dns: [dns('secret.example.com')] }))
    await until(() => heard.on(topics.flow).length === 1)
    await sleep(100)
    assert.doesNotMatch(JSON.stringify(heard.heard), /example\.com|remote_name|sni/)
    assert.equal(heard.on(topics.flow)[0].flows[0].id, flow(1).id)
  })

  it('keeps events in order over a broker that is killed under load', async () => {
    const first = await broker()
    const gate = await gateTo(first.port)
    cleanUps.push(gate.stop)
    gate.open()
    const { publisher: one, link } = publisher(gate.port)
    await until(() => link.connected)
    const before = await listener(first.port, topics.event)
    for (let n = 1; n <= 5000; n++) one.publishEvent(event(n))
    await until(() => before.heard.length > 20)
    process.kill(first.pid, 'SIGKILL')
    gate.close()
    for (let n = 5001; n <= 6000; n++) one.publishEvent(event(n))
    await until(() => !link.connected)
    await sleep(100)
    const early = before.on(topics.event).map(({ seq }) => seq)
    await before.stop()
    await broker({ port: first.port })
    const after = await listener(first.port, topics.event)
    gate.open()
    await until(() => after.on(topics.event).at(-1)?.seq === 6000, 40_000)
    const late = after.on(topics.event).map(({ seq }) => seq)
    assert.deepEqual(
      early,
      early.map((_, i) => i + 1),
    )
    assert.deepEqual(
      late,
      late.map((_, i) => late[0] + i),
    )
    assert.ok(
      late[0] <= early.length + 1 && early.length < 5000,
      `${early.length}, then ${late[0]}`,
    )
    assert.equal(one.spoolDropped, 0)
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

  it('publishes who a device is at once, and its counters every 30 s', async () => {
    const { port } = await broker()
    const heard = await listener(port, topics.devices)
    let now = 1_000_000
    const { publisher: one, link } = publisher(port, { clock: { now: () => now } })
    await until(() => link.connected)
    const sent = (): number[] =>
      heard.on(topics.device(device(1).id)).map(({ sent_bytes }) => sent_bytes)
    one.publishDevice(device(1, { sent_bytes: 1 }))
    await until(() => sent().length === 1)
    for (let n = 2; n < 10; n++) {
      now += 1000
      one.publishDevice(device(1, { sent_bytes: n }))
    }
    await sleep(1200)
    assert.deepEqual(sent(), [1])
    one.publishDevice(device(1, { sent_bytes: 10, name: 'camera' }))
    await until(() => sent().length === 2)
    one.publishDevice(device(1, { sent_bytes: 11, name: 'camera' }))
    now += 30_000
    await until(() => sent().length === 3)
    assert.deepEqual(sent(), [1, 10, 11])
  })

  it('drops what the broker finds too large, and goes on', async () => {
    const { port } = await broker({ config: ['max_packet_size 3000'] })
    const heard = await listener(port)
    const { publisher: one, link } = publisher(port)
    await until(() => link.connected)
    one.publishEvent({ ...event(1), sentence: 'x'.repeat(10_000) })
    one.publishEvent(event(2))
    one.publishInterval(
      interval(0, [
        flow(100, { sni: 'x'.repeat(5000) }),
        ...Array.from({ length: 50 }, (_, n) => flow(n)),
      ]),
    )
    await until(() => heard.on(topics.event).length === 1, 15_000)
    assert.equal(heard.on(topics.event)[0].seq, 2)
    await until(() => heard.on(topics.flow).flatMap(({ flows }) => flows).length === 50)
    assert.ok(heard.on(topics.flow).every(({ complete }) => !complete))
    assert.equal(one.spoolDropped, 2)
  })

  it('never sends more than 64 KiB, however large an event is', async () => {
    const { port } = await broker()
    const heard = await listener(port)
    const { publisher: one, link } = publisher(port)
    await until(() => link.connected)
    one.publishEvent({ ...event(1), sentence: 'é'.repeat(40_000) })
    one.publishEvent(event(2))
    await until(() => heard.on(topics.event).length === 1)
    assert.equal(heard.on(topics.event)[0].seq, 2)
    assert.equal(one.spoolDropped, 1)
    assert.throws(() => one.publishDevice(device(1, { id: '../+/#' })), RangeError)
    assert.throws(() => one.forgetDevice('a/b'), RangeError)
  })

  it('puts right what others write on its status and its info, garbage too, and no more often than needed', async () => {
    const { port } = await broker()
    const old = await listener(port, [topics.info, topics.status])
    await old.client.publishAsync(topics.info, JSON.stringify(info('old', 500)), {
      retain: true,
      qos: 1,
    })
    const one = publisher(port)
    one.publisher.publishInfo(info('one', 1000))
    await until(() => one.link.connected)
    await until(() => old.heard.filter(({ text }) => text.includes('"one"')).length === 1)
    for (const garbage of ['', '{', 'null', '{"instance":5}', 'x'.repeat(70_000)]) {
      await old.client.publishAsync(topics.info, garbage, { qos: 1 })
    }
    await until(() => old.heard.filter(({ text }) => text.includes('"one"')).length === 2)
    await old.client.publishAsync(topics.status, 'offline', { qos: 1, retain: true })
    await until(() => old.heard.at(-1)?.text === 'online')
    await sleep(300)
    assert.equal(old.heard.filter(({ text }) => text.includes('"one"')).length, 2)
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

  it('does not lose its will: a killed agent is offline', async () => {
    const { port } = await broker()
    const { spawn } = await import('node:child_process')
    const script = `
      const { MqttLink } = await import('./agent/mqtt/mqtt-link.ts')
      const { Publisher, linkNeeds } = await import('./agent/mqtt/publisher.ts')
      const { topicsOf } = await import('./protocol/topics.ts')
      const { createLog } = await import('./agent/log.ts')
      const topics = topicsOf('house'), log = createLog('error')
      const link = new MqttLink({ url: 'mqtt://127.0.0.1:${port}', clientIdPrefix: 'x', ...linkNeeds(topics), log })
      new Publisher({ link, topics, instance: 'a', clock: Date, log, publishNames: true }).start()`
    const heard = await listener(port, topics.status)
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: 'ignore',
    })
    cleanUps.push(async () => child.kill('SIGKILL'))
    await until(() => heard.heard.at(-1)?.text === 'online', 10_000)
    child.kill('SIGKILL')
    await until(() => heard.heard.at(-1)?.text === 'offline')
  })
})
