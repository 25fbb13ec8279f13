import assert from 'node:assert/strict'
import { canHave, canRestrict, levelsOf, levelsReason } from '../../panel/src/acting.ts'
import type { FeedEvent } from '../../panel/src/feed.ts'
import { readEvent } from '../../panel/src/feed.ts'
import { createI18n } from '../../panel/src/i18n.ts'
import { canUndo, entryText, joinJournal } from '../../panel/src/journal-list.ts'
import {
  heldAt,
  KEEP_HELD_MS,
  MAX_BLOCKED,
  MAX_HELD,
  MAX_INCIDENTS,
  MAX_JOURNAL,
  openIncidents,
} from '../../panel/src/policy-state.ts'
import type { PanelState } from '../../panel/src/store.ts'
import { EMPTY, receive } from '../../panel/src/store.ts'
import type { Blocked, Incident } from '../../protocol/act.ts'
import type { Capability, Info } from '../../protocol/messages.ts'
import { deviceOf, entryOf, incidentOf, ruleOf } from './examples.ts'
import { connectionOf } from './fixture-findings.ts'

const play = (events: readonly FeedEvent[], from: PanelState = EMPTY): PanelState =>
  events.reduce(receive, from)
const incident = (data: Incident): FeedEvent => ({ name: 'incident', data })
const blocked = (to_ms: number, ...some: Partial<Blocked>[]): FeedEvent => ({
  name: 'blocked',
  data: {
    type: 'blocked_batch',
    seq: 1,
    from_ms: to_ms - 1000,
    to_ms,
    blocked: some.map((one) => ({
      device_id: 'a',
      cause: 'block',
      direction: 'from_device',
      packets: 1,
      bytes: 60,
      ...one,
    })),
  },
})

describe('panel: what is ordered', () => {
  it('takes every event of policy from the stream', () => {
    for (const name of ['rules', 'groups', 'journal', 'incident', 'blocked', 'connection']) {
      assert.equal(readEvent({ name, data: '{}' })?.name, name)
    }
  })

  it('does not know rules before it is told them', () => {
    assert.equal(EMPTY.policy.rules, undefined)
    const told = play([{ name: 'rules', data: { rules: [] } }])
    assert.deepEqual(told.policy.rules, [])
    assert.equal(play([{ name: 'rates', data: { rates: [], to_ms: 1 } }], told).policy, told.policy)
  })

  it('adds up what was blocked by device, remote, cause and direction', () => {
    const { policy } = play([
      blocked(1000, { remote: 'x' }, { remote: 'y' }, { remote: 'x', direction: 'to_device' }),
      blocked(2000, { remote: 'x', packets: 4 }, { remote: 'x', cause: 'dns' }),
    ])
    const sums = [...policy.blocked.values()]
    assert.equal(sums.length, 4)
    const [first] = sums
    assert.deepEqual(
      [first?.packets, first?.bytes, first?.first_ms, first?.last_ms],
      [5, 120, 0, 2000],
    )
    const flood = Array.from({ length: 700 }, (_, n) => ({ remote: `flood${n}` }))
    assert.equal(play([blocked(3000, ...flood)]).policy.blocked.size, MAX_BLOCKED)
  })

  it('lists open incidents, the worst first, and drops those that ended unseen', () => {
    const state = play([
      incident(incidentOf('1', { severity: 'low', opened_ms: 9 })),
      incident(incidentOf('2', { severity: 'high', opened_ms: 1 })),
      incident(incidentOf('3', { severity: 'high', opened_ms: 2 })),
      incident(incidentOf('4', { state: 'closed' })),
    ])
    const ids = (of: PanelState): string =>
      openIncidents(of.policy.incidents.values())
        .map(({ id }) => id)
        .join('')
    assert.equal(ids(state), '321')
    const again = play(
      [{ name: 'devices', data: { devices: [], rates: [] } }, incident(incidentOf('2'))],
      state,
    )
    assert.equal(ids(again), '2')
    assert.equal(again.policy.incidents.has('4'), true)
    const many = Array.from({ length: 700 }, (_, n) =>
      incident(incidentOf(`m${n}`, { last_ms: n })),
    )
    const most = play([incident(incidentOf('old', { state: 'closed', last_ms: 1e12 })), ...many])
    assert.equal(most.policy.incidents.size, MAX_INCIDENTS)
    assert.equal(most.policy.incidents.has('old'), false)
  })

  it('shows first packets until a moment after their deadline, with what was decided', () => {
    const connection = connectionOf('a', 200)
    const state = play([{ name: 'connection', data: connection }])
    const later = connection.deadline_ms + KEEP_HELD_MS
    assert.equal(heldAt(state.policy.held, later - 1).length, 1)
    assert.equal(heldAt(state.policy.held, later).length, 0)
    const decision = { connection: connection.id, verdict: 'drop' } as const
    const decided = play([{ name: 'decided', data: decision }], state)
    assert.equal(decided.policy.held[0]?.verdict, 'drop')
    const flood = Array.from(
      { length: 500 },
      (_, n): FeedEvent => ({ name: 'connection', data: { ...connection, id: `c${n}` } }),
    )
    assert.equal(play(flood).policy.held.length, MAX_HELD)
  })

  it('joins the journal that was read with what was told since', () => {
    const told = play([1, 2, 3].map((n) => ({ name: 'journal', data: entryOf(n + 5) }) as const))
      .policy.journal
    const page = { entries: [entryOf(6), entryOf(5, { undone_by: 6 }), entryOf(4)], isWhole: true }
    assert.deepEqual(
      joinJournal(page, told).map(({ seq }) => seq),
      [8, 7, 6, 5, 4],
    )
    const undone = play([
      { name: 'journal', data: entryOf(7) },
      { name: 'journal', data: entryOf(8, { verb: 'undo', undoes: 4 }) },
    ]).policy.journal
    const joined = joinJournal(page, undone)
    assert.equal(joined.find(({ seq }) => seq === 4)?.undone_by, 8)
    assert.deepEqual(
      joined.filter(canUndo).map(({ seq }) => seq),
      [8, 7, 6],
    )
    assert.equal(canUndo(entryOf(1, { verb: 'expire' })), false)
    const flood = Array.from(
      { length: 400 },
      (_, n): FeedEvent => ({ name: 'journal', data: entryOf(n) }),
    )
    assert.equal(play(flood).policy.journal.length, MAX_JOURNAL)
  })

  it('tells changes in the reader’s language, and unknown ones in the agent’s words', () => {
    const state = play([{ name: 'device', data: deviceOf('a', { name: 'TV\u202e' }) }])
    const dutch = createI18n('nl', 'nl-NL')
    const added = [ruleOf('r', { action: 'quarantine', level: 'full' })]
    assert.deepEqual(entryText(entryOf(1, { verb: 'quarantine', added }), state, dutch), {
      verb: 'In quarantaine gezet',
      what: 'TV · Afgesloten',
    })
    assert.deepEqual(entryText(entryOf(2, { verb: 'constructor' }), state, dutch), {
      verb: 'Change 2.',
      what: '',
    })
  })
})

describe('panel: what can be enforced', () => {
  const infoOf = (capabilities: Record<string, Capability>): Info =>
    ({ capabilities }) as Partial<Info> as Info
  const enforce = { ok: true, reason: 'nftables' }

  it('offers only levels that are held here, and says why not the others', () => {
    assert.deepEqual(levelsOf(undefined), [])
    const levels = { ok: true, reason: 'As a mirror: no more.', values: ['full', 'observe', 'new'] }
    const info = infoOf({ enforce, levels })
    assert.deepEqual(levelsOf(info), ['observe', 'full'])
    assert.equal(levelsReason(info), 'As a mirror: no more.')
    assert.deepEqual(levelsOf(infoOf({ enforce: { ok: false, reason: 'no' }, levels })), [])
  })

  it('leaves to the agent what it does not speak of', () => {
    const info = infoOf({ enforce, first_packets: { ok: false, reason: 'no queue' } })
    assert.deepEqual(canHave(info, 'dns_gate'), { ok: true })
    assert.deepEqual(canRestrict(info, 'ask'), { ok: false, reason: 'no queue' })
    assert.equal(canRestrict(info, 'no_encrypted_dns').ok, true)
    assert.equal(canRestrict(infoOf({}), 'no_encrypted_dns').ok, false)
  })
})
