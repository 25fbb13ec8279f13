// The live part of the benchmark: speed, loss, memory and rest.
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuSoFar, median, peakBytesOf } from './cost.ts'
import type { Audience } from './listeners.ts'
import type { Result } from './results.ts'
import type { Received, Wire } from './wire.ts'

const MB = 1e6

/** How much is done. */
export interface LiveEffort {
  rounds: number
  /** Packets of one burst. */
  packets: number
  /** How long an agent at rest is watched. */
  restMs: number
}

interface Rounds {
  ring: Received[]
  agent: Received[]
}

async function alternate(
  wire: Wire,
  rounds: number,
  burst: Parameters<Wire['byRing']>[0],
): Promise<Rounds> {
  const both: Rounds = { ring: [], agent: [] }
  for (let round = 0; round < rounds; round++) {
    both.ring.push(await wire.byRing(burst))
    both.agent.push(await wire.byAgent(burst))
  }
  return both
}

function lost(received: readonly Received[]): number {
  return received.reduce((sum, one) => sum + one.sent - one.taken, 0)
}

/** At 100 000 packets a second: none lost, and what it costs. */
export async function steadyFigures(
  wire: Wire,
  effort: LiveEffort,
  flows: number,
): Promise<Result[]> {
  const burst = { packets: effort.packets, flows, rate: 100_000 }
  const { ring, agent } = await alternate(wire, effort.rounds, burst)
  const cpu = (of: Received[]): number => median(of.map((one) => one.cpuS / one.seconds))
  const rate = median(agent.map((one) => one.sent / one.seconds))
  const share = `${(cpu(agent) * 100).toFixed(1)} % of a core, ring ${(cpu(ring) * 100).toFixed(1)} %`
  return [
    {
      name: 'live-loss',
      what: `lost at ${Math.round(rate / 1000)} k packets/s, ${flows} flows`,
      value: lost(agent),
      unit: 'packets',
      atMost: 0,
      note: `ring: ${lost(ring)}`,
    },
    {
      name: 'live-cpu',
      what: 'CPU at 100 k packets/s, of the ring’s',
      value: cpu(agent) / cpu(ring),
      atMost: 2,
      note: share,
    },
  ]
}

/** As fast as the generator goes. */
export async function topFigures(wire: Wire, effort: LiveEffort, flows: number): Promise<Result[]> {
  const { ring, agent } = await alternate(wire, effort.rounds, {
    packets: effort.packets * 2,
    flows,
  })
  const taken = (of: Received[]): number => median(of.map((one) => one.taken / one.seconds))
  const share = (of: Received[]): number => median(of.map((one) => one.taken / one.sent))
  const unexplained = agent.reduce(
    (sum, one) => sum + Math.abs(one.sent - one.taken - one.dropped),
    0,
  )
  return [
    {
      name: 'top-share',
      what: 'taken at top speed, of what the ring takes',
      value: share(agent) / share(ring),
      atLeast: 0.8,
      note: `${Math.round(taken(agent) / 1000)} k packets/s, ring ${Math.round(taken(ring) / 1000)} k`,
    },
    {
      name: 'top-exact',
      what: 'packets neither taken nor told as lost',
      value: unexplained,
      unit: 'packets',
      atMost: 0,
      note: `told as lost: ${agent.map((one) => one.dropped).join(', ')}`,
    },
  ]
}

const AUDIENCES: Record<Audience, string> = {
  nobody: '',
  embedded: ', a subscriber and a page',
  external: ', mosquitto and a page',
}

/**
 * Peak memory with so many live flows, all of them busy in every few seconds, before each audience (judged), and after one
 * packet each.
 */
export async function memoryFigures(wire: Wire, flows: number, atMost: number): Promise<Result[]> {
  const results: Result[] = []
  for (const [audience, whom] of Object.entries(AUDIENCES) as [Audience, string][]) {
    const busy = await wire.byAgent({ packets: flows * 10, flows, rate: 50_000 }, audience)
    results.push({
      name: `memory-${flows / 1000}k-${audience}`,
      what: `peak memory with ${flows / 1000} k live flows${whom}`,
      value: busy.peakBytes / MB,
      unit: 'MB',
      atMost,
      note: `${busy.flows} flows, 50 k packets/s${whom && `, ${busy.batches} batches`}, lost ${lost([busy])}`,
    })
  }
  const quiet = await wire.byAgent({ packets: flows, flows, rate: 10_000 })
  results.push({
    name: `memory-${flows / 1000}k-quiet`,
    what: `peak memory with ${flows / 1000} k flows of one packet`,
    value: quiet.peakBytes / MB,
    unit: 'MB',
    note: `${quiet.flows} flows`,
  })
  return results
}

/** What flows cost that do nothing. */
export async function restFigure(wire: Wire, effort: LiveEffort, flows: number): Promise<Result> {
  return await wire.withAgent(async (agent, info) => {
    const watch = async (): Promise<number> => {
      const before = cpuSoFar(agent.program.pid)
      await sleep(effort.restMs)
      return (cpuSoFar(agent.program.pid) - before) / (effort.restMs / 1000)
    }
    await sleep(2000)
    const empty = await watch()
    await wire.send({ packets: flows, flows, rate: 50_000 })
    await sleep(5000)
    const full = await watch()
    const { loss } = await info()
    const peak = peakBytesOf(agent.program.pid) / MB
    return {
      name: 'rest',
      what: `CPU that ${flows / 1000} k idle flows add, of a core`,
      value: (full - empty) * 100,
      unit: '%',
      atMost: 2,
      note: `${(empty * 100).toFixed(1)} % before; evicted ${loss.flows_evicted}; peak ${peak.toFixed(0)} MB`,
    }
  })
}
