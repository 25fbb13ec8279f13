// Every cell of the design's table of levels, with real packets through the real rules, wherever the box stands.
import assert from 'node:assert/strict'
import type { Place } from '../../agent/enforce/place/place.ts'
import { elementsOf } from '../../agent/enforce/tables/elements.ts'
import { rulesetText } from '../../agent/enforce/tables/ruleset.ts'
import type { Desired, DesiredDevice } from '../../agent/policy/desired.ts'
import { NOTHING } from '../../agent/policy/desired.ts'
import type { Shape } from './levels-home.ts'
import { DEV_MAC, LevelsHome } from './levels-home.ts'
import type { Held } from './levels-table.ts'
import { cellsOf, expected, HELD, levelsOfHeld, tryAll } from './levels-table.ts'
import { requires, until } from './process.ts'

/** How the device is known: by its MAC, by its addresses alone, or not at all. */
type Known = 'mac' | 'addresses' | 'unknown'

interface Round {
  title: string
  known: Known
  egress: boolean
  bridgeNetfilter?: boolean
  place?: Partial<Place>
  /** Closed besides what the table says. */
  closed?: RegExp
}

const ROUNDS: readonly Round[] = [
  { title: 'by MAC', known: 'mac', egress: true },
  { title: 'by addresses', known: 'addresses', egress: true },
  { title: 'nobody knows it', known: 'unknown', egress: true },
  { title: 'by MAC, without netdev egress', known: 'mac', egress: false },
]

const BRIDGED_ROUNDS: readonly Round[] = ROUNDS.flatMap((round) => [
  { ...round, bridgeNetfilter: false },
  { ...round, bridgeNetfilter: true, title: `${round.title}, br_netfilter` },
])

/** A bridge that has no IPv6 itself, so that no prefix tells the home from the internet. */
const NO_PREFIX: Partial<Place> = { lan: ['192.0.2.0/24'] }
const BRIDGE_ROUNDS: readonly Round[] = [
  ...BRIDGED_ROUNDS,
  ...[false, true].flatMap((bridgeNetfilter): Round[] => {
    const round = { ...({ known: 'mac', egress: true } as const), bridgeNetfilter }
    const title = bridgeNetfilter ? 'no IPv6 of its own, br_netfilter' : 'no IPv6 of its own'
    const heard: Partial<Place> = { ...NO_PREFIX, knowsIpv6: true }
    return [
      { ...round, title: `by MAC, ${title}`, place: heard },
      { ...round, title: `nobody knows it, ${title}`, place: heard, known: 'unknown' },
      {
        ...round,
        title: `by MAC, ${title}, no router heard`,
        place: NO_PREFIX,
        closed: /^local_only, (?:device to peer|peer to device) (?:ipv6|privacy)$/,
      },
    ]
  }),
]

const SHAPES: readonly { shape: Shape; title: string; rounds: readonly Round[] }[] = [
  { shape: 'routed', title: 'two-armed', rounds: ROUNDS },
  { shape: 'bridged', title: 'two-armed, its LAN a bridge', rounds: BRIDGED_ROUNDS },
  { shape: 'one_armed', title: 'one-armed', rounds: ROUNDS },
  { shape: 'bridge', title: 'bridge', rounds: BRIDGE_ROUNDS },
]

function desiredFor(home: LevelsHome, held: Held, known: Known): Desired {
  const [level, ...further] = levelsOfHeld(held).map((each) => ({ level: each, ruleId: each }))
  if (level === undefined) return NOTHING
  if (known === 'unknown') {
    const others = ['02:0d:e0:00:00:02', '02:0d:e0:00:00:03']
    return { devices: [], everyone: [], unknown: { level, further, free: others } }
  }
  const { ipv4, ipv6, privacy = '' } = home.addresses('dev')
  const device: DesiredDevice = {
    deviceId: '020de0000001',
    ...(known === 'mac' ? { mac: DEV_MAC } : {}),
    ips: [ipv4, ipv6, privacy],
    ...{ level, further },
    restrictions: {},
    matches: [],
  }
  return { devices: [device], everyone: [], unknown: undefined }
}

function textOf(place: Place, desired: Desired): string {
  return rulesetText(place, elementsOf(desired, place), 0)
}

for (const { shape, title, rounds } of SHAPES) {
  describe(`lab: the table of levels, ${title}`, function () {
    this.timeout(60_000)
    const home = new LevelsHome(shape)
    before(async function () {
      requires(this, 'root', 'ip', 'nft')
      await home.start()
      // Neighbours are found before anything is held.
      await until('the home talks', async () => {
        const outcomes = [...(await tryAll(home, cellsOf(home)))]
        // One-armed, answers to the internet come back only once the box masquerades.
        const silent = outcomes.filter(([, outcome]) => outcome === 'nothing')
        return silent.length === 0 ? true : undefined
      })
    })
    after(() => home.stop())

    for (const round of rounds) {
      it(`holds ${round.title}`, async () => {
        if (round.bridgeNetfilter !== undefined) await home.bridgeNetfilter(round.bridgeNetfilter)
        const place = { ...home.place(round.egress), ...round.place }
        const cells = cellsOf(home)
        const wrong: string[] = []
        let right = 0
        for (const held of HELD) {
          await home.apply(textOf(place, desiredFor(home, held, round.known)))
          for (const [cell, outcome] of await tryAll(home, cells)) {
            const isClosed = round.closed?.test(`${held}, ${cell.name}`) === true
            const wanted = isClosed ? 'nothing' : expected(cell, held, home)
            if (outcome === wanted) right++
            else wrong.push(`${held}, ${cell.name}: ${outcome}, not ${wanted}`)
          }
        }
        console.log(`      ${title}, ${round.title}: ${right} of ${right + wrong.length} cells`)
        assert.deepEqual(wrong, [])
      })
    }
  })
}
