// Core's websocket as the Supervisor gives it to an app: the app signs in with its own token, the Supervisor with another one at
// Core, and what they say then goes through as it is. Frames of RFC 6455, whole ones of text alone.
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** Where a real Core is, and a token of an administrator there. */
export interface CoreBehind {
  url: string
  token: string
}

/** Takes a websocket; gives `hear` each message of the client. */
export function acceptSocket(
  request: IncomingMessage,
  socket: Duplex,
  hear: (text: string) => void,
): void {
  const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
  const key = `${request.headers['sec-websocket-key']}${guid}`
  const accept = createHash('sha1').update(key).digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
  let rest = Buffer.alloc(0)
  socket.on('data', (data: Buffer) => {
    rest = Buffer.concat([rest, data])
    for (let frame = readFrame(rest); frame !== undefined; frame = readFrame(rest)) {
      rest = rest.subarray(frame.bytes)
      if (frame.text === undefined) return void socket.end()
      hear(frame.text)
    }
  })
}

/** Says something to the client. */
export function sendFrame(socket: Duplex, text: string): void {
  const body = Buffer.from(text)
  const head = Buffer.alloc(body.length < 126 ? 2 : body.length < 65_536 ? 4 : 10)
  head.writeUInt8(0x81, 0)
  head.writeUInt8(body.length < 126 ? body.length : body.length < 65_536 ? 126 : 127, 1)
  if (head.length === 4) head.writeUInt16BE(body.length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(body.length), 2)
  socket.write(Buffer.concat([head, body]))
}

/** Signs in at Core, and lets through what both say; gives the function that says something to Core. */
export function joinCore({ url, token }: CoreBehind, socket: Duplex): (text: string) => void {
  const core = new WebSocket(`${url.replace(/^http/, 'ws')}/api/websocket`)
  const waiting: string[] = []
  let isIn = false
  core.addEventListener('message', ({ data }) => {
    const text = String(data)
    if (isIn) return sendFrame(socket, text)
    const { type } = JSON.parse(text) as { type: string }
    if (type === 'auth_required') core.send(JSON.stringify({ type: 'auth', access_token: token }))
    if (type !== 'auth_ok') return
    isIn = true
    sendFrame(socket, text)
    for (const one of waiting) core.send(one)
  })
  for (const event of ['close', 'error']) core.addEventListener(event, () => socket.destroy())
  socket.on('close', () => core.close())
  return (text) => (isIn ? core.send(text) : waiting.push(text))
}

/** The first frame of a client; undefined while it is not whole. Without `text` for a frame of another kind. */
function readFrame(from: Buffer): { bytes: number; text?: string } | undefined {
  if (from.length < 6) return undefined
  const short = from.readUInt8(1) & 127
  const at = short === 126 ? 4 : 2
  const length = short === 126 ? from.readUInt16BE(2) : short
  const bytes = at + 4 + length
  if (from.length < bytes) return undefined
  if ((from.readUInt8(0) & 15) !== 1) return { bytes }
  const mask = from.subarray(at, at + 4)
  const text = Buffer.from(from.subarray(at + 4, bytes))
  for (let i = 0; i < text.length; i++) text[i] = (text[i] ?? 0) ^ (mask[i % 4] ?? 0)
  return { bytes, text: text.toString() }
}
