// What the card draws of a device, read from the states of its entities. Attributes come from MQTT, where every account
// may write: each is checked and bounded before it is drawn.
import type { Evidence } from '../../../protocol/act.ts'
import { INCIDENT_KINDS } from '../../../protocol/act.ts'
import { MAX_HISTORY_POINTS, MAX_TOP_REMOTES } from '../../../protocol/home-assistant.ts'
import type { HistoryPoint } from '../../../protocol/http.ts'
import type { RemoteSum } from '../history-load.ts'
import type { Hass, HassState } from './hass.ts'
import { isKnown } from './hass.ts'
import type { HomeDevice } from './home.ts'

/** A control, as the kernel has it. */
export interface ControlView {
  entity: string
  /** `on`, `off`, a level, or `open`; undefined while it is not known. */
  state: string | undefined
  options: readonly string[]
  /** What is ordered: a level, or `open`. */
  desired: string | undefined
  reason: string | undefined
  until_ms: number | undefined
  /** False: the kernel does not have what is ordered. */
  in_force: boolean | undefined
  /** Why not, in the agent's words. */
  problem: string | undefined
  /** What stays open all the same. */
  uncovered: string | undefined
}

/** Something that a device did and should not have done. */
export interface IncidentView {
  id: string | undefined
  isOpen: boolean
  kind: string
  severity: 'info' | 'low' | 'medium' | 'high'
  sentence: string
  params: Record<string, string | number>
  evidence: readonly Evidence[]
  opened_ms: number | undefined
}

/** A device as the card draws it. */
export interface DeviceView {
  device: HomeDevice
  /** False: the agent is away, or Home Assistant has not heard of it yet. */
  isAvailable: boolean
  isConnected: boolean | undefined
  mac: string | undefined
  /** Buckets of half an hour, in order; none: not known. */
  history: readonly HistoryPoint[]
  /** Of today. */
  remotes: readonly RemoteSum[]
  internet: ControlView | undefined
  quarantine: ControlView | undefined
  /** Entities of the pause. */
  pause: { button: string; minutes: string } | undefined
  /** The open one, else the last. */
  incident: IncidentView | undefined
}

const MOST_OPTIONS = 8
const SEVERITIES = ['info', 'low', 'medium', 'high'] as const

/** Reads a device. */
export function viewOf(device: HomeDevice, states: Hass['states']): DeviceView {
  const { entities } = device
  const of = (entity: string | undefined): HassState | undefined =>
    entity === undefined ? undefined : states[entity]
  const downloaded = of(entities.downloaded)
  const connected = of(entities.connected)
  const facts = downloaded?.attributes ?? {}
  const { pause: button, pause_minutes: minutes } = entities
  const isHeld = of(button)?.state !== 'unavailable'
  return {
    device,
    isAvailable: [downloaded, connected, of(entities.internet)].some(
      (state) => state !== undefined && state.state !== 'unavailable',
    ),
    isConnected: isKnown(connected) ? connected.state === 'on' : undefined,
    mac: textOf(facts.mac),
    history: historyOf(facts.history),
    remotes: remotesOf(facts.top_remotes),
    internet: controlOf(entities.internet, states),
    quarantine: controlOf(entities.quarantine, states),
    pause:
      button !== undefined && minutes !== undefined && isHeld ? { button, minutes } : undefined,
    incident: incidentOf(of(entities.anomaly), of(entities.last_incident)),
  }
}

/** The buckets of an attribute, in order of time; what is no bucket is left out. */
export function historyOf(raw: unknown): HistoryPoint[] {
  const points: HistoryPoint[] = []
  for (const one of listOf(raw).slice(-MAX_HISTORY_POINTS)) {
    const [time_ms, received_bytes, sent_bytes] = listOf(one).map(amountOf)
    if (time_ms === undefined || received_bytes === undefined || sent_bytes === undefined) continue
    points.push({ time_ms, received_bytes, sent_bytes, complete: true })
  }
  return points.sort((a, b) => a.time_ms - b.time_ms)
}

/** The remotes of an attribute, most bytes first. */
export function remotesOf(raw: unknown): RemoteSum[] {
  return listOf(raw)
    .slice(0, MAX_TOP_REMOTES)
    .map((one) => {
      const { name, sent_bytes, received_bytes } = recordOf(one)
      const remote = textOf(name)
      return {
        ...(remote === undefined ? {} : { remote }),
        sent_bytes: amountOf(sent_bytes) ?? 0,
        received_bytes: amountOf(received_bytes) ?? 0,
      }
    })
    .sort((a, b) => b.sent_bytes + b.received_bytes - a.sent_bytes - a.received_bytes)
}

/** Reads what is observed; at most ten. */
export function evidenceOf(raw: unknown): Evidence[] {
  return listOf(raw)
    .slice(0, 10)
    .flatMap((one) => {
      const { what, observed, threshold, usual, weight } = recordOf(one)
      const [name, seen, limit] = [textOf(what), amountOf(observed), amountOf(threshold)]
      if (name === undefined || seen === undefined || limit === undefined) return []
      const often = amountOf(usual)
      return [
        {
          what: name,
          observed: seen,
          threshold: limit,
          ...(often === undefined ? {} : { usual: often }),
          weight: amountOf(weight) ?? 0,
          flow_ids: [],
        },
      ]
    })
}

function controlOf(entity: string | undefined, states: Hass['states']): ControlView | undefined {
  const state = entity === undefined ? undefined : states[entity]
  if (entity === undefined || state === undefined || state.state === 'unavailable') return undefined
  const { options, desired, reason, until_ms, in_force, problem, uncovered } = state.attributes
  return {
    entity,
    state: isKnown(state) ? state.state : undefined,
    options: listOf(options)
      .slice(0, MOST_OPTIONS)
      .filter((option) => typeof option === 'string'),
    desired: textOf(desired),
    reason: textOf(reason),
    until_ms: amountOf(until_ms),
    in_force: typeof in_force === 'boolean' ? in_force : undefined,
    problem: textOf(problem),
    uncovered: textOf(uncovered),
  }
}

function incidentOf(
  anomaly: HassState | undefined,
  last: HassState | undefined,
): IncidentView | undefined {
  const isOpen = anomaly?.state === 'on'
  const open = anomaly?.attributes ?? {}
  const latest = last?.attributes ?? {}
  if (isOpen) {
    const isSame = textOf(open.incident_id) === textOf(latest.incident_id)
    const opened_ms = amountOf(open.opened_ms) ?? (isSame ? amountOf(latest.opened_ms) : undefined)
    return incidentView(open, textOf(open.sentence) ?? '', true, opened_ms)
  }
  if (!isKnown(last)) return undefined
  const sentence = textOf(latest.sentence) ?? last.state
  if (textOf(latest.incident_id) === undefined || sentence === '') return undefined
  return incidentView(latest, sentence, false, amountOf(latest.opened_ms))
}

function incidentView(
  facts: Readonly<Record<string, unknown>>,
  sentence: string,
  isOpen: boolean,
  opened_ms: number | undefined,
): IncidentView {
  const severity = SEVERITIES.find((known) => known === facts.severity) ?? 'medium'
  const kind = INCIDENT_KINDS.find((known) => known === facts.kind) ?? 'anomaly'
  return {
    id: textOf(facts.incident_id),
    isOpen,
    kind,
    severity,
    sentence,
    params: paramsOf(facts.params),
    evidence: evidenceOf(facts.evidence),
    opened_ms,
  }
}

/** The numbers and words of a sentence; at most 20. */
export function paramsOf(raw: unknown): Record<string, string | number> {
  const entries = Object.entries(recordOf(raw)).slice(0, 20)
  return Object.fromEntries(
    entries.filter(
      (entry): entry is [string, string | number] =>
        typeof entry[1] === 'string' || (typeof entry[1] === 'number' && Number.isFinite(entry[1])),
    ),
  )
}

function listOf(raw: unknown): readonly unknown[] {
  return Array.isArray(raw) ? raw : []
}

function recordOf(raw: unknown): Readonly<Record<string, unknown>> {
  return typeof raw === 'object' && raw !== null ? (raw as Record<string, unknown>) : {}
}

function textOf(raw: unknown): string | undefined {
  return typeof raw === 'string' && raw !== '' ? raw : undefined
}

function amountOf(raw: unknown): number | undefined {
  return typeof raw === 'number' && Number.isFinite(raw) && raw >= 0 ? raw : undefined
}
