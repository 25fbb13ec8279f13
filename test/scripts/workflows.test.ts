// What GitHub does with a tag: nothing is published that was not tested, and nothing that publishes is of an unknown version.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

interface Job {
  needs?: string | string[]
  uses?: string
  steps?: { uses?: string; run?: string }[]
}

const FOLDER = join(import.meta.dirname, '../../.github/workflows')

function jobsOf(name: string): Record<string, Job> {
  return (parse(readFileSync(join(FOLDER, name), 'utf8')) as { jobs: Record<string, Job> }).jobs
}

/** All jobs that have to have ended well before one begins. */
function before(jobs: Record<string, Job>, name: string): Set<string> {
  const needs = [jobs[name]?.needs ?? []].flat()
  return new Set([...needs, ...needs.flatMap((each) => [...before(jobs, each)])])
}

describe('the workflow of a release', () => {
  const jobs = jobsOf('release.yml')

  it('publishes nothing before every test has passed', () => {
    assert.equal(jobs.test?.uses, './.github/workflows/test.yml')
    const text = readFileSync(join(FOLDER, 'test.yml'), 'utf8')
    assert.ok('workflow_call' in (parse(text) as { on: object }).on)
    for (const name of ['image', 'manifest', 'npm', 'release']) {
      assert.ok(before(jobs, name).has('test'), name)
    }
  })

  it('uses programs and actions of one version each', () => {
    for (const file of ['release.yml', 'test.yml']) {
      for (const { steps = [] } of Object.values(jobsOf(file))) {
        for (const { uses, run = '' } of steps) {
          if (uses !== undefined) assert.match(uses, /^\S+@[0-9a-f]{40}$/)
          for (const [, version = ''] of run.matchAll(/\bnpx (?:--yes )?[a-z-]+@(\S+)/g))
            assert.match(version, /^\d+\.\d+\.\d+$/, run)
        }
      }
    }
  })
})
