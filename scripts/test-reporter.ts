// How mocha tells test.ts what happened: failures whole and at once, a sign of life now and then, the counts to a file.
import { writeFileSync } from 'node:fs'
import mocha from 'mocha'

/** What a stage came to. */
export interface StageResult {
  passed: number
  failed: number
  skipped: number
  /** The test that is running, while any is. */
  running?: string
}

const QUIET_MS = 15_000
const { EVENT_TEST_BEGIN, EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_TEST_PENDING, EVENT_RUN_END } =
  mocha.Runner.constants

/** Chosen by path: `mocha --reporter scripts/test-reporter.ts`. */
export default class TestReporter {
  constructor(runner: mocha.Runner) {
    const result: StageResult = { passed: 0, failed: 0, skipped: 0 }
    const file = process.env.HOMESPIN_TEST_RESULT
    const save = (): void => {
      if (file) writeFileSync(file, JSON.stringify(result))
    }
    let spokeMs = Date.now()
    const say = (line: string): void => {
      process.stdout.write(`${line}\n`)
      spokeMs = Date.now()
    }
    runner.on(EVENT_TEST_BEGIN, (test) => {
      result.running = test.fullTitle()
      save()
      if (Date.now() - spokeMs > QUIET_MS)
        say(`    … ${result.passed} passed so far, now: ${result.running}`)
    })
    runner.on(EVENT_TEST_PASS, () => {
      result.passed++
    })
    runner.on(EVENT_TEST_PENDING, (test) => {
      result.skipped++
      say(`    skipped: ${test.fullTitle()}`)
    })
    runner.on(EVENT_TEST_FAIL, (test) => {
      result.failed++
      mocha.reporters.Base.list([test])
      spokeMs = Date.now()
    })
    runner.once(EVENT_RUN_END, () => {
      delete result.running
      save()
    })
  }
}
