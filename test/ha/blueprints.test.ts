// An automation from each blueprint in a real Home Assistant, with the real agent on a router, real packets, and a phone.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { below } from '../figure.ts'
import type { Probe } from '../lab/probing.ts'
import { requires, sleep, until } from '../lab/process.ts'
import { requiresCore } from './core.ts'
import { HaHome } from './ha-home.ts'
import { Phone } from './phone.ts'

const REMOTE4 = '203.0.113.9'
const FILES = readdirSync(new URL('../../blueprints/automation/homespin/', import.meta.url))
/** Rates are told once a minute. */
const RATE_MS = 200_000

describe('blueprints in Home Assistant', function () {
  this.timeout(420_000)
  const ha = new HaHome({
    devices: 5,
    args: ['--reverse-firewall-connections', '60', '--reverse-firewall-remotes', '1000'],
    core: { packages: { helpers: 'input_boolean:\n  bedtime:\n  streaming:\n  released:\n' } },
  })
  const { home, core } = ha
  const phone = new Phone(core, ha.place)
  const [camera, lamp, tablet, player] = [1, 2, 3, 4].map((i) => home.device(i - 1))
  let sink: Probe

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl')
    requiresCore(this)
    await ha.start()
    await phone.start()
    await ha.meet(0, 1, 2, 3)
    sink = ha.probe('wan', 'sink')
    await ha.enable(player?.id ?? '', 'download_rate')
    core.complaints()
  })
  after(async () => {
    await phone.stop().catch(() => {})
    await ha.stop()
  })
  afterEach(async () => {
    await ha.http.rpc('release', { all: true })
  })

  const bedtime = (service: string): Promise<unknown> =>
    core.act('input_boolean', service, 'input_boolean.bedtime')

  /** Shuts a device off besides; gives the rule. */
  async function hold(device: { id: string } | undefined, term: object = {}): Promise<string> {
    const args = { device: device?.id, level: 'full', reason: 'a test', ...term }
    const { result, error } = await ha.http.rpc('quarantine', args)
    assert.equal(error, undefined)
    await ha.untilShown('quarantine', 'full', device?.id)
    return result?.rules[0]?.id ?? ''
  }

  /** Whether datagrams of a device arrive outside. */
  async function isSending(where: string): Promise<boolean> {
    await sink.read()
    const probe = ha.probe(where, 'source', REMOTE4)
    try {
      await until('a datagram', async () => ((await probe.read()).count > 200 ? true : undefined))
      await sleep(200)
      return (await sink.read()).times.length > 0
    } finally {
      await probe.stop()
    }
  }

  it('are saved when it is asked for, and again over earlier ones', async () => {
    const listed = async (): Promise<string[]> => {
      const all = await core.call<Record<string, { error?: string }>>('blueprint/list', {
        domain: 'automation',
      })
      const ours = Object.entries(all).filter(([path]) => path.startsWith('homespin/'))
      for (const [path, { error }] of ours) assert.equal(error, undefined, path)
      return ours.map(([path]) => path.replace('homespin/', '')).sort()
    }
    assert.deepEqual(await listed(), [])
    for (const replaced of [false, true]) {
      const { result, error } = await ha.http.rpc('blueprints-install', {})
      const { blueprints } = result as unknown as { blueprints: { replaced: boolean }[] }
      assert.equal(error, undefined)
      assert.equal(blueprints.length, FILES.length)
      assert.ok(blueprints.every((one) => one.replaced === replaced))
      assert.deepEqual(await listed(), FILES.toSorted())
    }
  })

  it('streaming: an automation waits for it', async () => {
    const inHelper = (service: string): object[] => [
      { action: `input_boolean.${service}`, target: { entity_id: 'input_boolean.streaming' } },
    ]
    await ha.automate('streaming', {
      rate: await ha.entity('download_rate', player?.id),
      threshold: 100,
      quiet: { seconds: 2 },
      started: inHelper('turn_on'),
      stopped: inHelper('turn_off'),
    })
    ha.probe('dev4', 'download', REMOTE4)
  })

  it('incident: a device that misbehaves is quarantined from the phone', async () => {
    const detections = await Promise.all(
      [camera, lamp].map((one) => ha.entity('detection', one?.id)),
    )
    await ha.automate('incident_to_phone', { detections, phone: phone.deviceId })
    ha.probe('dev1', 'burst', REMOTE4, '120', '2000')
    const push = await phone.next(/began \d+ connections/)
    assert.deepEqual(
      push.data?.actions?.map(({ title }) => title),
      ['Quarantine', 'Allow once', 'Allow always'],
    )
    assert.equal(await isSending('dev1'), true)
    const pressed = Date.now()
    await phone.press(push, 'Quarantine')
    const { last_changed } = await ha.untilShown('quarantine', 'full', camera?.id)
    below('button on the phone to quarantined (ms)', Date.parse(last_changed) - pressed, 1000)
    assert.equal(await isSending('dev1'), false)
  })

  it('incident: what is allowed always raises no other one', async () => {
    const burst = async (): Promise<void> => {
      const probe = ha.probe('dev2', 'burst', REMOTE4, '120', '1000')
      await until('a burst', async () => ((await probe.read()).count >= 120 ? true : undefined))
      await probe.stop()
      await sleep(3000)
    }
    await burst()
    await phone.press(await phone.next(/began \d+ connections/), 'Allow always')
    await ha.untilShown('anomaly', 'off', lamp?.id)
    const { result } = await ha.http.rpc('get-limits', {})
    const { exceptions } = result as unknown as { exceptions: { device_id: string }[] }
    assert.deepEqual(
      exceptions.map(({ device_id }) => device_id),
      [lamp?.id],
    )
    await burst()
    assert.deepEqual(phone.unread, [])
    await ha.end('incident_to_phone')
  })

  it('new device: it is held until the phone lets it in', async () => {
    const new_device = await ha.entity('new_device')
    await ha.automate('new_device', { new_device, phone: phone.deviceId, level: 'full' })
    const mac = '02:0d:e0:00:00:f5'
    await home.in('dev5', 'ip', 'link', 'set', 'eth0', 'address', mac)
    const source = ha.probe('dev5', 'source', REMOTE4)
    const push = await phone.next(/New device/).finally(() => source.stop())
    assert.match(push.message, /It is held until you let it in/)
    assert.equal(await isSending('dev5'), false)
    await phone.press(push, 'Let it in')
    await ha.untilShown('quarantine', 'open', '020de00000f5')
    await until('packets', async () => ((await isSending('dev5')) ? true : undefined))
    await ha.end('new_device')
  })

  it('pause: internet goes and comes with a schedule', async () => {
    const switches = [await ha.entity('internet', tablet?.id)]
    await ha.automate('pause_internet', { switches, schedules: ['input_boolean.bedtime'] })
    await bedtime('turn_on')
    const { attributes } = await ha.untilShown('internet', 'off', tablet?.id)
    assert.equal(attributes.reason, 'paused by automation.pause-internet')
    assert.equal(await isSending('dev3'), false)
    await bedtime('turn_off')
    await ha.untilShown('internet', 'on', tablet?.id)
    assert.equal(await isSending('dev3'), true)
    // What is shut off further is not opened by it, and once that has ended neither is this pause left.
    await bedtime('turn_on')
    await ha.untilShown('internet', 'off', tablet?.id)
    const rule = await hold(tablet, { for: '1h' })
    await bedtime('turn_off')
    await sleep(2000)
    await ha.untilShown('quarantine', 'full', tablet?.id)
    await ha.http.rpc('release', { rule })
    await ha.untilShown('internet', 'on', tablet?.id)
  })

  it('pause: one that ended while the agent was away ends when it is back', async () => {
    await bedtime('turn_on')
    await ha.untilShown('internet', 'off', tablet?.id)
    await ha.agent.program.stop('SIGKILL')
    await ha.untilShown('internet', 'unavailable', tablet?.id)
    await bedtime('turn_off')
    await sleep(1000)
    ha.agent.program.start()
    await ha.untilShown('internet', 'on', tablet?.id, 60_000)
    assert.equal(await isSending('dev3'), true)
    await ha.end('pause_internet')
  })

  it('pause: internet goes with the last one who is at home, and comes with the first', async () => {
    const people = ['device_tracker.anna', 'device_tracker.ben']
    const is = async (who: string | undefined, state: string): Promise<void> => {
      await core.setState(String(who), state)
    }
    for (const who of people) await is(who, 'home')
    const switches = [await ha.entity('internet', tablet?.id)]
    await ha.automate('pause_internet', { switches, people })
    await is(people[0], 'not_home')
    await sleep(1500)
    await ha.untilShown('internet', 'on', tablet?.id)
    // A phone whose place nobody knows is not away.
    await is(people[0], 'unknown')
    await is(people[1], 'unknown')
    await is(people[0], 'not_home')
    await ha.untilShown('internet', 'off', tablet?.id)
    assert.equal(await isSending('dev3'), false)
    await is(people[1], 'home')
    await ha.untilShown('internet', 'on', tablet?.id)
    assert.equal(await isSending('dev3'), true)
    await ha.end('pause_internet')
  })

  it('night: it ends without agent and Home Assistant, and an incident does not end with it', async () => {
    const both = [tablet, lamp]
    const quarantines = await Promise.all(both.map((one) => ha.entity('quarantine', one?.id)))
    const at = (inS: number): string =>
      new Date(Date.now() + inS * 1000).toLocaleTimeString('en-GB', {
        timeZone: 'Europe/Amsterdam',
      })
    await hold(lamp)
    const endMs = Date.now() + 60_000
    await ha.automate('quarantine_at_night', {
      quarantines,
      from: at(5),
      to: at(60),
      level: 'full',
    })
    const { attributes } = await ha.untilShown('quarantine', 'full', tablet?.id)
    assert.equal(attributes.reason, 'at night')
    assert.ok(Math.abs(Number(attributes.until_ms) - endMs) < 2000, `${attributes.until_ms}`)
    assert.equal(await isSending('dev3'), false)
    await core.stopCore()
    await ha.agent.program.stop('SIGKILL')
    assert.equal(await isSending('dev3'), false)
    assert.ok(Date.now() < endMs, 'this machine is too slow for a night so short')
    await until('the morning', async () => ((await isSending('dev3')) ? true : undefined), 90_000)
    assert.ok(Date.now() > endMs - 1000)
    assert.equal(await isSending('dev2'), false)
    ha.agent.program.start()
    await core.startCore()
    await ha.untilShown('quarantine', 'open', tablet?.id, 60_000)
    const { attributes: held } = await ha.untilShown('quarantine', 'full', lamp?.id)
    assert.equal(held.reason, 'a test')
    assert.equal(held.until_ms, undefined)
    await ha.end('quarantine_at_night')
  })

  it('probation: a device that is quiet is released', async () => {
    const quarantine = await ha.entity('quarantine', tablet?.id)
    await ha.automate('release_after_probation', {
      quarantines: [quarantine],
      probation: { seconds: 5 },
      released: [
        { action: 'input_boolean.turn_on', target: { entity_id: 'input_boolean.released' } },
      ],
    })
    await core.act('select', 'select_option', quarantine, { option: 'full' })
    const begun = Date.parse((await ha.untilShown('quarantine', 'full', tablet?.id)).last_changed)
    const { last_changed } = await ha.untilShown('quarantine', 'open', tablet?.id, 90_000)
    assert.ok(Date.parse(last_changed) - begun >= 5000)
    await core.untilState('input_boolean.released', ({ state }) => state === 'on')
    await ha.end('release_after_probation')
  })

  it('streaming: a lot of traffic begins', async () => {
    await core.untilState('input_boolean.streaming', ({ state }) => state === 'on', RATE_MS)
  })

  it('streaming: it ends', async () => {
    const quarantine = await ha.entity('quarantine', player?.id)
    await core.act('select', 'select_option', quarantine, { option: 'full' })
    await core.untilState('input_boolean.streaming', ({ state }) => state === 'off', RATE_MS)
  })

  it('leave Home Assistant nothing to complain of', () => {
    assert.deepEqual(core.complaints(), [])
  })
})
