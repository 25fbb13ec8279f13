import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { noteRouter } from '../../../agent/router-note.ts'
import type { Result } from './program.ts'
import { homespin } from './program.ts'

const ROUTER = 'root@192.0.2.1'

/**
 * Stands for nft of a kernel that is a file: it has tables while that says so. `back`: an agent puts them back; `empty`: one
 * that holds nothing makes empty ones.
 */
const NFT = `#!/bin/sh
kernel="$FAKE/$KERNEL"
echo "$KERNEL nft $*" >> "$FAKE/calls"
case "$*" in
  "-f -") cat > /dev/null; case "$(cat "$kernel")" in back|empty) ;; *) echo gone > "$kernel" ;; esac ;;
  "-j list tables") if grep -q gone "$kernel"; then echo '{"nftables":[]}'; else
    echo '{"nftables":[{"table":{"family":"inet","name":"homespin"}},{"table":{"family":"ip","name":"other"}}]}'; fi ;;
  "-j list table inet homespin") if grep -q empty "$kernel"; then elem='[]'; else elem='["02:0d:e0:00:00:01"]'; fi
    echo '{"nftables":[{"set":{"name":"own4","elem":["192.0.2.1"]}},{"set":{"name":"from_mac_full","elem":'$elem'}}]}' ;;
  *) exit 1 ;;
esac
`

/** Stands for ssh: runs what it is told with the router's kernel, unless it can't be reached. */
const SSH = `#!/bin/sh
echo "ssh $*" >> "$FAKE/calls"
if [ -e "$FAKE/unreachable" ]; then echo "Connection refused" >&2; exit 255; fi
for last; do :; done
KERNEL=router
export KERNEL
eval "$last"
`

describe('homespin panic without an agent', function () {
  this.timeout(30_000)
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-panic-'))
    for (const [name, text] of [
      ['nft', NFT],
      ['ssh', SSH],
    ] as const) {
      writeFileSync(join(folder, name), text)
      chmodSync(join(folder, name), 0o755)
    }
    for (const kernel of ['box', 'router']) writeFileSync(join(folder, kernel), 'held\n')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const panic = (...more: string[]): Promise<Result> =>
    homespin(['panic', '--data', folder, ...more], {
      env: {
        PATH: `${folder}:${process.env.PATH}`,
        FAKE: folder,
        KERNEL: 'box',
      },
    })
  const kernel = (name: string): string => readFileSync(join(folder, name), 'utf8').trim()

  function configuration(): string {
    const file = join(folder, 'homespin.yaml')
    writeFileSync(file, `mode: remote\nremote:\n  host: ${ROUTER}\n  port: 2222\n`)
    return file
  }

  it('takes the tables of this box away, and looks whether they stay away', async () => {
    const { code, err } = await panic()
    assert.equal(code, 0, err)
    assert.match(err, /tables of this box were removed with nft/)
    assert.deepEqual([kernel('box'), kernel('router')], ['gone', 'held'])
    assert.ok(existsSync(join(folder, 'DISABLE')))
    const calls = readFileSync(join(folder, 'calls'), 'latin1')
    assert.match(calls, /(?:box nft -f -\n){3}box nft -j list tables/)
    assert.doesNotMatch(calls, /ssh/)
  })

  it('says so where another agent put them back, and not where an agent holds nothing', async () => {
    writeFileSync(join(folder, 'box'), 'back\n')
    const again = await panic('--json')
    assert.equal(again.code, 1)
    assert.equal(JSON.parse(again.out).released, false)
    assert.match(again.err, /table inet homespin is there again: another agent .*--data/)
    writeFileSync(join(folder, 'box'), 'empty\n')
    const empty = await panic('--json')
    assert.equal(empty.code, 0, empty.err)
    assert.equal(JSON.parse(empty.out).released, true)
  })

  it('in mode remote releases the router, by SSH', async () => {
    const { code, err } = await panic('--config', configuration())
    assert.equal(code, 0, err)
    assert.match(err, /tables of the router root@192\.0\.2\.1 were removed/)
    assert.deepEqual([kernel('box'), kernel('router')], ['held', 'gone'])
    assert.match(
      readFileSync(join(folder, 'calls'), 'latin1'),
      /ssh .*-p 2222 -- root@192\.0\.2\.1/,
    )
  })

  it('a router that can not be reached: fails, and names the command to run there', async () => {
    writeFileSync(join(folder, 'unreachable'), '')
    const { code, err } = await panic('--config', configuration())
    assert.equal(code, 1)
    assert.match(err, /router root@192\.0\.2\.1 may hold its rules: .*refused/)
    assert.match(
      err,
      /Run there: for f in inet netdev bridge; do nft delete table \$f homespin; done/,
    )
    assert.equal(kernel('router'), 'held')
  })

  it('finds the router without the configuration, where an agent with this folder acted on one', async () => {
    noteRouter(folder, { host: ROUTER, port: 2222 })
    assert.equal((await panic()).code, 0)
    assert.equal(kernel('router'), 'gone')
    noteRouter(folder, undefined)
    assert.match((await panic()).err, /of this box/)
    writeFileSync(join(folder, 'router.json'), '{"host":"-oProxyCommand=x"}')
    assert.match((await panic()).err, /of this box/)
  })
})
