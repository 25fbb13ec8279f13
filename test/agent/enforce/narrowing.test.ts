// Which lists became narrower, and what is forgotten then on a bridge.
import assert from 'node:assert/strict'
import { narrowed, onLists, unblocked } from '../../../agent/enforce/gate/narrowing.ts'
import type { ElementChange } from '../../../agent/enforce/kernel/kernel.ts'
import type { Place } from '../../../agent/enforce/place/place.ts'
import {
  forgetLearned,
  OPEN_SETS,
  SHUT_SETS,
} from '../../../agent/enforce/reconcile/forget-learned.ts'
import { setsOf } from '../../../agent/enforce/tables/ruleset-sets.ts'
import { setId } from '../../../agent/enforce/tables/sets.ts'
import type { Desired, DesiredDevice, DesiredMatch } from '../../../agent/policy/desired.ts'
import { NOTHING } from '../../../agent/policy/desired.ts'

const MAC = '02:0d:e0:00:00:01'
const LIST = { allow_list: { ruleId: 'l' } }
const NO_DNS = { no_dns_no_connect: { ruleId: 'n' } }

function device(restrictions: DesiredDevice['restrictions'], ...names: string[]): DesiredDevice {
  return {
    deviceId: '020de0000001',
    mac: MAC,
    ips: ['192.0.2.11'],
    restrictions,
    matches: allow(names),
  }
}

function allow(names: string[]): DesiredMatch[] {
  return names.map((domain) => ({ ruleId: domain, action: 'allow', domain }))
}

function desire(one: DesiredDevice | undefined, ...names: string[]): Desired {
  return { ...NOTHING, devices: one === undefined ? [] : [one], everyone: allow(names) }
}

describe('lists that become narrower', () => {
  const narrower: [what: string, before: Desired, after: Desired, is: boolean][] = [
    ['the first list', NOTHING, desire(device(LIST, 'a.example')), true],
    ['from all that it resolves', desire(device(NO_DNS)), desire(device(LIST)), true],
    ['the same', desire(device(LIST, 'a.example')), desire(device(LIST, 'a.example')), false],
    ['one more', desire(device(LIST)), desire(device(LIST, 'a.example')), false],
    [
      'one less',
      desire(device(LIST, 'a.example', 'b.example')),
      desire(device(LIST, 'a.example')),
      true,
    ],
    ['all above', desire(device(LIST, 'x.a.example')), desire(device(LIST, 'a.example')), false],
    ['one below', desire(device(LIST, 'a.example')), desire(device(LIST, 'x.a.example')), true],
    ['not everybody any more', desire(device(LIST), 'a.example'), desire(device(LIST)), true],
    [
      'itself, no longer everybody',
      desire(device(LIST), 'a.example'),
      desire(device(LIST, 'a.example')),
      false,
    ],
    ['no list any more', desire(device(LIST)), desire(device(NO_DNS)), false],
    ['what it resolves, at last', NOTHING, desire(device(NO_DNS)), false],
  ]
  for (const [what, before, after, is] of narrower) {
    it(`${is ? 'are' : 'are not'}: ${what}`, () => {
      assert.equal(onLists(narrowed(before, after)).length, is ? 1 : 0)
    })
  }

  it('are told apart from what is closed and what loses an exception', () => {
    const of = (before: Desired, after: Desired): [number, boolean] => {
      const { devices, everyone } = narrowed(before, after)
      return [devices.length, everyone]
    }
    assert.deepEqual(of(NOTHING, desire(device(NO_DNS))), [1, false])
    assert.deepEqual(of(desire(device({}, 'a.example')), desire(device({}))), [1, false])
    assert.deepEqual(of(desire(device({})), desire(device({}, 'a.example'))), [0, false])
    assert.deepEqual(of(desire(undefined, 'a.example'), NOTHING), [0, true])
  })

  it('are not what is blocked no more', () => {
    const block = (...names: string[]): DesiredMatch[] =>
      names.map((domain) => ({ ruleId: domain, action: 'block', domain }))
    const blocking = (...names: string[]): Desired =>
      desire({ ...device({}), matches: block(...names) })
    const of = (before: Desired, after: Desired): [number, boolean] => {
      const { devices, everyone } = unblocked(before, after)
      return [devices.length, everyone]
    }
    assert.deepEqual(of(blocking('a.example', 'b.example'), blocking('a.example')), [0, false])
    assert.deepEqual(of(blocking('a.example'), blocking()), [1, false])
    assert.deepEqual(of(NOTHING, blocking()), [0, false])
    assert.deepEqual(of({ ...NOTHING, everyone: block('a.example') }, NOTHING), [0, true])
  })
})

describe('what an earlier run learned', () => {
  const place: Place = {
    ...{ position: 'bridge', interfaces: ['br0'], ports: ['p0'], uplinks: [], lan: [], own: [] },
    ...{ infrastructure: [], controllers: [], masquerade: false, queues: { dns: 1, first: 2 } },
    features: { egress: true, bridge: true, bridgeConntrack: false, queue: 'nft' },
  }
  const sets = new Map(setsOf(place).map((set) => [setId(set), set]))
  const now = { packets: 0, bytes: 0 }
  const held: Record<string, string[]> = {
    using4: [`${MAC} . 203.0.113.9`, '02:0d:e0:00:00:02 . 203.0.113.9'],
    using_ip4: ['192.0.2.60 . 203.0.113.9', '192.0.2.61 . 203.0.113.9'],
    resolved4: [`${MAC} . 203.0.113.9`, `${MAC} . 203.0.113.10`],
    dns_block4: [`${MAC} . 203.0.113.9`],
    dns_block_all4: ['203.0.113.9'],
  }

  async function forgets(whose: object, what: RegExp): Promise<string[]> {
    const changes: ElementChange[] = []
    const known = new Map([['bridge homespin resolved4', new Map([[`${MAC} . 203.0.113.10`, {}]])]])
    await forgetLearned(
      { devices: [], everyone: false, ...whose, sets: what, known: () => known as never },
      {
        sets,
        writeDynamic: async (all) => {
          changes.push(...all)
        },
      },
      { elements: async ({ name }) => new Map((held[name] ?? []).map((key) => [key, now])) },
    )
    return changes
      .filter(({ set }) => set.family === 'bridge')
      .map(({ do: what_, set, key }) => `${what_} ${set.name} ${key}`)
      .sort()
  }

  it('goes with the orders of its devices, but not what the gate knows', async () => {
    const { mac: _, ...bare } = device(LIST)
    assert.deepEqual(
      await forgets({ devices: [device(LIST), { ...bare, ips: ['192.0.2.60'] }] }, OPEN_SETS),
      [
        `delete resolved4 ${MAC} . 203.0.113.9`,
        `delete using4 ${MAC} . 203.0.113.9`,
        'delete using_ip4 192.0.2.60 . 203.0.113.9',
      ],
    )
    assert.deepEqual(await forgets({ devices: [device({})] }, SHUT_SETS), [
      `delete dns_block4 ${MAC} . 203.0.113.9`,
    ])
    assert.deepEqual(await forgets({ everyone: true }, SHUT_SETS), [
      'delete dns_block_all4 203.0.113.9',
    ])
  })
})
