// What is generated and committed must be what protocol/ says today.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathOf } from '../../agent/http/rest.ts'
import { catalogue } from '../../agent/methods/catalogue.ts'
import { documents, HTTP_ROWS } from '../../scripts/build-docs.ts'

const root = join(import.meta.dirname, '../..')

describe('the protocol reference', function () {
  this.timeout(240_000)

  it('is current; else run: node scripts/build-docs.ts', () => {
    const files = documents()
    for (const [path, text] of files)
      assert.ok(readFileSync(join(root, path), 'utf8') === text, `${path} is not current`)
    const there = readdirSync(join(root, 'docs/schema')).map((name) => `docs/schema/${name}`)
    assert.deepEqual(
      there.filter((path) => !files.has(path)),
      [],
    )
  })

  it('tells of every path that can be read', () => {
    const told = HTTP_ROWS.map(([request]) => request)
    const paths = catalogue()
      .filter(({ role }) => role === 'view')
      .map((method) => `GET ${pathOf(method).slice(1)}`)
    assert.deepEqual(
      paths.filter((path) => !told.includes(path)),
      [],
    )
  })
})
