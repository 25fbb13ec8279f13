// More interfaces of a router than there are sessions of one SSH connection.
import assert from 'node:assert/strict'
import { HTTP_PORT, LabAgent, MQTT_PORT } from './agent-process.ts'
import { Home } from './home.ts'
import { requires, until } from './process.ts'
import { Doors } from './relay.ts'
import { RemoteRouter } from './remote-router.ts'
import { Tap } from './tap.ts'

const REMOTE4 = '203.0.113.9'
const NEEDS = ['root', 'ip', 'nft', 'openssl', 'sshd', 'ssh', 'tcpdump', 'dash', 'ss']

describe('lab: a router by SSH with many interfaces', function () {
  this.timeout(120_000)
  const home = new Home({ position: 'two_armed', devices: 2 })
  const router = new RemoteRouter(home)
  const inside = (...command: string[]): string[] => home.inside('dev2', ...command)
  /** More than there are channels to be had on one connection, if each took two. */
  const more = Array.from({ length: 8 }, (_, i) => `lan${i}`)
  let doors: Doors
  let agent: LabAgent
  let tap: Tap

  before(async function () {
    requires(this, ...NEEDS)
    await home.start()
    for (const [i, name] of more.entries()) {
      await home.in('box', 'ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', `x${i}`)
      await home.in('box', 'ip', 'addr', 'add', `192.0.2.${130 + i * 4}/30`, 'dev', name)
      for (const end of [name, `x${i}`]) await home.in('box', 'ip', 'link', 'set', end, 'up')
    }
    await router.prepare()
    await router.start()
    doors = new Doors(inside, home.folder)
    const interfaces = ['br-lan', ...more].flatMap((name) => ['--interface', name])
    const ports = ['--http', `127.0.0.1:${HTTP_PORT}`, '--mqtt-embedded-port', String(MQTT_PORT)]
    agent = new LabAgent({ args: [...router.arguments(), ...interfaces, ...ports], inside }).start()
    tap = new Tap(agent.id)
    await tap.start(`mqtt://127.0.0.1:${await doors.open(MQTT_PORT)}`)
  })
  after(async () => {
    await tap?.stop()
    await agent?.stop()
    await doors?.stop()
    await router.stop()
    await home.stop()
  })

  it('captures all that are there, acts, and needs no more sessions than sshd takes', async () => {
    await until('enforcement', () => tap.info?.capabilities.enforce?.ok || undefined, 20_000)
    const states = (): string =>
      (tap.info?.interfaces ?? []).map(({ name, state }) => `${name} ${state}`).join()
    const areUp = (names: readonly string[]): Promise<unknown> =>
      until(
        `interfaces: ${names.join()}`,
        () => names.every((name) => states().includes(`${name} up`)) || undefined,
        40_000,
      ).catch(() => assert.fail(states()))
    await areUp(['br-lan', ...more])
    const tcpdumps = async (): Promise<number> =>
      (await router.running()).filter((name) => name === 'tcpdump').length
    assert.equal(await tcpdumps(), 2 * (1 + more.length))
    // One that vanishes takes those with it that share its session, once.
    await home.in('box', 'ip', 'link', 'del', more.at(-1) as string)
    await until(
      'it to be gone',
      () => states().includes(`${more.at(-1)} down`) || undefined,
      20_000,
    )
    await areUp(['br-lan', ...more.slice(0, -1)])
    await home.does(home.device(0), { does: 'send', to: REMOTE4, port: 9, count: 5, size: 10 })
    await until('a device behind one of them', () => tap.devices.get(home.device(0).id))
    assert.equal(await router.connections(), 1)
    const running = await router.running()
    const sessions = running.filter((name) => name === 'cat').length + 3
    console.log(`      ${more.length} interfaces in ${sessions} sessions of one connection`)
    assert.ok(sessions <= 10, running.join())
  })

  it('leaves nothing that runs there', async () => {
    await agent.stop()
    assert.deepEqual(await router.untilNothingRuns(), [])
  })
})
