import assert from 'node:assert/strict'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { addon } from '../../agent/addon.ts'
import { FlowLines } from '../../agent/flows/flow-lines.ts'
import { Inventory } from '../../agent/inventory/inventory.ts'
import type { Prefix } from '../../agent/inventory/locality.ts'
import { Locality, parsePrefix } from '../../agent/inventory/locality.ts'
import { NameCache } from '../../agent/names/name-cache.ts'
import type { Tick } from '../../agent/observer.ts'
import { Observer } from '../../agent/observer.ts'
import { Pipeline } from '../../agent/pipeline.ts'
import type { Batch, Capture, Counters } from '../../native/index.ts'
import type { Flow, Loss } from '../../protocol/messages.ts'
import { A, A_ID, ROUTER } from './flows/flow-bench.ts'
import { flowRecords, macBytes } from './flows/flow-records.ts'
import { until } from './mqtt/listener.ts'
import { dnsPayload, nameRecord, nameRecords, TYPE } from './names/name-records.ts'

const NONE: Counters = {
  packets: 0,
  decoded: 0,
  malformed: 0,
  unsupported: 0,
  bytes: 0,
  ipPackets: 0,
  ipBytes: 0,
  flows: 0,
  liveFlows: 0,
  flowsEvicted: 0,
  dnsQueries: 0,
  namesDropped: 0,
  ringDropped: 0,
  firstMs: 0,
  lastMs: 0,
}

function batchOf(timeMs: number, more: Partial<Batch> = {}): Batch {
  return {
    flowCount: 0,
    flows: new ArrayBuffer(0),
    names: new ArrayBuffer(0),
    counters: NONE,
    interfaces: [],
    unsupportedLinks: [],
    timeMs,
    ended: false,
    ...more,
  }
}

/** One flow of the device, with so many bytes sent since it began. */
function sent(bytes: number): Partial<Batch> {
  const orig = { ip: '192.0.2.10', mac: A, port: 5 }
  const resp = { ip: '203.0.113.9', mac: ROUTER, port: 443 }
  return { flowCount: 1, flows: flowRecords({ orig, resp, sent: [bytes, 1], lastMs: 1000 }) }
}

/** The flows of the latest tick. */
function flowsOf({ interval }: Tick, names = true): Flow[] {
  const lines = [...interval.flows.lines(names)].join('').split('\n').slice(0, -1)
  assert.equal(lines.length, interval.flows.count)
  return lines.map((line) => JSON.parse(line) as Flow)
}

class Bench {
  readonly ticks: Tick[] = []
  readonly inventory = new Inventory({ vendorOf: () => undefined })
  readonly observer: Observer
  ready: () => void = () => assert.fail('the capture was not started')
  next = batchOf(0)
  drained = 0
  stopped = 0
  lost = 0
  wanted = true
  blind = false
  busy: Promise<void> | undefined

  constructor() {
    const locality = new Locality()
    locality.setPrefixes(['192.0.2.0/24', '2001:db8:1::/64'].map((t) => parsePrefix(t) as Prefix))
    const capture = {
      start: (onReady: () => void) => {
        this.ready = onReady
      },
      drain: () => {
        this.drained++
        return this.next
      },
      stop: () => {
        this.stopped++
      },
    } as unknown as Capture
    this.observer = new Observer({
      capture,
      pipeline: new Pipeline({
        run: 'r',
        locality,
        inventory: this.inventory,
        names: new NameCache(),
        differences: true,
      }),
      loss: (): Loss => ({
        ring_packets: this.lost,
        name_packets: 0,
        netlink_overruns: 0,
        flows_evicted: 0,
        spool_messages: 0,
      }),
      isBlind: () => this.blind,
      run: 'r',
      lines: new FlowLines(addon.flowLines),
      wanted: () => this.wanted,
      busy: () => this.busy,
      onTick: (tick) => this.ticks.push(tick),
    })
  }

  tick(batch: Batch): Tick {
    this.next = batch
    this.ready()
    return this.ticks.at(-1) as Tick
  }
}

describe('the observer', () => {
  it('tells each interval with its flows, traffic and rates', () => {
    const bench = new Bench()
    bench.observer.start(10_000)
    const first = bench.tick(batchOf(12_000.4, sent(1000)))
    assert.deepEqual([first.interval.from_ms, first.interval.to_ms], [10_000, 12_000])
    assert.equal(flowsOf(first)[0]?.sent_bytes, 1000)
    assert.deepEqual(first.rates, [{ device_id: A_ID, sent_rate: 500, received_rate: 0 }])
    const second = bench.tick(batchOf(13_000, sent(1500)))
    assert.deepEqual([second.interval.from_ms, second.interval.to_ms], [12_000, 13_000])
    assert.deepEqual(
      second.interval.traffic.map((t) => t.sent_bytes),
      [500],
    )
    assert.deepEqual(bench.tick(batchOf(14_000)).rates, [])
  })

  it('says where an interval is not complete, and of the next that it is', () => {
    const bench = new Bench()
    bench.observer.start(10_000)
    const complete = [0, 5, 5, 6].map((lost, i) => {
      bench.lost = lost
      return bench.tick(batchOf(11_000 + i * 1000)).interval.complete
    })
    assert.deepEqual(complete, [true, false, true, false])
  })

  it('says that an interval is not complete in which something was not captured', () => {
    const bench = new Bench()
    bench.observer.start(10_000)
    const complete = [false, true, false].map((blind, i) => {
      bench.blind = blind
      return bench.tick(batchOf(11_000 + i * 1000)).interval.complete
    })
    assert.deepEqual(complete, [true, false, true])
  })

  it('takes names before flows, and addresses that ARP claims', () => {
    const bench = new Bench()
    bench.observer.start(0)
    const client = { ip: '192.0.2.10', mac: A }
    const server = { ip: '192.0.2.1', mac: ROUTER }
    const query = { name: 'www.example.com' }
    const answer = { ...query, answers: [{ type: TYPE.A, data: '203.0.113.9' }] }
    const arp = Buffer.alloc(28)
    arp.writeUInt32BE(0x00010800, 0)
    arp.writeUInt16BE(0x0604, 4)
    arp.set(macBytes('02:00:00:00:00:0c'), 8)
    arp.set([192, 0, 2, 12], 14)
    const names = nameRecords(
      nameRecord(
        { kind: 'arp', src: { ip: '0.0.0.0', mac: '02:00:00:00:00:0c' }, dst: client },
        arp,
      ),
      nameRecord(
        { kind: 'dns', slot: 9, timeMs: 500, src: client, dst: server },
        dnsPayload(query),
      ),
      nameRecord(
        { kind: 'sni', slot: 0, timeMs: 900, src: client, dst: server },
        Buffer.from('tls.example'),
      ),
      // Who began the flow was not seen: the answer is told as the originator's all the same.
      nameRecord(
        { kind: 'dns', slot: 9, timeMs: 600, src: server, dst: client },
        dnsPayload(answer),
      ),
    )
    const tick = bench.tick(batchOf(1000, { ...sent(10), names }))
    assert.equal(flowsOf(tick)[0]?.remote_name, 'www.example.com')
    assert.equal(flowsOf(tick)[0]?.sni, 'tls.example')
    assert.equal(tick.interval.flows.bytes(0), 10)
    const [discreet] = flowsOf(tick, false)
    assert.equal(discreet?.sent_bytes, 10)
    assert.ok(!('remote_name' in discreet || 'remote_name_source' in discreet || 'sni' in discreet))
    assert.equal(flowsOf(tick)[0]?.sni, 'tls.example')
    assert.deepEqual(
      tick.interval.dns.map((d) => [d.device_id, d.query, d.rcode]),
      [[A_ID, 'www.example.com', 'NOERROR']],
    )
    assert.equal(bench.inventory.byAddress('192.0.2.12')?.id, '02000000000c')
  })

  it('does not believe a device that answers its own questions', () => {
    const bench = new Bench()
    bench.observer.start(0)
    const client = { ip: '192.0.2.10', mac: A }
    const server = { ip: '203.0.113.53', mac: ROUTER }
    const query = { name: 'bank.example' }
    const names = nameRecords(
      nameRecord(
        { kind: 'dns', slot: 9, timeMs: 500, src: client, dst: server },
        dnsPayload(query),
      ),
      nameRecord(
        { kind: 'dns', slot: 9, timeMs: 600, src: client, dst: server },
        dnsPayload({ ...query, answers: [{ type: TYPE.A, data: '203.0.113.9' }] }),
      ),
    )
    const [flow] = flowsOf(bench.tick(batchOf(1000, { ...sent(10), names })))
    assert.equal(flow?.sent_bytes, 10)
    assert.equal(flow?.remote_name, undefined)
  })

  it('makes no flows and queries while nobody takes them, but counts', () => {
    const bench = new Bench()
    bench.wanted = false
    bench.observer.start(1000)
    const { interval, rates } = bench.tick(batchOf(2000, sent(100)))
    assert.equal(interval.flows.count, 0)
    assert.equal(interval.traffic[0]?.sent_bytes, 100)
    assert.equal(rates[0]?.sent_rate, 100)
  })

  it('tells rates of about a second, however many batches come in it', () => {
    const bench = new Bench()
    bench.observer.start(1000)
    const rates = [1002, 1500, 2000, 2010].map(
      (timeMs, i) => bench.tick(batchOf(timeMs, sent((i + 1) * 100))).rates[0]?.sent_rate,
    )
    assert.deepEqual(rates, [undefined, undefined, 300, 300])
  })

  it('goes by the time of an old capture, and by a clock that is set back', () => {
    const bench = new Bench()
    bench.observer.start(1_000_000)
    const spans = [5000, 6000, 9000, 3000, 4000].map((timeMs, i) => {
      const { interval, rates } = bench.tick(batchOf(timeMs, sent((i + 1) * 100)))
      assert.ok((rates[0]?.sent_rate ?? 0) <= 100, 'no rate of a span without length')
      return [interval.from_ms, interval.to_ms]
    })
    assert.deepEqual(spans, [
      [5000, 5000],
      [5000, 6000],
      [6000, 9000],
      [3000, 3000],
      [3000, 4000],
    ])
    assert.deepEqual(bench.tick(batchOf(0)).interval.to_ms, 4000, 'no time yet')
  })

  it('waits for those who listen, but not for long', async () => {
    const bench = new Bench()
    bench.observer.start(10_000)
    bench.tick(batchOf(11_000, sent(100)))
    let taken = (): void => {}
    bench.busy = new Promise((resolve) => {
      taken = resolve
    })
    bench.next = batchOf(12_000, sent(200))
    bench.ready()
    bench.ready()
    await turn()
    assert.equal(bench.drained, 1)
    taken()
    await turn()
    assert.equal(bench.drained, 2, 'drained once, however often it was called')
    bench.busy = new Promise(() => {})
    const began = performance.now()
    bench.ready()
    while (bench.drained < 3 && performance.now() - began < 5000) await sleep(10)
    const waited = performance.now() - began
    assert.ok(bench.drained === 3 && waited > 400 && waited < 2000, `${waited} ms`)
    bench.ready()
    bench.observer.stop()
    await sleep(600)
    assert.equal(bench.ticks.length, 4, 'the last one at once, and none after')
  })

  it('tells what is left when it is stopped, and nothing after', () => {
    const bench = new Bench()
    bench.observer.start(10_000)
    bench.next = batchOf(11_000, { ...sent(100), ended: true })
    bench.observer.stop()
    assert.equal(bench.ticks.length, 1)
    bench.ready()
    bench.observer.stop()
    assert.equal(bench.ticks.length, 1)
  })

  it('tells the end of its source once', () => {
    const bench = new Bench()
    bench.observer.start(10_000)
    bench.tick(batchOf(11_000, { ended: true }))
    bench.observer.stop()
    assert.equal(bench.ticks.filter(({ batch }) => batch.ended).length, 1)
  })

  it('that was never started is stopped without a word', () => {
    const bench = new Bench()
    bench.observer.stop()
    assert.deepEqual([bench.stopped, bench.drained, bench.ticks.length], [1, 0, 0])
  })

  it('goes on when the source has ended: intervals without packets, which are not complete', async () => {
    const bench = new Bench()
    bench.observer.start(10_000)
    const last = bench.tick(batchOf(11_000, { ...sent(100), ended: true }))
    assert.deepEqual([last.over, last.interval.complete], [false, true])
    await until(() => bench.ticks.length >= 3, 10_000)
    bench.observer.stop()
    const [first, second] = bench.ticks.slice(1) as [Tick, Tick]
    assert.deepEqual([first.over, first.interval.complete, first.batch.ended], [true, false, false])
    assert.deepEqual([flowsOf(first), first.interval.traffic, first.rates], [[], [], []])
    assert.equal(first.interval.from_ms, 11_000)
    assert.ok(first.interval.to_ms >= 11_900 && second.interval.from_ms === first.interval.to_ms)
    const { length } = bench.ticks
    await sleep(1500)
    assert.equal(bench.ticks.length, length)
  })
})
