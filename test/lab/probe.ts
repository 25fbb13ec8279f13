// Traffic whose every packet is noted with its time, run inside namespaces; ends when its standard input does. A line of
// input is answered by one line of JSON: `{"count":…,"times":[…],"from":{…}}`: the times (epoch ms) since the last answer,
// and how many datagrams came from each address since then.
//   sink               counts datagrams on port 9000 (their times are those when they were sent, if they say so), and bytes of TCP on port 9001, which it sends without an end
//   source ADDRESS…    sends 1 000 datagrams a second, in turn to each address
//   download ADDRESS   reads from port 9001 without an end
//   burst ADDRESS N MS opens N connections to port 80, evenly over so many milliseconds, and says when it opened each
import { createSocket } from 'node:dgram'
import { connect, createServer, isIPv6 } from 'node:net'
import { createInterface } from 'node:readline'

const [role, address = '', ...rest] = process.argv.slice(2)
const PORT = 9000
let count = 0
let times: number[] = []
let from: Record<string, number> = {}

function note(ms = Date.now()): void {
  count++
  if (times.length < 200_000) times.push(ms)
}

function sink(): void {
  const socket = createSocket('udp6')
  socket.on('message', (message, { address }) => {
    const ip = address.replace(/^::ffff:/, '')
    from[ip] = (from[ip] ?? 0) + 1
    note(Number(/^sent (\d+)$/.exec(message.toString('latin1', 0, 32))?.[1]) || Date.now())
  })
  socket.bind(PORT, '::')
  const chunk = Buffer.alloc(16 * 1024)
  createServer((client) => {
    client.on('error', () => {})
    const pour = (): void => {
      while (client.write(chunk));
    }
    client.on('drain', () => setTimeout(pour, 5))
    pour()
  }).listen(PORT + 1, '::')
}

function source(): void {
  const targets = [address, ...rest]
  const sockets = new Map([false, true].map((six) => [six, createSocket(six ? 'udp6' : 'udp4')]))
  for (const socket of sockets.values()) socket.on('error', () => {})
  const began = performance.now()
  setInterval(() => {
    const due = performance.now() - began
    for (let n = 0; count < due && n < 50; n++) {
      const to = targets[count % targets.length] ?? address
      sockets.get(isIPv6(to))?.send(`sent ${Date.now()}`, PORT, to, () => {})
      note()
    }
  }, 1)
}

function download(): void {
  const client = connect(PORT + 1, address)
  client.on('data', () => note())
  client.on('error', () => {})
}

function burst(): void {
  const [connections = 0, overMs = 0] = rest.map(Number)
  const began = performance.now()
  const timer = setInterval(() => {
    while (count < connections && count * overMs <= (performance.now() - began) * connections) {
      connect(80, address).on('error', () => {})
      note()
    }
    if (count >= connections) clearInterval(timer)
  }, 1)
}

const roles: Record<string, () => void> = { sink, source, download, burst }
roles[role as string]?.()
createInterface({ input: process.stdin })
  .on('line', () => {
    process.stdout.write(`${JSON.stringify({ count, times, from })}\n`)
    times = []
    from = {}
  })
  .on('close', () => process.exit(0))
