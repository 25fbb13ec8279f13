// Nothing is counted twice or missed, wherever the box stands: bytes per device, added up from what the agent publishes,
// against the kernel's own counters by MAC on the LAN interface.
import assert from 'node:assert/strict'
import type { LabAgent } from './agent-process.ts'
import { agentInHome } from './agent-process.ts'
import type { Step } from './client.ts'
import { Counters, settle } from './counters.ts'
import type { HomeDevice, HomeOptions, Position } from './home.ts'
import { Home } from './home.ts'
import { requires } from './process.ts'
import type { Tap } from './tap.ts'
import { RESOLVER4, RESOLVER6 } from './zone.ts'

const LIMIT = 0.001

interface Place extends Omit<HomeOptions, 'devices'> {
  title: string
}

const PLACES: Place[] = [
  { title: 'two-armed router', position: 'two_armed' },
  { title: 'two-armed router, no super-packets', position: 'two_armed', offload: false },
  { title: 'one-armed gateway that masquerades', position: 'one_armed' },
  { title: 'bridge', position: 'bridge' },
  { title: 'bridge with br_netfilter', position: 'bridge', bridgeNetfilter: true, offload: false },
]

function stepsOf(i: number, position: Position, peer: HomeDevice): Step[] {
  const server = position === 'one_armed' ? RESOLVER4 : '192.0.2.1'
  const name = `host${i}.example.com`
  const asking = { server, over: 'udp' } as const
  return [
    { does: 'https', name, family: 4, bytes: 200_000 + i * 1000, ...asking },
    { does: 'http', name, family: 4, bytes: 100_000, server, over: 'tcp' },
    { does: 'echo', name, family: 4, count: 30, size: 400 + i, ...asking },
    { does: 'https', name, family: 6, bytes: 150_000, server: RESOLVER6, over: 'udp' },
    { does: 'echo', name: `cdn${i}.example.net`, family: 6, count: 20, size: 300, ...asking },
    // Larger than a frame: fragments.
    { does: 'echo', name, family: 4, count: 3, size: 4000, ...asking },
    { does: 'send', to: '224.0.0.251', port: 5353, count: 3, size: 120 },
    { does: 'stream', to: peer.ipv4, port: 9100, bytes: 80_000 },
    { does: 'stream', to: peer.ipv6, port: 9100, bytes: 40_000 },
  ]
}

for (const place of PLACES) {
  describe(`lab: bytes per device, ${place.title}`, function () {
    this.timeout(90_000)
    const home = new Home({ ...place, devices: 4 })
    let agent: LabAgent | undefined
    let tap: Tap
    before(async function () {
      requires(
        this,
        'root',
        'ip',
        'nft',
        'openssl',
        ...(place.offload === false ? ['ethtool'] : []),
      )
      await home.start()
      for (const device of home.devices) await home.does(device, { does: 'serve', port: 9100 })
    })
    after(async () => {
      await tap?.stop()
      await agent?.stop()
      await home.stop()
    })

    it('equal the kernel’s counters by MAC', async () => {
      const [lan = ''] = home.interfaces
      const counters = new Counters(home, lan)
      await counters.start()
      await counters.begin()
      const before = await counters.read()
      ;({ agent, tap } = await agentInHome(home))
      assert.deepEqual(await counters.read(), before, 'the home was silent while the agent started')
      const plans = home.devices.map((device, i) => {
        const peer = home.device((i + 1) % home.devices.length)
        return { device, steps: stepsOf(i, place.position, peer) }
      })
      await home.doAll(plans)
      const byFlows = await settle(counters, () => tap.totals())
      const said = `${place.title}: worst error ${(byFlows.error * 100).toFixed(4)} % (${byFlows.where})`
      console.log(`      ${said} of ${byFlows.bytes} bytes`)
      assert.ok(byFlows.bytes > 1_000_000, `too little traffic: ${byFlows.bytes} bytes`)
      assert.ok(byFlows.error <= LIMIT, said)
      const running = agent
      const byDevices = await settle(counters, () => running.devices())
      assert.ok(byDevices.error <= LIMIT, `homespin devices: ${byDevices.where}`)
      assert.equal(tap.gaps, 0)
      assert.equal(tap.incomplete, 0)
    })
  })
}
