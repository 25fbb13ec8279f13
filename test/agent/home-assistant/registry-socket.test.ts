import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Auth } from 'home-assistant-js-websocket'
import { createConnection, ERR_CANNOT_CONNECT, ERR_INVALID_AUTH } from 'home-assistant-js-websocket'
import { openSocket } from '../../../agent/home-assistant/registry-socket.ts'
import { until } from '../../lab/process.ts'

/** RFC 6455, section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

describe('the websocket to Home Assistant', () => {
  let server: Server
  let sockets: Duplex[]
  /** What is said to whoever connects. */
  let greeting: readonly string[]

  beforeEach(async () => {
    sockets = []
    server = createServer().on('upgrade', (request, socket) => {
      const key = `${request.headers['sec-websocket-key']}${GUID}`
      const accept = createHash('sha1').update(key).digest('base64')
      socket.on('error', () => {})
      // The end of a closing handshake.
      socket.on('data', (data: Buffer) => {
        // Short masked frames, one behind the other.
        for (let at = 0; at < data.length; at += 6 + ((data[at + 1] as number) & 0x7f)) {
          if (((data[at] as number) & 0x0f) === 8) socket.end()
        }
      })
      socket.write(
        `HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      )
      sockets.push(socket)
      for (const text of greeting) say(socket, text)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
  })
  afterEach(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })

  /** A short frame of text. */
  function say(socket: Duplex, text: string): void {
    socket.write(Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]))
  }

  const options = () => {
    const { port } = server.address() as AddressInfo
    const auth = { wsUrl: `ws://127.0.0.1:${port}`, accessToken: 'x', expired: false } as Auth
    return { auth, setupRetry: 0, createSocket: openSocket }
  }

  it('is opened by a server of any version, and refused by a token that is not right', async () => {
    greeting = ['{"type":"auth_required"}', '{"type":"auth_ok"}']
    const connection = await createConnection(options())
    assert.equal(connection.haVersion, '0.0')
    connection.close()
    greeting = ['{"type":"auth_invalid"}']
    await assert.rejects(createConnection(options()), (error) => error === ERR_INVALID_AUTH)
  })

  it('is closed by what is no answer, and nothing else ends', async () => {
    for (const wrong of ['<html>', 'null', '[']) {
      greeting = [wrong]
      await assert.rejects(createConnection(options()), (error) => error === ERR_CANNOT_CONNECT)
    }
    greeting = ['{"type":"auth_ok","ha_version":"2026.11.0"}']
    const connection = await createConnection(options())
    const before = sockets.length
    say(sockets.at(-1) as Duplex, '{"id":')
    await until('another connection', () => (sockets.length > before ? true : undefined))
    connection.close()
  })
})
