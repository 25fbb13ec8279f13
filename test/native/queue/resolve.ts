// A device that resolves a name and connects at once, many times.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

interface Outcome {
  /** Names that were answered with an address. */
  resolved: number
  /** Connections (a datagram and its echo) that worked. */
  connected: number
  /** Of the answers, milliseconds. */
  p50Ms: number
  p99Ms: number
}

function queryOf(id: number, name: string): Buffer {
  const labels = name.split('.').map((label) => `${String.fromCharCode(label.length)}${label}`)
  return Buffer.concat([
    Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    Buffer.from(`${labels.join('')}\0`, 'latin1'),
    Buffer.from([0, 1, 0, 1]),
  ])
}

/** The first address of an answer with the one record that the tests' server gives, or undefined. */
function addressOf(answer: Buffer): string | undefined {
  if ((answer.readUInt16BE(2) & 15) !== 0 || answer.readUInt16BE(6) === 0) return undefined
  return answer.subarray(-4).join('.')
}

function sendAndWait(
  socket: ReturnType<typeof createSocket>,
  bytes: Buffer,
  port: number,
  ip: string,
  ms: number,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const end = setTimeout(done, ms, undefined)
    function done(answer: Buffer | undefined): void {
      clearTimeout(end)
      socket.off('message', done)
      resolve(answer)
    }
    socket.on('message', done)
    socket.send(bytes, port, ip)
  })
}

export async function resolveAndConnect(order: {
  server: string
  names: string[]
  port: number
  connect: boolean
}): Promise<Outcome> {
  const asks = createSocket('udp4').bind(0)
  await once(asks, 'listening')
  const waits: number[] = []
  let [resolved, connected] = [0, 0]
  for (const [i, name] of order.names.entries()) {
    const began = performance.now()
    const answer = await sendAndWait(asks, queryOf(i & 0xffff, name), 53, order.server, 2000)
    waits.push(performance.now() - began)
    const ip = answer && addressOf(answer)
    if (ip === undefined) continue
    resolved++
    if (!order.connect) continue
    const socket = createSocket('udp4')
    if (await sendAndWait(socket, Buffer.from('hello'), order.port, ip, 500)) connected++
    socket.close()
  }
  asks.close()
  waits.sort((a, b) => a - b)
  const at = (share: number): number => waits[Math.floor(waits.length * share)] ?? 0
  return { resolved, connected, p50Ms: at(0.5), p99Ms: at(0.99) }
}
