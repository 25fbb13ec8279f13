import assert from 'node:assert/strict'
import type { ServerEvent } from '../../panel/src/sse.ts'
import { EventParser, MAX_EVENT_CHARACTERS } from '../../panel/src/sse.ts'

const STREAM =
  'retry: 2000\n\n: still here\n\nevent: info\ndata: {"a":1}\n\n' +
  'event: rates\r\ndata:first\r\ndata:  second\r\n\r\nid: 7\ndata\n\ndata: cr\r\revent: nothing\n\n'

const EVENTS: ServerEvent[] = [
  { name: 'info', data: '{"a":1}' },
  { name: 'rates', data: 'first\n second' },
  { name: 'message', data: '' },
  { name: 'message', data: 'cr' },
]

describe('panel: server-sent events', () => {
  it('reads events with every kind of line end', () => {
    assert.deepEqual(new EventParser().push(STREAM), EVENTS)
  })

  it('reads the same wherever the stream is split', () => {
    for (let at = 0; at <= STREAM.length; at++) {
      const parser = new EventParser()
      const events = [...parser.push(STREAM.slice(0, at)), ...parser.push(STREAM.slice(at))]
      assert.deepEqual(events, EVENTS, `split at ${at}`)
    }
    const parser = new EventParser()
    assert.deepEqual(
      [...STREAM].flatMap((letter) => parser.push(letter)),
      EVENTS,
    )
  })

  it('holds no more than one event', () => {
    const parser = new EventParser()
    parser.push('data: ')
    const piece = 'x'.repeat(1 << 20)
    assert.throws(() => {
      for (let n = 0; n <= MAX_EVENT_CHARACTERS / piece.length; n++) parser.push(piece)
    }, /too large/)
    const lines = new EventParser()
    assert.throws(() => {
      for (let n = 0; n <= MAX_EVENT_CHARACTERS / piece.length; n++) lines.push(`data: ${piece}\n`)
    }, /too large/)
  })
})
