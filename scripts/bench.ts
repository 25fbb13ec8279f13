// npm run bench: how fast, how small and how exact Homespin is, against plain C programs that do the same with nothing
// around it, in one run by turns. Absolute figures differ from machine to machine; ratios should not.
import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { hasShapes } from '../bench/captures.ts'
import { deviceGrowth, flowGrowth, shapeFigures } from '../bench/file-figures.ts'
import type { Stage } from '../bench/files.ts'
import { buildLimits } from '../bench/limits.ts'
import { memoryFigures, restFigure, steadyFigures, topFigures } from '../bench/live-figures.ts'
import type { Result } from '../bench/results.ts'
import { passed, tableOf } from '../bench/results.ts'
import { verdictFigures } from '../bench/verdict.ts'
import { Wire } from '../bench/wire.ts'

const PARTS = ['files', 'growth', 'live', 'top', 'memory', 'rest', 'verdict'] as const
type Part = (typeof PARTS)[number]
const LIVE = ['live', 'top', 'memory', 'rest'] as const
/** Flows of a busy home at one time. */
const FLOWS = 2000

const USAGE = `npm run bench -- [--quick] [--only PART]… [--seed N] [--json]
  --quick      smaller captures, fewer rounds: for a first look, not for a verdict
  --only PART  of ${PARTS.join(', ')}; may be given several times
  --seed N     captures by this seed (default: drawn anew, and printed)
  --json       results as JSON on standard output, the table on standard error
Live parts need root. Exit code 1 when a limit is missed.
`

interface Options {
  quick: boolean
  parts: readonly Part[]
  seed: number
  json: boolean
}

function isPart(text: string): text is Part {
  return (PARTS as readonly string[]).includes(text)
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      seed: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const only = values.only ?? PARTS
  const unknown = only.find((part) => !isPart(part))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: expected ${PARTS.join(', ')}`)
  const seed = values.seed === undefined ? randomInt(1, 2 ** 31) : Number(values.seed)
  if (!Number.isSafeInteger(seed)) throw new Error('--seed: expected a whole number')
  return { quick: values.quick, parts: only.filter(isPart), seed, json: values.json }
}

/** In a quick run one shape is drawn. */
function shapesOf({ quick, seed }: Options): number[] {
  const all = [10, 50, 500]
  if (!hasShapes()) return [0]
  return quick ? [all[seed % all.length] ?? 50] : all
}

type Tell = (part: Result[]) => void

/** Measures one part; a fault is a failed result, and the rest is measured all the same. */
async function part(name: string, tell: Tell, measure: () => Promise<Result[]>): Promise<void> {
  try {
    tell(await measure())
  } catch (error) {
    const note = String(error instanceof Error ? error.message : error)
    process.stderr.write(`${note}\n`)
    tell([{ name, what: 'not measured', value: Number.NaN, note: note.split('\n')[0] ?? '' }])
  }
}

async function measureFiles(stage: Stage, options: Options, tell: Tell): Promise<void> {
  const { quick, seed, parts } = options
  const rounds = quick ? 3 : 5
  const packets = quick ? 500_000 : 2_000_000
  const effort = { rounds, packets, smallPackets: packets / 10, devices: 40 }
  if (parts.includes('files')) {
    for (const [i, packetsPerFlow] of shapesOf(options).entries()) {
      const shape = { packetsPerFlow, seed: seed + i }
      await part('files', tell, () => shapeFigures(stage, effort, shape))
    }
  }
  if (!parts.includes('growth')) return
  await part('growth-flow', tell, () => flowGrowth(stage, effort))
  await part('growth-devices', tell, () => deviceGrowth(stage, effort, seed + 10))
}

async function measureLive(stage: Stage, options: Options, tell: Tell): Promise<void> {
  const { quick, parts } = options
  const asked = LIVE.filter((name) => parts.includes(name))
  if (process.getuid?.() !== 0) {
    tell(asked.map((name) => ({ name, what: 'live', skipped: 'needs root (network namespaces)' })))
    return
  }
  const effort = {
    rounds: quick ? 1 : 3,
    packets: quick ? 500_000 : 1_000_000,
    restMs: quick ? 5000 : 15_000,
  }
  const wire = new Wire(stage.limits, stage.scratch)
  await wire.start()
  const measures: Record<(typeof LIVE)[number], () => Promise<Result[]>> = {
    live: () => steadyFigures(wire, effort, FLOWS),
    top: () => topFigures(wire, effort, FLOWS),
    memory: async () => [
      ...(await memoryFigures(wire, 20_000, 120)),
      ...(await memoryFigures(wire, 100_000, 180)),
    ],
    rest: async () => [await restFigure(wire, effort, 100_000)],
  }
  try {
    for (const name of asked) await part(name, tell, measures[name])
  } finally {
    await wire.stop()
  }
}

async function main(): Promise<void> {
  const options = readOptions()
  if (!options) {
    process.stdout.write(USAGE)
    return
  }
  const scratch = mkdtempSync(join(tmpdir(), 'homespin-bench-'))
  const results: Result[] = []
  const tell = (part: Result[]): void => {
    results.push(...part)
    for (const one of part) process.stderr.write(`${tableOf([one]).split('\n')[1]}\n`)
  }
  try {
    const limits = await buildLimits(scratch)
    const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown processor'}`
    process.stderr.write(`${machine}; limit: ${limits.origin}; seed ${options.seed}\n\n`)
    const stage = { limits, scratch }
    await measureFiles(stage, options, tell)
    if (options.parts.includes('verdict')) {
      const rounds = options.quick ? 3 : 5
      await part('verdict', tell, () => verdictFigures(limits, scratch, rounds))
    }
    if (LIVE.some((name) => options.parts.includes(name))) await measureLive(stage, options, tell)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  const table = `\n${tableOf(results)}\n`
  if (options.json) process.stdout.write(`${JSON.stringify({ seed: options.seed, results })}\n`)
  ;(options.json ? process.stderr : process.stdout).write(table)
  if (!results.every(passed)) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 2
}
