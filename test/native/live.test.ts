import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clientHello, dns, records } from './messages.ts'
import { canMakeNamespaces, Namespace } from './namespace.ts'
import {
  ACK,
  BROADCAST,
  Conversation,
  ethernet,
  ipv4,
  MAC_A,
  MAC_B,
  pcap,
  SYN,
  tcp,
  udp,
} from './packets.ts'

// v0 is captured; what is played into v1 comes in there.
describe('native live capture', function () {
  this.timeout(30_000)
  let space = new Namespace()
  let folder = ''
  let files = 0

  before(function () {
    folder = mkdtempSync(join(tmpdir(), 'homespin-live-'))
    if (!canMakeNamespaces()) this.skip()
  })
  beforeEach(() => {
    space = new Namespace()
    space.start()
    // No traffic of its own: neither IPv6 nor anything that answers.
    space.run(
      'sysctl',
      '-qw',
      'net.ipv6.conf.all.disable_ipv6=1',
      'net.ipv6.conf.default.disable_ipv6=1',
    )
    space.ip(`link add v0 address ${MAC_B} type veth peer name v1 address ${MAC_A}`)
    space.ip('link set v0 up')
    space.ip('link set v1 up')
  })
  afterEach(() => space.stop())
  after(() => rmSync(folder, { recursive: true }))

  /** Plays frames out of an interface, with tcpreplay. */
  function play(interfaceName: string, frames: Buffer[], ...options: string[]): void {
    const path = join(folder, `${files++}.pcap`)
    writeFileSync(path, pcap(frames))
    space.run(
      'tcpreplay',
      '-q',
      '-i',
      interfaceName,
      ...(options.length > 0 ? options : ['--topspeed']),
      path,
    )
  }

  const talk = new Conversation({ serverPort: 53 })
  const v0 = { name: 'v0', count: 'all' }

  it('counts what comes in and goes out, with names, as a file with the same packets', async () => {
    await space.ask({ do: 'capture', specs: [v0] as never })
    const web = new Conversation()
    play('v1', [
      talk.udp(true, dns('live.example')),
      web.tcp(true, { data: records(clientHello('live.example.com')) }),
    ])
    play('v0', [
      talk.udp(false, dns('live.example', { flags: 0x8180 })),
      web.tcp(false, { data: Buffer.alloc(1400) }),
    ])
    const { counters, flows, names } = await space.until(({ counters }) => counters?.packets === 4)
    assert.equal(counters?.decoded, 4)
    assert.equal(counters?.dnsQueries, 1)
    assert.deepEqual(names?.toSorted(), [
      'dns live.example',
      'dns live.example',
      'sni live.example.com',
    ])
    const tls = flows?.find((flow) => flow.protocol === 6)
    // The kernel cut it to its headers; its length is whole all the same.
    assert.equal(tls?.respBytes, 1440)
    assert.equal(
      counters?.bytes,
      [42 + 30, 42 + 30, 54 + 1400].reduce((a, b) => a + b, 0) +
        54 +
        records(clientHello('live.example.com')).length,
    )
    const end = await space.ask({ do: 'stop' })
    assert.equal(end.ended, true)
    assert.ok(end.flows?.every((flow) => flow.closedBy === 'eof'))
  })

  it('takes what was sent just before the stop', async () => {
    await space.ask({ do: 'capture', specs: [v0] as never })
    play('v1', Array<Buffer>(500).fill(talk.udp(true, Buffer.alloc(100))))
    const { counters, interfaces } = await space.ask({ do: 'stop' })
    assert.equal(counters?.packets, 500)
    assert.equal(counters?.ringDropped, 0)
    assert.equal(interfaces?.[0]?.packets, 500)
  })

  it('counts only incoming, or only own outgoing frames, where told so', async () => {
    for (const [count, expected] of [
      ['incoming', 3],
      ['own_outgoing', 2],
    ] as const) {
      await space.ask({ do: 'capture', specs: [{ name: 'v0', count }] as never })
      play('v1', Array<Buffer>(3).fill(talk.udp(true, Buffer.alloc(10))))
      play('v0', Array<Buffer>(2).fill(talk.udp(false, Buffer.alloc(10))))
      const { counters } = await space.ask({ do: 'stop' })
      assert.equal(counters?.packets, expected, count)
    }
  })

  it('does not count what it forwards from one home network to another a second time', async () => {
    const locality = { prefixes: ['192.0.2.0/24', '198.51.100.0/24'], own: ['192.0.2.1'] }
    await space.ask({ do: 'capture', locality, specs: [v0] as never })
    const from = (src: string, mac = MAC_B): Buffer =>
      ethernet(0x0800, ipv4(udp(7, 8), { src, dst: '192.0.2.77' }), { src: mac, dst: MAC_A })
    // A copy; from this box itself; from the internet; a bridged frame of another MAC.
    play('v0', [
      from('198.51.100.9'),
      from('192.0.2.1'),
      from('203.0.113.5'),
      from('198.51.100.9', '02:0d:e0:00:00:07'),
    ])
    play('v1', [ethernet(0x0800, ipv4(udp(7, 8), { src: '198.51.100.9' }))])
    const { counters, flows } = await space.ask({ do: 'stop' })
    assert.equal(counters?.packets, 4)
    assert.equal(flows?.length, 4)
  })

  it('leaves out what goes between a one-armed gateway and its upstream router', async () => {
    const upstream = '02:0d:e0:ff:00:99'
    await space.ask({
      do: 'capture',
      specs: [{ ...v0, upstreamMacs: [upstream.toUpperCase()] }] as never,
    })
    const packet = ipv4(udp(7, 8))
    play('v0', [
      ethernet(0x0800, packet, { src: MAC_B, dst: upstream }),
      ethernet(0x0800, packet, { src: MAC_B, dst: MAC_A }),
    ])
    play('v1', [
      ethernet(0x0800, packet, { src: upstream, dst: MAC_B }),
      ethernet(0x0800, packet, { src: MAC_A, dst: MAC_B }),
    ])
    play('v1', [ethernet(0x0800, packet, { src: upstream, dst: BROADCAST })])
    assert.equal((await space.ask({ do: 'stop' })).counters?.packets, 3)
  })

  it('keeps whole what may carry names, and cuts bulk without losing its length', async () => {
    await space.ask({
      do: 'capture',
      options: { names: ['dns', 'sni', 'ssdp'] },
      specs: [v0] as never,
    })
    const hello = records(clientHello('pq.example.com', { keyShare: 1700 }))
    const web = new Conversation()
    const six = new Conversation({ client: '2001:db8:1::b', server: '2001:db8:113::9' })
    play('v1', [
      web.tcp(true, { seq: 1, flags: SYN }),
      web.tcp(true, { seq: 2, data: hello.subarray(0, 1400) }),
      web.tcp(true, { seq: 1402, data: hello.subarray(1400) }),
      ethernet(0x0800, ipv4(udp(1900, 1900, Buffer.alloc(900)))),
      ethernet(
        0x0800,
        ipv4(tcp(443, 9999, { data: Buffer.alloc(1000), flags: ACK }), { protocol: 6 }),
        { tags: [[0x8100, 7]] },
      ),
    ])
    play('v0', [
      web.tcp(false, { data: Buffer.alloc(1400) }),
      six.tcp(false, { data: Buffer.alloc(1300) }),
    ])
    const { counters, flows, names } = await space.ask({ do: 'stop' })
    assert.equal(counters?.malformed, 0)
    assert.deepEqual(names?.toSorted(), ['sni pq.example.com', 'ssdp '])
    const bytes = (address: string): number => {
      const flow = flows?.find(
        (each) => each.orig.startsWith(address) || each.resp.startsWith(address),
      )
      return (flow?.origBytes ?? 0) + (flow?.respBytes ?? 0)
    }
    assert.equal(bytes('2001:db8:1::b'), 1360)
    assert.equal(flows?.find((flow) => flow.resp === '203.0.113.9:443')?.respBytes, 1440)
    assert.equal(flows?.find((flow) => flow.vlan === 7)?.respBytes, 1040)
  })

  it('says that an interface is absent, down, gone, and goes on when it is back', async () => {
    await space.ask({ do: 'capture', specs: [v0, { name: 'later', count: 'all' }] as never })
    play('v1', [talk.udp(true, Buffer.alloc(9))])
    const first = await space.until(({ counters }) => counters?.packets === 1)
    assert.deepEqual(
      first.interfaces?.map(({ up, reason }) => [up, reason]),
      [
        [true, undefined],
        [false, 'there is no interface later'],
      ],
    )
    space.ip('link set v0 down')
    await space.until(({ interfaces }) => interfaces?.[0]?.reason === 'v0 is down', 2000)
    space.ip('link set v0 up')
    await space.until(({ interfaces }) => interfaces?.[0]?.up === true, 2000)
    play('v1', [talk.udp(true, Buffer.alloc(9))])
    await space.until(({ counters }) => counters?.packets === 2)
    space.ip('link del v0')
    await space.until(
      ({ interfaces }) => interfaces?.[0]?.reason === 'there is no interface v0',
      2000,
    )
    space.ip(`link add v0 address ${MAC_B} type veth peer name v1 address ${MAC_A}`)
    space.ip('link add later type veth peer name other')
    for (const name of ['v0', 'v1', 'later', 'other']) space.ip(`link set ${name} up`)
    await space.until(({ interfaces }) => interfaces?.every(({ up }) => up) === true, 2000)
    play('v1', Array<Buffer>(3).fill(talk.udp(true, Buffer.alloc(9))))
    play('other', [talk.udp(true, Buffer.alloc(9))])
    const { interfaces, counters } = await space.ask({ do: 'stop' })
    assert.deepEqual(
      interfaces?.map(({ packets }) => packets),
      [5, 1],
    )
    assert.equal(counters?.packets, 6)
  })

  it('captures other interfaces from one moment to the next', async () => {
    space.ip('link add w0 type veth peer name w1')
    space.ip('link set w0 up')
    space.ip('link set w1 up')
    await space.ask({ do: 'capture', specs: [v0] as never })
    play('v1', [talk.udp(true, Buffer.alloc(9))])
    await space.until(({ counters }) => counters?.packets === 1)
    await space.ask({ do: 'interfaces', specs: [{ name: 'w0', count: 'all' }, v0] as never })
    play('w1', [talk.udp(true, Buffer.alloc(9))])
    play('v1', [talk.udp(true, Buffer.alloc(9))])
    const both = await space.until(({ counters }) => counters?.packets === 3)
    assert.deepEqual(
      both.interfaces?.map(({ name, packets }) => [name, packets]),
      [
        ['w0', 1],
        ['v0', 2],
      ],
    )
    await space.ask({ do: 'interfaces', specs: [{ name: 'w0', count: 'all' }] as never })
    play('v1', [talk.udp(true, Buffer.alloc(9))])
    assert.equal((await space.ask({ do: 'stop' })).counters?.packets, 3)
  })

  it('lets flows time out though no packet comes', async () => {
    await space.ask({ do: 'capture', options: { udpIdleSeconds: 1 }, specs: [v0] as never })
    play('v1', [talk.udp(true, Buffer.alloc(9))])
    const { flows } = await space.until(({ flows }) => flows?.[0]?.state === 'closed')
    assert.equal(flows?.[0]?.closedBy, 'idle')
    await space.ask({ do: 'stop' })
  })

  it('counts what a ring had no room for, exactly', async () => {
    // So small a ring overflows while bursts are played on the same two processors.
    await space.ask({ do: 'capture', options: { ringBytes: 65536 }, specs: [v0] as never })
    const burst = Array<Buffer>(50_000).fill(
      new Conversation({ serverPort: 9 }).udp(true, Buffer.alloc(1400)),
    )
    play('v1', burst, '--topspeed', '--preload-pcap')
    const { counters, interfaces } = await space.ask({ do: 'stop' })
    assert.equal((counters?.packets ?? 0) + (counters?.ringDropped ?? 0), burst.length)
    assert.equal(interfaces?.[0]?.dropped, counters?.ringDropped)
  })

  it('goes on while JavaScript is busy', async () => {
    await space.ask({ do: 'capture', specs: [v0] as never })
    const blocked = space.ask({ do: 'block', ms: 1500 })
    play('v1', Array<Buffer>(20_000).fill(talk.udp(true, Buffer.alloc(600))), '--pps=20000')
    await blocked
    const { counters } = await space.ask({ do: 'stop' })
    assert.equal(counters?.packets, 20_000)
    assert.equal(counters?.ringDropped, 0)
  })

  it('says for each interface why it can not be captured', async () => {
    assert.equal((await space.ask({ do: 'try', name: 'v0' })).refusal, undefined)
    assert.equal(
      (await space.ask({ do: 'try', name: 'nothing0' })).refusal,
      'there is no interface nothing0',
    )
    space.ip('link set v1 down')
    assert.equal((await space.ask({ do: 'try', name: 'v1' })).refusal, 'v1 is down')
  })
})
