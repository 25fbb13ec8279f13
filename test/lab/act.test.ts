// The real agent on a router: what is ordered, what the kernel does, and what is said of it, on real packets.
import assert from 'node:assert/strict'
import type { Ordered } from '../../agent/policy/contract.ts'
import type { Level } from '../../protocol/policy.ts'
import { below } from '../figure.ts'
import { count } from '../full.ts'
import type { LabAgent } from './agent-process.ts'
import { agentInHome, HTTP_PORT, runHomespin } from './agent-process.ts'
import { Home } from './home.ts'
import { HttpOrders } from './orders.ts'
import { Probe, percentile } from './probing.ts'
import { requires, sleep, until } from './process.ts'
import type { Tap } from './tap.ts'

const REMOTE4 = '203.0.113.9'
const REMOTE6 = '2001:db8:113::9'
const ROUNDS = count('LAB_ROUNDS', 24, 100)
const DOWNLOADS = count('LAB_DOWNLOADS', 3, 40)
const KILLS = count('LAB_KILLS', 2, 100)

describe('lab: acting on a router', function () {
  this.timeout(120_000 + ROUNDS * 5000 + DOWNLOADS * 3000 + KILLS * 3000)
  const home = new Home({ position: 'two_armed', devices: 3 })
  const probes: Probe[] = []
  let agent: LabAgent
  let tap: Tap
  let http: HttpOrders
  let sink: Probe
  let id = ''

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl')
    await home.start()
    ;({ agent, tap } = await agentInHome(home, [
      ...['--reverse-firewall-policy', 'quarantine', '--reverse-firewall-connections', '200'],
      ...['--reverse-firewall-remotes', '1000'],
    ]))
    http = new HttpOrders(await home.door(HTTP_PORT))
    sink = probe('wan', 'sink')
    probe('dev1', 'source', REMOTE4, REMOTE6)
    id = home.device(0).id
    await until('traffic of the first device', async () =>
      (await sink.read()).count > 500 && tap.devices.has(id) ? true : undefined,
    )
  })
  // A test that fails leaves nothing to the next one.
  afterEach(async () => {
    await Promise.all(home.devices.map(({ id: device }) => http.rpc('release', { device })))
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

  async function order(method: string, params: object): Promise<Ordered> {
    const { result, error } = await http.rpc(method, params)
    assert.ok(result, `${method}: ${error?.message}`)
    return result
  }

  const quarantine = (level: Level, device = id): Promise<Ordered> =>
    order('quarantine', { device, level, reason: 'a test' })
  const release = (device = id): Promise<unknown> => order('release', { device })

  it('says what it can hold', () => {
    const { levels, enforce } = tap.info?.capabilities ?? {}
    assert.equal(enforce?.ok, true, enforce?.reason)
    assert.deepEqual(levels?.values, ['observe', 'internet_only', 'local_only', 'full'])
  })

  it('stops and releases at once, and never says what a packet disproves', async () => {
    const stops: number[] = []
    const releases: number[] = []
    const late: number[] = []
    // What the device's topic claims last, and when that was heard.
    let claim: { ms: number; isShut: boolean } | undefined
    tap.onDevice = ({ id: of, policy }) => {
      if (of !== id || policy === undefined) return
      const isShut = policy.level !== undefined
      if (isShut !== claim?.isShut) claim = { ms: Date.now(), isShut }
    }
    const claimed = (isShut: boolean): Promise<number> =>
      until(`a topic that says ${isShut ? 'shut' : 'free'}`, () =>
        claim?.isShut === isShut ? claim.ms : undefined,
      )
    for (let round = 0; round < ROUNDS; round++) {
      await sink.read()
      const asked = Date.now()
      const { policies } = await quarantine(round % 2 === 0 ? 'full' : 'local_only')
      const answered = Date.now()
      assert.equal(policies[id]?.in_force, true)
      const said = await claimed(true)
      await sleep(150)
      const { times } = await sink.read()
      stops.push((times.at(-1) ?? asked) - asked)
      for (const [what, ms] of [
        ['the answer', answered],
        ['the topic said so', said],
      ] as const) {
        const after = times.filter((time) => time > ms)
        assert.equal(after.length, 0, `${after.length} packets sent after ${what}`)
      }
      const freed = Date.now()
      await release()
      releases.push(
        (await until('traffic again', async () => (await sink.read()).times[0])) - freed,
      )
      const free = await claimed(false)
      const passes = async (): Promise<number | undefined> =>
        (await sink.read()).times.find((time) => time >= free)
      late.push((await until('what is sent after the topic said free', passes)) - free)
    }
    tap.onDevice = undefined
    const p95 = { stop: percentile(stops, 0.95), release: percentile(releases, 0.95) }
    below('order to effect p95', p95.stop, 150)
    below('release p95', p95.release, 500)
    below('shut though said to be free', Math.max(...late), 50)
  })

  it('cuts a running download', async () => {
    const device = home.device(1)
    const lasts: number[] = []
    for (let round = 0; round < DOWNLOADS; round++) {
      const download = probe('dev2', 'download', REMOTE4)
      await until('bytes of a device that is known', async () =>
        (await download.read()).count > 20 && tap.devices.has(device.id) ? true : undefined,
      )
      const asked = Date.now()
      await quarantine('full', device.id)
      await sleep(500)
      const { times } = await download.read()
      lasts.push((times.at(-1) ?? asked) - asked)
      await sleep(200)
      assert.equal((await download.read()).times.length, 0)
      await download.stop()
      await release(device.id)
    }
    below('download stopped p95', percentile(lasts, 0.95), 250)
  })

  it('publishes what the kernel has, and counts what was dropped', async () => {
    const { rules } = await quarantine('full')
    const told = await until('the state', () => {
      const policy = tap.devices.get(id)?.policy
      return policy?.level === 'full' && policy.in_force ? policy : undefined
    })
    assert.equal(told.level_reason, 'a test')
    const blocked = await until('what was dropped', () =>
      tap.blocked.find((each) => each.device_id === id && each.rule_id === rules[0]?.id),
    )
    assert.ok(blocked.packets > 0)
    assert.equal(blocked.cause, 'full')
    await release()
    await until('the state after', () =>
      tap.devices.get(id)?.policy?.level === undefined ? true : undefined,
    )
  })

  it('repairs what another tears down in under a second', async () => {
    await quarantine('full')
    await sleep(100)
    const gaps: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      await sink.read()
      await home.in('box', 'nft', 'delete', 'table', 'inet', 'homespin')
      await sleep(1000)
      const { times } = await sink.read()
      gaps.push((times.at(-1) ?? 0) - (times[0] ?? 0))
      await sleep(100)
      assert.equal((await sink.read()).times.length, 0, 'still open a second later')
    }
    below('open p95', percentile(gaps, 0.95), 300)
    assert.ok(Math.max(...gaps) < 1000, `${Math.max(...gaps)} ms`)
    await until('an event', () => tap.events.find((event) => event.kind === 'tampering'))
    await release()
  })

  it('quarantines a device that begins too many connections, within 2 s', async () => {
    const device = home.device(2)
    const burst = probe('dev3', 'burst', REMOTE4, '220', '8000')
    const shut = await until(
      'the quarantine',
      () => (tap.devices.get(device.id)?.policy?.level === 'full' ? Date.now() : undefined),
      15_000,
    )
    const { times } = await burst.read()
    const crossed = times[199] ?? Number.NaN
    below('shut after the 200th connection', shut - crossed, 2000)
    const incident = await until('the incident', () =>
      [...tap.incidents.values()].find((each) => each.device_id === device.id && each.action),
    )
    assert.equal(incident.kind, 'connection_rate')
    await release(device.id)
    await until('its end', () => (tap.incidents.has(incident.id) ? undefined : true))
  })

  it('is ordered by the command line, which says done when the kernel has it', async () => {
    const { mac } = home.device(0)
    const cli = (...args: string[]) => runHomespin([...args, '--data', agent.data])
    const done = await cli('quarantine', mac, '--level', 'full', '--for', '30m', '--reason', 'x')
    assert.equal(done.code, 0, done.stderr)
    await sink.read()
    await sleep(200)
    assert.equal((await sink.read()).times.length, 0)
    const protectedOne = await cli('block', '--everyone', '--endpoint', '192.0.2.1')
    assert.equal(protectedOne.code, 1)
    assert.match(protectedOne.stderr, /this box/)
    assert.equal((await cli('undo')).code, 0)
    await until('traffic again', async () =>
      (await sink.read()).times.length > 0 ? true : undefined,
    )
    assert.equal((await cli('quarantine', mac, '--level', 'very')).code, 2)
  })

  it('lets nothing through while it is killed and started again', async () => {
    await quarantine('full')
    await sleep(50)
    await sink.read()
    for (let kill = 0; kill < KILLS; kill++) {
      await agent.restart('SIGKILL', 200 + Math.random() * 1500)
    }
    await sleep(1500)
    const { times } = await sink.read()
    console.log(`      ${times.length} packets leaked over ${KILLS} kills`)
    assert.equal(times.length, 0)
    http = new HttpOrders(await home.door(HTTP_PORT))
    await until('the agent, which releases', async () => {
      const outcome = await http.rpc('release', { device: id }).catch(() => undefined)
      return outcome?.result
    })
  })
})
