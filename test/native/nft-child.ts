// Runs inside a network namespace: orders come as lines of JSON on standard input, answers go the same way back.
import type { Socket } from 'node:dgram'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NftChange, NftElement, NftNews, NftSet, NftTrial } from '../../native/nft.ts'
import { Nft, NftWatch } from '../../native/nft.ts'
import { FirstPackets } from '../../native/queue.ts'

export type NftOrder =
  | { do: 'apply'; changes: NftChange[]; old?: boolean }
  /** The same kind of element many times: `key` with its # replaced by four numbers of an address. */
  | {
      do: 'many'
      set: NftSet
      what: 'add' | 'delete'
      key: string
      count: number
      timeoutMs?: number
    }
  | { do: 'elements'; set: NftSet; countOnly?: boolean }
  | { do: 'shapes'; tables: { family: NftSet['family']; table: string }[] }
  | { do: 'generation' | 'port' | 'watch' | 'news' }
  | { do: 'probe'; trials: NftTrial[] }
  /** Small transactions one after the other, timed. */
  | { do: 'time'; set: NftSet; key: string; rounds: number }
  | { do: 'block'; ms: number }
  /** Lets everything that comes into a queue pass. `served` tells how many packets came. */
  | { do: 'serve'; queue: number }
  | { do: 'served' | 'unserve' }
  /** Sends three datagrams. */
  | { do: 'send'; ip: string; port: number }
  /** How many datagrams came to a port, from the first such order on. */
  | { do: 'received'; port: number }

const current = new Nft()
const old = new Nft({ oldKernel: true })
const news: NftNews[] = []
let served: FirstPackets | undefined
let receiver: Socket | undefined
let received = 0

/** The nth address of 10.0.0.0/8. */
function nth(key: string, i: number): string {
  return key.replaceAll('#', `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`)
}

async function timed(order: Extract<NftOrder, { do: 'time' }>): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < order.rounds; i++) {
    const change: NftChange = { do: 'add', set: order.set, key: nth(order.key, i) }
    const begin = performance.now()
    const failure = await current.apply([change])
    times.push(performance.now() - begin)
    if (failure) throw new Error(failure.message)
  }
  return times
}

async function carryOut(order: NftOrder): Promise<unknown> {
  switch (order.do) {
    case 'apply':
      return (order.old ? old : current).apply(order.changes)
    case 'many': {
      const { set, what, key, count, timeoutMs } = order
      const changes = Array.from({ length: count }, (_, i): NftChange => {
        const change: NftChange = { do: what, set, key: nth(key, i) }
        if (timeoutMs !== undefined) change.timeoutMs = timeoutMs
        return change
      })
      const begin = performance.now()
      const failure = await current.apply(changes)
      return { failure, ms: performance.now() - begin }
    }
    case 'elements': {
      const begin = performance.now()
      const elements = await current.elements(order.set)
      const ms = performance.now() - begin
      if (!(elements instanceof Map)) return { failure: elements }
      if (order.countOnly) return { size: elements.size, ms }
      return { elements: Object.fromEntries(elements as Map<string, NftElement>), ms }
    }
    case 'shapes':
      return current.shapes(order.tables)
    case 'generation':
      return current.generation()
    case 'port':
      return current.port
    case 'watch':
      new NftWatch().start((each) => news.push(each))
      return undefined
    case 'news':
      return news
    case 'probe':
      return current.probe(order.trials)
    case 'time':
      return timed(order)
    case 'serve':
      served = new FirstPackets({ queue: order.queue })
      served.start(() => {})
      return undefined
    case 'served':
      return served?.counters().packets
    case 'unserve':
      served?.stop()
      return undefined
    case 'send': {
      const socket = createSocket('udp4')
      for (let i = 0; i < 3; i++) socket.send(Buffer.alloc(100), order.port, order.ip)
      await sleep(50)
      socket.close()
      return undefined
    }
    case 'received': {
      if (receiver === undefined) {
        receiver = createSocket('udp4').on('message', () => received++)
        receiver.bind(order.port)
        await once(receiver, 'listening')
      }
      return received
    }
    case 'block': {
      const end = performance.now() + order.ms
      while (performance.now() < end);
      return undefined
    }
  }
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    void carryOut(JSON.parse(line) as NftOrder).then(
      (result) => process.stdout.write(`${JSON.stringify({ result: result ?? null })}\n`),
      (error: Error) => process.stdout.write(`${JSON.stringify({ error: error.message })}\n`),
    )
  })
  .on('close', () => process.exit(0))
