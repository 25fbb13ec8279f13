// The app in its own AppArmor profile, enforced: everything that it does is let through, and a shell, another program and a
// write outside /data are not. For a kernel with AppArmor: test/vm brings one (npm test -- vm).
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Answered, Asked } from '../agent/supervisor/asker.ts'
import { TOKEN, user } from '../agent/supervisor/fake-supervisor.ts'
import type { Step } from '../lab/client.ts'
import { Home } from '../lab/home.ts'
import { Namespaces } from '../lab/namespaces.ts'
import { Program, requires, run, succeed, until } from '../lab/process.ts'
import { RESOLVER4 } from '../lab/zone.ts'
import type { Image } from './container.ts'
import { buildImage, Container } from './container.ts'

const ROOT = join(import.meta.dirname, '../..')
const SUPERVISOR_TESTS = join(ROOT, 'test/agent/supervisor')
const MAIN = '/opt/homespin/agent/main.ts'
const HEALTH = '/opt/homespin/agent/supervisor/health.ts'
const NODE = '/usr/local/bin/node'
/** As the Supervisor calls an app of a repository of somebody's. */
const PROFILE = 'a0b1c2d3_homespin'
const BRIDGE = '172.30.32.1'
const SUPERVISOR = '172.30.32.2'
const PORT = 62345
const ADMIN = 'a'.repeat(32)
/** Programs are ten times slower in an emulated machine. */
const SLOW_MS = 240_000

// Elsewhere test/vm boots a kernel that has it.
const withAppArmor = existsSync('/sys/kernel/security/apparmor/policy') ? describe : () => {}

withAppArmor('the app in its profile', function () {
  this.timeout(1_200_000)
  const home = new Home({ position: 'two_armed', devices: 2 })
  const spaces = new Namespaces()
  let image: Image
  let container: Container
  let supervisor: Program

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl', 'unshare', 'apparmor_parser', 'dmesg')
    image = await buildImage()
    const profile = readFileSync(join(ROOT, 'ha-addon/apparmor.txt'), 'utf8')
    const renamed = profile.replace(/^profile homespin/m, `profile ${PROFILE}`)
    await succeed('apparmor_parser', ['-r', '-K'], { input: renamed, timeoutMs: SLOW_MS })
    await home.start()
    await layBridge()
    supervisor = new Program('ip', [
      ...spaces.exec(
        'sup',
        process.execPath,
        join(SUPERVISOR_TESTS, 'fake-supervisor.ts'),
        SUPERVISOR,
      ),
    ]).start()
    await supervisor.until(/listening/, SLOW_MS)
    const self = { ip_address: BRIDGE, ingress: true, ingress_port: PORT }
    supervisor.send(JSON.stringify({ self, users: [user(ADMIN, ['system-admin'])] }))
    await succeed('dmesg', ['--clear'])
    container = new Container({
      image,
      network: home.inside('box')[2] ?? '',
      options: { mode: 'gateway', interfaces: ['br-lan'], announce: 'known', publish_names: false },
      env: { SUPERVISOR_TOKEN: TOKEN, SUPERVISOR_URL: `http://${SUPERVISOR}` },
      profile: PROFILE,
      writable: true,
    })
    container.start()
    await container.program.until(/mode gateway; page off; broker supervisor/, SLOW_MS)
  })

  after(async () => {
    await container?.stop()
    await supervisor?.stop('SIGKILL')
    await spaces.remove()
    await home.stop()
  })

  async function layBridge(): Promise<void> {
    await spaces.make(['sup'])
    const box = home.inside('box')[2] ?? ''
    const lines = [
      'link add hassio type bridge',
      'link set hassio up',
      `address add ${BRIDGE}/23 dev hassio`,
      `link add v-sup type veth peer name eth0 netns ${spaces.name('sup')}`,
      'link set v-sup master hassio up',
    ]
    await succeed('ip', ['-n', box, '-batch', '-'], { input: `${lines.join('\n')}\n` })
    await spaces.ip('sup', ['link set eth0 up', `address add ${SUPERVISOR}/23 dev eth0`])
  }

  async function ask(asked: Partial<Asked>): Promise<Answered> {
    const whole = { host: BRIDGE, port: PORT, path: '/', ...asked }
    const command = [process.execPath, join(SUPERVISOR_TESTS, 'asker.ts'), JSON.stringify(whole)]
    const env = { ...process.env, ASK_MS: '60000' }
    const text = await succeed('ip', spaces.exec('sup', ...command), { env, timeoutMs: SLOW_MS })
    return JSON.parse(text) as Answered
  }

  const headers = { 'X-Remote-User-Id': ADMIN, 'content-type': 'application/json' }

  async function order(verb: string, args: object): Promise<void> {
    const body = JSON.stringify(args)
    const answered = await ask({ path: `/api/${verb}`, method: 'POST', headers, body })
    assert.equal(answered.status, 200, `${verb}: ${answered.body} ${answered.error}`)
  }

  /** What the kernel has refused to the profile since the start. */
  async function denials(): Promise<string[]> {
    const text = await succeed('dmesg', [])
    return text.split('\n').filter((line) => line.includes('DENIED') && line.includes(PROFILE))
  }

  /** A device does it, sooner or later: it gives up on each try after some seconds. */
  const succeeds = (what: string, step: Step): Promise<unknown> =>
    until(what, () => home.does(home.device(0), step).catch(() => undefined), SLOW_MS, 500)

  const fetch = {
    does: 'http',
    name: 'host1.example.net',
    family: 4,
    server: RESOLVER4,
    over: 'udp',
    bytes: 4000,
  } as const

  it('runs in it', () => {
    const current = readFileSync(`/proc/${container.pid}/attr/current`, 'utf8').trim()
    assert.equal(current, `${PROFILE} (enforce)`)
  })

  it('serves its page to Home Assistant, and is well', async () => {
    await until('the page', async () => (await ask({})).status, SLOW_MS, 500)
    const info = await ask({ path: '/api/info', headers })
    assert.equal(info.headers?.['homespin-role'], 'admin')
    const { capabilities } = JSON.parse(info.body ?? '') as {
      capabilities: Record<string, { ok: boolean; reason: string }>
    }
    for (const name of ['enforce', 'dns_gate', 'first_packets']) {
      assert.equal(capabilities[name]?.ok, true, `${name}: ${capabilities[name]?.reason}`)
    }
    assert.deepEqual(await container.exec(NODE, HEALTH), { code: 0, output: '' })
  })

  it('captures, blocks, and answers for a blocked name', async () => {
    const device = home.device(0)
    await succeeds('traffic', fetch)
    await until(
      'the device',
      async () =>
        (await ask({ path: '/api/devices', headers })).body?.includes(device.id) ? true : undefined,
      SLOW_MS,
      500,
    )
    await order('quarantine', { device: device.id, level: 'full', reason: 'a test' })
    await assert.rejects(home.does(device, fetch))
    await order('release', { device: device.id })
    await succeeds('traffic after the release', fetch)
    await order('block', { device: device.id, domain: 'host2.example.net' })
    await until(
      'the name to be gone',
      () =>
        home.does(device, { ...fetch, name: 'host2.example.net' }).then(
          () => undefined,
          () => true,
        ),
      SLOW_MS,
      500,
    )
    await succeeds('traffic with other names', fetch)
    await order('release', { device: device.id })
  })

  it('stops and starts again, with what it kept', async () => {
    const ended = await container.program.stop('SIGTERM', SLOW_MS)
    assert.equal(ended.code, 0, ended.stderr.slice(-2000))
    container.start()
    await container.program.until(/mode gateway; page off; broker supervisor/, SLOW_MS)
    const checked = await container.exec(NODE, '/opt/homespin/agent/supervisor/checkpoint.ts')
    assert.equal(checked.code, 0, checked.output)
    const cli = await container.exec(NODE, MAIN, 'devices', '--json')
    assert.match(cli.output, new RegExp(home.device(0).id))
  })

  it('was refused nothing by then', async () => {
    assert.deepEqual(await denials(), [])
  })

  it('gets no shell, no other program, and writes nothing outside /data', async () => {
    const js = (code: string): Promise<{ code: number | null; output: string }> =>
      container.exec(NODE, '-e', code)
    // From inside: whoever starts the container itself may start in it what they like.
    for (const program of ['/bin/sh', '/bin/bash', '/usr/bin/env', '/usr/bin/perl', '/bin/mount']) {
      const { output } = await js(
        `const { error } = require('node:child_process').spawnSync('${program}', ['-c', 'true']); console.log(error?.code)`,
      )
      assert.match(output, /^EACCES$/m, program)
    }
    const write = (path: string): string =>
      `require('node:fs').writeFileSync(${JSON.stringify(path)}, 'x')`
    assert.equal((await js(write('/data/x'))).code, 0)
    for (const path of [
      '/tmp/x',
      '/etc/x',
      '/opt/homespin/agent/x',
      '/srv/x',
      '/usr/local/bin/x',
    ]) {
      const { code, output } = await js(write(path))
      assert.notEqual(code, 0, path)
      assert.match(output, /EACCES/, path)
    }
    const shell = await js(`require('node:child_process').execSync('true')`)
    assert.match(shell.output, /EACCES/)
    const mounted = await js(
      `require('node:fs').writeFileSync('/proc/sys/net/ipv4/ip_forward', '0')`,
    )
    assert.notEqual(mounted.code, 0)
    assert.ok((await denials()).length >= 10)
    // Without the profile all of that works: it is the profile that refuses.
    const free = await run('unshare', ['--mount', 'chroot', image.rootfs, '/bin/sh', '-c', 'true'])
    assert.equal(free.code, 0)
  })
})
