// A Supervisor as far as an app sees it: its HTTP, and Core's websocket behind it. Also a program of its own, for a namespace
// of its own: it listens on the address of its first argument, and takes a new state as a line of JSON.
import { createHash } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import type { Duplex } from 'node:stream'

export const TOKEN = 'a-token-of-the-supervisor'

export interface FakeState {
  /** Of `services/mqtt`; absent: there is no broker. */
  mqtt?: Record<string, unknown>
  /** Of `addons/self/info`. */
  self: Record<string, unknown>
  /** Of `config/auth/list`; absent: Core does not answer. */
  users?: Record<string, unknown>[]
  /** How this Supervisor calls apps. Default `addons`. */
  word?: 'addons' | 'apps'
}

export class FakeSupervisor {
  readonly #server: Server
  readonly #sockets = new Set<Duplex>()
  state: FakeState
  /** Paths that were asked for. */
  readonly asked: string[] = []

  constructor(state: FakeState) {
    this.state = state
    this.#server = createServer((request, response) => this.#answer(request, response))
    this.#server.on('upgrade', (request, socket) => this.#upgrade(request, socket))
  }

  async start(host = '127.0.0.1', port = 0): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, host, resolve))
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo
    return `http://${address}:${port}`
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { mqtt, self, word = 'addons' } = this.state
    const path = request.url ?? ''
    this.asked.push(path)
    const send = (status: number, value: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(value))
    }
    if (request.headers.authorization !== `Bearer ${TOKEN}`) {
      send(401, { result: 'error', message: 'unauthorized' })
    } else if (path === '/services/mqtt' && mqtt !== undefined) {
      send(200, { result: 'ok', data: mqtt })
    } else if (path === '/services/mqtt') {
      send(400, { result: 'error', message: 'Service not enabled' })
    } else if (path === `/${word}/self/info`) {
      send(200, { result: 'ok', data: self })
    } else send(404, { result: 'error', message: 'not found' })
  }

  /** RFC 6455, as little as this takes: short frames of text, one at a time. */
  #upgrade(request: IncomingMessage, socket: Duplex): void {
    this.asked.push(request.url ?? '')
    this.#sockets.add(socket)
    socket.on('error', () => {})
    if (this.state.users === undefined) return void socket.destroy()
    const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
    const key = `${request.headers['sec-websocket-key']}${guid}`
    const accept = createHash('sha1').update(key).digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    send(socket, { type: 'auth_required' })
    let rest = Buffer.alloc(0)
    socket.on('data', (data: Buffer) => {
      rest = Buffer.concat([rest, data])
      for (let frame = readFrame(rest); frame !== undefined; frame = readFrame(rest)) {
        rest = rest.subarray(frame.bytes)
        if (frame.text === undefined) return void socket.end()
        this.#command(socket, JSON.parse(frame.text))
      }
    })
  }

  #command(
    socket: Duplex,
    { type, id, access_token }: { type: string; access_token?: string; id?: number },
  ): void {
    const ha_version = '2026.11.0'
    if (type === 'auth') {
      send(socket, { type: access_token === TOKEN ? 'auth_ok' : 'auth_invalid', ha_version })
    } else if (type === 'config/auth/list') {
      send(socket, { id, type: 'result', success: true, result: this.state.users })
    } else if (id !== undefined) {
      const error = { code: 'unknown_command', message: 'not here' }
      send(socket, { id, type: 'result', success: false, error })
    }
  }
}

function send(socket: Duplex, value: object): void {
  const text = Buffer.from(JSON.stringify(value))
  const head =
    text.length < 126
      ? Buffer.from([0x81, text.length])
      : Buffer.from([0x81, 126, text.length >> 8, text.length & 255])
  socket.write(Buffer.concat([head, text]))
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

/** A user as Core lists one. */
export function user(id: string, groups: string[], more: object = {}): Record<string, unknown> {
  return { id, is_owner: false, is_active: true, group_ids: groups, name: 'x', ...more }
}

if (import.meta.main) {
  const fake = new FakeSupervisor({ self: {} })
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      fake.state = JSON.parse(line) as FakeState
      process.stdout.write('taken\n')
    })
    .on('close', () => process.exit(0))
  await fake.start(process.argv[2], 80)
  process.stdout.write('listening\n')
}
