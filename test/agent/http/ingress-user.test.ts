// What is read of a request that came through Home Assistant, and of one that somebody made up.
import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { ingressUser } from '../../../agent/http/access.ts'

const ID = 'a'.repeat(32)

function requestOf(headers: Record<string, string[]>): IncomingMessage {
  return { headersDistinct: headers } as unknown as IncomingMessage
}

describe('who asks through Home Assistant', () => {
  it('is one user, or nobody', () => {
    assert.equal(ingressUser(requestOf({ 'x-remote-user-id': [ID] })).id, ID)
    assert.equal(ingressUser(requestOf({})).id, undefined)
    assert.equal(ingressUser(requestOf({ 'x-remote-user-id': [ID, ID] })).id, undefined)
  })

  it('comes from the address that Home Assistant saw, the last before its own', () => {
    const cases: [string[], string | undefined][] = [
      [['192.0.2.50, 172.30.32.1'], '192.0.2.50'],
      [['192.0.2.50', '172.30.32.1'], '192.0.2.50'],
      [['203.0.113.9, 192.0.2.50, 172.30.32.1'], '192.0.2.50'],
      [['2001:db8::7, 172.30.32.1'], '2001:db8::7'],
      [['::ffff:192.0.2.50, 172.30.32.1'], '192.0.2.50'],
      [['127.0.0.1, 172.30.32.1'], undefined],
      [['None, 172.30.32.1'], undefined],
      [['172.30.32.1'], undefined],
      [[], undefined],
    ]
    for (const [path, address] of cases) {
      assert.equal(ingressUser(requestOf({ 'x-forwarded-for': path })).address, address, `${path}`)
    }
  })
})
