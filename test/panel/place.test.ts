import assert from 'node:assert/strict'
import { placeFragment, readPlace } from '../../panel/src/place.ts'
import { HOSTILE } from './fixture-home.ts'

describe('panel: the place in the address', () => {
  it('comes back as it was, whatever a remote is called', () => {
    for (const remote of [
      undefined,
      'a.example.com',
      '2001:db8::1',
      HOSTILE.remote,
      'a&view=x#%',
      '+ ',
    ]) {
      for (const device_id of [undefined, '020de0000001', '020de0000001abcd']) {
        for (const view of ['devices', 'map', 'history', 'connections', 'journal'] as const) {
          const selection = { ...(device_id && { device_id }), ...(remote && { remote }) }
          const place = { view, selection }
          assert.deepEqual(readPlace(placeFragment(place)), place)
        }
      }
    }
    assert.equal(placeFragment({ view: 'devices', selection: {} }), '')
  })

  it('takes nothing that it does not know', () => {
    const first = { view: 'devices', selection: {} }
    for (const text of [
      '',
      '#',
      '#view=__proto__',
      '#view=constructor&device=../../x',
      '#device=020DE0000001',
      '#device=%',
      '#remote=',
      `#remote=${'x'.repeat(2000)}`,
      `#view=map&remote=${'x'.repeat(5000)}`,
      '#%E0%A4%A',
    ]) {
      assert.deepEqual(readPlace(text), first, text)
    }
    assert.deepEqual(readPlace('#view=map&view=rules&device=x'), { view: 'map', selection: {} })
  })
})
