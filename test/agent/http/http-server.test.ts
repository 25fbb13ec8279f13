import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { MethodError } from '../../../agent/methods/registry.ts'
import { until } from '../mqtt/listener.ts'
import { ask, sendRaw, serve, stopAll, testMethods } from './served.ts'

describe('HttpServer', function () {
  this.timeout(20_000)
  afterEach(stopAll)

  describe('who may ask', () => {
    it('lets through the host names of this machine, and refuses every other', async () => {
      const { port } = await serve({ names: ['Spin.Example'] })
      const path = '/api/info'
      const right = [
        `127.0.0.1:${port}`,
        `localhost:${port}`,
        `LOCALHOST:${port}`,
        `[::1]:${port}`,
        `spin.example:${port}`,
      ]
      for (const Host of right)
        assert.equal((await ask({ port, path, headers: { Host } })).status, 200, Host)
      const wrong = [
        'localhost',
        '127.0.0.1',
        `localhost:${port + 1}`,
        `evil.example:${port}`,
        `localhost.evil.example:${port}`,
        `127.0.0.1.evil.example:${port}`,
        `127.0.0.2:${port}`,
        `192.0.2.1:${port}`,
        `user@localhost:${port}`,
        `[::2]:${port}`,
        `0.0.0.0:${port}`,
        `localhost:${port}/`,
        `localhost: ${port}`,
        `2130706433:${port}`,
      ]
      for (const Host of wrong) {
        for (const path of ['/', '/api/info', '/api/live']) {
          const { status, json } = await ask({ port, path, headers: { Host } })
          assert.equal(status, 403, `${Host} ${path}`)
          assert.equal(json.error.code, 'wrong_host')
        }
      }
    })

    it('refuses pages of other sites', async () => {
      const { port } = await serve()
      const Host = `localhost:${port}`
      const status = async (headers: Record<string, string>): Promise<number> =>
        (await ask({ port, path: '/api/info', headers: { Host, ...headers } })).status
      assert.equal(await status({ Origin: `http://localhost:${port}` }), 200)
      for (const Origin of [
        'http://evil.example',
        'null',
        `https://localhost:${port}`,
        'http://localhost',
        `http://127.0.0.1:${port}`,
        `http://localhost:${port + 1}`,
        `http://localhost:${port}.evil.example`,
        '',
      ]) {
        assert.equal(await status({ Origin }), 403, Origin)
      }
      assert.equal(await status({ 'Sec-Fetch-Site': 'same-origin' }), 200)
      assert.equal(await status({ 'Sec-Fetch-Site': 'none' }), 200)
      assert.equal(await status({ 'Sec-Fetch-Site': 'cross-site' }), 403)
      assert.equal(await status({ 'Sec-Fetch-Site': 'same-site' }), 403)
    })

    it('refuses requests without a host, or with two', async () => {
      const { port } = await serve()
      const end = `Connection: close\r\n\r\n`
      assert.match(await sendRaw(port, `GET /api/info HTTP/1.1\r\n${end}`), /^HTTP\/1\.1 4/)
      assert.match(await sendRaw(port, `GET /api/info HTTP/1.0\r\n${end}`), /^HTTP\/1\.1 403/)
      const two = `GET /api/info HTTP/1.1\r\nHost: localhost:${port}\r\nHost: evil.example\r\n${end}`
      assert.match(await sendRaw(port, two), /^HTTP\/1\.1 4/)
      const absolute = `GET http://evil.example/api/info HTTP/1.1\r\nHost: localhost:${port}\r\n${end}`
      assert.match(await sendRaw(port, absolute), /^HTTP\/1\.1 404/)
    })

    it('needs a token where other machines can connect, and then asks for it', async () => {
      const listen = { host: '0.0.0.0', port: 0, fixed: false }
      await assert.rejects(serve({ listen }), /token of at least 16 characters/)
      await assert.rejects(serve({ listen, token: '' }), /token/)
      const token = 'k7Qe92mZx0aa51Lw'
      const { port } = await serve({ listen, token })
      const status = async (authorization?: string): Promise<number> => {
        const headers = {
          Host: `192.0.2.1:${port}`,
          ...(authorization && { Authorization: authorization }),
        }
        return (await ask({ port, path: '/api/info', headers })).status
      }
      assert.equal(await status(`Bearer ${token}`), 200)
      for (const wrong of [
        undefined,
        'Bearer',
        `Bearer ${token}x`,
        `Bearer ${token.slice(1)}`,
        `Basic ${token}`,
        token,
      ]) {
        assert.equal(await status(wrong), 401, wrong)
      }
      const named = await ask({
        port,
        path: '/api/info',
        headers: { Host: `evil.example:${port}`, Authorization: `Bearer ${token}` },
      })
      assert.equal(named.status, 403)
      assert.equal((await ask({ port, path: '/' })).status, 200)
    })
  })

  describe('the page', () => {
    it('serves its files with the right headers', async () => {
      const { port } = await serve()
      const page = await ask({ port, path: '/' })
      assert.equal(page.status, 200)
      assert.equal(page.headers['content-type'], 'text/html; charset=utf-8')
      assert.equal(page.headers['cache-control'], 'no-cache')
      assert.equal(
        page.headers['content-security-policy'],
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
      )
      assert.equal(page.headers['x-content-type-options'], 'nosniff')
      assert.equal(page.headers['referrer-policy'], 'no-referrer')
      const etag = String(page.headers.etag)
      assert.equal((await ask({ port, path: '/', headers: { 'If-None-Match': etag } })).status, 304)
      const asset = await ask({ port, path: '/assets/main-BxY12345.js' })
      assert.match(String(asset.headers['cache-control']), /immutable/)
      assert.equal(asset.headers['content-type'], 'text/javascript; charset=utf-8')
      const zipped = await ask({
        port,
        path: '/assets/main-BxY12345.js',
        headers: { 'Accept-Encoding': 'gzip' },
      })
      assert.equal(zipped.headers['content-encoding'], 'gzip')
      assert.equal((await ask({ port, path: '/', method: 'HEAD' })).body, '')
      assert.equal((await ask({ port, path: '/', method: 'POST' })).status, 405)
    })

    it('serves nothing else, however it is asked', async () => {
      const { port } = await serve()
      const paths = [
        '/../secret.txt',
        '/..%2fsecret.txt',
        '/%2e%2e/secret.txt',
        '/assets/../../secret.txt',
        '/./index.html',
        '//index.html',
        '/assets/..%5c..%5csecret.txt',
        '/link.txt',
        '/notes.exe',
        '/index.html%00',
        '/index.html/',
        '/INDEX.HTML',
        '/assets',
        '/assets/',
        '/%69ndex.html',
        '/etc/passwd',
        '/api',
        '/api/',
        '/api/info/',
        '/api/../index.html',
        '/__proto__',
        '/constructor',
      ]
      for (const path of paths) {
        const answer = await sendRaw(
          port,
          `GET ${path} HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`,
        )
        assert.match(answer, /^HTTP\/1\.1 404/, path)
        assert.doesNotMatch(answer, /secret\n|not served|root:/)
      }
    })

    it('says so when the page is not built', async () => {
      const { port } = await serve({ panelDir: '/nowhere' })
      const { status, json } = await ask({ port, path: '/' })
      assert.equal(status, 404)
      assert.match(json.error.message, /not built/)
    })
  })

  describe('REST and JSON-RPC', () => {
    it('checks queries by the schema of the method', async () => {
      const { port, callers } = await serve()
      const get = (path: string) => ask({ port, path })
      assert.deepEqual((await get('/api/flows?limit=7')).json, { flows: [], total: 7 })
      assert.deepEqual((await get('/api/flows')).json, { flows: [], total: 500 })
      assert.deepEqual(callers[0], { role: 'admin', via: 'http' })
      for (const query of [
        'limit=0',
        'limit=5001',
        'limit=x',
        'limit=',
        'limit=1&limit=2',
        'limit=1e3',
        'limit=0x10',
        'limit=NaN',
        'device=../..',
        'other=1',
        '__proto__=1',
        'constructor=1',
        'limit=99999999999999999999',
      ]) {
        const { status, json } = await get(`/api/flows?${query}`)
        assert.equal(status, 400, query)
        assert.equal(json.error.code, 'invalid_arguments')
      }
      assert.equal((await get('/api/history')).status, 404)
      assert.equal((await ask({ port, path: '/api/flows', method: 'POST' })).status, 405)
      assert.equal((await ask({ port, path: '/api/rpc' })).status, 405)
      assert.equal((await get('/api/info')).headers['cache-control'], 'no-store')
    })

    it('tells nothing of its inside when it fails, but logs it', async () => {
      const { port, lines } = await serve()
      const { status, body } = await ask({ port, path: '/api/devices' })
      assert.equal(status, 500)
      assert.doesNotMatch(body, /secret/)
      assert.match(lines.join('\n'), /error a request failed: Error: a secret of the inside/)
    })

    const post = (port: number, body: string | Buffer, headers: Record<string, string> = {}) =>
      ask({
        port,
        path: '/api/rpc',
        method: 'POST',
        body,
        headers: { 'Content-Type': 'application/json', ...headers },
      })

    it('answers JSON-RPC 2.0', async () => {
      const { port } = await serve()
      const call = async (request: unknown) => (await post(port, JSON.stringify(request))).json
      const rpc = { jsonrpc: '2.0', id: 1 }
      assert.deepEqual(await call({ ...rpc, method: 'get-flows', params: { limit: 3 } }), {
        ...rpc,
        result: { flows: [], total: 3 },
      })
      const code = async (request: unknown): Promise<number> => (await call(request)).error.code
      assert.equal(await code({ ...rpc, method: 'get-nothing' }), -32601)
      assert.equal(await code({ ...rpc, method: 'constructor' }), -32601)
      assert.equal(await code({ ...rpc, method: 'get-flows', params: { limit: 'x' } }), -32602)
      assert.equal(await code({ ...rpc, method: 'get-flows', params: [1] }), -32602)
      assert.equal(await code({ ...rpc, method: 'get-devices' }), -32603)
      for (const wrong of [
        1,
        null,
        'x',
        [],
        {},
        { jsonrpc: '2.0', id: {}, method: 'get-info' },
        { id: 1, method: 'get-info' },
      ]) {
        assert.equal(await code(wrong), -32600, JSON.stringify(wrong))
      }
      const batch = [{ ...rpc, method: 'get-flows' }, { jsonrpc: '2.0', method: 'get-flows' }, 1]
      assert.deepEqual(
        (await call(batch)).map((one: { id: unknown }) => one.id),
        [1, null],
      )
      const { status, body } = await post(port, '{"jsonrpc":"2.0","method":"get-flows"}')
      assert.deepEqual([status, body], [204, ''])
      assert.equal(await code(new Array(21).fill({ ...rpc, method: 'get-info' })), -32600)
    })

    it('refuses bodies that are malformed, deep, large or of another type', async () => {
      const { port } = await serve()
      const status = async (body: string | Buffer, headers = {}): Promise<number> =>
        (await post(port, body, headers)).status
      for (const malformed of ['', '{', '{"a":1}x', '\ufeff{}', "{'a':1}", 'NaN'])
        assert.equal(await status(malformed), 400)
      assert.equal(await status(Buffer.from([0x22, 0xff, 0xfe, 0x22])), 400)
      assert.equal(await status(`${'['.repeat(17)}${']'.repeat(17)}`), 400)
      assert.equal(await status('['.repeat(60_000)), 400)
      assert.equal(await status(`["${'['.repeat(1000)}"]`), 200)
      assert.equal(await status(`{"a":"${'x'.repeat(65_536)}"}`), 413)
      assert.equal(await status('{}', { 'Content-Type': 'text/plain' }), 415)
      assert.equal(await status('{}', { 'Content-Type': 'application/x-www-form-urlencoded' }), 415)
      assert.equal((await ask({ port, path: '/api/info' })).status, 200)
    })

    it('stops reading a body without an end at 64 KiB', async () => {
      const { port } = await serve()
      const head = `POST /api/rpc HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`
      const answer = await sendRaw(port, head + `4000\r\n${'x'.repeat(0x4000)}\r\n`.repeat(6))
      assert.match(answer, /^HTTP\/1\.1 413/)
    })
  })

  describe('ports and sockets', () => {
    it('gives way on a taken port, unless it is fixed', async () => {
      const taken = createServer()
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
      const { port } = taken.address() as { port: number }
      try {
        const second = await serve({ listen: { host: '127.0.0.1', port, fixed: false } })
        assert.ok(second.port > port)
        const fixed = serve({ listen: { host: '127.0.0.1', port, fixed: true } })
        await assert.rejects(
          fixed,
          new RegExp(`the page: port 127.0.0.1:${port} is in use by another program; .*--http`),
        )
      } finally {
        taken.close()
      }
      await assert.rejects(
        serve({ listen: { host: '127.9.9.9x', port: 0, fixed: true }, token: 'k7Qe92mZx0aa51Lw' }),
      )
    })

    it('opens its socket to its own user alone, without asking for host, origin or token', async () => {
      const { socketPath, callers } = await serve({
        listen: { host: '0.0.0.0', port: 0, fixed: false },
        token: 'k7Qe92mZx0aa51Lw',
      })
      assert.equal(statSync(socketPath).mode & 0o777, 0o600)
      assert.equal(statSync(dirname(socketPath)).mode & 0o777, 0o700)
      const { status } = await ask({ socketPath, path: '/api/flows', headers: { Host: 'agent' } })
      assert.equal(status, 200)
      assert.deepEqual(callers, [{ role: 'admin', via: 'socket' }])
    })

    it('narrows the rights of a folder that was there before', async () => {
      const { socketPath, server } = await serve()
      await server.stop()
      chmodSync(dirname(socketPath), 0o755)
      await serve({ socketPath })
      assert.equal(statSync(dirname(socketPath)).mode & 0o777, 0o700)
    })

    it('refuses to start beside a running agent, and takes over from a dead one', async () => {
      const { socketPath, server } = await serve()
      await assert.rejects(serve({ socketPath }), /already running with this data folder/)
      assert.equal((await ask({ socketPath, path: '/api/info' })).status, 200)
      await server.stop()
      const script = `require('node:net').createServer().listen(${JSON.stringify(socketPath)}, () => console.log('up'))`
      const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] })
      await new Promise((resolve) => child.stdout.once('data', resolve))
      child.kill('SIGKILL')
      await new Promise((resolve) => child.once('exit', resolve))
      assert.ok(statSync(socketPath).isSocket())
      await serve({ socketPath })
      assert.equal((await ask({ socketPath, path: '/api/info' })).status, 200)
    })

    it('removes nothing that is no socket, and names a path that is too long', async () => {
      const { dir } = await serve()
      const file = `${dir}/other/agent.sock`
      mkdirSync(dirname(file))
      writeFileSync(file, 'precious')
      await assert.rejects(serve({ socketPath: file }), /in the way/)
      assert.equal(statSync(file).size, 8)
      await assert.rejects(
        serve({ socketPath: `${dir}/${'x'.repeat(100)}/agent.sock` }),
        /too long.*--data/,
      )
      rmSync(dirname(file), { recursive: true })
    })

    it('stops while requests and feeds are open, and frees everything', async () => {
      const { server, port, socketPath } = await serve()
      const feed = ask({ port, path: '/api/live' }).catch(() => 'cut')
      await until(() => server.live.clients === 1)
      await server.stop()
      assert.equal(await feed, 'cut')
      assert.throws(() => statSync(socketPath), /ENOENT/)
      await serve({ socketPath, listen: { host: '127.0.0.1', port, fixed: true } })
    })

    it('holds no memory for a client that sends its headers for ever', async () => {
      const { port } = await serve()
      const long = await sendRaw(
        port,
        `GET / HTTP/1.1\r\nHost: localhost:${port}\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`,
      )
      assert.match(long, /^HTTP\/1\.1 431/)
    })
  })

  it('checks roles in the registry', async () => {
    const methods = testMethods()
    assert.ok(methods.list().every(({ role }) => role === 'view' || role === 'admin'))
    await assert.rejects(
      methods.call('nothing', {}, { role: 'view', via: 'mqtt' }),
      (error) => error instanceof MethodError && error.code === 'unknown_method',
    )
  })
})
