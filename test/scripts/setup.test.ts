// What set-up says of a machine that can't do it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

describe('setup.sh', function () {
  this.timeout(60_000)
  let folder = ''

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-setup-'))
    for (const made of ['scripts', 'bin']) mkdirSync(join(folder, made))
    for (const name of ['scripts/setup.sh', 'package.json', 'package-lock.json'])
      copyFileSync(join(root, name), join(folder, name))
    // Nothing is installed of them here.
    for (const name of ['g++', 'make', 'python3', 'setpriv']) stand(name, '')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  function stand(name: string, says: string): void {
    const path = join(folder, 'bin', name)
    writeFileSync(path, `#!/bin/sh\necho '${says}'\n`)
    chmodSync(path, 0o755)
  }

  function setUp(): string {
    const env = { ...process.env, PATH: `${join(folder, 'bin')}:/usr/bin:/bin` }
    const script = join(folder, 'scripts/setup.sh')
    const { status, stdout, stderr } = spawnSync('bash', [script, 'start'], {
      env,
      encoding: 'utf8',
      timeout: 50_000,
    })
    assert.equal(status, 1, stdout)
    return stderr
  }

  it('names the Node and npm that it needs, and those that are there', () => {
    const cases: [node: string, npm: string][] = [
      ['v18.20.4', '9.2.0'],
      ['v20.18.3', '10.8.2'],
      ['v21.7.3', '10.5.0'],
      ['v22.11.0', '10.9.0'],
      ['v24.1.0', '9.9.4'],
      ['nonsense', '11.0.0'],
    ]
    for (const [node, npm] of cases) {
      stand('node', node)
      stand('npm', npm)
      const says = `here are Node ${node.replace('v', '')} and npm ${npm} `
      assert.ok(setUp().includes(says), `${node} ${npm}`)
    }
    stand('node', 'v20.19.0')
    stand('npm', '10.8.2')
    // That one is right, and does nothing.
    assert.doesNotMatch(setUp(), /here are/)
  })
})
