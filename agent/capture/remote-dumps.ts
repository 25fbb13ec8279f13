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

interface Running {
  dump: Dump
  input: MergeInput
  listening: boolean
}

/** One interface that is to be captured. */
interface Watched {
  name: string
  /** Both parts, by their order. */
  running: Map<string, Running>
  /** Why it is not captured. */
  reason: string
  /** Packets of tcpdumps that are no more, and what those lost. */
  packetsBefore: number
  droppedBefore: number
  /** Its packets as the router counts them, and ours, at the last look. */
  seen: { there: number; here: number } | undefined
  /** Not captured since then: what passes is lost. */
  isLosing: boolean
}

export class RemoteDumps {
  readonly #connection: RouterConnection
  readonly #log: Log
  readonly #merge: PcapMerge
  #watched = new Map<string, Watched>()
  #specs: readonly InterfaceSpec[] = []
  #around: ((spec: InterfaceSpec) => Surrounding) | undefined
  #away = true
  #again: NodeJS.Timeout | undefined
  #lostBefore = 0
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
    return [...this.#watched.values()].map((each) => {
      const up = isUp(each)
      return {
        name: each.name,
        up,
        packets: packetsOf(each),
        dropped: droppedOf(each),
        ...(up ? {} : { reason: each.reason }),
      }
    })
  }

  /** What the routers' kernels had no room for, and what passed while nothing was captured. */
  get dropped(): number {
    return [...this.#watched.values()].reduce(
      (sum, each) => sum + droppedOf(each),
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
    for (const name of names) this.#watch(name)
    for (const each of this.#watched.values()) {
      each.reason = reason
      each.isLosing = true
      for (const key of each.running.keys()) this.#end(each, key)
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
    for (const each of this.#watched.values()) {
      const there = packets.get(each.name)
      const here = packetsOf(each)
      if (each.isLosing && isUp(each)) {
        const { seen } = each
        // What is in flight makes it an estimate; a router that began anew counts from zero. Something was missed in any case.
        const missed =
          seen === undefined || there === undefined ? 0 : there - seen.there - (here - seen.here)
        each.droppedBefore += Math.max(1, missed)
        each.isLosing = false
      }
      if (there !== undefined && !each.isLosing) each.seen = { there, here }
      for (const { dump } of each.running.values()) dump.ask()
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
    if (this.#stopped || this.#away || this.#around === undefined) return
    const names = new Set(this.#specs.map((spec) => spec.name))
    for (const each of this.#watched.values()) {
      if (names.has(each.name)) continue
      for (const key of each.running.keys()) this.#end(each, key)
      this.#lostBefore += droppedOf(each)
      this.#watched.delete(each.name)
    }
    for (const spec of this.#specs) {
      const each = this.#watch(spec.name)
      const orders = dumpOrders(spec, this.#around(spec)).map((order) => ({
        key: JSON.stringify(order),
        order,
      }))
      const wanted = new Set(orders.map(({ key }) => key))
      for (const key of each.running.keys()) if (!wanted.has(key)) this.#end(each, key)
      for (const { key, order } of orders) {
        if (!each.running.has(key)) this.#begin(each, key, new Dump(order, this.#connection))
      }
    }
  }

  #watch(name: string): Watched {
    let each = this.#watched.get(name)
    if (each === undefined) {
      each = {
        name,
        running: new Map(),
        reason: 'tcpdump begins',
        packetsBefore: 0,
        droppedBefore: 0,
        seen: undefined,
        isLosing: false,
      }
      this.#watched.set(name, each)
    }
    return each
  }

  #begin(each: Watched, key: string, dump: Dump): void {
    const running: Running = { dump, input: this.#merge.add(), listening: false }
    each.running.set(key, running)
    dump.output.on('data', (piece: Buffer) => {
      if (each.running.get(key) !== running) return
      try {
        this.#merge.push(running.input, piece)
      } catch (error) {
        each.reason = (error as Error).message
        this.#end(each, key)
        this.#runSoon()
      }
    })
    dump.onState = (listening, reason) => {
      running.listening = listening
      if (listening) return
      if (reason !== undefined && reason !== each.reason) {
        this.#log.warn(`${each.name} on the router: ${reason}`)
      }
      each.reason = reason ?? 'the connection ended'
      this.#end(each, key)
      this.#runSoon()
    }
  }

  #end(each: Watched, key: string): void {
    const running = each.running.get(key)
    if (running === undefined) return
    each.running.delete(key)
    each.packetsBefore += running.input.packets
    each.droppedBefore += running.dump.dropped
    each.isLosing = true
    this.#merge.remove(running.input)
    running.dump.stop()
  }

  #runSoon(): void {
    clearTimeout(this.#again)
    this.#again = setTimeout(() => this.#run(), AGAIN_MS)
  }

  #all(): Running[] {
    return [...this.#watched.values()].flatMap((each) => [...each.running.values()])
  }
}

/** All of it is captured. */
function isUp({ running }: Watched): boolean {
  return running.size > 0 && [...running.values()].every(({ listening }) => listening)
}

function packetsOf({ running, packetsBefore }: Watched): number {
  return [...running.values()].reduce((sum, { input }) => sum + input.packets, packetsBefore)
}

function droppedOf({ running, droppedBefore }: Watched): number {
  return [...running.values()].reduce((sum, { dump }) => sum + dump.dropped, droppedBefore)
}
