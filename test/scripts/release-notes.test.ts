import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { notesOf } from '../../scripts/release-notes.ts'

const ROOT = join(import.meta.dirname, '../..')

describe('the notes of a release', () => {
  it('are the section of its version, and nothing where there is none', () => {
    const log = '# Changelog\n\n## [1.1.0] - x\n\n### Added\n- b\n\n## [1.0.0] - y\n- a\n'
    assert.equal(notesOf(log, '1.1.0'), '### Added\n- b')
    assert.equal(notesOf(log, '1.0.0'), '- a')
    assert.equal(notesOf(log, '1.0'), undefined)
    assert.equal(notesOf(log, '2.0.0'), undefined)
  })

  it('are there for the version that comes next', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      version: string
    }
    const notes = notesOf(readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8'), version)
    assert.ok((notes ?? '').length > 100)
  })
})
