// One end of the lab of levels, run inside a namespace: sends datagrams from its addresses, answers those that come, tells
// which came. Reads one `Order` a line, writes one answer a line. Arguments: its addresses.
import type { Socket } from 'node:dgram'
import { createSocket } from 'node:dgram'
import type { Socket as TcpSocket } from 'node:net'
import { connect, createServer, isIPv6 } from 'node:net'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

export const PORT = 9000
export const GROUP = '224.0.0.251'
export const GROUP_PORT = 5353
export const DHCP_SERVER = 67

export type Order =
  /** A datagram with a name; the other end answers it. `sport`: from this port; `broadcast`: to everybody. */
  | { do: 'send'; name: string; from: string; to: string; port: number; sport?: number }
  /** Names of datagrams that came and that were answered, since the last time. */
  | { do: 'tell' }
  /** Fetches without end over TCP from now on, and ends what it fetched before. `sport`: from this port. */
  | { do: 'fetch'; from: string; to: string; sport?: number }
  /** Bytes fetched until now. */
  | { do: 'fetched' }

export interface Told {
  came: string[]
  answered: string[]
  bytes: number
}

const came = new Set<string>()
const answered = new Set<string>()
const sockets: Socket[] = []
let bytes = 0
let fetching: TcpSocket | undefined

function open(address: string): Socket {
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', reuseAddr: true })
  // Unreachable ends are what is tested.
  socket.on('error', () => {})
  return socket
}

function listen(address: string, port: number): Promise<Socket> {
  const socket = open(address)
  socket.on('message', (message, from) => {
    came.add(String(message))
    socket.send(`re:${message}`, from.port, from.address, () => {})
  })
  return new Promise((resolve) => socket.bind(port, address, () => resolve(socket)))
}

async function serve(addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    await listen(address, PORT)
    await listen(address, 53)
    const server = createServer((socket) => {
      const more = (): void => {
        while (!socket.destroyed && socket.write(Buffer.alloc(16384))) {}
      }
      socket.on('error', () => {}).on('drain', more)
      more()
    })
    await new Promise<void>((resolve) => server.listen(PORT, address, resolve))
  }
  const ipv4 = addresses.find((address) => !isIPv6(address)) ?? ''
  const group = await listen(GROUP, GROUP_PORT)
  group.addMembership(GROUP, ipv4)
  const dhcp = await listen('255.255.255.255', DHCP_SERVER)
  dhcp.setBroadcast(true)
}

async function send(order: Order & { do: 'send' }): Promise<void> {
  const socket = open(order.from)
  sockets.push(socket)
  socket.on('message', (message) => answered.add(String(message).slice('re:'.length)))
  await new Promise<void>((resolve) => {
    socket.once('error', () => resolve())
    socket.bind(order.sport ?? 0, order.from, () => {
      if (order.to === '255.255.255.255') socket.setBroadcast(true)
      if (order.to === GROUP) {
        socket.setMulticastInterface(order.from)
        socket.setMulticastLoopback(false)
      }
      socket.send(order.name, order.port, order.to, () => resolve())
    })
  })
}

async function perform(order: Order): Promise<Told | undefined> {
  if (order.do === 'send') {
    await send(order)
    return undefined
  }
  if (order.do === 'fetch') {
    fetching?.destroy()
    const { from: localAddress, sport: localPort } = order
    const socket = connect({
      ...{ host: order.to, port: PORT, localAddress },
      ...(localPort === undefined ? {} : { localPort }),
    })
    fetching = socket
    socket
      .on('error', () => {})
      .on('data', (chunk) => {
        bytes += chunk.length
      })
    return undefined
  }
  if (order.do === 'fetched') return { came: [], answered: [], bytes }
  const told = { came: [...came], answered: [...answered], bytes }
  came.clear()
  answered.clear()
  for (const socket of sockets.splice(0)) socket.close()
  return told
}

async function main(): Promise<void> {
  await serve(process.argv.slice(2))
  console.log('ready')
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify((await perform(JSON.parse(line) as Order)) ?? {}))
  }
  process.exit(0)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
