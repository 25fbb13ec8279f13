// What comes of many orders, large ones and none; and what an agent tells of incidents and of what was dropped.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { FrameCut } from '../../../agent/mqtt/frame-cut.ts'
import { below } from '../../figure.ts'
import { freePort, hasMosquitto } from '../../nodes/mosquitto.ts'
import { CAMERA, incident } from '../methods/home.ts'
import { listenTo, until } from './listener.ts'
import type { Answered } from './ordering.ts'
import {
  agent,
  broker,
  cleanUps,
  client,
  dataFolder,
  envelope,
  order,
  stopAll,
  topics,
} from './ordering.ts'

const SENDER = join(import.meta.dirname, 'sender.ts')

describe('orders by MQTT', function () {
  this.timeout(40_000)
  before(function () {
    if (!hasMosquitto()) this.skip()
  })
  afterEach(stopAll)

  it('of 10 MB are refused with an answer, without a stall or memory for them', async () => {
    const { port } = await broker()
    const { home } = await agent({ broker: `mqtt://127.0.0.1:${port}` })
    const from = await client(port, 5, 'homespin/house/response/#')
    const payload = join(dataFolder(), 'payload')
    writeFileSync(payload, Buffer.alloc(10_000_000, '['))
    // Another process sends, so that the loop that is looked at is the agent's.
    const args = [SENDER, `${port}`, topics.command('quarantine'), payload]
    const answers = (): Answered[] => from.on(topics.response('quarantine'))
    const stalls: number[] = []
    for (let i = 0; i < 5; i++) {
      const delay = monitorEventLoopDelay({ resolution: 1 })
      delay.enable()
      await promisify(execFile)(process.execPath, args, { timeout: 15_000 })
      await until(() => answers().length === i + 1, 15_000)
      delay.disable()
      stalls.push(delay.max / 1e6)
      assert.equal(answers()[i]?.error?.code, 'too_large')
    }
    const peak = process.resourceUsage().maxRSS / 1024
    console.log(
      `      longest stalls: ${stalls.map((ms) => ms.toFixed(1)).join(', ')} ms; ${peak.toFixed(0)} MiB`,
    )
    // The least of five: a machine that does something else stalls everybody.
    below('the shortest of them', Math.min(...stalls), 20)
    assert.ok(
      (await order(from, 'quarantine', envelope({ device: CAMERA }))).ok,
      'it is still there',
    )
    assert.equal(home.desk.calls.length, 1)
  })

  it('come by the thousand: each is answered, in order', async () => {
    const { port } = await broker()
    const { home } = await agent({ broker: `mqtt://127.0.0.1:${port}` })
    const from = await client(port)
    home.desk.delayMs = 20
    const TOTAL = 3000
    for (let i = 0; i < TOTAL; i++) {
      const verb = i % 2 === 0 ? 'quarantine' : 'release'
      from.client.publish(topics.command(verb), JSON.stringify(envelope({ device: CAMERA })), {
        qos: 1,
      })
      if (i % 50 === 0) await sleep(5)
    }
    const answers = (): unknown[] => [
      ...from.on(topics.response('quarantine')),
      ...from.on(topics.response('release')),
    ]
    await until(
      () => from.heard.filter(({ topic }) => topic.includes('/response/')).length >= TOTAL,
      20_000,
    )
    assert.equal(answers().filter((answer) => (answer as Answered).ok).length, TOTAL)
    assert.deepEqual(
      home.desk.calls.map(({ what }) => what).slice(0, 100),
      Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 'quarantine' : 'lift')),
    )
  })

  it('over the embedded broker are the same', async () => {
    const port = await freePort()
    const { home } = await agent({ 'mqtt.embedded_port': String(port) })
    const from = await client(port, 4)
    assert.ok((await order(from, 'quarantine', envelope({ device: CAMERA }))).ok)
    const retained = await order(from, 'release', envelope({ device: CAMERA }), { retain: true })
    assert.equal(retained.error?.code, 'retained')
    const large = await order(from, 'release', '['.repeat(100_000))
    assert.equal(large.error?.code, 'too_large')
    assert.equal(home.desk.calls.length, 1)
  })

  it('incidents stay while they are open, and are told once more at their end', async () => {
    const { port } = await broker()
    const { room } = await agent({ broker: `mqtt://127.0.0.1:${port}` })
    const from = await client(port)
    const topic = topics.incident('i-1')
    room.incident(incident('i-1'))
    await until(() => from.heard.some((each) => each.topic === topic))
    const later = await listenTo(`mqtt://127.0.0.1:${port}`, topic)
    cleanUps.push(later.stop)
    await until(() => later.heard.length === 1)
    assert.deepEqual([later.heard[0]?.retained, later.heard[0]?.qos], [true, 1])
    room.incident(incident('i-1', 'closed'))
    await until(() => later.heard.length === 3)
    assert.equal(JSON.parse(later.heard[1]?.text ?? '').state, 'closed')
    assert.equal(later.heard[2]?.text, '')
    const after = await listenTo(`mqtt://127.0.0.1:${port}`, topics.incidents)
    cleanUps.push(after.stop)
    await sleep(200)
    assert.deepEqual(after.heard, [])
  })

  it('what was dropped and what waits is told, with names only where names are told', async () => {
    const { port } = await broker()
    const batch = {
      type: 'blocked_batch',
      seq: 1,
      from_ms: 0,
      to_ms: 1000,
      blocked: ['203.0.113.9', 'ads.example'].map((remote) => ({
        device_id: CAMERA,
        cause: 'block' as const,
        remote,
        direction: 'from_device' as const,
        packets: 1,
        bytes: 60,
      })),
    } as const
    const connection = {
      type: 'connection',
      id: 'c-1',
      device_id: CAMERA,
      direction: 'outbound',
      protocol: 'tcp',
      originator: { ip: '192.0.2.11' },
      responder: { ip: '203.0.113.9', port: 443 },
      remote_name: 'ads.example',
      asked_ms: 1,
      deadline_ms: 2,
      default: 'accept',
    } as const
    const broker1 = { broker: `mqtt://127.0.0.1:${port}` }
    const { room } = await agent(broker1)
    const from = await client(port)
    room.blocked({ ...batch, blocked: [...batch.blocked] })
    room.connection(connection)
    await until(() => from.on(topics.connection).length === 1)
    assert.deepEqual(from.on(topics.blocked), [batch])
    assert.deepEqual(from.on(topics.connection), [connection])
    await room.stop()
    const quiet = await agent({ ...broker1, 'mqtt.publish_names': 'false' })
    await until(() => from.on(topics.info).length >= 2)
    quiet.room.blocked({ ...batch, blocked: [...batch.blocked] })
    quiet.room.connection(connection)
    await until(() => from.on(topics.connection).length === 2)
    assert.doesNotMatch(
      JSON.stringify([from.on(topics.blocked)[1], from.on(topics.connection)[1]]),
      /ads\.example/,
    )
    assert.equal(from.on(topics.blocked)[1].blocked[0].remote, '203.0.113.9')
  })
})

describe('FrameCut', () => {
  const bytes = (...values: (number | number[])[]): Buffer => Buffer.from(values.flat())
  const digits = (value: number): number[] =>
    value < 128 ? [value] : [(value % 128) | 0x80, ...digits(Math.floor(value / 128))]
  const text = (value: string): number[] => [
    value.length >> 8,
    value.length & 255,
    ...Buffer.from(value),
  ]
  const packet = (type: number, body: number[]): number[] => [type, ...digits(body.length), ...body]
  const x = (count: number): number[] => new Array<number>(count).fill(0x78)

  for (const hasProperties of [true, false]) {
    it(`cuts messages and leaves the rest, through any cut of the bytes (properties: ${hasProperties})`, () => {
      const properties = hasProperties ? [[...digits(300), ...x(300)], [0]] : [[], []]
      const [long = [], none = []] = properties
      const small = packet(0x30, [...text('a'), ...none, ...x(20)])
      const ping = bytes(0xd0, 0)
      const large0 = packet(0x30, [...text('a/b'), ...long, ...x(5000)])
      const large1 = packet(0x32, [...text('a/b'), 1, 2, ...none, ...x(2000)])
      const barely = packet(0x32, [...text('a/b'), 1, 2, ...long, ...x(1000 - 20 - long.length)])
      const stream = bytes(small, [...ping], large0, barely, large1, [...ping], small)
      const wanted = bytes(
        small,
        [...ping],
        packet(0x30, [...text('a/b'), ...none, ...x(1100)]),
        barely,
        packet(0x32, [...text('a/b'), 1, 2, ...none, ...x(1100)]),
        [...ping],
        small,
      )
      for (const step of [1, 2, 3, 7, 64, 1000, stream.length]) {
        const cut = new FrameCut({ maxBytes: 1000, keptBytes: 1100, hasProperties })
        const out: Buffer[] = []
        for (let at = 0; at < stream.length; at += step)
          out.push(Buffer.from(cut.take(stream.subarray(at, at + step)) ?? []))
        assert.deepEqual(Buffer.concat(out), wanted, `step ${step}`)
      }
    })
  }

  it('gives up on what is no message, and on lengths that can not be', () => {
    const cut = (): FrameCut =>
      new FrameCut({ maxBytes: 1000, keptBytes: 1100, hasProperties: true })
    assert.equal(cut().take(bytes(0x20, digits(1001))), undefined)
    assert.equal(cut().take(bytes(0x30, 0xff, 0xff, 0xff, 0xff)), undefined)
    assert.equal(cut().take(bytes(0x30, digits(2000), 0xff, 0xff)), undefined)
    assert.equal(cut().take(bytes(0x30, digits(2000), text('a'), digits(3000))), undefined)
    assert.equal(
      cut().take(bytes(0x30, digits(2000), text('a'), 0xff, 0xff, 0xff, 0xff)),
      undefined,
    )
  })
})
