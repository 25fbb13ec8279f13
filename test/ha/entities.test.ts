// Homespin's entities in a real Home Assistant, with the real agent on a router and real packets: what is turned there stops
// packets, and what is shown is what the kernel does, whoever else writes on the broker and whoever begins anew.
import assert from 'node:assert/strict'
import type { MqttClient } from 'mqtt'
import { connectAsync } from 'mqtt'
import {
  AGENT_ENTITIES,
  DEVICE_ENTITIES,
  ENABLED_ENTITIES,
  identifierOf,
} from '../../protocol/home-assistant.ts'
import { below } from '../figure.ts'
import type { Probe } from '../lab/probing.ts'
import { requires, sleep, until } from '../lab/process.ts'
import { requiresCore } from './core.ts'
import { HaHome } from './ha-home.ts'
import { stopTimes } from './stop-times.ts'

const REMOTE4 = '203.0.113.9'
/** Everything that may begin anew. */
const PARTS = ['agent', 'broker', 'core'] as const
type Part = (typeof PARTS)[number]
/** All orders in which they can, or two of them: each takes a start of Home Assistant. */
const isFull = process.env.HOMESPIN_FULL === '1'

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
  this.timeout(isFull ? 900_000 : 480_000)
  const ha = new HaHome({ devices: 3, core: { persistentBroker: false } })
  const { core, home, topics } = ha
  let sink: Probe
  let client: MqttClient
  const camera = home.device(0)

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl')
    requiresCore(this)
    await ha.start()
    client = await connectAsync(core.broker.url)
    sink = ha.probe('wan', 'sink')
    ha.probe('dev1', 'source', REMOTE4)
    await ha.meet(0, 1)
    await ha.enable(camera.id, 'connected', 'forget')
    core.complaints()
  })
  after(async () => {
    await client?.endAsync(true)
    await ha.stop()
  })

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

  it('appear with their devices, few of them enabled, and Home Assistant has nothing to complain of', async () => {
    const entry = await deviceEntry(camera.id)
    const parent = await deviceEntry()
    assert.deepEqual(entry?.connections, [['mac', camera.mac]])
    assert.equal(entry?.via_device_id, parent?.id)
    const ids = await core.entities()
    const states = await core.states()
    const keysOf = (identifier: string, is: (entity: string) => boolean): string[] =>
      [...ids]
        .filter(([unique, entity]) => unique.startsWith(`${identifier}_`) && is(entity))
        .map(([unique]) => unique.slice(identifier.length + 1))
    const of = identifierOf('lab', home.device(1).id)
    assert.deepEqual(keysOf(of, () => true).toSorted(), Object.keys(DEVICE_ENTITIES).toSorted())
    assert.deepEqual(keysOf(of, (one) => states.has(one)).toSorted(), ENABLED_ENTITIES.toSorted())
    for (const key of Object.keys(AGENT_ENTITIES)) await ha.entity(key)
    for (const key of ['internet', 'quarantine', 'downloaded', 'anomaly']) {
      await core.untilState(
        await ha.entity(key, camera.id),
        ({ state }) => !['unknown', 'unavailable'].includes(state),
      )
    }
    const { attributes } = await ha.untilShown('visibility', 'gateway_two_armed')
    assert.equal(attributes.mode, 'gateway')
    const quarantine = (await ha.untilShown('quarantine', 'open', camera.id)).attributes.options
    assert.deepEqual(quarantine, ['open', 'observe', 'internet_only', 'local_only', 'full'])
    await ha.untilShown('status', 'on')
    await ha.untilShown('problem', 'off')
    assert.deepEqual(core.complaints(), [])
  })

  it('stop packets when the switch is turned, and show what the kernel does', async () => {
    await until('packets', async () => ((await sink.read()).times.length > 0 ? true : undefined))
    await stopTimes(ha, sink, camera.id, 5)
    await core.act('switch', 'turn_off', await ha.entity('internet', camera.id))
    const { attributes } = await ha.untilShown('internet', 'off', camera.id)
    assert.equal(attributes.desired, 'local_only')
    assert.equal(attributes.in_force, true)
    await ha.untilShown('quarantine', 'local_only', camera.id)
    await core.act('switch', 'turn_on', await ha.entity('internet', camera.id))
    await ha.untilShown('quarantine', 'open', camera.id)
  })

  it('are unavailable while nothing can be held, where they are controls, and no longer', async () => {
    const topic = topics.homeAssistantAgent('controls')
    // What the agent says during a fault; it puts this right as it does all that others say.
    await client.publishAsync(topic, 'offline', { qos: 1 })
    await ha.untilShown('internet', 'unavailable', camera.id)
    const states = await core.states()
    for (const [key, device] of [
      ['quarantine', camera.id],
      ['release_all', undefined],
      ['default_policy', undefined],
    ] as const)
      assert.equal(states.get(await ha.entity(key, device))?.state, 'unavailable', key)
    for (const key of ['downloaded', 'anomaly'])
      assert.notEqual(states.get(await ha.entity(key, camera.id))?.state, 'unavailable', key)
    await ha.untilShown('internet', 'on', camera.id)
    assert.deepEqual(core.complaints(), [])
  })

  it('carry out every control', async () => {
    const { id } = camera
    const act = async (
      domain: string,
      service: string,
      key: string,
      data = {},
      of: string | null = id,
    ): Promise<unknown> => core.act(domain, service, await ha.entity(key, of ?? undefined), data)
    await ha.untilShown('connected', 'on', id)
    await act('select', 'select_option', 'quarantine', { option: 'full' })
    await ha.untilShown('internet', 'off', id)
    await act('button', 'press', 'release_all', {}, null)
    await ha.untilShown('internet', 'on', id)
    await act('number', 'set_value', 'pause_minutes', { value: 45 })
    const minutes = await ha.entity('pause_minutes', id)
    await core.untilState(minutes, ({ state }) => Number(state) === 45)
    await act('button', 'press', 'pause')
    const { attributes } = await ha.untilShown('internet', 'off', id)
    const left = Number(attributes.until_ms) - Date.now()
    assert.ok(left > 44 * 60_000 && left <= 45 * 60_000, `${left}`)
    await act('select', 'select_option', 'quarantine', { option: 'open' })
    await ha.untilShown('internet', 'on', id)
    await act('select', 'select_option', 'default_policy', { option: 'local_only' }, null)
    await ha.untilShown('default_policy', 'local_only')
    await act('select', 'select_option', 'default_policy', { option: 'open' }, null)
    await ha.untilShown('default_policy', 'open')
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
      await ha.untilShown('internet', 'off', camera.id)
      const since = Date.now()
      await ha.untilShown('internet', 'on', camera.id)
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
      (await ha.agent.devices()).get(camera.id)?.name === 'Porch' ? true : undefined,
    )
    assert.equal((await ha.agent.devices()).get(camera.id)?.name_source, 'home_assistant')
  })

  /** Everything is as it was: the camera is shut off, and Home Assistant shows that. */
  async function isStillOff(): Promise<void> {
    await ha.untilShown('status', 'on', undefined, 60_000)
    await ha.untilShown('internet', 'off', camera.id)
    await ha.untilShown('quarantine', 'full', camera.id)
    assert.equal(await isSending(), false)
  }

  const restart: Record<Part, () => Promise<void>> = {
    agent: () => ha.agent.restart(Math.random() < 0.5 ? 'SIGTERM' : 'SIGKILL', 500),
    broker: () => core.broker.restart(),
    core: () => core.restart(),
  }

  it('are right again after agent, broker and Home Assistant began anew, in any order', async () => {
    await core.act('select', 'select_option', await ha.entity('quarantine', camera.id), {
      option: 'full',
    })
    await isStillOff()
    const orders = PARTS.flatMap((first) =>
      PARTS.filter((one) => one !== first).map((second) => {
        const third = PARTS.find((one) => one !== first && one !== second) as Part
        return [first, second, third]
      }),
    )
    const tried = isFull ? orders : orders.toSorted(() => Math.random() - 0.5).slice(0, 2)
    for (const order of tried) {
      console.log(`      ${order.join(', ')}`)
      for (const part of order) await restart[part]()
      await isStillOff()
      // And each still does what it is told.
      await core.act('switch', 'turn_on', await ha.entity('internet', camera.id))
      await ha.untilShown('quarantine', 'open', camera.id)
      await until('packets', async () => ((await isSending()) ? true : undefined))
      await core.act('select', 'select_option', await ha.entity('quarantine', camera.id), {
        option: 'full',
      })
      await isStillOff()
    }
    // All of them at once.
    await core.stopCore()
    await core.broker.restart()
    await ha.agent.restart('SIGKILL', 500)
    await core.startCore()
    await isStillOff()
    await core.act('switch', 'turn_on', await ha.entity('internet', camera.id))
    await ha.untilShown('internet', 'on', camera.id)
    const own = core.complaints().filter((line) => /homespin|mqtt\.(?!client|util)/.test(line))
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
    await core.act('button', 'press', await ha.entity('release_all'))
    await sleep(3000)
    assert.equal(await deviceEntry(other.id), undefined)
    // The camera sends on, so that it is there anew before anybody could look.
    const known = await until('its device', () => deviceEntry(camera.id))
    const removed: string[] = []
    const forget = await core.subscribe(
      'subscribe_events',
      { event_type: 'device_registry_updated' },
      (event) => {
        const { action, device_id } = (event as { data: { action: string; device_id: string } })
          .data
        if (action === 'remove') removed.push(device_id)
      },
    )
    const pressedMs = Date.now()
    await core.act('button', 'press', await ha.entity('forget', camera.id))
    await until('it to go', () => (removed.includes(known.id) ? true : undefined), 20_000)
    assert.deepEqual(removed, [known.id])
    await core.untilState(
      await ha.entity('new_device'),
      ({ state, attributes }) =>
        attributes.device_id === camera.id && Date.parse(state) >= pressedMs,
    )
    await until('it to be announced as new', () => deviceEntry(camera.id), 20_000)
    await forget()
  })
})
