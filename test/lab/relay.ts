// A door into a namespace: inside it, listens on a UNIX socket (those are not bound to a namespace) and joins each
// connection to an address that only exists there. The first line of a connection is `HOST PORT`.
// `node relay.ts SOCKET`; says `ready`; ends when its standard input does.
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { pathToFileURL } from 'node:url'

function join(one: Socket, other: Socket): void {
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

/**
 * A port on this side's 127.0.0.1 that leads to `host:port` inside the namespace of the relay at `socketPath`.
 * Gives the port and how to close it.
 */
export async function openDoor(
  socketPath: string,
  host: string,
  port: number,
): Promise<{ port: number; close: () => void }> {
  const open = new Set<Socket>()
  const server = createServer((outside) => {
    const inside = connect(socketPath)
    for (const socket of [outside, inside]) {
      open.add(socket)
      socket.on('close', () => open.delete(socket))
    }
    inside.write(`${host} ${port}\n`)
    join(outside, inside)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port for the door')
  const close = (): void => {
    server.close()
    for (const socket of open) socket.destroy()
  }
  return { port: address.port, close }
}

function serve(path: string): void {
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
  server.listen(path, () => console.log('ready'))
  process.stdin.resume().on('end', () => process.exit(0))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const path = process.argv[2]
  if (path === undefined) throw new Error('usage: relay.ts SOCKET')
  serve(path)
}
