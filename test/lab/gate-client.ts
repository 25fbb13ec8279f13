// A device of the lab that asks for names and connects at once, many times; run inside its namespace. One `Order` a line,
// one `Report` a line.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect, isIPv6 } from 'node:net'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { A, AAAA, decodeDns, encodeDns } from './dns-wire.ts'

export type Order =
  /** Asks for each name in turn; with `port` connects by TCP to the address that came, at once. */
  | {
      do: 'resolve'
      server: string
      names: string[]
      ipv6?: boolean
      tcp?: boolean
      port?: number
      ms?: number
    }
  /** Connects by TCP to each address, some at a time. */
  | { do: 'connect'; ips: string[]; port: number; ms: number }
  /** Opens a TCP connection to a port that echoes, and keeps it. */
  | { do: 'hold'; ip: string; port: number }
  /** Sends something over the connection that is kept. */
  | { do: 'echo'; ms: number }
  /** Sends one datagram and waits for whatever comes back. */
  | { do: 'datagram'; ip: string; port: number; ms: number }

export interface Report {
  /** Names that were answered with an address; rcodes by number of those that were answered at all. */
  resolved: number
  rcodes: Record<number, number>
  /** Connections, or echoes. */
  connected: number
  /** Milliseconds from each question to its answer. */
  waits: number[]
}

const ANSWER_MS = 2000
/** Before the first SYN is sent again: a connection counts only if its first packet passed. */
const CONNECT_MS = 700
const AT_ONCE = 50

function nothing(): Report {
  return { resolved: 0, rcodes: {}, connected: 0, waits: [] }
}

function connects(ip: string, port: number, ms: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, ip)
    const end = (found: Socket | undefined): void => {
      clearTimeout(late)
      if (found === undefined) socket.destroy()
      resolve(found)
    }
    const late = setTimeout(end, ms, undefined)
    socket.on('error', () => end(undefined)).once('connect', () => end(socket))
  })
}

function questionOf(id: number, name: string, ipv6: boolean): Buffer {
  const type = ipv6 ? AAAA : A
  return encodeDns({ id, response: false, truncated: false, rcode: 0, name, type, answers: [] })
}

/** A socket of its own for each question, as resolvers of systems have. */
function askUdp(query: Buffer, server: string, ms: number): Promise<Buffer | undefined> {
  const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4')
  return new Promise((resolve) => {
    const end = (answer?: Buffer): void => {
      clearTimeout(late)
      socket.close()
      resolve(answer)
    }
    const late = setTimeout(end, ms)
    socket.once('message', end)
    socket.send(query, 53, server)
  })
}

async function askTcp(query: Buffer, server: string, ms: number): Promise<Buffer | undefined> {
  const socket = await connects(server, 53, ms)
  if (socket === undefined) return undefined
  const head = Buffer.alloc(2)
  head.writeUInt16BE(query.length)
  const answer = new Promise<Buffer | undefined>((resolve) => {
    let have = Buffer.alloc(0)
    const late = setTimeout(resolve, ms, undefined)
    socket.on('data', (chunk) => {
      have = Buffer.concat([have, chunk])
      if (have.length < 2 || have.length < 2 + have.readUInt16BE(0)) return
      clearTimeout(late)
      resolve(have.subarray(2))
    })
    // In two pieces, as some do.
    socket.write(head)
    socket.write(query)
  })
  return await answer.finally(() => socket.destroy())
}

async function resolveAll(order: Order & { do: 'resolve' }): Promise<Report> {
  const report = nothing()
  const { server, names, ipv6 = false, tcp = false, port, ms = ANSWER_MS } = order
  for (const [i, name] of names.entries()) {
    const query = questionOf(i & 0xffff, name, ipv6)
    const began = performance.now()
    const answer = await (tcp ? askTcp : askUdp)(query, server, ms)
    report.waits.push(performance.now() - began)
    if (answer === undefined) continue
    const rcode = answer.readUInt16BE(2) & 15
    report.rcodes[rcode] = (report.rcodes[rcode] ?? 0) + 1
    if (rcode !== 0) continue
    const ip = decodeDns(answer).answers.findLast(({ type }) => type === (ipv6 ? AAAA : A))?.data
    if (ip === undefined) continue
    report.resolved++
    if (port === undefined) continue
    const socket = await connects(ip, port, CONNECT_MS)
    if (socket === undefined) continue
    report.connected++
    // No time of waiting is left behind for each of thousands.
    socket.resetAndDestroy()
  }
  return report
}

async function connectAll(order: Order & { do: 'connect' }): Promise<Report> {
  const report = nothing()
  const { ips, port, ms } = order
  for (let at = 0; at < ips.length; at += AT_ONCE) {
    const some = ips.slice(at, at + AT_ONCE).map((ip) => connects(ip, port, ms))
    for (const socket of await Promise.all(some)) {
      if (socket === undefined) continue
      report.connected++
      socket.resetAndDestroy()
    }
  }
  return report
}

let held: Socket | undefined

async function perform(order: Order): Promise<Report> {
  switch (order.do) {
    case 'resolve':
      return await resolveAll(order)
    case 'connect':
      return await connectAll(order)
    case 'hold':
      held?.destroy()
      held = await connects(order.ip, order.port, CONNECT_MS)
      return { ...nothing(), connected: held === undefined ? 0 : 1 }
    case 'echo': {
      const back = held && once(held, 'data', { signal: AbortSignal.timeout(order.ms) })
      held?.write('x')
      const came = (await back?.catch(() => undefined)) !== undefined
      return { ...nothing(), connected: came ? 1 : 0 }
    }
    case 'datagram': {
      const socket = createSocket(isIPv6(order.ip) ? 'udp6' : 'udp4')
      const back = once(socket, 'message', { signal: AbortSignal.timeout(order.ms) })
      socket.send('x', order.port, order.ip)
      const came = (await back.catch(() => undefined)) !== undefined
      socket.close()
      return { ...nothing(), connected: came ? 1 : 0 }
    }
  }
}

async function main(): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await perform(JSON.parse(line) as Order)))
  }
  process.exit(0)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
