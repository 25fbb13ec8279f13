import assert from 'node:assert/strict'
import {
  closureOf,
  pauseOrder,
  quarantineOrder,
  releaseOrder,
} from '../../panel/src/card/closure.ts'
import { viewOf } from '../../panel/src/card/device-view.ts'
import { EntityOrders } from '../../panel/src/card/entity-orders.ts'
import type { Hass, HassState } from '../../panel/src/card/hass.ts'
import type { HomeDevice } from '../../panel/src/card/home.ts'
import { until } from '../lab/process.ts'

const DEVICE: HomeDevice = {
  registry_id: 'd',
  agent: 'home',
  id: '020de0000001',
  name: 'TV',
  entities: {
    internet: 'switch.tv',
    quarantine: 'select.tv',
    pause: 'button.tv',
    pause_minutes: 'number.tv',
  },
}
const OPTIONS = ['open', 'local_only', 'full']

function statesOf(internet: string, level: string, more: object = {}): Record<string, HassState> {
  return {
    'switch.tv': { state: internet, attributes: more as Record<string, unknown> },
    'select.tv': { state: level, attributes: { options: OPTIONS, ...more } },
    'button.tv': { state: 'unknown', attributes: {} },
    'number.tv': { state: '30', attributes: {} },
  }
}

describe('panel: orders of the card', () => {
  let states = statesOf('on', 'open')
  let calls: unknown[][] = []
  let refusal: unknown
  const hass = () =>
    ({
      states,
      callService: (...call: unknown[]) => {
        calls.push(call)
        return refusal === undefined ? Promise.resolve({}) : Promise.reject(refusal)
      },
    }) as unknown as Hass
  const viewNow = () => viewOf(DEVICE, states)
  const control = () => {
    const { quarantine } = viewNow()
    assert.ok(quarantine)
    return quarantine
  }

  beforeEach(() => {
    states = statesOf('on', 'open')
    calls = []
    refusal = undefined
  })

  it('is busy until the state shows it, once', async () => {
    const orders = new EntityOrders(hass, () => {})
    const order = quarantineOrder(control(), 'full')
    await orders.give(order)
    assert.deepEqual(calls, [
      ['select', 'select_option', { option: 'full' }, { entity_id: 'select.tv' }, false],
    ])
    assert.equal(orders.orders.get(order.key)?.phase, 'busy')
    await orders.give(order)
    assert.equal(calls.length, 1)
    states = statesOf('off', 'full')
    assert.equal(orders.notice(states), true)
    assert.equal(orders.orders.size, 0)
    orders.stop()
  })

  it('takes its word back where the state shows it late', async () => {
    const orders = new EntityOrders(hass, () => {}, 20)
    const order = quarantineOrder(control(), 'full')
    await orders.give(order)
    await until('the end of its patience', async () =>
      orders.orders.get(order.key)?.phase === 'failed' ? true : undefined,
    )
    assert.deepEqual(orders.orders.get(order.key), { phase: 'failed', kind: 'away' })
    states = statesOf('off', 'full')
    orders.notice(states)
    assert.equal(orders.orders.size, 0)
    orders.stop()
  })

  it('keeps a refusal until it was read', async () => {
    const orders = new EntityOrders(hass, () => {})
    const order = quarantineOrder(control(), 'full')
    refusal = { code: 'unauthorized', message: 'Unauthorized' }
    await orders.give(order)
    assert.deepEqual(orders.orders.get(order.key), { phase: 'failed', kind: 'forbidden' })
    refusal = { code: 'home_assistant_error', message: 'not there' }
    await orders.give(order)
    assert.deepEqual(orders.orders.get(order.key), {
      phase: 'failed',
      kind: 'refused',
      reason: 'not there',
    })
    orders.dismiss(order.key)
    assert.equal(orders.orders.size, 0)
    orders.stop()
  })

  it('sets how long before it pauses, and sees it by when it ends', async () => {
    const order = pauseOrder(viewNow(), 60, states)
    assert.deepEqual(
      order?.calls.map(({ service, data }) => [service, data]),
      [
        ['set_value', { value: 60 }],
        ['press', undefined],
      ],
    )
    assert.equal(order?.isSeen(states), false)
    assert.equal(order?.isSeen(statesOf('off', 'local_only', { until_ms: 5 })), true)
  })

  it('tells what is closed, and how it is opened', () => {
    assert.deepEqual(closureOf(viewNow()), { kind: 'open', until_ms: undefined, isBroken: false })
    assert.equal(releaseOrder(viewNow()), undefined)
    states = statesOf('off', 'local_only', { until_ms: 7 })
    assert.deepEqual(closureOf(viewNow()), { kind: 'local_only', until_ms: 7, isBroken: false })
    assert.deepEqual(releaseOrder(viewNow())?.calls[0]?.data, { option: 'open' })
    states = statesOf('off', 'open')
    assert.equal(closureOf(viewNow()).kind, 'blocked')
    assert.equal(releaseOrder(viewNow())?.calls[0]?.service, 'turn_on')
    states = statesOf('on', 'open', { in_force: false })
    assert.equal(closureOf(viewNow()).isBroken, true)
  })
})
