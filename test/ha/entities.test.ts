// Homespin's entities in a real Home Assistant, with the real agent on a router and real packets: what is turned there stops
// packets, and what is shown is what the kernel does, whoever else writes on the broker and whoever begins anew.
import assert from 'node:assert/strict'
import type { MqttClient } from 'mqtt'
import { connectAsync } from 'mqtt'
import { AGENT_ENTITIES, DEVICE_ENTITIES, identifierOf } from '../../protocol/home-assistant.ts'
import { topicsOf } from '../../protocol/topics.ts'
import { below } from '../figure.ts'
import { LabAgent } from '../lab/agent-process.ts'
import { Home, LAN4, LAN6 } from '../lab/home.ts'
import { Probe } from '../lab/probing.ts'
import { requires, sleep, until } from '../lab/process.ts'
import { BROKER_PASSWORD, BROKER_USER } from './broker.ts'
import type { State } from './core.ts'
import { Core, requiresCore } from './core.ts'

const REMOTE4 = '203.0.113.9'

interface RegistryDevice {
  id: string
  name: string
  name_by_user: string | null
  identifiers: [string, string][]
  connections: [string, string][]
  config_entries: string[]
  via_device_id: string | null
}

describe('entities in Home Assistant', function () {
  this.timeout(300_000)
  const home = new Home({ position: 'two_armed', devices: 3 })
  const place = {
    inside: (...command: string[]) => home.inside('box', ...command),
    door: (port: number) => home.door(port),
  }
  const core = new Core({ place, persistentBroker: false })
  const probes: Probe[] = []
  let agent: LabAgent
  let sink: Probe
  let client: MqttClient
  let ids = new Map<string, string>()
  const topics = topicsOf('lab')
  const camera = home.device(0)

  const entity = (key: string, device?: string): string =>
    ids.get(`${identifierOf('lab', device)}_${key}`) ?? `none.${key}`
  const untilShown = (key: string, value: string, device?: string): Promise<State> =>
    core.untilState(entity(key, device), ({ state }) => state === value)

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl')
    requiresCore(this)
    await home.start()
    await core.start()
    const token = core.admin.token
    agent = new LabAgent({
      args: [
        ...['--mode', 'gateway', '--interface', 'br-lan', '--lan', LAN4, '--lan', LAN6],
        ...['--http', 'off', '--home-assistant-url', `http://127.0.0.1:${core.port}`],
      ],
      broker: `mqtt://127.0.0.1:${core.broker.port}`,
      env: {
        HOMESPIN_MQTT_USERNAME: BROKER_USER,
        HOMESPIN_MQTT_PASSWORD: BROKER_PASSWORD,
        HOMESPIN_HOME_ASSISTANT_TOKEN: token,
      },
      inside: place.inside,
    }).start()
    client = await connectAsync(core.broker.url)
    sink = probe('wan', 'sink')
    probe('dev1', 'source', REMOTE4)
    const once = { does: 'send', to: REMOTE4, port: 9, count: 3, size: 100 } as const
    await until(
      'the entities of a device',
      async () => {
        // Until the agent looks, nobody hears it.
        await home.does(home.device(1), once)
        ids = await core.entities()
        const has = (identifier: string, keys: object): boolean =>
          Object.keys(keys).every((key) => ids.has(`${identifier}_${key}`))
        const all = [camera, home.device(1)].every(({ id }) =>
          has(identifierOf('lab', id), DEVICE_ENTITIES),
        )
        return all && has(identifierOf('lab'), AGENT_ENTITIES) ? true : undefined
      },
      60_000,
      500,
    )
    await untilShown('connected', 'on', camera.id)
  })
  after(async () => {
    await Promise.all(probes.map((each) => each.stop()))
    await client?.endAsync(true)
    await agent?.stop()
    await core.stop()
    await home.stop()
  })

  function probe(where: string, ...args: string[]): Probe {
    const each = new Probe(home, where, ...args).start()
    probes.push(each)
    return each
  }

  async function deviceEntry(id?: string): Promise<RegistryDevice | undefined> {
    const all = await core.call<RegistryDevice[]>('config/device_registry/list')
    return all.find(({ identifiers }) =>
      identifiers.some(([, key]) => key === identifierOf('lab', id)),
    )
  }

  /** The camera is the only one that sends now. */
  async function isSending(): Promise<boolean> {
    await sleep(100)
    await sink.read()
    await sleep(300)
    return (await sink.read()).times.length > 0
  }

  it('appear with their devices, and Home Assistant has nothing to complain of', async () => {
    const entry = await deviceEntry(camera.id)
    const parent = await deviceEntry()
    assert.deepEqual(entry?.connections, [['mac', camera.mac]])
    assert.equal(entry?.via_device_id, parent?.id)
    const states = await core.states()
    for (const key of ['internet', 'quarantine', 'pause_minutes', 'downloaded', 'anomaly']) {
      assert.ok(
        !['unknown', 'unavailable'].includes(states.get(entity(key, camera.id))?.state ?? ''),
        key,
      )
    }
    assert.equal((await untilShown('visibility', 'gateway_two_armed')).attributes.mode, 'gateway')
    const quarantine = states.get(entity('quarantine', camera.id))?.attributes.options
    assert.deepEqual(quarantine, ['open', 'observe', 'internet_only', 'local_only', 'full'])
    await untilShown('status', 'on')
    await untilShown('problem', 'off')
    assert.deepEqual(core.complaints(), [])
  })

  it('stop packets when the switch is turned, and show what the kernel does', async () => {
    await until('packets', async () => ((await sink.read()).times.length > 0 ? true : undefined))
    const asked = Date.now()
    await core.act('switch', 'turn_off', entity('internet', camera.id))
    const shown = await untilShown('internet', 'off', camera.id)
    const showedMs = Date.parse(shown.last_changed) - asked
    assert.equal(shown.attributes.desired, 'local_only')
    assert.equal(shown.attributes.in_force, true)
    await untilShown('quarantine', 'local_only', camera.id)
    assert.equal(await isSending(), false)
    below('switch to its new state (ms)', showedMs, 1000)
    await core.act('switch', 'turn_on', entity('internet', camera.id))
    await untilShown('internet', 'on', camera.id)
    assert.equal(await isSending(), true)
    await untilShown('quarantine', 'open', camera.id)
  })

  it('carry out every control', async () => {
    const { id } = camera
    const act = (domain: string, service: string, key: string, data = {}, of: string | null = id) =>
      core.act(domain, service, entity(key, of ?? undefined), data)
    await act('select', 'select_option', 'quarantine', { option: 'full' })
    await untilShown('internet', 'off', id)
    await act('button', 'press', 'release_all', {}, null)
    await untilShown('internet', 'on', id)
    await act('number', 'set_value', 'pause_minutes', { value: 45 })
    await core.untilState(entity('pause_minutes', id), ({ state }) => Number(state) === 45)
    await act('button', 'press', 'pause')
    const { attributes } = await untilShown('internet', 'off', id)
    const left = Number(attributes.until_ms) - Date.now()
    assert.ok(left > 44 * 60_000 && left <= 45 * 60_000, `${left}`)
    await act('select', 'select_option', 'quarantine', { option: 'open' })
    await untilShown('internet', 'on', id)
    await act('select', 'select_option', 'default_policy', { option: 'local_only' }, null)
    await untilShown('default_policy', 'local_only')
    await act('select', 'select_option', 'default_policy', { option: 'open' }, null)
    await untilShown('default_policy', 'open')
    assert.deepEqual(core.complaints(), [])
  })

  it('are not deceived for longer than 5 s', async () => {
    for (const retain of [false, true]) {
      const forged = JSON.stringify({
        internet: 'OFF',
        quarantine: 'full',
        connected: 'OFF',
        pause_minutes: 5,
        attributes: {},
      })
      await client.publishAsync(topics.homeAssistantDevice(camera.id, 'control'), forged, {
        retain,
        qos: 1,
      })
      await untilShown('internet', 'off', camera.id)
      const since = Date.now()
      await untilShown('internet', 'on', camera.id)
      below(`a forged state put right, retained ${retain} (ms)`, Date.now() - since, 5000)
    }
  })

  it('take their names from Home Assistant', async () => {
    const entry = await deviceEntry(camera.id)
    await core.call('config/device_registry/update', {
      device_id: entry?.id,
      name_by_user: 'Porch',
    })
    await until('the name', async () =>
      (await agent.devices()).get(camera.id)?.name === 'Porch' ? true : undefined,
    )
    assert.equal((await agent.devices()).get(camera.id)?.name_source, 'home_assistant')
  })

  it('are right again after agent, broker and Home Assistant began anew, in any order', async () => {
    const { id } = camera
    const isOff = async (): Promise<void> => {
      await untilShown('internet', 'off', id)
      assert.equal(await isSending(), false)
    }
    await core.act('select', 'select_option', entity('quarantine', id), { option: 'full' })
    await isOff()
    await agent.restart('SIGTERM', 500)
    await untilShown('status', 'on')
    await isOff()
    await core.broker.restart()
    await untilShown('status', 'on')
    await isOff()
    await core.restart()
    await untilShown('status', 'on')
    await isOff()
    await core.stopCore()
    await core.broker.restart()
    await agent.restart('SIGKILL', 500)
    await core.startCore()
    await untilShown('status', 'on')
    await isOff()
    await core.act('switch', 'turn_on', entity('internet', id))
    await untilShown('internet', 'on', id)
    const own = core.complaints().filter((line) => /homespin|mqtt\.(?!client)/.test(line))
    assert.deepEqual(own, [])
  })

  it('of a device that is deleted there stay away, and of one that is forgotten go', async () => {
    const other = home.device(1)
    const entry = await until('its device', () => deviceEntry(other.id))
    await core.call('config/device_registry/remove_config_entry', {
      device_id: entry.id,
      config_entry_id: entry.config_entries[0],
    })
    await until('it to go', async () => ((await deviceEntry(other.id)) ? undefined : true))
    await core.act('button', 'press', entity('release_all'))
    await sleep(3000)
    assert.equal(await deviceEntry(other.id), undefined)
    await core.act('button', 'press', entity('forget', camera.id))
    await until('it to be announced as new, or to go', async () => {
      const one = await deviceEntry(camera.id)
      return one === undefined || one.id !== entry.id ? true : undefined
    })
  })
})
