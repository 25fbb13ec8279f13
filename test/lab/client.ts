// A device of the lab at work, run inside its namespace: reads one `Step` a line, answers with one `Done` a line.
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:net'
import { connect, isIPv6 } from 'node:net'
import { createInterface } from 'node:readline'
import { connect as connectTls } from 'node:tls'
import { pathToFileURL } from 'node:url'
import type { WireMessage } from './dns-wire.ts'
import { A, AAAA, decodeDns, encodeDns } from './dns-wire.ts'

/** How a name is asked for. */
export interface Asking {
  name: string
  family: 4 | 6
  /** Address of the resolver. */
  server: string
  over: 'udp' | 'tcp'
}

/** One thing that a device does. */
export type Step =
  /** Only asks. */
  | ({ does: 'ask' } & Asking)
  /** Asks, then fetches so many bytes. */
  | ({ does: 'http'; bytes: number } & Asking)
  | ({ does: 'https'; bytes: number } & Asking)
  /** Asks, then sends datagrams that are echoed. */
  | ({ does: 'echo'; count: number; size: number } & Asking)
  /** Sends datagrams to an address without asking; nobody need answer. */
  | { does: 'send'; to: string; port: number; count: number; size: number }
  /** Opens a TCP connection to an address and sends bytes, which come back. */
  | { does: 'stream'; to: string; port: number; bytes: number }
  /** Answers TCP and UDP on a port with what comes, from now on. */
  | { does: 'serve'; port: number }

/** What came of a step. */
export interface Done {
  step: Step
  error?: string
  /** Query messages sent, one each. */
  queries: { name: string; type: number; over: 'udp' | 'tcp' }[]
  /** The flow of the step itself, as this end knows it. */
  flow?: {
    protocol: 'tcp' | 'udp'
    local_ip: string
    local_port: number
    remote_ip: string
    remote_port: number
  }
  /** When its first packet was handed to the kernel, questions for names left out. */
  sent_ms: number
}

const TIMEOUT_MS = 5000

function withTimeout<T>(what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer`)), TIMEOUT_MS)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

function askUdp(query: Buffer, server: string): Promise<Buffer> {
  const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4')
  const answer = new Promise<Buffer>((resolve, reject) => {
    socket.once('message', resolve).once('error', reject)
    socket.send(query, 53, server)
  })
  return withTimeout('dns over udp', answer).finally(() => socket.close())
}

function askTcp(query: Buffer, server: string): Promise<Buffer> {
  const socket = connect(53, server)
  const head = Buffer.alloc(2)
  head.writeUInt16BE(query.length)
  const answer = new Promise<Buffer>((resolve, reject) => {
    let have = Buffer.alloc(0)
    socket.once('error', reject)
    socket.on('data', (chunk) => {
      have = Buffer.concat([have, chunk])
      if (have.length >= 2 && have.length >= 2 + have.readUInt16BE(0)) resolve(have.subarray(2))
    })
    socket.write(Buffer.concat([head, query]))
  })
  return withTimeout('dns over tcp', answer).finally(() => socket.end())
}

async function ask(asking: Asking, done: Done): Promise<string> {
  const type = asking.family === 6 ? AAAA : A
  const query: WireMessage = {
    id: Math.floor(Math.random() * 65536),
    response: false,
    truncated: false,
    rcode: 0,
    name: asking.name,
    type,
    answers: [],
  }
  let over = asking.over
  let reply: WireMessage
  do {
    done.queries.push({ name: asking.name, type, over })
    const way = over === 'udp' ? askUdp : askTcp
    reply = decodeDns(await way(encodeDns(query), asking.server))
    over = 'tcp'
  } while (reply.truncated)
  return reply.answers.find((answer) => answer.type === type)?.data ?? ''
}

function noteFlow(done: Done, socket: Socket): void {
  done.flow = {
    protocol: 'tcp',
    local_ip: socket.localAddress ?? '',
    local_port: socket.localPort ?? 0,
    remote_ip: socket.remoteAddress ?? '',
    remote_port: socket.remotePort ?? 0,
  }
}

function exchange(
  socket: Socket,
  ready: string,
  request: string | Buffer,
  bytes: number,
  done: Done,
) {
  const all = new Promise<void>((resolve, reject) => {
    let got = 0
    socket.once('error', reject)
    socket.once(ready, () => {
      noteFlow(done, socket)
      socket.write(request)
    })
    socket.on('data', (chunk) => {
      got += chunk.length
      if (got >= bytes) resolve()
    })
    socket.once('close', () => reject(new Error(`closed after ${got} of ${bytes} bytes`)))
  })
  return withTimeout('exchange', all).finally(() => socket.end())
}

async function fetchBytes(
  step: Step & { bytes: number; does: 'http' | 'https' },
  done: Done,
): Promise<void> {
  const host = await ask(step, done)
  const request = `GET /bytes/${step.bytes} HTTP/1.1\r\nHost: ${step.name}\r\nConnection: close\r\n\r\n`
  done.sent_ms = Date.now()
  const socket =
    step.does === 'http'
      ? connect(80, host)
      : connectTls({ host, port: 443, servername: step.name, rejectUnauthorized: false })
  const ready = step.does === 'http' ? 'connect' : 'secureConnect'
  await exchange(socket, ready, request, step.bytes, done)
}

async function datagrams(
  to: string,
  port: number,
  count: number,
  size: number,
  echoed: boolean,
  done: Done,
) {
  const socket = createSocket(isIPv6(to) ? 'udp6' : 'udp4')
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.connect(port, to, () => resolve())
    })
    socket.removeAllListeners('error').on('error', () => {})
    const local = socket.address()
    const flow = {
      local_ip: local.address,
      local_port: local.port,
      remote_ip: to,
      remote_port: port,
    }
    done.flow = { protocol: 'udp', ...flow }
    done.sent_ms = Date.now()
    for (let i = 0; i < count; i++) {
      const back = new Promise((resolve) => socket.once('message', resolve))
      await new Promise<void>((resolve) => socket.send(Buffer.alloc(size, 'u'), () => resolve()))
      if (echoed) await withTimeout('echo', back)
    }
  } finally {
    socket.close()
  }
}

async function serve(port: number): Promise<void> {
  const { createServer } = await import('node:net')
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(port, '::', resolve))
  const udp = createSocket('udp4')
  udp.on('message', (message, from) => udp.send(message, from.port, from.address))
  await new Promise<void>((resolve) => udp.bind(port, resolve))
}

async function perform(step: Step, done: Done): Promise<void> {
  switch (step.does) {
    case 'ask':
      await ask(step, done)
      return
    case 'http':
    case 'https':
      return await fetchBytes(step, done)
    case 'serve':
      return await serve(step.port)
    case 'send':
      return await datagrams(step.to, step.port, step.count, step.size, false, done)
    case 'echo':
      return await datagrams(await ask(step, done), 7, step.count, step.size, true, done)
    case 'stream': {
      done.sent_ms = Date.now()
      const socket = connect(step.port, step.to)
      await exchange(socket, 'connect', Buffer.alloc(step.bytes, 's'), step.bytes, done)
    }
  }
}

async function main(): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const step = JSON.parse(line) as Step
    const done: Done = { step, queries: [], sent_ms: 0 }
    try {
      await perform(step, done)
    } catch (error) {
      done.error = String(error)
    }
    console.log(JSON.stringify(done))
  }
  process.exit(0)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
