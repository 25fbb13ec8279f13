// The app in its own AppArmor profile, enforced: everything that it does is let through, and a shell, another program and a
// write outside /data are not. For a kernel with AppArmor: test/vm brings one (npm test -- vm), and asks for it.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Answered, Asked } from '../agent/supervisor/asker.ts'
import { TOKEN, user } from '../agent/supervisor/fake-supervisor.ts'
import { BROKER_PASSWORD, BROKER_USER, Broker } from '../ha/broker.ts'
import type { Step } from '../lab/client.ts'
import { Home } from '../lab/home.ts'
import { Namespaces } from '../lab/namespaces.ts'
import { Program, requires, run, succeed, until } from '../lab/process.ts'
import { RemoteRouter, ROUTER_IP } from '../lab/remote-router.ts'
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

/** Whoever asks for it gets it, or a failure. */
const isAskedFor = process.env.HOMESPIN_CONFINED === '1'

function requiresAppArmor(context: Mocha.Context): void {
  if (existsSync('/sys/kernel/security/apparmor/policy')) return
  const why = 'there is no AppArmor in this kernel: npm run test:vm boots one that has it'
  if (isAskedFor) throw new Error(why)
  console.error(`      skipped, ${why}`)
  context.skip()
}

describe('the app in its profile', function () {
  this.timeout(1_200_000)
  const home = new Home({ position: 'two_armed', devices: 2 })
  const router = new RemoteRouter(home, 22)
  let broker: Broker
  const spaces = new Namespaces()
  let image: Image
  let container: Container
  let supervisor: Program

  before(async function () {
    requiresAppArmor(this)
    requires(this, 'root', 'ip', 'nft', 'openssl', 'unshare', 'apparmor_parser', 'dmesg')
    requires(this, 'mosquitto', 'iptables', 'sshd', 'ssh-keygen', 'tcpdump', 'dash')
    image = await buildImage()
    const profile = readFileSync(join(ROOT, 'ha-addon/apparmor.txt'), 'utf8')
    const renamed = profile.replace(/^profile homespin/m, `profile ${PROFILE}`)
    await succeed('apparmor_parser', ['-r', '-K'], { input: renamed, timeoutMs: SLOW_MS })
    await home.start()
    await layBridge()
    await beginDocker()
    const folder = join(home.folder, 'broker')
    mkdirSync(folder)
    broker = new Broker({
      folder,
      place: {
        inside: (...command) => home.inside('box', ...command),
        door: (port) => home.door(port),
      },
    })
    await broker.start()
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
    const account = { username: BROKER_USER, password: BROKER_PASSWORD }
    const mqtt = { host: 'core-mosquitto', port: broker.port, ssl: false, ...account }
    supervisor.send(JSON.stringify({ self, mqtt, users: [user(ADMIN, ['system-admin'])] }))
    await succeed('dmesg', ['--clear'])
    container = new Container({
      image,
      network: home.inside('box')[2] ?? '',
      options: { mode: 'gateway', interfaces: ['br-lan'], announce: 'known', publish_names: false },
      env: { SUPERVISOR_TOKEN: TOKEN, SUPERVISOR_URL: `http://${SUPERVISOR}` },
      hosts: '127.0.0.1 core-mosquitto\n',
      profile: PROFILE,
      writable: true,
    })
    container.start()
    await container.program.until(/mode gateway; page off; broker supervisor/, SLOW_MS)
  })

  after(async () => {
    await container?.stop()
    await supervisor?.stop('SIGKILL')
    await broker?.stop()
    await router.stop()
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

  /** What Docker makes of a box: it drops what is routed, and has a chain for others' rules. */
  async function beginDocker(): Promise<void> {
    for (const rule of [
      '-N DOCKER',
      '-N DOCKER-USER',
      '-A FORWARD -j DOCKER-USER',
      '-P FORWARD DROP',
    ])
      await home.in('box', 'iptables', '-w', ...rule.split(' '))
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

  it('speaks with the broker that the Supervisor names', async () => {
    await container.program.until(/connected to mqtt:\/\/core-mosquitto:\d+/, SLOW_MS)
  })

  it('opens the way through what Docker drops', async () => {
    const rules = await home.in('box', 'iptables', '-w', '-S', 'DOCKER-USER')
    assert.match(rules, /-i br-lan .*--comment homespin .*ACCEPT/)
  })

  it('makes keys, reads a router’s, and watches it by SSH', async () => {
    await router.prepare()
    router.authorize()
    await router.start()
    const app = new Container({
      image,
      network: home.inside('dev2')[2] ?? '',
      options: { mode: 'remote', router: `root@${ROUTER_IP}` },
      // Nobody answers there: this one has no Supervisor, and works all the same.
      env: { SUPERVISOR_TOKEN: TOKEN, SUPERVISOR_URL: 'http://127.0.0.1:9' },
      profile: PROFILE,
      writable: true,
    })
    try {
      app.start()
      await app.program.until(/shows a host key with the fingerprint SHA256:/, SLOW_MS)
      await app.program.until(/its host key is not known/, SLOW_MS)
      await app.program.stop('SIGTERM', SLOW_MS)
      app.start({
        mode: 'remote',
        router: `root@${ROUTER_IP}`,
        router_host_key: router.hostKey,
      })
      await app.program.until(/refuses this app's key/, SLOW_MS)
      const line = /authorized_keys of \S+: (restrict ssh-ed25519 .*)/.exec(app.program.stderr)
      router.authorize(line?.[1] ?? '')
      await app.program.until(/connected to root@/, SLOW_MS)
      await app.program.until(/mode remote: everything that is routed/, SLOW_MS)
    } finally {
      await app.stop()
    }
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
