// Serves a built page with the agent's content security policy, and a home that no real network would have: the tests
// of the page need hostile names, loss and a token at will. Run it by hand with: node test/panel/fixture-server.ts DIR [PORT]
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import type { History, LiveEvents, Resolution } from '../../protocol/http.ts'
import type { Info, Loss } from '../../protocol/messages.ts'
import { blockedOf } from './fixture-findings.ts'
import { FixtureHome } from './fixture-home.ts'
import { FixturePolicy, Refusal } from './fixture-policy.ts'

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
  /** Orders are taken and carried out; without it the agent can't enforce anything. */
  acts?: boolean
  /** Whoever comes with this one may look, and change nothing. */
  viewToken?: string
  /** Says so in a header, before anything is asked. */
  saysRole?: boolean
}

/** A running server; `url` ends in the prefix. */
export interface Fixture {
  url: string
  home: FixtureHome
  policy: FixturePolicy
  /** Says something over every live feed. */
  say<Name extends keyof LiveEvents>(name: Name, data: LiveEvents[Name]): void
  /** Tells over the feed what holds now. */
  tell(): void
  /** How many live feeds are open. */
  feeds(): number
  /** Ends all live feeds; while `isAway`, new ones are refused. */
  cut(isAway: boolean): void
  stop(): Promise<void>
}

/** Starts the server on 127.0.0.1. */
export async function startFixture(options: FixtureOptions): Promise<Fixture> {
  const { dir, prefix = '/', token, viewToken, loss = {} } = options
  const home = new FixtureHome(Date.now(), loss)
  const policy = new FixturePolicy(home.devices.map(({ id }) => id))
  if (options.acts) {
    policy.fill(Date.now())
    Object.assign(home.info.capabilities, ABILITIES)
  }
  let blockedSeq = 0
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
    if (options.acts && policy.rules.length > 0)
      say(feeds, 'blocked', blockedOf(policy.ids, policy.rules[2]?.id, ++blockedSeq))
  }, 1000)
  const refreshDevices = (): void => {
    if (!options.acts) return
    for (const device of home.devices) device.policy = policy.policyOf(device.id)
  }
  const tell = (): void => {
    refreshDevices()
    for (const device of home.devices) say(feeds, 'device', device)
    say(feeds, 'rules', { rules: policy.rules })
    say(feeds, 'groups', { groups: policy.groups })
    for (const incident of policy.incidents) say(feeds, 'incident', incident)
  }
  refreshDevices()

  const order = async (verb: string, request: IncomingMessage): Promise<unknown> => {
    let text = ''
    for await (const piece of request.setEncoding('utf8')) text += piece
    const args = JSON.parse(text) as Record<string, unknown>
    await new Promise((resolve) => setTimeout(resolve, policy.behaviour.delayMs))
    if (verb === 'device-rename') return rename(home, policy, args, tell)
    const result = policy.call(verb, args)
    if (policy.behaviour.told) {
      tell()
      const [entry] = policy.journal
      if (entry !== undefined) say(feeds, 'journal', entry)
    }
    return result
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    response.setHeader('content-security-policy', POLICY)
    if (!url.pathname.startsWith(prefix)) return void response.writeHead(404).end()
    const path = url.pathname.slice(prefix.length)
    if (!path.startsWith('api/')) return sendFile(dir, path === '' ? 'index.html' : path, response)
    const given = request.headers.authorization
    const isViewer = viewToken !== undefined && given === `Bearer ${viewToken}`
    if (token !== undefined && given !== `Bearer ${token}` && !isViewer) {
      return sendJson(response, { error: { code: 'unauthorized', message: 'token needed' } }, 401)
    }
    if (options.saysRole) response.setHeader('homespin-role', isViewer ? 'view' : 'admin')
    if (isAway) return sendJson(response, { error: { code: 'away', message: 'away' } }, 503)
    if (request.method === 'POST') {
      const verb = path.slice('api/'.length)
      try {
        if (isViewer) throw new Refusal(403, 'forbidden', `${verb} needs the role admin`)
        sendJson(response, await order(verb, request))
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        const { status, code, message } = error
        sendJson(response, { error: { code, message } }, status)
      }
    } else if (path === 'api/live') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      feeds.add(response.on('close', () => feeds.delete(response)))
      say([response], 'info', home.info)
      refreshDevices()
      say([response], 'devices', home.list())
      say([response], 'rules', { rules: policy.rules })
      say([response], 'groups', { groups: policy.groups })
      for (const incident of policy.incidents)
        if (incident.state === 'open') say([response], 'incident', incident)
    } else {
      refreshDevices()
      sendJson(
        response,
        readPolicy(policy, path, url.searchParams) ?? rest(home, path, url.searchParams),
      )
    }
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
    policy,
    say: (name, data) => say(feeds, name, data),
    tell,
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

/** What the agent of the fixture can enforce. */
const ABILITIES: Info['capabilities'] = {
  enforce: { ok: true, reason: 'nftables, as two-armed gateway on lan0, wan0' },
  levels: {
    ok: true,
    reason: 'Every level can be held.',
    values: ['observe', 'internet_only', 'local_only', 'full'],
  },
  dns_gate: { ok: true, reason: 'DNS passes this box.' },
  first_packets: { ok: false, reason: 'The kernel has neither nft queue nor the xt target.' },
}

function rename(
  home: FixtureHome,
  policy: FixturePolicy,
  args: Record<string, unknown>,
  tell: () => void,
): unknown {
  policy.came.push({ verb: 'device-rename', args })
  const device = home.devices.find(({ id }) => id === args.device)
  if (device === undefined) throw new Refusal(404, 'not_found', 'there is no such device')
  Object.assign(device, { name: String(args.name), name_source: 'user' })
  tell()
  return { device_id: device.id, name: device.name }
}

function readPolicy(policy: FixturePolicy, path: string, query: URLSearchParams): unknown {
  if (path === 'api/rules') return { rules: policy.rules }
  if (path === 'api/groups') return { groups: policy.groups }
  if (path === 'api/incidents') {
    const state = query.get('state')
    return { incidents: policy.incidents.filter((one) => state === null || one.state === state) }
  }
  if (path !== 'api/journal') return undefined
  const before = Number(query.get('before') ?? Number.POSITIVE_INFINITY)
  const entries = policy.journal.filter(({ seq }) => seq < before)
  return { entries: entries.slice(0, Number(query.get('limit'))), total: policy.journal.length }
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
  const { url } = await startFixture({ dir, port: Number(port), acts: true })
  console.log(url)
}
