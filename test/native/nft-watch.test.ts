import assert from 'node:assert/strict'
import type { NftNews } from '../../native/nft.ts'
import { canMakeNamespaces } from './namespace.ts'
import { NftSpace, setOf } from './nft-space.ts'

describe('native nftables: what others change', function () {
  this.timeout(30_000)
  let space = new NftSpace()

  before(function () {
    if (!canMakeNamespaces()) this.skip()
  })
  beforeEach(() => {
    space = new NftSpace()
    space.start()
  })
  afterEach(() => space.stop())

  const pair = setOf('pair', 'ipv4_addr', { timeout: true })
  const TABLE = 'table inet t {\n set pair { type ipv4_addr; flags timeout; }\n}'
  const news = (): Promise<NftNews[]> => space.ask({ do: 'news' })
  const until = async (wanted: (news: NftNews[]) => boolean): Promise<NftNews[]> => {
    const end = performance.now() + 5000
    for (;;) {
      const all = await news()
      if (wanted(all)) return all
      if (performance.now() > end) throw new Error(`not in time: ${JSON.stringify(all)}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  const total = (all: NftNews[]): number => all.reduce((sum, { count }) => sum + count, 0)

  it('tells who made each new generation, and which are our own', async () => {
    await space.ask({ do: 'watch' })
    space.nft(TABLE)
    const [first] = await until((all) => all.length === 1)
    const generation = await space.ask<number>({ do: 'generation' })
    assert.equal(first?.generation, generation)
    assert.equal(first?.count, 1)
    assert.equal(first?.missed, false)
    const [nft] = first?.authors ?? []
    assert.equal(nft?.name, 'nft')
    assert.ok(nft && nft.port > 0 && nft.pid > 0)
    await space.ask({ do: 'apply', changes: [{ do: 'add', set: pair, key: '192.0.2.1' }] })
    const [, own] = await until((all) => total(all) === 2)
    assert.deepEqual(
      own?.authors.map(({ port }) => port),
      [await space.ask<number>({ do: 'port' })],
    )
    assert.notEqual(own?.authors[0]?.port, nft.port)
  })

  it('gathers a flood of changes', async () => {
    space.nft(TABLE)
    await space.ask({ do: 'watch' })
    const begin = performance.now()
    await space.ask({ do: 'time', set: pair, key: '#', rounds: 1500 })
    const ms = performance.now() - begin
    const all = await until((all) => total(all) === 1500)
    assert.ok(all.length <= ms / 20 + 3, `${all.length} calls in ${ms} ms`)
    assert.equal(all.at(-1)?.generation, await space.ask({ do: 'generation' }))
    assert.ok(all.every(({ missed }) => !missed))
  })

  it('hears of a transaction of 50 000 elements as one', async () => {
    space.nft(TABLE)
    await space.ask({ do: 'watch' })
    await space.ask({ do: 'many', set: pair, what: 'add', key: '#', count: 50_000 })
    const all = await until((all) => all.length > 0)
    assert.equal(total(all), 1)
    assert.equal(all[0]?.missed, false)
  })

  it('says that it missed some when it could not keep up', async () => {
    space.nft(TABLE)
    await space.ask({ do: 'watch' })
    const blocked = space.ask({ do: 'block', ms: 1500 })
    const lines = Array.from({ length: 3000 }, () => 'add table inet x\ndelete table inet x')
    // Each on its own is a transaction.
    space.run('sh', ['-c', 'nft -i >/dev/null'], `${lines.join('\n')}\nquit\n`)
    await blocked
    const all = await until((all) => all.some(({ missed }) => missed))
    assert.ok(total(all) < 6000)
    // It goes on.
    await space.ask({ do: 'apply', changes: [{ do: 'add', set: pair, key: '192.0.2.1' }] })
    const generation = await space.ask<number>({ do: 'generation' })
    await until((all) => all.at(-1)?.generation === generation)
  })
})
