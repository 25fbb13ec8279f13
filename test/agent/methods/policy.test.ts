// From each way in through the methods to the real policy, its store and what it tells enforcement; that is a recorder.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import type { Config } from '../../../agent/config.ts'
import { loadConfig } from '../../../agent/config-read.ts'
import { HttpServer } from '../../../agent/http/http-server.ts'
import { MqttRoom } from '../../../agent/mqtt/mqtt-room.ts'
import type { Ordered } from '../../../agent/policy/contract.ts'
import { topicsOf } from '../../../protocol/topics.ts'
import { count } from '../../full.ts'
import { freePort } from '../../nodes/mosquitto.ts'
import { homespin } from '../cli/program.ts'
import { ask } from '../http/served.ts'
import { info, listenTo, recordingLog, until } from '../mqtt/listener.ts'
import type { Made } from '../policy/desk.ts'
import { device, folder, make, onRemove, removeAll } from '../policy/desk.ts'
import { CAMERA, TELEVISION, testHome } from './home.ts'

const topics = topicsOf('house')

const TOTAL = count('TEST_COMMANDS', 2000, 10_000)

describe('orders, with the real policy', function () {
  this.timeout(60_000)
  afterEach(removeAll)

  interface Box {
    made: Made
    /** Orders by one way; rejects with the code of an error. */
    ways: Record<string, (verb: string, args: Record<string, unknown>) => Promise<Ordered>>
    data: string
    /** Of the broker. */
    url: string
  }

  async function box(): Promise<Box> {
    const made = await make({
      known: [1, 2, 3, 4, 5].map((n) => device(n, { ips: [`192.0.2.${10 + n}`] })),
    })
    const { methods } = testHome(made.policy)
    const data = folder()
    mkdirSync(join(data, 'panel'))
    const log = recordingLog()
    const http = new HttpServer({
      listen: { host: '127.0.0.1', port: 0, fixed: false },
      socketPath: join(data, 'run', 'agent.sock'),
      panelDir: join(data, 'panel'),
      methods,
      live: { snapshot: () => ({ info: info('one', 1), devices: { devices: [], rates: [] } }) },
      log,
    })
    await http.start()
    onRemove(() => http.stop())
    const mqttPort = await freePort()
    const room = new MqttRoom({
      config: loadConfig(
        undefined,
        {},
        {
          agent: 'house',
          data,
          'mqtt.embedded_port': String(mqttPort),
          'mqtt.commands': 'all',
        },
      ) as Config,
      instance: 'one',
      clock: { now: () => Date.now() },
      upMs: () => performance.now(),
      log,
      onInstances: () => {},
      commands: { methods, data, isSynchronised: () => true },
    })
    await room.start()
    onRemove(() => room.stop())
    const heard = await listenTo(room.url, 'homespin/#')
    onRemove(heard.stop)
    const port = Number(new URL(http.url ?? '').port)
    const post = async (path: string, body: unknown): Promise<{ error?: { code: string } }> => {
      const headers = { Host: `localhost:${port}`, 'Content-Type': 'application/json' }
      return (await ask({ port, path, method: 'POST', headers, body: JSON.stringify(body) })).json
    }
    let count = 0
    const ways: Box['ways'] = {
      REST: async (verb, args) => {
        const answer = await post(`/api/${verb}`, args)
        if (answer.error !== undefined) throw new Error(answer.error.code)
        return answer as unknown as Ordered
      },
      RPC: async (verb, params) => {
        const answer = (await post('/api/rpc', {
          jsonrpc: '2.0',
          id: 1,
          method: verb,
          params,
        })) as {
          result: Ordered
          error?: { data: { code: string } }
        }
        if (answer.error !== undefined) throw new Error(answer.error.data.code)
        return answer.result
      },
      MQTT: async (verb, args) => {
        const id = `m${++count}`
        const command = { id, issued_ms: Date.now(), ttl_ms: 10_000, ...args }
        await heard.client.publishAsync(topics.command(verb), JSON.stringify(command), { qos: 1 })
        const answers = () => heard.on(topics.response(verb)).filter((each) => each.id === id)
        await until(() => answers().length === 1)
        const [answer] = answers()
        if (!answer.ok) throw new Error(answer.error.code)
        return answer.result
      },
      CLI: async (verb, { device, ...flags }) => {
        const argv = Object.entries(flags).map(([key, value]) => `--${key}=${value}`)
        const result = await homespin([verb, String(device), ...argv, '--json', '--data', data])
        if (result.code !== 0) throw new Error(result.err)
        return JSON.parse(result.out) as Ordered
      },
    }
    return { made, ways, data, url: room.url }
  }

  it('reach the kernel by every way in, and are answered when it has them', async () => {
    const { made, ways } = await box()
    for (const [way, order] of Object.entries(ways)) {
      const shut = await order('quarantine', {
        device: '192.0.2.11',
        level: 'full',
        for: '30m',
        reason: way,
      })
      assert.equal(shut.rules[0]?.state, 'active', way)
      assert.equal(shut.policies[CAMERA]?.level, 'full', way)
      const desired = made.kernel.desired.devices.find(({ deviceId }) => deviceId === CAMERA)
      assert.equal(desired?.level?.level, 'full', way)
      const open = await order('release', { device: CAMERA })
      assert.equal(open.policies[CAMERA]?.level, undefined, way)
      assert.deepEqual(made.policy.rules(), [], way)
    }
    const { entries, total } = made.policy.journal(undefined, 20)
    assert.equal(total, 8)
    assert.deepEqual(
      entries.map(({ actor }) => actor.via),
      ['socket', 'socket', 'mqtt', 'mqtt', 'http', 'http', 'http', 'http'],
    )
  })

  it('are refused alike by every way in, and nothing stands', async () => {
    const { made, ways } = await box()
    made.kernel.refuses = () => ({ code: 'protected', message: 'this is the gateway' })
    for (const [way, order] of Object.entries(ways)) {
      await assert.rejects(
        order('quarantine', { device: CAMERA }),
        /refused|this is the gateway/,
        way,
      )
    }
    made.kernel.refuses = () => undefined
    made.kernel.fails = () => 'no room'
    for (const [way, order] of Object.entries(ways)) {
      await assert.rejects(order('quarantine', { device: TELEVISION }), /unavailable|no room/, way)
    }
    assert.deepEqual(made.policy.rules(), [])
    assert.equal(made.policy.journal(undefined, 1).total, 0)
  })

  it('are undone, listed and released in a panic by the command line', async () => {
    const { made, ways, data } = await box()
    const run = (...argv: string[]) => homespin([...argv, '--data', data])
    await ways.REST?.('block', { device: CAMERA, domain: '*.Example.com' })
    await ways.REST?.('restrict', { device: CAMERA, restriction: 'no_encrypted_dns' })
    assert.match((await run('rules')).out, /block example\.com +active/)
    assert.match((await run('journal')).out, /\n +2 .*\n +1 /)
    const undone = await run('undo')
    assert.deepEqual([undone.code, undone.err], [0, ''], undone.out)
    assert.equal(made.policy.rules().length, 1)
    const released = await run('release', CAMERA)
    assert.equal(released.out, 'nothing had to be changed\n')
    const panic = await run('panic')
    assert.deepEqual([panic.code, panic.err], [0, ''], panic.out)
    assert.deepEqual(
      made.kernel.desired.devices.flatMap(({ matches }) => matches),
      [],
    )
    const back = await run('undo')
    assert.equal(back.code, 0, back.err)
    assert.equal(made.policy.rules().length, 1)
  })

  it(`take ${TOTAL} commands by MQTT within seconds, and end exact`, async () => {
    const { made, url } = await box()
    const client = await connectAsync(url)
    onRemove(() => client.endAsync(true))
    const failed: string[] = []
    let answered = 0
    client.on('message', (_topic, payload) => {
      answered++
      const answer = JSON.parse(payload.toString()) as { ok: boolean }
      if (!answer.ok) failed.push(payload.toString())
    })
    await client.subscribeAsync([topics.response('quarantine'), topics.response('release')], {
      qos: 1,
    })
    const begun = performance.now()
    for (let i = 0; i < TOTAL; i++) {
      const command = { id: `t${i}`, issued_ms: Date.now(), ttl_ms: 30_000, device: CAMERA }
      client.publish(
        topics.command(i % 2 === 0 ? 'quarantine' : 'release'),
        JSON.stringify(command),
        { qos: 1 },
      )
      if (i % 100 === 0) await until(() => i - answered < 1000, 30_000)
    }
    await until(() => answered === TOTAL, 40_000)
    const seconds = (performance.now() - begun) / 1000
    console.log(
      `      ${TOTAL} commands in ${seconds.toFixed(1)} s, ${made.kernel.applied.length} transactions`,
    )
    assert.deepEqual(failed.slice(0, 1), [])
    assert.deepEqual(made.policy.rules(), [])
    assert.equal(made.policy.policyOf(CAMERA).level, undefined)
    assert.equal(made.policy.journal(undefined, 1).total, TOTAL)
  })
})
