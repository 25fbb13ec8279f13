import assert from 'node:assert/strict'
import type { NftChange, NftFailure, NftFamily, NftTrial } from '../../native/nft.ts'
import { canMakeNamespaces } from './namespace.ts'
import { NftSpace } from './nft-space.ts'

const PORT = 5353
const QUEUE = 77

describe('native nftables: queue rules and probes', function () {
  this.timeout(30_000)
  let box = new NftSpace()
  let device = new NftSpace()

  before(function () {
    if (!canMakeNamespaces()) this.skip()
  })
  beforeEach(() => {
    box = new NftSpace()
    device = new NftSpace()
    box.start()
    device.start()
    box.ip(
      'link set lo up',
      'link add br0 type bridge',
      `link add p0 type veth peer name eth0 netns ${device.name}`,
      'link set p0 master br0',
      'link set p0 up',
      'link set br0 up',
      'addr add 192.0.2.1/24 dev br0',
    )
    device.ip('link set eth0 up', 'addr add 192.0.2.11/24 dev eth0')
  })
  afterEach(async () => {
    await box.stop()
    await device.stop()
  })

  const probe = (...trials: NftTrial[]): Promise<(NftFailure | null)[]> =>
    box.ask({ do: 'probe', trials })
  const apply = (...changes: NftChange[]): Promise<NftFailure | null> =>
    box.ask({ do: 'apply', changes })
  const rule = (family: NftFamily, way: 'nft' | 'xt', bypass = true): NftChange => ({
    do: 'queue',
    family,
    table: 'q',
    chain: 'c',
    queue: QUEUE,
    way,
    bypass,
  })

  /** A table with one base chain that a queue rule can be put into; ARP has to pass a bridge. */
  const makeChain = (family: string, hook: string): void => {
    const first = `${family === 'bridge' ? 'ether type != ip return; ' : ''}meta l4proto != udp return; udp dport != 5353 return`
    box.nft(`table ${family} q
delete table ${family} q
table ${family} q {
  chain c { type filter hook ${hook} priority 0; policy accept; ${first}
  }
}`)
  }

  /** How many of three datagrams arrive at the box, sent by itself or by the device. */
  const arrive = async (from: NftSpace, ip: string): Promise<number> => {
    const before = await box.ask<number>({ do: 'received', port: PORT })
    await from.ask({ do: 'send', ip, port: PORT })
    await new Promise((resolve) => setTimeout(resolve, 50))
    return (await box.ask<number>({ do: 'received', port: PORT })) - before
  }

  for (const way of ['nft', 'xt'] as const) {
    for (const [family, hook] of [
      ['inet', 'prerouting'],
      ['inet', 'postrouting'],
      ['inet', 'output'],
      ['bridge', 'prerouting'],
    ] as const) {
      it(`puts packets of ${family} ${hook} into a queue by ${way}, or says that this kernel can't`, async () => {
        const [lacking] = await probe({ what: `queue_${way}`, family })
        if (lacking) {
          makeChain(family, hook)
          assert.equal((await apply(rule(family, way)))?.code, lacking.code)
          console.log(`      not here: ${lacking.message}`)
          return
        }
        const from = family === 'bridge' ? device : box
        const ip = family === 'bridge' ? '192.0.2.1' : '127.0.0.1'
        await arrive(from, ip)
        makeChain(family, hook)
        assert.equal(await arrive(from, ip), 3)
        assert.equal(await apply(rule(family, way, false)), null)
        assert.equal(await arrive(from, ip), 0, 'nobody serves the queue')
        makeChain(family, hook)
        assert.equal(await apply(rule(family, way)), null)
        assert.equal(await arrive(from, ip), 3, 'bypass')
        await box.ask({ do: 'serve', queue: QUEUE })
        const before = await box.ask<number>({ do: 'served' })
        assert.equal(await arrive(from, ip), 3, 'served')
        assert.equal((await box.ask<number>({ do: 'served' })) - before, 3)
        await box.ask({ do: 'unserve' })
        assert.equal(await arrive(from, ip), 3, 'bypass again')
      })
    }
  }

  it('adds queue rules together with elements, all or nothing', async () => {
    box.nft('table inet q {\n chain c { }\n set s { type ipv4_addr; }\n}')
    const set = {
      family: 'inet' as const,
      table: 'q',
      name: 's',
      key: 'ipv4_addr',
      interval: false,
      timeout: false,
    }
    const [noNft] = await probe({ what: 'queue_nft', family: 'inet' })
    const way = noNft ? 'xt' : 'nft'
    const element: NftChange = { do: 'add', set, key: '192.0.2.1' }
    const wrong = await apply(element, {
      ...(rule('inet', way) as object),
      chain: 'no',
    } as NftChange)
    assert.equal(wrong?.code, 'ENOENT')
    assert.equal(wrong?.index, 1)
    assert.ok(!box.run('nft', ['list', 'table', 'inet', 'q']).includes('192.0.2.1'))
    assert.equal(await apply(element, rule('inet', way)), null)
    const listed = box.run('nft', ['list', 'table', 'inet', 'q'])
    assert.match(listed, /192\.0\.2\.1/)
    // The statement, as nft lists it since and before 1.1; the target as nft itself would write it, or by name.
    assert.match(
      listed,
      way === 'nft' ? /queue (flags bypass to|num) 77/ : /queue num 77 bypass|NFQUEUE/,
    )
  })

  it('probes without leaving or showing anything', async () => {
    const generation = await box.ask<number>({ do: 'generation' })
    await box.ask({ do: 'watch' })
    const [tables, bridge, conntrack, egress] = await probe(
      { what: 'tables' },
      { what: 'bridge' },
      { what: 'bridge_conntrack' },
      { what: 'egress', interface: 'br0' },
      { what: 'queue_xt', family: 'inet' },
    )
    assert.equal(tables, null)
    assert.equal(bridge, null)
    for (const [text, lacking] of [
      [
        'table bridge p {\n chain c { type filter hook prerouting priority 0; ct state new; }\n}',
        conntrack,
      ],
      ['table netdev p {\n chain c { type filter hook egress device br0 priority 0; }\n}', egress],
    ] as const) {
      if (lacking) assert.throws(() => box.nft(text), lacking.message)
      else box.nft(`${text}\n${text.split(' {')[0]?.replace('table', 'delete table')}`)
      if (lacking) assert.match(lacking.message, /^this kernel /)
    }
    const after = await box.ask<number>({ do: 'generation' })
    assert.ok(after - generation <= 4, 'one table for the queue, and what nft itself did')
    assert.equal(box.run('nft', ['list', 'ruleset']), '')
  })
})
