import assert from 'node:assert/strict'
import { historyOf, remotesOf, viewOf } from '../../panel/src/card/device-view.ts'
import type { HassDevice, HassEntity, HassState } from '../../panel/src/card/hass.ts'
import { homeOf, isOurDevice, ourEntityIds } from '../../panel/src/card/home.ts'

const AGENT = 'homespin_home'
const DEVICE = 'homespin_home_020de0000001'

const device = (id: string, identifier: string, via: string | null, more = {}): HassDevice => ({
  id,
  name: `name of ${id}`,
  name_by_user: null,
  identifiers: [['mqtt', identifier]],
  via_device_id: via,
  ...more,
})

const entity = (entity_id: string, device_id: string): HassEntity => ({ entity_id, device_id })

const byId = <T>(list: readonly T[], key: (one: T) => string): Record<string, T> =>
  Object.fromEntries(list.map((one) => [key(one), one]))

describe('panel: the card finds the home', () => {
  const devices = byId(
    [
      device('a', AGENT, null),
      device('d', DEVICE, 'a', { name_by_user: 'My TV' }),
      device('off', 'homespin_home_020de0000002', 'a', { disabled_by: 'user' }),
      device('z', 'zigbee2mqtt_0x01', null),
      // Its own MAC as agent id is still an agent: it has no other device above it.
      device('odd', 'homespin_x_020de0000009', null),
    ],
    ({ id }) => id,
  )
  const entities = byId(
    [
      entity('switch.tv', 'd'),
      entity('sensor.renamed', 'd'),
      entity('sensor.foreign', 'd'),
      entity('binary_sensor.agent', 'a'),
      entity('switch.off', 'off'),
      entity('light.z', 'z'),
    ],
    ({ entity_id }) => entity_id,
  )
  const unique = new Map([
    ['switch.tv', `${DEVICE}_internet`],
    ['sensor.renamed', `${DEVICE}_downloaded`],
    // Of somebody else who says to be of this device.
    ['sensor.foreign', 'other_downloaded'],
    ['binary_sensor.agent', `${AGENT}_status`],
    ['light.z', 'z_light'],
  ])

  it('asks for the unique ids of its own entities alone', () => {
    assert.deepEqual(ourEntityIds({ devices, entities }), [
      'binary_sensor.agent',
      'sensor.foreign',
      'sensor.renamed',
      'switch.tv',
    ])
  })

  it('tells agents and devices apart, and entities by their keys', () => {
    const home = homeOf({ devices, entities }, unique)
    assert.deepEqual(home.devices, [
      {
        registry_id: 'd',
        agent: 'home',
        id: '020de0000001',
        name: 'My TV',
        entities: { internet: 'switch.tv', downloaded: 'sensor.renamed' },
      },
    ])
    assert.deepEqual(
      home.agents.map(({ agent, entities }) => [agent, entities]),
      [
        ['home', { status: 'binary_sensor.agent' }],
        ['x_020de0000009', {}],
      ],
    )
    assert.deepEqual(
      Object.values(devices)
        .filter(isOurDevice)
        .map(({ id }) => id),
      ['d'],
    )
  })

  const [tv] = homeOf({ devices, entities }, unique).devices
  const stateOf = (state: string, attributes: Record<string, unknown> = {}): HassState => ({
    state,
    attributes,
  })

  it('reads attributes that somebody else wrote without harm', () => {
    assert.ok(tv)
    const bad = [null, 7, 'x', [], {}, [[1, 2]], [{ name: {}, sent_bytes: 'many' }], [[-1, 1, 1]]]
    for (const value of bad) {
      const view = viewOf(tv, {
        'sensor.renamed': stateOf('1', { history: value, top_remotes: value, mac: value }),
        'switch.tv': stateOf('on', { until_ms: value, reason: value, in_force: value }),
      })
      assert.equal(view.history.length, 0)
      assert.ok(view.remotes.every(({ sent_bytes }) => sent_bytes === 0))
      assert.equal(view.internet?.state, 'on')
    }
    const many = Array.from({ length: 5000 }, (_, at) => [at, 1, 2])
    assert.equal(historyOf(many).length, 48)
    assert.equal(remotesOf(many).length, 10)
  })

  it('tells what is not known from what is not there', () => {
    assert.ok(tv)
    const held = { ...tv, entities: { quarantine: 'select.q' } }
    const viewIn = (state: string) =>
      viewOf(held, { 'select.q': stateOf(state, { options: ['open', 'full'] }) }).quarantine
    assert.equal(viewIn('full')?.state, 'full')
    assert.equal(viewIn('unknown')?.state, undefined)
    assert.deepEqual(viewIn('unknown')?.options, ['open', 'full'])
    assert.equal(viewIn('unavailable'), undefined)
  })
})
