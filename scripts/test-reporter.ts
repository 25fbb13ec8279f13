// How mocha tells test.ts what happened: failures whole and at once, the counts in a file.
import { writeFileSync } from 'node:fs'
import { inspect } from 'node:util'
import mocha from 'mocha'

/** What a stage came to, so far. */
export interface StageResult {
  passed: number
  failed: number
  skipped: number
  /** The test or hook that is running, while any is. */
  running?: string
  /** All tests have ended. */
  ended: boolean
}

/** More of one failure than anybody reads. */
const LONGEST_FAILURE = 20_000
const {
  EVENT_HOOK_BEGIN,
  EVENT_TEST_BEGIN,
  EVENT_TEST_PASS,
  EVENT_TEST_FAIL,
  EVENT_TEST_PENDING,
  EVENT_RUN_END,
} = mocha.Runner.constants

/** Chosen by path: `mocha --reporter scripts/test-reporter.ts`. */
export default class TestReporter {
  constructor(runner: mocha.Runner) {
    const result: StageResult = { passed: 0, failed: 0, skipped: 0, ended: false }
    const file = process.env.TEST_RESULT_FILE
    const save = (): void => {
      if (file) writeFileSync(file, JSON.stringify(result))
    }
    const begins = (what: mocha.Runnable): void => {
      result.running = what.fullTitle()
      save()
    }
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
      const said = inspect(error, { depth: 4 }).slice(0, LONGEST_FAILURE)
      process.stdout.write(`\n  FAILED: ${test.fullTitle()}\n${said.replace(/^/gm, '    ')}\n\n`)
    })
    runner.once(EVENT_RUN_END, () => {
      delete result.running
      result.ended = true
      save()
    })
  }
}
