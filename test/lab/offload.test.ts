// Flow offloading: a flowtable takes connections that run past every chain behind it, and devices are held all the same. Needs a
// kernel with flowtables (`npm run test:vm` has one).
import assert from 'node:assert/strict'
import type { Flowtable } from '../../agent/enforce/kernel/flowtables.ts'
import { flowtablesIn } from '../../agent/enforce/kernel/flowtables.ts'
import type { Place } from '../../agent/enforce/place/place.ts'
import { elementsOf } from '../../agent/enforce/tables/elements.ts'
import { rulesetText } from '../../agent/enforce/tables/ruleset.ts'
import type { Desired } from '../../agent/policy/desired.ts'
import { NOTHING } from '../../agent/policy/desired.ts'
import type { Shape } from './levels-home.ts'
import { DEV_MAC, LevelsHome } from './levels-home.ts'
import { PORT } from './levels-probe.ts'
import { requires, sleep, until } from './process.ts'

const SHAPES: readonly { shape: Shape; title: string; lan: string }[] = [
  { shape: 'routed', title: 'two-armed', lan: 'lan0' },
  { shape: 'bridged', title: 'two-armed, its LAN a bridge', lan: 'to-dev' },
]
/** Somebody's firewall, as OpenWrt makes it. */
const firewall = (lan: string): string => `table inet fw4 {
  flowtable ft {
    hook ingress priority filter - 5
    devices = { ${lan}, wan0 }
  }
  chain forward {
    type filter hook forward priority filter
    meta l4proto { tcp, udp } flow add @ft
  }
}
`
const SPORT = 4444

for (const { shape, title, lan } of SHAPES) {
  describe(`lab: flow offloading, ${title}`, function () {
    this.timeout(400_000)
    const home = new LevelsHome(shape)
    let flowtables: readonly Flowtable[] = []
    let sent = 0

    before(async function () {
      requires(this, 'root', 'ip', 'nft')
      await home.start()
      try {
        await home.apply(firewall(lan))
      } catch (error) {
        console.error(
          `      pending: this kernel has no flowtables (${(error as Error).message.split('\n')[0]})`,
        )
        this.skip()
      }
      await home.bridgeNetfilter(false)
      flowtables = flowtablesIn(await home.run('nft', 'list', 'flowtables'))
    })
    after(() => home.stop())

    /** One datagram of the same flow; whether it came. `ms`: how long it is waited for. */
    async function passes(ms = 5000): Promise<boolean> {
      const name = `n${++sent}`
      const [from, to] = [home.addresses('dev').ipv4, home.addresses('wan').ipv4]
      for (const end of ['wan', 'dev'] as const) await home.ask(end, { do: 'tell' })
      await home.ask('dev', { do: 'send', name, from, to, port: PORT, sport: SPORT })
      const late = performance.now() + ms
      while (performance.now() < late) {
        if ((await home.ask('wan', { do: 'tell' })).came.includes(name)) return true
        await sleep(20)
      }
      return false
    }

    async function fetched(): Promise<boolean> {
      const before = (await home.ask('dev', { do: 'fetched' })).bytes
      await sleep(500)
      return (await home.ask('dev', { do: 'fetched' })).bytes > before
    }

    /** A download and datagrams that are carried by the flowtable. */
    async function flows(): Promise<void> {
      const [from, to] = [home.addresses('dev').ipv6, home.addresses('wan').ipv6]
      await home.ask('dev', { do: 'fetch', from, to })
      await until('a download', async () => (await fetched()) || undefined, 60_000)
      for (let i = 0; i < 3; i++)
        await until('datagrams', async () => (await passes()) || undefined, 60_000)
    }

    const hold = async (desired: Desired, place: Place): Promise<void> =>
      await home.apply(rulesetText(place, elementsOf(desired, place), 0))
    const device = {
      ...{ deviceId: '020de0000001', mac: DEV_MAC, ips: [] },
      ...{ restrictions: {}, matches: [] },
    }
    const orders: readonly [string, Desired][] = [
      [
        'a device is shut off',
        {
          devices: [{ ...device, level: { level: 'full', ruleId: 'q' } }],
          ...{ everyone: [], unknown: undefined },
        },
      ],
      [
        'its remote side is blocked for everybody',
        {
          devices: [],
          everyone: ['203.0.113.80/32', '2001:db8:113::80/128'].map((prefix) => ({
            ...{ ruleId: 'e', action: 'block' as const, prefix },
          })),
          unknown: undefined,
        },
      ],
      [
        'nobody knows it',
        {
          ...{ devices: [], everyone: [] },
          unknown: { level: { level: 'local_only', ruleId: 'u' }, free: [] },
        },
      ],
    ]

    it('is found, with what it takes', () => {
      assert.deepEqual(flowtables, [
        { name: 'inet fw4 ft', priority: -5, devices: [lan, 'wan0'].toSorted(), hardware: false },
      ])
    })

    it('carries what runs past rules that do not know of it', async () => {
      await hold(NOTHING, home.place(true))
      await flows()
      await hold(orders[0]?.[1] as Desired, home.place(true))
      assert.equal(await passes(), true, 'this test would show nothing')
    })

    for (const [what, desired] of orders) {
      it(`cuts at once what it carries when ${what}`, async () => {
        const place = { ...home.place(true), flowtables }
        await hold(NOTHING, place)
        await flows()
        const began = performance.now()
        await hold(desired, place)
        assert.equal(await passes(2000), false)
        await until('silence', async () => ((await fetched()) ? undefined : true))
        console.log(`      ${title}, ${what}: silent ${(performance.now() - began).toFixed(0)} ms`)
      })
    }
  })
}
