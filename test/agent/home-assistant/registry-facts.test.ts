import assert from 'node:assert/strict'
import { parseMac } from '../../../agent/address.ts'
import { areaChanges } from '../../../agent/home-assistant/areas.ts'
import { registryFacts } from '../../../agent/home-assistant/registry-facts.ts'

const MAC = '02:0d:e0:00:00:01'
const KEY = parseMac(MAC) as number
const ours = {
  connections: [['mac', MAC]],
  identifiers: [['mqtt', 'homespin_home_020de0000001']],
  name: 'what we said',
  name_by_user: null,
  manufacturer: 'what we said',
}
const theirs = {
  connections: [
    ['mac', MAC.toUpperCase()],
    ['bluetooth', 'x'],
  ],
  identifiers: [['unifi', 'x']],
  name: 'Kettle',
  name_by_user: null,
  manufacturer: 'Kettles Ltd',
  model: 'K1',
  area_id: 'kitchen',
}

describe("what Home Assistant's registries know", () => {
  it('comes from other integrations, by MAC', () => {
    const facts = registryFacts([ours, theirs])
    const all = { name: 'Kettle', manufacturer: 'Kettles Ltd', model: 'K1' }
    assert.deepEqual([...facts], [[KEY, all]])
  })

  it('never is what we said there ourselves', () => {
    assert.deepEqual(registryFacts([ours]).get(KEY), {})
  })

  it('is what a person says before what an integration says, on whichever entry', () => {
    const renamed = { ...ours, name_by_user: 'Tea' }
    assert.equal(registryFacts([theirs, renamed]).get(KEY)?.name, 'Tea')
    const also = { ...theirs, name_by_user: 'Coffee' }
    assert.equal(registryFacts([also, ours]).get(KEY)?.name, 'Coffee')
  })

  it('is read from answers of any shape', () => {
    for (const odd of [undefined, null, 1, 'x', {}, [1, null, 'x', []], [{ connections: 7 }]]) {
      assert.equal(registryFacts(odd).size, 0)
    }
    const odd = { connections: [['mac', 'x'], ['mac'], 'mac', ['mac', MAC]], name: 7, area_id: {} }
    assert.deepEqual(registryFacts([odd]).get(KEY), {})
    const long = { ...theirs, name: `${'\u0000\n'.repeat(9)}${'x'.repeat(1000)}` }
    assert.equal(registryFacts([long]).get(KEY)?.name, 'x'.repeat(63 * 4 - 18).slice(0, 63))
  })
})

describe("areas of Homespin's devices in Home Assistant", () => {
  const id = '020de0000001'
  const mine = { ...ours, id: 'r1', area_id: null }
  const change = (areaId: string) => [{ deviceId: id, registryId: 'r1', areaId }]
  const changes = (before: string | undefined, ...devices: object[]) =>
    areaChanges(devices, 'home', (of) => (of === id ? before : 'another'))

  it('are those of what else has the MAC, and follow it', () => {
    assert.deepEqual(changes(undefined, mine, theirs), change('kitchen'))
    const placed = { ...mine, area_id: 'kitchen' }
    assert.deepEqual(changes('kitchen', placed, theirs), [])
    assert.deepEqual(changes('kitchen', placed, { ...theirs, area_id: 'hall' }), change('hall'))
    // What has none, or is gone, moves nothing.
    assert.deepEqual(changes('kitchen', placed, { ...theirs, area_id: null }), [])
    assert.deepEqual(changes('kitchen', placed), [])
  })

  it('stay as a person has set them', () => {
    assert.deepEqual(changes(undefined, { ...mine, area_id: 'attic' }, theirs), [])
    assert.deepEqual(changes('kitchen', { ...mine, area_id: 'attic' }, theirs), [])
    const hall = { ...theirs, area_id: 'hall' }
    assert.deepEqual(changes('kitchen', { ...mine, area_id: null }, hall), [])
  })

  it('are set of our own devices alone', () => {
    for (const identifiers of [
      [['mqtt', 'homespin_home']],
      [['mqtt', 'homespin_other_020de0000001']],
      [['unifi', 'homespin_home_020de0000001']],
      [['mqtt', 'homespin_home_020de0000001_x'], 7, ['mqtt']],
      'x',
    ])
      assert.deepEqual(changes(undefined, { ...mine, identifiers }, theirs), [])
    assert.deepEqual(changes(undefined, { ...mine, id: 7 }, theirs), [])
    for (const odd of [undefined, null, 1, 'x', {}, [1, null, 'x', []]])
      assert.deepEqual(
        areaChanges(odd, 'home', () => undefined),
        [],
      )
  })
})
