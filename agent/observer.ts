// Once a second: what the capture has seen goes through the pipeline and out to whoever listens, in one direction.
import type { Batch, Capture } from '../native/index.ts'
import type { DeviceRate } from '../protocol/http.ts'
import type { Dns, Flow, Loss } from '../protocol/messages.ts'
import type { Interval, Traffic } from './interval.ts'
import type { Pipeline } from './pipeline.ts'

/** What one tick came to. */
export interface Tick {
  interval: Interval
  rates: DeviceRate[]
  batch: Batch
}

export interface ObserverParts {
  capture: Capture
  pipeline: Pipeline
  /** The loss counters as they stand, those of the batch's capture included. */
  loss: (batch: Batch) => Loss
  onTick: (tick: Tick) => void
}

/** Drains the capture whenever it says so. */
export class Observer {
  readonly #parts: ObserverParts
  #fromMs = 0
  #lost = 0
  /** From the start to the end of the source, or to `stop`. */
  #running = false

  constructor(parts: ObserverParts) {
    this.#parts = parts
  }

  start(nowMs: number): void {
    this.#fromMs = nowMs
    this.#parts.capture.start(() => this.#tick())
    this.#running = true
  }

  /** Ends the capture; the flows that were open come as a last tick. */
  stop(): void {
    this.#parts.capture.stop()
    this.#tick()
    this.#running = false
  }

  #tick(): void {
    if (!this.#running) return
    const { capture, pipeline, loss, onTick } = this.#parts
    const batch = capture.drain()
    const flows: Flow[] = []
    const dns: Dns[] = []
    pipeline.take(batch, {
      flow: (flow) => flows.push(flow.flow()),
      dns: (found) => dns.push(found),
    })
    const traffic = pipeline.takeTraffic()
    const lost = Object.values(loss(batch)).reduce((sum, count) => sum + count, 0)
    // A clock that is set back, or the time of an old capture, begins a new count of intervals.
    const toMs = batch.timeMs > 0 ? Math.round(batch.timeMs) : this.#fromMs
    const fromMs = Math.min(this.#fromMs, toMs)
    const interval: Interval = {
      from_ms: fromMs,
      to_ms: toMs,
      complete: lost === this.#lost,
      flows,
      dns,
      traffic,
    }
    this.#lost = lost
    const rates = ratesOf(traffic, toMs - fromMs)
    this.#fromMs = toMs
    if (batch.ended) this.#running = false
    onTick({ interval, rates, batch })
  }
}

/** Bytes per second of each device that had traffic. */
function ratesOf(traffic: readonly Traffic[], durationMs: number): DeviceRate[] {
  const rates = new Map<string, DeviceRate>()
  const perSecond = durationMs > 0 ? 1000 / durationMs : 1
  for (const { device_id, sent_bytes, received_bytes } of traffic) {
    let rate = rates.get(device_id)
    if (rate === undefined) {
      rate = { device_id, sent_rate: 0, received_rate: 0 }
      rates.set(device_id, rate)
    }
    rate.sent_rate += sent_bytes * perSecond
    rate.received_rate += received_bytes * perSecond
  }
  return [...rates.values()]
}
