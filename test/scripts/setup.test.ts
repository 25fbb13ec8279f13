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
    stand('node', 'v16.20.2')
    stand('npm', '8.19.4')
    assert.match(
      setUp(),
      /Node 18 or later and npm 9 or later .*; here are Node 16\.20\.2 and npm 8/,
    )
    stand('node', 'v18.20.4')
    assert.match(setUp(), /here are Node 18\.20\.4 and npm 8\.19\.4/)
  })
})
