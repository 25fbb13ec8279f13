// Captures to measure with, drawn anew each time: a home of so many devices, packets and flows, and the truth about it.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Truth as DemoTruth } from '../agent/demo/truth.ts'
import { LAN4, LAN6 } from '../test/lab/home.ts'
import { succeed } from '../test/lab/process.ts'
import type { Findings, PcapTruth } from '../test/lab/truth.ts'
import { findingsOfDemo, findingsOfTruth } from '../test/lab/truth.ts'

const OUTER = join(import.meta.dirname, '../../shared/lab/net/gen_pcap.py')
const OWN = join(import.meta.dirname, '../agent/demo/main.ts')

/** Beyond 200 devices a capture's home is the range for benchmarks (RFC 2544). */
const LARGE_LAN4 = '198.18.0.0/15'

export interface BenchCapture {
  file: string
  packets: number
  flows: number
  truth: Findings
  /** Arguments that name the home. */
  lan: string[]
  /** The router, which the truth leaves out. */
  others: ReadonlySet<string>
}

export interface Shape {
  packets: number
  packetsPerFlow: number
  devices: number
  seed: number
}

/** True where captures can have any shape; our own generator knows one home. */
export function hasShapes(): boolean {
  return existsSync(OUTER)
}

async function makeShaped(folder: string, shape: Shape): Promise<BenchCapture> {
  const { packets, packetsPerFlow, devices, seed } = shape
  const stem = join(folder, `${packets}-${packetsPerFlow}-${devices}-${seed}`)
  const flows = Math.round(packets / packetsPerFlow)
  const numbers = { packets, flows, devices, seed }
  const flags = Object.entries(numbers).flatMap(([key, value]) => [`--${key}`, String(value)])
  const args = [OUTER, `${stem}.pcap`, '--truth', `${stem}.json`, ...flags]
  await succeed('python3', args, { timeoutMs: 300_000 })
  const truth = JSON.parse(readFileSync(`${stem}.json`, 'utf8')) as PcapTruth
  const lan4 = devices > 200 ? LARGE_LAN4 : LAN4
  return {
    file: `${stem}.pcap`,
    packets: truth.totals.packets,
    flows: truth.totals.flows,
    truth: findingsOfTruth(truth),
    lan: ['--lan', lan4, '--lan', LAN6],
    others: new Set(['020de0ff0001']),
  }
}

/** About so many packets that the demo home has a second. */
const DEMO_PACKETS_PER_SECOND = 270

async function makeDemo(folder: string, shape: Shape): Promise<BenchCapture> {
  const seconds = Math.round(shape.packets / DEMO_PACKETS_PER_SECOND)
  const stem = join(folder, `demo-${seconds}-${shape.seed}`)
  const args = [OWN, '--speed', 'max', '--seconds', String(seconds), '--seed', String(shape.seed)]
  const options = { toFile: `${stem}.pcap`, timeoutMs: 600_000 }
  await succeed(process.execPath, [...args, '--truth', `${stem}.json`], options)
  const truth = JSON.parse(readFileSync(`${stem}.json`, 'utf8')) as DemoTruth
  return {
    file: `${stem}.pcap`,
    packets: truth.packets,
    flows: truth.flows,
    truth: findingsOfDemo(truth),
    lan: ['--lan', LAN4, '--lan', LAN6],
    others: new Set([truth.gateway.replaceAll(':', '')]),
  }
}

/** Makes a capture; without the outer generator its shape is the demo home's. */
export function makeCapture(folder: string, shape: Shape): Promise<BenchCapture> {
  return hasShapes() ? makeShaped(folder, shape) : makeDemo(folder, shape)
}
