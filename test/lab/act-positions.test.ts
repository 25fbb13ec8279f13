// The real agent wherever its box can stand: what each level and a block leave open, both ways, IPv4 and IPv6, to the
// internet and from device to device; that a one-armed box masquerades by itself; and that nothing stays when it is removed.
import assert from 'node:assert/strict'
import type { Level } from '../../protocol/policy.ts'
import type { LabAgent } from './agent-process.ts'
import { agentInHome, HTTP_PORT } from './agent-process.ts'
import type { HomeOptions } from './home.ts'
import { Home } from './home.ts'
import { HttpOrders } from './orders.ts'
import { Probe } from './probing.ts'
import { requires, sleep, until } from './process.ts'
import type { Tap } from './tap.ts'

const REMOTE4 = '203.0.113.9'
const REMOTE6 = '2001:db8:113::9'

/** A way that packets can take, all of the first device. */
const WAYS = ['out4', 'out6', 'in4', 'in6', 'to4', 'to6', 'from4', 'from6'] as const
type Way = (typeof WAYS)[number]
const INTERNET: readonly Way[] = ['out4', 'out6', 'in4', 'in6']
const PEER: readonly Way[] = ['to4', 'to6', 'from4', 'from6']

/** What is open at each level, where every packet passes the box. */
const OPEN: Readonly<Record<Level, readonly Way[]>> = {
  observe: WAYS,
  internet_only: INTERNET,
  local_only: PEER,
  full: [],
}

/** One-armed only IPv4 towards the internet passes: the rest goes round, also what begins outside. */
const ROUND: readonly Way[] = WAYS.filter((way) => way !== 'out4')

interface Case {
  name: string
  home: HomeOptions
}

const CASES: readonly Case[] = [
  { name: 'two-armed', home: { position: 'two_armed', devices: 2 } },
  { name: 'one-armed', home: { position: 'one_armed', devices: 2, masquerade: false } },
  { name: 'on a bridge', home: { position: 'bridge', devices: 2 } },
  {
    name: 'on a bridge with br_netfilter',
    home: { position: 'bridge', devices: 2, bridgeNetfilter: true },
  },
]

for (const { name, home: options } of CASES) {
  describe(`lab: acting ${name}`, function () {
    this.timeout(60_000)
    const home = new Home(options)
    const [device, peer] = [home.device(0), home.device(1)]
    const isOneArmed = options.position === 'one_armed'
    const sinks = new Map<string, Probe>()
    const probes: Probe[] = []
    let agent: LabAgent | undefined
    let tap: Tap
    let orders: HttpOrders
    let untouched = ''

    before(async function () {
      requires(this, 'root', 'ip', 'nft', 'openssl')
      await home.start()
      await home.in('wan', ...'ip route add 192.0.2.0/24 via 198.51.100.1'.split(' '))
      untouched = await ruleset()
      ;({ agent, tap } = await agentInHome(home, ['--enforce-on-stop', 'remove']))
      orders = new HttpOrders(await home.door(HTTP_PORT))
      for (const where of ['wan', 'dev1', 'dev2']) sinks.set(where, probe(where, 'sink'))
      probe('dev1', 'source', REMOTE4, REMOTE6, peer.ipv4, peer.ipv6)
      probe('wan', 'source', device.ipv4, device.ipv6)
      probe('dev2', 'source', device.ipv4, device.ipv6)
      // What it says to its neighbour crosses the ports of the LAN and is not seen on the bridge: only this is, or a question for
      // an address, which it need not ask where the other asked first.
      await home.does(peer, { does: 'send', to: REMOTE4, port: 9, count: 1, size: 10 })
      await until('both devices', () =>
        tap.devices.has(device.id) && tap.devices.has(peer.id) ? true : undefined,
      )
      await until('every way', async () => ((await open()).length === 8 ? true : undefined))
    })
    after(async () => {
      await Promise.all(probes.map((each) => each.stop()))
      await tap?.stop()
      await agent?.stop()
      await home.stop()
    })

    function probe(where: string, ...args: string[]): Probe {
      const each = new Probe(home, where, ...args).start()
      probes.push(each)
      return each
    }

    /** The box's own ruleset as a person reads it, without counters. */
    const ruleset = (): Promise<string> => home.in('box', 'nft', '-s', 'list', 'ruleset')

    /** The ways on which something comes through now. */
    async function open(): Promise<Way[]> {
      const read = async (): Promise<Record<string, number>[]> =>
        await Promise.all([...sinks.values()].map(async (sink) => (await sink.read()).from))
      await read()
      await sleep(400)
      const [wan = {}, own = {}, other = {}] = await read()
      const four = (from: Record<string, number>): boolean =>
        Object.keys(from).some((ip) => ip.includes('.'))
      const came: Record<Way, boolean> = {
        out4: four(wan),
        out6: device.ipv6 in wan,
        in4: '198.51.100.2' in own,
        in6: '2001:db8:2::2' in own,
        to4: device.ipv4 in other,
        to6: device.ipv6 in other,
        from4: peer.ipv4 in own,
        from6: peer.ipv6 in own,
      }
      return WAYS.filter((way) => came[way])
    }

    /** What is open though the table says that it is not: it goes round the box. */
    const expected = (inTable: readonly Way[]): Way[] =>
      WAYS.filter((way) => inTable.includes(way) || (isOneArmed && ROUND.includes(way)))

    async function ordered(verb: string, args: object): Promise<void> {
      const { result, error } = await orders.rpc(verb, { device: device.id, ...args })
      assert.ok(result, `${verb}: ${error?.message}`)
      await sleep(50)
    }

    it('holds each level as far as it says, and releases it', async () => {
      const levels = tap.info?.capabilities.levels?.values ?? []
      if (isOneArmed) assert.deepEqual(levels, ['observe', 'local_only', 'full'])
      else assert.deepEqual(levels, Object.keys(OPEN))
      for (const level of Object.keys(OPEN) as Level[]) {
        if (!levels.includes(level)) {
          const { error } = await orders.rpc('quarantine', { device: device.id, level })
          assert.match(error?.message ?? '', /can't be held here/)
          continue
        }
        await ordered('quarantine', { level })
        assert.deepEqual(await open(), expected(OPEN[level]), level)
      }
      const policy = await until('what the kernel has', () => {
        const now = tap.devices.get(device.id)?.policy
        return now?.level === 'full' ? now : undefined
      })
      assert.equal(policy.in_force, true)
      if (isOneArmed) assert.match(policy.uncovered ?? '', /IPv6/)
      else assert.equal(policy.uncovered, undefined)
      await ordered('release', {})
      assert.deepEqual(await open(), WAYS)
    })

    it('holds a block of one remote, and no more', async () => {
      await ordered('block', { endpoint: REMOTE4 })
      assert.deepEqual(
        await open(),
        WAYS.filter((way) => way !== 'out4'),
      )
      // Twice is once.
      await ordered('block', { endpoint: REMOTE4 })
      await ordered('unblock', { endpoint: REMOTE4 })
      assert.deepEqual(await open(), WAYS)
      const six = await orders.rpc('block', { device: device.id, endpoint: REMOTE6 })
      if (isOneArmed) {
        assert.match(six.error?.message ?? '', /goes round this box/)
        return
      }
      assert.deepEqual(
        await open(),
        WAYS.filter((way) => way !== 'out6'),
      )
      await ordered('unblock', { endpoint: REMOTE6 })
    })

    it('holds a block of another device of the home, both ways', async () => {
      if (isOneArmed) {
        const { error } = await orders.rpc('block', { device: device.id, endpoint: peer.ipv4 })
        assert.match(error?.message ?? '', /without this box/)
        return
      }
      await ordered('block', { endpoint: peer.ipv4 })
      const closed = ['to4', 'from4']
      assert.deepEqual(
        await open(),
        WAYS.filter((way) => !closed.includes(way)),
      )
      await ordered('unblock', { endpoint: peer.ipv4 })
      assert.deepEqual(await open(), WAYS)
    })

    if (isOneArmed) {
      it('sees answers, as it masquerades by itself, and tells nobody of a shorter way', async () => {
        const redirects = async (): Promise<number> =>
          redirectsIn(await home.in('dev1', 'cat', '/proc/net/snmp'))
        const first = await redirects()
        const download = probe('dev1', 'download', REMOTE4)
        await until('bytes', async () => ((await download.read()).count > 20 ? true : undefined))
        await until('the answers in its flow', () => {
          const flows = [...tap.flows.values()].filter((flow) => flow.responder.port === 9001)
          return flows.some((flow) => flow.received_bytes > 10_000) || undefined
        })
        await download.stop()
        assert.equal(await redirects(), first)
        await leave()
        // The control: this box does send them once nothing drops them.
        await until('a redirect', async () => ((await redirects()) > first ? true : undefined))
      })
    }

    it('leaves nothing when it is stopped to remove', async () => {
      await leave()
      assert.equal(await ruleset(), untouched)
    })

    async function leave(): Promise<void> {
      if (agent === undefined) return
      await orders.rpc('quarantine', { device: peer.id, level: 'full' })
      const { code } = await agent.stop()
      agent = undefined
      assert.equal(code, 0)
    }
  })
}

/** Of /proc/net/snmp. */
function redirectsIn(text: string): number {
  const [names = [], values = []] = text
    .split('\n')
    .filter((line) => line.startsWith('Icmp:'))
    .map((line) => line.split(' '))
  return Number(values[names.indexOf('InRedirects')])
}
