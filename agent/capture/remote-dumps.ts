// Every tcpdump that runs on a router: kept in step with what is to be captured, begun again when one has ended, and what was
// not seen counted.
import type { InterfaceCounters, InterfaceSpec } from '../../native/index.ts'
import type { Log } from '../log.ts'
import type { RouterConnection } from './remote-connection.ts'
import type { Surrounding } from './remote-dump.ts'
import { Dump, dumpOrders } from './remote-dump.ts'
import type { MergeInput } from './remote-merge.ts'
import { PcapMerge } from './remote-merge.ts'

/** One that ended by itself is begun again after so long at the earliest. */
const AGAIN_MS = 2000

/**
 * So many channels of the one connection run tcpdumps. Three more are the connection's own, for looking and for nft; OpenSSH takes
 * ten (MaxSessions of sshd_config(5)).
 */
export const MOST_CHANNELS = 5

interface Running {
  dump: Dump
  key: string
  input: MergeInput
  listening: boolean
}

/** Interfaces that are captured in one channel: one, unless there are many. */
interface Watched {
  names: readonly string[]
  running: Running | undefined
  /** Why they are not captured. */
  reason: string
  /** Packets of tcpdumps that are no more, and what those lost, by interface. */
  packetsBefore: number
  droppedBefore: Map<string, number>
  /** Their packets as the router counts them, and ours, at the last look. */
  seen: { there: number; here: number } | undefined
  /** As the router counted when they were first looked at, by interface. */
  base: Map<string, number>
  /** Not captured since then: what passes is lost. */
  isLosing: boolean
}

/** Which interfaces share a channel. Pure. `doubtful`: those that ended by themselves; they take none of the others with them. */
export function channelsOf(
  names: readonly string[],
  doubtful: ReadonlySet<string> = new Set(),
): string[][] {
  if (names.length <= MOST_CHANNELS) return names.map((name) => [name])
  const bad = names.filter((name) => doubtful.has(name))
  const good = names.filter((name) => !doubtful.has(name))
  const channels = Math.min(good.length, bad.length > 0 ? MOST_CHANNELS - 1 : MOST_CHANNELS)
  const groups = Array.from({ length: channels }, (_, i) =>
    good.filter((_name, n) => n % channels === i),
  )
  return bad.length > 0 ? [...groups, bad] : groups
}

export class RemoteDumps {
  readonly #connection: RouterConnection
  readonly #log: Log
  readonly #merge: PcapMerge
  #watched = new Map<string, Watched>()
  #specs: readonly InterfaceSpec[] = []
  #around: ((spec: InterfaceSpec) => Surrounding) | undefined
  readonly #doubtful = new Set<string>()
  #packets: ReadonlyMap<string, number> = new Map()
  #away = true
  #again: NodeJS.Timeout | undefined
  #lostBefore = 0
  /** Channels that are not free, those among them that are about to end. */
  #open = 0
  /** One waits for that. */
  #waits = false
  #stopped = false

  constructor(connection: RouterConnection, log: Log, write: (data: Buffer) => boolean) {
    this.#connection = connection
    this.#log = log
    this.#merge = new PcapMerge(write)
    this.#merge.onFull = (full) => {
      for (const { dump } of this.#all()) full ? dump.output.pause() : dump.output.resume()
    }
  }

  /** The router can't be reached. */
  get isAway(): boolean {
    return this.#away
  }

  get interfaces(): InterfaceCounters[] {
    return [...this.#watched.values()].flatMap((each) =>
      each.names.map((name) => {
        const up = isUp(each)
        return {
          name,
          up,
          packets: this.#packetsOf(each, name),
          dropped: droppedOf(each, name),
          ...(up ? {} : { reason: each.reason }),
        }
      }),
    )
  }

  /** What the routers' kernels had no room for, and what passed while nothing was captured. */
  get dropped(): number {
    return [...this.#watched.values()].reduce(
      (sum, each) => sum + droppedOfAll(each),
      this.#lostBefore,
    )
  }

  get blind(): boolean {
    return this.#watched.size === 0 || [...this.#watched.values()].some((each) => !isUp(each))
  }

  /** The connection is gone, and with it what ran; `names` are waited for. */
  away(names: readonly string[], reason: string): void {
    this.#away = true
    clearTimeout(this.#again)
    const watched = new Set([...this.#watched.values()].flatMap((each) => each.names))
    const others = [...new Set(names)].filter((name) => !watched.has(name))
    for (const group of channelsOf(others, this.#doubtful)) this.#watch(group)
    for (const each of this.#watched.values()) {
      each.reason = reason
      each.isLosing = true
      this.#end(each)
    }
    this.#merge.forgetClock()
  }

  /** What is to be captured from now on. */
  follow(specs: readonly InterfaceSpec[], around: (spec: InterfaceSpec) => Surrounding): void {
    this.#away = this.#connection.away !== undefined
    this.#specs = specs
    this.#around = around
    this.#run()
  }

  /** `packets`: what has passed each interface, as the router counts. */
  look(packets: ReadonlyMap<string, number>): void {
    this.#packets = packets
    for (const each of this.#watched.values()) {
      const counts = each.names.flatMap((name) => packets.get(name) ?? [])
      const there = counts.length < each.names.length ? undefined : sum(counts)
      for (const name of each.names)
        if (!each.base.has(name)) each.base.set(name, packets.get(name) ?? 0)
      const here = packetsOf(each)
      if (each.isLosing && isUp(each)) {
        const { seen } = each
        // What is in flight makes it an estimate; a router that began anew counts from zero. Something was missed in any case.
        const missed =
          seen === undefined || there === undefined ? 0 : there - seen.there - (here - seen.here)
        lose(each, each.names[0] ?? '', Math.max(1, missed))
        each.isLosing = false
      }
      if (there !== undefined && !each.isLosing) each.seen = { there, here }
      each.running?.dump.ask()
    }
  }

  /** What was written has been taken. */
  drained(): void {
    this.#merge.drained()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#again)
    for (const { dump } of this.#all()) dump.stop()
    this.#merge.stop()
  }

  #run(): void {
    const around = this.#around
    if (this.#stopped || this.#away || around === undefined) return
    const specs = new Map(this.#specs.map((spec) => [spec.name, spec]))
    const groups = channelsOf([...specs.keys()], this.#doubtful)
    const wanted = new Set(groups.map((names) => names.join()))
    for (const [id, each] of this.#watched) {
      if (wanted.has(id)) continue
      this.#end(each)
      this.#lostBefore += droppedOfAll(each)
      this.#watched.delete(id)
    }
    for (const names of groups) {
      const each = this.#watch(names)
      const orders = names.flatMap((name) => {
        const spec = specs.get(name) as InterfaceSpec
        return dumpOrders(spec, around(spec))
      })
      const key = JSON.stringify(orders)
      if (each.running?.key === key) continue
      this.#end(each)
      // A channel that is not free yet would be one too many; it says when it is.
      if (this.#open >= MOST_CHANNELS) {
        this.#waits = true
        continue
      }
      this.#begin(each, key, new Dump(orders, this.#connection))
    }
  }

  #watch(names: readonly string[]): Watched {
    const id = names.join()
    let each = this.#watched.get(id)
    if (each === undefined) {
      each = {
        names,
        running: undefined,
        reason: 'tcpdump begins',
        packetsBefore: 0,
        droppedBefore: new Map(),
        seen: undefined,
        base: new Map(),
        isLosing: false,
      }
      this.#watched.set(id, each)
    }
    return each
  }

  #begin(each: Watched, key: string, dump: Dump): void {
    const running: Running = { dump, key, input: this.#merge.add(), listening: false }
    each.running = running
    this.#open++
    dump.onClosed = () => {
      this.#open--
      if (!this.#waits) return
      this.#waits = false
      this.#run()
    }
    dump.output.on('data', (piece: Buffer) => {
      if (each.running !== running) return
      try {
        this.#merge.push(running.input, piece)
      } catch (error) {
        each.reason = (error as Error).message
        this.#end(each)
        this.#runSoon()
      }
    })
    dump.onState = (listening, reason, order) => {
      running.listening = listening
      if (listening) return
      const names = order?.spec.name ?? each.names.join(', ')
      if (reason !== undefined && reason !== each.reason) {
        this.#log.warn(`${names} on the router: ${reason}`)
      }
      each.reason = reason ?? 'the connection ended'
      if (order !== undefined && each.names.length > 1) this.#doubtful.add(order.spec.name)
      this.#end(each)
      this.#runSoon()
    }
  }

  #end(each: Watched): void {
    const { running } = each
    if (running === undefined) return
    each.running = undefined
    each.packetsBefore += running.input.packets
    for (const name of each.names) lose(each, name, running.dump.droppedOf(name))
    each.isLosing = true
    this.#merge.remove(running.input)
    running.dump.stop()
  }

  #runSoon(): void {
    clearTimeout(this.#again)
    this.#again = setTimeout(() => this.#run(), AGAIN_MS)
  }

  #all(): Running[] {
    return [...this.#watched.values()].flatMap(({ running }) => running ?? [])
  }

  /** What came in one channel can't be told apart: then as the router counts. */
  #packetsOf(each: Watched, name: string): number {
    if (each.names.length === 1) return packetsOf(each)
    return Math.max(0, (this.#packets.get(name) ?? 0) - (each.base.get(name) ?? 0))
  }
}

function sum(numbers: Iterable<number>): number {
  let all = 0
  for (const each of numbers) all += each
  return all
}

/** All of it is captured. */
function isUp({ running }: Watched): boolean {
  return running?.listening === true
}

function packetsOf({ running, packetsBefore }: Watched): number {
  return packetsBefore + (running?.input.packets ?? 0)
}

function lose(each: Watched, name: string, packets: number): void {
  each.droppedBefore.set(name, (each.droppedBefore.get(name) ?? 0) + packets)
}

function droppedOf({ running, droppedBefore }: Watched, name: string): number {
  return (droppedBefore.get(name) ?? 0) + (running?.dump.droppedOf(name) ?? 0)
}

function droppedOfAll(each: Watched): number {
  return sum(each.names.map((name) => droppedOf(each, name)))
}
