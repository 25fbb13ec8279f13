import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DockerUser } from '../../../agent/enforce/kernel/docker-user.ts'
import type { Place } from '../../../agent/enforce/place/place.ts'
import { Namespaces } from '../../lab/namespaces.ts'
import { requires, run, succeed } from '../../lab/process.ts'

const PLACE: Place = {
  position: 'two_armed',
  interfaces: ['lan0'],
  ports: [],
  uplinks: ['wan0'],
  lan: [],
  own: [],
  infrastructure: [],
  controllers: [],
  features: { egress: true, bridge: true, bridgeConntrack: false, queue: undefined },
  queues: { dns: 1, first: 2 },
  masquerade: false,
}
const ONE_ARMED: Place = {
  ...PLACE,
  position: 'one_armed',
  interfaces: ['eth0'],
  uplinks: ['eth0'],
}

/** What Docker's daemon makes, as far as forwarding is concerned. */
const DOCKER = [
  ['-N', 'DOCKER'],
  ['-N', 'DOCKER-USER'],
  ['-N', 'DOCKER-FORWARD'],
  ['-A', 'FORWARD', '-j', 'DOCKER-USER'],
  ['-A', 'FORWARD', '-j', 'DOCKER-FORWARD'],
  ['-A', 'DOCKER-USER', '-s', '203.0.113.7/32', '-j', 'DROP'],
  ['-P', 'FORWARD', 'DROP'],
]

describe("Docker's FORWARD policy", function () {
  this.timeout(30_000)
  const spaces = new Namespaces()
  const inside = (program: string, ...args: string[]): Promise<string> =>
    succeed('ip', spaces.exec('box', program, ...args))
  // Files below /proc/net are those of the namespace that reads them.
  const docker = new DockerUser(
    (program, args) => inside(program, ...args),
    (path) => inside('cat', path).catch(() => ''),
  )
  const standing = (place: Place): { place: Place; key: string } => ({ place, key: '' })
  const all = async (): Promise<string> =>
    (await inside('nft', '-s', 'list', 'ruleset')) + (await legacyRules())

  async function legacyRules(): Promise<string> {
    const names = await inside('cat', '/proc/net/ip_tables_names').catch(() => '')
    return names.includes('filter') ? await inside('iptables-legacy', '-S') : ''
  }

  before(function () {
    requires(this, 'root', 'ip', 'nft', 'iptables-nft', 'iptables-legacy')
  })
  beforeEach(() => spaces.make(['box']))
  afterEach(() => spaces.remove())

  it('touches nothing where Docker is not, nor makes tables by looking', async () => {
    assert.equal(await docker.open(standing(PLACE)), undefined)
    assert.equal(await all(), '')
    assert.equal((await inside('cat', '/proc/net/ip_tables_names').catch(() => '')).trim(), '')
  })

  for (const program of ['iptables-nft', 'iptables-legacy', 'ip6tables-nft']) {
    it(`opens DOCKER-USER by ${program}, once, and takes its rules back`, async () => {
      const rules = program.startsWith('ip6')
        ? DOCKER.filter((rule) => !rule.includes('-s'))
        : DOCKER
      for (const rule of rules) await inside(program, '-w', '5', ...rule)
      const before = await all()
      assert.equal(await docker.open(standing(PLACE)), undefined)
      assert.equal(await docker.open(standing(PLACE)), undefined)
      const opened = (await inside(program, '-S', 'DOCKER-USER')).split('\n')
      const ours = opened.filter((line) => line.includes('--comment homespin'))
      assert.equal(ours.length, 2, opened.join('\n'))
      assert.ok(ours.some((line) => line.includes('-i lan0 -o wan0')))
      assert.ok(ours.some((line) => /-i wan0 -o lan0 .*RELATED,ESTABLISHED/.test(line)))
      // Another place: the rules of the first one go.
      assert.equal(await docker.open(standing(ONE_ARMED)), undefined)
      const moved = await inside(program, '-S', 'DOCKER-USER')
      assert.match(moved, /-i eth0 -o eth0 .*homespin/)
      assert.equal(moved.includes('lan0'), false)
      await docker.close()
      assert.equal(await all(), before)
    })

    it(`takes its rules back by ${program} also where Docker's policy has changed meanwhile`, async () => {
      const rules = DOCKER.filter((rule) => !rule.includes('-s'))
      for (const rule of rules) await inside(program, '-w', '5', ...rule)
      const marked = async (): Promise<boolean> =>
        (await inside(program, '-S', 'DOCKER-USER')).includes('homespin')
      const policy = (to: string): Promise<string> => inside(program, '-P', 'FORWARD', to)
      await docker.open(standing(PLACE))
      await policy('ACCEPT')
      assert.equal(await marked(), true)
      await docker.close()
      assert.equal(await marked(), false)
      // Nor does it keep them where nothing is dropped any more.
      await policy('DROP')
      await docker.open(standing(PLACE))
      await policy('ACCEPT')
      assert.equal(await docker.open(standing(PLACE)), undefined)
      assert.equal(await marked(), false)
    })
  }

  it("needs no iptables-legacy for somebody else's table, and says so where it may be Docker's", async () => {
    const lists = [{ chain: { family: 'inet', table: 'fw4', name: 'forward' } }]
    const without = (links: string): DockerUser =>
      new DockerUser(
        async (program) => {
          if (program === 'nft') return JSON.stringify({ nftables: lists })
          throw new Error(`${program}: it is not installed`)
        },
        async (path) => (path.endsWith('dev') ? links : path.includes('ip6') ? '' : 'filter\n'),
      )
    const dev = ' face |bytes\n    lo: 0 0\n  eth0: 0 0\n'
    assert.equal(await without(dev).open(standing(PLACE)), undefined)
    await without(dev).close()
    const withDocker = without(`${dev}docker0: 0 0\n`)
    assert.match((await withDocker.open(standing(PLACE))) ?? '', /iptables-legacy.*not installed/)
    await assert.rejects(withDocker.close(), /iptables-legacy/)
  })

  it('leaves no table of ours where a chain of Docker can not be read, and says what it leaves', async () => {
    await inside('nft', 'add table inet homespin')
    await inside('nft', 'add table ip filter')
    await inside('nft', 'add chain ip filter DOCKER-USER')
    // What iptables can't say makes the whole table unreadable for it.
    await inside('nft', 'add rule ip filter DOCKER-USER meta mark set numgen random mod 2')
    const remove = join(import.meta.dirname, '../../../packaging/remove-rules.ts')
    const { code, stderr } = await run('ip', spaces.exec('box', process.execPath, remove))
    assert.equal(code, 1)
    assert.match(stderr, /rules may be left: .*iptables-nft/)
    assert.equal((await inside('nft', 'list tables')).includes('homespin'), false)
  })

  it('opens a chain of native nftables', async () => {
    await inside('nft', 'add table inet docker')
    await inside('nft', 'add chain inet docker docker-user')
    await inside(
      'nft',
      'add chain inet docker forward { type filter hook forward priority 0; policy drop; }',
    )
    await inside('nft', 'add rule inet docker forward jump docker-user')
    const before = await all()
    assert.equal(await docker.open(standing(PLACE)), undefined)
    assert.equal(await docker.open(standing(PLACE)), undefined)
    const opened = await inside('nft', 'list chain inet docker docker-user')
    assert.equal(opened.match(/comment "homespin"/g)?.length, 2, opened)
    await docker.close()
    assert.equal(await all(), before)
  })

  it('says why not where Docker drops and keeps no chain for it; another firewall is its own', async () => {
    await inside('nft', 'add table inet fw4')
    await inside(
      'nft',
      'add chain inet fw4 forward { type filter hook forward priority 0; policy drop; }',
    )
    assert.equal(await docker.open(standing(PLACE)), undefined)
    for (const rule of [
      ['-N', 'DOCKER'],
      ['-P', 'FORWARD', 'DROP'],
    ])
      await inside('iptables-nft', ...rule)
    assert.match((await docker.open(standing(PLACE))) ?? '', /DOCKER-USER.*daemon\.json/)
    assert.equal(await docker.open(standing({ ...PLACE, position: 'bridge' })), undefined)
  })
})
