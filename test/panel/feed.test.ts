import assert from 'node:assert/strict'
import { createApi } from '../../panel/src/api.ts'
import type { FeedEvent, FeedState } from '../../panel/src/feed.ts'
import { Feed, pauseBefore, readEvent } from '../../panel/src/feed.ts'
import type { Fixture } from './fixture-server.ts'
import { startFixture } from './fixture-server.ts'

/** Hears a feed, and waits for what it should say. */
class Listener {
  readonly states: FeedState[] = []
  readonly events: FeedEvent[] = []
  reason: string | undefined
  onState(state: FeedState, reason?: string): void {
    this.states.push(state)
    this.reason = reason ?? this.reason
  }
  onEvent(event: FeedEvent): void {
    this.events.push(event)
  }
  async until(isThere: () => boolean): Promise<void> {
    const end = performance.now() + 8000
    while (!isThere()) {
      assert.ok(performance.now() < end, `only heard ${this.states.join(' ')}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  names(): string[] {
    return this.events.map(({ name }) => name)
  }
}

describe('panel: the live feed', () => {
  let server: Fixture
  let feed: Feed | undefined
  afterEach(async () => {
    feed?.stop()
    await server.stop()
  })

  it('tells of the home, lists the flows, and stops when told', async () => {
    server = await startFixture({ dir: '.', prefix: '/behind/a/proxy/' })
    const heard = new Listener()
    feed = new Feed(
      createApi(server.url, () => undefined),
      heard,
    )
    feed.start()
    await heard.until(() => heard.names().includes('rates') && heard.names().includes('flow_list'))
    assert.deepEqual(heard.states, ['connecting', 'live'])
    assert.deepEqual(heard.names().slice(0, 2), ['info', 'devices'])
    feed.stop()
    const { length } = heard.events
    await new Promise((resolve) => setTimeout(resolve, 1200))
    assert.equal(heard.events.length, length)
    assert.equal(heard.states.at(-1), 'paused')
  })

  it('comes back when the agent does, and says why it was refused', async () => {
    server = await startFixture({ dir: '.' })
    const heard = new Listener()
    feed = new Feed(
      createApi(server.url, () => undefined),
      heard,
    )
    feed.start()
    await heard.until(() => heard.states.includes('live'))
    server.cut(true)
    await heard.until(() => heard.reason === 'away')
    assert.equal(heard.states.at(-1), 'away')
    server.cut(false)
    await heard.until(() => heard.states.at(-1) === 'live')
  })

  it('asks for a token once it is refused, and sends it', async () => {
    server = await startFixture({ dir: '.', token: 'correct-horse-battery' })
    let token: string | undefined
    const heard = new Listener()
    feed = new Feed(
      createApi(server.url, () => token),
      heard,
    )
    feed.start()
    await heard.until(() => heard.states.at(-1) === 'locked')
    assert.equal(heard.events.length, 0)
    token = 'correct-horse-battery'
    feed.start()
    await heard.until(() => heard.names().includes('flow_list'))
  })

  it('knows the events of its version and passes over others', async () => {
    server = await startFixture({ dir: '.' })
    assert.equal(readEvent({ name: 'later', data: '{}' }), undefined)
    assert.deepEqual(readEvent({ name: 'rates', data: '{"rates":[],"to_ms":1}' }), {
      name: 'rates',
      data: { rates: [], to_ms: 1 },
    })
    assert.throws(() => readEvent({ name: 'rates', data: '{' }))
  })

  it('waits longer each time, but not for ever', async () => {
    server = await startFixture({ dir: '.' })
    const pauses = [0, 1, 2, 3, 4, 5, 10, 1000].map((n) => pauseBefore(n, 1))
    assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000])
    assert.equal(pauseBefore(0, 0), 250)
  })
})
