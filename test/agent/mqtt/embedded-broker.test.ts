import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectAsync } from 'mqtt'
import type { EmbeddedBrokerOptions } from '../../../agent/mqtt/embedded-broker.ts'
import { EmbeddedBroker } from '../../../agent/mqtt/embedded-broker.ts'
import { listenTo, recordingLog, until } from './listener.ts'

const local = { host: '127.0.0.1', port: 0, fixed: false }

describe('EmbeddedBroker', function () {
  this.timeout(20_000)
  const cleanUps: (() => Promise<unknown>)[] = []

  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
  })

  async function start(more: Partial<EmbeddedBrokerOptions> = {}): Promise<EmbeddedBroker> {
    const broker = new EmbeddedBroker({ listen: local, log: recordingLog(), ...more })
    await broker.start()
    cleanUps.push(() => broker.stop())
    return broker
  }

  async function client(url: string, filter = 'nothing') {
    const made = await listenTo(url, filter, { reconnectPeriod: 0 })
    cleanUps.push(made.stop)
    return made
  }

  it('carries messages, retains and leaves wills', async () => {
    const { url } = await start()
    const all = await client(url, '#')
    const will = { topic: 'a/will', payload: Buffer.from('gone'), qos: 1, retain: true } as const
    const other = await connectAsync(url, { will, reconnectPeriod: 0 })
    await other.publishAsync('a/state', 'x', { retain: true, qos: 1 })
    other.stream.destroy()
    await until(() => all.heard.length === 2)
    const late = await client(url, 'a/#')
    await until(() => late.heard.length === 2)
    assert.deepEqual(late.heard.map(({ topic, text }) => `${topic} ${text}`).sort(), [
      'a/state x',
      'a/will gone',
    ])
  })

  it('carries all that is published from within at one moment, in its order', async () => {
    const broker = await start()
    const all = await client(broker.url, '#')
    const said = Array.from({ length: 20 }, (_, i) => ({ topic: `a/${i}`, retain: i % 3 === 0 }))
    const outcomes = said.map(({ topic, retain }) =>
      broker.publish(topic, Buffer.from('x'), { qos: 1, retain }),
    )
    assert.deepEqual(new Set(await Promise.all(outcomes)), new Set(['done']))
    await until(() => all.heard.length === said.length)
    assert.deepEqual(
      all.heard.map(({ topic }) => topic),
      said.map(({ topic }) => topic),
    )
  })

  it('gives way on a taken port, unless the port is fixed', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as { port: number }
    const broker = await start({ listen: { host: '127.0.0.1', port, fixed: false } })
    assert.ok(broker.port > port && broker.port <= port + 100)
    const fixed = new EmbeddedBroker({
      listen: { host: '127.0.0.1', port, fixed: true },
      log: recordingLog(),
    })
    await assert.rejects(fixed.start(), new RegExp(`${port} is in use by another program`))
    await fixed.stop()
    taken.close()
  })

  it('asks for user and password where they are set, and never listens wide without', async () => {
    const { url } = await start({ user: 'house', password: 'correct' })
    const wrong = [
      {},
      { username: 'house', password: 'wrong' },
      { username: 'x', password: 'correct' },
      { username: 'house' },
    ]
    for (const credentials of wrong) {
      await assert.rejects(connectAsync(url, { ...credentials, reconnectPeriod: 0 }), /refused/)
    }
    const right = await connectAsync(url, {
      username: 'house',
      password: 'correct',
      reconnectPeriod: 0,
    })
    await right.endAsync()
    const wide = new EmbeddedBroker({ listen: { ...local, host: '0.0.0.0' }, log: recordingLog() })
    await assert.rejects(wide.start(), /set a user and a password, or listen on 127\.0\.0\.1/)
  })

  it('cuts a client that begins too large a packet, before it is read', async () => {
    const { port, url } = await start({ maxPacketBytes: 100_000 })
    const fine = await client(url, 'big')
    await fine.client.publishAsync('big', 'x'.repeat(99_000), { qos: 1 })
    await until(() => fine.heard.length === 1)
    const raw = connect(port, '127.0.0.1')
    let closed = false
    raw
      .on('error', () => {})
      .on('close', () => {
        closed = true
      })
    raw.write(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]))
    await until(() => closed)
    assert.equal(fine.client.connected, true)
  })

  it('takes no more clients, subscriptions or retained topics than are allowed', async () => {
    const { url, port } = await start({ maxClients: 3 })
    const one = await client(url)
    await client(url)
    await client(url)
    const fourth = connect(port, '127.0.0.1')
    let turnedAway = false
    fourth
      .on('error', () => {})
      .on('close', () => {
        turnedAway = true
      })
    await until(() => turnedAway)
    let refused = 0
    for (let n = 0; n < 105; n++) {
      await one.client.subscribeAsync(`t/${n}`).catch(() => refused++)
    }
    // One subscription was there before.
    assert.equal(refused, 6)
    one.client.publish('$SYS/x', 'x', { qos: 1 }, () => {})
    await until(() => !one.client.connected)
  })

  it("has room for its own agent's state when clients have filled theirs", async () => {
    const broker = await start()
    const flooder = await client(broker.url, 'nothing')
    for (let at = 0; at < 10_500; at += 500) {
      const some = Array.from({ length: 500 }, (_, n) => `flood/${at + n}`)
      await Promise.all(
        some.map((topic) => flooder.client.publishAsync(topic, 'x', { retain: true })),
      )
    }
    const own = Array.from({ length: 17_000 }, (_, n) => `own/${n}`)
    for (const topic of own) {
      const kept = { qos: 1, retain: true } as const
      assert.equal(await broker.publish(topic, Buffer.from('x'), kept), 'done')
    }
    const late = await client(broker.url)
    for (const topic of ['flood/0', 'flood/10499', 'own/0', 'own/16999'])
      await late.client.subscribeAsync(topic)
    await until(() => late.heard.length === 3)
    assert.deepEqual(late.heard.map(({ topic }) => topic).sort(), ['flood/0', 'own/0', 'own/16999'])
  })

  it('keeps no session: a client that returns has missed what was said', async () => {
    const { url } = await start()
    const options = { clientId: 'sleeper', clean: false, reconnectPeriod: 0 }
    const sleeper = await connectAsync(url, options)
    await sleeper.subscribeAsync('a', { qos: 1 })
    await sleeper.endAsync()
    const other = await client(url)
    await other.client.publishAsync('a', 'x', { qos: 1 })
    const heard: string[] = []
    const again = await connectAsync(url, options)
    again.on('message', (topic) => heard.push(topic))
    await sleep(200)
    assert.deepEqual(heard, [])
    await again.endAsync()
  })

  it('cuts a client that does not read, and the others go on', async () => {
    const broker = await start({ maxBufferedBytes: 64 * 1024, drainTimeoutMs: 300 })
    const reader = await client(broker.url, 'flood')
    const slow = connect(broker.port, '127.0.0.1')
    cleanUps.push(async () => slow.destroy())
    let cut = false
    slow
      .on('error', () => {})
      .on('close', () => {
        cut = true
      })
    // CONNECT as `slow`, SUBSCRIBE to `flood`, and then never read.
    slow.write(Buffer.from('\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04slow', 'latin1'))
    slow.write(Buffer.from('\x82\x0a\x00\x01\x00\x05flood\x00', 'latin1'))
    const sender = await client(broker.url)
    const payload = 'x'.repeat(60_000)
    const began = performance.now()
    for (let n = 0; n < 400; n++) {
      await sender.client.publishAsync('flood', payload, { qos: 1 })
    }
    await until(() => reader.heard.length === 400)
    assert.ok(performance.now() - began < 5000, 'the others waited')
    // What the kernel still holds has to be read before the end of the connection shows.
    slow.resume()
    await until(() => cut)
    assert.equal(reader.client.connected, true)
  })

  it('survives nonsense on its port', async () => {
    const { port, url } = await start()
    const nonsense = [
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
      '\x10\x00',
      '\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00\x30\x02\x00\x00',
      '\xff\xff\xff\xff\xff',
    ]
    for (const text of nonsense) {
      const raw = connect(port, '127.0.0.1')
      raw.on('error', () => {})
      raw.write(Buffer.from(text, 'latin1'))
      await sleep(20)
      raw.destroy()
    }
    const deep = await client(url)
    await deep.client.publishAsync('a/'.repeat(200), 'x', { qos: 0 })
    await sleep(100)
    await client(url)
  })
})
