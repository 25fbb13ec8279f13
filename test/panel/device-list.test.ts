import assert from 'node:assert/strict'
import { createApi } from '../../panel/src/api.ts'
import type { Sort } from '../../panel/src/device-list.ts'
import { heldOrder, listDevices } from '../../panel/src/device-list.ts'
import { TINTS, tintsOf } from '../../panel/src/palette.ts'
import type { PanelState } from '../../panel/src/store.ts'
import { EMPTY, receive } from '../../panel/src/store.ts'
import { loadToday, todayOf } from '../../panel/src/today.ts'
import type { Incident } from '../../protocol/act.ts'
import { deviceOf, incidentOf } from './examples.ts'
import { startFixture } from './fixture-server.ts'

const devices = [
  deviceOf('a', { name: 'TV', vendor: 'Acme', ips: ['192.0.2.1'], last_seen_ms: 3, sent_bytes: 1 }),
  deviceOf('b', { name: 'laptop', ips: ['2001:db8::7'], last_seen_ms: 1, sent_bytes: 9 }),
  deviceOf('c', { name: 'cam', mac: '02:00:00:00:00:0c', last_seen_ms: 2, sent_bytes: 5 }),
]

const state: PanelState = [1000, 2000].reduce(
  (before, to_ms) =>
    receive(before, {
      name: 'rates',
      data: { rates: [{ device_id: 'c', sent_rate: 8000, received_rate: 0 }], to_ms },
    }),
  receive(EMPTY, { name: 'devices', data: { devices, rates: [] } }),
)

const ids = (query: string, sort: Sort, today = new Map()): string =>
  listDevices(state, today, query, sort)
    .map(({ id }) => id)
    .join('')

describe('panel: the list of devices', () => {
  it('has those with open incidents first where it is sorted by activity', () => {
    const tell = (data: Incident): PanelState => receive(state, { name: 'incident', data })
    const order = (suspect: PanelState, sort: Sort): string =>
      listDevices(suspect, new Map(), '', sort)
        .map(({ id }) => id)
        .join('')
    const open = tell(incidentOf('i', { device_id: 'b' }))
    assert.equal(order(open, 'activity'), 'bca')
    assert.equal(order(open, 'total'), 'bca')
    assert.equal(order(open, 'seen'), 'acb')
    const closed = tell(incidentOf('i', { device_id: 'b', state: 'closed' }))
    assert.equal(order(closed, 'activity'), 'cba')
  })

  it('keeps an order, with newcomers after it', () => {
    const order = heldOrder(devices, ['c', 'gone', 'a'])
    assert.deepEqual(
      order.map(({ id }) => id),
      ['c', 'a', 'b'],
    )
  })

  it('sorts', () => {
    assert.equal(ids('', 'name'), 'cba')
    assert.equal(ids('', 'seen'), 'acb')
    assert.equal(ids('', 'total'), 'bca')
    assert.equal(ids('', 'activity'), 'cba')
    assert.equal(ids('', 'today', new Map([['a', { sent_bytes: 1, received_bytes: 0 }]])), 'acb')
  })

  it('finds by name, vendor and address, all words at once', () => {
    assert.equal(ids('ACME tv', 'name'), 'a')
    assert.equal(ids('2001:db8', 'name'), 'b')
    assert.equal(ids('00:0c', 'name'), 'c')
    assert.equal(ids('acme cam', 'name'), '')
  })

  it('gives colours that later devices do not change', () => {
    const few = tintsOf([
      { id: 'x', first_seen_ms: 5 },
      { id: 'y', first_seen_ms: 2 },
    ])
    const more = tintsOf([
      { id: 'z', first_seen_ms: 9 },
      { id: 'x', first_seen_ms: 5 },
      { id: 'y', first_seen_ms: 2 },
    ])
    assert.deepEqual([few.get('y'), few.get('x')], [0, 1])
    assert.deepEqual([more.get('y'), more.get('x'), more.get('z')], [0, 1, 2])
    const many = tintsOf(Array.from({ length: 40 }, (_, n) => ({ id: `${n}`, first_seen_ms: n })))
    assert.ok([...many.values()].every((tint) => tint < TINTS))
  })

  it('carries the bytes since midnight on, and drops those of another day', async () => {
    const server = await startFixture({ dir: '.' })
    try {
      const api = createApi(server.url, () => undefined)
      const [device] = server.home.devices
      assert.ok(device)
      const now = new Date().setHours(13, 20, 0, 0)
      const before = structuredClone(device)
      const bases = await loadToday(api, [before], now, AbortSignal.timeout(5000))
      const base = bases.get(device.id)
      assert.ok(base && base.received_bytes > 0)
      const grown = { ...before, received_bytes: before.received_bytes + 500 }
      const today = todayOf(bases, new Map([[device.id, grown]]), now)
      assert.equal(today.get(device.id)?.received_bytes, base.received_bytes + 500)
      const young = { ...before, received_bytes: 7 }
      assert.equal(
        todayOf(bases, new Map([[device.id, young]]), now).get(device.id)?.received_bytes,
        7,
      )
      assert.equal(todayOf(bases, new Map([[device.id, grown]]), now + 86_400_000).size, 0)
    } finally {
      await server.stop()
    }
  })
})
