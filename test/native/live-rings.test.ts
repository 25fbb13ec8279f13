// Rings while what is captured changes: nothing is lost unsaid, and nothing is counted twice.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { InterfaceSpec, VlanTag } from '../../native/index.ts'
import { dns } from './messages.ts'
import { canMakeNamespaces, Namespace } from './namespace.ts'
import { Conversation, ethernet, ipv4, MAC_A, MAC_B, pcap, udp } from './packets.ts'

describe('native rings', function () {
  this.timeout(90_000)
  let space = new Namespace()
  let folder = ''
  let files = 0

  before(function () {
    folder = mkdtempSync(join(tmpdir(), 'homespin-rings-'))
    if (!canMakeNamespaces()) this.skip()
  })
  beforeEach(() => {
    space = new Namespace()
    space.start()
    const off = ['all', 'default'].map((which) => `net.ipv6.conf.${which}.disable_ipv6=1`)
    space.run('sysctl', '-qw', ...off)
    cable()
    space.ip('link add w0 type veth peer name w1')
    for (const name of ['w0', 'w1']) space.ip(`link set ${name} up`)
  })
  afterEach(() => space.stop())
  after(() => rmSync(folder, { recursive: true }))

  /** What is played into v1 comes in at v0. */
  function cable(): void {
    space.ip(`link add v0 address ${MAC_B} type veth peer name v1 address ${MAC_A}`)
    for (const name of ['v0', 'v1']) space.ip(`link set ${name} up`)
  }

  /** Resolves when all frames were played out of an interface. */
  async function play(name: string, frames: Buffer[], pps = 0): Promise<void> {
    const path = join(folder, `${files++}.pcap`)
    writeFileSync(path, pcap(frames))
    const speed = pps === 0 ? '--topspeed' : `--pps=${pps}`
    const words = ['netns', 'exec', space.name, 'tcpreplay', '-q', '-i', name, speed, path]
    const [code] = await once(spawn('ip', words, { stdio: 'ignore' }), 'exit')
    assert.equal(code, 0)
  }

  const talk = new Conversation({ serverPort: 9 })
  const frames = (count: number): Buffer[] =>
    Array<Buffer>(count).fill(talk.udp(true, dns('ring.example')))
  const specs = (...list: InterfaceSpec[]): never => list as never
  const v0: InterfaceSpec = { name: 'v0', count: 'all' }
  const w0: InterfaceSpec = { name: 'w0', count: 'all' }

  it('go on while what is wanted of an interface changes', async () => {
    const sent = 20_000
    await space.ask({ do: 'capture', specs: specs(v0) })
    let playing = true
    const played = play('v1', frames(sent), 5000).finally(() => {
      playing = false
    })
    const wants: InterfaceSpec[][] = [
      [{ ...v0, upstreamMacs: ['02:0d:e0:00:00:99'] }],
      [w0, { ...v0, promiscuous: true }],
      [{ ...v0, count: 'incoming', withoutVlans: [{ type: 0x8100, id: 10 }] }, w0],
      [v0],
    ]
    let changes = 0
    while (playing) {
      await space.ask({ do: 'interfaces', specs: specs(...(wants[changes++ % 4] ?? [])) })
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await played
    await space.ask({ do: 'interfaces', specs: specs(v0) })
    const { counters, interfaces } = await space.ask({ do: 'stop' })
    console.log(`      ${changes} changes`)
    assert.ok(changes >= wants.length)
    assert.equal((counters?.packets ?? 0) + (counters?.ringDropped ?? 0), sent)
    assert.equal(interfaces?.[0]?.packets, counters?.packets)
    assert.equal(interfaces?.[0]?.dropped, counters?.ringDropped)
  })

  it('hold to another rule from one moment to the next', async () => {
    await space.ask({ do: 'capture', specs: specs(v0) })
    await play('v0', frames(5))
    await play('v1', frames(3))
    await space.until(({ counters }) => counters?.packets === 8)
    await space.ask({ do: 'interfaces', specs: specs({ ...v0, count: 'incoming' }) })
    await play('v0', frames(5))
    await play('v1', frames(3))
    await space.until(({ counters }) => counters?.packets === 11)
    await space.ask({ do: 'interfaces', specs: specs({ ...v0, upstreamMacs: [MAC_A] }) })
    await play('v1', frames(3))
    await space.ask({ do: 'interfaces', specs: specs(v0) })
    await play('v0', frames(2))
    assert.equal((await space.ask({ do: 'stop' })).counters?.packets, 13)
  })

  it('are read to their end when an interface is captured no more, and its sums go on', async () => {
    await space.ask({ do: 'capture', specs: specs(v0, w0) })
    for (const round of [1, 2, 3]) {
      await play('v1', frames(500))
      await space.ask({ do: 'interfaces', specs: specs(w0) })
      // What comes now is not wanted.
      await play('v1', frames(100))
      await space.until(({ counters }) => counters?.packets === 500 * round)
      await space.ask({ do: 'interfaces', specs: specs(v0, w0) })
    }
    await play('v1', frames(7))
    const { counters, interfaces } = await space.ask({ do: 'stop' })
    assert.deepEqual([counters?.packets, counters?.ringDropped], [1507, 0])
    assert.deepEqual(
      interfaces?.map(({ name, packets }) => [name, packets]),
      [
        ['v0', 1507],
        ['w0', 0],
      ],
    )
  })

  it('of an interface that goes, or comes back as another one, lose nothing unsaid', async () => {
    for (const back of [false, true]) {
      await space.ask({ do: 'capture', specs: specs(v0) })
      await play('v1', frames(400))
      space.ip('link del v0')
      if (back) cable()
      else {
        await space.until(
          ({ interfaces }) => interfaces?.[0]?.reason === 'there is no interface v0',
        )
      }
      const { counters } = await space.ask({ do: 'stop' })
      assert.equal((counters?.packets ?? 0) + (counters?.ringDropped ?? 0), 400)
      if (!back) cable()
    }
  })

  it('leave out the frames of VLANs that are captured by themselves, sent and received', async () => {
    const tagged = (...tags: [number, number][]): Buffer =>
      ethernet(0x0800, ipv4(udp(7, 8)), { tags })
    const each = [
      tagged(),
      tagged([0x8100, 10]),
      tagged([0x8100, 0xa00a]),
      tagged([0x8100, 11]),
      tagged([0x88a8, 10], [0x8100, 20]),
      tagged([0x88a8, 30], [0x8100, 10]),
      tagged([0x8100, 20], [0x8100, 10]),
    ]
    const cases: [VlanTag[], number][] = [
      [[], 7],
      [[{ type: 0x8100, id: 10 }], 5],
      [[{ type: 0x88a8, id: 10 }], 6],
      [[10, 11, 20].map((id): VlanTag => ({ type: 0x8100, id })), 3],
      [Array.from({ length: 1024 }, (_, id): VlanTag => ({ type: 0x8100, id })), 3],
    ]
    for (const [withoutVlans, expected] of cases) {
      await space.ask({ do: 'capture', specs: specs({ ...v0, withoutVlans }) })
      await play('v1', each)
      await space.until(({ counters }) => counters?.packets === expected)
      await play('v0', each)
      const { counters } = await space.ask({ do: 'stop' })
      assert.equal(counters?.packets, 2 * expected, JSON.stringify(withoutVlans.slice(0, 4)))
    }
  })
})
