// A router by SSH as somebody with the app sets it up: by options alone, from a router that knows nothing of it to one that is
// watched, and after each restart still.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { SOCKET } from '../../agent/paths.ts'
import type { Info } from '../../protocol/messages.ts'
import { TOKEN } from '../agent/supervisor/fake-supervisor.ts'
import { cleanEnvironment, homespin } from './agent-process.ts'
import { makeFolder, removeFolder } from './folders.ts'
import { Home } from './home.ts'
import { Program, requires, succeed, until } from './process.ts'
import { RemoteRouter, ROUTER_IP } from './remote-router.ts'

const SUPERVISOR = join(import.meta.dirname, '../agent/supervisor/fake-supervisor.ts')
const START_MS = 60_000

describe('lab: a router by SSH, from the app', function () {
  this.timeout(240_000)
  const home = new Home({ position: 'two_armed', devices: 2 })
  const router = new RemoteRouter(home, 22)
  const inside = (...command: string[]): string[] => home.inside('dev2', ...command)
  let supervisor: Program
  let app: Program
  let data = ''

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl', 'sshd', 'ssh', 'ssh-keyscan', 'tcpdump', 'dash')
    await home.start()
    await router.prepare()
    router.authorize()
    await router.start()
    data = makeFolder()
    supervisor = new Program('ip', inside(process.execPath, SUPERVISOR, '127.0.0.1')).start()
    await supervisor.until(/listening/)
  })
  after(async () => {
    await app?.stop()
    await supervisor?.stop('SIGKILL')
    await router.stop()
    await home.stop()
    if (data !== '') removeFolder(data)
  })

  /** As a person saves options: the app is started with them. */
  function startWith(options: object): Program {
    writeFileSync(join(data, 'options.json'), JSON.stringify(options))
    const env = cleanEnvironment({ SUPERVISOR_TOKEN: TOKEN, SUPERVISOR_URL: 'http://127.0.0.1' })
    const [program, ...args] = homespin('start', '--data', data)
    app = new Program('ip', inside(program, ...args), env).start()
    return app
  }
  const key = (name: string): string => readFileSync(join(data, 'ssh', name), 'utf8')
  const remote = { mode: 'remote', router: `root@${ROUTER_IP}` }
  /** What the page shows as what can be seen. */
  function visibility(): Promise<string> {
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: join(data, SOCKET), path: '/api/info' }, (answer) => {
        text(answer).then((body) => resolve((JSON.parse(body) as Info).visibility), reject)
      })
      asked.on('error', reject).end()
    })
  }

  it('waits for the host key to be compared, and shows what to do with which', async () => {
    const first = startWith(remote)
    await first.until(/mode remote; page off/, START_MS)
    const [, shown, line] = await first.until(
      /fingerprint (SHA256:\S+): compare .*\(router_host_key\): (ssh-ed25519 \S+)/,
    )
    const told = await succeed('ssh-keygen', ['-lf', '-'], { input: router.hostKey })
    assert.equal(shown, told.split(' ')[1])
    assert.ok(router.hostKey.startsWith(line ?? ''))
    await first.until(/its host key is not known\. The log shows it/)
    assert.match(await visibility(), /^nothing yet: root@192\.0\.2\.1 .* host key is not known/)
    assert.doesNotMatch(first.stderr, /ssh-keyscan|known_hosts/)
    await app.stop()
  })

  it('tells which key of its own the router has to take', async () => {
    const second = startWith({ ...remote, router_host_key: router.hostKey })
    await second.until(/it refuses this app's key\. Append the line/, START_MS)
    const [, line = ''] = await second.until(/authorized_keys of \S+: (restrict ssh-ed25519 .*)/)
    assert.equal(line, `restrict ${key('id_ed25519.pub').trim()}`)
    // It is let in without being started again.
    router.authorize(line)
    await second.until(/connected to root@192\.0\.2\.1/, 30_000)
    await second.until(/mode remote: everything that is routed/, 30_000)
  })

  it('keeps its keys over restarts and what a killed one left', async () => {
    const before = [key('id_ed25519'), key('known_hosts')]
    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGTERM'] as const) {
      const { code } = await app.stop(signal)
      if (signal === 'SIGTERM') assert.equal(code, 0)
      assert.deepEqual([key('id_ed25519'), key('known_hosts')], before)
      if (signal === 'SIGTERM') assert.ok(!existsSync(join(data, 'run/ssh')))
      const again = startWith({ ...remote, router_host_key: router.hostKey })
      await again.until(/connected to root@192\.0\.2\.1/, START_MS)
      await again.until(/mode remote: everything that is routed/, START_MS)
    }
    assert.deepEqual([key('id_ed25519'), key('known_hosts')], before)
  })

  it('sees what the router sees', async () => {
    const device = home.device(0)
    await until(
      'the device',
      async () => {
        await home.does(device, { does: 'send', to: '203.0.113.9', port: 9, count: 3, size: 100 })
        const [program, ...args] = homespin('devices', '--json', '--data', data)
        const said = await succeed('ip', inside(program, ...args))
        return said.includes(device.id) ? true : undefined
      },
      30_000,
      500,
    )
  })
})
