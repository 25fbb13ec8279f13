// Serves a built page with the agent's content security policy, and a home that no real network would have: the tests
// of the page need hostile names, loss and a token at will. Run it by hand with: node test/panel/fixture-server.ts DIR [PORT]
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import type { History, LiveEvents, Resolution } from '../../protocol/http.ts'
import type { Loss } from '../../protocol/messages.ts'
import { FixtureHome } from './fixture-home.ts'

/** The policy under which the agent serves the page. */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join('; ')

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}
const STEPS: Readonly<Record<Resolution, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
}

export interface FixtureOptions {
  /** The folder of the built page. */
  dir: string
  port?: number
  /** Where the page lies, as behind a proxy: `/` or `/some/prefix/`. */
  prefix?: string
  token?: string
  loss?: Partial<Loss>
}

/** A running server; `url` ends in the prefix. */
export interface Fixture {
  url: string
  home: FixtureHome
  /** How many live feeds are open. */
  feeds(): number
  /** Ends all live feeds; while `isAway`, new ones are refused. */
  cut(isAway: boolean): void
  stop(): Promise<void>
}

/** Starts the server on 127.0.0.1. */
export async function startFixture(options: FixtureOptions): Promise<Fixture> {
  const { dir, prefix = '/', token, loss = {} } = options
  const home = new FixtureHome(Date.now(), loss)
  const feeds = new Set<ServerResponse>()
  let isAway = false
  const say = <Name extends keyof LiveEvents>(
    to: Iterable<ServerResponse>,
    name: Name,
    data: LiveEvents[Name],
  ): void => {
    for (const feed of to) feed.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
  }
  const timer = setInterval(() => {
    const to_ms = Date.now()
    const flows = structuredClone(home.step(to_ms))
    say(feeds, 'flows', { flows, changed: flows.length, complete: home.complete, to_ms })
    say(feeds, 'rates', { rates: home.rates, to_ms })
    for (const device of home.devices) say(feeds, 'device', device)
  }, 1000)

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    response.setHeader('content-security-policy', POLICY)
    if (!url.pathname.startsWith(prefix)) return void response.writeHead(404).end()
    const path = url.pathname.slice(prefix.length)
    if (!path.startsWith('api/')) return sendFile(dir, path === '' ? 'index.html' : path, response)
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
      return sendJson(response, { error: { code: 'unauthorized', message: 'token needed' } }, 401)
    }
    if (isAway) return sendJson(response, { error: { code: 'away', message: 'away' } }, 503)
    if (path === 'api/live') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      feeds.add(response.on('close', () => feeds.delete(response)))
      say([response], 'info', home.info)
      say([response], 'devices', home.list())
    } else sendJson(response, rest(home, path, url.searchParams))
  }
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.writeHead(500).end())
  })
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const cut = (away: boolean): void => {
    isAway = away
    for (const feed of feeds) feed.end()
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`,
    home,
    cut,
    feeds: () => feeds.size,
    stop: async () => {
      clearInterval(timer)
      cut(true)
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function rest(home: FixtureHome, path: string, query: URLSearchParams): unknown {
  if (path === 'api/flows') return { flows: home.flows, total: home.flows.length }
  if (path === 'api/history/remotes') {
    const device = query.get('device')
    return { remotes: home.remotes().filter(({ device_id }) => !device || device_id === device) }
  }
  if (path !== 'api/history') return path === 'api/info' ? home.info : home.list()
  const resolution = (query.get('resolution') ?? 'hour') as Resolution
  const from_ms = Number(query.get('from_ms'))
  const to_ms = Number(query.get('to_ms'))
  const now = Date.now()
  const history: History = {
    resolution,
    from_ms,
    to_ms,
    points: home.history(
      STEPS[resolution],
      from_ms,
      to_ms,
      query.get('device') ? (Number.parseInt(query.get('device') ?? '', 16) % 16) / 60 : 1,
    ),
    kept_from_ms: {
      minute: now - 2 * STEPS.day,
      hour: now - 14 * STEPS.day,
      day: now - 80 * STEPS.day,
    },
  }
  return history
}

async function sendFile(dir: string, path: string, response: ServerResponse): Promise<void> {
  const body = await readFile(join(dir, normalize(`/${path}`))).catch(() => undefined)
  if (body === undefined) return void response.writeHead(404).end()
  response
    .writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' })
    .end(body)
}

function sendJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

if (import.meta.main) {
  const [dir = 'panel/dist', port = '8099'] = process.argv.slice(2)
  const { url } = await startFixture({ dir, port: Number(port) })
  console.log(url)
}
