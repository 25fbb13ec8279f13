// Orders by MQTT, through a real mosquitto, to a real agent: thousands of them end exact in the kernel, one that is wrong
// stops no other, and what must not be taken is answered, changes nothing and holds nobody up.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { CommandErrorCode, CommandResponse } from '../../protocol/commands.ts'
import { STRICT, strictlyBelow } from '../figure.ts'
import { count } from '../full.ts'
import type { LabAgent } from './agent-process.ts'
import { agentInHome, HTTP_PORT, MQTT_PORT } from './agent-process.ts'
import { Home } from './home.ts'
import type { Outcome } from './orders.ts'
import { HttpOrders, MqttOrders } from './orders.ts'
import { percentile } from './probing.ts'
import { Program, requires, sleep, until } from './process.ts'
import type { Tap } from './tap.ts'

interface NftSet {
  family: string
  name: string
  elem?: unknown[]
}

const ORDERS = count('LAB_ORDERS', 1000, 10_000)
const KEY = 'a key that only the lab knows'
const MAX_STALL_MS = 20
/** What else the machine does may hold up any one of them: then it is tried again, but where the limit is meant as it is. */
const TRIES = STRICT ? 1 : 8

/** A payload that must not be taken, and how that is told. */
interface Bad {
  what: string
  code: CommandErrorCode | CommandErrorCode[]
  verb?: string
  retain?: boolean
  payload: (id: string) => string | Buffer
  /** The answer names no id: none could be read, or none may be believed. */
  nameless?: boolean
}

describe('lab: orders by MQTT', function () {
  this.timeout(60_000)
  const home = new Home({ position: 'two_armed', devices: 2 })
  const [device, other] = [home.device(0), home.device(1)]
  let broker: Program
  let agent: LabAgent
  let tap: Tap
  let mqtt: MqttOrders
  let http: HttpOrders

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl', 'mosquitto')
    await home.start()
    const file = join(home.folder, 'mosquitto.conf')
    const more = 'max_inflight_messages 0\nmax_queued_messages 0\n'
    writeFileSync(file, `listener ${MQTT_PORT} 127.0.0.1\nallow_anonymous true\nuser root\n${more}`)
    broker = new Program('ip', home.inside('box', 'mosquitto', '-c', file)).start()
    await broker.until(/running/)
    const preload = pathToFileURL(join(import.meta.dirname, 'stall.ts')).href
    ;({ agent, tap } = await agentInHome(home, ['--mqtt-command-key', KEY], {
      broker: `mqtt://127.0.0.1:${MQTT_PORT}`,
      env: { NODE_OPTIONS: `--import ${preload}` },
    }))
    mqtt = await MqttOrders.connect(await home.door(MQTT_PORT), agent.id, KEY)
    http = new HttpOrders(await home.door(HTTP_PORT))
    const greet = { does: 'send', to: '192.0.2.1', port: 9, count: 2, size: 16 } as const
    for (const each of home.devices) await home.does(each, greet)
    await until('both devices', () =>
      tap.devices.has(device.id) && tap.devices.has(other.id) ? true : undefined,
    )
  })
  after(async () => {
    await mqtt?.stop()
    await tap?.stop()
    await agent?.stop()
    await broker?.stop()
    await home.stop()
  })

  /** The ruleset of the box without counters and handles. */
  async function kernel(): Promise<string> {
    const text = await home.in('box', 'nft', '-j', '-s', 'list', 'ruleset')
    const plain = (key: string, value: unknown): unknown => (key === 'handle' ? undefined : value)
    return JSON.stringify(JSON.parse(text), plain)
  }

  /** What its sets hold: chains that nothing needs any more are gone after a start. */
  async function elements(): Promise<string> {
    const { nftables } = JSON.parse(await kernel()) as { nftables: { set?: NftSet }[] }
    return nftables.flatMap(({ set }) => (set ? [JSON.stringify(set)] : [])).join('\n')
  }

  /** Remotes that the kernel closes for the first device. */
  async function blocked(): Promise<string[]> {
    const { nftables } = JSON.parse(await kernel()) as { nftables: { set?: NftSet }[] }
    const name = 'from_mac_block_host4'
    const of = nftables.find(({ set }) => set?.family === 'inet' && set.name === name)
    const found = JSON.stringify(of?.set?.elem ?? []).matchAll(/"(\d+\.\d+\.\d+\.\d+)"/g)
    return [...found].map(([, ip]) => ip ?? '').sort()
  }

  /** Counts transactions. */
  async function generation(): Promise<number> {
    const nft = pathToFileURL(join(import.meta.dirname, '../../native/nft.ts')).href
    const text = `const { Nft } = await import('${nft}'); console.log(await new Nft().generation())`
    const args = [process.execPath, '--input-type=module', '-e', text]
    return Number(await home.in('box', ...args))
  }

  /** What is ordered: rules as they stand, and how many entries the journal has. */
  async function store(): Promise<string> {
    const { result } = await http.rpc('get-rules', {})
    const journal = await http.rpc('get-journal', { limit: 1 })
    return JSON.stringify([result?.rules, (journal.result as { total?: number })?.total])
  }

  /** The longest that the agent stood still since the last time, in milliseconds. */
  async function stalled(): Promise<number> {
    const had = agent.stderr.length
    agent.program.signal('SIGUSR2')
    return await until(
      'how long it stood still',
      () => {
        const found = /stall ([\d.]+)/.exec(agent.stderr.slice(had))?.[1]
        return found === undefined ? undefined : Number(found)
      },
      5000,
      2,
    )
  }

  it(`${ORDERS} of them at 1 000 a second are all answered, and the kernel is exact`, async () => {
    const before = await generation()
    const open = new Set<string>()
    const waits: number[] = []
    const answers: Promise<unknown>[] = []
    const failed: string[] = []
    let level: string | undefined
    await stalled()
    const began = performance.now()
    for (let i = 0; i < ORDERS; i++) {
      const endpoint = `203.0.114.${(i * 7) % 250}`
      const isLevel = i % 10 === 9
      const [verb, args]: [string, { device: string; level?: string; endpoint?: string }] = isLevel
        ? i % 20 === 9
          ? ['quarantine', { device: other.id, level: i % 40 === 9 ? 'full' : 'local_only' }]
          : ['release', { device: other.id }]
        : i % 3 === 0
          ? ['unblock', { device: device.id, endpoint }]
          : ['block', { device: device.id, endpoint }]
      if (verb === 'block') open.add(endpoint)
      if (verb === 'unblock') open.delete(endpoint)
      if (verb === 'quarantine') level = args.level
      if (verb === 'release') level = undefined
      answers.push(
        mqtt.order(verb, args).then(({ error, ms }) => {
          waits.push(ms)
          if (error !== undefined) failed.push(`${i} ${verb}: ${error.message}`)
        }),
      )
      while (performance.now() - began < i) await sleep(1)
    }
    await Promise.all(answers)
    const seconds = (performance.now() - began) / 1000
    assert.deepEqual(failed, [])
    assert.equal((await blocked()).join(), [...open].sort().join())
    const { result } = await http.rpc('get-rules', {})
    const states = new Set(result?.rules.map(({ state }) => state))
    assert.deepEqual(states, new Set(['active']))
    assert.equal(result?.rules.length, open.size + (level === undefined ? 0 : 1))
    const transactions = (await generation()) - before
    console.log(
      `      ${ORDERS} orders in ${seconds.toFixed(1)} s: ${transactions} transactions, answered p50 ${percentile(waits, 0.5).toFixed(0)}, p95 ${percentile(waits, 0.95).toFixed(0)} ms; longest stall ${await stalled()} ms`,
    )
    assert.ok(transactions <= seconds * 20 + 5)
    await http.rpc('unblock', { device: device.id })
    await http.rpc('release', { device: other.id })
    assert.deepEqual(await blocked(), [])
  })

  it('one that is wrong and one that is refused, among 1 000, stop no other', async () => {
    const endpoints = Array.from({ length: 1000 }, (_, i) => `203.0.${115 + (i >> 8)}.${i & 255}`)
    endpoints[333] = '203.0.300.1'
    endpoints[666] = '192.0.2.1'
    const outcomes: Outcome[] = []
    // Each answer tells all that holds for the device: a hundred at a time.
    for (let from = 0; from < endpoints.length; from += 100) {
      const some = endpoints.slice(from, from + 100)
      const answers = some.map((endpoint) => mqtt.order('block', { device: device.id, endpoint }))
      outcomes.push(...(await Promise.all(answers)))
    }
    const errors = outcomes.flatMap(({ error }, i) => (error ? [[i, error.code]] : []))
    assert.deepEqual(errors, [
      [333, 'invalid_arguments'],
      [666, 'refused'],
    ])
    assert.equal((await blocked()).length, 998)
    await http.rpc('unblock', { device: device.id })
  })

  it('twice blocked and once unblocked is open', async () => {
    const args = { device: device.id, endpoint: '203.0.113.9' }
    await mqtt.order('block', args)
    await mqtt.order('block', args)
    assert.deepEqual(await blocked(), [args.endpoint])
    await mqtt.order('unblock', args)
    assert.deepEqual(await blocked(), [])
  })

  describe('that must not be taken', () => {
    const block = { device: device.id, endpoint: '203.0.113.9' }
    const envelope = (id: string): object => ({ ...mqtt.envelope(), id })
    const sign = (value: unknown, verb = 'block'): string =>
      mqtt.signed(verb, typeof value === 'string' ? value : JSON.stringify(value))
    const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
    const good = (id: string): object => ({ ...envelope(id), ...block })
    const at = (id: string, ms: number, ttl = 1000): object => ({
      ...good(id),
      ...{ issued_ms: Date.now() + ms, ttl_ms: ttl },
    })

    const BAD: readonly Bad[] = [
      { what: 'retained', code: 'retained', retain: true, payload: (id) => sign(good(id)) },
      { what: 'expired', code: 'expired', payload: (id) => sign(at(id, -65_000)) },
      { what: 'of the future', code: 'expired', payload: (id) => sign(at(id, 120_000)) },
      { what: 'that lives too long', code: 'malformed', payload: (id) => sign(at(id, 0, 30_001)) },
      { what: 'no JSON', code: 'malformed', nameless: true, payload: () => sign('{"id":') },
      { what: 'a list', code: 'malformed', nameless: true, payload: () => sign('[1]') },
      {
        what: 'no UTF-8',
        code: ['malformed', 'bad_signature'],
        nameless: true,
        payload: () => Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
      },
      {
        what: 'too large',
        code: 'too_large',
        nameless: true,
        payload: (id) => sign({ ...good(id), reason: 'x'.repeat(65_536) }),
      },
      {
        what: 'too deep',
        code: 'malformed',
        nameless: true,
        payload: (id) => sign(JSON.stringify(good(id)).replace(/}$/, `,"reason":${deep(17)}}`)),
      },
      {
        what: 'very deep',
        code: 'malformed',
        nameless: true,
        payload: () => sign(`{"id":${deep(32_000)}}`),
      },
      {
        what: 'with an unknown key',
        code: 'invalid_arguments',
        payload: (id) => sign({ ...good(id), devcie: 'x' }),
      },
      {
        what: 'with __proto__',
        code: 'invalid_arguments',
        payload: (id) => sign(JSON.stringify(good(id)).replace(/}$/, ',"__proto__":{"x":1}}')),
      },
      { what: 'unsigned', code: 'bad_signature', payload: (id) => JSON.stringify(good(id)) },
      {
        what: 'signed with another key',
        code: 'bad_signature',
        payload: (id) => mqtt.signed('block', JSON.stringify(good(id)), 'another key of the lab'),
      },
      {
        what: 'signed for another agent',
        code: 'bad_signature',
        payload: (id) => mqtt.signed('block', JSON.stringify(good(id)), KEY, 'another'),
      },
      {
        what: 'signed for another verb',
        code: 'bad_signature',
        payload: (id) => sign(good(id), 'unblock'),
      },
      {
        what: 'without an id',
        code: 'malformed',
        nameless: true,
        payload: () => sign({ ...block, issued_ms: Date.now(), ttl_ms: 1000 }),
      },
      {
        what: 'of no verb',
        verb: 'format-disk',
        code: 'unknown_method',
        payload: (id) => sign(good(id), 'format-disk'),
      },
      {
        what: 'not safe',
        verb: 'panic',
        code: 'forbidden',
        payload: (id) => sign(envelope(id), 'panic'),
      },
      {
        what: 'of no device',
        code: 'not_found',
        payload: (id) => sign({ ...good(id), device: '02:0d:e0:99:99:99' }),
      },
    ]

    /** Sends it, and gives the answer. */
    async function answerTo({ verb = 'block', retain, payload, nameless }: Bad) {
      const { id } = mqtt.envelope()
      const had = mqtt.responses.length
      await mqtt.raw(verb, payload(id), retain)
      return await until('an answer', () =>
        mqtt.responses.slice(had).find((each) => each.id === (nameless ? '' : id)),
      )
    }

    const codeOf = (response: CommandResponse): string =>
      response.ok ? 'taken' : response.error.code

    it('are each answered with an error, change nothing, and hold nobody up', async () => {
      const [kernelBefore, storeBefore] = [await kernel(), await store()]
      let longest = 0
      for (const bad of BAD) {
        const stalls: number[] = []
        for (let i = 0; i < TRIES && Math.min(...stalls, 99) >= MAX_STALL_MS / 4; i++) {
          await stalled()
          const answer = await answerTo(bad)
          await sleep(20)
          stalls.push(await stalled())
          const codes = Array.isArray(bad.code) ? bad.code : [bad.code]
          assert.ok(
            codes.includes(codeOf(answer) as CommandErrorCode),
            `${bad.what}: ${JSON.stringify(answer)}`,
          )
          if (!answer.ok) assert.ok(answer.error.message.length > 15)
        }
        assert.ok(Math.min(...stalls) < MAX_STALL_MS, `${bad.what}: ${stalls}`)
        longest = Math.max(longest, Math.min(...stalls))
      }
      assert.ok((await kernel()) === kernelBefore, 'something changed')
      assert.ok((await store()) === storeBefore, 'something changed')
      console.log(`      ${BAD.length} kinds of bad orders answered; longest stall ${longest} ms`)
    })

    it('as they were taken before: the same again, and another under its id', async () => {
      const { id } = mqtt.envelope()
      const first = mqtt.answerTo(id)
      const payload = sign(good(id))
      await mqtt.raw('block', payload)
      assert.equal((await first).ok, true)
      const [kernelAfter, storeAfter] = [await elements(), await store()]
      const again = mqtt.answerTo(id)
      await mqtt.raw('block', payload)
      assert.equal((await again).ok, true)
      const changed = mqtt.answerTo(id)
      await mqtt.raw('block', sign({ ...good(id), endpoint: '203.0.113.10' }))
      assert.equal(codeOf(await changed), 'replayed')
      // Nor after a restart.
      await agent.restart('SIGKILL', 50)
      delete tap.info
      await until('the agent', () => (tap.info?.capabilities.enforce?.ok ? true : undefined))
      const late = mqtt.answerTo(id)
      await mqtt.raw('block', payload)
      assert.equal(codeOf(await late), 'replayed')
      http = new HttpOrders(await home.door(HTTP_PORT))
      const upTo = (text: string): string => text.replace(/"created_ms":\d+/g, '')
      assert.ok(upTo(await store()) === upTo(storeAfter), 'something changed')
      assert.ok((await elements()) === kernelAfter, 'something changed')
      assert.ok(readFileSync(join(agent.data, 'commands'), 'utf8').length > 0)
    })

    it('in a thousand at once, hold nobody up', async () => {
      const storeBefore = await store()
      const had = mqtt.responses.length
      const some = BAD.filter(({ retain }) => retain !== true)
      await stalled()
      const count = 1000
      for (let i = 0; i < count; i++) {
        const bad = some[i % some.length] as Bad
        void mqtt.raw(bad.verb ?? 'block', bad.payload(`bad-${i}-${had}`))
        if (i % 50 === 49) await sleep(10)
      }
      await until('their answers', () => (mqtt.responses.length - had >= count ? true : undefined))
      strictlyBelow(`${count} bad orders at once: longest stall`, await stalled(), MAX_STALL_MS)
      assert.ok((await store()) === storeBefore, 'something changed')
    })
  })
})
