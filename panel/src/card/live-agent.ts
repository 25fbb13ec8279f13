// What one agent tells live, made into the panel's state: flows, the rates of each second, and incidents. Pure but for its clock.
import type { Incident } from '../../../protocol/act.ts'
import type { DeviceRate } from '../../../protocol/http.ts'
import type { Flow, FlowBatch } from '../../../protocol/messages.ts'
import type { RemoteSum } from '../history-load.ts'
import { linksOf } from '../links.ts'
import type { Rate } from '../rates.ts'
import { currentRate, rateSeries } from '../rates.ts'
import type { PanelState } from '../store.ts'
import { EMPTY, loseSight, receive } from '../store.ts'

/** After so long without a batch nothing is known of the moment. */
export const FRESH_MS = 3500

const MOST_REMOTES = 6
// A flow that began no longer ago than this has all its bytes in its first record.
const YOUNG_MS = 2000

/** Takes what an agent publishes. */
export class LiveAgent {
  #state: PanelState = EMPTY
  #pending: { from_ms: number; to_ms: number; rates: Map<string, DeviceRate> } | undefined
  #heardMs = Number.NEGATIVE_INFINITY

  /** Takes a batch; `now_ms` is any clock that does not go back. Returns whether a second is whole. */
  takeFlows(batch: FlowBatch, now_ms: number): boolean {
    const { from_ms, to_ms, part, parts, complete, flows } = batch
    this.#heardMs = now_ms
    // The last part of the second before was lost.
    if (this.#pending !== undefined && this.#pending.to_ms !== to_ms) this.#close()
    this.#pending ??= { from_ms, to_ms, rates: new Map() }
    const seconds = Math.max(0.5, (to_ms - from_ms) / 1000)
    for (const flow of flows) this.#count(flow, seconds, to_ms, this.#pending.rates)
    const data = { flows, changed: flows.length, complete, to_ms }
    this.#state = receive(this.#state, { name: 'flows', data })
    if (part < parts) return false
    this.#close()
    return true
  }

  /** Takes an incident; undefined: the one with this id is over. */
  takeIncident(id: string, incident: Incident | undefined): void {
    const known = this.#state.policy.incidents.get(id)
    const data = incident ?? (known && { ...known, state: 'closed' as const })
    if (data !== undefined) this.#state = receive(this.#state, { name: 'incident', data })
  }

  /** Nothing was heard for a second: what was is no longer the present. Returns whether that is new. */
  rest(now_ms: number): boolean {
    if (this.isFresh(now_ms) || this.#state.frames.at(-1) === undefined) return false
    this.#state = loseSight(this.#state)
    return true
  }

  /** Whether the present is known. */
  isFresh(now_ms: number): boolean {
    return now_ms - this.#heardMs < FRESH_MS
  }

  /** Whether the last interval was seen whole; undefined while nothing is known of it. */
  get isWhole(): boolean | undefined {
    return this.#state.complete
  }

  /** The last minute, second by second; of one device, or of all. */
  series(deviceId?: string): (Rate | undefined)[] {
    return rateSeries(this.#state.frames, deviceId)
  }

  /** The rate of the last second, where it is known. */
  rate(deviceId?: string): Rate | undefined {
    return currentRate(rateSeries(this.#state.frames.slice(-1), deviceId))
  }

  /** Whom a device exchanges bytes with outside, in the last minutes, the busiest first. */
  remotes(deviceId: string): (RemoteSum & { rate: number })[] {
    const { flows, agent_ms = 0 } = this.#state
    return linksOf(flows.values(), { device_id: deviceId }, agent_ms)
      .filter(({ end }) => end.kind === 'remote')
      .map(({ end, sent_bytes, received_bytes, rate }) => {
        return { remote: end.key, sent_bytes, received_bytes, rate }
      })
      .sort((a, b) => b.rate - a.rate)
      .slice(0, MOST_REMOTES)
  }

  /** The open incidents of a device, the latest first. */
  incidents(deviceId: string): Incident[] {
    return [...this.#state.policy.incidents.values()]
      .filter(({ device_id, state }) => device_id === deviceId && state === 'open')
      .sort((a, b) => b.opened_ms - a.opened_ms)
  }

  #count(flow: Flow, seconds: number, to_ms: number, rates: Map<string, DeviceRate>): void {
    const before = this.#state.flows.get(flow.id)?.flow
    if (before === undefined && to_ms - flow.first_ms > YOUNG_MS) return
    const sent = Math.max(0, flow.sent_bytes - (before?.sent_bytes ?? 0)) / seconds
    const received = Math.max(0, flow.received_bytes - (before?.received_bytes ?? 0)) / seconds
    const add = (device_id: string, up: number, down: number): void => {
      const rate = rates.get(device_id) ?? { device_id, sent_rate: 0, received_rate: 0 }
      rates.set(device_id, {
        device_id,
        sent_rate: rate.sent_rate + up,
        received_rate: rate.received_rate + down,
      })
    }
    add(flow.device_id, sent, received)
    if (flow.peer_device_id !== undefined) add(flow.peer_device_id, received, sent)
  }

  #close(): void {
    if (this.#pending === undefined) return
    const { to_ms, rates } = this.#pending
    this.#pending = undefined
    const data = { rates: [...rates.values()], to_ms }
    this.#state = receive(this.#state, { name: 'rates', data })
  }
}
