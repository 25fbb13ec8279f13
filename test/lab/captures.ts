// Captures with a known truth, from every generator that is here, by a seed that is drawn anew each time.

import { randomInt } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Truth as DemoTruth } from '../../agent/demo/truth.ts'
import { LAN4, LAN6, ROUTER_MAC } from './home.ts'
import { succeed } from './process.ts'
import type { Findings, PcapTruth } from './truth.ts'
import { findingsOfDemo, findingsOfTruth } from './truth.ts'

const ROOT = join(import.meta.dirname, '../..')
/** Makes captures of a whole home; lies beside the repository where the project is developed, and nowhere else. */
const OUTER_GENERATOR = join(ROOT, '../shared/lab/net/gen_pcap.py')

/** A capture and what is true of it. */
export interface KnownCapture {
  file: string
  truth: Findings
  /** Arguments that name the home. */
  lan: string[]
  /** Devices that the truth leaves out: the router. */
  others: ReadonlySet<string>
}

export interface Generator {
  title: string
  make: (folder: string, seed: number) => Promise<KnownCapture>
}

export function drawSeed(): number {
  const given = process.env.HOMESPIN_LAB_SEED
  return given === undefined ? randomInt(1, 2 ** 31) : Number(given)
}

async function makeOuter(folder: string, seed: number): Promise<KnownCapture> {
  const file = join(folder, `outer-${seed}.pcap`)
  const truthFile = join(folder, `outer-${seed}.json`)
  const size = ['--packets', '60000', '--flows', '2000', '--devices', '20', '--seconds', '300']
  const out = [OUTER_GENERATOR, file, '--truth', truthFile, '--seed', String(seed)]
  await succeed('python3', [...out, ...size])
  const truth = JSON.parse(readFileSync(truthFile, 'utf8')) as PcapTruth
  return {
    file,
    truth: findingsOfTruth(truth),
    lan: ['--lan', LAN4, '--lan', LAN6],
    others: new Set([ROUTER_MAC.replaceAll(':', '')]),
  }
}

async function makeOwn(folder: string, seed: number): Promise<KnownCapture> {
  const file = join(folder, `own-${seed}.pcap`)
  const truthFile = join(folder, `own-${seed}.json`)
  const length = ['--speed', 'max', '--seconds', '400', '--seed', String(seed)]
  await succeed(
    process.execPath,
    [join(ROOT, 'agent/demo/main.ts'), ...length, '--truth', truthFile],
    { toFile: file },
  )
  const truth = JSON.parse(readFileSync(truthFile, 'utf8')) as DemoTruth
  return {
    file,
    truth: findingsOfDemo(truth),
    lan: ['--lan', LAN4, '--lan', LAN6],
    others: new Set([truth.gateway.replaceAll(':', '')]),
  }
}

/** The generators that can run here. */
export function generators(): Generator[] {
  const found: Generator[] = [{ title: 'the demo home', make: makeOwn }]
  if (existsSync(OUTER_GENERATOR)) found.push({ title: 'gen_pcap.py', make: makeOuter })
  return found
}
