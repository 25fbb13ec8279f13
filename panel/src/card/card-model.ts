// What a card shows, out of everything that Home Assistant has: computed when one of its entities changed, not otherwise.
import type { HistoryPoint } from '../../../protocol/http.ts'
import { sumOf } from '../history-span.ts'
import type { CardConfig } from './card-config.ts'
import { wantedDevices } from './card-config.ts'
import { spanOf, sumHistories } from './card-history.ts'
import type { DeviceView } from './device-view.ts'
import { viewOf } from './device-view.ts'
import type { Hass } from './hass.ts'
import type { AgentKey, Home, Registered } from './home.ts'

/** An agent as the card draws it. */
export interface AgentView {
  agent: Registered<AgentKey>
  /** Undefined: not known. */
  isOnline: boolean | undefined
  /** What it says is wrong. */
  problem: string | undefined
}

/** What a card shows. */
export interface CardModel {
  agents: readonly AgentView[]
  /** Those with open incidents first, then those with the most bytes. */
  views: readonly DeviceView[]
  /** All of them together. */
  history: readonly HistoryPoint[]
  /** The card is about one device. */
  isSingle: boolean
  /** Devices were chosen, and some of them are not there. */
  isMissing: boolean
}

/** Which devices a card is about. */
export function chosenOf(home: Home, config: CardConfig): Home {
  const wanted = wantedDevices(config)
  if (wanted.length === 0) return home
  const devices = wanted.flatMap(
    (id) => home.devices.find(({ registry_id }) => registry_id === id) ?? [],
  )
  const agents = home.agents.filter(({ agent }) => devices.some((one) => one.agent === agent))
  return { agents, devices }
}

/** Every entity that a card reads. */
export function watchedEntities({ agents, devices }: Home): string[] {
  return [...agents, ...devices].flatMap(({ entities }) => Object.values(entities))
}

/** Reads the states. */
export function modelOf(
  home: Home,
  config: CardConfig,
  states: Hass['states'],
  now_ms: number,
): CardModel {
  const chosen = chosenOf(home, config)
  const wanted = new Set(wantedDevices(config))
  const rank = new Map<DeviceView, number>()
  const views = chosen.devices.map((device) => {
    const view = viewOf(device, states)
    const { received_bytes, sent_bytes } = sumOf(spanOf(view.history, now_ms).points)
    const urgent = view.incident?.isOpen ? Number.MAX_SAFE_INTEGER / 2 : 0
    rank.set(view, urgent + received_bytes + sent_bytes)
    return view
  })
  views.sort(
    (a, b) => (rank.get(b) ?? 0) - (rank.get(a) ?? 0) || a.device.name.localeCompare(b.device.name),
  )
  return {
    agents: chosen.agents.map((agent) => agentView(agent, states)),
    views,
    history: sumHistories(views.map(({ history }) => history)),
    isSingle: wanted.size === 1,
    isMissing: wanted.size > chosen.devices.length,
  }
}

function agentView(agent: Registered<AgentKey>, states: Hass['states']): AgentView {
  const stateOf = (key: AgentKey) => {
    const entity = agent.entities[key]
    return entity === undefined ? undefined : states[entity]
  }
  const status = stateOf('status')
  const problem = stateOf('problem')
  const { problems } = problem?.attributes ?? {}
  const told = Array.isArray(problems) ? problems.find((text) => typeof text === 'string') : ''
  return {
    agent,
    isOnline:
      status === undefined || status.state === 'unknown' ? undefined : status.state === 'on',
    problem: problem?.state === 'on' ? (told ?? '') : undefined,
  }
}
