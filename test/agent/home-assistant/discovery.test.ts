// What Home Assistant is told over a real broker, and what is done about others who write there.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEVICE_ENTITIES, ENABLED_ENTITIES } from '../../../protocol/home-assistant.ts'
import type { Device } from '../../../protocol/messages.ts'
import type { JournalEntry } from '../../../protocol/policy.ts'
import { incident } from '../methods/home.ts'
import { device, until } from '../mqtt/listener.ts'
import type { Setting, SettingOptions } from './setting.ts'
import { actingInfo, OPEN, setting } from './setting.ts'

const CAMERA: Device = {
  ...device(1, { mac: '02:0d:e0:00:00:01', vendor: 'Example' }),
  policy: OPEN,
}
const CONFIG = `homeassistant/device/homespin_home_${CAMERA.id}/config`
const AGENT = 'homeassistant/device/homespin_home/config'
const CONTROLS = 'homespin/home/ha/agent/controls'
const state = (part: string, id = CAMERA.id): string => `homespin/home/ha/${id}/${part}`

/** Keys of entities, without those that are only taken out. */
function keysIn(payload: { components: Record<string, { unique_id?: string }> }): string[] {
  return Object.entries(payload.components)
    .filter(([, { unique_id }]) => unique_id !== undefined)
    .map(([key]) => key)
}

describe('Home Assistant', function () {
  this.timeout(20_000)
  let at: Setting
  const begin = async (options: SettingOptions = {}): Promise<void> => {
    at = await setting({ devices: [CAMERA], ...options })
  }
  afterEach(() => at.stop())

  it('is told of the agent and of each device, by MAC and with all that can be had', async () => {
    await begin()
    await until(() => at.last('homespin/home/ha/agent/state') !== undefined)
    const { device: told, components, availability, origin } = at.last(CONFIG)
    assert.deepEqual(told.identifiers, [`homespin_home_${CAMERA.id}`])
    assert.deepEqual(told.connections, [['mac', CAMERA.mac]])
    assert.equal(told.via_device, 'homespin_home')
    assert.equal(told.manufacturer, 'Example')
    assert.deepEqual(availability, [{ topic: 'homespin/home/status' }])
    assert.equal(origin.name, 'homespin')
    assert.deepEqual(Object.keys(components).sort(), Object.keys(DEVICE_ENTITIES).sort())
    for (const [key, component] of Object.entries<Record<string, unknown>>(components)) {
      assert.equal(component.unique_id, `homespin_home_${CAMERA.id}_${key}`)
    }
    const enabled = Object.entries<Record<string, unknown>>(components)
      .filter(([, { enabled_by_default }]) => enabled_by_default !== false)
      .map(([key]) => key)
    assert.deepEqual(enabled.toSorted(), ENABLED_ENTITIES.toSorted())
    assert.ok(enabled.length <= 9)
    assert.deepEqual(components.quarantine.options, ['open', 'observe', 'local_only', 'full'])
    assert.deepEqual(at.last(AGENT).device.identifiers, ['homespin_home'])
    for (const topic of [CONFIG, AGENT, state('control'), 'homespin/home/ha/agent/state']) {
      assert.ok(at.last(topic), topic)
    }
    assert.ok(at.ear.heard.every(({ qos }) => qos === 1))
  })

  it('has no control that can not be held, and none where it may not order', async () => {
    const sensors = ['downloaded', 'uploaded', 'download_rate', 'upload_rate', 'connected']
    const looks = [...sensors, 'anomaly', 'last_incident', 'detection']
    const key = { HOMESPIN_MQTT_COMMAND_KEY: 'a key that is long enough' }
    const cases: [SettingOptions, string[]][] = [
      [{ info: actingInfo([]) }, ['forget', ...looks]],
      [{ info: actingInfo(['full']) }, ['quarantine', 'forget', ...looks]],
      [{ env: { HOMESPIN_MQTT_COMMANDS: 'none' } }, looks],
      [{ env: key }, looks],
      [{ env: { ...key, HOMESPIN_MQTT_HA_CONTROLS: 'unsigned' } }, Object.keys(DEVICE_ENTITIES)],
    ]
    for (const [options, keys] of cases) {
      await begin(options)
      await until(() => at.last(CONFIG) !== undefined)
      assert.deepEqual(keysIn(at.last(CONFIG)).sort(), [...keys].sort())
      assert.equal(
        at.last(AGENT).components.release_all.unique_id !== undefined,
        keys.length > 10 || keys.includes('quarantine'),
      )
      if (options !== cases.at(-1)?.[0]) await at.stop()
    }
  })

  it('has an entity that vanished taken out, and one that came put in', async () => {
    await begin()
    await until(() => at.last(CONFIG) !== undefined)
    at.info = actingInfo([])
    at.ha.info(at.info)
    await until(() => at.last(CONFIG).components.internet.unique_id === undefined, 10_000)
    assert.deepEqual(at.last(CONFIG).components.internet, { platform: 'switch' })
    assert.deepEqual(at.last(AGENT).components.default_policy, { platform: 'select' })
  })

  it('keeps controls that can not be held for the moment, and shows them as unavailable', async () => {
    await begin()
    const controls = (): string | undefined =>
      at.ear.heard.findLast(({ topic }) => topic === CONTROLS)?.text
    await until(() => at.last(CONFIG) !== undefined && controls() === 'online')
    const [before, agent] = [at.last(CONFIG), at.last(AGENT)]
    const kernel = ['internet', 'pause', 'quarantine']
    for (const component of [
      ...kernel.map((key) => before.components[key]),
      agent.components.release_all,
      agent.components.default_policy,
    ]) {
      const topics = component.availability.map(({ topic }: { topic: string }) => topic)
      assert.deepEqual(topics, ['homespin/home/status', CONTROLS])
      assert.equal(component.availability_mode, 'all')
    }
    // As enforce says it while a router can not be reached.
    const away = actingInfo([])
    for (const one of Object.values(away.capabilities)) one.passing = true
    at.ha.info(away)
    await until(() => controls() === 'offline')
    at.ha.device({ ...CAMERA, name: 'renamed' })
    await until(() => at.last(CONFIG).device.name === 'renamed', 10_000)
    assert.deepEqual(at.last(CONFIG).components, before.components)
    assert.deepEqual(at.last(AGENT).components, agent.components)
    // Also where the agent starts during the fault, in its own folder or another.
    const kept = mkdtempSync(join(tmpdir(), 'homespin-ha-'))
    cpSync(at.data, kept, { recursive: true })
    await at.stop()
    await begin({ info: away, data: kept })
    await until(() => controls() === 'offline' && at.last(CONFIG) !== undefined)
    assert.deepEqual(at.last(CONFIG).components, before.components)
    at.ha.info(actingInfo())
    await until(() => controls() === 'online')
    // What lasts takes them out.
    at.ha.info(actingInfo([]))
    await until(() => at.last(CONFIG).components.internet.unique_id === undefined, 10_000)
    rmSync(kept, { recursive: true })
  })

  it('gets names as data alone: templates are the same whatever a device is called', async () => {
    const evil = '{{ 7*7 }}<img src=x onerror=alert(1)>[x](http://evil.example)\n`'
    const hostile = { ...CAMERA, id: '020de0000002', name: evil, vendor: evil }
    const reason = { ...OPEN, level: 'full', desired_level: 'full', level_reason: evil } as const
    await begin({ devices: [CAMERA, { ...hostile, policy: reason }] })
    const topic = CONFIG.replace(CAMERA.id, hostile.id)
    await until(() => at.last(state('incident', hostile.id)) !== undefined)
    const { device: told, components } = at.last(topic)
    const plain = '((7*7))'
    assert.doesNotMatch(JSON.stringify(told), /[{]{2}|[<>`]|:\/\/|\\n/)
    assert.match(told.name.replaceAll(' ', ''), new RegExp(`^${plain.replace(/[()*]/g, '.')}`))
    const other = JSON.stringify(at.last(CONFIG).components).replaceAll(CAMERA.id, hostile.id)
    assert.equal(JSON.stringify(components), other)
    assert.doesNotMatch(at.last(state('control', hostile.id)).attributes.reason, /[{}<>[\]`]/)
  })

  it('sees what the kernel does: the switch, the level, why and until when', async () => {
    await begin()
    const policy = {
      ...OPEN,
      desired_level: 'local_only',
      level_until_ms: 5,
      in_force: false,
    } as const
    at.ha.device({ ...CAMERA, policy })
    await until(() => at.last(state('control'))?.attributes.in_force === false)
    assert.equal(at.last(state('control')).internet, 'ON')
    assert.equal(at.last(state('control')).attributes.desired, 'local_only')
    at.ha.device({ ...CAMERA, policy: { ...policy, level: 'local_only', in_force: true } })
    await until(() => at.last(state('control')).internet === 'OFF')
    assert.equal(at.last(state('control')).quarantine, 'local_only')
    assert.equal(at.last(state('control')).attributes.until_ms, 5)
    at.ha.memory.setPauseMinutes(CAMERA.id, 45)
    await until(() => at.last(state('control')).pause_minutes === 45)
  })

  it('is not deceived for longer than 5 s by what others write, retained or not', async () => {
    await begin()
    await until(() => at.last(state('incident')) !== undefined)
    const topics = [CONFIG, state('control'), state('traffic'), 'homespin/home/ha/agent/state']
    for (const retain of [true, false]) {
      const right = topics.map((topic) => JSON.stringify(at.last(topic)))
      const forged = '{"internet":"OFF","components":{}}'
      const sinceMs = performance.now()
      for (const topic of topics) await at.write(topic, forged, retain)
      await until(
        () => topics.every((topic, i) => JSON.stringify(at.last(topic)) === right[i]),
        5000,
        'the truth did not come back',
      )
      console.log(
        `      put right after ${Math.round(performance.now() - sinceMs)} ms (at most 5000)`,
      )
    }
    await at.write(state('control'), '')
    await until(() => at.last(state('control')) !== undefined)
  })

  it('is not told again of a device that was deleted there, until it comes back', async () => {
    await begin()
    await until(() => at.last(state('incident')) !== undefined)
    await at.write(CONFIG, '')
    await until(() => at.last(state('control')) === undefined)
    at.ha.device({ ...CAMERA, name: 'another' })
    at.reconnect()
    at.ha.device({ ...CAMERA, present: false })
    at.ha.device({ ...CAMERA, name: 'other', present: false })
    assert.equal(at.last(CONFIG), undefined)
    const kept = JSON.parse(readFileSync(join(at.data, 'home-assistant.json'), 'utf8'))
    assert.deepEqual(kept.dismissed, { [CAMERA.id]: { gone: true, accepted: true } })
    at.ha.device(CAMERA)
    await until(() => at.last(state('control')) !== undefined && at.last(CONFIG) !== undefined)
  })

  it('is told again of a deleted device that is accepted again', async () => {
    await begin()
    await until(() => at.last(state('incident')) !== undefined)
    await at.write(CONFIG, '')
    await until(() => at.last(state('control')) === undefined)
    const accepted = [{ device_id: CAMERA.id, before: true, after: true }]
    at.ha.journal({ accepted } as JournalEntry)
    at.ha.device(CAMERA)
    await until(() => at.last(CONFIG) !== undefined)
  })

  it('forgets a forgotten device, without its being taken for deleted', async () => {
    await begin()
    await until(() => at.last(state('incident')) !== undefined)
    at.ha.forget(CAMERA.id)
    await until(() => at.last(CONFIG) === undefined && at.last(state('incident')) === undefined)
    at.ha.device(CAMERA)
    await until(() => at.last(CONFIG) !== undefined)
    at.ha.forget(CAMERA.id)
    at.ha.device(CAMERA)
    await until(() => at.last(CONFIG) !== undefined && at.last(state('control')) !== undefined)
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.ok(at.last(CONFIG), 'our own empty message is no deletion')
  })

  it('gets events of incidents once, and none of those that it knows', async () => {
    const known = { ...incident('run-i1'), device_id: CAMERA.id }
    await begin({ incidents: [known] })
    await until(() => at.last(state('incident'))?.anomaly === 'ON')
    at.ha.incident(known)
    const next = {
      ...known,
      id: 'run-i2',
      kind: 'flood',
      severity: 'low',
      opened_ms: known.opened_ms + 1,
    } as const
    at.ha.incident({ ...next, sentence: `${'x'.repeat(300)}` })
    at.ha.incident({ ...next, last_ms: 7 })
    at.ha.incident({ ...next, state: 'closed' })
    const events = () => at.ear.on(state('detection'))
    await until(() => events().length === 2)
    assert.deepEqual(
      events().map((one) => [one.event_type, one.incident_id, one.incident_state]),
      [
        ['flood', 'run-i2', 'open'],
        ['flood', 'run-i2', 'closed'],
      ],
    )
    assert.equal(at.last(state('incident')).anomaly_attributes.incident_id, 'run-i1')
    at.ha.incident({ ...known, state: 'closed' })
    await until(() => at.last(state('incident')).anomaly === 'OFF' && events().length === 3)
    assert.deepEqual(at.last(state('incident')).anomaly_attributes, {})
    assert.ok(
      at.ear.heard.every(({ topic, retained }) => !topic.endsWith('detection') || !retained),
    )
  })

  it('is told nothing before it was heard, unless asked for, and then all; again when it comes again', async () => {
    await begin({ env: { HOMESPIN_HOME_ASSISTANT_DISCOVERY: 'auto' } })
    at.ha.device(CAMERA)
    await at.write('homeassistant/status', 'online', false)
    await until(() => at.last(state('incident')) !== undefined)
    assert.ok(at.ear.heard.findIndex(({ topic }) => topic === 'homeassistant/status') === 0)
    const count = (): number => at.ear.heard.filter(({ topic }) => topic === CONFIG).length
    const before = count()
    await at.write('homeassistant/status', 'online', false)
    await until(() => count() === before + 1)
    const { data } = at
    assert.equal(JSON.parse(readFileSync(join(data, 'home-assistant.json'), 'utf8')).heard, true)
  })

  it('is told everything again when a broker that keeps nothing comes back', async () => {
    await begin()
    await until(() => at.last(state('incident')) !== undefined)
    at.ear.heard.length = 0
    at.reconnect()
    const topics = [AGENT, CONFIG, state('control'), state('traffic'), state('incident')]
    await until(() => topics.every((topic) => at.last(topic) !== undefined))
  })

  it('is told of all, of those that are accepted, or of none', async () => {
    const stranger = { ...device(2), policy: { ...OPEN, accepted: false } }
    for (const [announce, ids] of [
      ['all', [CAMERA.id, stranger.id]],
      ['known', [CAMERA.id]],
      ['none', []],
    ] as const) {
      await begin({
        devices: [CAMERA, stranger],
        env: { HOMESPIN_HOME_ASSISTANT_ANNOUNCE: announce },
      })
      await until(() => at.last('homespin/home/ha/agent/state') !== undefined)
      await until(() => ids.every((id) => at.last(state('incident', id)) !== undefined))
      const told = at.ear.heard.filter(({ topic }) => topic.endsWith('/config')).map((x) => x.topic)
      assert.equal(new Set(told).size, ids.length + 1)
      if (announce === 'known') {
        at.ha.device({ ...stranger, policy: OPEN })
        await until(() => at.last(state('control', stranger.id)) !== undefined)
        at.ha.device(stranger)
        await until(() => at.last(state('control', stranger.id)) === undefined)
      }
      if (announce !== 'none') await at.stop()
    }
  })
})
