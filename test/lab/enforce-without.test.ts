// Where nothing can be enforced the agent starts all the same, says why, and takes no order.
import assert from 'node:assert/strict'
import type { Order } from '../../agent/enforce/contract.ts'
import { DEVICE, quarantined, SmallHome } from '../agent/enforce/small-home.ts'
import { requires, succeed } from './process.ts'

const FULL = quarantined({ level: 'full', ruleId: 'r1' })
const ORDER: Order = {
  action: 'quarantine',
  level: 'full',
  devices: [{ id: DEVICE.id, mac: DEVICE.mac, ips: [DEVICE.ip] }],
  everyone: false,
  newDevices: false,
}

describe('enforcement that can not be', function () {
  this.timeout(30_000)
  const home = new SmallHome()

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'setpriv', 'unshare')
    await home.start()
  })
  after(() => home.stop())

  async function refuses(
    through: string[],
    reason: RegExp,
    mode: 'gateway' | 'host' = 'gateway',
  ): Promise<void> {
    const enforcer = await home.enforcer({ mode }, through)
    const { failed } = await enforcer.apply(FULL)
    assert.match(failed.get('r1') ?? '', reason)
    const refusal = await enforcer.refusal(ORDER)
    assert.equal(refusal?.code, 'not_enforceable')
    assert.match(refusal.message, reason)
    assert.deepEqual(await enforcer.actual(), {})
    await enforcer.stop('keep')
  }

  it('for want of NET_ADMIN', () =>
    refuses(['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'], /NET_ADMIN/))

  it('for want of the program nft', () => {
    // It is looked for in these folders too, whatever PATH says.
    const hide = 'for f in /sbin /usr/sbin; do mount -t tmpfs none $f || exit; done'
    const without = ['unshare', '-m', 'sh', '-c', `${hide}; PATH=/nowhere exec "$@"`, 'sh']
    return refuses(without, /nft/)
  })

  it('in a mode that only looks on', () => refuses([], /Use mode gateway or bridge/, 'host'))

  it('where a table of our name is owned by another program', async () => {
    // With `flags owner` the kernel refuses others (EPERM), as long as the owner lives.
    const { Program } = await import('./process.ts')
    const owner = new Program('ip', home.spaces.exec('box', 'nft', '-i')).start()
    owner.send('add table inet homespin { flags owner; }')
    owner.send('list tables')
    await owner.until(/homespin/)
    try {
      await refuses([], /did not take the rules/)
    } finally {
      await owner.stop('SIGKILL')
    }
    assert.equal(
      (await succeed('ip', home.spaces.exec('box', 'nft', 'list', 'ruleset'))).trim(),
      '',
    )
  })
})
