// Orders over a real mosquitto; policy itself is a double.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { appendFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { mayAnswerAt } from '../../../agent/mqtt/command-answers.ts'
import { MAX_COMMAND_BYTES } from '../../../protocol/commands.ts'
import { topicsOf } from '../../../protocol/topics.ts'
import { hasMosquitto } from '../../nodes/mosquitto.ts'
import type { Home } from '../methods/home.ts'
import { CAMERA, EXAMPLES } from '../methods/home.ts'
import { listenTo, until } from './listener.ts'
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

const KEY = 'a key of more than sixteen characters'

describe('orders by MQTT', function () {
  this.timeout(30_000)
  before(function () {
    if (!hasMosquitto()) this.skip()
  })
  afterEach(stopAll)

  it('are carried out and answered once the kernel has it; with the same id once, and answered again', async () => {
    const { port } = await broker()
    const { home } = await agent({ broker: `mqtt://127.0.0.1:${port}` })
    const from = await client(port)
    home.desk.delayMs = 100
    const command = envelope({ device: 'camera', level: 'full', for: '30m', reason: 'test' })
    const first = await order(from, 'quarantine', command)
    assert.equal(first.type, 'response')
    assert.equal(first.id, command.id)
    assert.equal(first.ok, true)
    assert.equal(first.result?.rules[0]?.level, 'full')
    assert.deepEqual(home.desk.calls[0]?.by.actor, { kind: 'automation', via: 'mqtt' })
    assert.deepEqual(await order(from, 'quarantine', command), first)
    // Twice at once: the second waits for the first.
    const two = envelope({ device: 'camera' })
    const [a, b] = await Promise.all([order(from, 'release', two), order(from, 'release', two)])
    assert.deepEqual(a, b)
    assert.equal(home.desk.calls.length, 2)
    const response = from.heard.find(({ topic }) => topic === topics.response('release'))
    assert.deepEqual([response?.qos, response?.retained], [1, false])
    const rules = await order(from, 'get-rules', envelope())
    assert.deepEqual(rules.result, { rules: [] })
  })

  it('of every method: safe ones with safe, all with all, none with none', async () => {
    const { port } = await broker()
    const policies = ['safe', 'all', 'none'] as const
    const homes: Home[] = []
    for (const commands of policies) {
      const running = await agent({
        broker: `mqtt://127.0.0.1:${port}`,
        'mqtt.commands': commands,
        agent: commands,
      })
      homes.push(running.home)
    }
    const from = await listenTo(`mqtt://127.0.0.1:${port}`, 'homespin/+/response/#')
    cleanUps.push(from.stop)
    for (const [i, policy] of policies.entries()) {
      for (const { name, safe } of homes[i]?.methods.list() ?? []) {
        const own = topicsOf(policy)
        const before = from.on(own.response(name)).length
        const args = { ...(EXAMPLES[name] ?? {}), colour: 'red' }
        await from.client.publishAsync(own.command(name), JSON.stringify(envelope(args)), {
          qos: 1,
        })
        await until(() => from.on(own.response(name)).length > before)
        const { error } = from.on(own.response(name))[before]
        const allowed = policy === 'all' || (policy === 'safe' && safe)
        assert.equal(error.code, allowed ? 'invalid_arguments' : 'forbidden', `${policy} ${name}`)
      }
    }
    for (const home of homes) assert.deepEqual(home.desk.calls, [])
  })

  it('that are malformed are each answered with an error, and nothing changes', async () => {
    const { port } = await broker()
    const { home } = await agent({ broker: `mqtt://127.0.0.1:${port}` })
    const from = await client(port)
    const good = (more: object = {}): Record<string, unknown> =>
      envelope({ device: CAMERA, ...more })
    const json = (value: unknown): string => JSON.stringify(value)
    const deep = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`
    const cases: [what: string, payload: object | string | Buffer, code: string][] = [
      ['no JSON', 'on', 'malformed'],
      ['half of it', json(good()).slice(0, -1), 'malformed'],
      ['a list', json([good()]), 'malformed'],
      ['null', 'null', 'malformed'],
      ['a number beyond numbers', '1e999', 'malformed'],
      ['a byte order mark', `\ufeff${json(good())}`, 'malformed'],
      ['UTF-16', Buffer.from(json(good()), 'utf16le'), 'malformed'],
      ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 'malformed'],
      [
        'an overlong NUL',
        Buffer.concat([Buffer.from('{"id":"'), Buffer.from([0xc0, 0x80]), Buffer.from('"}')]),
        'malformed',
      ],
      ['a signature without a key', `${'a'.repeat(64)}.${json(good())}`, 'malformed'],
      ['17 levels', json(good()).replace('{', `{"x":${deep(16)},`), 'malformed'],
      ['65 000 levels', deep(32_500), 'malformed'],
      ['64 KiB and one', json(good({ reason: 'x'.repeat(MAX_COMMAND_BYTES) })), 'too_large'],
      ['no id', { ...good(), id: undefined }, 'malformed'],
      ['an id of another kind', good({ id: 7 }), 'malformed'],
      ['an id that is long', good({ id: 'x'.repeat(65) }), 'malformed'],
      ['an id with a slash', good({ id: 'a/b' }), 'malformed'],
      ['no issued_ms', { ...good(), issued_ms: undefined }, 'malformed'],
      [
        'issued_ms beyond numbers',
        json(good()).replace(/"issued_ms":\d+/, '"issued_ms":1e999'),
        'malformed',
      ],
      ['no ttl_ms', { ...good(), ttl_ms: undefined }, 'malformed'],
      ['a long life', good({ ttl_ms: 30_001 }), 'malformed'],
      ['no life', good({ ttl_ms: 0 }), 'malformed'],
      ['an end', good({ issued_ms: Date.now() - 81_000 }), 'expired'],
      ['a key twice', json(good()).replace('}', ',"device":"tv"}'), 'malformed'],
      ['a key twice in disguise', json(good()).replace('}', ',"\\u0064evice":"tv"}'), 'malformed'],
      ['an id twice', json(good()).replace('}', ',"id":"other"}'), 'malformed'],
      [
        'a key twice further in',
        json(good({ by: { kind: 'flow' } })).replace('"flow"', '"flow","kind":"person"'),
        'malformed',
      ],
      ['a future', good({ issued_ms: Date.now() + 70_000 }), 'expired'],
      ['an unknown key', good({ colour: 'red' }), 'invalid_arguments'],
      [
        'a prototype',
        json(good()).replace('{', '{"__proto__":{"everyone":true},'),
        'invalid_arguments',
      ],
      ['a constructor', good({ constructor: { prototype: {} } }), 'invalid_arguments'],
      ['a device that is none', good({ device: '<script>alert(1)</script>' }), 'not_found'],
      ['a device of another kind', good({ device: { $ne: '' } }), 'invalid_arguments'],
    ]
    for (const [what, payload, code] of cases) {
      const answer = await order(from, 'quarantine', payload)
      assert.equal(answer.ok, false, what)
      assert.equal(answer.error?.code, code, `${what}: ${JSON.stringify(answer.error)}`)
      assert.match(answer.error?.message ?? '', /^[^\p{C}]{10,}$/u)
      assert.doesNotMatch(answer.error?.message ?? '', /\.ts:|node_modules/)
    }
    const unknown = await order(from, 'explode', good())
    assert.equal(unknown.error?.code, 'unknown_method')
    for (const verb of ['__proto__', 'constructor/x', 'Block', 'x'.repeat(40)].filter(
      (v) => !v.includes('/'),
    )) {
      const answer = await order(from, verb, good(), {}, 'unknown')
      assert.equal(answer.error?.code, 'unknown_method', verb)
    }
    assert.deepEqual(home.desk.calls, [])
    assert.ok((await order(from, 'quarantine', good())).ok, 'and goes on')
    assert.equal(({} as Record<string, unknown>).everyone, undefined)
  })

  it('that are retained are refused and taken off the broker, before and after the agent comes', async () => {
    const { port } = await broker()
    const early = await listenTo(`mqtt://127.0.0.1:${port}`, 'homespin/#')
    cleanUps.push(early.stop)
    const retain = { qos: 1, retain: true } as const
    const topic = topics.command('release')
    await early.client.publishAsync(topic, JSON.stringify(envelope({ device: CAMERA })), retain)
    const { home } = await agent({ broker: `mqtt://127.0.0.1:${port}` })
    await until(() => early.on(topics.response('release')).length === 1)
    assert.equal(early.on(topics.response('release'))[0].error.code, 'retained')
    const late = await order(early, 'release', envelope({ device: CAMERA }), retain)
    assert.equal(late.error?.code, 'retained')
    await sleep(100)
    const after = await listenTo(`mqtt://127.0.0.1:${port}`, 'homespin/house/command/#')
    cleanUps.push(after.stop)
    await sleep(200)
    assert.deepEqual(after.heard, [])
    assert.deepEqual(home.desk.calls, [])
    assert.equal(early.on(topics.response('release')).length, 2, 'clearing is no order')
  })

  it('that come again under an id of another, or after a restart, are refused', async () => {
    const { port } = await broker()
    const data = dataFolder()
    const first = await agent({ broker: `mqtt://127.0.0.1:${port}` }, { data })
    const from = await client(port)
    const command = envelope({ device: CAMERA })
    assert.ok((await order(from, 'quarantine', command)).ok)
    const other = await order(from, 'quarantine', { ...command, level: 'observe' })
    assert.equal(other.error?.code, 'replayed')
    assert.equal((await order(from, 'release', command)).error?.code, 'replayed')
    await first.room.stop()
    // What a crash left of a line.
    appendFileSync(join(data, 'commands'), 'half of a li')
    const infos = (): number => from.heard.filter(({ topic }) => topic === topics.info).length
    const before = infos()
    const { home, synchronised } = await agent({ broker: `mqtt://127.0.0.1:${port}` }, { data })
    await until(() => infos() > before)
    assert.equal((await order(from, 'quarantine', command)).error?.code, 'replayed')
    assert.ok((await order(from, 'quarantine', envelope({ device: CAMERA }))).ok)
    assert.match(
      readFileSync(join(data, 'commands'), 'latin1'),
      /^(c\d+ [A-Za-z0-9_-]{22} \d+\n){2}$/,
    )
    // Without a clock only ids count.
    synchronised.is = false
    const old = envelope({ device: CAMERA, issued_ms: 1000 })
    assert.ok((await order(from, 'quarantine', old)).ok)
    assert.equal((await order(from, 'release', old)).error?.code, 'replayed')
    assert.equal(home.desk.calls.length, 2)
  })

  it('of a clock that is up to a minute behind are taken, once, and no later than that', async () => {
    const { port } = await broker()
    const { home } = await agent({ broker: `mqtt://127.0.0.1:${port}` })
    const from = await client(port)
    const at = (ageMs: number): Record<string, unknown> =>
      envelope({ device: CAMERA, issued_ms: Date.now() - ageMs, ttl_ms: 2000 })
    const slow = at(3000)
    assert.ok((await order(from, 'quarantine', slow)).ok)
    assert.ok((await order(from, 'quarantine', at(55_000))).ok)
    assert.equal((await order(from, 'quarantine', at(63_000))).error?.code, 'expired')
    assert.equal((await order(from, 'release', slow)).error?.code, 'replayed')
    assert.equal(home.desk.calls.length, 2)
  })

  it('are answered without names of remotes where these are not published', async () => {
    const { port } = await broker()
    for (const names of ['true', 'false']) {
      const { home, room } = await agent({
        broker: `mqtt://127.0.0.1:${port}`,
        'mqtt.publish_names': names,
        'mqtt.commands': 'all',
      })
      const from = await client(port)
      const told: string[] = []
      for (const method of home.methods.list()) {
        if (method.role !== 'view') continue
        const { ok, result } = await order(from, method.name, envelope(EXAMPLES[method.name]))
        assert.ok(ok, method.name)
        told.push(JSON.stringify(result))
      }
      const text = told.join('\n')
      assert.match(text, /203\.0\.113\.9/, 'addresses stay')
      for (const name of ['api.example.com', 'cdn.example.net']) {
        assert.equal(text.includes(name), names === 'true', `${name}: ${names}`)
      }
      await room.stop()
    }
  })

  it('are carried out though the disk does not take their ids, which is said', async () => {
    const { port } = await broker()
    const data = dataFolder()
    mkdirSync(join(data, 'commands'))
    const { home, lines } = await agent({ broker: `mqtt://127.0.0.1:${port}` }, { data })
    const from = await client(port)
    const command = envelope({ device: CAMERA })
    const answer = await order(from, 'quarantine', command)
    assert.ok(answer.ok, JSON.stringify(answer.error))
    assert.match(answer.not_kept ?? '', /disk does not take its id/)
    assert.deepEqual(await order(from, 'quarantine', command), answer, 'once all the same')
    rmSync(join(data, 'commands'), { recursive: true })
    assert.equal((await order(from, 'release', envelope({ device: CAMERA }))).not_kept, undefined)
    assert.equal(home.desk.calls.length, 2)
    const kept = readFileSync(join(data, 'commands'), 'latin1')
    assert.match(kept, /^(c\d+ [A-Za-z0-9_-]{22} \d+\n){2}$/)
    assert.deepEqual(
      lines.filter((line) => /ids of commands/.test(line)).map((line) => line.split(' ')[0]),
      ['error', 'info'],
    )
  })

  it('must be signed where that is asked for, and are not taken otherwise', async () => {
    const { port } = await broker()
    const { home } = await agent({ broker: `mqtt://127.0.0.1:${port}`, 'mqtt.command_key': KEY })
    const from = await client(port)
    const sign = (json: string, key = KEY, name = 'house', verb = 'pause'): string =>
      `${createHmac('sha256', key).update(`${name}\n${verb}\n${json}`).digest('hex')}.${json}`
    const json = (): string => JSON.stringify(envelope({ device: CAMERA }))
    const wrong: [what: string, payload: string][] = [
      ['nothing', json()],
      ['another key', sign(json(), `${KEY}x`)],
      ['another agent', sign(json(), KEY, 'home')],
      ['another verb', sign(json(), KEY, 'house', 'release')],
      ['another text', sign(json()).replace('"ttl_ms":20000', '"ttl_ms":20001')],
      ['no hex', `${'z'.repeat(64)}.${json()}`],
    ]
    for (const [what, payload] of wrong) {
      const answer = await order(from, 'pause', payload)
      assert.equal(answer.error?.code, 'bad_signature', what)
      assert.match(answer.id, /^c\d+$/, 'whoever asked is told')
    }
    assert.deepEqual(home.desk.calls, [])
    assert.ok((await order(from, 'pause', sign(json()))).ok)
  })

  it('are answered where MQTT 5 asks for it, but nowhere else than answers may be', async () => {
    const { port } = await broker()
    await agent({ broker: `mqtt://127.0.0.1:${port}` })
    const from = await client(port)
    const correlationData = Buffer.from([1, 2, 255])
    let got: Buffer | undefined
    from.client.on('message', (topic, _payload, packet) => {
      if (topic === 'homespin/node-red/7') got = packet.properties?.correlationData
    })
    const responseTopic = 'homespin/node-red/7'
    await order(from, 'get-groups', envelope(), { properties: { responseTopic, correlationData } })
    await until(() => got !== undefined)
    assert.deepEqual(got, correlationData)
    const refused = ['other/topic', topics.command('panic'), topics.status, 'homespin/x/command/y']
    for (const responseTopic of refused) {
      assert.ok(!mayAnswerAt(responseTopic, 'homespin'), responseTopic)
      await order(from, 'get-groups', envelope(), { properties: { responseTopic } })
    }
    for (const topic of [
      'homespin/+/x',
      'homespin/#',
      'homespin/a\0b',
      'homespinner/x',
      'homespin/',
      `homespin/${'x'.repeat(300)}`,
    ])
      assert.ok(!mayAnswerAt(topic, 'homespin'), topic)
    const answers = from.heard.filter(({ text }) => text.includes('"type":"response"'))
    const where = new Set(answers.map(({ topic }) => topic))
    assert.deepEqual(
      [...where].sort(),
      ['homespin/node-red/7', topics.response('get-groups')].sort(),
    )
  })
})
