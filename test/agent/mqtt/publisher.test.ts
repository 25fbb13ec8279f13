import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { MAX_PAYLOAD_BYTES } from '../../../protocol/topics.ts'
import { hasMosquitto } from '../../nodes/mosquitto.ts'
import { device, dns, event, flow, gateTo, info, interval, until } from './listener.ts'
import { broker, cleanUps, listener, publisher, stopAll, topics } from './publishing.ts'

describe('Publisher with a real mosquitto', function () {
  this.timeout(60_000)
  before(function () {
    if (!hasMosquitto()) this.skip()
  })

  afterEach(stopAll)

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
