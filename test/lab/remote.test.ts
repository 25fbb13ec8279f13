// The real agent on a machine of the LAN, watching and acting on a router over one SSH connection; the router has nothing but
// nft, tcpdump and a POSIX shell.
import assert from 'node:assert/strict'
import type { Ordered } from '../../agent/policy/contract.ts'
import type { Level } from '../../protocol/policy.ts'
import { agentAt, HTTP_PORT, LabAgent, MQTT_PORT } from './agent-process.ts'
import { Home } from './home.ts'
import { HttpOrders } from './orders.ts'
import { Probe } from './probing.ts'
import { requires, run, sleep, until } from './process.ts'
import { Doors } from './relay.ts'
import { RemoteRouter } from './remote-router.ts'
import { Tap } from './tap.ts'
import { RESOLVER4 } from './zone.ts'

const REMOTE4 = '203.0.113.9'
const REMOTE6 = '2001:db8:113::9'
const NEEDS = ['root', 'ip', 'nft', 'openssl', 'sshd', 'ssh', 'tcpdump', 'dash', 'ss']
/** Where the agent is. */
const AGENT = 3

describe('lab: a router by SSH', function () {
  this.timeout(120_000)
  const home = new Home({ position: 'two_armed', devices: 4 })
  const router = new RemoteRouter(home)
  const probes: Probe[] = []
  let doors: Doors
  let agent: LabAgent
  let tap: Tap
  let http: HttpOrders
  let sink: Probe
  let id = ''
  const inside = (...command: string[]): string[] =>
    home.inside(home.device(AGENT).name, ...command)

  before(async function () {
    requires(this, ...NEEDS)
    await home.start()
    await router.prepare()
    await router.start()
    doors = new Doors(inside, home.folder)
    const place = { inside, door: (to: number) => doors.open(to) }
    ;({ agent, tap } = await agentAt(place, [...router.arguments(), '--enforce-on-stop', 'remove']))
    http = new HttpOrders(await doors.open(HTTP_PORT))
    sink = probe('wan', 'sink')
    probe('dev1', 'source', REMOTE4, REMOTE6)
    id = home.device(0).id
    await until('traffic of the first device', async () =>
      (await sink.read()).count > 500 && tap.devices.has(id) ? true : undefined,
    )
    await untilEnforcing()
  })
  after(async () => {
    await Promise.all(probes.map((each) => each.stop()))
    await tap?.stop()
    await agent?.stop()
    await doors?.stop()
    await router.stop()
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
  const untilEnforcing = (): Promise<true> =>
    until('that it can enforce', () => tap.info?.capabilities.enforce?.ok || undefined, 20_000)

  /** Nothing of the device arrives from now on; what was under way may for a moment. */
  async function assertShut(ms = 400): Promise<void> {
    await sleep(20)
    await sink.read()
    await sleep(ms)
    assert.equal((await sink.read()).times.length, 0, 'packets got through')
  }

  const untilOpen = (): Promise<true> =>
    until('traffic', async () => ((await sink.read()).times.length > 50 ? true : undefined))

  it('says where it looks, what it can do there, and why not the rest', () => {
    const { mode, visibility, lan, capabilities = {}, interfaces } = tap.info ?? {}
    assert.equal(mode, 'remote')
    assert.match(visibility ?? '', /on the router root@192\.0\.2\.1, by SSH: .*br-lan/)
    assert.deepEqual(lan?.toSorted(), ['192.0.2.0/24', '2001:db8:1::/64'])
    assert.deepEqual(
      interfaces?.map(({ name, state }) => `${name} ${state}`),
      ['br-lan up'],
    )
    assert.deepEqual(capabilities.levels?.values, [
      'observe',
      'internet_only',
      'local_only',
      'full',
    ])
    assert.equal(capabilities.egress?.ok, true, capabilities.egress?.reason)
    for (const name of ['dns_gate', 'first_packets', 'queue']) {
      assert.equal(capabilities[name]?.ok, false)
      assert.match(capabilities[name]?.reason ?? '', /SSH/)
    }
  })

  it('shows devices with MACs, their flows and the names they asked for', async () => {
    const device = home.device(1)
    const name = 'host1.example.com'
    const asking = { name, family: 4, server: RESOLVER4, over: 'udp' } as const
    await home.does(device, { does: 'https', bytes: 50_000, ...asking })
    const seen = await until('the device', () => tap.devices.get(device.id))
    assert.equal(seen.mac, device.mac)
    assert.ok(seen.ips.includes(device.ipv4))
    await until('its query', () =>
      tap.dns.find((each) => each.device_id === device.id && each.query === name),
    )
    const flow = await until('its flow', () =>
      [...tap.flows.values()].find(
        (each) =>
          each.device_id === device.id && each.responder.port === 443 && each.state === 'closed',
      ),
    )
    assert.equal(flow.remote_name, name)
    assert.equal(flow.originator.mac, device.mac)
    // What comes in bulk is cut on its way here, and counted in full.
    assert.ok((flow.received_bytes ?? 0) > 50_000, `${flow.received_bytes}`)
    assert.ok(Math.abs(flow.last_ms - Date.now()) < 20_000, 'by the clock of this box')
  })

  it('uses one connection, and does not see it', async () => {
    assert.equal(await router.connections(), 1)
    assert.equal(router.accepted, 1)
    await sleep(1500)
    const own = [...tap.flows.values()].filter((flow) =>
      [flow.originator, flow.responder].some((end) => end.port === 2222),
    )
    assert.deepEqual(own, [])
  })

  it('holds quarantines and blocks on the router', async () => {
    for (const level of ['full', 'local_only'] as const) {
      const { policies } = await quarantine(level)
      assert.equal(policies[id]?.in_force, true)
      await assertShut()
      await release()
      await untilOpen()
    }
    for (const endpoint of [REMOTE4, REMOTE6]) {
      await order('block', { device: id, endpoint, reason: 'a test' })
    }
    await assertShut()
    const blocked = await until('what was dropped', () =>
      tap.blocked.find((each) => each.device_id === id),
    )
    assert.ok(blocked.packets > 0)
    await release()
    for (let left = 2; left > 0; left--) await order('undo', {})
    await untilOpen()
  })

  it('stops a running download', async () => {
    const device = home.device(1)
    const download = probe('dev2', 'download', REMOTE4)
    await until('bytes', async () => ((await download.read()).count > 20 ? true : undefined))
    const asked = Date.now()
    await quarantine('full', device.id)
    await sleep(500)
    const { times } = await download.read()
    console.log(`      download stopped ${(times.at(-1) ?? asked) - asked} ms after the order`)
    await sleep(300)
    assert.equal((await download.read()).times.length, 0)
    await download.stop()
    await release(device.id)
  })

  it('repairs what another tears down on the router', async () => {
    await quarantine('full')
    await assertShut()
    await home.in('box', 'nft', 'delete', 'table', 'inet', 'homespin')
    await sleep(1000)
    await assertShut()
    await until('an event', () => tap.events.find((event) => event.kind === 'tampering'))
    await release()
    await untilOpen()
  })

  it('refuses what would cut off the router, its gateway or itself', async () => {
    for (const endpoint of ['192.0.2.1', '198.51.100.2', home.device(AGENT).ipv4]) {
      const { error } = await http.rpc('block', { everyone: true, endpoint })
      assert.match(error?.message ?? '', /this box|default gateway|machine of this agent/)
    }
    const some = { to: REMOTE4, port: 7001, count: 3, size: 100 }
    await home.does(home.device(AGENT), { does: 'send', ...some })
    const own = await until('the device of the agent', () => tap.devices.get(home.device(AGENT).id))
    const { error } = await http.rpc('quarantine', { device: own.id, level: 'full' })
    assert.match(error?.message ?? '', /machine of this agent/)
    const { error: named } = await http.rpc('block', { device: id, domain: 'example.com' })
    assert.match(named?.message ?? '', /SSH/)
  })

  it('says that the router is gone, and takes capture and blocks over again', async () => {
    await quarantine('full')
    await assertShut()
    const before = tap.info?.loss.ring_packets ?? 0
    const incomplete = tap.incomplete
    await router.stop()
    const down = await until('an event', () =>
      tap.events.find((event) => event.kind === 'interface_down'),
    )
    assert.equal(down.interface, 'br-lan')
    await until('that nothing can be ordered', () =>
      tap.info?.capabilities.enforce?.ok === false ? true : undefined,
    )
    assert.match(tap.info?.capabilities.enforce?.reason ?? '', /can't be reached by SSH/)
    await home.in('box', 'nft', 'delete', 'table', 'inet', 'homespin')
    await untilOpen()
    await router.start()
    await until('capture', () => tap.events.find((event) => event.kind === 'interface_up'), 30_000)
    await untilEnforcing()
    await sleep(500)
    await assertShut()
    assert.equal(await router.connections(), 1)
    assert.ok(tap.incomplete > incomplete, 'intervals say that they are not complete')
    await until('what was lost', () =>
      (tap.info?.loss.ring_packets ?? 0) > before ? true : undefined,
    )
    await release()
    await untilOpen()
  })

  it('lets nothing through while it is killed, and leaves nothing that runs on the router', async () => {
    await quarantine('full')
    await assertShut()
    await agent.program.stop('SIGKILL')
    assert.deepEqual(await router.untilNothingRuns(), [])
    await assertShut(1000)
    agent.program.start()
    http = await until('the agent', async () => {
      const to = new HttpOrders(await doors.open(HTTP_PORT))
      return to.rpc('get-rules', {}).then(
        () => to,
        () => undefined,
      )
    })
    await assertShut(1000)
    await until(
      'what holds',
      async () => {
        const { result } = await http.rpc('get-rules', {})
        return result?.rules.some((rule) => rule.state === 'active') ? true : undefined
      },
      30_000,
    )
    await release()
    await untilOpen()
  })

  it('stops with nothing left on the router, where that is wanted', async () => {
    await quarantine('full')
    const { code } = await agent.program.stop('SIGTERM', 15_000)
    assert.equal(code, 0, agent.stderr)
    assert.equal(await home.in('box', 'nft', 'list', 'tables'), 'table ip home\n')
    assert.deepEqual(await router.untilNothingRuns(), [])
    await until('a connection that is closed', async () => {
      const left = await run('ip', inside('ss', '-Htn', 'state', 'established'))
      return left.stdout.includes(':2222') ? undefined : true
    })
  })
})

describe('lab: a router by SSH that is not as it should be', function () {
  this.timeout(60_000)
  const home = new Home({ position: 'two_armed', devices: 1 })
  const router = new RemoteRouter(home)
  const inside = (...command: string[]): string[] => home.inside('dev1', ...command)

  before(async function () {
    requires(this, ...NEEDS)
    await home.start()
    await router.prepare()
    await router.start()
  })
  after(async () => {
    await router.stop()
    await home.stop()
  })

  async function refused(args: string[], exit = 1): Promise<string> {
    const off = ['--http', 'off', '--mqtt-embedded-port', '0']
    const agent = new LabAgent({ args: [...args, ...off], inside }).start()
    const { code, stderr } = await agent.program.ended.finally(() => agent.stop())
    assert.equal(code, exit, stderr)
    return stderr
  }

  it('says what to do about a key that is not taken', async () => {
    const said = await refused(router.arguments({ key: 'stranger' }))
    assert.match(said, /it refuses the key. Add its public half to the authorized_keys/)
  })

  it('does not believe a host key that it does not know, or that is another one', async () => {
    const unknown = await refused(router.arguments({ known: 'unknown' }))
    assert.match(unknown, /its host key is not known.*ssh-keyscan -p 2222 192\.0\.2\.1 >> /)
    const changed = await refused(router.arguments({ known: 'changed' }))
    assert.match(changed, /another host key.*ssh-keygen -R '\[192\.0\.2\.1\]:2222'/)
    assert.equal(router.accepted, 0)
  })

  it('asks for the router', async () => {
    assert.match(await refused(['--mode', 'remote'], 2), /mode remote needs the router/)
  })

  it('waits for a router that is off, and begins by itself when it is there', async () => {
    await router.stop()
    const doors = new Doors(inside, home.folder)
    const ports = ['--http', `127.0.0.1:${HTTP_PORT}`, '--mqtt-embedded-port', String(MQTT_PORT)]
    const agent = new LabAgent({ args: [...router.arguments(), ...ports], inside }).start()
    const tap = new Tap(agent.id)
    try {
      await tap.start(`mqtt://127.0.0.1:${await doors.open(MQTT_PORT)}`)
      const reason = (): string => tap.info?.capabilities.enforce?.reason ?? ''
      await until('why not', () => /can't be reached by SSH/.test(reason()) || undefined)
      assert.match(tap.info?.visibility ?? '', /nothing yet: .*can't be reached by SSH/)
      await router.start()
      await until('capture', () => tap.info?.interfaces[0]?.state === 'up' || undefined, 20_000)
      await until('enforcement', () => tap.info?.capabilities.enforce?.ok || undefined, 20_000)
      assert.match(tap.info?.visibility ?? '', /br-lan/)
    } finally {
      await tap.stop()
      await agent.stop()
      await doors.stop()
    }
  })
})
