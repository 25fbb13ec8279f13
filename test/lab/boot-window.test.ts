// The time in which nothing is held after a box has started anew, where no unit loads the rules before the network is up, as on
// Home Assistant OS: from the agent's start to the last packet of a device that is shut off.
import assert from 'node:assert/strict'
import { TOKEN } from '../agent/supervisor/fake-supervisor.ts'
import { below } from '../figure.ts'
import { LabAgent, runHomespin } from './agent-process.ts'
import { makeFolder, removeFolder } from './folders.ts'
import { Home, LAN4, LAN6 } from './home.ts'
import { Probe } from './probing.ts'
import { requires, sleep, until } from './process.ts'

const REMOTE4 = '203.0.113.9'
/** What docs/enforcement.md says at most, on a box as slow as the slowest that Home Assistant OS runs on. */
const LIMIT_MS = 5000

describe('lab: after the box has started anew', function () {
  this.timeout(180_000)
  const home = new Home({ position: 'two_armed', devices: 1 })
  let data = ''
  let sink: Probe
  let source: Probe

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl')
    await home.start()
    data = makeFolder()
    sink = new Probe(home, 'wan', 'sink').start()
    source = new Probe(home, 'dev1', 'source', REMOTE4).start()
  })
  after(async () => {
    await Promise.all([sink?.stop(), source?.stop()])
    await home.stop()
    if (data !== '') removeFolder(data)
  })

  function agent(env: Record<string, string> = {}): LabAgent {
    const args = ['--mode', 'gateway', '--interface', 'br-lan', '--lan', LAN4, '--lan', LAN6]
    const inside = (...command: string[]): string[] => home.inside('box', ...command)
    return new LabAgent({ args: [...args, '--http', 'off'], data, inside, env })
  }

  const isSending = async (): Promise<boolean> => {
    await sink.read()
    await sleep(300)
    return (await sink.read()).times.length > 0
  }

  it('holds what was ordered before as soon as it has started, as an app, too', async () => {
    const { id } = home.device(0)
    const first = agent().start()
    await until(
      'the quarantine',
      async () => {
        const order = ['quarantine', id, '--level', 'full', '--data', data]
        return (await runHomespin(order)).code === 0 ? true : undefined
      },
      30_000,
      300,
    )
    assert.equal(await isSending(), false)
    await first.stop()
    for (const [what, env] of [
      ['as a program', {}],
      // A Supervisor that does not answer, as it may be when everything starts at once.
      ['as an app', { SUPERVISOR_TOKEN: TOKEN, SUPERVISOR_URL: 'http://127.0.0.1:9' }],
    ] as const) {
      // As a kernel is that has just begun.
      await home.in('box', 'nft', 'flush', 'ruleset')
      assert.equal(await isSending(), true)
      await sink.read()
      const beganMs = Date.now()
      const again = agent(env).start()
      await again.program.until(/mode gateway;/, 30_000)
      const upMs = Date.now() - beganMs
      await sleep(300)
      const last = (await sink.read()).times.reduce((a, b) => Math.max(a, b), beganMs)
      assert.equal(await isSending(), false)
      below(`from the start to the block, ${what}`, last - beganMs, LIMIT_MS)
      console.log(`      and until it says that it is there: ${upMs} ms`)
      await again.stop()
    }
  })
})
