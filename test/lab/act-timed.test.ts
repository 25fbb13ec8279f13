// Orders that end by themselves or are taken back, from the order to the packets: a duration, a window of a schedule, a
// change that nobody confirms, undo, panic, and the file DISABLE.
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { STRICT } from '../figure.ts'
import { FULL } from '../full.ts'
import type { LabAgent } from './agent-process.ts'
import { agentInHome, HTTP_PORT, runHomespin } from './agent-process.ts'
import type { HomeDevice } from './home.ts'
import { Home } from './home.ts'
import { HttpOrders } from './orders.ts'
import { Probe } from './probing.ts'
import { requires, sleep, until } from './process.ts'
import type { Tap } from './tap.ts'

/** IPv6, as each device keeps its own address on its way. */
const REMOTE = '2001:db8:113::9'
/** The limit is 2 s; more is for the tests' own doing on a slow machine. */
const TOLERANCE_MS = STRICT ? 2000 : 4000

describe('lab: orders in time', function () {
  this.timeout(100_000)
  const home = new Home({ position: 'two_armed', devices: 4 })
  const [one, two, three, four] = [0, 1, 2, 3].map((i) => home.device(i)) as [
    HomeDevice,
    HomeDevice,
    HomeDevice,
    HomeDevice,
  ]
  const probes: Probe[] = []
  let agent: LabAgent
  let tap: Tap
  let http: HttpOrders
  let sink: Probe

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl')
    await home.start()
    ;({ agent, tap } = await agentInHome(home))
    http = new HttpOrders(await home.door(HTTP_PORT))
    sink = probe('wan', 'sink')
    for (const { name } of home.devices) probe(name, 'source', REMOTE)
    const all = home.devices.map(({ id }) => id)
    await until('all devices', () => all.every((id) => tap.devices.has(id)) || undefined)
    await until('traffic of all', async () => ((await open()).length === 4 ? true : undefined))
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

  /** Devices whose packets come through now, by name. */
  async function open(): Promise<string[]> {
    await sink.read()
    await sleep(150)
    const { from } = await sink.read()
    return home.devices.filter(({ ipv6 }) => ipv6 in from).map(({ name }) => name)
  }

  async function isOpen({ name }: HomeDevice): Promise<boolean> {
    return (await open()).includes(name)
  }

  const levelOf = ({ id }: HomeDevice): string | undefined => tap.devices.get(id)?.policy?.level

  /** When the device is open and said to be open, in milliseconds of Date.now(). */
  async function opened(device: HomeDevice, timeoutMs: number): Promise<number> {
    return await until(
      `${device.name} open`,
      async () => {
        const at = Date.now()
        return (await isOpen(device)) && levelOf(device) === undefined ? at : undefined
      },
      timeoutMs,
      20,
    )
  }

  async function order(method: string, params: object) {
    const { result, error } = await http.rpc(method, params)
    assert.ok(result, `${method}: ${error?.message}`)
    return result
  }

  const quarantine = (device: HomeDevice, more: object = {}) =>
    order('quarantine', { device: device.id, level: 'full', reason: 'a test', ...more })

  it('a duration ends in the kernel and in the state, and so does what nobody confirms', async () => {
    const began = Date.now()
    const mac = ['quarantine', one.mac, '--level', 'full', '--for', '5s']
    const cli = await runHomespin([...mac, '--data', agent.data])
    assert.equal(cli.code, 0, cli.stderr)
    const ordered = Date.now()
    await quarantine(two, { confirm: 5 })
    const { rules } = await quarantine(three, { confirm: 5 })
    await order('confirm', { rule: rules[0]?.id })
    assert.deepEqual(await open(), ['dev4'])
    const [ended, rolledBack] = await Promise.all([opened(one, 12_000), opened(two, 12_000)])
    console.log(
      `      5 s ended after ${ended - ordered} to ${ended - began} ms; not confirmed, rolled back after ${rolledBack - ordered} ms`,
    )
    assert.ok(ended - began > 5000 - TOLERANCE_MS && ended - ordered < 5000 + TOLERANCE_MS)
    assert.ok(Math.abs(rolledBack - ordered - 5000) < TOLERANCE_MS)
    const told = (kind: string) => () => tap.events.find((event) => event.kind === kind)
    await until('the event of the end', told('rule_expired'))
    await until('the event of the roll-back', told('rolled_back'))
    assert.equal(told('rule_failed')(), undefined)
    assert.deepEqual(await open(), ['dev1', 'dev2', 'dev4'])
    assert.equal(levelOf(three), 'full')
    await order('release', { device: three.id })
    assert.equal((await open()).length, 4)
  })

  it('a duration goes on while the agent is down, in the kernel alone', async () => {
    await quarantine(one, { for: '4s' })
    const ordered = Date.now()
    await agent.program.stop('SIGKILL')
    assert.equal(await isOpen(one), false)
    const at = await until(
      'open again',
      async () => ((await isOpen(one)) ? Date.now() : undefined),
      9000,
      20,
    )
    assert.ok(Math.abs(at - ordered - 4000) < TOLERANCE_MS, `${at - ordered} ms`)
    delete tap.info
    agent.program.start()
    await until('the agent', () => (tap.info?.capabilities.enforce?.ok ? true : undefined))
    http = new HttpOrders(await home.door(HTTP_PORT))
    assert.deepEqual((await order('get-rules', {})).rules, [])
    assert.equal(await isOpen(one), true)
  })

  it('undo takes the last change back, also an undo', async () => {
    await quarantine(one)
    await order('block', { device: two.id, endpoint: REMOTE })
    assert.deepEqual(await open(), ['dev3', 'dev4'])
    const { journal_seq } = await order('undo', {})
    assert.deepEqual(await open(), ['dev2', 'dev3', 'dev4'])
    await order('undo', { seq: journal_seq })
    assert.deepEqual(await open(), ['dev3', 'dev4'])
    const { journal_seq: last = 0 } = await order('release', { device: one.id })
    assert.equal(await isOpen(one), true)
    await order('undo', { seq: last })
    assert.equal(await isOpen(one), false)
  })

  it('the file DISABLE opens everything while it is there', async () => {
    assert.deepEqual(await open(), ['dev3', 'dev4'])
    const file = join(agent.data, 'DISABLE')
    writeFileSync(file, '')
    const began = Date.now()
    await until('all open', async () => ((await open()).length === 4 ? true : undefined), 5000, 20)
    const openMs = Date.now() - began
    const refused = await http.rpc('quarantine', { device: three.id, level: 'full' })
    assert.match(refused.error?.message ?? '', /DISABLE/)
    await until('what is said', () => (levelOf(one) === undefined ? true : undefined))
    rmSync(file)
    await until(
      'shut again',
      async () => ((await open()).length === 2 ? true : undefined),
      5000,
      20,
    )
    await until('what is said', () => (levelOf(one) === 'full' ? true : undefined))
    console.log(`      all open ${openMs} ms after DISABLE`)
    assert.ok(openMs < TOLERANCE_MS)
  })

  it('panic opens everything at once', async () => {
    await quarantine(three)
    await order('quarantine', { new_devices: true, level: 'full' })
    assert.deepEqual(await open(), ['dev4'])
    const began = Date.now()
    const { code, stderr } = await runHomespin(['panic', '--data', agent.data])
    assert.equal(code, 0, stderr)
    assert.equal((await open()).length, 4)
    console.log(`      panic by the command line: ${Date.now() - began} ms`)
    assert.deepEqual((await order('get-rules', {})).rules, [])
    await order('undo', {})
    assert.deepEqual(await open(), ['dev4'])
    await order('panic', {})
    assert.equal((await open()).length, 4)
  })

  // It waits for the clock's next minutes; the times themselves are tested with clocks that are held.
  const wholeMinutes = FULL || process.env.HOMESPIN_LAB_MINUTES === '1' ? it : () => {}
  wholeMinutes('a window of a schedule begins and ends', async function () {
    const minute = Math.ceil((Date.now() + 3000) / 60_000) * 60_000
    const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 16)
    const days = [1, 2, 3, 4, 5, 6, 7]
    const window = (from: number, to: number): object => ({
      schedule: { time_zone: 'UTC', windows: [{ days, from: clock(from), to: clock(to) }] },
    })
    const { rules } = await quarantine(three, window(minute - 7_200_000, minute))
    const { rules: later } = await quarantine(four, window(minute, minute + 7_200_000))
    const [first] = rules
    if (first?.state === 'idle' && /clock/.test(first.state_reason ?? '')) {
      console.log(`      pending: ${first.state_reason}`)
      this.skip()
    }
    assert.deepEqual([first?.state, later[0]?.state], ['active', 'idle'])
    assert.deepEqual(await open(), ['dev1', 'dev2', 'dev4'])
    await sleep(Math.max(0, minute - Date.now() - TOLERANCE_MS))
    assert.deepEqual(await open(), ['dev1', 'dev2', 'dev4'])
    const both = async (): Promise<number | undefined> =>
      (await open()).join() === 'dev1,dev2,dev3' ? Date.now() : undefined
    const at = await until('one ended, the other begun', both, 8000, 20)
    console.log(`      one window ended and another began ${at - minute} ms after the minute`)
    assert.ok(Math.abs(at - minute) < TOLERANCE_MS)
    await until('what is said', () =>
      levelOf(three) === undefined && levelOf(four) === 'full' ? true : undefined,
    )
    await order('panic', {})
  })
})
