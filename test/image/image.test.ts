// The image of the app, built of the real Dockerfile and run with what the Supervisor gives it: on a router of a namespace.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TOKEN } from '../agent/supervisor/fake-supervisor.ts'
import { Home } from '../lab/home.ts'
import { requires, until } from '../lab/process.ts'
import { RESOLVER4 } from '../lab/zone.ts'
import type { Image } from './container.ts'
import { buildImage, Container, whyNoImage } from './container.ts'

/** What the issue allows above node:24-trixie-slim. */
const MAX_ADDED_MB = 250
const MAIN = '/opt/homespin/agent/main.ts'
const HEALTH = '/opt/homespin/agent/supervisor/health.ts'
const NODE = '/usr/local/bin/node'

describe('the image of the app', function () {
  this.timeout(1_300_000)
  const home = new Home({ position: 'two_armed', devices: 2 })
  let image: Image
  let container: Container

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl', 'unshare')
    const why = whyNoImage()
    if (why !== undefined) {
      if (process.env.CI === 'true') throw new Error(why)
      console.error(`      skipped, ${why}`)
      this.skip()
    }
    image = await buildImage()
    await home.start()
    const network = home.inside('box')[2] ?? ''
    container = new Container({
      image,
      network,
      options: { mode: 'gateway', interfaces: ['br-lan'], announce: 'known', publish_names: false },
      // Nobody answers there: an app whose Supervisor is away works all the same.
      env: { SUPERVISOR_TOKEN: TOKEN, SUPERVISOR_URL: 'http://127.0.0.1:9' },
    })
    container.start()
    await container.program.until(/mode gateway; page off; broker supervisor/, 60_000)
  })

  after(async () => {
    await container?.stop()
    await home.stop()
  })

  it('is small, and nothing is left in it of what builds', () => {
    console.log(`      ${image.addedMb} MB above its base, ${MAX_ADDED_MB} MB allowed`)
    assert.ok(image.addedMb > 1 && image.addedMb < MAX_ADDED_MB)
    const programs = ['usr/bin', 'usr/local/bin'].flatMap((f) => readdirSync(join(image.rootfs, f)))
    const builders = programs.filter((name) =>
      /^(?:.*-)?(?:gcc|g\+\+|cc|c\+\+|clang|make|python3?|ld)(?:-[\d.]+)?$/.test(name),
    )
    assert.deepEqual(builders, [])
    const packages = readdirSync(join(image.rootfs, 'opt/homespin/node_modules'))
    const notNeeded = ['node-gyp', 'vite', 'node-red', 'playwright-core', 'typescript', 'echarts']
    assert.deepEqual(
      packages.filter((name) => notNeeded.includes(name)),
      [],
    )
    assert.ok(!existsSync(join(image.rootfs, 'opt/homespin/native/src')))
  })

  it('says what it is', () => {
    const { Labels, Healthcheck, Entrypoint, Cmd } = image.config
    assert.equal(Labels['io.hass.type'], 'app')
    assert.equal(Labels['io.hass.name'], 'Homespin')
    assert.ok(Labels['io.hass.arch'] && Labels['io.hass.version'])
    assert.deepEqual(Healthcheck?.Test, ['CMD', NODE, HEALTH])
    assert.deepEqual([...Entrypoint, ...Cmd], [NODE, MAIN, 'start'])
  })

  it('runs with two rights alone, and writes on nothing but /data', () => {
    const status = readFileSync(`/proc/${container.pid}/status`, 'utf8')
    const field = (name: string): string =>
      new RegExp(`^${name}:\\s+(\\S+)$`, 'm').exec(status)?.[1] ?? ''
    // CAP_NET_ADMIN is 12, CAP_NET_RAW 13 (linux/capability.h).
    for (const set of ['CapEff', 'CapPrm', 'CapBnd'])
      assert.equal(BigInt(`0x${field(set)}`), 0b11n << 12n, set)
    assert.equal(field('NoNewPrivs'), '1')
    const mounts = readFileSync(`/proc/${container.pid}/mounts`, 'utf8').split('\n')
    const root = mounts.filter((line) => line.split(' ')[1] === '/').at(-1) ?? ''
    assert.match(root.split(' ')[3] ?? '', /^ro(?:,|$)/)
  })

  it('is well while it answers, and not once it does not', async () => {
    assert.deepEqual(await container.exec(NODE, HEALTH), { code: 0, output: '' })
    const other = await container.exec(NODE, HEALTH, '/data/run/nobody.sock')
    assert.equal(other.code, 1)
    assert.match(other.output, /nobody\.sock/)
    container.program.signal('SIGSTOP')
    try {
      assert.equal((await container.exec(NODE, HEALTH)).code, 1, 'it hangs')
    } finally {
      container.program.signal('SIGCONT')
    }
    assert.equal((await container.exec(NODE, HEALTH)).code, 0)
  })

  it('sees traffic and stops it', async () => {
    const device = home.device(0)
    const fetch = {
      does: 'http',
      name: 'host1.example.net',
      family: 4,
      server: RESOLVER4,
      over: 'udp',
      bytes: 4000,
    } as const
    const cli = (...args: string[]) => container.exec(NODE, MAIN, ...args)
    await home.does(device, fetch)
    await until(
      'the device',
      async () => {
        const { output } = await cli('devices', '--json')
        return output.includes(device.id) ? true : undefined
      },
      30_000,
    )
    const held = await cli('quarantine', device.id, '--level', 'full', '--reason', 'a test')
    assert.equal(held.code, 0, held.output)
    await assert.rejects(home.does(device, fetch), /no answer/)
    await home.does(home.device(1), fetch)
    const released = await cli('release', device.id)
    assert.equal(released.code, 0, released.output)
    await home.does(device, fetch)
  })

  it('leaves in its databases what a backup takes', async () => {
    const { code, output } = await container.exec(
      NODE,
      '/opt/homespin/agent/supervisor/checkpoint.ts',
    )
    assert.equal(code, 0, output)
    assert.doesNotMatch(output, /\.db:/)
    assert.ok(existsSync(join(container.data, 'policy.db')))
  })

  it('goes on without a Supervisor, and says that', async () => {
    await container.program.until(/the Supervisor does not answer at http:\/\/127\.0\.0\.1:9/)
  })
})
