import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { EmbeddedBroker } from '../../../agent/mqtt/embedded-broker.ts'
import { EmbeddedLink } from '../../../agent/mqtt/embedded-link.ts'
import { linkNeeds, Publisher } from '../../../agent/mqtt/publisher.ts'
import { MAX_PAYLOAD_BYTES, topicsOf } from '../../../protocol/topics.ts'
import { device, flow, info, interval, listenTo, recordingLog, until } from './listener.ts'

const topics = topicsOf('house')

describe('Publisher on the embedded broker', function () {
  this.timeout(30_000)
  const cleanUps: (() => Promise<unknown>)[] = []

  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
  })

  async function start(instance = 'one') {
    const log = recordingLog()
    const listen = { host: '127.0.0.1', port: 0, fixed: false }
    const broker = new EmbeddedBroker({ listen, log, drainTimeoutMs: 1500 })
    await broker.start()
    cleanUps.push(() => broker.stop())
    const link = new EmbeddedLink(broker, linkNeeds(topics).subscribe)
    const publisher = new Publisher({
      link,
      topics,
      instance,
      clock: Date,
      log,
      publishNames: true,
    })
    publisher.start()
    cleanUps.push(() => publisher.stop())
    return { broker, publisher, link }
  }

  async function listener(url: string, filter = 'homespin/#') {
    const made = await listenTo(url, filter, { reconnectPeriod: 0 })
    cleanUps.push(made.stop)
    return made
  }

  it('retains its state for who comes later, and says offline at its end', async () => {
    const { broker, publisher } = await start()
    publisher.publishInfo(info('one', 1000))
    publisher.publishDevice(device(1))
    publisher.publishDevice(device(2))
    publisher.forgetDevice(device(2).id)
    await sleep(100)
    assert.equal(broker.clients, 0)
    const late = await listener(broker.url)
    await until(() => late.heard.length >= 3)
    await sleep(100)
    assert.deepEqual(
      late.heard.map(({ topic, retained }) => `${topic} ${retained}`).sort(),
      [topics.device(device(1).id), topics.info, topics.status].map((topic) => `${topic} true`),
    )
    await publisher.stop()
    await until(() => late.heard.at(-1)?.text === 'offline')
  })

  it('loses no flow of busy seconds, however they follow on each other', async () => {
    const { broker, publisher } = await start()
    const heard = await listener(broker.url, topics.flow)
    for (let second = 0; second < 10; second++) {
      const flows = Array.from({ length: 3000 }, (_, n) => flow(second * 3000 + n))
      publisher.publishInterval(interval(second * 1000, flows))
      if (second % 2 === 0) await publisher.busy
    }
    const ids = (): string[] => heard.on(topics.flow).flatMap(({ flows }) => flows.map(idOf))
    await until(() => heard.on(topics.flow).at(-1)?.to_ms === 10_000, 10_000)
    await until(() => new Set(ids()).size === 30_000, 10_000)
    assert.equal(ids().length, 30_000)
    assert.equal(publisher.spoolDropped, 0)
    for (const { text } of heard.heard) assert.ok(Buffer.byteLength(text) <= MAX_PAYLOAD_BYTES)
    assert.deepEqual(
      heard.on(topics.flow).map(({ seq }) => seq),
      heard.heard.map((_, i) => i + 1),
    )
  })

  it('leaves what a slow client still waits for as it was', async () => {
    const { broker, publisher } = await start()
    const fast = await listener(broker.url, topics.flow)
    const slow = connect(broker.port, '127.0.0.1')
    cleanUps.push(async () => slow.destroy())
    slow.on('error', () => {})
    slow.write(Buffer.from('\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04slow', 'latin1'))
    const topic = Buffer.from(topics.flow)
    const subscribe = Buffer.concat([Buffer.from([0, 1, 0, topic.length]), topic, Buffer.from([0])])
    slow.write(Buffer.concat([Buffer.from([0x82, subscribe.length]), subscribe]))
    await until(() => broker.clients === 2)
    await sleep(100)
    slow.pause()
    const pieces: Buffer[] = []
    slow.on('data', (piece) => pieces.push(piece))
    slow.pause()
    let told = 0
    // Until more waits than the kernel takes.
    for (; told < 60_000 && broker.bufferedBytes < 300_000; told += 500) {
      const flows = Array.from({ length: 500 }, (_, n) => flow(told + n))
      publisher.publishInterval(interval(told, flows))
      await Promise.race([publisher.busy, sleep(50)])
    }
    assert.ok(broker.bufferedBytes > 0, 'nothing waits')
    for (let n = 0; n < 4; n++, told += 500) {
      publisher.publishInterval(
        interval(
          told,
          Array.from({ length: 500 }, (_, i) => flow(told + i)),
        ),
      )
    }
    slow.resume()
    await until(() => idsIn(Buffer.concat(pieces)).size === told, 10_000)
    await until(
      () => new Set(fast.on(topics.flow).flatMap(({ flows }) => flows.map(idOf))).size === told,
    )
    assert.equal(publisher.spoolDropped, 0)
  })

  it('puts its info right where somebody else wrote it, and does not answer itself', async () => {
    const { broker, publisher } = await start()
    const other = await listener(broker.url, topics.info)
    publisher.publishInfo(info('one', 1000))
    await until(() => other.heard.length === 1)
    const forged = JSON.stringify(info('two', 2000))
    await other.client.publishAsync(topics.info, forged, { qos: 1, retain: true })
    await until(() => other.heard.length === 3)
    await sleep(100)
    assert.deepEqual(
      other.on(topics.info).map(({ instance }) => instance),
      ['one', 'two', 'one'],
    )
  })

  it('says online again when somebody says that it is offline', async () => {
    const { broker } = await start()
    const other = await listener(broker.url, topics.status)
    await until(() => other.heard.at(-1)?.text === 'online')
    await other.client.publishAsync(topics.status, 'offline', { retain: true, qos: 1 })
    await until(() => other.heard.map(({ text }) => text).join() === 'online,offline,online')
  })
})

function idOf({ id }: { id: string }): string {
  return id
}

/** Ids of flows in a stream of MQTT packets, as far as they are whole and unharmed. */
function idsIn(stream: Buffer): Set<string> {
  return new Set(
    [
      ...stream.toString('latin1').matchAll(/\{"type":"flow","id":"(run-[0-9a-z]+)","device_id"/g),
    ].map(([, id]) => id as string),
  )
}
