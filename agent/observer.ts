// Once a second: what the capture has seen goes through the pipeline and out to whoever listens, in one direction.
import type { Batch, Capture } from '../native/index.ts'
import type { DeviceRate } from '../protocol/http.ts'
import type { Dns, Loss } from '../protocol/messages.ts'
import type { FlowLines } from './flows/flow-lines.ts'
import { BatchFlows } from './flows/flow-lines.ts'
import type { Interval, Traffic } from './interval.ts'
import { NO_FLOWS } from './interval.ts'
import type { Pipeline } from './pipeline.ts'

/** What one tick came to. */
export interface Tick {
  interval: Interval
  rates: DeviceRate[]
  batch: Batch
  /** The source has ended before: nothing is seen any more. */
  over: boolean
}

export interface ObserverParts {
  capture: Capture
  pipeline: Pipeline
  /** The first half of the pipeline's flow ids. */
  run: string
  lines: FlowLines
  /** The loss counters as they stand, those of the batch's capture included. */
  loss: (batch: Batch) => Loss
  /** Something that should be captured was not, in the interval that this batch ends; asked once for each. */
  isBlind?: (batch: Batch) => boolean
  /** Whether anybody takes flows and DNS queries now; if not, none are made. */
  wanted: () => boolean
  /** Resolves when those who listen have taken the interval before; undefined if they have. */
  busy: () => Promise<unknown> | undefined
  onTick: (tick: Tick) => void
}

/** Rates are of about a second, however many batches come in it. */
const RATE_MS = 900

/** So long those who listen may take: changes of flows come together in native meanwhile, but the rest wants to be told too. */
const MAX_BUSY_MS = 500

/** What goes on without packets goes on this often once the source has ended. */
const OVER_MS = 1000

/** Drains the capture whenever it says so, and those who listen have taken what was before. */
export class Observer {
  readonly #parts: ObserverParts
  #fromMs = 0
  #lost = 0
  readonly #rates = new RateMeter()
  /** From the start to the end of the source, or to `stop`. */
  #running = false
  #waiting = false
  /** Once the source has ended. */
  #idle: NodeJS.Timeout | undefined

  constructor(parts: ObserverParts) {
    this.#parts = parts
  }

  start(nowMs: number): void {
    this.#fromMs = nowMs
    this.#parts.capture.start(() => this.#ready())
    this.#running = true
  }

  /** Ends the capture; the flows that were open come as a last tick. */
  stop(): void {
    this.#parts.capture.stop()
    this.#tick()
    this.#running = false
    clearInterval(this.#idle)
  }

  #ready(): void {
    if (this.#waiting) return
    const busy = this.#parts.busy()
    if (busy === undefined) {
      this.#tick()
      return
    }
    this.#waiting = true
    const done = (): void => {
      if (!this.#waiting) return
      this.#waiting = false
      clearTimeout(timer)
      this.#tick()
    }
    const timer = setTimeout(done, MAX_BUSY_MS)
    busy.then(done, done)
  }

  #tick(): void {
    if (!this.#running) return
    const { capture, pipeline, lines, run, loss, isBlind, onTick } = this.#parts
    const wanted = this.#parts.wanted()
    const batch = capture.drain()
    const dns: Dns[] = []
    if (wanted) lines.begin(batch.flowCount)
    pipeline.take(batch, {
      flow: (flow) => wanted && lines.add(flow),
      dns: (found) => wanted && dns.push(found),
    })
    const traffic = pipeline.takeTraffic()
    const lost = Object.values(loss(batch)).reduce((sum, count) => sum + count, 0)
    // A clock that is set back, or the time of an old capture, begins a new count of intervals.
    const toMs = batch.timeMs > 0 ? Math.round(batch.timeMs) : this.#fromMs
    const fromMs = Math.min(this.#fromMs, toMs)
    const interval: Interval = {
      from_ms: fromMs,
      to_ms: toMs,
      complete: isBlind?.(batch) !== true && lost === this.#lost,
      flows: wanted ? new BatchFlows(lines, batch, run) : NO_FLOWS,
      dns,
      traffic,
    }
    this.#lost = lost
    const rates = this.#rates.add(traffic, fromMs, toMs)
    this.#fromMs = toMs
    if (batch.ended) this.#end(batch)
    onTick({ interval, rates, batch, over: false })
  }

  /** Time goes on from where the source has ended, without packets: those intervals are not complete. */
  #end(last: Batch): void {
    this.#running = false
    const batch = { ...last, flowCount: 0, ended: false }
    const sinceMs = performance.now() - this.#fromMs
    this.#idle = setInterval(() => {
      const span = { from_ms: this.#fromMs, to_ms: Math.round(performance.now() - sinceMs) }
      this.#fromMs = span.to_ms
      const nothing = { complete: false, flows: NO_FLOWS, dns: [], traffic: [] }
      this.#parts.onTick({ interval: { ...span, ...nothing }, rates: [], batch, over: true })
    }, OVER_MS)
    this.#idle.unref()
  }
}

/** Bytes per second of each device that had traffic in the last second that is whole. */
class RateMeter {
  #sums = new Map<string, DeviceRate>()
  #sinceMs = 0
  #latest: DeviceRate[] = []

  add(traffic: readonly Traffic[], fromMs: number, toMs: number): DeviceRate[] {
    if (this.#sinceMs === 0 || this.#sinceMs > toMs) {
      this.#sums.clear()
      this.#sinceMs = fromMs
      // A clock that was set: nobody knows how long this took.
      if (fromMs === toMs) return this.#latest
    }
    for (const { device_id, sent_bytes, received_bytes } of traffic) {
      let sum = this.#sums.get(device_id)
      if (sum === undefined) {
        sum = { device_id, sent_rate: 0, received_rate: 0 }
        this.#sums.set(device_id, sum)
      }
      sum.sent_rate += sent_bytes
      sum.received_rate += received_bytes
    }
    const spanMs = toMs - this.#sinceMs
    if (spanMs < RATE_MS) return this.#latest
    this.#latest = [...this.#sums.values()]
    for (const rate of this.#latest) {
      rate.sent_rate *= 1000 / spanMs
      rate.received_rate *= 1000 / spanMs
    }
    this.#sums = new Map()
    this.#sinceMs = toMs
    return this.#latest
  }
}
