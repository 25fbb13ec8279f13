// What programs cost: user and system time of all threads and children, measured from outside.
import { readdirSync, readFileSync } from 'node:fs'
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

/**
 * CPU so far, in seconds, of all threads of a process that are alive. To the nanosecond (/proc/PID/task/TID/schedstat), as
 * a ring that costs 3 % of a core is few hundredths of a second that /proc/PID/stat counts in. Compare two readings of a
 * process whose threads stay.
 */
export function cpuSoFar(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  const spent = threads.map((thread) => {
    const [ns = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
    return Number(ns)
  })
  return spent.reduce((sum, ns) => sum + ns, 0) / 1e9
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
