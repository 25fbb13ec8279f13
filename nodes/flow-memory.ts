// The counters of a flow are cumulative, and a flow may begin and end between two batches: what is new in a record
// shows only beside the record before it.
import type { Flow, FlowBatch } from '../protocol/messages.ts'

/** A record of a flow, and what it adds to the one before. */
export interface FlowStep {
  flow: Flow
  /** This is the first word of a flow that began while we were listening. */
  isNew: boolean
  /** Bytes since the record before. */
  sent_bytes: number
  received_bytes: number
}

interface Counters {
  sent: number
  received: number
}

/** How many open flows are remembered; beyond it the one that was quiet for longest is forgotten. */
export const MAX_FLOWS = 65536

/** Remembers the counters of open flows. */
export class FlowMemory {
  readonly #limit: number
  readonly #open = new Map<string, Counters>()
  #sinceMs: number | undefined

  constructor(limit: number = MAX_FLOWS) {
    this.#limit = limit
  }

  /** How many flows are remembered. */
  get size(): number {
    return this.#open.size
  }

  /** What each flow of `batch` adds. */
  take(batch: FlowBatch): FlowStep[] {
    this.#sinceMs ??= batch.from_ms
    return batch.flows.map((flow) => this.#step(flow))
  }

  /** Forgets all: the ids of another run of the agent have nothing to do with those of the last. */
  clear(): void {
    this.#open.clear()
    this.#sinceMs = undefined
  }

  #step(flow: Flow): FlowStep {
    const before = this.#open.get(flow.id)
    // Taken out and put back, so that the map's order is the order of last use.
    this.#open.delete(flow.id)
    if (flow.state !== 'closed') {
      this.#open.set(flow.id, { sent: flow.sent_bytes, received: flow.received_bytes })
      if (this.#open.size > this.#limit) this.#forgetOldest()
    }
    if (before) {
      return {
        flow,
        isNew: false,
        sent_bytes: Math.max(0, flow.sent_bytes - before.sent),
        received_bytes: Math.max(0, flow.received_bytes - before.received),
      }
    }
    // An older flow, met in the middle: how much of its count is old is not known, so it counts from here on.
    const isNew = flow.state === 'new' || flow.first_ms >= (this.#sinceMs ?? Infinity)
    return {
      flow,
      isNew,
      sent_bytes: isNew ? flow.sent_bytes : 0,
      received_bytes: isNew ? flow.received_bytes : 0,
    }
  }

  #forgetOldest(): void {
    const [oldest] = this.#open.keys()
    if (oldest !== undefined) this.#open.delete(oldest)
  }
}
