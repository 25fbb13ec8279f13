import assert from 'node:assert/strict'
import { Box } from '../../../agent/capture/box.ts'
import { dumpOrders, dumpProgram } from '../../../agent/capture/remote-dump.ts'
import { channelsOf, MOST_CHANNELS } from '../../../agent/capture/remote-dumps.ts'
import { changesSince, readFacts } from '../../../agent/capture/remote-facts.ts'
import { PcapMerge, pcapHead, RouterClock } from '../../../agent/capture/remote-merge.ts'

const LINKS = `## links
br-lan 5 0x1003 02:0d:e0:ff:00:01 up 1 0 bridge 10 20
eth1 3 0x1303 02:0d:e0:ff:00:01 up 1 5 - 10 20 0a0b0c0d 0
phy0-ap0 6 0x1303 02:0d:e0:ff:00:03 up 1 5 - 10 20 - 1
pppoe-wan 7 0x10d1 - unknown 512 0 - 1 2
wan 4 0x1003 02:0d:e0:ff:00:02 down 1 0 - 0 0
lo 1 0x9 00:00:00:00:00:00 unknown 772 0 - 0 0
`
const TRIE = `## fib_trie
Local:
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 192.0.2.1
        /32 host LOCAL
     |-- 192.0.2.255
        /32 link BROADCAST
     |-- 203.0.113.7
        /32 host LOCAL
`
/** As a machine writes it whose words begin with the least byte, and one whose begin with the greatest. */
const ROUTES = {
  little: `br-lan 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0
pppoe-wan 00000000 016433C6 0003 0 0 0 00000000 0 0 0`,
  big: `br-lan C0000200 00000000 0001 0 0 0 FFFFFF00 0 0 0
pppoe-wan 00000000 C6336401 0003 0 0 0 00000000 0 0 0`,
}
const REST = `## if_inet6
20010db8000100000000000000000001 05 40 00 80 br-lan
00000000000000000000000000000001 01 80 10 80 lo
## ipv6_route
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 pppoe-wan
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200 lo
## arp
IP address HW type Flags HW address Mask Device
192.0.2.11 0x1 0x2 02:0d:e0:00:00:01 * br-lan
192.0.2.12 0x1 0x0 00:00:00:00:00:00 * br-lan
`
const END = `## forward
1
## resolv
nameserver 127.0.0.1
## end
`

function textOf(routes: string, more = ''): string {
  return `${LINKS}## route\nIface Destination …\n${routes}\n${TRIE}${REST}${more}${END}`
}

describe('capture: what a router says of itself', () => {
  for (const [order, routes] of Object.entries(ROUTES)) {
    it(`is read from /proc and /sys of a machine of ${order} words`, () => {
      const facts = readFacts(textOf(routes))
      const box = new Box()
      for (const event of changesSince(undefined, facts)) box.apply(event)
      assert.deepEqual(
        box.addresses.map(({ index, ip, prefixLength }) => `${index} ${ip}/${prefixLength}`),
        ['5 192.0.2.1/24', '0 203.0.113.7/32', '5 2001:db8:1::1/64'],
      )
      assert.deepEqual(
        box.gateways.map(({ index, ip }) => `${index} ${ip}`),
        ['7 198.51.100.1', '7 fe80::1'],
      )
      assert.equal(box.macOf(5, '192.0.2.11'), '02:0d:e0:00:00:01')
      assert.equal(box.macOf(5, '192.0.2.12'), undefined)
      assert.equal(box.byName('eth1')?.master, 5)
      assert.equal(box.byName('br-lan')?.linkKind, 'bridge')
      assert.deepEqual([box.byName('wan')?.up, box.byName('pppoe-wan')?.up], [false, true])
      assert.equal(facts.forwards, true)
      assert.equal(facts.bridgeNetfilter, undefined)
      assert.equal(facts.resolvConf, 'nameserver 127.0.0.1')
      assert.equal(facts.packets.get('br-lan'), 30)
      assert.deepEqual(facts.ports.get('eth1'), { switchId: '0a0b0c0d' })
      assert.deepEqual(facts.ports.get('phy0-ap0'), { isRadio: true })
      assert.deepEqual(facts.ports.get('br-lan'), {})
    })
  }

  it('is read from ip where it is there, which knows who answered', () => {
    const ip = `## addresses
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
5: br-lan    inet 192.0.2.1/24 brd 192.0.2.255 scope global br-lan
7: pppoe-wan    inet 203.0.113.7 peer 198.51.100.1/32 scope global pppoe-wan
## neighbours
192.0.2.11 dev br-lan lladdr 02:0d:e0:00:00:01 ref 1 used 0/0/0 probes 1 REACHABLE
192.0.2.12 dev br-lan lladdr 02:0d:e0:00:00:02 STALE
192.0.2.13 dev br-lan  FAILED
2001:db8:1::b dev br-lan lladdr 02:0d:e0:00:00:01 router REACHABLE
`
    const { events } = readFacts(textOf(ROUTES.little, ip))
    const reachable = [...events].flatMap(([key, event]) =>
      event.kind === 'neighbour' ? [`${key} ${event.reachable} ${event.router}`] : [],
    )
    assert.deepEqual(reachable, [
      'neighbour 5 192.0.2.11 true false',
      'neighbour 5 192.0.2.12 false false',
      'neighbour 5 2001:db8:1::b true true',
    ])
    assert.ok(events.has('address 7 203.0.113.7'))
  })

  it('tells what has changed, and nothing else', () => {
    const before = readFacts(textOf(ROUTES.little))
    assert.deepEqual(changesSince(before, readFacts(textOf(ROUTES.little))), [])
    const without = textOf(ROUTES.little).replace(/^192\.0\.2\.11 0x1.*\n/m, '')
    const [gone, ...more] = changesSince(before, readFacts(without))
    assert.ok(gone?.kind === 'neighbour' && gone.removed && gone.ip === '192.0.2.11')
    assert.deepEqual(more, [])
  })

  it('is taken as nothing where it is anything', () => {
    for (const text of ['', '## links\nx\n', textOf('a b c\n\n').replaceAll('0', 'z')]) {
      assert.doesNotThrow(() => readFacts(text), text)
    }
  })
})

describe('capture: tcpdump on a router', () => {
  const around = {
    ends: { client: { ip: '192.0.2.14', port: 40000 }, server: { ip: '192.0.2.1', port: 22 } },
    mac: '02:0d:e0:ff:00:01',
    several: true,
    lan: ['192.0.2.0/24', '2001:db8:1::/64'],
    own: ['192.0.2.1'],
  }

  it('is given words of its own alone', () => {
    const spec = { name: 'br-lan', count: 'all' } as const
    for (const order of dumpOrders(spec, around)) {
      const text = dumpProgram({ host: 'router', sudo: true }, [order])
      assert.match(text, /sudo -n tcpdump -i br-lan -n -p .* -w - "not /)
      assert.doesNotMatch(text, /'/)
    }
    for (const name of ['a;b', '-z', 'a b', "a'b", '$(x)', 'a'.repeat(16)]) {
      const [order] = dumpOrders({ name, count: 'all' }, around)
      assert.ok(order)
      assert.throws(() => dumpProgram({ host: 'router' }, [order]), TypeError, name)
    }
    const [strange] = dumpOrders(spec, { ...around, lan: ['$(id)'] })
    assert.ok(strange)
    assert.throws(() => dumpProgram({ host: 'router' }, [strange]), TypeError)
  })
})

/** A record of so many bytes, and a stream's head, by either order of bytes. */
function record(us: number, size: number, big = false): Buffer {
  const data = Buffer.alloc(16 + size, size)
  const put = (value: number, at: number): number =>
    big ? data.writeUInt32BE(value, at) : data.writeUInt32LE(value, at)
  put(Math.floor(us / 1e6), 0)
  put(us % 1e6, 4)
  put(size, 8)
  put(size + 1000, 12)
  return data
}

function headOf(big: boolean): Buffer {
  const head = Buffer.alloc(24)
  if (!big) return pcapHead()
  head.writeUInt32BE(0xa1b2c3d4, 0)
  head.writeUInt32BE(1, 20)
  return head
}

describe('capture: channels to a router', () => {
  const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `lan${i}`)

  it('are one for each interface, and no more than sshd takes however many there are', () => {
    assert.deepEqual(channelsOf(names(2)), [['lan0'], ['lan1']])
    for (const count of [1, 5, 6, 7, 64]) {
      for (const doubtful of [
        new Set<string>(),
        new Set(['lan0', 'lan3']),
        new Set(names(count)),
      ]) {
        const channels = channelsOf(names(count), doubtful)
        assert.ok(channels.length + 3 <= 10 && channels.length <= MOST_CHANNELS, `${count}`)
        assert.deepEqual(channels.flat().toSorted(), names(count).toSorted())
        assert.ok(channels.every((channel) => channel.length > 0))
      }
    }
    // Who ends by itself takes none of the others with it.
    assert.deepEqual(channelsOf(names(7), new Set(['lan3'])).at(-1), ['lan3'])
  })
})

describe('capture: streams of one router', () => {
  it('become one by their times, in pieces of any size and either order of bytes', () => {
    const out: Buffer[] = []
    const merge = new PcapMerge((data) => out.push(data) > 0)
    const base = 1_000_000_000_000_000
    const streams = [false, true].map((big, i) => ({
      input: merge.add(),
      bytes: Buffer.concat([
        headOf(big),
        ...Array.from({ length: 50 }, (_, n) => record(base + (2 * n + i) * 10, 20 + i, big)),
      ]),
    }))
    for (let at = 0; at < 3000; at += 7) {
      for (const { input, bytes } of streams) {
        const piece = Buffer.from(bytes.subarray(at, at + 7))
        if (piece.length > 0) merge.push(input, piece)
      }
    }
    merge.stop()
    const all = Buffer.concat(out)
    const sizes: number[] = []
    let last = 0
    for (let at = 0; at < all.length; ) {
      const us = all.readUInt32LE(at) * 1e6 + all.readUInt32LE(at + 4)
      assert.ok(us >= last, 'in order')
      last = us
      const size = all.readUInt32LE(at + 8)
      assert.equal(all.readUInt32LE(at + 12), size + 1000)
      sizes.push(size)
      at += 16 + size
    }
    assert.equal(sizes.length, 100)
    assert.ok(Math.abs(last - Date.now() * 1000) < 5_000_000, 'by the clock of this box')
  })

  it('are one stream of several tcpdumps, each with a head of its own, packets out of order by moments', () => {
    const out: Buffer[] = []
    const merge = new PcapMerge((data) => out.push(data) > 0)
    const base = 1_000_000_000_000_000
    const input = merge.add()
    const parts = [headOf(false), record(base + 20, 7), headOf(false), record(base + 10, 8)]
    const bytes = Buffer.concat([...parts, record(base + 30, 9)])
    for (let at = 0; at < bytes.length; at += 5) merge.push(input, bytes.subarray(at, at + 5))
    assert.equal(input.packets, 3)
    merge.stop()
    const all = Buffer.concat(out)
    const sizes: number[] = []
    for (let at = 0; at < all.length; at += 16 + (sizes.at(-1) as number))
      sizes.push(all.readUInt32LE(at + 8))
    assert.deepEqual(sizes, [8, 7, 9])
  })

  it('are refused where they are not Ethernet, or no pcap', () => {
    const merge = new PcapMerge(() => true)
    const raw = pcapHead()
    raw.writeUInt32LE(101, 20)
    assert.throws(() => merge.push(merge.add(), raw), /not Ethernet/)
    assert.throws(() => merge.push(merge.add(), Buffer.alloc(24, 'x')), /not pcap/)
    merge.stop()
  })

  it('follow a clock that is wrong, drifts, or is set', () => {
    const clock = new RouterClock()
    const year = 31_536_000_000_000
    assert.equal(clock.own(1000 * 1000 - year, 1000), 1000 * 1000)
    // Late by 300 ms, and still of its own time.
    assert.equal(clock.own(1100 * 1000 - year, 1400), 1100 * 1000)
    // Sooner than the first: that one was late.
    assert.equal(clock.own(1600 * 1000 - year, 1500), 1500 * 1000)
    // Set back by an hour.
    assert.equal(clock.own(2000 * 1000 - year - 3_600_000_000, 2000), 2000 * 1000)
  })
})
