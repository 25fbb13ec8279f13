// The import borders of the repository hold only as long as the linter reports them.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '../..')

interface Case {
  /** Where the file stands. */
  path: string
  /** One line that must be reported, or must not. */
  line: string
  /** What the report says; absent: nothing is reported. */
  says?: RegExp
}

const use = (name: string, from: string): string =>
  `import { ${name} } from '${from}'\nexport const used = ${name}`

const cases: Case[] = [
  { path: 'protocol/a.ts', line: "export * as fs from 'node:fs'", says: /imports nothing/ },
  { path: 'protocol/b.ts', line: "export { mqtt } from 'mqtt'", says: /imports nothing/ },
  { path: 'protocol/c.ts', line: "export { q } from '../agent/q.ts'", says: /imports nothing/ },
  { path: 'protocol/d.ts', line: "export type { Flow } from './messages.ts'" },

  { path: 'nodes/a.ts', line: "export { q } from '../agent/q.ts'", says: /never agent/ },
  { path: 'nodes/b.ts', line: "export type { C } from '../native/index.ts'", says: /never agent/ },
  { path: 'nodes/c.ts', line: "export type { C } from '@homespin/native'", says: /never agent/ },
  { path: 'nodes/d.ts', line: "export { q } from 'mqtt'", says: /connection\.ts/ },
  { path: 'nodes/e.ts', line: "export { z } from 'zod'", says: /zod/ },
  { path: 'nodes/f.ts', line: use('topicsOf', '../protocol/topics.ts') },
  { path: 'nodes/connection.ts', line: use('connect', 'mqtt') },
  { path: 'nodes/sub/a.ts', line: "export { q } from '../../agent/q.ts'", says: /never agent/ },

  { path: 'panel/a.ts', line: "export { q } from '../agent/q.ts'", says: /never agent/ },
  { path: 'panel/src/b.ts', line: "export { q } from '../../native/q.ts'", says: /never agent/ },
  { path: 'panel/c.ts', line: "export { connect } from 'mqtt'", says: /over HTTP/ },
  { path: 'panel/d.ts', line: use('use', 'echarts/core') },

  { path: 'agent/a.ts', line: "export { q } from '../nodes/q.ts'", says: /Nothing imports/ },
  {
    path: 'agent/http/b.ts',
    line: "export { q } from '../../panel/q.ts'",
    says: /Nothing imports/,
  },
  { path: 'agent/mqtt/c.ts', line: "export { connect } from 'mqtt'", says: /mqtt-link\.ts/ },
  { path: 'agent/mqtt/mqtt-link.ts', line: use('connect', 'mqtt') },
  { path: 'agent/d.ts', line: use('z', 'zod') },

  { path: 'agent/e.ts', line: "export { q } from '../native/index.ts'", says: /loads native/ },
  { path: 'agent/f.ts', line: "export { q } from '@homespin/native'", says: /loads native/ },
  { path: 'agent/x/g.ts', line: "import '../../native/index.ts'", says: /loads native/ },
  {
    path: 'agent/x/h.ts',
    line: "import {\n  q,\n} from '../../native/index.ts'\nq()",
    says: /loads/,
  },
  { path: 'agent/i.ts', line: "export const q = import('@homespin/native')", says: /loads native/ },
  { path: 'agent/j.ts', line: "export type { Capture } from '@homespin/native'" },
  {
    path: 'agent/k.ts',
    line: "import type { C } from '../native/index.ts'\nexport const c: C = 1",
  },
  { path: 'agent/l.ts', line: use('FLOW', '../native/layout.ts') },
  { path: 'agent/agent.ts', line: "export { q } from '@homespin/native'", says: /loads native/ },
  { path: 'agent/addon.ts', line: use('q', '@homespin/native') },

  { path: 'native/a.ts', line: "export { q } from '../agent/q.ts'", says: /no other part/ },
  { path: 'native/b.ts', line: "export { z } from 'zod'", says: /zod/ },
  { path: 'scripts/a.ts', line: "export { q } from '../panel/q.ts'", says: /Nothing imports/ },

  {
    path: 'agent/m/one.ts',
    line: "import { b } from './two.ts'\nexport const a = () => b",
    says: /cycle/,
  },
  {
    path: 'agent/m/two.ts',
    line: "import { a } from './one.ts'\nexport const b = () => a",
    says: /cycle/,
  },
  { path: 'agent/n.ts', line: 'export enum E {\n  A,\n}', says: /enum/ },
  {
    path: 'agent/o.ts',
    line: 'export class A {\n  constructor(readonly b: number) {}\n}',
    says: /parameter propert/i,
  },
  { path: 'agent/p.ts', line: 'export const f = async () => 1\nf()', says: /[Pp]romise/ },
  { path: 'agent/q.ts', line: 'export default 1', says: /default/i },
  { path: 'agent/r.ts', line: `export const a = [\n${'  1,\n'.repeat(400)}]`, says: /400/ },
  { path: 'nodes/homespin-x.ts', line: 'export default 1' },

  { path: 'panel/h.ts', line: "document.body.innerHTML = 'a'", says: /hostile/ },
  { path: 'panel/i.ts', line: "document.body.innerHTML += 'a'", says: /hostile/ },
  { path: 'panel/j.ts', line: "document.body.outerHTML = 'a'", says: /hostile/ },
  {
    path: 'panel/k.ts',
    line: "document.body.insertAdjacentHTML('beforeend', 'a')",
    says: /hostile/,
  },
  { path: 'panel/l.ts', line: "document.write('a')", says: /hostile/ },
  {
    path: 'panel/m.ts',
    line: "declare const unsafeHTML: (t: string) => void\nunsafeHTML('a')",
    says: /hostile/,
  },
  { path: 'panel/n.ts', line: "document.body.textContent = 'a'" },
  { path: 'panel/o.ts', line: "eval('1')", says: /eval/ },
]

interface Report {
  diagnostics: { severity: string; message: string; location: { path: string } }[]
}

describe('the linter', function () {
  this.timeout(60_000)
  let folder = ''
  let report: Report = { diagnostics: [] }

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-borders-'))
    for (const path of ['biome.json', 'scripts/lint'])
      cpSync(join(root, path), join(folder, path), { recursive: true })
    for (const { path, line } of cases) {
      mkdirSync(join(folder, dirname(path)), { recursive: true })
      writeFileSync(join(folder, path), `${line}\n`)
    }
    const biome = join(root, 'node_modules/.bin/biome')
    const args = ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none', '.']
    const run = spawnSync(biome, args, { cwd: folder, encoding: 'utf8', timeout: 50_000 })
    assert.ok(run.stdout.startsWith('{'), run.stderr)
    report = JSON.parse(run.stdout) as Report
  })

  after(() => rmSync(folder, { recursive: true, force: true }))

  for (const { path, line, says } of cases) {
    it(`${says ? 'reports' : 'allows'} in ${path}: ${line.split('\n', 1)[0]}`, () => {
      const said = report.diagnostics
        .filter((each) => each.severity === 'error' && each.location.path.endsWith(path))
        .map((each) => each.message)
      if (says)
        assert.ok(
          said.some((each) => says.test(each)),
          `it said: ${said.join('; ') || 'nothing'}`,
        )
      else assert.deepEqual(said, [])
    })
  }
})
