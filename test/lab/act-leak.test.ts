// Nothing of a quarantined device passes while the real agent is killed in the midst of orders, while its rules are written
// anew, and while it stands still.
import assert from 'node:assert/strict'
import { count } from '../full.ts'
import type { LabAgent } from './agent-process.ts'
import { agentInHome, HTTP_PORT } from './agent-process.ts'
import { Home } from './home.ts'
import type { Outcome } from './orders.ts'
import { HttpOrders } from './orders.ts'
import { Probe, percentile } from './probing.ts'
import { requires, sleep, until } from './process.ts'
import type { Tap } from './tap.ts'

const KILLS = count('LAB_KILLS', 2, 100)
const RELOADS = count('LAB_RELOADS', 6, 100)
const STOP_S = count('LAB_STOP_S', 2, 60)
const REMOTE4 = '203.0.113.9'
const REMOTE6 = '2001:db8:113::9'

describe('lab: a quarantined device', function () {
  this.timeout(60_000 + KILLS * 6000 + RELOADS * 2000 + STOP_S * 2000)
  const home = new Home({ position: 'two_armed', devices: 2 })
  const [device, other] = [home.device(0), home.device(1)]
  const probes: Probe[] = []
  let agent: LabAgent
  let tap: Tap
  let http: HttpOrders
  let source: Probe
  let sink: Probe

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl')
    await home.start()
    ;({ agent, tap } = await agentInHome(home))
    http = new HttpOrders(await home.door(HTTP_PORT))
    sink = probe('wan', 'sink')
    source = probe('dev1', 'source', REMOTE4, REMOTE6)
    await home.does(other, { does: 'send', to: '192.0.2.1', port: 9, count: 2, size: 16 })
    await until('both devices', () =>
      tap.devices.has(device.id) && tap.devices.has(other.id) ? true : undefined,
    )
    const { error } = await quarantine('full')
    assert.equal(error, undefined)
    await sleep(100)
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

  const quarantine = (level: string): Promise<Outcome> =>
    http.rpc('quarantine', { device: device.id, level })

  /** How many packets were sent and came through while `work` was done. */
  async function leaked(work: () => Promise<void>): Promise<{ sent: number; came: number }> {
    const before = (await source.read()).count
    await sink.read()
    await work()
    await sleep(100)
    const sent = (await source.read()).count - before
    assert.ok(sent > 200, `only ${sent} packets were sent: that proves nothing`)
    return { sent, came: (await sink.read()).times.length }
  }

  /** Until the agent that was started again holds what stands. */
  async function well(): Promise<void> {
    await until('the agent', () => (tap.info?.capabilities.enforce?.ok ? true : undefined), 15_000)
  }

  it(`leaks nothing over ${KILLS} kills in the midst of orders`, async () => {
    const readyMs: number[] = []
    const lies: unknown[] = []
    tap.onDevice = ({ id, policy }) => {
      if (id === device.id && policy && policy.level === undefined) lies.push(policy)
    }
    const { sent, came } = await leaked(async () => {
      for (let i = 0; i < KILLS; i++) {
        // What was under way is lost or carried out; either way it is shut.
        const levels = ['local_only', 'full']
        const asked = levels.map((level) => quarantine(level).catch(() => undefined))
        await sleep(Math.random() * 40)
        await agent.program.stop('SIGKILL')
        await Promise.all(asked)
        await sleep(Math.random() * 500)
        delete tap.info
        const began = Date.now()
        agent.program.start()
        // Killed again while it starts, too.
        if (i % 3 === 1) {
          await sleep(Math.random() * 800)
          await agent.restart('SIGKILL', 10)
        }
        await well()
        readyMs.push(Date.now() - began)
      }
    })
    console.log(
      `      ${came} of ${sent} packets over ${KILLS} kills; ready p95 ${percentile(readyMs, 0.95)} ms after its start`,
    )
    assert.equal(came, 0)
    tap.onDevice = undefined
    assert.deepEqual(lies, [], 'never told as free, not even while it starts')
    const { result } = await http.rpc('get-rules', {})
    assert.deepEqual(
      result?.rules.map(({ state }) => state),
      ['active'],
    )
  })

  it(`leaks nothing over ${RELOADS} rewritings of its rules`, async () => {
    const { sent, came } = await leaked(async () => {
      for (let i = 0; i < RELOADS; i++) {
        // Another address of the box and another port of its LAN make another ruleset.
        const verb = i % 2 === 0 ? 'add' : 'del'
        await home.in('box', ...`ip addr ${verb} 192.0.2.200/32 dev br-lan`.split(' '))
        await home.in(
          'box',
          ...(i % 2 === 0
            ? 'ip link add spare type veth peer name spare2'
            : 'ip link del spare'
          ).split(' '),
        )
        if (i % 2 === 0) await home.in('box', ...'ip link set spare master br-lan up'.split(' '))
        await quarantine(i % 2 === 0 ? 'local_only' : 'full')
        await http.rpc(i % 2 === 0 ? 'quarantine' : 'release', { device: other.id })
        await sleep(120)
      }
    })
    console.log(`      ${came} of ${sent} packets over ${RELOADS} rewritings`)
    assert.equal(came, 0)
  })

  it(`leaks nothing while the agent stands still for ${STOP_S} s`, async () => {
    const { sent, came } = await leaked(async () => {
      agent.program.signal('SIGSTOP')
      await sleep(STOP_S * 1000)
      agent.program.signal('SIGCONT')
      assert.equal((await quarantine('full')).error, undefined)
    })
    console.log(`      ${came} of ${sent} packets while it stood still`)
    assert.equal(came, 0)
  })

  it('holds while the agent is stopped, as on_stop=keep says, and is taken up again', async () => {
    const { came } = await leaked(async () => {
      await agent.program.stop('SIGTERM')
      await sleep(500)
      delete tap.info
      agent.program.start()
      await well()
    })
    assert.equal(came, 0)
    await http.rpc('release', { device: device.id })
    await until('traffic again', async () =>
      (await sink.read()).times.length > 0 ? true : undefined,
    )
  })
})
