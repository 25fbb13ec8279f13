// The lab itself: a test that stands on it must be able to trust it.
import assert from 'node:assert/strict'
import type { Position } from './home.ts'
import { Home } from './home.ts'
import { requires } from './process.ts'
import { RESOLVER4 } from './zone.ts'

for (const position of ['two_armed', 'one_armed', 'bridge'] satisfies Position[]) {
  describe(`lab: ${position} home`, function () {
    this.timeout(60_000)
    const home = new Home({ position, devices: 2 })
    before(async function () {
      requires(this, 'root', 'ip', 'nft', 'openssl')
      await home.start()
    })
    after(() => home.stop())

    it('carries DNS, HTTP, HTTPS and datagrams over IPv4 and IPv6', async () => {
      const one = home.device(0)
      const gateway = position === 'one_armed' ? RESOLVER4 : '192.0.2.1'
      const asking = { server: gateway, over: 'udp' } as const
      await home.does(one, { does: 'ask', name: 'nothing.example.com', family: 4, ...asking })
      const big = { name: 'big3.example.com', family: 4, ...asking } as const
      const asked = await home.does(one, { does: 'ask', ...big })
      assert.deepEqual(
        asked.queries.map((query) => query.over),
        ['udp', 'tcp'],
      )
      for (const family of [4, 6] as const) {
        const name = 'cdn1.example.net'
        const got = await home.does(one, { does: 'https', bytes: 50_000, name, family, ...asking })
        assert.equal(got.flow?.remote_port, 443)
        await home.does(one, { does: 'http', bytes: 50_000, name, family, ...asking })
        await home.does(one, { does: 'echo', count: 3, size: 900, name, family, ...asking })
      }
    })

    it('carries traffic from device to device', async () => {
      const [one, two] = [home.device(0), home.device(1)]
      await home.does(two, { does: 'serve', port: 9100 })
      await home.does(one, { does: 'stream', to: two.ipv4, port: 9100, bytes: 20_000 })
      await home.does(one, { does: 'stream', to: two.ipv6, port: 9100, bytes: 20_000 })
    })
  })
}
