// What Homespin's devices have in common with what a real Home Assistant knows by the same MAC: name, manufacturer, model and
// area, from the first moment on and as they change.
import assert from 'node:assert/strict'
import { identifierOf } from '../../protocol/home-assistant.ts'
import { requires, sleep, until } from '../lab/process.ts'
import { requiresCore } from './core.ts'
import { HaHome } from './ha-home.ts'
import type { DeviceEntry } from './made-devices.ts'
import { entryOf, MADE_DEVICES, makeDevice, NOT_TESTED } from './made-devices.ts'

describe('registries of Home Assistant', function () {
  this.timeout(240_000)
  const ha = new HaHome({ devices: 2, core: { files: MADE_DEVICES } })
  const { core, home } = ha
  const kettle = home.device(0)
  const areas = new Map<string, string>()
  let other: DeviceEntry

  const ours = (): Promise<DeviceEntry> => entryOf(core, 'mqtt', identifierOf('lab', kettle.id))
  const update = (device_id: string, what: object): Promise<unknown> =>
    core.call('config/device_registry/update', { device_id, ...what })
  const untilOurs = (what: string, isIt: (entry: DeviceEntry) => boolean): Promise<DeviceEntry> =>
    until(
      what,
      async () => {
        const entry = await ours()
        return isIt(entry) ? entry : undefined
      },
      30_000,
      100,
    )
  const untilIn = (name: string): Promise<DeviceEntry> =>
    untilOurs(`the area ${name}`, ({ area_id }) => area_id === areas.get(name))

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl')
    requiresCore(this)
    await ha.start()
    for (const name of ['Kitchen [1]', 'Hall', 'Attic']) {
      const { area_id } = await core.call<{ area_id: string }>('config/area_registry/create', {
        name,
      })
      areas.set(name, area_id)
    }
    other = await makeDevice(core, {
      mac: kettle.mac,
      name: 'Kettle',
      manufacturer: 'Kettles Ltd',
      model: 'K1',
    })
    await update(other.id, { area_id: areas.get('Kitchen [1]') })
    await ha.meet(0)
  })
  after(() => ha.stop())

  it('lend a device name, manufacturer and model before it is told of, and its area at once', async () => {
    const entry = await untilIn('Kitchen [1]')
    const { name, manufacturer, model } = entry
    assert.deepEqual([name, manufacturer, model], ['Kettle', 'Kettles Ltd', 'K1'])
    assert.equal(await ha.entity('internet', kettle.id), 'switch.kettle_internet_access')
    // No area was made besides those that there are.
    const all = await core.call<{ name: string }[]>('config/area_registry/list')
    assert.deepEqual(
      all.filter(({ name }) => name.startsWith('Kitchen (')),
      [],
    )
  })

  it('are followed', async () => {
    await update(other.id, { area_id: areas.get('Hall'), name_by_user: 'Tea' })
    await untilIn('Hall')
    await untilOurs('the name', ({ name }) => name === 'Tea')
    assert.equal((await ha.agent.devices()).get(kettle.id)?.name_source, 'home_assistant')
  })

  it('are not followed where a person has moved a device, also after a restart', async () => {
    await update((await ours()).id, { area_id: areas.get('Attic') })
    await update(other.id, { area_id: areas.get('Kitchen [1]'), name_by_user: 'Kettle' })
    await untilOurs('the name', ({ name }) => name === 'Kettle')
    assert.equal((await ours()).area_id, areas.get('Attic'))
    await ha.agent.restart('SIGTERM', 500)
    await ha.untilShown('status', 'on')
    await sleep(3000)
    assert.equal((await ours()).area_id, areas.get('Attic'))
    assert.deepEqual(
      core.complaints().filter((line) => !NOT_TESTED.test(line)),
      [],
    )
  })
})
