import assert from 'node:assert/strict'
import { parseMac } from '../../../agent/address.ts'
import { registryFacts } from '../../../agent/home-assistant/registry-facts.ts'

const MAC = '02:0d:e0:00:00:01'
const KEY = parseMac(MAC) as number
const AREAS = [{ area_id: 'kitchen', name: 'Kitchen' }]
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
    const facts = registryFacts([ours, theirs], AREAS)
    const all = { name: 'Kettle', manufacturer: 'Kettles Ltd', model: 'K1', area: 'Kitchen' }
    assert.deepEqual([...facts], [[KEY, all]])
  })

  it('never is what we said there ourselves', () => {
    assert.deepEqual(registryFacts([ours], AREAS).get(KEY), {})
  })

  it('is what a person says before what an integration says, on whichever entry', () => {
    const renamed = { ...ours, name_by_user: 'Tea' }
    assert.equal(registryFacts([theirs, renamed], AREAS).get(KEY)?.name, 'Tea')
    const also = { ...theirs, name_by_user: 'Coffee' }
    assert.equal(registryFacts([also, ours], AREAS).get(KEY)?.name, 'Coffee')
  })

  it('is read from answers of any shape', () => {
    for (const odd of [undefined, null, 1, 'x', {}, [1, null, 'x', []], [{ connections: 7 }]]) {
      assert.equal(registryFacts(odd, odd).size, 0)
    }
    const odd = { connections: [['mac', 'x'], ['mac'], 'mac', ['mac', MAC]], name: 7, area_id: {} }
    assert.deepEqual(registryFacts([odd], AREAS).get(KEY), {})
    const long = { ...theirs, name: `${'\u0000\n'.repeat(9)}${'x'.repeat(1000)}` }
    assert.equal(registryFacts([long], []).get(KEY)?.name, 'x'.repeat(63 * 4 - 18).slice(0, 63))
  })
})
