// Suites of the repository on another kernel: Debian's, with nft's `queue` statement in place of the xt target. They run as
// they are, but with much more time, as programs are slow there.
import assert from 'node:assert/strict'
import type { Machine } from './machine.ts'
import type { Made } from './made.ts'
import { makeMachine } from './made.ts'

const SUITES = (
  process.env.HOMESPIN_VM_SUITES ??
  'test/native/nft-queue.test.ts test/native/queue/dns-gate.test.ts test/native/queue/dns-gate-sets.test.ts test/native/queue/dns-gate-alone.test.ts test/native/queue/first-packets.test.ts test/agent/enforce/ruleset.test.ts test/lab/levels.test.ts test/lab/offload.test.ts'
).split(' ')
const SUITE_MS = 1_200_000

/** Figures that mean nothing where programs run ten times slower. */
const NOT_HERE = 'while JavaScript is busy|adds less than'

describe('vm: suites on a kernel with nft queue', function () {
  this.timeout(SUITE_MS + 60_000)
  let made: Made | undefined
  let machine: Machine

  before(async function () {
    made = await makeMachine(this)
    machine = made.machine
    // The home around the router is of no use here.
    await machine.succeed(
      'systemctl stop lab-wires.service; modprobe br_netfilter; ls /tree/test > /dev/null',
    )
  })
  after(() => made?.remove())

  for (const suite of SUITES) {
    it(suite, async () => {
      const mocha = 'node node_modules/mocha/bin/mocha.js --reporter dot'
      const { code, output } = await machine.do(
        `cd /tree && CI=true timeout ${SUITE_MS / 1000} ${mocha} -i -g '${NOT_HERE}' ${suite}`,
        SUITE_MS + 30_000,
      )
      const summary = /\d+ passing[^\n]*/.exec(output)?.[0]
      console.log(`      ${summary ?? output.slice(-500)}`)
      assert.equal(code, 0, output.slice(0, 12_000))
    })
  }
})
