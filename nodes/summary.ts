// Adds up flows per device, for one message per device and interval.

import { remoteOf } from './filter.ts'
import type { FlowStep } from './flow-memory.ts'

/** Traffic with one remote: its name, else its address; without `remote` all that had no place of its own. */
export interface RemoteSum {
  remote?: string
  sent_bytes: number
  received_bytes: number
}

/** Traffic of one device over an interval. */
export interface DeviceSum {
  type: 'traffic_summary'
  device_id: string
  from_ms: number
  to_ms: number
  /** False where the agent lost packets, messages were missed, or the agent was not there for all of the interval. */
  complete: boolean
  sent_bytes: number
  received_bytes: number
  /** Flows that had traffic. */
  flows: number
  /** Those that began. */
  new_flows: number
  /** Most bytes first, at most ten, and one more for the rest. */
  remotes: RemoteSum[]
}

interface Sum {
  sent: number
  received: number
  newFlows: number
  flows: Set<string>
  remotes: Map<string, { sent: number; received: number }>
  other: { sent: number; received: number }
}

const MAX_DEVICES = 4096
const MAX_REMOTES = 512
/** Over all devices; a name may have 1024 characters. */
const MAX_ALL_REMOTES = 32768
const MAX_FLOW_IDS = 65536
const TOP = 10

/** The sums of one interval after the other. */
export class TrafficSummary {
  #sums = new Map<string, Sum>()
  #flowIds = 0
  #remotes = 0
  #fromMs: number
  #complete: boolean

  /** `complete`: whether the agent was there when the interval began. */
  constructor(nowMs: number, complete: boolean) {
    this.#fromMs = nowMs
    this.#complete = complete
  }

  /** How many remotes are remembered, over all devices. */
  get remotes(): number {
    return this.#remotes
  }

  /** Adds one step to the device that it belongs to, and of a local flow to the other device as well. */
  add(step: FlowStep): void {
    const { flow, sent_bytes: sent, received_bytes: received } = step
    const remote = flow.remote_name ?? remoteOf(flow).ip
    this.#add(flow.device_id, step, sent, received, flow.peer_device_id ?? remote)
    if (flow.peer_device_id !== undefined && flow.peer_device_id !== flow.device_id) {
      this.#add(flow.peer_device_id, step, received, sent, flow.device_id)
    }
  }

  /** Says that something may be missing from this interval. */
  markIncomplete(): void {
    this.#complete = false
  }

  /**
   * Ends the interval: the sums of every device that had traffic and of each of `devices`, most bytes first, and begins the
   * next one. Devices without traffic are left out of an incomplete interval, because silence was not observed.
   */
  end(nowMs: number, devices: ReadonlySet<string>, nextComplete: boolean): DeviceSum[] {
    if (this.#complete) for (const id of devices) this.#sumOf(id)
    const ids = [...this.#sums.keys()].filter((id) => devices.size === 0 || devices.has(id))
    const sums = ids.map((id) => this.#deviceSum(id, nowMs))
    this.#sums = new Map()
    this.#flowIds = 0
    this.#remotes = 0
    this.#fromMs = nowMs
    this.#complete = nextComplete
    return sums.sort(byBytes)
  }

  #add(id: string, step: FlowStep, sent: number, received: number, remote: string): void {
    const sum = this.#sumOf(id)
    if (!sum) {
      this.#complete = false
      return
    }
    sum.sent += sent
    sum.received += received
    if (step.isNew) sum.newFlows += 1
    if (this.#flowIds < MAX_FLOW_IDS && !sum.flows.has(step.flow.id)) {
      sum.flows.add(step.flow.id)
      this.#flowIds += 1
    }
    let part = sum.remotes.get(remote)
    if (!part && sum.remotes.size < MAX_REMOTES && this.#remotes < MAX_ALL_REMOTES) {
      this.#remotes += 1
      part = { sent: 0, received: 0 }
      sum.remotes.set(remote, part)
    }
    part ??= sum.other
    part.sent += sent
    part.received += received
  }

  #sumOf(id: string): Sum | undefined {
    let sum = this.#sums.get(id)
    if (!sum && this.#sums.size < MAX_DEVICES) {
      sum = {
        sent: 0,
        received: 0,
        newFlows: 0,
        flows: new Set(),
        remotes: new Map(),
        other: { sent: 0, received: 0 },
      }
      this.#sums.set(id, sum)
    }
    return sum
  }

  #deviceSum(id: string, nowMs: number): DeviceSum {
    const sum = this.#sums.get(id) as Sum
    const remotes: RemoteSum[] = [...sum.remotes]
      .map(([remote, part]) => ({ remote, sent_bytes: part.sent, received_bytes: part.received }))
      .sort(byBytes)
    const rest: RemoteSum = { sent_bytes: sum.other.sent, received_bytes: sum.other.received }
    for (const remote of remotes.splice(TOP)) {
      rest.sent_bytes += remote.sent_bytes
      rest.received_bytes += remote.received_bytes
    }
    if (rest.sent_bytes + rest.received_bytes > 0) remotes.push(rest)
    return {
      type: 'traffic_summary',
      device_id: id,
      from_ms: this.#fromMs,
      to_ms: nowMs,
      complete: this.#complete,
      sent_bytes: sum.sent,
      received_bytes: sum.received,
      flows: sum.flows.size,
      new_flows: sum.newFlows,
      remotes,
    }
  }
}

function byBytes(
  a: { sent_bytes: number; received_bytes: number },
  b: { sent_bytes: number; received_bytes: number },
): number {
  return b.sent_bytes + b.received_bytes - a.sent_bytes - a.received_bytes
}
