import assert from 'node:assert/strict'
import type {
  ElementChange,
  ElementNow,
  KernelError,
  TableId,
} from '../../../agent/enforce/kernel/kernel.ts'
import type { SetSpec } from '../../../agent/enforce/tables/sets.ts'
import { canMakeNamespaces } from '../../native/namespace.ts'
import { hasSshd, KernelSpace } from './kernel-space.ts'

const set = (name: string, key: string, what: Partial<SetSpec> = {}): SetSpec => ({
  family: 'inet',
  table: 't',
  name,
  key,
  interval: false,
  timeout: false,
  counter: false,
  dynamic: false,
  ...what,
})
const MACS = set('macs', 'ether_addr', { counter: true })
const PAIRS = set('pairs', 'ether_addr . ipv4_addr . inet_proto . inet_service', { timeout: true })
const NETS = set('nets', 'ipv6_addr', { interval: true, timeout: true })
const CROSS = set('cross', 'ether_addr . ipv4_addr', { interval: true })
const SETS = [MACS, PAIRS, NETS, CROSS]
const TABLE = `table inet t
delete table inet t
table inet t {
  set macs { type ether_addr; size 4; counter; }
  set pairs { type ether_addr . ipv4_addr . inet_proto . inet_service; flags timeout; }
  set nets { type ipv6_addr; flags interval,timeout; }
  set cross { type ether_addr . ipv4_addr; flags interval; }
  chain c { type filter hook prerouting priority -300; ether saddr @macs drop; }
}
`
const MAC = '02:0d:e0:00:00:01'
const KEYS: readonly [SetSpec, string[]][] = [
  [MACS, [MAC, '02:0d:e0:00:00:02']],
  [PAIRS, [`${MAC} . 192.0.2.9 . tcp . 443`, `${MAC} . 192.0.2.9 . 47 . 0`]],
  [NETS, ['2001:db8::/48', 'fe80::1-fe80::9']],
  [CROSS, [`${MAC} . 192.0.2.0/25`, `${MAC} . 198.51.100.1-198.51.100.9`]],
]

const code =
  (wanted: string, index?: number) =>
  (error: KernelError): boolean => {
    assert.equal(error.name, 'KernelError', error.message)
    assert.equal(error.code, wanted, error.message)
    if (index !== undefined) assert.equal(error.index, index)
    assert.notEqual(error.message, '')
    return true
  }

for (const where of ['local', 'remote'] as const) {
  describe(`enforce: ${where} kernel`, function () {
    this.timeout(30_000)
    let home = new KernelSpace()
    let space = ''

    before(function () {
      if (!canMakeNamespaces() || (where === 'remote' && !hasSshd())) this.skip()
    })
    beforeEach(async () => {
      home = new KernelSpace()
      home.start()
      space = where === 'local' ? home.agent : home.router
      if (where === 'remote') {
        const remote = home.prepareSsh()
        await home.startSshd()
        await home.ask({ do: 'make', remote })
      } else {
        await home.ask({ do: 'make' })
      }
      await home.ask({ do: 'start' })
    })
    afterEach(() => home.stop())

    const changes = (what: 'add' | 'delete', all = KEYS): ElementChange[] =>
      all.flatMap(([of, keys]) => keys.map((key): ElementChange => ({ do: what, set: of, key })))
    const elements = (of: SetSpec): Promise<Record<string, ElementNow>> =>
      home.ask({ do: 'elements', set: of })
    const keys = async (of: SetSpec): Promise<string[]> => Object.keys(await elements(of)).sort()

    it('replaces a ruleset, or leaves it as it was', async () => {
      await home.ask({ do: 'replace', text: TABLE })
      await home.ask({ do: 'change', changes: changes('add') })
      const before = home.list(space)
      await assert.rejects(home.ask({ do: 'replace', text: `${TABLE}table x {` }), code('EINVAL'))
      await assert.rejects(
        home.ask({ do: 'replace', text: `${TABLE}add rule inet no c drop\n` }),
        code('ENOENT'),
      )
      assert.equal(home.list(space), before)
      await home.ask({ do: 'replace', text: TABLE })
      assert.deepEqual(await keys(MACS), [])
      console.log(`      a ruleset in ${home.ms.toFixed(1)} ms`)
    })

    it('adds, times and takes out elements of every kind of set', async () => {
      await home.ask({ do: 'replace', text: TABLE })
      await home.ask({ do: 'change', changes: changes('add') })
      console.log(`      ${changes('add').length} elements in ${home.ms.toFixed(1)} ms`)
      for (const [of, all] of KEYS) assert.deepEqual(await keys(of), [...all].sort(), of.name)
      await home.ask({ do: 'change', changes: changes('add') })
      for (const [of, all] of KEYS) assert.deepEqual(await keys(of), [...all].sort(), of.name)
      for (const [of, all] of KEYS.filter(([{ timeout }]) => timeout)) {
        const key = all[0] as string
        for (const timeoutMs of [60_000, 3_600_000]) {
          await home.ask({ do: 'change', changes: [{ do: 'add', set: of, key, timeoutMs }] })
          const left = (await elements(of))[key]?.remainingMs ?? 0
          assert.ok(left <= timeoutMs && left > timeoutMs - 5000, `${of.name}: ${left}`)
        }
      }
      // Parts of ranges are not the ranges.
      const parts: ElementChange[] = [
        { do: 'delete', set: NETS, key: '2001:db8::/64' },
        { do: 'delete', set: CROSS, key: `${MAC} . 192.0.2.0/26` },
      ]
      await home.ask({ do: 'change', changes: parts })
      for (const [of, all] of KEYS) assert.deepEqual(await keys(of), [...all].sort(), of.name)
      await home.ask({ do: 'change', changes: [...changes('delete'), ...changes('delete')] })
      for (const of of SETS) assert.deepEqual(await keys(of), [])
    })

    it('says which change was refused, and has done none', async () => {
      await home.ask({ do: 'replace', text: TABLE })
      const many = Array.from(
        { length: 5 },
        (_, i): ElementChange => ({ do: 'add', set: MACS, key: `02:0d:e0:00:00:0${i}` }),
      )
      await assert.rejects(home.ask({ do: 'change', changes: many }), (error: KernelError) => {
        // nft makes one command of elements of one set, and says of none which it was.
        assert.equal(error.index, where === 'local' ? 4 : undefined)
        return code('ENFILE')(error)
      })
      assert.deepEqual(await keys(MACS), [])
      const gone = { ...MACS, table: 'gone' }
      await assert.rejects(
        home.ask({
          do: 'change',
          changes: [...changes('add'), { do: 'add', set: gone, key: MAC }],
        }),
        code('ENOENT', changes('add').length),
      )
      await assert.rejects(home.ask({ do: 'elements', set: gone }), code('ENOENT'))
      for (const wrong of [
        { do: 'add', set: MACS, key: `${MAC} }; flush ruleset; add element inet t macs { ${MAC}` },
        { do: 'add', set: { ...MACS, name: 'macs; flush ruleset' }, key: MAC },
        { do: 'add', set: MACS, key: MAC, timeoutMs: 5 },
      ] as ElementChange[]) {
        await assert.rejects(
          home.ask({ do: 'change', changes: [wrong] }),
          /^Error: (Type|Range)Error/,
        )
      }
      assert.deepEqual(await keys(MACS), [])
    })

    it('tells what others change, and not what itself did', async () => {
      // The news about the time before it listened.
      if (where === 'remote') await home.until(({ foreign }) => foreign.length > 0)
      const told = async (): Promise<number> => (await home.until(() => true)).foreign.length
      const before = await told()
      for (let i = 0; i < 5; i++) {
        await home.ask({ do: 'replace', text: TABLE })
        await home.ask({ do: 'change', changes: changes('add') })
        await home.ask({ do: 'change', changes: changes('delete') })
      }
      await new Promise((resolve) => setTimeout(resolve, 300))
      assert.equal(await told(), before)
      const tables: TableId[] = ['inet t', 'bridge t']
      const shape = await home.ask<Record<string, string>>({ do: 'shapes', tables })
      assert.deepEqual(Object.keys(shape), ['inet t'])
      home.nft(space, 'add table inet other')
      const begin = performance.now()
      const { foreign } = await home.until(({ foreign }) => foreign.length === before + 1)
      console.log(`      told within ${(performance.now() - begin).toFixed(0)} ms`)
      assert.deepEqual(
        foreign.at(-1)?.by.map(({ name }) => name),
        ['nft'],
      )
      await home.ask({ do: 'change', changes: changes('add') })
      assert.deepEqual(await home.ask({ do: 'shapes', tables }), shape)
      home.nft(space, 'flush chain inet t c')
      await home.until(({ foreign }) => foreign.length > before + 1)
      assert.notDeepEqual(await home.ask({ do: 'shapes', tables }), shape)
      home.nft(space, 'flush ruleset')
      await home.until(({ foreign }) => foreign.length > before + 2)
      assert.deepEqual(await home.ask({ do: 'shapes', tables }), {})
    })

    it('probes, and leaves nothing', async () => {
      const interfaceName = where === 'local' ? 'up0' : 'lan0'
      const probes = await home.ask<{
        tables: object
        bridge: object
        bridgeConntrack: { works: boolean; reason?: string }
        egress: Record<string, { works: boolean; reason?: string }>
        queue: Record<string, Record<string, { works: boolean; reason?: string }>>
      }>({ do: 'probe', interfaces: [interfaceName] })
      assert.deepEqual(probes.tables, { works: true })
      assert.deepEqual(Object.keys(probes.egress), [interfaceName])
      const all = [
        probes.bridgeConntrack,
        ...Object.values(probes.egress),
        ...Object.values(probes.queue).flatMap((each) => Object.values(each)),
      ]
      for (const { works, reason } of all) assert.equal(works, reason === undefined)
      if (where === 'remote') assert.match(probes.queue.inet?.nft?.reason ?? '', /over SSH/)
      assert.equal(home.list(space), '')
    })
  })
}
