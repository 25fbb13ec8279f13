// The app's image in its AppArmor profile, enforced by a kernel that has AppArmor: test/image/confined.test.ts, run there.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { buildImage, whyNoImage } from '../image/container.ts'
import type { Made } from './made.ts'
import { makeMachine } from './made.ts'

const SUITE = 'test/image/confined.test.ts'
const SUITE_MS = 1_200_000
/** What an agent does not read, and would take long to bring into the machine. */
const NOT_READ = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/locale',
  'usr/local/include',
  'usr/local/lib/node_modules',
]

describe('vm: the app in its profile', function () {
  this.timeout(SUITE_MS + 1_500_000)
  let made: Made | undefined

  before(async function () {
    const why = whyNoImage()
    if (why !== undefined) {
      if (process.env.CI === 'true') throw new Error(why)
      console.error(`      skipped, ${why}`)
      this.skip()
    }
    const { rootfs } = await buildImage()
    made = await makeMachine(this, (share) => {
      const without = NOT_READ.map((path) => `--exclude=./${path}/*`)
      execFileSync('tar', ['-C', rootfs, '-cf', join(share, 'rootfs.tar'), ...without, '.'])
      for (const name of ['config', 'sizes'])
        copyFileSync(join(rootfs, '..', name), join(share, name))
    })
    await made.machine.succeed(
      `systemctl stop lab-wires.service; set -e; modprobe br_netfilter; mkdir -p /srv/image/rootfs
       cp /share/config /share/sizes /srv/image; tar -C /srv/image/rootfs -xf /share/rootfs.tar`,
      600_000,
    )
  })
  after(() => made?.remove())

  it('is refused nothing that it does, and everything else', async () => {
    assert.ok(existsSync(join(import.meta.dirname, '../..', SUITE)))
    const mocha = 'node node_modules/mocha/bin/mocha.js --reporter spec'
    const { code, output } = await made!.machine.do(
      `cd /tree && HOMESPIN_IMAGE=/srv/image HOMESPIN_CONFINED=1 CI=true timeout ${SUITE_MS / 1000} ${mocha} ${SUITE}; code=$?; dmesg | grep -i apparmor | tail -40 | cut -c1-300; exit $code`,
      SUITE_MS + 30_000,
    )
    console.log(output.replace(/^/gm, '      '))
    assert.equal(code, 0)
    assert.match(output, /\d+ passing/)
    assert.doesNotMatch(output, /\d+ (?:pending|failing)/)
  })
})
