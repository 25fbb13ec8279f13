// The page in Chromium, the real agent and the kernel of a router: what the page shows, packets agree with.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { hasChromium } from '../browser.ts'
import type { LabAgent } from '../lab/agent-process.ts'
import { agentInHome, HTTP_PORT } from '../lab/agent-process.ts'
import { Home } from '../lab/home.ts'
import { Probe } from '../lab/probing.ts'
import { requires, sleep, until } from '../lab/process.ts'
import type { Tap } from '../lab/tap.ts'
import type { ActReport } from './act-browser.ts'

const REMOTES = ['203.0.113.9', '2001:db8:113::9']

describe('panel: acting through the real agent', function () {
  this.timeout(90_000)
  const home = new Home({ position: 'two_armed', devices: 2 })
  const probes: Probe[] = []
  let agent: LabAgent
  let tap: Tap
  let sink: Probe
  let device: ReturnType<Home['device']>

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl')
    if (!hasChromium()) return this.skip()
    await home.start()
    ;({ agent, tap } = await agentInHome(home))
    device = home.device(0)
    sink = new Probe(home, 'wan', 'sink').start()
    probes.push(sink, new Probe(home, device.name, 'source', ...REMOTES).start())
    await until('traffic of the device', async () =>
      (await sink.read()).count > 200 && tap.devices.has(device.id) ? true : undefined,
    )
  })
  after(async () => {
    await Promise.all(probes.map((each) => each.stop()))
    await tap?.stop()
    await agent?.stop()
    await home.stop()
  })

  const act = async (what: string): Promise<ActReport> => {
    const program = join(import.meta.dirname, 'act-browser.ts')
    const url = `http://127.0.0.1:${HTTP_PORT}/`
    const address = device.ipv4
    return JSON.parse(await home.in('box', process.execPath, program, url, address, what))
  }

  it('shuts a device off and releases it, and says so once it is so', async () => {
    const shut = await act('quarantine')
    await sleep(100)
    await sink.read()
    await sleep(500)
    assert.equal((await sink.read()).times.length, 0, 'packets pass though the page says shut off')
    assert.deepEqual([shut.closure, shut.faults], ['full', []])
    assert.equal(tap.devices.get(device.id)?.policy?.level_reason, 'a test')

    const open = await act('release')
    await sink.read()
    await sleep(500)
    assert.ok((await sink.read()).times.length > 0, 'nothing passes though the page says open')
    assert.deepEqual([open.closure, open.faults], ['open', []])
    console.log(`      click to shown: ${shut.took_ms} ms, release ${open.took_ms} ms`)
  })
})
