// The part of the benchmark that reads files: cost of packets by shape of the capture, cost of more devices and more flows,
// and whether what was read is true.
import { rmSync } from 'node:fs'
import type { BenchCapture } from './captures.ts'
import { hasShapes, makeCapture } from './captures.ts'
import type { Costs, Reader, Stage, Wrong } from './files.ts'
import {
  alternate,
  cpuOf,
  leastCpuOf,
  perPacket,
  READERS,
  wrongReplay,
  wrongTotals,
} from './files.ts'
import { makePlain } from './plain-capture.ts'
import type { Result } from './results.ts'

/** How much is read. */
export interface FileEffort {
  rounds: number
  /** Packets of the large capture, and of the small one that takes start-up out. */
  packets: number
  smallPackets: number
  devices: number
}

const PEAK = 1e6

interface Pair {
  small: { capture: BenchCapture; costs: Costs }
  big: { capture: BenchCapture; costs: Costs }
}

function discard(...captures: BenchCapture[]): void {
  for (const { file } of captures) rmSync(file, { force: true })
}

async function measure(
  stage: Stage,
  small: BenchCapture,
  big: BenchCapture,
  rounds: number,
  readers: readonly Reader[] = READERS,
): Promise<Pair> {
  const costs = await alternate(stage, [small, big], readers, rounds)
  const of = (capture: BenchCapture): Pair['big'] => {
    const found = costs.get(capture)
    if (!found) throw new Error('not measured')
    return { capture, costs: found }
  }
  return { small: of(small), big: of(big) }
}

function truthResult(name: string, what: string, wrong: Wrong): Result {
  const note = wrong.first === undefined ? {} : { note: wrong.first }
  return { name, what, value: wrong.count, unit: 'differences', atMost: 0, ...note }
}

/** One shape of capture: both ratios, and the truth. */
export async function shapeFigures(
  stage: Stage,
  effort: FileEffort,
  shape: { packetsPerFlow: number; seed: number },
): Promise<Result[]> {
  const { devices, rounds } = effort
  const [small, big] = await Promise.all(
    [effort.smallPackets, effort.packets].map((packets) =>
      makeCapture(stage.scratch, { packets, devices, ...shape }),
    ),
  )
  if (!small || !big) throw new Error('no captures')
  try {
    const pair = await measure(stage, small, big, rounds)
    const cost = (reader: Reader): number => perPacket(reader, pair.small, pair.big)
    const title = hasShapes() ? `${shape.packetsPerFlow} packets a flow` : 'demo home'
    const note = (reader: Reader): string =>
      `${(cost(reader) * 1e9).toFixed(0)} ns a packet, limit ${(cost('limit') * 1e9).toFixed(0)}; seed ${shape.seed}`
    const last = pair.big.costs.batches.at(-1)?.stdout ?? '{}'
    const limit = pair.big.costs.limit.at(-1)?.stdout ?? '{}'
    const peak = Math.max(...pair.big.costs.json.map((one) => one.peakBytes)) / PEAK
    return [
      {
        name: 'file-batches',
        what: `file to batches in JavaScript, ${title}`,
        value: cost('batches') / cost('limit'),
        atMost: 1.8,
        note: note('batches'),
      },
      {
        name: 'file-json',
        what: `homespin replay --json, ${title}`,
        value: cost('json') / cost('limit'),
        atMost: 3,
        note: `${note('json')}; peak ${peak.toFixed(0)} MB`,
      },
      truthResult('truth-limit', 'limit against the truth', limitWrong(limit, big)),
      truthResult('truth-batches', 'batches against the truth', wrongTotals(last, big)),
      truthResult('truth-json', 'replay against the truth', await wrongReplay(stage, big)),
    ]
  } finally {
    discard(small, big)
  }
}

/** The limit reads no DNS over TCP, so that only what it shares is compared. */
function limitWrong(stdout: string, capture: BenchCapture): Wrong {
  const got = JSON.parse(stdout) as { packets: number; flows: number }
  const right = got.packets === capture.packets
  return right ? { count: 0 } : { count: 1, first: `packets ${got.packets} of ${capture.packets}` }
}

/** A small home, a hundred times as many devices, and more than any home has. */
const HOMES = [10, 1000, 5000] as const

/** What a packet costs with a hundred times as many devices; and with five hundred times as many, for which there is no limit. */
export async function deviceGrowth(
  stage: Stage,
  effort: FileEffort,
  seed: number,
): Promise<Result[]> {
  const readers: Reader[] = ['batches', 'json']
  const make = async (packets: number, devices: number): Promise<BenchCapture> => {
    if (!hasShapes()) return makePlain(stage.scratch, { packets, flows: packets / 50, devices })
    return await makeCapture(stage.scratch, { packets, packetsPerFlow: 50, devices, seed })
  }
  const pairs: { small: BenchCapture; big: BenchCapture }[] = []
  for (const devices of HOMES) {
    // Every device is in the smaller one too: what it costs to learn of a device is no cost of packets.
    const small = await make(effort.packets * 0.5, devices)
    pairs.push({ small, big: await make(effort.packets * 1.5, devices) })
  }
  const captures = pairs.flatMap(({ small, big }) => [small, big])
  // All in turn: what else the machine does meets few devices as it meets many.
  const found = await alternate(stage, captures, readers, effort.rounds + 2)
  discard(...captures)
  const costOf = (capture: BenchCapture): { capture: BenchCapture; costs: Costs } => {
    const costs = found.get(capture)
    if (!costs) throw new Error('not measured')
    return { capture, costs }
  }
  return readers.flatMap((reader) => {
    const [few = 0, ...more] = pairs.map(({ small, big }) =>
      perPacket(reader, costOf(small), costOf(big), leastCpuOf),
    )
    return more.map((cost, i) => {
      const devices = HOMES[i + 1]
      return {
        name: `growth-${devices}-devices-${reader}`,
        what: `cost of a packet with ${devices} devices, of that with ${HOMES[0]}`,
        value: cost / few,
        ...(devices === HOMES[0] * 100 ? { atMost: 1.1 } : {}),
        note: `${(few * 1e9).toFixed(0)} → ${(cost * 1e9).toFixed(0)} ns`,
      }
    })
  })
}

/** What a further flow costs, as a multiple of what it costs the limit. */
export async function flowGrowth(stage: Stage, effort: FileEffort): Promise<Result[]> {
  const packets = effort.packets / 2
  const few = makePlain(stage.scratch, { packets, flows: packets / 100, devices: effort.devices })
  const many = makePlain(stage.scratch, { packets, flows: packets / 5, devices: effort.devices })
  const { small, big } = await measure(stage, few, many, effort.rounds)
  const cost = (reader: Reader): number =>
    (cpuOf(big.costs, reader) - cpuOf(small.costs, reader)) / (many.flows - few.flows)
  const wrong = wrongTotals(big.costs.batches.at(-1)?.stdout ?? '{}', many)
  const wrongJson = await wrongReplay(stage, many)
  discard(few, many)
  const note = (reader: Reader): string =>
    `${(cost(reader) * 1e6).toFixed(2)} µs, limit ${(cost('limit') * 1e6).toFixed(2)}`
  return [
    {
      name: 'growth-flow-batches',
      what: 'a further flow, native',
      value: cost('batches') / cost('limit'),
      atMost: 1.2,
      note: note('batches'),
    },
    {
      name: 'growth-flow-json',
      what: 'a further flow, to JSON',
      value: cost('json') / cost('limit'),
      atMost: 12,
      note: note('json'),
    },
    truthResult('growth-truth', `${many.flows} flows against the truth`, wrong),
    truthResult('growth-truth-json', `${many.flows} flows in JSON against the truth`, wrongJson),
  ]
}
