import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LiveSnapshot } from '../../../agent/http/live-feed.ts'
import { device, event, flow, info, interval, until } from '../mqtt/listener.ts'
import { ask, serve, stopAll } from './served.ts'

interface Reader {
  response: IncomingMessage
  text: () => string
  /** The end of the text: quick to ask for. */
  tail: () => string
  events: (name: string) => unknown[]
  stop: () => void
}

const PATIENT_MS = 30_000

function snapshot(): LiveSnapshot {
  return { info: info('one', 1), devices: { devices: [], rates: [] } }
}

describe('LiveFeed', function () {
  this.timeout(60_000)
  afterEach(stopAll)

  async function read(port: number): Promise<Reader> {
    const asked = request({ host: '127.0.0.1', port, path: '/api/live', agent: false })
    asked.on('error', () => {})
    asked.end()
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    let text = ''
    let tail = ''
    response.setEncoding('utf8')
    response.on('error', () => {})
    response.on('data', (chunk: string) => {
      text += chunk
      tail = (tail + chunk).slice(-1000)
    })
    return {
      response,
      text: () => text,
      tail: () => tail,
      events: (name) =>
        [...text.matchAll(new RegExp(`event: ${name}\ndata: (.*)\n\n`, 'g'))].map(([, data]) =>
          JSON.parse(data as string),
        ),
      stop: () => asked.destroy(),
    }
  }

  it('begins with info and devices, then tells what happens', async () => {
    const { server, port } = await serve()
    const { events, response, text, stop } = await read(port)
    await until(() => events('devices').length === 1)
    assert.match(String(response.headers['content-type']), /^text\/event-stream/)
    assert.ok(text().indexOf('event: info') < text().indexOf('event: devices'))
    const flows = Array.from({ length: 1500 }, (_, n) =>
      flow(n, { remote_name: 'a\nevent: forged\ndata: 1\n\n' }),
    )
    server.live.interval(interval(0, flows), [{ device_id: 'a', sent_rate: 1, received_rate: 2 }])
    server.live.device(device(1))
    server.live.event(event(1))
    server.live.info(info('one', 2))
    await until(() => events('info').length === 2)
    const [frame] = events('flows') as [
      { flows: { sent_bytes: number }[]; changed: number; complete: boolean; to_ms: number },
    ]
    assert.deepEqual(
      [frame.flows.length, frame.changed, frame.complete, frame.to_ms],
      [1000, 1500, true, 1000],
    )
    assert.deepEqual(
      frame.flows.slice(0, 2).map(({ sent_bytes }) => sent_bytes),
      [1499, 1498],
    )
    assert.deepEqual(events('rates'), [
      { rates: [{ device_id: 'a', sent_rate: 1, received_rate: 2 }], to_ms: 1000 },
    ])
    assert.equal(events('device').length, 1)
    assert.equal(events('event').length, 1)
    assert.equal(events('forged').length, 0)
    stop()
    await until(() => server.live.clients === 0)
  })

  it('beats while nothing happens', async () => {
    const { port } = await serve({
      live: {
        snapshot,
        heartbeatMs: 50,
      },
    })
    const { text, stop } = await read(port)
    await until(() => text().includes(': still here'))
    stop()
  })

  it('takes no more clients than are allowed', async () => {
    const { server, port } = await serve({
      live: {
        snapshot,
        maxClients: 2,
      },
    })
    const readers = [await read(port), await read(port)]
    await until(() => server.live.clients === 2)
    const { status, json } = await ask({ port, path: '/api/live' })
    assert.deepEqual([status, json.error.code], [503, 'too_many'])
    for (const { stop } of readers) stop()
  })

  it('leaves frames out for a client that does not read, gives it a snapshot when it does, and never grows', async () => {
    const { server, port } = await serve({ live: { snapshot, maxBehindMs: 10 * PATIENT_MS } })
    const slow = await read(port)
    const fast = await read(port)
    await until(() => server.live.clients === 2 && slow.events('devices').length === 1)
    slow.response.pause()
    const flows = Array.from({ length: 1000 }, (_, n) => flow(n))
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed
    for (let second = 0; second < 100; second++) {
      server.live.interval(interval(second * 1000, flows), [])
      const rates = `event: rates\ndata: {"rates":[],"to_ms":${(second + 1) * 1000}}`
      await until(() => fast.tail().includes(rates), PATIENT_MS)
    }
    server.live.event(event(6))
    await until(() => fast.tail().includes('event 6'), PATIENT_MS)
    assert.equal(fast.events('rates').length, 100)
    const grown =
      (process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed - before) / 1048576
    // The reader that keeps up keeps some 90 MB of text in this very process.
    assert.ok(grown < 300, `${grown} MiB`)
    slow.response.resume()
    await until(() => {
      // Whoever is still behind does not get it.
      server.live.event(event(7))
      return slow.tail().includes('event 7')
    }, PATIENT_MS)
    const seconds = slow.events('rates').length
    assert.ok(seconds < 90, `${seconds} frames reached the client that did not read`)
    assert.equal(slow.events('devices').length, 2)
    for (const { stop } of [slow, fast]) stop()
  })

  it('cuts a client that stays behind', async () => {
    const { server, port } = await serve({
      live: {
        snapshot,
        maxBehindMs: 200,
      },
    })
    const { response, events, stop } = await read(port)
    await until(() => events('devices').length === 1)
    response.pause()
    const flows = Array.from({ length: 1000 }, (_, n) => flow(n))
    for (let second = 0; second < 300 && server.live.clients > 0; second++) {
      server.live.interval(interval(second * 1000, flows), [])
      await sleep(5)
    }
    assert.equal(server.live.clients, 0)
    stop()
  })
})
