// What goes wrong around an agent: it says what it is, goes on or ends cleanly, and is well again afterwards.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { GENERATOR } from '../agent/cli/program.ts'
import { count } from '../full.ts'
import type { Mosquitto } from '../nodes/mosquitto.ts'
import { freePort, startMosquitto } from '../nodes/mosquitto.ts'
import { LabAgent, runHomespin } from './agent-process.ts'
import { makeFolder, removeFolder } from './folders.ts'
import { requires, sleep, until } from './process.ts'
import { Tap } from './tap.ts'

/** How long the broker is away. */
const OUTAGE_MS = count('LAB_OUTAGE_S', 6, 60) * 1000

const DEMO = ['--mode', 'demo', '--http', 'off']

describe('lab: an agent and its broker', function () {
  this.timeout(OUTAGE_MS + 60_000)
  let broker: Mosquitto | undefined
  let agent: LabAgent | undefined
  let tap: Tap
  before(function () {
    requires(this, 'mosquitto')
  })
  beforeEach(() => {
    tap = new Tap('lab')
  })
  afterEach(async () => {
    await tap.stop()
    await agent?.stop()
    await broker?.stop()
    agent = undefined
    broker = undefined
  })

  it('waits for a broker that is away, and then tells what happened meanwhile', async () => {
    const port = await freePort()
    broker = await startMosquitto({ port })
    const url = `mqtt://127.0.0.1:${port}`
    agent = new LabAgent({ args: DEMO, broker: url }).start()
    await tap.start(url)
    await until('first flows', () => (tap.flows.size > 5 ? true : undefined), 15_000)
    const awayFrom = Date.now()
    await broker.stop()
    await agent.program.until(/cut the connection|closed the connection|nothing listens/)
    await sleep(OUTAGE_MS)
    const awayTo = Date.now()
    tap.devices.clear()
    tap.statuses.length = 0
    broker = await startMosquitto({ port })
    await until('its status', () => (tap.statuses.at(-1) === 'online' ? true : undefined), 70_000)
    await until('its devices', () => (tap.devices.size > 0 ? true : undefined), 10_000)
    const meanwhile = (): boolean =>
      [...tap.flows.values()].some((flow) => flow.first_ms > awayFrom && flow.first_ms < awayTo)
    await until('a flow that began meanwhile', () => meanwhile() || undefined, 10_000)
    console.log(`      broker away for ${OUTAGE_MS / 1000} s: back after ${Date.now() - awayTo} ms`)
  })

  it('says that the password is wrong, and goes on', async () => {
    broker = await startMosquitto({ user: 'home', password: 'right' })
    const secrets = ['--mqtt-username', 'home', '--mqtt-password', 'wrong']
    const url = `mqtt://127.0.0.1:${broker.port}`
    agent = new LabAgent({ args: [...DEMO, ...secrets], broker: url }).start()
    await agent.program.until(/refuses the user name or the password|does not let this user in/)
    assert.doesNotMatch(agent.stderr, /wrong/)
    assert.ok((await agent.devices()).size >= 0, 'it answers its commands')
    assert.equal((await agent.stop()).code, 0)
    agent = undefined
  })

  it('says that its source has ended, and begins the demo home again', async () => {
    broker = await startMosquitto()
    const url = `mqtt://127.0.0.1:${broker.port}`
    agent = new LabAgent({ args: DEMO, broker: url }).start()
    await tap.start(url)
    await until('first flows', () => (tap.flows.size > 5 ? true : undefined), 30_000)
    const { pid } = agent.program
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    const generator = children.find((child) =>
      readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('demo/main.ts'),
    )
    process.kill(Number(generator), 'SIGKILL')
    const said = (pattern: RegExp): true | undefined =>
      tap.events.some(
        ({ kind, sentence }) => kind === 'capability_changed' && pattern.test(sentence),
      )
        ? true
        : undefined
    await until('the event of its end', () => said(/^capture: .*it is begun again/), 10_000)
    await until('an interval that is not complete', () => tap.incomplete > 0 || undefined, 10_000)
    await until('the event of its return', () => said(/^capture: Packets are taken/), 30_000)
    const known = tap.flows.size
    await until('further flows', () => tap.flows.size > known || undefined, 30_000)
    assert.equal(tap.info?.capabilities.capture?.ok, true)
  })

  it('with a capture of a file: at its end it says so, and goes on without', async () => {
    broker = await startMosquitto()
    const url = `mqtt://127.0.0.1:${broker.port}`
    const folder = makeFolder()
    const file = join(folder, 'home.pcap')
    const made = ['--speed', 'max', '--seconds', '5']
    writeFileSync(file, spawnSync(process.execPath, [GENERATOR, ...made]).stdout)
    try {
      const args = ['--mode', 'file', '--file', file, '--lan', '192.0.2.0/24', '--http', 'off']
      // Before the agent: events are told once.
      await tap.start(url)
      agent = new LabAgent({ args, broker: url }).start()
      const capture = (): true | undefined =>
        tap.info?.capabilities.capture?.ok === false ? true : undefined
      await until('that it has ended', capture, 30_000)
      await until('an interval that is not complete', () => tap.incomplete > 0 || undefined, 10_000)
      const said = tap.events.map(({ sentence }) => sentence)
      assert.ok(said.includes('capture: The capture has come to its end.'), said.join('\n'))
    } finally {
      removeFolder(folder)
    }
  })

  it('of two with one id the later one is silent until the first has gone', async () => {
    broker = await startMosquitto()
    const url = `mqtt://127.0.0.1:${broker.port}`
    agent = new LabAgent({ args: DEMO, broker: url }).start()
    await tap.start(url)
    await until('first flows', () => (tap.flows.size > 5 ? true : undefined), 30_000)
    const { instance } = tap.info ?? {}
    const later = new LabAgent({ args: DEMO, broker: url }).start()
    try {
      await later.program.until(/another agent with the id lab was on the broker first/, 30_000)
      await until(
        'the word of the first',
        () =>
          tap.events.some(({ sentence }) => /^instance: another agent/.test(sentence)) || undefined,
      )
      const known = new Set(tap.flows.keys())
      await until('further flows', () => tap.flows.size > known.size + 5 || undefined, 30_000)
      assert.ok([...tap.flows.keys()].every((id) => id.startsWith(`${instance}-`)))
      assert.equal(tap.info?.instance, instance)
      assert.equal(tap.gaps, 0)
      const order = await runHomespin(['pause', '020de0000001', '--data', later.data])
      assert.equal(order.code, 1)
      assert.match(order.stderr, /publishes nothing and takes no changes/)
      await agent.stop()
      agent = undefined
      const isLater = (): true | undefined =>
        tap.info !== undefined && tap.info.instance !== instance ? true : undefined
      await until('the later one', isLater, 30_000)
      assert.match((await runHomespin(['devices', '--data', later.data])).stdout, /192\.0\.2\./)
    } finally {
      await later.stop()
    }
  })

  it('never tells a device less than before, killed at any moment', async () => {
    broker = await startMosquitto()
    const url = `mqtt://127.0.0.1:${broker.port}`
    agent = new LabAgent({ args: DEMO, broker: url }).start()
    const fallen: string[] = []
    const most = new Map<string, number>()
    tap.onDevice = ({ id, sent_bytes }) => {
      if (sent_bytes < (most.get(id) ?? 0)) fallen.push(`${id}: ${sent_bytes} < ${most.get(id)}`)
      most.set(id, Math.max(sent_bytes, most.get(id) ?? 0))
    }
    await tap.start(url)
    for (let round = 0; round < 3; round++) {
      const before = tap.statuses.length
      await until(
        'it is online',
        () => tap.statuses.indexOf('online', before) >= 0 || undefined,
        30_000,
      )
      await sleep(1500)
      await agent.restart('SIGKILL', 0)
    }
    await until('it is online', () => (tap.statuses.at(-1) === 'online' ? true : undefined), 30_000)
    await sleep(1000)
    assert.ok(most.size >= 5)
    assert.deepEqual(fallen, [])
  })

  it('is offline after SIGTERM, with exit code 0, and after a kill by its last will', async () => {
    broker = await startMosquitto()
    const url = `mqtt://127.0.0.1:${broker.port}`
    await tap.start(url)
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const one = new LabAgent({ args: DEMO, broker: url }).start()
      try {
        await until('online', () => (tap.statuses.at(-1) === 'online' ? true : undefined), 15_000)
        const begun = Date.now()
        const { code } = await one.program.stop(signal)
        if (signal === 'SIGTERM') assert.equal(code, 0, one.stderr)
        await until('offline', () => (tap.statuses.at(-1) === 'offline' ? true : undefined))
        assert.ok(Date.now() - begun < 5000, 'it ends in time')
      } finally {
        await one.stop()
      }
    }
  })
})

describe('lab: what an agent cannot start with', function () {
  this.timeout(30_000)
  let folder = ''
  before(() => {
    folder = makeFolder()
  })
  after(() => removeFolder(folder))

  it('a port in use: says which, and ends with 1', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as { port: number }
    try {
      const http = ['--http', `127.0.0.1:${port}`]
      const args = ['start', '--mode', 'demo', '--data', join(folder, 'port'), ...http]
      const ended = await runHomespin(args)
      assert.equal(ended.code, 1, ended.stderr)
      assert.match(ended.stderr, new RegExp(`127\\.0\\.0\\.1:${port} is in use`))
    } finally {
      taken.close()
    }
  })

  it('a second instance with the same data: says so, ends with 1, and leaves the first alone', async () => {
    const data = join(folder, 'second')
    const first = new LabAgent({ args: [...DEMO, '--mqtt-embedded-port', '0'], data }).start()
    try {
      await first.program.until(/broker mqtt:/)
      const ended = await runHomespin([
        'start',
        ...DEMO,
        '--mqtt-embedded-port',
        '0',
        '--data',
        data,
      ])
      assert.equal(ended.code, 1, ended.stderr)
      assert.match(ended.stderr, /already running/)
      assert.ok((await first.devices()) instanceof Map)
    } finally {
      assert.equal((await first.stop()).code, 0, first.stderr)
    }
  })

  const broken: { what: string; text: string; says: RegExp }[] = [
    { what: 'no YAML', text: 'mode: [gateway\n', says: /homespin\.yaml/ },
    {
      what: 'an unknown key',
      text: 'mode: host\ninterfaes: [eth0]\n',
      says: /interfaes.*no such key/,
    },
    { what: 'a wrong value', text: 'mode: router\n', says: /homespin\.yaml.*mode.*Example: mode/ },
    { what: 'a wrong value in a list', text: 'lan: [192.0.2.0/33]\n', says: /lan.*CIDR.*Example/ },
    { what: 'a wrong value in a group', text: 'flows:\n  max: lots\n', says: /flows\.max.*number/ },
  ]
  for (const { what, text, says } of broken) {
    it(`a configuration with ${what}: says where, and ends with 2`, async () => {
      const file = join(folder, 'homespin.yaml')
      writeFileSync(file, text)
      const ended = await runHomespin(['start', '--config', file, '--data', join(folder, 'never')])
      assert.equal(ended.code, 2, ended.stderr)
      assert.match(ended.stderr, says)
      assert.doesNotMatch(ended.stderr, /\n\s+at /, 'no stack for a person')
    })
  }

  it('a data folder that is no folder: says so, and ends with 1', async () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    const ended = await runHomespin(['start', '--mode', 'demo', '--data', join(file, 'data')])
    assert.equal(ended.code, 1, ended.stderr)
    assert.match(ended.stderr, /data directory .* can't be used/)
  })

  it('no agent to talk to: says so, and ends with 1', async () => {
    const ended = await runHomespin(['devices', '--data', join(folder, 'nobody')])
    assert.equal(ended.code, 1)
    assert.match(ended.stderr, /no agent is running/)
  })

  it('a wrong command line: says so, and ends with 2', async () => {
    for (const args of [['strat'], ['start', '--no-such-flag'], ['replay'], ['devices', 'x']]) {
      const ended = await runHomespin(args)
      assert.equal(ended.code, 2, `${args}: ${ended.stderr}`)
    }
  })
})
