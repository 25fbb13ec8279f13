// A Supervisor as far as an app sees it: its HTTP, and Core's websocket behind it. Also a program of its own, for a namespace
// of its own: it listens on the address of its first argument, and takes a new state as a line of JSON.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import type { Duplex } from 'node:stream'
import type { CoreBehind } from './fake-core.ts'
import { acceptSocket, joinCore, sendFrame } from './fake-core.ts'

export const TOKEN = 'a-token-of-the-supervisor'

export interface FakeState {
  /** Of `services/mqtt`; absent: there is no broker. */
  mqtt?: Record<string, unknown>
  /** Of `addons/self/info`. */
  self: Record<string, unknown>
  /** Of `config/auth/list`; absent: Core does not answer. */
  users?: Record<string, unknown>[]
  /** A real Core behind it, which answers in place of `users`. */
  core?: CoreBehind
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

  #upgrade(request: IncomingMessage, socket: Duplex): void {
    this.asked.push(request.url ?? '')
    this.#sockets.add(socket)
    socket.on('error', () => {})
    const { users, core } = this.state
    if (users === undefined && core === undefined) return void socket.destroy()
    let toCore: ((text: string) => void) | undefined
    acceptSocket(request, socket, (text) => {
      if (toCore !== undefined) return toCore(text)
      const said = JSON.parse(text) as { type: string; access_token?: string; id?: number }
      if (core !== undefined && said.type === 'auth' && said.access_token === TOKEN)
        toCore = joinCore(core, socket)
      else this.#command(socket, said)
    })
    send(socket, { type: 'auth_required' })
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
  sendFrame(socket, JSON.stringify(value))
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
