// Runs inside a network namespace: serves queues, or sends and answers packets, as lines of JSON on its standard input say.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { flushCompileCache } from 'node:module'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import type {
  DnsGateOptions,
  DnsPolicy,
  GateEvents,
  HeardAddresses,
} from '../../../native/dns-gate.ts'
import { DnsGate } from '../../../native/dns-gate.ts'
import type {
  AskedDevice,
  Connections,
  FirstPacketsOptions,
  Remembered,
} from '../../../native/queue.ts'
import { FirstPackets } from '../../../native/queue.ts'
import type { Asked } from './asked.ts'
import { askedOf } from './asked.ts'
import type { ZoneRecord } from './dns-server.ts'
import { DnsServer } from './dns-server.ts'
import { resolveAndConnect } from './resolve.ts'

export interface Orders {
  echo: { port: number }
  /** Sends datagrams from one socket, `everyMs` apart, until one is answered or the time is over. */
  udp: { ip: string; port: number; ms: number; everyMs?: number; fromPort?: number }
  tcp: { ip: string; port: number; ms: number }
  /** One datagram from each of many sockets, `gapMs` apart; how many were answered, and after how long at most. */
  many: { ip: string; port: number; count: number; ms: number; gapMs?: number; hex?: string }
  first: { options: FirstPacketsOptions; devices: AskedDevice[] }
  devices: { devices: AskedDevice[] }
  /** How asked connections are answered from now on. */
  answer: { accept?: boolean; forMs?: number; twice?: boolean }
  verdict: { id: number; accept: boolean }
  remember: Remembered
  asked: object
  counters: object
  busy: { ms: number }
  /** The longest that JavaScript was kept from its next turn, since this was asked last; from the first time on. */
  lag: object
  /** Sends bytes to a port over TCP or UDP, and waits for whatever comes. `pieces`: over TCP in so many segments. */
  raw: { ip: string; port: number; hex: string; tcp: boolean; ms: number; pieces?: number }
  raws: { all: Orders['raw'][] }
  /** Opens a TCP connection to a port that echoes, and keeps it. */
  hold: { ip: string; port: number; ms: number }
  /** Whether the connection that is kept echoes. */
  held: { ms: number }
  stop: object
  /** A DNS server on port 53 with this table. */
  zone: { zone: ZoneRecord[] }
  /** The server answers the next question as if another had been asked. */
  lie: { name: string; data: string }
  /** How often names were asked for. */
  asks: object
  /** What the test before left: its zone and what was asked, and the connection that is kept. */
  forget: object
  gate: { options: DnsGateOptions; policy: DnsPolicy }
  policy: { policy: DnsPolicy }
  hear: { heard: HeardAddresses[] }
  takeMarks: { mark: number; keep: string[] }
  events: object
  elements: object
  restore: object
  gateCounters: object
  resolve: { server: string; names: string[]; port: number; connect: boolean }
}

let first: FirstPackets | undefined
let answer: Orders['answer'] = {}
const asked: Asked[] = []
let server: DnsServer | undefined
let gate: DnsGate | undefined
const events: GateEvents = { refused: [], learned: [], marks: [] }

function take(connections: Connections): void {
  for (const each of askedOf(connections)) {
    asked.push(each)
    if (answer.accept === undefined) continue
    first?.verdict(each.id, answer.accept, answer.forMs)
    if (answer.twice) first?.verdict(each.id, answer.accept, answer.forMs)
  }
}

async function udp({ ip, port, ms, everyMs, fromPort }: Orders['udp']): Promise<object> {
  const socket = createSocket(ip.includes(':') ? 'udp6' : 'udp4')
  if (fromPort !== undefined) {
    socket.bind(fromPort)
    await once(socket, 'listening')
  }
  const began = performance.now()
  let answers = 0
  let afterMs: number | undefined
  socket.on('message', () => {
    answers++
    afterMs ??= performance.now() - began
  })
  socket.on('error', () => {})
  const send = (): void => socket.send('hello', port, ip)
  send()
  const again = everyMs === undefined ? undefined : setInterval(send, everyMs)
  while (performance.now() - began < ms && (afterMs === undefined || everyMs !== undefined)) {
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  clearInterval(again)
  socket.close()
  return { answers, afterMs }
}

async function tcp({ ip, port, ms }: Orders['tcp']): Promise<object> {
  const began = performance.now()
  const socket = connect({ host: ip, port })
  const end = setTimeout(() => socket.destroy(new Error('no answer')), ms)
  try {
    await once(socket, 'connect')
    socket.write('hello')
    await once(socket, 'data')
    return { answers: 1, afterMs: performance.now() - began }
  } catch {
    return { answers: 0 }
  } finally {
    clearTimeout(end)
    socket.destroy()
  }
}

async function many({ ip, port, count, ms, gapMs, hex }: Orders['many']): Promise<object> {
  const waits: number[] = []
  const sockets = Array.from({ length: count }, () => createSocket('udp4'))
  for (const socket of sockets) {
    const began = performance.now()
    socket.once('message', () => waits.push(performance.now() - began))
    socket.on('error', () => {})
    socket.send(hex === undefined ? 'hello' : Buffer.from(hex, 'hex'), port, ip)
    if (gapMs !== undefined) await new Promise((resolve) => setTimeout(resolve, gapMs))
  }
  const end = performance.now() + ms
  while (waits.length < count && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  for (const socket of sockets) socket.close()
  return { answers: waits.length, afterMs: Math.max(0, ...waits) }
}

function busy(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

let worstMs = 0
let watches = false

function lag(): object {
  const found = worstMs
  worstMs = 0
  if (watches) return { worstMs: found }
  watches = true
  let last = performance.now()
  setInterval(() => {
    const now = performance.now()
    worstMs = Math.max(worstMs, now - last)
    last = now
  }, 1)
  return { worstMs: found }
}

let kept: Socket | undefined

async function hold({ ip, port, ms }: Orders['hold']): Promise<object> {
  kept?.resetAndDestroy()
  kept = connect({ host: ip, port }).on('error', () => {})
  kept.setNoDelay(true)
  return await held({ ms })
}

async function held({ ms }: Orders['held']): Promise<object> {
  const socket = kept
  if (socket === undefined) return { answers: 0 }
  return await new Promise((resolve) => {
    const end = setTimeout(done, ms, 0)
    function take(): void {
      done(1)
    }
    function done(answers: number): void {
      clearTimeout(end)
      socket?.off('data', take)
      resolve({ answers })
    }
    socket.once('data', take)
    socket.write('x')
  })
}

async function raw({
  ip,
  port,
  hex,
  tcp: stream,
  ms,
  pieces,
}: Orders['raw']): Promise<{ bytes: string }> {
  const bytes = Buffer.from(hex, 'hex')
  const got: Buffer[] = []
  const take = (piece: Buffer): void => void got.push(piece)
  const end = performance.now() + ms
  const wait = async (): Promise<void> => {
    while (performance.now() < end && got.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  if (stream) {
    const socket = connect({ host: ip, port })
    socket.on('error', () => {}).on('data', take)
    socket.setNoDelay(true)
    const step = Math.ceil(bytes.length / (pieces ?? 1))
    for (let at = 0; at < bytes.length; at += step) {
      socket.write(bytes.subarray(at, at + step))
      if (pieces !== undefined) await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await wait()
    socket.resetAndDestroy()
  } else {
    const socket = createSocket('udp4').on('message', take)
    socket.send(bytes, port, ip)
    await wait()
    socket.close()
  }
  return { bytes: Buffer.concat(got).toString('hex') }
}

const echoes = new Set<number>()
const echoing = new Set<Socket>()

function echo(port: number): void {
  if (echoes.has(port)) return
  echoes.add(port)
  for (const kind of ['udp4', 'udp6'] as const) {
    const socket = createSocket({ type: kind, ipv6Only: kind === 'udp6' })
    socket.on('message', (bytes, from) => socket.send(bytes, from.port, from.address))
    socket.bind(port)
  }
  createServer((socket) => {
    echoing.add(socket)
    socket.on('error', () => {}).on('close', () => echoing.delete(socket))
    socket.pipe(socket)
  }).listen(port, '::')
}

type Handlers = { [K in keyof Orders]: (order: Orders[K]) => Promise<object> | object }

const handlers: Handlers = {
  echo: ({ port }) => {
    echo(port)
    return {}
  },
  udp,
  tcp,
  many,
  first: ({ options, devices }) => {
    first = new FirstPackets(options)
    first.setDevices(devices)
    first.start(take)
    return {}
  },
  devices: ({ devices }) => {
    first?.setDevices(devices)
    return {}
  },
  answer: (order) => {
    answer = order
    return {}
  },
  verdict: ({ id, accept }) => {
    first?.verdict(id, accept)
    return {}
  },
  remember: (order) => {
    first?.remember(order)
    return {}
  },
  asked: () => ({ asked: asked.splice(0) }),
  counters: () => ({ counters: first?.counters() }),
  busy: ({ ms }) => {
    setImmediate(busy, ms)
    return {}
  },
  lag,
  hold,
  held,
  raw,
  raws: async ({ all }) => ({ bytes: (await Promise.all(all.map(raw))).map(({ bytes }) => bytes) }),
  stop: () => {
    first?.stop()
    gate?.stop()
    return {}
  },
  zone: ({ zone }) => {
    if (!server) {
      server = new DnsServer()
      server.listen(53)
    }
    server.zone = zone
    return {}
  },
  lie: (lie) => {
    if (server) server.lie = lie
    return {}
  },
  asks: () => ({ ...server?.asked }),
  forget: () => {
    server?.forget()
    for (const socket of [...echoing, ...(kept ? [kept] : [])]) socket.resetAndDestroy()
    kept = undefined
    return {}
  },
  gate: ({ options, policy }) => {
    gate = new DnsGate(options)
    gate.setPolicy(policy)
    gate.start(({ refused, learned, marks }) => {
      events.refused.push(...refused)
      events.learned.push(...learned)
      events.marks.push(...marks)
    })
    return {}
  },
  policy: ({ policy }) => {
    gate?.setPolicy(policy)
    return {}
  },
  hear: ({ heard }) => {
    gate?.hear(heard)
    return {}
  },
  takeMarks: ({ mark, keep }) => {
    gate?.takeMarks(mark, keep)
    return {}
  },
  events: () => events,
  restore: () => {
    gate?.restore()
    return {}
  },
  elements: () => ({ elements: gate?.elements() }),
  gateCounters: () => ({ counters: gate?.counters() }),
  resolve: resolveAndConnect,
}

// It may be killed, and the next one start in less time.
flushCompileCache()
for await (const line of createInterface({ input: process.stdin })) {
  const [name, order] = JSON.parse(line) as [keyof Orders, never]
  try {
    console.log(JSON.stringify(await handlers[name](order)))
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }))
  }
}
process.exit(0)
