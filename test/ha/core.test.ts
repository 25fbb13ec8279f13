import assert from 'node:assert/strict'
import { connectAsync } from 'mqtt'
import { until } from '../lab/process.ts'
import { Core, requiresCore } from './core.ts'
import type { CoreRefusal } from './core-socket.ts'

const SENSOR = {
  dev: { ids: ['a_test'], name: 'A test' },
  o: { name: 'test' },
  state_topic: 'test/state',
  cmps: { it: { p: 'sensor', unique_id: 'a_test_it', name: 'It' } },
}

describe('a Home Assistant to test with', function () {
  this.timeout(300_000)
  const core = new Core()
  before(async function () {
    requiresCore(this)
    await core.start()
  })
  after(() => core.stop())

  it('is the version that tests are made for, and has nothing to complain of', async () => {
    const { version } = await core.call<{ version: string }>('get_config')
    assert.match(version, /^2026\.11\./)
    assert.deepEqual(core.complaints(), [])
  })

  it('has a user who may not do what an administrator may', async () => {
    const socket = await core.connect(core.user.token)
    const asked = socket.call('mqtt/subscribe', { topic: 'test/#' })
    await assert.rejects(asked, (error: CoreRefusal) => error.code === 'unauthorized')
    socket.stop()
    const mine = await core.subscribe('mqtt/subscribe', { topic: 'test/#' }, () => {})
    await mine()
    core.complaints()
  })

  it('shows what is announced on its broker, and still does when both were restarted', async () => {
    const client = await connectAsync(core.broker.url)
    const topic = 'homeassistant/device/a_test/config'
    await client.publishAsync(topic, JSON.stringify(SENSOR), { retain: true, qos: 1 })
    await client.publishAsync('test/state', 'first', { retain: true, qos: 1 })
    const entity = await until('an entity', async () => (await core.entities()).get('a_test_it'))
    await core.untilState(entity, ({ state }) => state === 'first')
    await core.broker.restart()
    await core.restart()
    await core.untilState(entity, ({ state }) => state === 'first')
    await until('a connection', async () => (client.connected ? true : undefined))
    await client.publishAsync('test/state', 'second', { qos: 1 })
    await core.untilState(entity, ({ state }) => state === 'second')
    await client.endAsync()
  })
})
