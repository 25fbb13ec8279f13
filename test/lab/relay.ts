// A door into a namespace: inside it, listens on a UNIX socket (those are not bound to a namespace) and joins each
// connection to an address that only exists there. The first line of a connection is `HOST PORT`.
// `node relay.ts SOCKET`; says `ready`; ends when its standard input does.
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { Program } from './process.ts'

function join(one: Socket, other: Socket): void {
  // Else each short answer waits 40 ms for an acknowledgement of the piece before it.
  for (const socket of [one, other]) socket.setNoDelay(true)
  one.pipe(other)
  other.pipe(one)
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('error', () => to.destroy())
    from.on('close', () => to.destroy())
  }
}

/** Ports on this side's 127.0.0.1 that lead into one namespace. */
export class Doors {
  readonly #path: string
  readonly #relay: Program
  readonly #servers: Server[] = []
  readonly #open = new Set<Socket>()
  #started = false

  /** `inside` turns a command into arguments for `ip` that run it in the namespace; `folder` is for the socket. */
  constructor(inside: (...command: string[]) => string[], folder: string) {
    this.#path = path.join(folder, 'relay.sock')
    const program = path.join(import.meta.dirname, 'relay.ts')
    this.#relay = new Program('ip', inside(process.execPath, program, this.#path))
  }

  /** A port that leads to 127.0.0.1:`port` in there. */
  async open(port: number): Promise<number> {
    if (!this.#started) {
      this.#started = true
      await this.#relay.start().until(/ready/)
    }
    const server = createServer((outside) => {
      const inside = connect(this.#path)
      for (const socket of [outside, inside]) {
        this.#open.add(socket)
        socket.on('close', () => this.#open.delete(socket))
      }
      inside.write(`127.0.0.1 ${port}\n`)
      join(outside, inside)
    })
    this.#servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    for (const server of this.#servers.splice(0)) server.close()
    for (const socket of this.#open) socket.destroy()
    if (this.#started) await this.#relay.stop('SIGKILL')
  }
}

function serve(socketPath: string): void {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (first) => {
      socket.pause()
      const end = first.indexOf(10)
      const [host = '', port = ''] = first.subarray(0, end).toString().split(' ')
      const rest = first.subarray(end + 1)
      if (rest.length > 0) socket.unshift(rest)
      join(socket, connect(Number(port), host))
    })
  })
  server.listen(socketPath, () => console.log('ready'))
  process.stdin.resume().on('end', () => process.exit(0))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const socketPath = process.argv[2]
  if (socketPath === undefined) throw new Error('usage: relay.ts SOCKET')
  serve(socketPath)
}
