// npm start as a whole: the agent, its broker and Node-RED come up, answer only themselves, and go down together.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const program = join(root, 'scripts/start.ts')

interface Running {
  child: ChildProcess
  page: string
  editor: string
  said: () => string
}

const running: ChildProcess[] = []

async function start(
  data: string,
  more: string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Running> {
  const child = spawn(process.execPath, [program, '--demo', '--data', data, ...more], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  running.push(child)
  let said = ''
  for (const output of [child.stdout, child.stderr])
    output?.on('data', (piece: Buffer) => {
      said += piece.toString()
    })
  const url = (what: string): string =>
    new RegExp(`${what} +(http://[^\\s]+)`).exec(said)?.[1] ?? ''
  for (const until = Date.now() + 60_000; !said.includes('Ctrl-C ends it'); ) {
    assert.ok(child.exitCode === null && Date.now() < until, said)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return { child, page: url('Page'), editor: url('Node-RED'), said: () => said }
}

/** Asks with headers of our own choice, as `fetch` may not. */
function get(url: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers, timeout: 10_000 }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    asked.on('upgrade', (response, socket) => {
      socket.destroy()
      resolve(response.statusCode ?? 0)
    })
    asked.on('timeout', () => asked.destroy(new Error(`${url} does not answer`)))
    asked.on('error', reject)
    asked.end()
  })
}

const webSocket = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

function processesUsing(text: string): string[] {
  const all = spawnSync('ps', ['-eo', 'pid,user:20,args'], { encoding: 'utf8' }).stdout
  return all.split('\n').filter((line) => line.includes(text))
}

async function ended(child: ChildProcess): Promise<number> {
  const begun = Date.now()
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return Date.now() - begun
}

describe('npm start', function () {
  this.timeout(90_000)
  let folder = ''

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'homespin-start-'))
  })

  afterEach(async () => {
    for (const child of running.splice(0)) {
      child.kill('SIGTERM')
      await ended(child)
    }
    rmSync(folder, { recursive: true, force: true })
  })

  it('runs all of it, answers none but its own pages, and ends all of it in time', async () => {
    // Open to all, as a checkout usually is; in the other tests only root may enter, where root runs them.
    chmodSync(folder, 0o755)
    const { child, page, editor, said } = await start(folder)
    assert.equal(await get(page), 200)
    assert.equal(await get(editor), 200)
    const { host, origin } = new URL(editor)
    const foreign = `http://other.example:${new URL(editor).port}`
    assert.equal(await get(editor, { host: new URL(foreign).host }), 403)
    assert.equal(await get(editor, { origin: foreign }), 403)
    assert.equal(await get(`${editor}comms`, { ...webSocket, origin }), 101)
    assert.equal(await get(`${editor}comms`, { ...webSocket, origin: foreign }), 403)
    assert.equal(await get(`${editor}comms`, { ...webSocket, host: `other.example:${host}` }), 403)

    const listed = await fetch(`${editor}nodes`, { headers: { accept: 'application/json' } })
    const sets = (await listed.json()) as { id: string; enabled: boolean; err?: string }[]
    const ours = sets.filter((each) => each.id.startsWith('@homespin/'))
    assert.deepEqual(
      ours.map(({ enabled, err }) => ({ enabled, err })),
      Array.from({ length: 11 }, () => ({ enabled: true, err: undefined })),
    )
    for (const until = Date.now() + 15_000; !said().includes('connected to the broker'); ) {
      assert.ok(Date.now() < until, said())
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    const own = processesUsing('scripts/node-red.ts')
    assert.ok(
      own.every((line) => !/^\s*\d+\s+root\s/.test(line)),
      own.join('\n'),
    )

    child.kill('SIGINT')
    child.kill('SIGINT')
    const ms = await ended(child)
    assert.equal(child.exitCode, 0, said())
    assert.ok(ms < 5000, `it took ${ms} ms to end`)
    assert.deepEqual(processesUsing(folder), [])
  })

  it('gives way where a port is taken, and keeps flows between runs', async () => {
    const first = await start(folder)
    const flows = join(folder, 'node-red-demo/flows.json')
    const before = readFileSync(flows, 'utf8')
    const other = mkdtempSync(join(tmpdir(), 'homespin-start-'))
    try {
      const second = await start(other)
      assert.notEqual(first.page, second.page)
      assert.notEqual(first.editor, second.editor)
      assert.equal(await get(second.editor), 200)
      second.child.kill('SIGTERM')
      await ended(second.child)
    } finally {
      rmSync(other, { recursive: true, force: true })
    }
    first.child.kill('SIGTERM')
    await ended(first.child)
    const again = await start(folder)
    assert.equal(await get(again.editor), 200)
    assert.equal(readFileSync(flows, 'utf8'), before)
  })

  it('has Node-RED find the agent by whatever it was configured, and keeps the made-up home apart', async () => {
    const secret = 'a password with a $ in it'
    const env = { HOMESPIN_AGENT: 'attic', HOMESPIN_MQTT_PASSWORD: secret }
    const flags = ['--mqtt-prefix=home/spin', '--mqtt-username', 'node', '--no-mqtt-publish-names']
    const { editor, child, said } = await start(folder, flags, env)
    const listing = `${editor}homespin/agents/6f0c2a51d8e94b07/devices`
    let devices: unknown[] = []
    for (const until = Date.now() + 30_000; devices.length === 0; ) {
      assert.ok(Date.now() < until, said())
      await new Promise((resolve) => setTimeout(resolve, 200))
      devices = ((await (await fetch(listing)).json()) as { devices: unknown[] }).devices
    }
    assert.ok(!said().includes(secret), said())
    const kept = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    assert.ok(kept.includes('agent/demo/devices.db'), kept.join())
    assert.ok(!kept.includes('agent/devices.db') && !kept.includes('node-red'), kept.join())
    // Commands find it where they find any agent.
    const listed = spawnSync(
      process.execPath,
      [join(root, 'agent/main.ts'), 'devices', '--json', '--data', join(folder, 'agent')],
      { encoding: 'utf8', timeout: 30_000 },
    )
    assert.match(listed.stdout, /"type":"device"/, listed.stderr)
    child.kill('SIGTERM')
    await ended(child)
  })

  it('ends the rest and says so when one part dies', async () => {
    const { child, said } = await start(folder)
    const agent = processesUsing(join(folder, 'agent')).find((line) =>
      line.includes('main.ts start'),
    )
    process.kill(Number(agent?.trim().split(/\s+/)[0]), 'SIGKILL')
    const ms = await ended(child)
    assert.equal(child.exitCode, 1)
    assert.ok(ms < 6000, `it took ${ms} ms to end`)
    assert.match(said(), /agent ended with SIGKILL; ending the rest/)
    assert.deepEqual(processesUsing(folder), [])
  })

  it('leaves nothing behind when it is killed itself', async () => {
    chmodSync(folder, 0o755)
    const { child } = await start(folder)
    child.kill('SIGKILL')
    await ended(child)
    for (const until = Date.now() + 6000; processesUsing(folder).length > 0; ) {
      assert.ok(Date.now() < until, processesUsing(folder).join('\n'))
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })

  it('explains itself, and refuses what it does not know', () => {
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', timeout: 60_000 })
    const help = run('--help')
    assert.equal(help.status, 0)
    assert.match(help.stdout, /--demo/)
    const wrong = run('--data', folder, '--mode', 'sideways')
    assert.equal(wrong.status, 1)
    assert.match(wrong.stderr, /sideways|mode/)
    assert.equal(run('--node-red-port', 'x').status, 1)
  })
})
