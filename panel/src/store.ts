// What the page knows, as a value: each event of the feed makes a new one. Everything in it is bounded.
import type { DeviceRate, FlowList, LiveEvents } from '../../protocol/http.ts'
import type { Device, Flow, Info } from '../../protocol/messages.ts'
import type { FeedEvent } from './feed.ts'
import type { PolicyState } from './policy-state.ts'
import { NO_POLICY, receivePolicy } from './policy-state.ts'
import { blindnessOf } from './sight.ts'

/** Seconds of rates that are kept. */
export const KEPT_FRAMES = 60
/** Flows that are kept; beyond it the closed and then the longest unchanged ones go. */
export const MAX_FLOWS = 2000
/** Devices that are kept; beyond it the longest unseen ones go. */
export const MAX_DEVICES = 1000
/** How long a closed flow stays. */
export const KEEP_CLOSED_MS = 300_000
/** How long a flow that never changes again stays: its end was in an event that was cut short. */
export const KEEP_UNCHANGED_MS = 3_600_000

/** A flow with what it did in its last interval, in bytes per second. */
export interface LiveFlow {
  flow: Flow
  sent_rate: number
  received_rate: number
  /** When it last changed, by the agent's clock. */
  changed_ms: number
}

/** The rates of one second; a device that is not in it was silent. */
export interface RateFrame {
  to_ms: number
  rates: ReadonlyMap<string, DeviceRate>
}

/** Everything that the feed told. */
export interface PanelState {
  info?: Info
  devices: ReadonlyMap<string, Device>
  flows: ReadonlyMap<string, LiveFlow>
  /** The last seconds, oldest first; undefined stands for a second that nothing is known of. */
  frames: readonly (RateFrame | undefined)[]
  /** Whether the last interval was seen whole. */
  complete?: boolean
  /** The latest time that the agent named. */
  agent_ms?: number
  /** What is ordered, what came of it, and what was found. */
  policy: PolicyState
}

/** Nothing known yet. */
export const EMPTY: PanelState = {
  devices: new Map(),
  flows: new Map(),
  frames: [],
  policy: NO_POLICY,
}

/** The state after an event. */
export function receive(state: PanelState, event: FeedEvent): PanelState {
  switch (event.name) {
    case 'info':
      return receiveInfo(state, event.data)
    case 'devices':
      return {
        ...state,
        devices: boundDevices(event.data.devices),
        policy: receivePolicy(state.policy, event),
      }
    case 'device':
      return withDevice(state, event.data)
    case 'event': {
      // Of a device that is known, `device` came just before, with counters that are newer.
      const { device } = event.data
      const isNews = device !== undefined && !state.devices.has(device.id)
      return isNews ? withDevice(state, device) : state
    }
    case 'rates':
      return receiveRates(state, event.data)
    case 'flows':
      return receiveFlows(state, event.data)
    case 'flow_list':
      return receiveList(state, event.data)
    default:
      return { ...state, policy: receivePolicy(state.policy, event) }
  }
}

/** The state once nothing is seen, or the feed is away: the seconds that follow are unknown, not silent. */
export function loseSight(state: PanelState): PanelState {
  const { complete: _, ...rest } = state
  return { ...rest, frames: [...state.frames, undefined].slice(-KEPT_FRAMES) }
}

function receiveInfo(state: PanelState, info: Info): PanelState {
  // Another run of the agent: its flow ids and seconds have nothing to do with the earlier ones.
  // What was read of its journal and incidents is old, too: the count of snapshots goes on, so that readers notice.
  if (state.info !== undefined && state.info.instance !== info.instance) {
    const { snapshots } = state.policy
    return { ...EMPTY, info, policy: { ...NO_POLICY, snapshots } }
  }
  return { ...state, info }
}

function boundDevices(devices: readonly Device[]): Map<string, Device> {
  const kept =
    devices.length <= MAX_DEVICES
      ? devices
      : [...devices].sort((a, b) => b.last_seen_ms - a.last_seen_ms).slice(0, MAX_DEVICES)
  return new Map(kept.map((device) => [device.id, device]))
}

function withDevice(state: PanelState, device: Device): PanelState {
  const devices = new Map(state.devices).set(device.id, device)
  return {
    ...state,
    devices: devices.size > MAX_DEVICES ? boundDevices([...devices.values()]) : devices,
  }
}

function receiveRates(state: PanelState, { rates, to_ms }: LiveEvents['rates']): PanelState {
  if (blindnessOf(state.info) !== undefined) return { ...loseSight(state), agent_ms: to_ms }
  const frame = { to_ms, rates: new Map(rates.map((rate) => [rate.device_id, rate])) }
  const last = state.frames.findLast((known) => known !== undefined)
  const trailing = state.frames.length - 1 - state.frames.lastIndexOf(last)
  const missed = last === undefined ? 0 : Math.round((to_ms - last.to_ms) / 1000) - 1
  const gap = Math.min(Math.max(missed - trailing, 0), KEPT_FRAMES)
  const frames = [...state.frames, ...new Array<undefined>(gap).fill(undefined), frame]
  return { ...state, frames: frames.slice(-KEPT_FRAMES), agent_ms: to_ms }
}

function receiveFlows(state: PanelState, data: LiveEvents['flows']): PanelState {
  const flows = new Map(state.flows)
  for (const flow of data.flows) flows.set(flow.id, changed(flows.get(flow.id), flow, data.to_ms))
  return {
    ...state,
    flows: boundFlows(flows, data.to_ms),
    complete: data.complete,
    agent_ms: data.to_ms,
  }
}

function receiveList(state: PanelState, list: FlowList): PanelState {
  const flows = new Map<string, LiveFlow>()
  for (const flow of list.flows) {
    const known = state.flows.get(flow.id)
    const isNewer = known !== undefined && known.flow.last_ms >= flow.last_ms
    flows.set(flow.id, isNewer ? known : still(flow))
  }
  for (const [id, live] of state.flows) {
    const isListed = flows.has(id)
    const isCut = list.total > list.flows.length
    if (!isListed && (isCut || live.flow.state === 'closed')) flows.set(id, live)
  }
  return { ...state, flows: boundFlows(flows, state.agent_ms ?? 0) }
}

function still(flow: Flow): LiveFlow {
  return { flow, sent_rate: 0, received_rate: 0, changed_ms: flow.last_ms }
}

function changed(before: LiveFlow | undefined, flow: Flow, to_ms: number): LiveFlow {
  // Of a flow that was not known, the bytes are of its whole life: they are a rate only if it has just begun.
  if (before === undefined && to_ms - flow.first_ms > 2000)
    return { ...still(flow), changed_ms: to_ms }
  const seconds = before === undefined ? 1 : Math.max(1, (to_ms - before.changed_ms) / 1000)
  const sent = flow.sent_bytes - (before?.flow.sent_bytes ?? 0)
  const received = flow.received_bytes - (before?.flow.received_bytes ?? 0)
  return {
    flow,
    sent_rate: Math.max(0, sent / seconds),
    received_rate: Math.max(0, received / seconds),
    changed_ms: to_ms,
  }
}

function boundFlows(flows: Map<string, LiveFlow>, now_ms: number): ReadonlyMap<string, LiveFlow> {
  for (const [id, { flow, changed_ms }] of flows) {
    const keep = flow.state === 'closed' ? KEEP_CLOSED_MS : KEEP_UNCHANGED_MS
    if (now_ms - changed_ms > keep) flows.delete(id)
  }
  if (flows.size <= MAX_FLOWS) return flows
  const rank = ({ flow, changed_ms }: LiveFlow): number =>
    flow.state === 'closed' ? changed_ms - KEEP_UNCHANGED_MS : changed_ms
  const kept = [...flows.entries()].sort((a, b) => rank(b[1]) - rank(a[1])).slice(0, MAX_FLOWS)
  return new Map(kept)
}
