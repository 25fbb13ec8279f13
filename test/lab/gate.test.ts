// Names and addresses with the real agent on a router: what is allowed is reached at once, what is blocked never, and nobody else
// pays for it.
import assert from 'node:assert/strict'
import { below, strictlyBelow } from '../figure.ts'
import { count } from '../full.ts'
import type { Report } from './gate-client.ts'
import { addresses, GateHome, namesOf } from './gate-home.ts'
import { percentile } from './probing.ts'
import { requires, sleep, until } from './process.ts'
import { RESOLVER6 } from './zone.ts'

const COUNT = count('LAB_GATE', 300, 10_000)
const PORT = 7
const [LISTED, BLOCKED, FREE] = [0, 1, 2]
const DOMAIN = 'at.example.net'
const OUTSIDE = ['203.0.113.240', '2001:db8:113::9']

describe('lab: names on a router', function () {
  this.timeout(60_000 + COUNT * 60)
  const home = new GateHome({ position: 'two_armed', devices: 3 })

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl')
    await home.start()
  })
  afterEach(() => home.release())
  after(() => home.stop())

  async function listed(device: number, domain = DOMAIN): Promise<void> {
    await home.order('restrict', device, { restriction: 'allow_list' })
    await home.order('allow', device, { domain })
  }

  it('says that it gates names', () => {
    const { dns_gate } = home.tap.info?.capabilities ?? {}
    assert.equal(dns_gate?.ok, true, dns_gate?.reason)
  })

  it(`connects ${COUNT} times at once to what was allowed and resolved`, async () => {
    await listed(LISTED)
    assert.equal(await home.reaches(LISTED, OUTSIDE), 0)
    const half = Math.ceil(COUNT / 2)
    const everybody = home.resolve(FREE, namesOf(addresses(half, true)), {
      port: PORT,
      ipv6: true,
      server: RESOLVER6,
    })
    const one = await home.resolve(LISTED, namesOf(addresses(half, false)), { port: PORT })
    const other = await home.resolve(LISTED, namesOf(addresses(half, true)), {
      port: PORT,
      ipv6: true,
      server: RESOLVER6,
    })
    const connected = one.connected + other.connected
    console.log(
      `      ${connected} of ${2 * half} connected, ${one.resolved + other.resolved} resolved`,
    )
    assert.deepEqual([one.resolved, other.resolved], [half, half], 'answers')
    assert.deepEqual([one.connected, other.connected], [half, half], 'connections')
    assert.equal((await everybody).connected, half)
    assert.equal(await home.reaches(LISTED, OUTSIDE), 0)
  })

  it('understands aliases, answers that were cut, and TCP', async () => {
    await home.order('restrict', LISTED, { restriction: 'allow_list' })
    for (const domain of ['cdn1.example.net', 'big2.example.com', 'host3.example.com']) {
      await home.order('allow', LISTED, { domain })
    }
    for (const ipv6 of [false, true]) {
      const server = ipv6 ? RESOLVER6 : '192.0.2.1'
      const udp = await home.resolve(LISTED, ['cdn1.example.net'], { port: PORT, ipv6, server })
      const tcp = await home.resolve(LISTED, ['big2.example.com', 'host3.example.com'], {
        ...{ port: PORT, ipv6, server, tcp: true },
      })
      assert.deepEqual([udp.connected, tcp.connected], [1, 2], ipv6 ? 'ipv6' : 'ipv4')
    }
    const not = await home.resolve(LISTED, ['host4.example.com'], { port: PORT })
    assert.deepEqual([not.resolved, not.connected], [1, 0])
  })

  it('hides a blocked name and all below it, and shuts its addresses', async () => {
    await home.order('block', BLOCKED, { domain: 'example.com' })
    for (const ipv6 of [false, true]) {
      for (const tcp of [false, true]) {
        const asked = await home.resolve(BLOCKED, ['host5.example.com', 'host6.example.com'], {
          ...{ ipv6, tcp, server: ipv6 ? RESOLVER6 : '192.0.2.1' },
        })
        assert.deepEqual(asked.rcodes, { 3: 2 }, `${ipv6} ${tcp}`)
      }
    }
    await until(
      'its addresses are shut',
      async () =>
        (await home.reaches(BLOCKED, ['203.0.113.105', '2001:db8:113::106'])) === 0 || undefined,
    )
    assert.equal(await home.reaches(FREE, ['203.0.113.105', '2001:db8:113::106']), 2)
    assert.equal(await home.reaches(BLOCKED, ['203.0.113.240']), 1)
    const dropped = await until('what was blocked', () =>
      home.tap.blocked.find(({ remote }) => remote === 'host5.example.com'),
    )
    assert.equal(dropped.cause, 'dns')
  })

  it(`never reaches a blocked name's addresses that were learned elsewhere`, async () => {
    await home.order('block', BLOCKED, { domain: DOMAIN })
    const v4 = addresses(100, false)
    const v6 = addresses(COUNT, true, 0x4000)
    await home.resolve(FREE, namesOf(v4))
    // What one device asks is heard up to 200 times a second (`namesPerSecond`).
    const names = namesOf(v6)
    for (let at = 0; at < names.length; at += 150) {
      const second = sleep(1000)
      await home.resolve(FREE, names.slice(at, at + 150), { ipv6: true, server: RESOLVER6 })
      await second
    }
    await sleep(1500)
    const all = [...v4, ...v6]
    assert.equal(await home.reaches(BLOCKED, all, 300), 0)
    assert.equal(await home.reaches(FREE, all, 700), all.length)
  })

  it('cuts connections to what was resolved before it was blocked', async () => {
    await home.resolve(BLOCKED, ['host7.example.com'])
    await sleep(1500)
    const held = await home.does(BLOCKED, { do: 'hold', ip: '203.0.113.107', port: PORT })
    assert.equal(held.connected, 1)
    assert.equal((await home.does(BLOCKED, { do: 'echo', ms: 500 })).connected, 1)
    await home.order('block', BLOCKED, { domain: 'host7.example.com' })
    await sleep(300)
    assert.equal((await home.does(BLOCKED, { do: 'echo', ms: 1000 })).connected, 0)
    assert.equal(await home.reaches(BLOCKED, ['203.0.113.107']), 0)
  })

  it('blocks a name for everybody', async () => {
    await home.order('block', 'everyone', { domain: 'host8.example.com' })
    for (const device of [LISTED, BLOCKED, FREE]) {
      const { rcodes } = await home.resolve(device, ['x.host8.example.com', 'host8.example.com'])
      assert.deepEqual(rcodes, { 3: 2 })
    }
    await until(
      'its address is shut',
      async () => (await home.reaches(FREE, ['203.0.113.108'])) === 0 || undefined,
    )
    assert.equal(await home.reaches(FREE, ['203.0.113.109']), 1)
  })

  it('lets a device reach only what it has resolved, and go on with it', async () => {
    await home.order('restrict', LISTED, { restriction: 'no_dns_no_connect' })
    assert.equal(await home.reaches(LISTED, ['203.0.113.110']), 0)
    assert.equal((await home.resolve(LISTED, ['host10.example.com'], { port: PORT })).connected, 1)
    await home.does(LISTED, { do: 'hold', ip: '203.0.113.110', port: PORT })
    const echo = (): Promise<Report> => home.does(LISTED, { do: 'echo', ms: 1000 })
    assert.equal((await echo()).connected, 1)
    // Its time is over: what goes on goes on.
    for (const set of ['resolved4', 'resolved6']) {
      await home.home.in('box', 'nft', 'flush', 'set', 'inet', 'homespin', set)
      assert.equal((await echo()).connected, 1)
    }
  })

  it('has what was learned back when others flushed everything, without a gap', async () => {
    await listed(LISTED)
    await home.order('block', LISTED, { domain: 'host11.example.com' })
    await home.resolve(LISTED, namesOf(addresses(50, true)), { ipv6: true, server: RESOLVER6 })
    await home.resolve(LISTED, ['host11.example.com'], { ipv6: true, server: RESOLVER6 })
    const sets = ['resolved6', 'dns_allow6', 'dns_block6']
    const learned = async (): Promise<number[]> =>
      await Promise.all(sets.map(async (set) => (await home.elements(set)).length))
    const before = await until('what is learned', async () => {
      const found = await learned()
      return found[2] ? found : undefined
    })
    assert.deepEqual(before, [50, 50, 1])
    await home.home.in('box', 'nft', 'delete', 'table', 'inet', 'homespin')
    const after = await until('the tables', () => learned().catch(() => undefined), 3000, 5)
    assert.deepEqual(after, before)
    assert.equal(await home.reaches(LISTED, addresses(50, true)), 50)
    // Written whole by ourselves: never without them.
    assert.equal(await home.reaches(LISTED, OUTSIDE), 0)
  })

  it('does not bring back what was taken back, whatever others change', async () => {
    await home.order('block', BLOCKED, { domain: 'host12.example.com' })
    await home.resolve(BLOCKED, ['host12.example.com'])
    const shut = (): Promise<string[]> => home.elements('dns_block4')
    await until('what is learned', async () => (await shut()).length === 1 || undefined)
    // Everything is read and written anew, and with it what was learned.
    await home.home.in('box', 'nft', 'delete', 'table', 'inet', 'homespin')
    await until('the tables', () => shut().catch(() => undefined), 3000, 5)
    await until('the same', async () => (await shut()).length === 1 || undefined)
    await home.order('unblock', BLOCKED)
    await until('what was taken back', async () => (await shut()).length === 0 || undefined)
    for (const change of ['add', 'delete']) {
      await home.home.in('box', 'nft', change, 'table', 'inet', 'others')
      await sleep(1200)
      assert.deepEqual(await shut(), [])
    }
    assert.equal(await home.reaches(BLOCKED, ['203.0.113.112']), 1)
  })

  it('answers names of the home alone at local_only', async () => {
    await home.order('quarantine', LISTED, { level: 'local_only', reason: 'a test' })
    assert.deepEqual((await home.resolve(LISTED, ['host1.example.com'])).rcodes, { 3: 1 })
    assert.deepEqual((await home.resolve(FREE, ['host1.example.com'])).rcodes, { 0: 1 })
  })

  it('closes the ways of encrypted DNS', async () => {
    await home.order('restrict', BLOCKED, { restriction: 'no_encrypted_dns' })
    const names = ['use-application-dns.net', 'mask.icloud.com', 'x.dns.google']
    await home.resolve(BLOCKED, names)
    // The lab's own resolver does not know them either: it is told who refused them.
    for (const name of names) {
      await until(name, () => home.tap.blocked.find(({ remote }) => remote === name))
    }
    const reached = async (ip: string, port: number): Promise<number> =>
      (await home.does(BLOCKED, { do: 'connect', ips: [ip], port, ms: 300 })).connected
    await home.home.in('wan', 'ip', 'addr', 'add', '9.9.9.9/32', 'dev', 'lo')
    assert.deepEqual([await reached('9.9.9.9', 443), await reached('9.9.9.9', 80)], [0, 1])
    assert.equal(await reached('203.0.113.240', 443), 1)
    assert.ok((await home.elements('from_mac_no_encrypted_dns'))[0]?.includes('"packets":'))
    assert.equal(
      (await home.does(FREE, { do: 'connect', ips: ['9.9.9.9'], port: 443, ms: 300 })).connected,
      1,
    )
  })

  it('costs others nothing, and gated devices little', async () => {
    const rounds: Record<'free' | 'gated' | 'other', number[]> = { free: [], gated: [], other: [] }
    const names = Array.from({ length: 100 }, (_, i) => `host${i % 40}.example.com`)
    const take = async (what: keyof typeof rounds, device: number): Promise<void> => {
      rounds[what].push(...(await home.resolve(device, names)).waits)
    }
    for (let round = 0; round < 5; round++) {
      await home.order('unrestrict', LISTED)
      await take('free', LISTED)
      await home.order('restrict', LISTED, { restriction: 'no_dns_no_connect' })
      await take('gated', LISTED)
      await take('other', FREE)
    }
    const line = (what: keyof typeof rounds): string =>
      `${what} p50 ${percentile(rounds[what], 0.5).toFixed(2)} p99 ${percentile(rounds[what], 0.99).toFixed(2)} ms`
    console.log(`      ${line('free')}; ${line('gated')}; ${line('other')}`)
    const added = (what: 'gated' | 'other', share: number): number =>
      percentile(rounds[what], share) - percentile(rounds.free, share)
    below('added to a gated device (p50)', added('gated', 0.5), 2)
    below('added to another (p50)', added('other', 0.5), 0.5)
    strictlyBelow('added to a gated device (p99)', added('gated', 0.99), 2)
    strictlyBelow('added to another (p99)', added('other', 0.99), 0.5)
  })

  describe('when the agent is away', () => {
    let fresh = 0x6000
    /** Milliseconds until a device's question is answered again. */
    async function open(device: number): Promise<number> {
      const began = performance.now()
      await until(
        'an answer',
        async () => {
          const asked = await home.resolve(device, ['host20.example.com'], { ms: 200 })
          return asked.resolved === 1 || undefined
        },
        5000,
        20,
      )
      return performance.now() - began
    }
    beforeEach(async () => {
      await listed(LISTED)
      await home.order('allow', LISTED, { domain: 'example.com' })
      await home.order('block', BLOCKED, { domain: 'host21.example.com' })
      await home.resolve(LISTED, ['host20.example.com'], { port: PORT })
      await home.resolve(BLOCKED, ['host21.example.com'])
      await sleep(100)
    })

    async function holds(): Promise<void> {
      const times: number[] = []
      for (const device of [FREE, BLOCKED, LISTED]) times.push(await open(device))
      below('names again at most', Math.max(...times), 1000)
      // What is in the kernel holds: known addresses are open, others and those of blocked names are not.
      assert.equal(await home.reaches(LISTED, ['203.0.113.120']), 1)
      assert.equal(await home.reaches(LISTED, OUTSIDE), 0)
      assert.equal(await home.reaches(BLOCKED, ['203.0.113.121']), 0)
    }

    async function back(): Promise<void> {
      await until(
        'the agent',
        () => home.orders.rpc('get-rules', {}).catch(() => undefined),
        15_000,
      )
      await until('the gate', async () => {
        const { rcodes } = await home.resolve(BLOCKED, ['host21.example.com'])
        return rcodes[3] === 1 || undefined
      })
      // What waits in the queue while the tables are written anew is lost: the kernel drops it with the chain.
      await until('its tables', async () => {
        const [name] = namesOf(addresses(1, true, fresh++))
        const asked = { port: PORT, ipv6: true, server: RESOLVER6, ms: 500 }
        return (await home.resolve(LISTED, [name as string], asked)).connected === 1 || undefined
      })
      await sleep(500)
      fresh += 50
      const names = namesOf(addresses(50, true, fresh))
      const how = { port: PORT, ipv6: true, server: RESOLVER6 }
      assert.equal((await home.resolve(LISTED, names, how)).connected, names.length)
    }

    it('killed: names are open at once, what was learned holds, rules hold again later', async () => {
      await home.agent.program.stop('SIGKILL')
      await holds()
      await home.agent.restart('SIGKILL', 0)
      await back()
    })

    it('stopped by its service: the same', async () => {
      await home.agent.program.stop('SIGTERM')
      await holds()
      await home.agent.restart('SIGKILL', 0)
      await back()
    })

    it('hanging: the same', async () => {
      home.agent.program.signal('SIGSTOP')
      try {
        await holds()
      } finally {
        home.agent.program.signal('SIGCONT')
      }
      await back()
    })
  })
})
