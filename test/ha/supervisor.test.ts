// The app held against the Supervisor's own code (test/ha-addon/with-supervisor.py), by the Python of the Core that tests have:
// it is as new as the Supervisor's. For who has a checkout of home-assistant/supervisor in .cache/supervisor, or in the folder
// that HOMESPIN_SUPERVISOR names; its packages are installed beside it, once.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../lab/process.ts'
import { requiresCore } from './core.ts'
import { CORE_PATH, coreRoot, pipEnvironment } from './core-make.ts'

const ROOT = join(import.meta.dirname, '../..')
const SOURCE = process.env.HOMESPIN_SUPERVISOR ?? join(ROOT, '.cache/supervisor')
const PACKAGES = join(ROOT, '.cache/supervisor-packages')
const INSTALL_MS = 900_000

/** In a mount namespace of its own, with this checkout, the Supervisor's and its packages below /tmp. */
const INSIDE = `set -e
root=$1 path=$2; shift 2
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs tmpfs "$root/tmp"
for name in tree source packages; do
  mkdir "$root/tmp/$name"
  mount --bind "$1" "$root/tmp/$name"
  shift
done
mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
for each in proc dev; do mount --rbind "/$each" "$root/$each"; done
exec chroot "$root" env PATH="$path" HOME=/tmp LANG=C.UTF-8 PYTHONPATH=/tmp/packages GIT_PYTHON_REFRESH=quiet "$@"`

async function inside(...command: string[]): Promise<string> {
  const places = [coreRoot(), CORE_PATH, ROOT, SOURCE, PACKAGES]
  const args = ['--mount', 'sh', '-c', INSIDE, 'inside', ...places, ...command]
  const env = { ...process.env, ...(await pipEnvironment()) }
  const { code, stdout, stderr } = await run('unshare', args, { env, timeoutMs: INSTALL_MS })
  assert.equal(code, 0, `${command.join(' ')}: ${stdout}${stderr}`.slice(-3000))
  return stdout
}

describe("the Supervisor's own code", function () {
  this.timeout(INSTALL_MS + 120_000)

  before(async function () {
    requiresCore(this)
    if (!existsSync(join(SOURCE, 'requirements.txt'))) {
      const why = `no checkout of home-assistant/supervisor in ${SOURCE}`
      if (process.env.HOMESPIN_SUPERVISOR !== undefined) throw new Error(why)
      console.error(`      skipped, ${why}`)
      this.skip()
    }
    const wanted = readFileSync(join(SOURCE, 'requirements.txt'))
    const stamp = createHash('sha256').update(wanted).digest('hex')
    const file = join(PACKAGES, 'stamp')
    if (existsSync(file) && readFileSync(file, 'utf8') === stamp) return
    rmSync(PACKAGES, { recursive: true, force: true })
    mkdirSync(PACKAGES, { recursive: true })
    const quiet = ['--progress-bar=off', '--root-user-action=ignore', '--disable-pip-version-check']
    const from = ['--target', '/tmp/packages', '-r', '/tmp/source/requirements.txt']
    await inside('python3', '-m', 'pip', 'install', ...quiet, ...from)
    writeFileSync(file, stamp)
  })

  it('has nothing to say of the app, and rates it 6', async () => {
    const checker = '/tmp/tree/test/ha-addon/with-supervisor.py'
    const said = await inside('python3', '-B', checker, '/tmp/source')
    console.log(`      ${said.trim()}`)
    assert.match(said, /nothing to say; security rating 6/)
  })
})
