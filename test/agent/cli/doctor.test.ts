// What doctor says of the kernel, of the real program in a namespace of its own.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Finding } from '../../../agent/cli/finding.ts'
import { Namespaces } from '../../lab/namespaces.ts'
import { requires, run, succeed } from '../../lab/process.ts'
import { homespin, PROGRAM } from './program.ts'

describe('doctor', function () {
  this.timeout(30_000)
  const spaces = new Namespaces()
  let data: string

  before(async function () {
    requires(this, 'root', 'ip', 'nft')
    data = mkdtempSync(join(tmpdir(), 'homespin-doctor-'))
    await spaces.make(['box'])
    await spaces.ip('box', ['link add lan0 type veth peer name lan1', 'link set lan0 up'])
  })
  after(async () => {
    await spaces.remove()
    if (data !== undefined) rmSync(data, { recursive: true, force: true })
  })

  it('says how packets are put to user space, and leaves no table behind', async () => {
    const words = [PROGRAM, 'doctor', '--json', '--interface', 'lan0', '--data', data]
    const text = await succeed('ip', spaces.exec('box', process.execPath, ...words))
    const findings = new Map(
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Finding)
        .map((finding) => [finding.what, finding]),
    )
    assert.equal(findings.get('nftables')?.state, 'ok')
    const queue = findings.get('queue (NFQUEUE)')
    console.log(`      queue: ${queue?.reason}`)
    assert.equal(queue?.state, 'ok')
    assert.match(queue.reason, /^by (nft's queue statement|the xt target, as this kernel has no)/)
    assert.ok(findings.has('netdev egress on lan0'))
    assert.ok(findings.has('bridges'))
    assert.equal(await succeed('ip', spaces.exec('box', 'nft', 'list', 'ruleset')), '')
  })

  it('finds nothing well with an interface that is not there, and makes no data folder', async () => {
    const absent = join(data, 'made', 'later')
    const words = [PROGRAM, 'doctor', '--json', '--interface', 'lan7', '--data', absent]
    const { stdout } = await run('ip', spaces.exec('box', process.execPath, ...words))
    const found = (what: string): Finding | undefined =>
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Finding)
        .find((finding) => finding.what === what)
    assert.equal(found('capture on lan7')?.state, 'missing')
    assert.equal(found('netdev egress on lan7')?.state, 'note')
    assert.match(found('netdev egress on lan7')?.reason ?? '', /there is no interface lan7/)
    assert.match(found('data directory')?.reason ?? '', /can be made/)
    assert.deepEqual(readdirSync(data), [])
  })

  it('and start end with a sentence where no folder can be made', async () => {
    for (const command of ['doctor', 'start']) {
      const argv = [command, '--mode', 'demo', '--http', 'off', '--data', '/proc/homespin/data']
      const flags = command === 'doctor' ? ['doctor', '--data', '/proc/homespin/data'] : argv
      const { code, out, err } = await homespin(flags)
      assert.equal(code, 1)
      assert.match(`${out}${err}`, /\/proc\/homespin\/data can't be used: .*\. Name another/)
    }
  })
})
