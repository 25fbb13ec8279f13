import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NetlinkEvent } from '../../native/index.ts'
import { canMakeNamespaces, Namespace } from './namespace.ts'

describe('native netlink', function () {
  this.timeout(60_000)
  let space = new Namespace()

  before(function () {
    if (!canMakeNamespaces()) this.skip()
  })
  beforeEach(() => {
    space = new Namespace()
    space.start()
  })
  afterEach(() => space.stop())

  const seen = (events: object[] | undefined, wanted: Partial<NetlinkEvent>): boolean =>
    (events ?? []).some((event) =>
      Object.entries(wanted).every(
        ([key, value]) => (event as Record<string, unknown>)[key] === value,
      ),
    )

  it('tells all that is, then that it is synchronised, then every change', async () => {
    space.ip('link set lo up')
    space.ip('link add br0 address 02:0d:e0:ff:00:01 type bridge')
    space.ip('addr add 192.0.2.1/24 dev br0')
    space.ip('addr add 2001:db8:1::1/64 dev br0 nodad')
    space.ip('link set br0 up')
    const neighbours = { 7: 'reachable', 8: 'permanent', 9: 'stale', 10: 'delay', 11: 'probe' }
    for (const [host, state] of Object.entries(neighbours)) {
      space.ip(`neigh add 192.0.2.${host} lladdr 02:0d:e0:00:00:07 dev br0 nud ${state}`)
    }
    space.ip('route add default via 192.0.2.254')
    await space.ask({ do: 'netlink' })
    const { events } = await space.until(({ events }) => seen(events, { kind: 'synchronised' }))
    const at = events?.findIndex((event) => (event as NetlinkEvent).kind === 'synchronised') ?? 0
    const before = events?.slice(0, at)
    const br0 = before?.find(
      (event): event is Extract<NetlinkEvent, { kind: 'link' }> =>
        (event as NetlinkEvent).kind === 'link' && (event as { name: string }).name === 'br0',
    )
    assert.deepEqual(br0, {
      kind: 'link',
      index: br0?.index,
      name: 'br0',
      mac: '02:0d:e0:ff:00:01',
      up: true,
      linkKind: 'bridge',
      loopback: false,
      removed: false,
    })
    const index = br0?.index ?? -1
    assert.ok(seen(before, { kind: 'link', name: 'lo', loopback: true, up: true }))
    assert.ok(
      seen(before, { kind: 'address', index, ip: '192.0.2.1', prefixLength: 24, removed: false }),
    )
    assert.ok(seen(before, { kind: 'address', index, ip: '2001:db8:1::1', prefixLength: 64 }))
    assert.ok(
      seen(before, {
        kind: 'neighbour',
        index,
        ip: '192.0.2.7',
        mac: '02:0d:e0:00:00:07',
        reachable: true,
        router: false,
      }),
    )
    for (const host of [8, 9, 10, 11]) {
      const ip = `192.0.2.${host}`
      const mac = '02:0d:e0:00:00:07'
      assert.ok(seen(before, { kind: 'neighbour', ip, mac, reachable: false }), ip)
    }
    assert.deepEqual(gateways(before), [[`${index} 192.0.2.254`]])

    space.ip('link add p0 type veth peer name p1')
    space.ip('link set p0 master br0')
    space.ip('neigh add 2001:db8:1::7 lladdr 02:0d:e0:00:00:07 dev br0 router')
    space.ip('neigh del 192.0.2.7 dev br0')
    space.ip('addr del 192.0.2.1/24 dev br0')
    space.ip('link del p0')
    await space.until(
      ({ events }) =>
        seen(events, {
          kind: 'link',
          name: 'p0',
          linkKind: 'veth',
          master: index,
          removed: false,
        }) &&
        seen(events, { kind: 'neighbour', ip: '2001:db8:1::7', router: true }) &&
        seen(events, { kind: 'neighbour', ip: '192.0.2.7', removed: true }) &&
        seen(events, { kind: 'address', ip: '192.0.2.1', removed: true }) &&
        seen(events, { kind: 'link', name: 'p0', removed: true }),
    )
  })

  /** All default routes, each time that they were told. */
  const gateways = (events: object[] | undefined): string[][] =>
    ((events ?? []) as NetlinkEvent[]).flatMap((event) =>
      event.kind === 'gateways'
        ? [[...new Set(event.gateways.map(({ index, ip }) => `${index} ${ip}`))].sort()]
        : [],
    )

  it('tells of all default routes whenever one has changed, also of those that go without a word', async () => {
    space.ip('link add d0 type veth peer name d1')
    space.ip('addr add 192.0.2.5/24 dev d0')
    space.ip('addr add 2001:db8:1::5/64 dev d0 nodad')
    for (const name of ['d1', 'd0']) space.ip(`link set ${name} up`)
    space.ip('route add default via 192.0.2.1 metric 20100')
    const index = space.run('cat', '/sys/class/net/d0/ifindex').trim()
    await space.ask({ do: 'netlink' })
    await space.until(({ events }) => seen(events, { kind: 'synchronised' }))
    const steps: [string, string[]][] = [
      // As NetworkManager changes a metric.
      ['route add default via 192.0.2.1 metric 100', ['192.0.2.1']],
      ['route del default via 192.0.2.1 metric 20100', ['192.0.2.1']],
      ['route replace default via 192.0.2.2 metric 100', ['192.0.2.2']],
      ['route add default via 192.0.2.3 metric 7 table 99', ['192.0.2.2', '192.0.2.3']],
      ['-6 route add default via 2001:db8:1::1', ['192.0.2.2', '192.0.2.3', '2001:db8:1::1']],
      ['link set d0 down', []],
      ['link set d0 up', []],
      ['route add default via 192.0.2.2', ['192.0.2.2']],
      ['addr del 192.0.2.5/24 dev d0', []],
    ]
    for (const [change, left] of steps) {
      const { events } = await space.ask({ do: 'look' })
      const before = gateways(events).length
      space.ip(change)
      const wanted = left.map((ip) => `${index} ${ip}`).sort()
      await space.until(({ events }) => {
        const told = gateways(events)
        // Where nothing changes, what was told last stays.
        return (
          (change === 'link set d0 up' || told.length > before) &&
          told.at(-1)?.join() === wanted.join()
        )
      }, 20_000)
    }
  })

  it('tells all though a question could not be sent at first', async function () {
    const folder = mkdtempSync(join(tmpdir(), 'homespin-netlink-'))
    const shim = join(folder, 'failing-send.so')
    const source = join(import.meta.dirname, 'failing-send.c')
    const built = spawnSync('cc', ['-shared', '-fPIC', '-o', shim, source, '-ldl'])
    try {
      if (built.status !== 0 && !process.env.CI) this.skip()
      assert.equal(built.status, 0, built.stderr?.toString())
      await space.stop()
      space = new Namespace()
      space.start({ LD_PRELOAD: shim })
      space.ip('link set lo up')
      await space.ask({ do: 'netlink' })
      const { events } = await space.until(
        ({ events }) => seen(events, { kind: 'synchronised' }),
        20_000,
      )
      assert.ok(seen(events, { kind: 'link', name: 'lo', up: true }))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('tells of an overrun, and everything again', async () => {
    space.ip('link add d0 type bridge')
    space.ip('link set d0 up')
    await space.ask({ do: 'netlink' })
    await space.until(({ events }) => seen(events, { kind: 'synchronised' }))
    const blocked = space.ask({ do: 'block', ms: 2500 })
    const lines = Array.from({ length: 12_000 }, (_, i) => {
      const ip = `10.${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`
      return `neigh replace ${ip} lladdr 02:0d:e0:00:00:01 dev d0 nud permanent`
    })
    space.batch(lines)
    await blocked
    const { events } = await space.until(({ events }) => {
      const kinds = (events ?? []).map((event) => (event as NetlinkEvent).kind)
      return (
        kinds.includes('overrun') &&
        kinds.lastIndexOf('synchronised') > kinds.lastIndexOf('overrun')
      )
    }, 10_000)
    const known = new Set(
      (events as NetlinkEvent[])
        .filter((event) => event.kind === 'neighbour')
        .map((event) => event.ip),
    )
    assert.equal(known.size, 12_000)
  })
})
