import assert from 'node:assert/strict'
import { join } from 'node:path'
import { Namespaces } from '../../lab/namespaces.ts'
import { requires, succeed } from '../../lab/process.ts'

const TABLE = `table inet t {
  set small { type ether_addr; size 5; }
  set ranges { type ipv4_addr . inet_service; flags interval; }
}
`

describe('elements that the kernel refuses', function () {
  this.timeout(20_000)
  const spaces = new Namespaces()

  before(function () {
    requires(this, 'root', 'ip', 'nft')
  })
  beforeEach(() => spaces.make(['box']))
  afterEach(() => spaces.remove())

  // The program does not say which element it was; the native kernel does.
  for (const kernel of ['program', 'local']) {
    it(`stay out alone (${kernel}): a full set, a range that overlaps`, async () => {
      await succeed('ip', spaces.exec('box', 'nft', '-f', '-'), { input: TABLE })
      const file = join(import.meta.dirname, 'isolate-process.ts')
      const out = await succeed('ip', spaces.exec('box', process.execPath, file, kernel))
      const refused = JSON.parse(out) as { set: string; key: string; why: string }[]
      const full = refused.filter(({ set }) => set === 'inet t small')
      assert.equal(full.length, 2, out)
      for (const { why } of full) assert.match(why, /full .*release/)
      const overlapping = refused.filter(({ set }) => set === 'inet t ranges')
      assert.equal(overlapping.length, 1, out)
      assert.match(overlapping[0]?.why ?? '', /overlaps/)
      const list = await succeed('ip', spaces.exec('box', 'nft', '-j', 'list', 'sets'))
      const sets = (
        JSON.parse(list) as { nftables: { set?: { name: string; elem?: unknown[] } }[] }
      ).nftables
      assert.equal(sets.find(({ set }) => set?.name === 'small')?.set?.elem?.length, 5)
      assert.equal(sets.find(({ set }) => set?.name === 'ranges')?.set?.elem?.length, 2)
    })
  }
})
