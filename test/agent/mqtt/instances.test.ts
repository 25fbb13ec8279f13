// Several agents with one id on one broker, and somebody who pretends to be one.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PresenceTimes } from '../../../agent/mqtt/presence-desk.ts'
import { PresenceDesk } from '../../../agent/mqtt/presence-desk.ts'
import type { Presence } from '../../../protocol/messages.ts'
import { hasMosquitto } from '../../nodes/mosquitto.ts'
import { CAMERA } from '../methods/home.ts'
import type { Listener } from './listener.ts'
import { device, event, flow, interval, listenTo, until } from './listener.ts'
import { agent, broker, cleanUps, client, envelope, order, stopAll, topics } from './ordering.ts'

const KEY = 'a key that is long enough'

/** Answers every question as an agent that has always been there; with a key if it has one. */
async function pretender(port: number, key?: string): Promise<Listener & { asked: () => number }> {
  const made = await listenTo(`mqtt://127.0.0.1:${port}`, topics.instance)
  cleanUps.push(made.stop)
  let asked = 0
  made.client.on('message', (_topic, payload) => {
    const ask = /"ask":"([^"]+)"/.exec(payload.toString())?.[1]
    if (ask === undefined) return
    asked++
    const answer = { instance: 'pretender', state: 'active', settled: true, up_ms: 9e9 }
    const json = JSON.stringify({ type: 'presence', ...answer, answer: ask })
    const signed = (of: string): string =>
      createHmac('sha256', of).update(`house\n/instance\n${json}`).digest('hex')
    made.client.publish(topics.instance, key === undefined ? json : `${signed(key)}.${json}`)
  })
  return { ...made, asked: () => asked }
}

describe('agents with one id', function () {
  this.timeout(40_000)
  before(function () {
    if (!hasMosquitto()) this.skip()
  })
  afterEach(stopAll)

  it('speak one at a time: the later one stands by, says so, changes nothing, and goes on when the first has gone', async () => {
    const { port } = await broker()
    const url = `mqtt://127.0.0.1:${port}`
    const one = await agent({ broker: url }, { instance: 'zzz' })
    const heard = await client(port)
    one.room.device(device(1))
    const two = await agent({ broker: url }, { instance: 'aaa' })
    const says = (): boolean => two.instances.at(-1)?.ok === false
    await until(says)
    two.room.interval(interval(0, [flow(7)]))
    two.room.event(event(7))
    two.room.device(device(2))
    await until(() => one.instances.at(-1)?.ok === false)
    const answer = await order(heard, 'quarantine', envelope({ device: CAMERA }))
    assert.equal(answer.ok, true)
    await sleep(300)
    assert.equal(heard.on(topics.response('quarantine')).length, 1)
    assert.deepEqual([one.home.desk.calls.length, two.home.desk.calls.length], [1, 0])
    assert.equal(one.room.readOnly, undefined)
    assert.match(two.room.readOnly ?? '', /was on the broker first/)
    assert.match(two.instances.at(-1)?.reason ?? '', /--agent/)
    assert.ok(two.lines.some((line) => line.startsWith('warn another agent with the id house')))
    const ofTwo = heard.heard.filter(
      ({ topic, text }) =>
        topic !== topics.instance &&
        (text.includes('"aaa"') || topic === topics.device(device(2).id) || /event 7/.test(text)),
    )
    assert.deepEqual(ofTwo, [])
    assert.deepEqual(heard.on(topics.flow), [])

    await one.room.stop()
    await until(() => two.room.readOnly === undefined, 10_000)
    await until(() => heard.on(topics.device(device(2).id)).length === 1)
    await until(() => heard.on(topics.info).at(-1)?.instance === 'aaa')
    assert.equal(heard.heard.filter(({ topic }) => topic === topics.status).at(-1)?.text, 'online')
    assert.equal((await order(heard, 'release', envelope({ device: CAMERA }))).ok, true)
    assert.equal(two.home.desk.calls.length, 1)
    assert.equal(two.instances.at(-1)?.ok, true)
    assert.doesNotMatch(JSON.stringify(heard.heard), /event 7/)
  })

  it('are not turned off by messages alone, signed or not', async () => {
    const { port } = await broker()
    const one = await agent({ broker: `mqtt://127.0.0.1:${port}`, 'mqtt.command_key': KEY })
    const heard = await client(port)
    await pretender(port)
    const early = { instance: 'other', started_ms: 1, state: 'active', settled: true, up_ms: 9e9 }
    const json = JSON.stringify({ type: 'presence', ...early, answer: 'x' })
    const sign = createHmac('sha256', KEY).update(`house\n/instance\n${json}`).digest('hex')
    for (const payload of [json, `${sign}.${json}`, '{', 'x'.repeat(2000)])
      await heard.client.publishAsync(topics.instance, payload, { qos: 1 })
    await heard.client.publishAsync(topics.info, JSON.stringify(early), { qos: 1, retain: true })
    await until(() => heard.on(topics.info).at(-1)?.instance === 'one')
    await sleep(300)
    assert.equal(one.room.readOnly, undefined)
    assert.ok(one.instances.every(({ ok }) => ok))
  })

  it('come to an end with a key: who answers without it is believed neither before nor after', async () => {
    const { port } = await broker()
    const forged = await pretender(port)
    const one = await agent({ broker: `mqtt://127.0.0.1:${port}`, 'mqtt.command_key': KEY })
    await until(() => forged.asked() > 0)
    await until(() => one.lines.some((line) => line.includes('does not sign')))
    await client(port)
    assert.equal(one.room.readOnly, undefined)
    const config = { broker: `mqtt://127.0.0.1:${port}`, 'mqtt.command_key': KEY }
    const right = await agent(config, { instance: 'two' })
    await until(() => right.instances.at(-1)?.ok === false, 5000, 'a real one with the key')
  })

  it('let nobody on the broker keep changes from an agent that takes none from there', async () => {
    const { port } = await broker()
    await pretender(port)
    const url = `mqtt://127.0.0.1:${port}`
    const safe = await agent({ broker: url })
    await until(() => safe.room.readOnly !== undefined)
    await safe.room.stop()
    const none = await agent({ broker: url, 'mqtt.commands': 'none' })
    await until(() => none.instances.at(-1)?.ok === false)
    assert.equal(none.room.readOnly, undefined)
  })
})

describe('whose turn it is', () => {
  const TIMES: PresenceTimes = { settleMs: 30, askMs: 40, quietMs: 200, goneMs: 40, newMs: 300 }
  const desks: PresenceDesk[] = []

  /** Instances that all hear each other, but for those that are cut off. */
  class Bus {
    readonly members = new Map<string, PresenceDesk>()
    readonly away = new Set<string>()
    readonly said: Presence[] = []
    readonly times: PresenceTimes

    constructor(times: Partial<PresenceTimes> = {}) {
      this.times = { ...TIMES, ...times }
    }

    join(instance: string, upMs = 0): { desk: PresenceDesk; others: string[][] } {
      const begun = performance.now() - upMs
      const others: string[][] = []
      const desk: PresenceDesk = new PresenceDesk({
        agent: 'house',
        instance,
        upMs: () => performance.now() - begun,
        send: (payload) => {
          this.said.push(JSON.parse(payload) as Presence)
          if (this.away.has(instance)) return
          for (const [name, each] of this.members)
            if (!this.away.has(name)) queueMicrotask(() => each.heard(Buffer.from(payload)))
        },
        onState: () => {},
        onGone: () => {
          desk.disconnected()
          desk.connected()
        },
        onOthers: (names) => others.push([...names]),
        onUnsigned: () => {},
        times: this.times,
      })
      this.members.set(instance, desk)
      desks.push(desk)
      desk.connected()
      return { desk, others }
    }

    cut(instance: string): void {
      this.away.add(instance)
      this.members.get(instance)?.disconnected()
    }

    back(instance: string): void {
      this.away.delete(instance)
      this.members.get(instance)?.connected()
    }
  }
  afterEach(() => {
    for (const desk of desks.splice(0)) desk.disconnected()
  })

  it('is that of one of many that come at once, whatever their clocks', async () => {
    const bus = new Bus()
    const all = ['c', 'a', 'b', 'd'].map((name) => bus.join(name).desk)
    await until(() => all.filter(({ state }) => state === 'active').length === 1)
    await until(() => all.filter(({ state }) => state === 'standing_by').length === 3)
    await sleep(500)
    assert.deepEqual(
      all.map(({ state }) => state),
      ['standing_by', 'active', 'standing_by', 'standing_by'],
    )
  })

  it('is that of who is there, not of who claims to be older', async () => {
    const bus = new Bus()
    const first = bus.join('first')
    await until(() => first.desk.state === 'active')
    const older = bus.join('older', 1e9)
    await until(() => older.desk.state === 'standing_by')
    await until(() => first.others.length > 0)
    assert.deepEqual(first.others[0], ['older'])
    bus.cut('older')
    await until(() => first.others.at(-1)?.length === 0)
  })

  it('passes on when the one that speaks is quiet, says goodbye, or is said to be gone', async () => {
    for (const how of ['quiet', 'bye', 'will'] as const) {
      const bus = new Bus()
      const one = bus.join('one').desk
      await until(() => one.state === 'active')
      const two = bus.join('two').desk
      await until(() => two.state === 'standing_by')
      if (how === 'bye') one.bye()
      bus.cut('one')
      if (how === 'will') two.gone()
      await until(() => two.state === 'active', 3000, how)
    }
  })

  it('passes on at once after a goodbye, though the one that goes still answered before', async () => {
    const bus = new Bus({ quietMs: 60_000 })
    const one = bus.join('one').desk
    await until(() => one.state === 'active')
    const two = bus.join('two').desk
    await until(() => two.state === 'standing_by')
    // The broker's word, then its own.
    two.gone()
    await sleep(5)
    one.bye()
    await until(() => two.state === 'active', 3000)
  })

  it('stays where a message only says that it is over', async () => {
    const bus = new Bus()
    const one = bus.join('one').desk
    await until(() => one.state === 'active')
    const two = bus.join('two').desk
    await until(() => two.state === 'standing_by')
    for (let i = 0; i < 20; i++) {
      two.gone()
      await sleep(20)
    }
    assert.deepEqual([one.state, two.state], ['active', 'standing_by'])
  })

  it('is decided again when two meet that both speak: the settled one goes on', async () => {
    const bus = new Bus()
    const one = bus.join('one').desk
    await until(() => one.state === 'active')
    bus.cut('one')
    const two = bus.join('two').desk
    await until(() => two.state === 'active')
    await sleep(TIMES.newMs)
    bus.back('one')
    await until(() => one.state === 'standing_by')
    assert.equal(two.state, 'active')
  })

  it('is not up for questions without end', async () => {
    const bus = new Bus()
    const one = bus.join('one').desk
    await until(() => one.state === 'active')
    await sleep(TIMES.newMs + TIMES.askMs)
    bus.said.length = 0
    for (let i = 0; i < 5000; i++) {
      const ask = { instance: `x${i}`, state: 'waiting', settled: false, up_ms: i, ask: `n${i}` }
      one.heard(Buffer.from(JSON.stringify(ask)))
    }
    assert.ok(bus.said.length <= 402, `${bus.said.length} messages`)
    assert.equal(one.state, 'active')
  })
})
