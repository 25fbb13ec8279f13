// The app whole: the image of the real Dockerfile, run as the Supervisor runs it, on a router with a real Home Assistant, whose
// broker and websocket the Supervisor names, and with real packets.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { AGENT_ENTITIES, DEVICE_ENTITIES, identifierOf } from '../../protocol/home-assistant.ts'
import { TOKEN } from '../agent/supervisor/fake-supervisor.ts'
import { buildImage, Container, whyNoImage } from '../image/container.ts'
import type { Probe } from '../lab/probing.ts'
import { Program, requires, sleep, until } from '../lab/process.ts'
import { BROKER_PASSWORD, BROKER_USER } from './broker.ts'
import { requiresCore } from './core.ts'
import { HaHome } from './ha-home.ts'
import { entryOf, MADE_DEVICES, makeDevice, NOT_TESTED } from './made-devices.ts'
import { stopTimes } from './stop-times.ts'

const REMOTE4 = '203.0.113.9'
const SUPERVISOR = join(import.meta.dirname, '../agent/supervisor/fake-supervisor.ts')

describe('the app in a real Home Assistant', function () {
  this.timeout(1_500_000)
  const ha = new HaHome({ devices: 2, app: 'home', core: { files: { ...MADE_DEVICES } } })
  const { core, home } = ha
  const camera = home.device(0)
  let supervisor: Program
  let app: Container
  let sink: Probe

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl', 'unshare')
    requiresCore(this)
    const why = whyNoImage()
    if (why !== undefined) {
      if (process.env.CI === 'true') throw new Error(why)
      console.error(`      skipped, ${why}`)
      this.skip()
    }
    const image = await buildImage()
    await ha.start()
    supervisor = new Program('ip', home.inside('box', process.execPath, SUPERVISOR, '127.0.0.1'))
    await supervisor.start().until(/listening/)
    const { port } = core.broker
    const account = { username: BROKER_USER, password: BROKER_PASSWORD }
    const state = {
      self: {},
      mqtt: { addon: 'core_mosquitto', host: 'core-mosquitto', port, ssl: false, ...account },
      core: { url: `http://127.0.0.1:${core.port}`, token: core.admin.token },
    }
    supervisor.send(JSON.stringify(state))
    await makeDevice(core, {
      mac: camera.mac,
      name: 'Porch',
      manufacturer: 'Cameras Ltd',
      model: 'C1',
    })
    core.complaints()
    app = new Container({
      image,
      network: home.inside('box')[2] ?? '',
      options: { mode: 'gateway', interfaces: ['br-lan'], announce: 'known', publish_names: false },
      env: { SUPERVISOR_TOKEN: TOKEN, SUPERVISOR_URL: 'http://127.0.0.1' },
      hosts: '127.0.0.1 core-mosquitto\n',
    })
    app.start()
    await app.program.until(/mode gateway; page off; broker supervisor/, 60_000)
    await ha.meet(0, 1)
    sink = ha.probe('wan', 'sink')
    ha.probe('dev1', 'source', REMOTE4)
  })
  after(async () => {
    await app?.stop()
    await supervisor?.stop('SIGKILL')
    await ha.stop()
  })

  it('is there with its devices and all of their entities, named as Home Assistant names them', async () => {
    const ids = await core.entities()
    for (const [identifier, keys] of [
      [identifierOf('home'), AGENT_ENTITIES],
      ...home.devices.map(({ id }) => [identifierOf('home', id), DEVICE_ENTITIES] as const),
    ] as const) {
      for (const key of Object.keys(keys)) assert.ok(ids.has(`${identifier}_${key}`), key)
    }
    const { name, manufacturer, model } = await entryOf(
      core,
      'mqtt',
      identifierOf('home', camera.id),
    )
    assert.deepEqual([name, manufacturer, model], ['Porch', 'Cameras Ltd', 'C1'])
    await ha.untilShown('visibility', 'gateway_two_armed')
    await ha.untilShown('problem', 'off')
    const bad = core.complaints().filter((line) => !NOT_TESTED.test(line))
    assert.deepEqual(bad, [])
  })

  it('stops packets within a second of the switch, and lets them through again', async () => {
    await until('packets', async () => ((await sink.read()).times.length > 0 ? true : undefined))
    await stopTimes(ha, sink, camera.id, 5)
  })

  it('goes on after Home Assistant and the app began anew', async () => {
    await core.act('select', 'select_option', await ha.entity('quarantine', camera.id), {
      option: 'full',
    })
    await ha.untilShown('quarantine', 'full', camera.id)
    await app.program.stop('SIGTERM', 30_000)
    await core.restart()
    app.start()
    await ha.untilShown('status', 'on', undefined, 60_000)
    await ha.untilShown('quarantine', 'full', camera.id)
    await ha.untilShown('internet', 'off', camera.id)
    await sink.read()
    await sleep(300)
    assert.equal((await sink.read()).times.length, 0)
    await core.act('switch', 'turn_on', await ha.entity('internet', camera.id))
    await until('packets', async () => ((await sink.read()).times.length > 0 ? true : undefined))
  })
})
