// What programs cost: user and system time of all threads and children, measured from outside.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../test/lab/process.ts'
import type { Limits } from './limits.ts'

/** What one run cost. */
export interface Cost {
  cpuS: number
  wallS: number
  /** Peak resident memory of the program, or of the largest of its children. */
  peakBytes: number
  stdout: string
}

/** Runs a program to its end; it has to succeed. Standard output goes to `toFile` if given. */
export async function costOf(
  limits: Limits,
  scratch: string,
  command: readonly string[],
  toFile?: string,
): Promise<Cost> {
  const out = join(scratch, 'cost.json')
  const options = { timeoutMs: 300_000, ...(toFile === undefined ? {} : { toFile }) }
  const ended = await run(limits.measure, [out, ...command], options)
  if (ended.code !== 0) {
    const how = ended.signal ?? `exit code ${ended.code}`
    throw new Error(`${command.join(' ')} ended with ${how}: ${ended.stderr.slice(-2000)}`)
  }
  const told = JSON.parse(readFileSync(out, 'utf8')) as Record<
    'cpu_s' | 'wall_s' | 'peak_kib',
    number
  >
  const { cpu_s, wall_s, peak_kib } = told
  return { cpuS: cpu_s, wallS: wall_s, peakBytes: peak_kib * 1024, stdout: ended.stdout }
}

/** Hundredths of a second, the kernel's USER_HZ on every architecture that Linux has today. */
const TICKS_PER_SECOND = 100

/** User and system time so far, in seconds, of a process, its threads and the children that it waited for. */
export function cpuSoFar(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name, in brackets, may hold anything; fields 14 to 17 (proc(5)) follow it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return ticks / TICKS_PER_SECOND
}

/** Peak resident memory of a process so far. */
export function peakBytesOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(status)
  if (!found) throw new Error(`no VmHWM in /proc/${pid}/status`)
  return Number(found[1]) * 1024
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}
