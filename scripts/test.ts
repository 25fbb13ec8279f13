// npm test: every check and every test, with a line each and one total at the end. Most tests wait for packets, programs or
// pages, so three stages run at once; a line of several that run says which it is of.
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { StageResult } from './test-reporter.ts'

const ROOT = join(import.meta.dirname, '..')
const HELP = `npm test -- [stage…] [--grep TEXT]

Stages: biome, tsc, and every folder of test/. Without any named, all of them run but ha, image and vm. biome and tsc come first, then
three stages run at a time (of lab a half counts as one), each lane taking the next that waits. What follows the first option goes to mocha.
With CI=true a test whose program is missing fails instead of being skipped. With HOMESPIN_FULL=1 everything is measured as often
as it is asked for, one stage after the other, vm too; \`npm run test:full\` also holds it to its limits.`

/** The order of the stages that there are, the longest first, so that all lanes end at about the same time; others come last. */
const FIRST = ['lab', 'image', 'native', 'agent', 'panel', 'nodes', 'scripts']
/** In halves, where several stages run at once: the second comes behind `agent`, as two homes with floods are in each other's way. */
const HALVED = 'lab'
const BEFORE_HALF = 'agent'

/** Need a Home Assistant Core, and a disk of a machine that is not part of this repository: run only where they are named. */
const ONLY_NAMED = ['ha', 'image', 'vm']
/** Takes an hour. */
const LONG = 'vm'

/** All is measured as it is asked for: takes hours, and nothing else may be done meanwhile. */
const FULL = process.env.HOMESPIN_FULL === '1'
/** Limits hold as they are, and everything at the first try. */
const STRICT = process.env.HOMESPIN_STRICT === '1'
/** Stages at once: on two cores about half of them wait at any moment. */
const LANES = 3
/** Longer than any stage takes on two slow cores; what is longer hangs. */
const STAGE_MS = (FULL ? 360 : 20) * 60_000
const LONG_STAGE_MS = (FULL ? 360 : 90) * 60_000
/** With a Core or the image, which is built first. */
const NAMED_STAGE_MS = (FULL ? 360 : 40) * 60_000
/** A stage whose tests have ended and that is still there has left something open. */
const LINGER_MS = 15_000
/** How often a stage that takes long says what it is at. */
const QUIET_MS = 30_000

/** Tests wait for packets beside others on a machine of any speed: so many files that failed are tried again by themselves. */
const MOST_AGAIN = 6

const NOTHING: StageResult = { passed: 0, failed: 0, skipped: 0, failedFiles: [], ended: false }

const env = {
  ...process.env,
  PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}:/usr/sbin:/sbin`,
}

/** Runs a program of a stage with its output shown. Resolves with why it failed, or undefined. */
async function run(
  stage: string,
  command: readonly string[],
  more: NodeJS.ProcessEnv,
  progress: () => StageResult | undefined,
  limitMs = STAGE_MS,
): Promise<string | undefined> {
  const [file = '', ...args] = command
  const child = spawn(file, args, {
    cwd: ROOT,
    env: { ...env, ...more },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  for (const output of [child.stdout, child.stderr])
    createInterface({ input: output }).on('line', (line) => say(stage, line))
  let why: string | undefined
  const end = (reason: string): void => {
    why ??= reason
    kill9(child)
  }
  const limit = setTimeout(end, limitMs, `took longer than ${limitMs / 60_000} minutes`)
  let linger: NodeJS.Timeout | undefined
  let spokeMs = Date.now()
  const watch = setInterval(() => {
    const result = progress()
    if (result?.running !== undefined && Date.now() - spokeMs > QUIET_MS) {
      spokeMs = Date.now()
      say(stage, `  ${result.passed} passed so far, now: ${result.running}`)
    }
    if (result?.ended) linger ??= setTimeout(end, LINGER_MS, 'left something open behind its tests')
  }, 1000)
  const closed = once(child, 'close')
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  // A process that it left behind may hold its output open.
  await Promise.race([closed, sleep(1000)])
  clearTimeout(limit)
  clearTimeout(linger)
  clearInterval(watch)
  running.delete(child)
  return why ?? (code === 0 ? undefined : `ended with ${signal ?? `exit code ${code}`}`)
}

const running = new Set<ChildProcess>()
/** Stages that have begun and not ended. */
const open = new Set<string>()
let interrupted = false

/** A line; of which stage it is, where that is not clear. */
function say(stage: string, line: string): void {
  const of = open.size > 1 && line !== '' ? `${stage}: ` : ''
  process.stdout.write(`${of}${line}\n`)
}

function kill9({ pid = 0 }: ChildProcess): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It ended in this moment.
  }
}

async function check(name: string, ...command: string[]): Promise<StageResult> {
  const why = await run(name, command, {}, () => undefined)
  const failed = why === undefined ? 0 : 1
  return { ...NOTHING, passed: 1 - failed, failed, ended: true }
}

/** `files`: patterns of mocha. */
async function tests(
  name: string,
  files: readonly string[],
  args: readonly string[],
): Promise<StageResult> {
  const place = mkdtempSync(join(tmpdir(), 'homespin-test-'))
  const file = join(place, 'result.json')
  const read = (): StageResult | undefined => {
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as StageResult
    } catch {
      return undefined
    }
  }
  const command = [
    'mocha',
    '--forbid-only',
    '--reporter',
    'scripts/test-reporter.ts',
    ...args,
    ...files,
  ]
  const named = ONLY_NAMED.includes(name) ? NAMED_STAGE_MS : STAGE_MS
  const limitMs = name === LONG ? LONG_STAGE_MS : named
  const why = await run(name, command, { TEST_RESULT_FILE: file }, read, limitMs)
  const result = read() ?? NOTHING
  rmSync(place, { recursive: true, force: true })
  if (why === undefined && result.ended) return result
  // Tests that failed are why it ended so.
  if (result.ended && result.failed > 0 && why?.startsWith('ended with exit')) return result
  const fault = why ?? 'ended before its tests did'
  // The stage itself failed: it could not be loaded, crashed or hung.
  say(name, `  ${fault}${result.running ? ` in: ${result.running}` : ''}`)
  return { ...result, failed: result.failed + 1, failedFiles: [] }
}

/** What a lane takes at once: a stage, or a half of one. */
interface Part {
  name: string
  /** `files`: those alone. */
  run: (files?: readonly string[]) => Promise<StageResult>
}

function partsOf(folder: string, mochaArgs: readonly string[]): Part[] {
  const pattern = `test/${folder}/**/*.test.ts`
  const part = (name: string, all: readonly string[]): Part => ({
    name,
    run: (files = all) => tests(name, files, mochaArgs),
  })
  if (folder !== HALVED || FULL) return [part(folder, [pattern])]
  const files = globSync(pattern, { cwd: ROOT }).sort()
  return [0, 1].map((which) =>
    part(
      `${folder} ${which + 1}/2`,
      files.filter((_, i) => i % 2 === which),
    ),
  )
}

function stages(mochaArgs: readonly string[]): Map<string, Part[]> {
  const all = new Map<string, Part[]>()
  const whole = (name: string, ...command: string[]): void => {
    all.set(name, [{ name, run: () => check(name, ...command) }])
  }
  whole('biome', 'biome', 'check', '.')
  whole('tsc', 'tsc', '--noEmit', '-p', 'tsconfig.json')
  const there = readdirSync(join(ROOT, 'test'), { withFileTypes: true })
    .filter((each) => each.isDirectory())
    .map((each) => each.name)
    .filter((name) => globSync(`test/${name}/**/*.test.ts`, { cwd: ROOT }).length > 0)
  const others = there.filter((name) => !FIRST.includes(name)).sort()
  for (const name of [...FIRST, ...others])
    if (there.includes(name)) all.set(name, partsOf(name, mochaArgs))
  return all
}

async function one({ name, run: stage }: Part, files?: readonly string[]): Promise<StageResult> {
  const begun = Date.now()
  process.stdout.write(files === undefined ? `${name} …\n` : `${name}, once more by itself …\n`)
  open.add(name)
  const result = await stage(files)
  open.delete(name)
  const { passed, failed, skipped } = result
  const seconds = ((Date.now() - begun) / 1000).toFixed(1)
  const not = `${failed ? `, ${failed} FAILED` : ''}${skipped ? `, ${skipped} skipped` : ''}`
  process.stdout.write(`${name}: ${passed} passed${not} (${seconds} s)\n`)
  return result
}

/** What failed beside others, by itself: what passes then is told. Resolves with how many tests that are. */
async function again(results: ReadonlyMap<Part, StageResult>): Promise<number> {
  const files = [...results.values()].flatMap(({ failedFiles }) => failedFiles)
  if (STRICT || interrupted || files.length > MOST_AGAIN) return 0
  let passing = 0
  for (const [part, before] of results) {
    if (before.failedFiles.length === 0 || part.name === LONG) continue
    const { failed, ended } = await one(part, before.failedFiles)
    if (failed === 0 && ended) passing += before.failed
  }
  return passing
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(`${HELP}\n`)
    return 0
  }
  const at = args.findIndex((each) => each.startsWith('-'))
  const all = stages(at < 0 ? [] : args.slice(at))
  const named = at < 0 ? args : args.slice(0, at)
  const unknown = named.filter((name) => !all.has(name))
  if (unknown.length > 0) {
    process.stderr.write(
      `there is no stage ${unknown.join(', ')}. There are: ${[...all.keys()].join(', ')}\n`,
    )
    return 2
  }
  const results = new Map<Part, StageResult>()
  const begun = Date.now()
  const chosen = [...all.keys()].filter((name) =>
    named.length > 0 ? named.includes(name) : !ONLY_NAMED.includes(name) || (FULL && name === LONG),
  )
  const lane = async (queue: Part[]): Promise<void> => {
    for (let part = queue.shift(); part !== undefined && !interrupted; part = queue.shift())
      results.set(part, await one(part))
  }
  const parts = (names: string[]): Part[] => names.flatMap((name) => all.get(name) ?? [])
  // What is quick to tell a fault comes before all else.
  const checks = chosen.filter((name) => ['biome', 'tsc'].includes(name))
  const rest = chosen.filter((name) => !checks.includes(name))
  const queue = parts(rest)
  const half = queue.findIndex(({ name }) => name === `${HALVED} 2/2`)
  const behind = queue.findIndex(({ name }) => name === BEFORE_HALF)
  if (half >= 0 && behind > half) queue.splice(behind, 0, ...queue.splice(half, 1))
  await lane(parts(checks))
  await Promise.all(Array.from({ length: FULL ? 1 : LANES }, () => lane(queue)))
  const passing = await again(results)
  if (interrupted) return 1
  const sum = (what: 'passed' | 'failed' | 'skipped'): number =>
    [...results.values()].reduce((before, result) => before + result[what], 0)
  const failed = sum('failed') - passing
  const skipped = sum('skipped')
  const seconds = ((Date.now() - begun) / 1000).toFixed(0)
  process.stdout.write(`\n${seconds} s${skipped ? `, ${skipped} skipped` : ''}\n`)
  const second = passing > 0 ? `, ${passing} at a second try by itself` : ''
  process.stdout.write(`${sum('passed') + passing} passed${second}, ${failed} failed\n`)
  return failed === 0 ? 0 : 1
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    interrupted = true
    for (const child of running) kill9(child)
  })
process.exit(await main(process.argv.slice(2)))
