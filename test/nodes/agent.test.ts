// The nodes and the real agent, on the router of a home in network namespaces: what a flow orders, the kernel does.
import assert from 'node:assert/strict'
import { asOrdered } from '../../nodes/guard-act.ts'
import { below } from '../figure.ts'
import type { LabAgent } from '../lab/agent-process.ts'
import { agentInHome, MQTT_PORT, runHomespin } from '../lab/agent-process.ts'
import { Home } from '../lab/home.ts'
import { Probe } from '../lab/probing.ts'
import { requires, sleep, until as untilSome } from '../lab/process.ts'
import type { Tap } from '../lab/tap.ts'
import { CATCH, CAUGHT, dropped, EAR, order, rate, traffic } from './flows.ts'
import {
  badgesOf,
  deploy,
  Ear,
  nodeOf,
  startRuntime,
  stopRuntime,
  TAB,
  undeploy,
  until,
  untilBadge,
} from './runtime.ts'

const REMOTE = '203.0.113.9'
const EAR2 = { id: 'ear-2', type: 'helper' }

describe('nodes and the real agent', function () {
  this.timeout(90_000)
  const home = new Home({ position: 'two_armed', devices: 2 })
  const probes: Probe[] = []
  let agent: LabAgent
  let tap: Tap
  let sink: Probe
  let port = 0

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl')
    await home.start()
    ;({ agent, tap } = await agentInHome(home, ['--mqtt-commands', 'all']))
    port = await home.door(MQTT_PORT)
    await startRuntime()
    sink = probe('wan', 'sink')
    probe('dev1', 'source', REMOTE)
    await untilSome('traffic of the first device', async () =>
      (await sink.read()).count > 100 && tap.devices.has(home.device(0).id) ? true : undefined,
    )
  })
  after(async () => {
    await Promise.all(probes.map((each) => each.stop()))
    await stopRuntime()
    await tap?.stop()
    await agent?.stop()
    await home.stop()
  })
  afterEach(() => undeploy())

  function probe(where: string, ...args: string[]): Probe {
    const each = new Probe(home, where, ...args).start()
    probes.push(each)
    return each
  }

  const nameOf = (agent: string): object => ({ agent })

  it('quarantine, count what is dropped, and release, as packets show', async () => {
    const { id, mac } = home.device(0)
    const shut = order('quarantine', { level: 'full', device: mac, for: '10m', reason: 'a test' })
    const open = order('quarantine', { id: 'order-2', action: 'release', device: id })
    const counts = dropped({ devices: [id], cause: 'full', wires: [['ear-2']] })
    await deploy(port, [shut, open, counts, EAR, EAR2, CATCH, CAUGHT], nameOf(agent.id))
    const [ear, ear2] = [new Ear(nodeOf('ear-1')), new Ear(nodeOf('ear-2'))]
    const badges = badgesOf(nodeOf('order-1'))
    await untilBadge(badges, 'homespin.status.open')
    const asked = performance.now()
    nodeOf('order-1').receive({})
    const [msg] = await ear.take(1)
    const took = performance.now() - asked
    const answered = Date.now()
    await sleep(300)
    const late = (await sink.read()).times.filter((time) => time > answered + 5)
    console.log(`      confirmed in ${Math.round(took)} ms, then ${late.length} packets`)
    assert.deepEqual(late, [])
    const { policies, rules } = asOrdered(msg?.payload) ?? { policies: {}, rules: [] }
    assert.deepEqual(
      [policies[id]?.level, policies[id]?.in_force, policies[id]?.level_reason],
      ['full', true, 'a test'],
    )
    assert.deepEqual(rules[0]?.actor, { kind: 'flow', name: TAB, via: 'mqtt' })
    await untilBadge(badges, 'homespin.status.full')
    const [told] = await ear2.take(1)
    assert.ok(Number(told?.payload.packets) > 0)

    nodeOf('order-2').receive({})
    await ear.take(1)
    await untilBadge(badges, 'homespin.status.open')
    await untilSome('traffic again', async () =>
      (await sink.read()).times.length > 50 ? true : undefined,
    )
  })

  it('pass on what the agent refuses', async () => {
    const everyone = order('block', { who: 'everyone', remote: '192.0.2.1' })
    const nobody = order('quarantine', { id: 'order-2', device: 'no such device' })
    await deploy(port, [everyone, nobody, EAR, CATCH, CAUGHT], nameOf(agent.id))
    const [ear, caught] = [new Ear(nodeOf('ear-1')), new Ear(nodeOf('caught-1'))]
    await untilBadge(badgesOf(nodeOf('order-1')), 'homespin.status.online')
    const give = async (id: string): Promise<{ message: string; code: string }> => {
      nodeOf(id).receive({})
      return (await caught.take(1))[0]?.error as { message: string; code: string }
    }
    const gateway = await give('order-1')
    assert.equal(gateway.code, 'refused')
    assert.match(gateway.message, /this box/)
    const unknown = await give('order-2')
    assert.equal(unknown.code, 'not_found')
    assert.match(unknown.message, /there is no device "no such device"/)
    assert.deepEqual(ear.messages, [])
  })

  it('are a reverse firewall: 200 connections in 10 s, shut within 2 s of the 150th', async () => {
    const { id } = home.device(1)
    const watch = traffic({ when: 'new', direction: 'outbound', wires: [['rate-1']] })
    const counts = rate({ threshold: '150', window: '10', wires: [['order-1'], []] })
    const reason = { reason: 'reason', reasonType: 'msg' }
    const device = { device: 'topic', deviceType: 'msg' }
    const shut = order('quarantine', { level: 'full', for: '1m', ...device, ...reason })
    await deploy(port, [watch, counts, shut, EAR, CATCH, CAUGHT], nameOf(agent.id))
    const ear = new Ear(nodeOf('ear-1'))
    await untilBadge(badgesOf(nodeOf('traffic-1')), 'homespin.status.online')
    const burst = probe('dev2', 'burst', REMOTE, '200', '8000')
    await until(
      () => ear.messages.length > 0 || tap.devices.get(id)?.policy?.level === 'full',
      'the quarantine',
    )
    await ear.take(1)
    const shutMs = Date.now()
    const { times } = await burst.read()
    const crossed = times[150] ?? Number.NaN
    below('confirmed after the 151st connection', shutMs - crossed, 2000)
    await untilSome('the state', () =>
      tap.devices.get(id)?.policy?.level === 'full' ? true : undefined,
    )
    // This runtime has no catalogues: the reason is the id of its text.
    assert.equal(tap.devices.get(id)?.policy?.level_reason, 'homespin-rate.reason.above')
  })

  it('confirm what would be rolled back, once it is answered', async () => {
    probe('dev2', 'source', REMOTE)
    await until(() => tap.devices.has(home.device(1).id), 'the second device')
    // Both devices of the home: more than a quarter of all are not shut off for good without a word.
    const members = [0, 1].flatMap((n) => ['--member', home.device(n).id])
    const group = ['group-set', 'both', ...members, '--data', agent.data]
    const made = await runHomespin(group)
    assert.equal(made.code, 0, made.stderr)
    const both = { who: 'group', group: 'both' }
    const shut = order('quarantine', { ...both, level: 'full', for: '10m' })
    const left = { ...shut, id: 'order-2', confirm: false }
    const open = order('quarantine', { ...both, id: 'order-3', action: 'release' })
    await deploy(port, [shut, left, open, EAR, CATCH, CAUGHT], nameOf(agent.id))
    const ear = new Ear(nodeOf('ear-1'))
    await untilBadge(badgesOf(nodeOf('order-1')), 'homespin.status.online')
    const told: object[] = []
    for (const id of ['order-2', 'order-1', 'order-3']) {
      nodeOf(id).receive({})
      const [msg] = await ear.take(1)
      const { rules = [] } = asOrdered(msg?.payload) ?? {}
      told.push(rules.map((rule) => [rule.state, rule.confirm_until_ms !== undefined]))
    }
    assert.deepEqual(told.slice(0, 2), [[['active', true]], [['active', false]]])
  })
})
