// Captures from files: what a packet and a flow cost, as a multiple of what they cost the limit, start-up taken out.
import { closeSync, openSync, readFileSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { homespin } from '../test/lab/agent-process.ts'
import { differences, findingsOfReplay } from '../test/lab/truth.ts'
import type { BenchCapture } from './captures.ts'
import type { Cost } from './cost.ts'
import { costOf, median } from './cost.ts'
import type { Limits } from './limits.ts'

/** Who reads a capture: the limit, native with JavaScript, or the whole program. */
export const READERS = ['limit', 'batches', 'json'] as const
export type Reader = (typeof READERS)[number]

/** CPU seconds by reader, one for each round. */
export type Costs = Record<Reader, Cost[]>

export interface Stage {
  limits: Limits
  scratch: string
}

function commandOf(stage: Stage, reader: Reader, capture: BenchCapture): string[] {
  if (reader === 'limit') return [stage.limits.flowparse, capture.file]
  if (reader === 'json') return homespin('replay', '--json', capture.file, ...capture.lan)
  return [process.execPath, join(import.meta.dirname, 'drain.ts'), capture.file, 'all']
}

async function read(stage: Stage, reader: Reader, capture: BenchCapture): Promise<Cost> {
  const toFile = reader === 'json' ? { file: '/dev/null' } : undefined
  return await costOf(stage.limits, stage.scratch, commandOf(stage, reader, capture), toFile?.file)
}

/** Each reader on each capture in turn, so many times; the first time is for the page cache alone. */
export async function alternate(
  stage: Stage,
  captures: readonly BenchCapture[],
  readers: readonly Reader[],
  rounds: number,
): Promise<Map<BenchCapture, Costs>> {
  const costs = new Map<BenchCapture, Costs>()
  for (const capture of captures) {
    costs.set(capture, { limit: [], batches: [], json: [] })
    warm(capture.file)
  }
  for (let round = 0; round < rounds; round++) {
    for (const [capture, of] of costs) {
      for (const reader of readers) of[reader].push(await read(stage, reader, capture))
    }
  }
  return costs
}

/** Reads a file once, so that nobody measures the disk. */
function warm(file: string): void {
  const piece = Buffer.alloc(1 << 20)
  const fd = openSync(file, 'r')
  while (readSync(fd, piece) > 0);
  closeSync(fd)
}

export function cpuOf(costs: Costs, reader: Reader): number {
  return median(costs[reader].map((cost) => cost.cpuS))
}

/** The quickest of all rounds: what else a machine does only ever adds. For differences that are a few hundredths. */
export function leastCpuOf(costs: Costs, reader: Reader): number {
  return Math.min(...costs[reader].map((cost) => cost.cpuS))
}

/** Seconds that the packets cost that `big` has more than `small`, for each of them. */
export function perPacket(
  reader: Reader,
  small: { capture: BenchCapture; costs: Costs },
  big: { capture: BenchCapture; costs: Costs },
  cpu = cpuOf,
): number {
  const seconds = cpu(big.costs, reader) - cpu(small.costs, reader)
  return seconds / (big.capture.packets - small.capture.packets)
}

interface Totals {
  packets: number
  ip_packets?: number
  ip_bytes?: number
  flows: number
  dns: number
  sni: number
}

/** In how many ways what was read differs from the truth, and the first of them in words. */
export interface Wrong {
  count: number
  first?: string
}

/** What `drain.ts` printed, against the truth. */
export function wrongTotals(stdout: string, capture: BenchCapture): Wrong {
  const got = JSON.parse(stdout) as Totals
  const { truth } = capture
  const sni = [...truth.devices.values()].reduce(
    (sum, device) => sum + Object.values(device.sni).reduce((all, each) => all + each, 0),
    0,
  )
  const wanted = { ...truth, dns: truth.dns_queries, sni }
  const wrong = (['packets', 'ip_packets', 'ip_bytes', 'flows', 'dns', 'sni'] as const)
    .filter((key) => got[key] !== undefined && got[key] !== wanted[key])
    .map((key) => `${key} ${got[key]}, in truth ${wanted[key]}`)
  return { count: wrong.length, ...(wrong[0] === undefined ? {} : { first: wrong[0] }) }
}

/** What `homespin replay --json` prints, against the truth, device by device and name by name. */
export async function wrongReplay(stage: Stage, capture: BenchCapture): Promise<Wrong> {
  const file = join(stage.scratch, 'replay.ndjson')
  await costOf(stage.limits, stage.scratch, commandOf(stage, 'json', capture), file)
  const wrong = differences(
    findingsOfReplay(readFileSync(file, 'utf8')),
    capture.truth,
    capture.others,
  )
  rmSync(file)
  return { count: wrong.length, ...(wrong[0] === undefined ? {} : { first: wrong[0] }) }
}
