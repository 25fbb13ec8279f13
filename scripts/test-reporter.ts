// How mocha tells test.ts what happened: failures whole and at once, the counts in a file.
import { readFileSync, writeFileSync } from 'node:fs'
import { inspect } from 'node:util'
import mocha from 'mocha'

/** What a stage came to, so far. */
export interface StageResult {
  passed: number
  failed: number
  skipped: number
  /** Files with tests that failed. */
  failedFiles: string[]
  /** The test or hook that is running, while any is. */
  running?: string
  /** All tests have ended. */
  ended: boolean
}

/** A part of a stage that takes longer than this is named at the end, the longest so many of them. */
const LONG_MS = 8000
const NAMED = 8
/** More of one failure than anybody reads. */
const LONGEST_FAILURE = 20_000
const {
  EVENT_HOOK_BEGIN,
  EVENT_SUITE_BEGIN,
  EVENT_SUITE_END,
  EVENT_TEST_BEGIN,
  EVENT_TEST_PASS,
  EVENT_TEST_FAIL,
  EVENT_TEST_PENDING,
  EVENT_RUN_END,
} = mocha.Runner.constants

/** Chosen by path: `mocha --reporter scripts/test-reporter.ts`. */
export default class TestReporter {
  constructor(runner: mocha.Runner) {
    const result: StageResult = { passed: 0, failed: 0, skipped: 0, failedFiles: [], ended: false }
    const file = process.env.TEST_RESULT_FILE
    const save = (): void => {
      if (file) writeFileSync(file, JSON.stringify(result))
    }
    const begins = (what: mocha.Runnable): void => {
      result.running = what.fullTitle()
      save()
    }
    const longest: { title: string; ms: number; cpuS: number }[] = []
    const begun = new Map<mocha.Suite, { ms: number; cpuS: number }>()
    runner.on(EVENT_SUITE_BEGIN, (suite) => {
      if (suite.parent?.root) begun.set(suite, { ms: Date.now(), cpuS: cpuSeconds() })
    })
    runner.on(EVENT_SUITE_END, (suite) => {
      const from = begun.get(suite)
      if (from === undefined || Date.now() - from.ms <= LONG_MS) return
      const cpuS = cpuSeconds() - from.cpuS
      longest.push({ title: suite.title, ms: Date.now() - from.ms, cpuS })
    })
    runner.on(EVENT_TEST_BEGIN, begins)
    runner.on(EVENT_HOOK_BEGIN, begins)
    runner.on(EVENT_TEST_PASS, () => {
      result.passed++
    })
    runner.on(EVENT_TEST_PENDING, (test) => {
      result.skipped++
      process.stdout.write(`  skipped: ${test.fullTitle()}\n`)
    })
    runner.on(EVENT_TEST_FAIL, (test: mocha.Runnable, error: unknown) => {
      result.failed++
      const file = test.file ?? test.parent?.file
      if (file !== undefined && !result.failedFiles.includes(file)) result.failedFiles.push(file)
      const said = inspect(error, { depth: 4 }).slice(0, LONGEST_FAILURE)
      process.stdout.write(`\n  FAILED: ${test.fullTitle()}\n${said.replace(/^/gm, '    ')}\n\n`)
    })
    runner.once(EVENT_RUN_END, () => {
      const named = longest.sort((a, b) => b.ms - a.ms).slice(0, NAMED)
      const times = named.map(
        ({ title, ms, cpuS }) => `${(ms / 1000).toFixed(0)} s ${title} (${cpuS.toFixed(0)} s CPU)`,
      )
      if (times.length > 0) process.stdout.write(`  longest: ${times.join('; ')}\n`)
      delete result.running
      result.ended = true
      save()
    })
  }
}

/** Processor time so far, of its own and of the programs that it has waited for: fields 14 to 17 of proc_pid_stat(5), in hundredths. */
function cpuSeconds(): number {
  try {
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? []
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) / 100, 0)
  } catch {
    return 0
  }
}
