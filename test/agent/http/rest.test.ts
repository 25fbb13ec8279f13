// REST and JSON-RPC over the methods that the agent has; policy itself is a double.
import assert from 'node:assert/strict'
import { openApi } from '../../../agent/http/openapi.ts'
import { pathOf } from '../../../agent/http/rest.ts'
import type { Order } from '../../../agent/policy/contract.ts'
import type { Home } from '../methods/home.ts'
import { CAMERA, EXAMPLES, incident, testHome } from '../methods/home.ts'
import { info, until } from '../mqtt/listener.ts'
import type { Answer, Served } from './served.ts'
import { ask, serve, stopAll } from './served.ts'

const BLOCK: Order = {
  action: 'block',
  subject: { device_id: CAMERA },
  match: {},
  term: {},
}
const TOKEN = 'k7Qe92mZx0aa51Lw'
const VIEW_TOKEN = 'v7Qe92mZx0aa51Lw'

describe('REST', function () {
  this.timeout(20_000)
  let home: Home
  let served: Served

  beforeEach(async () => {
    home = testHome()
    served = await serve({
      methods: home.methods,
      token: TOKEN,
      viewToken: VIEW_TOKEN,
      version: '1.2.3',
    })
  })
  afterEach(stopAll)

  type More = { token?: string | undefined; headers?: Record<string, string>; method?: string }

  function request(path: string, body?: unknown, more: More = {}): Promise<Answer> {
    const token = 'token' in more ? more.token : TOKEN
    return ask({
      port: served.port,
      path,
      method: more.method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        Host: `localhost:${served.port}`,
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...more.headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  }

  it('has every method at a path of its own, for each role as it should be, and over the socket', async () => {
    for (const method of home.methods.list()) {
      const { name, role } = method
      const isRead = role === 'view'
      const path = pathOf(method)
      const { rules } = await home.desk.order(BLOCK, {
        actor: { kind: 'person', via: 'http' },
        reason: '',
      })
      const args = name === 'confirm' ? { rule: rules[0]?.id } : (EXAMPLES[name] ?? {})
      const send = (more: More): Promise<Answer> =>
        isRead ? request(path, undefined, more) : request(path, args, more)
      assert.equal((await send({ token: undefined })).status, 401, name)
      assert.equal((await send({ token: `${VIEW_TOKEN}x` })).status, 401, name)
      const viewer = await send({ token: VIEW_TOKEN })
      assert.equal(viewer.status, isRead ? 200 : 403, name)
      assert.equal(viewer.headers['homespin-role'], 'view', name)
      if (!isRead) assert.equal(viewer.json.error.code, 'forbidden', name)
      const rpc = { jsonrpc: '2.0', id: 1, method: name, params: args }
      const rpcViewer = await request('/api/rpc', rpc, { token: VIEW_TOKEN })
      assert.equal(rpcViewer.json.error?.data.code, isRead ? undefined : 'forbidden', name)
      assert.equal((await send({})).status, 200, `${name}: ${(await send({})).body}`)
      const wrong = isRead ? request(path, args) : request(path)
      assert.equal((await wrong).status, 405, name)
      // Whoever may open the socket may do everything; with a key too many nothing is done.
      const socket = await ask({
        socketPath: served.socketPath,
        path: '/api/rpc',
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ ...rpc, params: { ...args, colour: 'red' } }),
      })
      assert.equal(socket.json.error.data.code, 'invalid_arguments', name)
    }
  })

  it('takes changes as JSON alone, and no other site’s', async () => {
    const args = JSON.stringify({ device: CAMERA })
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await request('/api/quarantine', args, { headers })).status
    assert.equal(await status({ 'Content-Type': 'text/plain' }), 415)
    assert.equal(await status({ 'Content-Type': 'application/x-www-form-urlencoded' }), 415)
    assert.equal(await status({ Origin: 'http://evil.example' }), 403)
    assert.equal(await status({ Host: 'evil.example' }), 403)
    assert.equal(await status({ 'Sec-Fetch-Site': 'cross-site' }), 403)
    assert.equal((await request(`/api/quarantine?device=${CAMERA}`, '{}')).status, 400)
    assert.equal((await request('/api/quarantine', '['.repeat(65_000))).status, 400)
    assert.equal((await request('/api/quarantine', `"${'x'.repeat(70_000)}"`)).status, 413)
    assert.equal(
      (await request('/api/quarantine', `{"__proto__":{"device":"${CAMERA}"}}`)).status,
      400,
    )
    for (const method of ['PUT', 'DELETE', 'GET', 'HEAD'])
      assert.equal((await request('/api/panic', undefined, { method })).status, 405, method)
    assert.deepEqual(home.desk.calls, [])
    assert.equal(await status({}), 200)
  })

  it('answers what was done, and why it was not', async () => {
    const done = await request('/api/pause', { device: 'camera', for: '10m', reason: 'dinner' })
    assert.equal(done.json.rules[0].level, 'local_only')
    assert.equal(done.json.rules[0].state, 'active')
    const cases: [path: string, body: unknown, status: number, code: string][] = [
      ['/api/pause', { device: 'nobody' }, 404, 'not_found'],
      ['/api/pause', { device: 'tablet' }, 409, 'conflict'],
      ['/api/pause', { device: CAMERA, for: 'ever' }, 400, 'invalid_arguments'],
      ['/api/unblock', { rule: 'r1' }, 409, 'conflict'],
      ['/api/get-rules', {}, 404, 'not_found'],
    ]
    for (const [path, body, status, code] of cases) {
      const answer = await request(path, body)
      assert.deepEqual([answer.status, answer.json.error.code], [status, code], path)
    }
    assert.equal((await request('/api/rules')).json.rules.length, 1)
    assert.equal((await request('/api/journal?limit=1')).json.entries[0].reason, 'dinner')
    assert.equal(
      (await request('/api/incidents?device=camera&state=open')).json.incidents.length,
      1,
    )
    assert.equal((await request('/api/journal?limit=x')).status, 400)
  })

  it('does not take a proxy on this machine for whoever asks', async () => {
    await request('/api/pause', { device: CAMERA })
    assert.equal(home.desk.calls[0]?.by.asker, undefined)
  })

  it('describes itself in OpenAPI 3.1, with each method and its role', async () => {
    const { json, status } = await request('/api/openapi.json', undefined, { token: VIEW_TOKEN })
    assert.equal(status, 200)
    assert.deepEqual(json, JSON.parse(JSON.stringify(openApi(home.methods.list(), '1.2.3'))))
    assert.match(json.openapi, /^3\.1\./)
    for (const method of home.methods.list()) {
      const operation = json.paths[pathOf(method)][method.role === 'view' ? 'get' : 'post']
      assert.equal(operation.operationId, method.name)
      assert.equal(operation['x-role'], method.role)
      const { schema } = operation.responses[200].content['application/json']
      const name = schema.$ref.replace('#/components/schemas/', '')
      assert.equal(name, method.result, method.name)
      assert.equal(json.components.schemas[String(name)]?.type, 'object', name)
    }
    // Every reference leads somewhere, and what was said of limits and pauses is what they answer.
    for (const [, name = ''] of JSON.stringify(json).matchAll(/"#\/components\/schemas\/([^"]+)"/g))
      assert.ok(json.components.schemas[decodeURIComponent(name)], name)
    const { schemas } = json.components
    assert.ok(schemas.LimitList.properties.exceptions)
    assert.ok(schemas.PauseMinutes.properties.minutes)
    assert.ok(schemas.Ordered.properties.policies)
    const { schema } = json.paths['/api/block'].post.requestBody.content['application/json']
    assert.equal(schema.additionalProperties, false)
    assert.ok(schema.properties.domain)
  })

  it('tells in the live feed what was ordered and what became of it', async () => {
    const { desk } = home
    await request('/api/block', { device: CAMERA })
    await stopAll()
    served = await serve({
      live: {
        snapshot: () => ({
          info: info('one', 1),
          devices: { devices: [], rates: [] },
          rules: desk.rules(),
          groups: [{ id: 'kids', name: 'Kids', device_ids: [] }],
          incidents: [incident('i-7')],
        }),
      },
    })
    const abort = new AbortController()
    const response = await fetch(`${served.url}api/live`, { signal: abort.signal })
    let text = ''
    const reading = (async () => {
      for await (const part of response.body as unknown as AsyncIterable<Uint8Array>)
        text += new TextDecoder().decode(part)
    })().catch(() => {})
    await until(() => text.includes('i-7'))
    const { live } = served.server
    live.rules(desk.rules())
    live.groups([])
    const entry = desk.journal(undefined, 1).entries[0]
    assert.ok(entry)
    live.journal(entry)
    live.incident(incident('i-8', 'closed'))
    live.blocked({ type: 'blocked_batch', seq: 1, from_ms: 0, to_ms: 1, blocked: [] })
    live.connection({
      type: 'connection',
      id: 'c-1',
      device_id: CAMERA,
      direction: 'outbound',
      protocol: 'tcp',
      originator: { ip: '192.0.2.11' },
      responder: { ip: '203.0.113.9', port: 443 },
      asked_ms: 1,
      deadline_ms: 2,
      default: 'accept',
    })
    await until(() => text.includes('event: connection\n'))
    abort.abort()
    await reading
    const names = [...text.matchAll(/^event: (.*)$/gm)].map(([, name]) => name)
    assert.deepEqual(names, [
      'info',
      'devices',
      'rules',
      'groups',
      'incident',
      'rules',
      'groups',
      'journal',
      'incident',
      'blocked',
      'connection',
    ])
    assert.match(text, /event: rules\ndata: {"rules":\[{"id":"r1"/)
  })
})
