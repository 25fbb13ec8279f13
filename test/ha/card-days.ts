// What the devices of the card's home do all day, and what one of them should not have done.
import type { Summary } from '../../agent/home-assistant/states.ts'
import type { Incident } from '../../protocol/act.ts'
import { HISTORY_POINT_MS } from '../../protocol/home-assistant.ts'
import type { Device } from '../../protocol/messages.ts'

/** A name that would run if it were taken for HTML or a template; published as it is, as anyone on the broker could. */
export const HOSTILE_NAME = '<img src=x onerror="window.pwned=1">{{ 7 * 7 }}'
/** Likewise of a remote. */
export const HOSTILE_REMOTE = '"><svg onload=window.pwned=2>.example.com'

/** A device and its habits. */
export interface Kind {
  name: string
  vendor?: string
  /** Bytes per half hour at its busiest. */
  most: number
  /** Of them: sent. */
  sent: number
  /** When it is busy: hours of the day. */
  hours: [from: number, to: number]
  remotes: string[]
  isAway?: boolean
}

/** The devices of the home. */
export const KINDS: readonly Kind[] = [
  {
    name: 'Living room TV',
    vendor: 'Samsung Electronics',
    most: 900e6,
    sent: 0.02,
    hours: [17, 23],
    remotes: [
      'video.example.net',
      'ads.example.net',
      'telemetry.tv.example.com',
      'time.example.org',
    ],
  },
  {
    name: 'Hallway camera',
    vendor: 'Example Optics',
    most: 60e6,
    sent: 0.93,
    hours: [0, 24],
    remotes: ['cloud.cam.example.com', 'relay-7.example.net', '203.0.113.77', 'time.example.org'],
  },
  {
    name: "Anna's laptop",
    vendor: 'Intel Corporate',
    most: 260e6,
    sent: 0.2,
    hours: [8, 18],
    remotes: ['docs.example.com', 'meet.example.org', 'mail.example.com', 'code.example.org'],
  },
  {
    name: 'Tablet',
    most: 380e6,
    sent: 0.04,
    hours: [15, 21],
    remotes: ['games.example.net', 'video.example.net', 'push.example.com'],
  },
  {
    name: 'Thermostat',
    vendor: 'Espressif Inc.',
    most: 90e3,
    sent: 0.6,
    hours: [0, 24],
    remotes: ['iot.example.com'],
  },
  {
    name: 'Vacuum robot',
    most: 4e6,
    sent: 0.8,
    hours: [10, 12],
    remotes: ['robots.example.org', HOSTILE_REMOTE],
  },
  {
    name: 'Printer',
    vendor: 'Brother Industries',
    most: 0,
    sent: 0,
    hours: [0, 0],
    remotes: [],
    isAway: true,
  },
  {
    name: HOSTILE_NAME,
    most: 2e5,
    sent: 0.5,
    hours: [0, 24],
    remotes: [HOSTILE_REMOTE],
  },
]

/** Without those that mean harm. */
export const FRIENDLY: readonly Kind[] = KINDS.filter(({ name }) => name !== HOSTILE_NAME).map(
  (kind) => ({ ...kind, remotes: kind.remotes.filter((remote) => remote !== HOSTILE_REMOTE) }),
)

/** An incident as the agent finds it. */
export function cameraIncident(device: Device, state: 'open' | 'closed' = 'open'): Incident {
  const now = Date.now()
  return {
    type: 'incident',
    id: 'fx-1',
    device_id: device.id,
    ips: device.ips,
    kind: 'connection_rate',
    severity: 'high',
    state,
    opened_ms: now - 4 * 60_000,
    last_ms: now - 20_000,
    sentence:
      'Hallway camera began 412 connections to 318 remotes within 60 seconds; the limits are 120 and 60.',
    params: { connections: 412, remotes: 318, window_s: 60, max_connections: 120, max_remotes: 60 },
    evidence: [
      { what: 'connections', observed: 412, usual: 9, threshold: 120, weight: 0.6, flow_ids: [] },
      { what: 'remotes', observed: 318, usual: 4, threshold: 60, weight: 0.4, flow_ids: [] },
    ],
  }
}

/** A day that looks like one of this kind of device. The same at each run, but for the clock. */
export function summaryOf(kind: Kind | undefined, seed: number): Summary | undefined {
  if (kind === undefined || kind.remotes.length === 0) return undefined
  const last = Date.now() - (Date.now() % HISTORY_POINT_MS)
  const history: Summary['history'] = []
  let total = 0
  for (let back = 47; back >= 0; back--) {
    // An hour in the night that the agent did not run.
    if (back === 30 || back === 31) continue
    const start = last - back * HISTORY_POINT_MS
    const hour = new Date(start).getHours()
    const [from, to] = kind.hours
    const noise = 0.35 + 0.65 * Math.abs(Math.sin((back + 1) * (seed + 1.7) * 1.31))
    const bytes = kind.most * (hour >= from && hour < to ? noise : noise * 0.02)
    total += bytes
    history.push([start, Math.round(bytes * (1 - kind.sent)), Math.round(bytes * kind.sent)])
  }
  const top_remotes = kind.remotes.map((name, r) => {
    const bytes = total * (r === 0 ? 0.8 : 0.14 / r)
    return {
      name,
      sent_bytes: Math.round(bytes * kind.sent),
      received_bytes: Math.round(bytes * (1 - kind.sent)),
    }
  })
  return { top_remotes, history }
}
