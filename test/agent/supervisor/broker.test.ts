// A broker that comes late, gets another password and moves: followed without a restart.
import assert from 'node:assert/strict'
import { MqttLink } from '../../../agent/mqtt/mqtt-link.ts'
import { brokerOf, ServiceBroker } from '../../../agent/supervisor/broker.ts'
import { SupervisorClient, SupervisorError } from '../../../agent/supervisor/client.ts'
import { hasMosquitto, startMosquitto } from '../../nodes/mosquitto.ts'
import { recordingLog, until } from '../mqtt/listener.ts'
import { FakeSupervisor, TOKEN } from './fake-supervisor.ts'

describe('the broker of the Supervisor', function () {
  this.timeout(60_000)
  const cleanUps: (() => Promise<unknown> | unknown)[] = []
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
  })

  async function supervisor(): Promise<{ fake: FakeSupervisor; client: SupervisorClient }> {
    const fake = new FakeSupervisor({ self: { ip_address: '172.30.32.1', ingress_port: 62000 } })
    await fake.start()
    cleanUps.push(() => fake.stop())
    return { fake, client: new SupervisorClient({ url: fake.url, token: TOKEN }) }
  }

  it('is awaited, then followed to other credentials and to another place', async function () {
    if (!hasMosquitto()) this.skip()
    const { fake, client } = await supervisor()
    const log = recordingLog()
    const finder = new ServiceBroker({ client, log, absentMs: 100, presentMs: 300 })
    cleanUps.push(() => finder.stop())
    await finder.start()
    const link = new MqttLink({
      url: 'mqtt://supervisor',
      find: finder.find,
      clientIdPrefix: 'homespin-test',
      will: { topic: 'homespin/house/status', payload: 'offline' },
      subscribe: [],
      log,
      maxBackOffMs: 500,
    })
    finder.onChange = () => link.reconnect()
    link.start({ connected: () => {}, disconnected: () => {}, message: () => {} })
    cleanUps.push(() => link.stop())
    await until(() => log.lines.some((line) => /there is no MQTT broker yet/.test(line)))
    assert.ok(log.lines.some((line) => /install the app Mosquitto broker/.test(line)))

    const first = await startMosquitto({ user: 'addons', password: 'one' })
    cleanUps.push(first.stop)
    const at = { addon: 'core_mosquitto', host: '127.0.0.1', ssl: false, protocol: '3.1.1' }
    const named = (port: number, password: string): object => ({
      ...{ ...at, port, username: 'addons', password },
    })
    fake.state = { ...fake.state, mqtt: { ...named(first.port, 'one') } }
    await until(() => link.connected)

    // The same broker with another password: it ends, and comes back with the new one.
    await first.stop()
    const again = await startMosquitto({ port: first.port, user: 'addons', password: 'two' })
    cleanUps.push(again.stop)
    await until(() =>
      log.lines.some((line) => /refuses the user name or the password|let this user in/.test(line)),
    )
    fake.state = { ...fake.state, mqtt: { ...named(again.port, 'two') } }
    await until(() => link.connected)

    // Another broker, while this one stays: the connection moves.
    const other = await startMosquitto({ user: 'addons', password: 'three' })
    cleanUps.push(other.stop)
    fake.state = { ...fake.state, mqtt: { ...named(other.port, 'three') } }
    await until(() => /New client connected/.test(other.log()) && link.connected)
    assert.ok(!log.lines.some((line) => /one|two|three/.test(line)), 'a password was logged')

    // A broker that is not offered any more is left when it goes, and said to be missing.
    delete fake.state.mqtt
    await other.stop()
    await until(
      () => log.lines.filter((line) => /there is no MQTT broker yet/.test(line)).length === 2,
    )
  })

  it('is read with either word for an app, and refused where it is none', async () => {
    const plain = { host: 'core-mosquitto', port: 1883, ssl: false, username: 'u', password: 'p' }
    const found = { url: 'mqtt://core-mosquitto:1883', user: 'u', password: 'p' }
    assert.deepEqual(brokerOf({ addon: 'core_mosquitto', ...plain }), found)
    assert.deepEqual(brokerOf({ app: 'core_mosquitto', ...plain }), found)
    assert.deepEqual(brokerOf({ host: '2001:db8::1', port: '8883', ssl: true }), {
      url: 'mqtts://[2001:db8::1]:8883',
    })
    for (const wrong of [{}, { host: 'x' }, { host: 'a b', port: 1 }, { host: 'x', port: 99999 }]) {
      assert.throws(() => brokerOf(wrong), /without a host and a port/)
    }
    const { fake, client } = await supervisor()
    assert.equal((await client.self()).ingress_port, 62000)
    fake.state.word = 'apps'
    const other = new SupervisorClient({ url: fake.url, token: TOKEN })
    assert.equal((await other.self()).ingress_port, 62000)
    const stranger = new SupervisorClient({ url: fake.url, token: 'x' })
    await assert.rejects(stranger.self(), (error: SupervisorError) => error.status === 401)
    await fake.stop()
    cleanUps.length = 0
    await assert.rejects(
      client.self(),
      (error) => error instanceof SupervisorError && error.status === undefined,
    )
  })
})
