import assert from 'node:assert/strict'
import type { IncidentChange } from '../../nodes/incident-board.ts'
import { IncidentBoard, MAX_INCIDENTS } from '../../nodes/incident-board.ts'
import { incident } from './agent-double.ts'

const told = (change: IncidentChange | undefined): string[] =>
  change ? [change.kind, change.incident.id, change.incident.state] : []

describe('nodes/incident-board', () => {
  it('tells what was there before from what is opened', () => {
    const board = new IncidentBoard()
    board.beginSession()
    assert.deepEqual(told(board.take(incident({ id: 'a' }), true)), ['present', 'a', 'open'])
    assert.deepEqual(told(board.take(incident({ id: 'b' }), false)), ['opened', 'b', 'open'])
    assert.deepEqual(board.sweep(), [])
    assert.deepEqual(told(board.take(incident({ id: 'c' }), true)), ['opened', 'c', 'open'])
  })

  it('says of what is no longer named after a lost connection that it is closed, once', () => {
    const board = new IncidentBoard()
    board.beginSession()
    for (const id of ['a', 'b']) board.take(incident({ id }), true)
    board.sweep()
    board.beginSession()
    assert.deepEqual(told(board.take(incident({ id: 'b' }), true)), [])
    assert.deepEqual(board.sweep().map(told), [['closed', 'a', 'closed']])
    assert.deepEqual(board.sweep(), [])
    assert.deepEqual(told(board.clear('a')), [])
    assert.deepEqual(told(board.take(incident({ id: 'a', state: 'closed' }), false)), [])
    assert.deepEqual(told(board.take(incident({ id: 'a' }), false)), ['opened', 'a', 'open'])
    assert.deepEqual(
      board.incidents().map(({ id }) => id),
      ['b', 'a'],
    )
  })

  it('tells of one that was opened and closed while nobody looked', () => {
    const board = new IncidentBoard()
    const closed = board.take(incident({ state: 'closed' }), false)
    assert.deepEqual(told(closed), ['closed', 'i1-1', 'closed'])
  })

  it('is bounded', () => {
    const board = new IncidentBoard()
    for (let n = 0; n < MAX_INCIDENTS; n += 1) board.take(incident({ id: `i-${n}` }), false)
    assert.throws(() => board.take(incident({ id: 'more' }), false), /more than 256 open/)
    for (let n = 0; n < MAX_INCIDENTS; n += 1) board.clear(`i-${n}`)
    assert.deepEqual(told(board.take(incident({ id: 'more' }), false)), ['opened', 'more', 'open'])
  })
})
