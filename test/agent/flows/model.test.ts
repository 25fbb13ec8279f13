// Random records against a model that does it the slow and plain way: whatever comes, totals are those of the records.
import assert from 'node:assert/strict'
import type { Flow } from '../../../protocol/messages.ts'
import { FlowBench } from './flow-bench.ts'
import type { RecordOf } from './flow-records.ts'

/** The generator of Park and Miller. */
class Dice {
  #state: number
  constructor(seed: number) {
    this.#state = seed
  }
  below(n: number): number {
    this.#state = (this.#state * 48271) % 2147483647
    return this.#state % n
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }
}

const DEVICES = Array.from({ length: 6 }, (_, i) => ({
  ip: `192.0.2.${i + 10}`,
  mac: `02:00:00:00:00:${i + 10}`,
}))
const IDS = DEVICES.map(({ mac }) => mac.replaceAll(':', ''))
const ROUTER = '02:00:00:00:00:fe'

interface Talk {
  record: RecordOf
  /** Index of the device at each end, -1 for a remote. */
  orig: number
  resp: number
}

type Sums = Record<string, [number, number, number, number]>

function add(
  sums: Sums,
  id: string,
  sent: number,
  received: number,
  sentPackets: number,
  receivedPackets: number,
): void {
  sums[id] ??= [0, 0, 0, 0]
  const sum = sums[id]
  sum[0] += sent
  sum[1] += received
  sum[2] += sentPackets
  sum[3] += receivedPackets
}

function newTalk(dice: Dice, slot: number, number: number): Talk {
  const kind = dice.below(3)
  const orig = kind === 1 ? -1 : dice.below(DEVICES.length)
  const resp = kind === 0 ? -1 : dice.below(DEVICES.length)
  const end = (device: number): RecordOf['orig'] =>
    device < 0
      ? {
          ip: `203.0.113.${dice.below(200) + 1}`,
          mac: ROUTER,
          port: 443,
          seen: dice.below(2) === 0,
        }
      : {
          ...(DEVICES[device] as (typeof DEVICES)[number]),
          port: 40_000 + dice.below(99),
          seen: true,
        }
  return {
    record: {
      slot,
      number,
      state: 'new',
      protocol: dice.of([6, 17]),
      orig: end(orig),
      resp: end(resp),
      sent: [0, 0],
      received: [0, 0],
    },
    orig,
    resp,
  }
}

describe('flows against a plain model', () => {
  for (const base of [1, 2, 3]) {
    const seed = base + 10 * Math.floor(Math.random() * 1e7)
    it(`agree about devices, remotes and flows (seed ${seed})`, () => {
      const dice = new Dice(seed)
      const bench = new FlowBench()
      const live = new Map<number, Talk>()
      const model: Sums = {}
      const remotes: Sums = {}
      let next = 1
      for (let round = 0; round < 60; round++) {
        const batch: RecordOf[] = []
        const order = new Set<number>()
        const freed = new Set<number>()
        for (let i = 0; i < 40; i++) {
          const slot = dice.below(30)
          // A slot is not used again in the batch that told its flow's end, and a flow has one record a batch.
          if (freed.has(slot) || order.has(slot)) continue
          order.add(slot)
          const talk = live.get(slot) ?? newTalk(dice, slot, next++)
          const { record, orig, resp } = talk
          const step = [dice.below(1500), dice.below(3), dice.below(9000), dice.below(9)] as const
          const [sent, packets] = record.sent as [number, number]
          const [received, back] = record.received as [number, number]
          const closed = dice.below(4) === 0
          talk.record = {
            ...record,
            state: closed ? 'closed' : live.has(slot) ? 'active' : 'new',
            ...(closed
              ? { closedBy: dice.of(['fin', 'rst', 'idle', 'evicted', 'eof'] as const) }
              : {}),
            sent: [sent + step[0], packets + step[1]],
            received: [received + step[2], back + step[3]],
            lastMs: 1000 + round,
          }
          if (orig >= 0) {
            add(model, IDS[orig] as string, step[0], step[2], step[1], step[3])
            add(remotes, `${IDS[orig]} ${record.resp.ip}`, step[0], step[2], step[1], step[3])
          }
          if (resp >= 0) {
            add(model, IDS[resp] as string, step[2], step[0], step[3], step[1])
            add(remotes, `${IDS[resp]} ${record.orig.ip}`, step[2], step[0], step[3], step[1])
          }
          batch.push(talk.record)
          if (closed) {
            live.delete(slot)
            freed.add(slot)
          } else live.set(slot, talk)
        }
        const flows = bench.read(...batch)
        assert.deepEqual(flows.map(figures), batch.map(expected))
      }
      const counted = Object.keys(model).map((id) => [id, bench.counted(id)])
      assert.deepEqual(Object.fromEntries(counted), model)
      const traffic = bench.traffic
        .take()
        .map((t) => [
          `${t.device_id} ${t.remote}`,
          [t.sent_bytes, t.received_bytes, t.sent_packets, t.received_packets],
        ])
      assert.deepEqual(Object.fromEntries(traffic), remotes)
      const open = bench.reader.open(1000, () => true)
      assert.equal(open.total, live.size)
      assert.deepEqual(
        open.flows.map(figures).sort(byId),
        [...live.values()].map(({ record }) => expected(record)).sort(byId),
      )
    })
  }
})

/** What both sides must agree on. */
function figures(flow: Flow): unknown[] {
  const [there, back] =
    flow.direction === 'inbound'
      ? [
          [flow.received_bytes, flow.received_packets],
          [flow.sent_bytes, flow.sent_packets],
        ]
      : [
          [flow.sent_bytes, flow.sent_packets],
          [flow.received_bytes, flow.received_packets],
        ]
  return [flow.id, flow.originator.ip, flow.responder.ip, flow.state, flow.closed_by, there, back]
}

function expected(record: RecordOf): unknown[] {
  return [
    `r-${record.number?.toString(36)}`,
    record.orig.ip,
    record.resp.ip,
    record.state,
    record.closedBy,
    record.sent,
    record.received,
  ]
}

function byId(a: unknown[], b: unknown[]): number {
  return String(a[0]) < String(b[0]) ? -1 : 1
}
