// npm test: every check and every test, one stage after the other, with one line each and one total at the end.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StageResult } from './test-reporter.ts'

const ROOT = join(import.meta.dirname, '..')
const HELP = `npm test -- [stage…] [--grep TEXT]

Stages: biome, tsc, and every folder of test/. Without any named, all of them run.
With CI=true a test whose program is missing fails instead of being skipped.`

/** The order of the stages that there are; folders of test/ that are not named come before the last. */
const FIRST = ['protocol', 'scripts', 'native', 'agent', 'nodes', 'panel']
const LAST = ['bench', 'lab']

/** Longer than any stage takes on two slow cores; what is longer hangs. */
const STAGE_MS = 8 * 60_000
/** A stage whose tests have ended and that is still there has left something open. */
const LINGER_MS = 15_000
/** How often a stage that takes long says what it is at. */
const QUIET_MS = 30_000

const NOTHING: StageResult = { passed: 0, failed: 0, skipped: 0, ended: false }

const env = {
  ...process.env,
  PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}:/usr/sbin:/sbin`,
}

/** Runs a program with its output shown. Resolves with why it failed, or undefined. */
async function run(
  command: readonly string[],
  more: NodeJS.ProcessEnv,
  progress: () => StageResult | undefined,
): Promise<string | undefined> {
  const [file = '', ...args] = command
  const child = spawn(file, args, {
    cwd: ROOT,
    env: { ...env, ...more },
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  running = child.pid
  let why: string | undefined
  const kill = (reason: string): void => {
    why ??= reason
    killRunning()
  }
  const limit = setTimeout(kill, STAGE_MS, `took longer than ${STAGE_MS / 60_000} minutes`)
  let linger: NodeJS.Timeout | undefined
  let spokeMs = Date.now()
  const watch = setInterval(() => {
    const result = progress()
    if (result?.running !== undefined && Date.now() - spokeMs > QUIET_MS) {
      spokeMs = Date.now()
      process.stdout.write(`  ${result.passed} passed so far, now: ${result.running}\n`)
    }
    if (result?.ended)
      linger ??= setTimeout(kill, LINGER_MS, 'left something open behind its tests')
  }, 1000)
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  clearTimeout(limit)
  clearTimeout(linger)
  clearInterval(watch)
  running = undefined
  return why ?? (code === 0 ? undefined : `ended with ${signal ?? `exit code ${code}`}`)
}

let running: number | undefined
let interrupted = false

function killRunning(): void {
  if (running === undefined) return
  try {
    process.kill(-running, 'SIGKILL')
  } catch {
    // It ended in this moment.
  }
}

async function check(command: readonly string[]): Promise<StageResult> {
  const why = await run(command, {}, () => undefined)
  const failed = why === undefined ? 0 : 1
  return { passed: 1 - failed, failed, skipped: 0, ended: true }
}

async function tests(folder: string, args: readonly string[]): Promise<StageResult> {
  const place = mkdtempSync(join(tmpdir(), 'homespin-test-'))
  const file = join(place, 'result.json')
  const read = (): StageResult | undefined => {
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as StageResult
    } catch {
      return undefined
    }
  }
  const files = `test/${folder}/**/*.test.ts`
  const command = [
    'mocha',
    '--forbid-only',
    '--reporter',
    'scripts/test-reporter.ts',
    ...args,
    files,
  ]
  const why = await run(command, { TEST_RESULT_FILE: file }, read)
  const result = read() ?? NOTHING
  rmSync(place, { recursive: true, force: true })
  const fault = why ?? (result.ended ? undefined : 'ended before its tests did')
  if (fault === undefined || result.failed > 0) return result
  // The stage itself failed: it could not be loaded, crashed or hung.
  process.stdout.write(`  ${folder}: ${fault}${result.running ? ` in: ${result.running}` : ''}\n`)
  return { ...result, failed: 1 }
}

function stages(mochaArgs: readonly string[]): Map<string, () => Promise<StageResult>> {
  const all = new Map<string, () => Promise<StageResult>>()
  all.set('biome', () => check(['biome', 'check', '.']))
  all.set('tsc', () => check(['tsc', '--noEmit', '-p', 'tsconfig.json']))
  const there = readdirSync(join(ROOT, 'test'), { withFileTypes: true })
    .filter((each) => each.isDirectory())
    .map((each) => each.name)
    .filter((name) => globSync(`test/${name}/**/*.test.ts`, { cwd: ROOT }).length > 0)
  const others = there.filter((name) => !FIRST.includes(name) && !LAST.includes(name)).sort()
  for (const name of [...FIRST, ...others, ...LAST])
    if (there.includes(name)) all.set(name, () => tests(name, mochaArgs))
  return all
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
  const total = { ...NOTHING }
  const begun = Date.now()
  for (const [name, stage] of all) {
    if (named.length > 0 && !named.includes(name)) continue
    const stageBegun = Date.now()
    process.stdout.write(`${name} …\n`)
    const { passed, failed, skipped } = await stage()
    const seconds = ((Date.now() - stageBegun) / 1000).toFixed(1)
    const not = `${failed ? `, ${failed} FAILED` : ''}${skipped ? `, ${skipped} skipped` : ''}`
    process.stdout.write(`${name}: ${passed} passed${not} (${seconds} s)\n`)
    total.passed += passed
    total.failed += failed
    total.skipped += skipped
    if (interrupted) return 1
  }
  const seconds = ((Date.now() - begun) / 1000).toFixed(0)
  process.stdout.write(`\n${seconds} s${total.skipped ? `, ${total.skipped} skipped` : ''}\n`)
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`)
  return total.failed === 0 ? 0 : 1
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    interrupted = true
    killRunning()
  })
process.exit(await main(process.argv.slice(2)))
