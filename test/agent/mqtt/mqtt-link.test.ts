import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import { parseBrokerUrl } from '../../../agent/mqtt/broker-at.ts'
import { EmbeddedBroker } from '../../../agent/mqtt/embedded-broker.ts'
import type { MqttLinkOptions } from '../../../agent/mqtt/mqtt-link.ts'
import { MqttLink } from '../../../agent/mqtt/mqtt-link.ts'
import type { Mosquitto } from '../../nodes/mosquitto.ts'
import { freePort, hasMosquitto, startMosquitto } from '../../nodes/mosquitto.ts'
import type { RecordingLog } from './listener.ts'
import { listenTo, recordingLog, until } from './listener.ts'

interface Running {
  link: MqttLink
  log: RecordingLog
  seen: string[]
}

describe('MqttLink', function () {
  this.timeout(30_000)
  const cleanUps: (() => Promise<unknown>)[] = []

  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
  })

  function run(url: string, more: Partial<MqttLinkOptions> = {}): Running {
    const log = recordingLog()
    const seen: string[] = []
    const link = new MqttLink({
      url,
      clientIdPrefix: 'homespin-test',
      will: { topic: 'homespin/house/status', payload: 'offline' },
      subscribe: ['homespin/house/info'],
      log,
      maxBackOffMs: 300,
      ...more,
    })
    link.start({
      connected: () => seen.push('connected'),
      disconnected: () => seen.push('disconnected'),
      message: (topic, payload) => seen.push(`${topic} ${payload}`),
    })
    cleanUps.push(() => link.stop())
    return { link, log, seen }
  }

  async function mosquitto(options: Parameters<typeof startMosquitto>[0] = {}): Promise<Mosquitto> {
    const broker = await startMosquitto(options)
    cleanUps.push(broker.stop)
    return broker
  }

  it('speaks MQTT 3.1.1 where 5 is refused, and hears what it subscribed to', async () => {
    const broker = new EmbeddedBroker({
      listen: { host: '127.0.0.1', port: 0, fixed: false },
      log: recordingLog(),
    })
    await broker.start()
    cleanUps.push(() => broker.stop())
    const { link, log, seen } = run(broker.url)
    await until(() => link.connected)
    assert.equal(link.protocolVersion, 4)
    assert.equal(await link.publish('homespin/house/info', 'x', { qos: 1, retain: true }), 'done')
    await until(() => seen.includes('homespin/house/info x'))
    assert.deepEqual(log.lines, [`info connected to ${broker.url} (MQTT 3.1.1)`])
  })

  it('tries 3.1.1 after a broker that just hangs up on MQTT 5', async () => {
    const versions: number[] = []
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', (data) => {
        const version = data[8] as number
        versions.push(version)
        if (version === 5) socket.destroy()
        else socket.write(Buffer.from([0x20, 2, 0, 0]))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const { link } = run(`mqtt://127.0.0.1:${port}`, { subscribe: [] })
    await until(() => link.connected)
    assert.deepEqual(versions, [5, 4])
    await link.stop()
    server.close()
  })

  it('says once that a broker is unreachable, and connects when it comes', async function () {
    if (!hasMosquitto()) this.skip()
    const port = await freePort()
    const { link, log } = run(`mqtt://127.0.0.1:${port}`)
    await new Promise((resolve) => setTimeout(resolve, 1200))
    assert.equal(log.lines.length, 1)
    assert.match(log.lines[0] as string, /^warn nothing listens at .*is the broker running/)
    await mosquitto({ port })
    await until(() => link.connected)
    assert.equal(link.protocolVersion, 5)
    assert.match(log.lines[1] as string, /^info connected .*MQTT 5/)
    assert.equal(log.lines.length, 2)
  })

  it('comes back after the broker was killed', async function () {
    if (!hasMosquitto()) this.skip()
    const first = await mosquitto()
    const { link, log, seen } = run(`mqtt://127.0.0.1:${first.port}`)
    await until(() => link.connected)
    process.kill(first.pid, 'SIGKILL')
    await until(() => !link.connected)
    assert.equal(await link.publish('a', 'b', { qos: 1, retain: false }), 'lost')
    await mosquitto({ port: first.port })
    await until(() => link.connected)
    assert.deepEqual(seen, ['connected', 'disconnected', 'connected'])
    const warnings = log.lines.filter((line) => line.startsWith('warn'))
    assert.ok(warnings.length >= 1 && warnings.length <= 2, warnings.join('\n'))
  })

  it('says what to do about a wrong password, and shows none', async function () {
    if (!hasMosquitto()) this.skip()
    const { port } = await mosquitto({ user: 'agent', password: 'right-one' })
    const { link, log } = run(`mqtt://agent:wrong-one@127.0.0.1:${port}`)
    await new Promise((resolve) => setTimeout(resolve, 1000))
    assert.equal(link.connected, false)
    assert.equal(log.lines.length, 1)
    assert.match(log.lines[0] as string, /mqtt\.username and mqtt\.password/)
    assert.doesNotMatch(log.lines[0] as string, /wrong-one/)
    const right = run(`mqtt://127.0.0.1:${port}`, { user: 'agent', password: 'right-one' })
    await until(() => right.link.connected)
  })

  it('tells a topic that the access list denies, and gives the message up', async function () {
    if (!hasMosquitto()) this.skip()
    const { writeFileSync, mkdtempSync, rmSync } = await import('node:fs')
    const { tmpdir } = await import('node:os')
    const dir = mkdtempSync(`${tmpdir()}/homespin-acl-`)
    cleanUps.push(async () => rmSync(dir, { recursive: true }))
    writeFileSync(`${dir}/acl`, 'topic read #\ntopic write allowed/#\n')
    const { port } = await mosquitto({ config: [`acl_file ${dir}/acl`] })
    const { link, log } = run(`mqtt://127.0.0.1:${port}`)
    await until(() => link.connected)
    const denied = { qos: 1, retain: false } as const
    assert.equal(await link.publish('denied/1', 'x', denied), 'refused')
    assert.equal(await link.publish('denied/1', 'x', denied), 'refused')
    assert.equal(await link.publish('allowed/1', 'x', denied), 'done')
    assert.equal(log.lines.filter((line) => /refuses denied.*access list/.test(line)).length, 1)
  })

  it('trusts the CA it is given, and says what is missing without it', async function () {
    if (!hasMosquitto()) this.skip()
    const { port, caFile } = await mosquitto({ tls: true })
    const url = `mqtts://127.0.0.1:${port}`
    const trusting = run(url, { caFile: caFile as string })
    await until(() => trusting.link.connected)
    const distrusting = run(url)
    await until(() => distrusting.log.lines.length > 0)
    assert.match(distrusting.log.lines[0] as string, /authority that is not known here.*mqtt\.ca/)
    assert.equal(distrusting.link.connected, false)
    const plain = run(`mqtts://127.0.0.1:${(await mosquitto()).port}`, { connectTimeoutMs: 500 })
    await until(() => plain.log.lines.length > 0)
    assert.match(plain.log.lines[0] as string, /TLS|cut the connection|closed|answer/)
  })

  it('throws for a CA file that is not there', () => {
    assert.throws(
      () => run('mqtts://127.0.0.1:1', { caFile: '/nowhere/ca.pem' }),
      /mqtt\.ca.*ENOENT/,
    )
  })

  it('notices a broker that hangs although it publishes every 100 ms, and returns', async function () {
    if (!hasMosquitto()) this.skip()
    const { port, pid } = await mosquitto()
    const { link, log } = run(`mqtt://127.0.0.1:${port}`, {
      keepaliveSeconds: 1,
      connectTimeoutMs: 500,
    })
    await until(() => link.connected)
    process.kill(pid, 'SIGSTOP')
    const timer = setInterval(() => {
      void link.publish('homespin/house/flow', 'x', { qos: 0, retain: false })
    }, 100)
    try {
      const hanging = link.publish('homespin/house/event', 'x', { qos: 1, retain: false })
      await until(() => !link.connected, 4000)
      assert.equal(await hanging, 'lost')
    } finally {
      clearInterval(timer)
      process.kill(pid, 'SIGCONT')
    }
    await until(() => link.connected)
    assert.ok(
      log.lines.some((line) => /no longer answers/.test(line)),
      log.lines.join('\n'),
    )
  })

  it('gives up on a broker that never answers, and stops at once', async () => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => sockets.add(socket.on('error', () => {})))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const { link, log } = run(`mqtt://127.0.0.1:${port}`, { connectTimeoutMs: 200 })
    await until(() => log.lines.length > 0)
    assert.match(log.lines[0] as string, /does not answer/)
    await until(() => sockets.size > 1)
    await link.stop()
    for (const socket of sockets) socket.destroy()
    server.close()
  })

  it('survives a broker that sends nonsense or an endless packet', async () => {
    const nonsense = [
      Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
      Buffer.from([0x20, 0xff, 0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f, ...new Array(1000).fill(0)]),
      Buffer.from([0x20, 3, 0, 0, 0, 0x30, 5, 0xff, 0xff, 0, 0, 0]),
      Buffer.from([0xf0, 0xff, 0x01]),
      Buffer.from([0x20, 3, 0, 0, 0, 0x20, 3, 0, 0, 0]),
    ]
    let connections = 0
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.write(nonsense[connections++ % nonsense.length] as Buffer))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const { link } = run(`mqtt://127.0.0.1:${port}`, { connectTimeoutMs: 200, maxBackOffMs: 20 })
    await until(() => connections > nonsense.length * 2, 15_000)
    await link.stop()
    server.close()
  })

  it('leaves its will when its connection is cut, and none when it stops', async function () {
    if (!hasMosquitto()) this.skip()
    const { port } = await mosquitto()
    const url = `mqtt://127.0.0.1:${port}`
    const listener = await listenTo(url, 'homespin/house/status')
    cleanUps.push(listener.stop)
    const { link } = run(url)
    await until(() => link.connected)
    await link.stop()
    await new Promise((resolve) => setTimeout(resolve, 200))
    assert.deepEqual(listener.heard, [])
  })

  it('reads broker URLs, and refuses others', () => {
    const { host, port, tls, user, password, shown } = parseBrokerUrl(
      'mqtts://a:p%40ss@[2001:db8::1]',
    )
    assert.deepEqual(
      { host, port, tls, user, password, shown },
      {
        host: '2001:db8::1',
        port: 8883,
        tls: true,
        user: 'a',
        password: 'p@ss',
        shown: 'mqtts://[2001:db8::1]:8883',
      },
    )
    for (const wrong of ['http://x', 'broker', '', 'mqtt://', 'ws://x:1']) {
      assert.throws(() => parseBrokerUrl(wrong), /broker must be embedded or a URL/)
    }
  })
})
