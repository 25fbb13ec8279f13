// The programs in C that we are measured against, built from bench/c, or from ../shared/bench/c where that lies beside
// the repository (the same command lines).
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { succeed } from '../test/lab/process.ts'

const OWN = join(import.meta.dirname, 'c')
const OUTER = join(import.meta.dirname, '../../shared/bench/c')

/** Paths of what was built. */
export interface Limits {
  /** Where the sources of the limit came from, in words. */
  origin: string
  /** pcap file → flows, devices, DNS, SNI. */
  flowparse: string
  /** The same off the wire, through a TPACKET_V3 ring. */
  mirror: string
  /** UDP frames, at a rate. */
  udpgen: string
  /** What a program costs: see bench/c/measure.c. */
  measure: string
}

/** Builds all of it in `scratch`. Throws with the compiler's words. */
export async function buildLimits(scratch: string): Promise<Limits> {
  const outer = existsSync(OUTER)
  const folder = join(scratch, 'c')
  mkdirSync(folder)
  const from = outer ? OUTER : OWN
  for (const name of readdirSync(from)) copyFileSync(join(from, name), join(folder, name))
  copyFileSync(join(OWN, 'measure.c'), join(folder, 'measure.c'))
  const flags = ['-O2', ...(process.arch === 'x64' ? ['-march=x86-64-v2'] : []), '-w']
  const build = async (name: string): Promise<string> => {
    const program = join(folder, name)
    await succeed(process.env.CC ?? 'cc', [...flags, `${program}.c`, '-o', program])
    return program
  }
  return {
    origin: outer ? '../shared/bench/c' : 'bench/c',
    flowparse: await build('flowparse'),
    mirror: await build('mirror'),
    udpgen: await build('udpgen'),
    measure: await build('measure'),
  }
}
