// A one-armed box without IPv6 in a home that has it: what a router advertises is heard, and then told of each device that is held.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { advertisementFrame, pcapOf } from './advertisement.ts'
import type { LabAgent } from './agent-process.ts'
import { agentAt, HTTP_PORT } from './agent-process.ts'
import { Home, LAN4, ROUTER_MAC } from './home.ts'
import { HttpOrders } from './orders.ts'
import { requires, until } from './process.ts'
import type { Tap } from './tap.ts'

describe('lab: IPv6 that goes round a box without it', function () {
  this.timeout(60_000)
  const home = new Home({ position: 'one_armed', devices: 1 })
  const device = home.device(0)
  let agent: LabAgent
  let tap: Tap
  let http: HttpOrders

  before(async function () {
    requires(this, 'root', 'ip', 'nft', 'openssl', 'tcpreplay')
    await home.start()
    await home.in('box', 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1')
    const place = {
      inside: (...command: string[]) => home.inside('box', ...command),
      door: (port: number) => home.door(port),
    }
    const args = ['--mode', 'gateway', '--interface', 'eth0', '--lan', LAN4]
    ;({ agent, tap } = await agentAt(place, args))
    http = new HttpOrders(await home.door(HTTP_PORT))
    await home.does(device, { does: 'send', to: '192.0.2.2', port: 9, count: 2, size: 16 })
    await until('the device', () => tap.devices.get(device.id))
  })
  after(async () => {
    await tap?.stop()
    await agent?.stop()
    await home.stop()
  })

  const uncovered = (): string => tap.devices.get(device.id)?.policy?.uncovered ?? ''

  it('is told once a router was heard', async () => {
    const { error } = await http.rpc('quarantine', { device: device.id, level: 'full' })
    assert.equal(error, undefined)
    await until('what is open', () => /Only what this box routes/.test(uncovered()) || undefined)
    assert.doesNotMatch(uncovered(), /IPv6/)
    const file = join(home.folder, 'advertisement.pcap')
    const advertised = { mac: ROUTER_MAC, lifetimeS: 1800, prefix: '2001:db8:1::' }
    writeFileSync(file, pcapOf(advertisementFrame(advertised)))
    await home.in('router', 'tcpreplay', '-q', '-i', 'lan0', file)
    await until('IPv6 to be told', () => /IPv6 .*go round it/.test(uncovered()) || undefined)
  })
})
