// What the entities show, as the JSON of their state topics. Text from the network is made plain here. Pure.
import type { Incident } from '../../protocol/act.ts'
import { DEFAULT_PAUSE_MINUTES, OPEN } from '../../protocol/home-assistant.ts'
import type { Device } from '../../protocol/messages.ts'
import type { Level } from '../../protocol/policy.ts'
import { fitting, plain } from './plain.ts'

/** The longest state that Home Assistant takes, in characters. */
const MAX_STATE = 255
/** Attributes stay below the 16384 bytes that its recorder keeps; what is not of these two lists takes 3 kB at most. */
const MAX_EVIDENCE_BYTES = 7000
const MAX_PARAMS_BYTES = 5000
const MAX_PARAMS = 20
const MAX_EVIDENCE = 8

const SEVERITIES: readonly Incident['severity'][] = ['info', 'low', 'medium', 'high']

/** The topmost remotes and the last day of a device, as attributes of `downloaded`. */
export interface Summary {
  top_remotes: { name?: string; sent_bytes: number; received_bytes: number }[]
  /** Start of each half hour in milliseconds, received bytes, sent bytes. */
  history: [number, number, number][]
}

/** Bytes per second of a device. */
export interface Rates {
  received: number
  sent: number
}

/** State of `internet`, `quarantine`, `pause_minutes` and `connected`. `options`: those that `quarantine` has. */
export function controlState(
  device: Device,
  options: readonly string[],
  pauseMinutes: number = DEFAULT_PAUSE_MINUTES,
): string {
  const { policy } = device
  const level = policy?.level ?? OPEN
  return JSON.stringify({
    internet: isOffline(policy?.level) ? 'OFF' : 'ON',
    // None is Home Assistant's word for unknown.
    quarantine: options.includes(level) ? level : 'None',
    pause_minutes: pauseMinutes,
    connected: device.present ? 'ON' : 'OFF',
    attributes: {
      device_id: device.id,
      ...(policy === undefined
        ? {}
        : {
            desired: policy.desired_level ?? OPEN,
            in_force: policy.in_force,
            ...(policy.level_reason ? { reason: plain(policy.level_reason, 200) } : {}),
            ...(policy.level_rule_id === undefined ? {} : { rule_id: policy.level_rule_id }),
            ...(policy.level_until_ms === undefined ? {} : { until_ms: policy.level_until_ms }),
            ...(policy.problem === undefined ? {} : { problem: plain(policy.problem, 300) }),
            ...(policy.uncovered === undefined ? {} : { uncovered: plain(policy.uncovered, 300) }),
          }),
    },
  })
}

/** Whether a device that is held to this level has no internet. */
function isOffline(level: Level | undefined): boolean {
  return level === 'local_only' || level === 'full'
}

/** State of `downloaded`, `uploaded` and the two rates. */
export function trafficState(
  device: Device,
  agent: string,
  rates: Rates,
  summary: Summary | undefined,
): string {
  return JSON.stringify({
    received_bytes: device.received_bytes,
    sent_bytes: device.sent_bytes,
    received_rate: Math.round(rates.received),
    sent_rate: Math.round(rates.sent),
    attributes: {
      device_id: device.id,
      agent,
      ...(device.mac === undefined ? {} : { mac: device.mac }),
      top_remotes: summary?.top_remotes ?? [],
      history: summary?.history ?? [],
    },
  })
}

/** State of `anomaly` and `last_incident`. `open`: the incidents of this device; `last`: the latest, open or not. */
export function incidentState(open: readonly Incident[], last: Incident | undefined): string {
  const worst = open.toSorted(
    (a, b) =>
      SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity) || b.opened_ms - a.opened_ms,
  )[0]
  return JSON.stringify({
    anomaly: worst === undefined ? 'OFF' : 'ON',
    anomaly_attributes:
      worst === undefined
        ? {}
        : {
            ...factsOf(worst),
            params: paramsOf(worst),
            sentence: plain(worst.sentence, 500),
            evidence: evidenceOf(worst),
          },
    last: last === undefined ? null : plain(last.sentence, MAX_STATE),
    last_attributes:
      last === undefined
        ? {}
        : {
            ...factsOf(last),
            params: paramsOf(last),
            opened_ms: last.opened_ms,
            state: last.state,
          },
  })
}

/** The event `detection`. */
export function detectionEvent(incident: Incident): string {
  return JSON.stringify({
    event_type: incident.kind,
    ...factsOf(incident),
    kind: undefined,
    device_id: incident.device_id,
    ...(incident.mac === undefined ? {} : { mac: incident.mac }),
    sentence: plain(incident.sentence, 500),
    incident_state: incident.state,
  })
}

/** The event `new_device` of the agent. */
export function newDeviceEvent(device: Device): string {
  return JSON.stringify({
    event_type: 'new_device',
    device_id: device.id,
    ...(device.mac === undefined ? {} : { mac: device.mac }),
    name: nameOf(device),
    ...(device.vendor === undefined ? {} : { vendor: plain(device.vendor, 100) }),
  })
}

/** What a device is called in Home Assistant. */
export function nameOf(device: Device): string {
  const name = plain(device.name, 63)
  return name === '' ? device.id : name
}

function factsOf({ id, kind, severity }: Incident): object {
  return { incident_id: id, kind, severity }
}

/** From which the card makes the sentence in the reader's language. */
function paramsOf({ params }: Incident): Incident['params'] {
  const shown = Object.entries(params)
    .slice(0, MAX_PARAMS)
    .map(([key, value]) => [plain(key, 50), typeof value === 'string' ? plain(value, 200) : value])
  return Object.fromEntries(fitting(shown, MAX_PARAMS_BYTES))
}

/** Figures alone: ids of flows are in the incident itself. */
function evidenceOf({ evidence }: Incident): object[] {
  const shown = evidence
    .slice(0, MAX_EVIDENCE)
    .map(({ what, observed, usual, threshold, weight }) => ({
      what: plain(what, 100),
      observed,
      ...(usual === undefined ? {} : { usual }),
      threshold,
      weight,
    }))
  return fitting(shown, MAX_EVIDENCE_BYTES)
}
