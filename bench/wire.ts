// Live figures: two namespaces joined by a cable, a generator at one end, the agent or the ring in C at the other.
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Info } from '../protocol/messages.ts'
import { HTTP_PORT, LabAgent } from '../test/lab/agent-process.ts'
import { Namespaces } from '../test/lab/namespaces.ts'
import { Program, succeed, until } from '../test/lab/process.ts'
import { Doors } from '../test/lab/relay.ts'
import { cpuSoFar, peakBytesOf } from './cost.ts'
import type { Limits } from './limits.ts'
import type { Audience } from './listeners.ts'
import { Listeners } from './listeners.ts'

const SOURCE_MAC = '02:0d:e0:00:00:01'
const ROUTER_MAC = '02:0d:e0:ff:00:01'
const INTERFACE = 'wire0'
/** So long after the last packet everything about it has been said: the agent's second, and a little. */
const SETTLE_MS = 1300

/** Counters are told every half minute where nothing else has changed. */
const COUNTERS_MS = 33_000

/** What is sent. */
export interface Burst {
  packets: number
  flows: number
  /** Packets a second; absent: as fast as it goes. */
  rate?: number
}

/** What a receiver made of a burst. */
export interface Received {
  sent: number
  /** Seconds that sending took. */
  seconds: number
  taken: number
  /** What it says that it lost. */
  dropped: number
  /** CPU from the first packet until all has been said. */
  cpuS: number
  /** Peak memory of the process since its start. */
  peakBytes: number
  flows: number
  /** Batches of flows that a subscriber got. */
  batches: number
}

/** A cable between two namespaces, silent but for what is sent on purpose. Needs root. */
export class Wire {
  readonly #limits: Limits
  readonly #spaces = new Namespaces()
  readonly #folder: string
  #doors: Doors | undefined
  #firstFlow = 0

  constructor(limits: Limits, scratch: string) {
    this.#limits = limits
    this.#folder = mkdtempSync(join(scratch, 'wire-'))
  }

  async start(): Promise<void> {
    await this.#spaces.make(['from', 'to'])
    for (const name of ['from', 'to']) {
      await this.#spaces.set(name, ['net/ipv6/conf/default/disable_ipv6'], '1')
      await this.#spaces.ip(name, ['link set lo up'])
    }
    await this.#spaces.ip('from', [
      `link add ${INTERFACE} type veth peer name ${INTERFACE} netns ${this.#spaces.name('to')}`,
      `link set ${INTERFACE} up`,
    ])
    await this.#spaces.ip('to', [`link set ${INTERFACE} up`])
    this.#doors = new Doors((...command) => this.#spaces.exec('to', ...command), this.#folder)
  }

  async stop(): Promise<void> {
    await this.#doors?.stop()
    await this.#spaces.remove()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Sends, and waits until all is sent. */
  async send(burst: Burst): Promise<{ sent: number; seconds: number }> {
    const ends = [INTERFACE, SOURCE_MAC, ROUTER_MAC, '192.0.2.11', '203.0.113.1']
    const rate = String(burst.rate ?? 0)
    const numbers = [
      String(burst.packets),
      String(burst.flows),
      rate,
      '120',
      String(this.#firstFlow),
    ]
    // Other flows each time: an agent that still knows those before has to make new ones.
    this.#firstFlow += burst.flows
    const command = this.#spaces.exec('from', this.#limits.udpgen, ...ends, ...numbers)
    return JSON.parse(await succeed('ip', command, { timeoutMs: 120_000 }))
  }

  /** The ring in C takes a burst. */
  async byRing(burst: Burst): Promise<Received> {
    const command = this.#spaces.exec('to', this.#limits.mirror, INTERFACE, '3600')
    const ring = new Program('ip', command).start()
    await sleep(300)
    const before = cpuSoFar(ring.pid)
    const { sent, seconds } = await this.send(burst)
    await sleep(SETTLE_MS)
    const cpuS = cpuSoFar(ring.pid) - before
    const peakBytes = peakBytesOf(ring.pid)
    const ended = await ring.stop()
    const { packets, drops, flows } = JSON.parse(ended.stdout) as Record<string, number>
    const [taken = 0, dropped = 0] = [packets, drops]
    return { sent, seconds, taken, dropped, cpuS, peakBytes, flows: flows ?? 0, batches: 0 }
  }

  /** The agent takes a burst. */
  async byAgent(burst: Burst, audience: Audience = 'nobody'): Promise<Received> {
    return await this.withAgent(async (agent, info, listeners) => {
      const before = cpuSoFar(agent.program.pid)
      const { sent, seconds } = await this.send(burst)
      await sleep(SETTLE_MS)
      const cpuS = cpuSoFar(agent.program.pid) - before
      const { taken, dropped } = await countersOf(info, sent)
      const flows = await this.#untilFlows(burst.flows)
      const peakBytes = peakBytesOf(agent.program.pid)
      const { batches } = listeners
      return { sent, seconds, taken, dropped, cpuS, peakBytes, flows, batches }
    }, audience)
  }

  /** Runs an agent at the far end, before an audience, as long as `use` does; `info` asks it how it is. */
  async withAgent<T>(
    use: (agent: LabAgent, info: () => Promise<Info>, listeners: Listeners) => Promise<T>,
    audience: Audience = 'nobody',
  ): Promise<T> {
    const where = ['--mode', 'mirror', '--interface', INTERFACE, '--lan', '192.0.2.0/24']
    const idle = ['--flows-udp-idle-s', '300', '--http', `127.0.0.1:${HTTP_PORT}`]
    const inside = (...command: string[]): string[] => this.#spaces.exec('to', ...command)
    const listeners = new Listeners(audience, inside)
    const { broker, args } = listeners.arguments
    listeners.startBroker()
    const agent = new LabAgent({ args: [...where, ...idle, ...args], broker, inside }).start()
    try {
      const info = (): Promise<Info> => this.#get<Info>('/api/info')
      await until('an agent that captures', async () => {
        const told = await info().catch(() => undefined)
        return told?.interfaces[0]?.state === 'up' ? told : undefined
      })
      await listeners.listen(agent.id)
      return await use(agent, info, listeners)
    } catch (error) {
      throw new Error(`${error}\n${agent.stderr.slice(-2000)}`, { cause: error })
    } finally {
      await agent.stop()
      await listeners.stop()
    }
  }

  /** Waits until all flows are known to it, as new ones are taken in bit by bit; gives how many are. */
  async #untilFlows(wanted: number): Promise<number> {
    const end = Date.now() + COUNTERS_MS
    for (;;) {
      const { total } = await this.#get<{ total: number }>('/api/flows?limit=1')
      if (total >= wanted || Date.now() > end) return total
      await sleep(500)
    }
  }

  async #get<T>(path: string): Promise<T> {
    const port = await this.#doors?.open(HTTP_PORT)
    const text = await new Promise<string>((resolve, reject) => {
      const headers = { host: `127.0.0.1:${HTTP_PORT}` }
      const asking = request({ host: '127.0.0.1', port, path, headers }, (answer) => {
        let body = ''
        answer.setEncoding('utf8').on('data', (piece: string) => {
          body += piece
        })
        answer.on('end', () => {
          if (answer.statusCode === 200) resolve(body)
          else reject(new Error(`${path}: ${answer.statusCode} ${body}`))
        })
      })
      asking.on('error', reject).end()
    })
    return JSON.parse(text) as T
  }
}

/** The agent's counters, once they account for all that was sent, else as they are after a while. */
async function countersOf(
  info: () => Promise<Info>,
  sent: number,
): Promise<{ taken: number; dropped: number }> {
  const end = Date.now() + COUNTERS_MS
  for (;;) {
    const { interfaces, loss } = await info()
    const taken = interfaces.reduce((sum, one) => sum + one.packets, 0)
    const dropped = loss.ring_packets
    if (taken + dropped >= sent || Date.now() > end) return { taken, dropped }
    await sleep(200)
  }
}
