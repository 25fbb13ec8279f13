import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { isLoopback, listenNear, urlHost } from '../../agent/listen.ts'

describe('listening', () => {
  const servers: ReturnType<typeof createServer>[] = []
  function server(): ReturnType<typeof createServer> {
    const made = createServer()
    servers.push(made)
    return made
  }
  afterEach(() => {
    for (const one of servers.splice(0)) one.close()
  })

  /** A port that is taken. */
  async function taken(): Promise<number> {
    const other = server().listen(0, '127.0.0.1')
    await once(other, 'listening')
    return (other.address() as AddressInfo).port
  }

  it('takes the port, or any where none is asked for', async () => {
    const port = await listenNear(
      server(),
      { host: '127.0.0.1', port: 0, fixed: true },
      'the page',
      '--http',
    )
    assert.ok(port > 0)
  })

  it('gives way to the next free port', async () => {
    const port = await taken()
    const found = await listenNear(
      server(),
      { host: '127.0.0.1', port, fixed: false },
      'the page',
      '--http',
    )
    assert.ok(found > port && found <= port + 100, `${found} near ${port}`)
  })

  it('does not give way where the port was asked for, and says what to do', async () => {
    const port = await taken()
    await assert.rejects(
      listenNear(server(), { host: '127.0.0.1', port, fixed: true }, 'the page', '--http'),
      new RegExp(`^Error: the page: port 127\\.0\\.0\\.1:${port} is in use .* with --http$`),
    )
  })

  it('says where this machine has no such address', async () => {
    await assert.rejects(
      listenNear(server(), { host: '192.0.2.77', port: 0, fixed: true }, 'the page', '--http'),
      /^Error: the page: this machine has no address 192\.0\.2\.77; correct --http$/,
    )
  })

  const hosts: [host: string, loopback: boolean, url: string][] = [
    ['127.0.0.1', true, '127.0.0.1'],
    ['127.200.0.9', true, '127.200.0.9'],
    ['localhost', true, 'localhost'],
    ['::1', true, '[::1]'],
    ['0.0.0.0', false, '0.0.0.0'],
    ['::', false, '[::]'],
    ['192.0.2.1', false, '192.0.2.1'],
    ['127.0.0.1.example.com', false, '127.0.0.1.example.com'],
    ['127.1', false, '127.1'],
    ['', false, ''],
  ]
  for (const [host, loopback, url] of hosts) {
    it(`${JSON.stringify(host)} is ${loopback ? '' : 'not '}this machine alone`, () => {
      assert.equal(isLoopback(host), loopback)
      assert.equal(urlHost(host), url)
    })
  }
})
