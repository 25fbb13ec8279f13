import assert from 'node:assert/strict'
import type { FeedEvent } from '../../panel/src/feed.ts'
import { bytesOver, currentRate, rateSeries } from '../../panel/src/rates.ts'
import type { PanelState } from '../../panel/src/store.ts'
import {
  EMPTY,
  KEEP_CLOSED_MS,
  KEPT_FRAMES,
  loseSight,
  MAX_DEVICES,
  MAX_FLOWS,
  receive,
} from '../../panel/src/store.ts'
import type { Device, Flow, Info } from '../../protocol/messages.ts'
import { deviceOf, flowOf } from './examples.ts'

const play = (events: FeedEvent[], from: PanelState = EMPTY): PanelState =>
  events.reduce(receive, from)
const rates = (to_ms: number, received_rate = 100): FeedEvent => ({
  name: 'rates',
  data: { rates: [{ device_id: 'a', sent_rate: 10, received_rate }], to_ms },
})
const flows = (list: Flow[], to_ms: number, complete = true): FeedEvent => ({
  name: 'flows',
  data: { flows: list, changed: list.length, complete, to_ms },
})

describe('panel: state', () => {
  it('keeps the last minute of rates', () => {
    const state = play(Array.from({ length: 100 }, (_, n) => rates(n * 1000, n)))
    assert.equal(state.frames.length, KEPT_FRAMES)
    const series = rateSeries(state.frames, 'a')
    assert.deepEqual(series[0], { sent: 10, received: 40 })
    assert.deepEqual(currentRate(series), { sent: 10, received: 99 })
    assert.deepEqual(rateSeries(state.frames, 'b').at(-1), { sent: 0, received: 0 })
    assert.equal(bytesOver(series), 60 * 10 + (40 + 99) * 30)
  })

  it('never shows what is not known as zero', () => {
    const gap = play([rates(1000), rates(5000)])
    assert.deepEqual(
      rateSeries(gap.frames, 'a').map((rate) => rate?.received),
      [100, undefined, undefined, undefined, 100],
    )
    const away = loseSight(loseSight(play([rates(1000)])))
    assert.equal(currentRate(rateSeries(away.frames)), undefined)
    assert.equal(away.complete, undefined)
    // The seconds that were already counted as unknown are not counted again.
    assert.equal(play([rates(4000)], away).frames.length, 4)
    assert.equal(play([rates(1000), rates(9_000_000)]).frames.length, KEPT_FRAMES)
  })

  it('takes a device of an event only where it is not known: its message came before, and is newer', () => {
    const policy = { accepted: true, rules: [], restrictions: [], in_force: true }
    const told = deviceOf('a', { received_bytes: 90, policy })
    const event = (device: Device): FeedEvent => ({
      name: 'event',
      data: { type: 'event', kind: 'device_changed', seq: 1, time_ms: 1, device, sentence: '' },
    })
    const older = deviceOf('a', { received_bytes: 5 })
    const state = play([{ name: 'device', data: told }, event(older), event(deviceOf('b'))])
    assert.equal(state.devices.get('a'), told)
    assert.ok(state.devices.has('b'))
  })

  it('tells the rate of a flow from what it grew', () => {
    const old = flowOf('1', { received_bytes: 5_000_000, first_ms: 0 })
    const state = play([flows([old], 60_000)])
    assert.equal(state.flows.get('1')?.received_rate, 0, 'a whole life is no rate')
    const grown = play([flows([{ ...old, received_bytes: 5_004_000 }], 62_000)], state)
    assert.equal(grown.flows.get('1')?.received_rate, 2000)
    const fresh = play([flows([flowOf('2', { sent_bytes: 700, first_ms: 59_500 })], 60_000)])
    assert.equal(fresh.flows.get('2')?.sent_rate, 700)
  })

  it('drops closed flows after a while, and bounds the rest', () => {
    const closed = flowOf('1', { state: 'closed' })
    const state = play([flows([closed, flowOf('2')], 1000)])
    const later = play([flows([], 1001 + KEEP_CLOSED_MS)], state)
    assert.deepEqual([...later.flows.keys()], ['2'])

    const many = Array.from({ length: MAX_FLOWS }, (_, n) => flowOf(`n${n}`))
    const full = play([flows([closed, flowOf('2')], 1000), flows(many, 2000)])
    assert.equal(full.flows.size, MAX_FLOWS)
    assert.equal(full.flows.has('1'), false)
    assert.equal(full.flows.has('2'), false)
    assert.equal(full.flows.has('n0'), true)
  })

  it('takes a listing as the truth, but for what changed meanwhile', () => {
    const state = play([
      flows([flowOf('gone'), flowOf('newer', { last_ms: 900, sent_bytes: 9 })], 1000),
      flows([flowOf('ended', { state: 'closed' })], 1000),
    ])
    const list = [flowOf('newer', { last_ms: 500, sent_bytes: 5 }), flowOf('other')]
    const next = play([{ name: 'flow_list', data: { flows: list, total: 2 } }], state)
    assert.deepEqual([...next.flows.keys()].sort(), ['ended', 'newer', 'other'])
    assert.equal(next.flows.get('newer')?.flow.sent_bytes, 9)
    const cut = play([{ name: 'flow_list', data: { flows: list, total: 5000 } }], state)
    assert.equal(cut.flows.has('gone'), true, 'it may be among those that are not listed')
  })

  it('forgets everything of another run of the agent', () => {
    const info = (instance: string): FeedEvent => ({
      name: 'info',
      data: { instance, interfaces: [], capabilities: {} } as unknown as Info,
    })
    const state = play([info('x'), rates(1000), flows([flowOf('1')], 1000)])
    assert.equal(play([info('x')], state).flows.size, 1)
    const other = play([info('y')], state)
    assert.deepEqual([other.flows.size, other.frames.length], [0, 0])
  })

  it('counts snapshots over another run of the agent, so that what was read is read anew', () => {
    const info = (instance: string): FeedEvent => ({ name: 'info', data: { instance } as Info })
    const devices: FeedEvent = { name: 'devices', data: { devices: [], rates: [] } }
    const first = play([info('x'), devices])
    const second = play([info('y'), devices], first)
    assert.equal(second.policy.snapshots, first.policy.snapshots + 1)
  })

  it('knows no rate while nothing is captured', () => {
    const info = (state: 'up' | 'down', ok = true): FeedEvent => ({
      name: 'info',
      data: {
        interfaces: [
          { name: 'lan0', state },
          { name: 'lan1', state: 'down' },
        ],
        capabilities: { capture: { ok, reason: 'no right' } },
      } as unknown as Info,
    })
    const known = (state: PanelState) => currentRate(rateSeries(state.frames))
    assert.deepEqual(known(play([info('up'), rates(1000)])), { sent: 10, received: 100 })
    assert.equal(known(play([info('down'), rates(1000)])), undefined)
    assert.equal(known(play([info('up', false), rates(1000)])), undefined)
    const back = play([info('down'), rates(1000), rates(2000), info('up'), rates(3000)])
    assert.equal(back.frames.length, 3)
  })

  it('bounds the devices', () => {
    const devices = Array.from({ length: MAX_DEVICES + 5 }, (_, n) =>
      deviceOf(`d${n}`, { last_seen_ms: n }),
    )
    const state = play([{ name: 'devices', data: { devices, rates: [] } }])
    assert.equal(state.devices.size, MAX_DEVICES)
    assert.equal(state.devices.has('d0'), false)
    const more = play([{ name: 'device', data: deviceOf('new', { last_seen_ms: 1e9 }) }], state)
    assert.equal(more.devices.size, MAX_DEVICES)
    assert.equal(more.devices.has('new'), true)
  })

  it('says whether the last interval was seen whole', () => {
    assert.equal(play([flows([], 1000, false)]).complete, false)
    assert.equal(play([flows([], 1000, false), flows([], 2000)]).complete, true)
  })
})
