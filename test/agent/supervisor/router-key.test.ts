// The key for a router, made where nobody has a shell; nothing is trusted that a person has not copied.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fingerprint, keyOf, prepareRouterKey } from '../../../agent/supervisor/router-key.ts'
import { makeFolder, removeFolder } from '../../lab/folders.ts'
import { requires, succeed } from '../../lab/process.ts'
import { recordingLog } from '../mqtt/listener.ts'

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKs'

describe('the key for a router', function () {
  this.timeout(60_000)
  let data = ''
  before(function () {
    requires(this, 'ssh-keygen', 'ssh-keyscan')
  })
  beforeEach(() => {
    data = makeFolder()
  })
  afterEach(() => removeFolder(data))

  async function prepare(hostKey: string | undefined): Promise<string[]> {
    const log = recordingLog()
    // Nobody listens there: what is asked of it stays on this machine.
    await prepareRouterKey({ folder: join(data, 'ssh'), host: 'root@127.0.0.77', hostKey, log })
    return log.lines
  }
  const read = (name: string): string => readFileSync(join(data, 'ssh', name), 'utf8')

  it('is made once, for this user alone, and shown', async () => {
    const lines = await prepare(`${KEY} root@router`)
    const own = read('id_ed25519.pub').trim()
    assert.ok(lines.some((line) => line.endsWith(`restrict ${own}`)))
    assert.equal(statSync(join(data, 'ssh/id_ed25519')).mode & 0o777, 0o600)
    assert.equal(read('known_hosts'), `127.0.0.77 ${KEY}\n`)
    await prepare(KEY)
    assert.equal(read('id_ed25519.pub').trim(), own)
  })

  it('is compared by the fingerprint that the router itself tells', async () => {
    for (const kind of ['ed25519', 'ecdsa', 'rsa']) {
      const file = join(data, kind)
      await succeed('ssh-keygen', ['-q', '-t', kind, '-N', '', '-f', file])
      const key = readFileSync(`${file}.pub`, 'utf8').trim()
      const told = await succeed('ssh-keygen', ['-lf', `${file}.pub`])
      assert.equal(told.split(' ')[1], fingerprint(key))
    }
  })

  it('of a router that has several is always the same one', () => {
    const rsa = `ssh-rsa ${'A'.repeat(300)}`
    const ecdsa = `ecdsa-sha2-nistp256 ${'A'.repeat(100)}`
    const said = (...keys: string[]): string =>
      ['# router:22 SSH-2.0-dropbear', ...keys.map((key) => `router ${key}`), ''].join('\n')
    assert.equal(keyOf(said(rsa, ecdsa, KEY)), KEY)
    assert.equal(keyOf(said(KEY, rsa, ecdsa)), KEY)
    assert.equal(keyOf(said(rsa, ecdsa)), ecdsa)
    assert.equal(keyOf(said(rsa)), rsa)
    assert.equal(keyOf(said('nonsense')), undefined)
  })

  it('opens nothing until the router’s own key was compared', async () => {
    const lines = await prepare(undefined)
    assert.equal(read('known_hosts'), '')
    assert.ok(lines.some((line) => /127\.0\.0\.77 does not answer by SSH/.test(line)))
    const wrong = await prepare('no key at all')
    assert.equal(read('known_hosts'), '')
    assert.ok(wrong.some((line) => /\(router_host_key\) is no key/.test(line)))
    assert.ok(existsSync(join(data, 'ssh/id_ed25519')))
  })
})
