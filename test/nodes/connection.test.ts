import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import { Aedes } from 'aedes'
import { connectAsync } from 'mqtt'
import type { BrokerOptions, ConnectionState } from '../../nodes/connection.ts'
import { Connection } from '../../nodes/connection.ts'
import type { Mosquitto, MosquittoOptions } from './mosquitto.ts'
import { freePort, hasMosquitto, startMosquitto } from './mosquitto.ts'
import { until } from './runtime.ts'

const QUICK = { firstMs: 20, maxMs: 100 }

/** A connection that writes down what it is told. */
class Recorded {
  readonly states: ConnectionState[] = []
  readonly reasons: (string | undefined)[] = []
  readonly messages: string[] = []
  readonly granted: [string, string | undefined][] = []
  readonly connection: Connection

  constructor(broker: Partial<BrokerOptions> & { port: number }) {
    this.connection = new Connection(
      { host: '127.0.0.1', ...broker },
      {
        state: (state, reason) => {
          this.states.push(state)
          this.reasons.push(reason)
        },
        granted: (topic, refusal) => this.granted.push([topic, refusal]),
        message: (topic, payload) => {
          this.messages.push(`${topic} ${new TextDecoder().decode(payload.subarray(0, 40))}`)
        },
      },
      QUICK,
    )
    this.connection.subscribe('homespin/#', 1)
    this.connection.start()
  }

  untilState(state: ConnectionState, times = 1): Promise<void> {
    const count = (): number => this.states.filter((each) => each === state).length
    return until(
      () => count() >= times,
      () => `${times} × ${state}, saw ${this.states}`,
    )
  }
}

/** A server that does with each connection what `answer` says. */
async function startServer(answer: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    answer(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

/** A private key that only its passphrase opens. */
function lockedKey(): string {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: {
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'right',
    },
  })
  return privateKey
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port

describe('nodes/connection', function () {
  this.timeout(20000)
  const opened: Recorded[] = []
  const brokers: Mosquitto[] = []
  const servers: Server[] = []
  const sockets = new Set<Socket>()

  const open = (broker: Partial<BrokerOptions> & { port: number }): Recorded => {
    const recorded = new Recorded(broker)
    opened.push(recorded)
    return recorded
  }
  const mosquitto = async (options?: MosquittoOptions): Promise<Mosquitto> => {
    const broker = await startMosquitto(options)
    brokers.push(broker)
    return broker
  }
  const serve = async (answer: (socket: Socket) => void): Promise<number> => {
    const server = await startServer((socket) => {
      sockets.add(socket)
      answer(socket)
    })
    servers.push(server)
    return portOf(server)
  }

  afterEach(async () => {
    for (const recorded of opened.splice(0)) await recorded.connection.stop()
    for (const broker of brokers.splice(0)) await broker.stop()
    for (const socket of sockets) socket.destroy()
    sockets.clear()
    for (const server of servers.splice(0)) {
      await new Promise((resolve) => server.close(resolve))
    }
  })

  describe('with mosquitto', () => {
    before(function () {
      if (!hasMosquitto()) this.skip()
    })

    it('speaks MQTT 5, under an id of its own, and hears what it subscribed to', async () => {
      const broker = await mosquitto()
      const [one, two] = [open(broker), open(broker)]
      await Promise.all([one.untilState('connected'), two.untilState('connected')])
      assert.equal(one.connection.version, 5)
      const ids = [...broker.log().matchAll(/as (homespin-nr-[0-9a-f]{8}) \(p5/g)]
      assert.equal(new Set(ids.map((found) => found[1])).size, 2)
      const client = await connectAsync({ host: '127.0.0.1', port: broker.port })
      await client.publishAsync('homespin/a', 'one', { qos: 1, retain: true })
      await until(() => one.messages.includes('homespin/a one'), 'the message')
      one.connection.unsubscribe('homespin/#')
      await until(() => broker.log().includes('Received UNSUBSCRIBE'), 'the broker to know')
      one.connection.subscribe('homespin/a', 1)
      await until(() => one.messages.length === 2, 'the retained message')
      await client.endAsync(true)
      assert.deepEqual(one.messages, ['homespin/a one', 'homespin/a one'])
    })

    it('is not sent what is larger than any message of ours', async () => {
      const broker = await mosquitto()
      const recorded = open(broker)
      await recorded.untilState('connected')
      const client = await connectAsync({ host: '127.0.0.1', port: broker.port })
      await client.publishAsync('homespin/big', randomBytes(5_000_000), { qos: 1 })
      await client.publishAsync('homespin/small', 'x', { qos: 1 })
      await until(() => recorded.messages.length > 0, 'the small message')
      await client.endAsync(true)
      assert.deepEqual(recorded.messages, ['homespin/small x'])
      assert.deepEqual(recorded.states, ['connecting', 'connected'])
    })

    it('comes before the broker, and comes back with its subscriptions after it', async () => {
      const port = await freePort()
      const recorded = open({ port })
      await recorded.untilState('disconnected', 3)
      assert.match(recorded.reasons.at(-1) ?? '', /ECONNREFUSED/)
      const first = await mosquitto({ port })
      await recorded.untilState('connected')
      await first.stop()
      await recorded.untilState('disconnected', 4)
      await mosquitto({ port })
      await recorded.untilState('connected', 2)
      const client = await connectAsync({ host: '127.0.0.1', port })
      await client.publishAsync('homespin/a', 'again', { qos: 1 })
      await until(() => recorded.messages.includes('homespin/a again'), 'the message')
      await client.endAsync(true)
    })

    it('says that a password is wrong, and comes in with the right one over TLS', async () => {
      const broker = await mosquitto({ user: 'reader', password: 'right', tls: true })
      const ca = readFileSync(broker.caFile as string)
      const { port } = broker
      const wrong = open({ port, tls: { ca }, username: 'reader', password: 'wrong' })
      await wrong.untilState('refused', 2)
      assert.ok(!wrong.states.includes('connected'))
      assert.match(wrong.reasons.at(-1) ?? '', /refuses this user and password/)
      const right = open({ port, tls: { ca }, username: 'reader', password: 'right' })
      await right.untilState('connected')
      const stranger = open({ port, tls: {}, username: 'reader', password: 'right' })
      await stranger.untilState('disconnected', 2)
      assert.match(stranger.reasons.at(-1) ?? '', /certificate/)
      const plain = open({ port, username: 'reader', password: 'right' })
      await plain.untilState('disconnected', 2)
      assert.ok(!plain.states.includes('connected'))
    })

    it('stops at once and says nothing more', async () => {
      const broker = await mosquitto()
      const recorded = open(broker)
      await recorded.untilState('connected')
      const before = performance.now()
      await recorded.connection.stop()
      assert.ok(performance.now() - before < 1000)
      await until(() => broker.log().includes('disconnected'), 'the broker to see it go')
      assert.deepEqual(recorded.states, ['connecting', 'connected'])
      recorded.connection.start()
      await recorded.untilState('connected', 2)
    })
  })

  it('falls back to MQTT 3.1.1 with a broker that cannot MQTT 5', async () => {
    const aedes = await Aedes.createBroker()
    const port = await serve((socket) => aedes.handle(socket))
    const recorded = open({ port })
    await recorded.untilState('connected')
    assert.equal(recorded.connection.version, 4)
    assert.deepEqual(recorded.states, ['connecting', 'connected'])
    const client = await connectAsync({ host: '127.0.0.1', port })
    await client.publishAsync('homespin/a', 'hello', { qos: 1, retain: true })
    await until(() => recorded.messages.includes('homespin/a hello'), 'the message')
    await client.endAsync(true)
    await recorded.connection.stop()
    await new Promise<void>((resolve) => aedes.close(() => resolve()))
  })

  it('is told of each topic whether it may be read, and hears the others', async () => {
    const aedes = await Aedes.createBroker()
    aedes.authorizeSubscribe = (_client, wanted, done) => {
      done(null, wanted.topic === 'homespin/secret' ? null : wanted)
    }
    const port = await serve((socket) => aedes.handle(socket))
    const recorded = open({ port })
    recorded.connection.subscribe('homespin/secret', 1)
    await until(() => recorded.granted.length === 2, 'both answers')
    const refusals = new Map(recorded.granted)
    assert.equal(refusals.get('homespin/#'), undefined)
    assert.match(refusals.get('homespin/secret') ?? '', /\w/)
    assert.deepEqual(recorded.states, ['connecting', 'connected'])
    const client = await connectAsync({ host: '127.0.0.1', port })
    await client.publishAsync('homespin/a', 'hello', { qos: 1 })
    await until(() => recorded.messages.includes('homespin/a hello'), 'the message')
    await client.endAsync(true)
    await recorded.connection.stop()
    await new Promise<void>((resolve) => aedes.close(() => resolve()))
  })

  it('says of TLS settings that cannot be used what to do, and tries them again', async () => {
    const port = await freePort()
    const frame = (text: string): string =>
      `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`
    for (const tls of [
      { cert: frame('AAAA'), key: 'x' },
      { pfx: Buffer.from('x'), passphrase: 'wrong' },
      { key: lockedKey(), passphrase: 'wrong' },
    ]) {
      const recorded = open({ port, tls })
      await recorded.untilState('tls', 3)
      assert.match(
        recorded.reasons.at(-1) ?? '',
        /^the TLS settings cannot be used \(.+\): check certificate, key, passphrase and CA$/,
      )
      assert.ok(!recorded.states.includes('connected'))
    }
  })

  it('outlives servers that answer with noise, hang up or say nothing', async () => {
    const noise = open({ port: await serve((socket) => socket.end(randomBytes(2000))) })
    const silence = open({ port: await serve((socket) => socket.end()) })
    const reset = open({ port: await serve((socket) => socket.resetAndDestroy()) })
    const open1 = open({ port: await serve(() => {}) })
    for (const recorded of [noise, silence, reset]) await recorded.untilState('disconnected', 4)
    for (const reason of silence.reasons.slice(1)) assert.match(reason ?? '', /closed/)
    assert.deepEqual(open1.states, ['connecting'])
    for (const recorded of opened) assert.ok(!recorded.states.includes('connected'))
  })
})
