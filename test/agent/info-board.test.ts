import assert from 'node:assert/strict'
import { InfoBoard } from '../../agent/info-board.ts'
import type { Batch, InterfaceCounters } from '../../native/index.ts'
import type { Info, Loss } from '../../protocol/messages.ts'

const NOTHING: Loss = {
  ring_packets: 0,
  name_packets: 0,
  netlink_overruns: 0,
  flows_evicted: 0,
  spool_messages: 0,
}

class Bench {
  readonly told: Info[] = []
  readonly events: string[] = []
  readonly board = new InfoBoard({
    instance: 'r',
    agent: 'home',
    version: '1.2.3',
    startedMs: 5,
    tell: (info) => this.told.push(info),
    event: (event) => this.events.push(`${event.kind}: ${event.sentence}`),
  })

  update(
    nowMs: number,
    packets: number,
    more: Partial<InterfaceCounters> = {},
    loss = NOTHING,
  ): void {
    const interfaces = [{ name: 'eth0', up: true, packets, dropped: 0, ...more }]
    this.board.update({ interfaces } as unknown as Batch, loss, nowMs)
  }
}

describe('what the agent says of itself', () => {
  it('is told from the moment that it is published, and at every change', () => {
    const bench = new Bench()
    bench.board.setPlace('gateway', ['192.0.2.0/24'], 'everything')
    assert.equal(bench.told.length, 0)
    bench.board.publish()
    assert.equal(bench.told.length, 1)
    const { protocol, instance, agent, version, mode, lan, visibility, started_ms } = bench
      .told[0] as Info
    assert.deepEqual([protocol, instance, agent, version, started_ms], [1, 'r', 'home', '1.2.3', 5])
    assert.deepEqual([mode, lan, visibility], ['gateway', ['192.0.2.0/24'], 'everything'])
    bench.board.setPlace('gateway', ['192.0.2.0/24', '2001:db8::/64'], 'everything')
    assert.equal(bench.told.at(-1)?.lan.length, 2)
  })

  it('tells interfaces and losses at once, other counters now and then', () => {
    const bench = new Bench()
    bench.board.publish()
    bench.update(100_000, 1)
    assert.equal(bench.told.at(-1)?.interfaces[0]?.state, 'up')
    const before = bench.told.length
    bench.update(101_000, 50)
    assert.equal(bench.told.length, before)
    bench.update(102_000, 60, {}, { ...NOTHING, ring_packets: 7 })
    assert.equal(bench.told.at(-1)?.loss.ring_packets, 7)
    bench.update(112_500, 90, {}, { ...NOTHING, ring_packets: 7 })
    assert.equal(bench.told.at(-1)?.interfaces[0]?.packets, 90)
    const after = bench.told.length
    for (let s = 0; s < 60; s++)
      bench.update(113_000 + s * 1000, 90, {}, { ...NOTHING, ring_packets: 7 })
    assert.equal(bench.told.length, after, 'the same figures again are no news')
  })

  it('has events for interfaces that go and come, and none for those that are there', () => {
    const bench = new Bench()
    bench.update(1000, 0)
    bench.update(2000, 0, { up: false, reason: 'the cable is out' })
    bench.update(3000, 0, { up: false, reason: 'the cable is out' })
    bench.update(4000, 0)
    assert.deepEqual(bench.events, [
      'interface_down: eth0 is not captured: the cable is out; waiting for it',
      'interface_up: eth0 is captured again',
    ])
    const late = new Bench()
    late.update(1000, 0, { up: false })
    assert.deepEqual(late.events, [
      'interface_down: eth0 is not captured: it is gone; waiting for it',
    ])
  })

  it('has an event where a capability comes or goes', () => {
    const bench = new Bench()
    bench.board.setCapability('dns', { ok: true, reason: 'names are read' })
    bench.board.setCapability('dns', { ok: true, reason: 'names are read' })
    bench.board.setCapability('dns', { ok: false, reason: 'no names: the source has none' })
    bench.board.setCapability('dns', { ok: false, reason: 'another reason' })
    assert.deepEqual(bench.events, ['capability_changed: dns: no names: the source has none'])
    assert.equal(bench.board.info.capabilities.dns?.reason, 'another reason')
  })

  it('says what can not be stored, and that it can again', () => {
    const bench = new Bench()
    bench.board.setStored([undefined])
    bench.board.setStored(["history can't be stored now; the disk is full.", undefined])
    assert.equal(bench.board.info.capabilities.store?.ok, false)
    bench.board.setStored([])
    assert.deepEqual(bench.events, [
      "capability_changed: store: history can't be stored now; the disk is full.",
      'capability_changed: store: All that is kept is stored.',
    ])
  })
})
