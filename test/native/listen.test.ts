// A listener of one interface is one: test/lab has the neighbour who tries it from elsewhere.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { listenOnDevice } from '../../native/listen.ts'

describe('native: a listener of one interface', () => {
  it('takes connections that come in there, and is closed with its server', async () => {
    const server = createServer((socket) => socket.end('hello'))
    server.listen({ fd: listenOnDevice('127.0.0.1', 0, 'lo') })
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const socket = connect(port, '127.0.0.1')
    const [data] = (await once(socket, 'data')) as [Buffer]
    assert.equal(data.toString(), 'hello')
    assert.throws(() => listenOnDevice('127.0.0.1', port, 'lo'), { code: 'EADDRINUSE' })
    server.close()
    await once(server, 'close')
    const late = connect(port, '127.0.0.1')
    const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException]
    assert.equal(error.code, 'ECONNREFUSED')
  })

  it('says why it can not be had', () => {
    assert.throws(() => listenOnDevice('127.0.0.1', 0, 'no-such-device'), {
      code: 'ENODEV',
      message: /no-such-device: SO_BINDTODEVICE: ENODEV/,
    })
    assert.throws(() => listenOnDevice('203.0.113.77', 0, 'lo'), { code: 'EADDRNOTAVAIL' })
    assert.throws(() => listenOnDevice('localhost', 0, 'lo'), TypeError)
    assert.throws(() => listenOnDevice('fe80::1%lo', 0, 'lo'), TypeError)
    assert.throws(() => listenOnDevice('127.0.0.1', 65536, 'lo'), RangeError)
    assert.throws(() => listenOnDevice('127.0.0.1', 0, '../x'), TypeError)
  })
})
