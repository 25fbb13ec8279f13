import assert from 'node:assert/strict'
import { ApiError } from '../../panel/src/api.ts'
import type { FeedEvent } from '../../panel/src/feed.ts'
import type { Order, OrderParts, OrderState } from '../../panel/src/orders.ts'
import { OrderDesk, SEEN_MS, shows } from '../../panel/src/orders.ts'
import type { PanelState } from '../../panel/src/store.ts'
import { EMPTY, receive } from '../../panel/src/store.ts'
import type { DevicePolicy } from '../../protocol/policy.ts'
import { deviceOf, policyOf, ruleOf } from './examples.ts'

const FULL = policyOf({ desired_level: 'full', level: 'full' })
const ORDER: Order = { key: 'k', verb: 'quarantine', args: { device: 'a', level: 'full' } }

const deviceWith = (policy: DevicePolicy): FeedEvent => ({
  name: 'device',
  data: deviceOf('a', { policy }),
})

/** A desk with an agent and a feed that do as they are told. */
class Lab {
  state: PanelState = receive(EMPTY, deviceWith(policyOf()))
  orders: ReadonlyMap<string, OrderState> = new Map()
  sent = 0
  refreshed = 0
  forbidden = 0
  readonly desk: OrderDesk
  constructor(answer: () => Promise<unknown>, refresh: () => void = () => {}) {
    const parts: OrderParts = {
      send: () => {
        this.sent += 1
        return answer()
      },
      state: () => this.state,
      refresh: async () => {
        this.refreshed += 1
        refresh()
      },
      onChange: (orders) => {
        this.orders = orders
      },
      onForbidden: () => {
        this.forbidden += 1
      },
    }
    this.desk = new OrderDesk(parts)
  }
  tell(event: FeedEvent): void {
    this.state = receive(this.state, event)
    this.desk.notice(this.state)
  }
  get phase(): OrderState | undefined {
    return this.orders.get('k')
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe('panel: orders', () => {
  it('are busy until the feed tells what was answered, not until the answer', async () => {
    const lab = new Lab(async () => ({ rules: [], policies: { a: FULL } }))
    const given = lab.desk.give(ORDER)
    await pause(50)
    assert.deepEqual(lab.phase, { phase: 'busy' })
    assert.equal(lab.state.devices.get('a')?.policy?.level, undefined)
    // Something else that is told of the device is not it.
    lab.tell(deviceWith(policyOf({ accepted: false })))
    await pause(20)
    assert.deepEqual(lab.phase, { phase: 'busy' })
    lab.tell(deviceWith(FULL))
    await given
    assert.equal(lab.phase, undefined)
    assert.equal(lab.refreshed, 0)
  })

  it('are done at once where the feed was faster than the answer', async () => {
    const lab = new Lab(async () => ({ rules: [ruleOf('r1')], policies: { a: FULL } }))
    lab.tell(deviceWith(FULL))
    lab.tell({ name: 'rules', data: { rules: [ruleOf('r1')] } })
    await lab.desk.give(ORDER)
    assert.equal(lab.phase, undefined)
    assert.equal(lab.refreshed, 0)
  })

  it('read the state where the feed tells nothing, and are over then', async () => {
    const lab: Lab = new Lab(
      async () => ({ policies: { a: FULL } }),
      () => lab.tell(deviceWith(policyOf({ in_force: false, problem: 'The kernel is busy.' }))),
    )
    const began = performance.now()
    await lab.desk.give(ORDER)
    assert.ok(performance.now() - began >= SEEN_MS - 50)
    assert.equal(lab.refreshed, 1)
    assert.equal(lab.phase, undefined)
    assert.equal(lab.state.devices.get('a')?.policy?.level, undefined)
  })

  it('keep the sentence of a refusal until it is read, and nothing changes', async () => {
    const lab = new Lab(() => Promise.reject(new ApiError(422, 'It is the gateway.', 'refused')))
    const before = lab.state
    await lab.desk.give(ORDER)
    assert.deepEqual(lab.phase, { phase: 'failed', kind: 'refused', reason: 'It is the gateway.' })
    assert.equal(lab.state, before)
    lab.desk.dismiss('k')
    assert.equal(lab.phase, undefined)
    assert.equal(lab.forbidden, 0)
  })

  it('tell a missing right, no answer, and what holds but was not stored apart', async () => {
    for (const error of [
      new ApiError(403, 'x needs the role admin', 'forbidden'),
      new ApiError(401, 'send the token', 'unauthorized'),
    ]) {
      const lab = new Lab(() => Promise.reject(error))
      await lab.desk.give(ORDER)
      assert.equal(lab.forbidden, 1)
      assert.equal(lab.phase?.phase === 'failed' && lab.phase.kind, 'forbidden')
    }
    const gone = new Lab(() => Promise.reject(new TypeError('fetch failed')))
    await gone.desk.give(ORDER)
    assert.deepEqual(gone.phase, { phase: 'failed', kind: 'away' })
    const unsure = new Lab(async () => ({ not_stored: 'The disk is full.' }))
    await unsure.desk.give(ORDER)
    assert.deepEqual(unsure.phase, {
      phase: 'failed',
      kind: 'warned',
      reason: 'The disk is full.',
    })
    const sentence = 'tv is still held: group Kids is quarantined (full). Release group kids, too.'
    const held = new Lab(async () => ({ rules: [], policies: {}, still_held: sentence }))
    await held.desk.give(ORDER)
    assert.deepEqual(held.phase, { phase: 'failed', kind: 'warned', reason: sentence })
  })

  it('are given once, however often the button is pressed', async () => {
    const lab = new Lab(async () => {
      await pause(30)
      return {}
    })
    const first = lab.desk.give(ORDER)
    await lab.desk.give(ORDER)
    await lab.desk.give({ ...ORDER, verb: 'release' })
    await first
    assert.equal(lab.sent, 1)
    await lab.desk.give(ORDER)
    assert.equal(lab.sent, 2)
  })

  it('ask their own question where they have one', async () => {
    const lab = new Lab(async () => ({}))
    const isSeen = ({ policy }: PanelState): boolean => policy.rules?.length === 0
    const given = lab.desk.give({ ...ORDER, isSeen })
    await pause(20)
    assert.deepEqual(lab.phase, { phase: 'busy' })
    lab.tell({ name: 'rules', data: { rules: [] } })
    await given
    assert.equal(lab.phase, undefined)
  })

  it('forget refusals beyond a bound', async () => {
    const lab = new Lab(() => Promise.reject(new ApiError(422, 'no', 'refused')))
    for (let n = 0; n < 100; n++) await lab.desk.give({ ...ORDER, key: `k${n}` })
    assert.equal(lab.orders.size, 30)
    assert.ok(lab.orders.has('k99'))
  })

  it('compare an answer with the state', () => {
    const state = [
      deviceWith(FULL),
      { name: 'rules', data: { rules: [ruleOf('r1', { created_ms: 5 })] } } as FeedEvent,
    ].reduce(receive, EMPTY)
    assert.equal(shows(state, { policies: { a: FULL } }), true)
    assert.equal(shows(state, { policies: { a: policyOf() } }), false)
    assert.equal(shows(state, { policies: { unknown: policyOf() } }), true)
    assert.equal(shows(state, { rules: [ruleOf('r1', { created_ms: 5 })] }), true)
    assert.equal(shows(state, { rules: [ruleOf('r1', { created_ms: 6 })] }), false)
    assert.equal(shows(state, { rules: [ruleOf('r2')] }), false)
  })
})
