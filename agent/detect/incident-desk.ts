// Incidents from their first evidence to their end: one open incident per device and kind, told whenever it changes.
import type { Evidence, Incident, IncidentKind } from '../../protocol/act.ts'
import type { AgentEvent } from '../../protocol/messages.ts'
import type { Level } from '../../protocol/policy.ts'
import { covers } from '../policy/rules.ts'
import type { IncidentStore } from './incident-store.ts'

/** Without new evidence for so long an incident is over. */
const QUIET_MS = 600_000
/** Evidence that only adds to what is known is told this often. */
const CHANGE_MS = 10_000
/** Open incidents at once; further findings are counted and left out, so that a flood of made-up devices is no flood of messages. */
const MAX_OPEN = 500

/** What a detector found. */
export interface Finding {
  kind: IncidentKind
  severity: Incident['severity']
  device: { id: string; name: string; mac?: string; ips: readonly string[] }
  sentence: string
  params: Incident['params']
  evidence: Evidence[]
  asks?: Incident['asks']
}

export interface IncidentDeskParts {
  store: IncidentStore
  /** Begins the ids of this run. */
  run: string
  tell: (incident: Incident) => void
  event: (event: Omit<AgentEvent, 'type' | 'seq'>) => void
  /** An incident is over. */
  closed: (incident: Incident) => void
  /** Whether one stays open though no evidence comes. */
  stays: (incident: Incident) => boolean
}

/** Keeps incidents. */
export class IncidentDesk {
  readonly #parts: IncidentDeskParts
  readonly #open = new Map<string, Incident>()
  readonly #toldMs = new Map<string, number>()
  #count = 0
  /** Findings that were left out because too many incidents were open. */
  leftOut = 0

  constructor(parts: IncidentDeskParts) {
    this.#parts = parts
  }

  /** Takes up the incidents that were open when the agent ended. */
  start(): void {
    for (const incident of this.#parts.store.find({ state: 'open', limit: MAX_OPEN })) {
      this.#open.set(keyOf(incident.device_id, incident.kind), incident)
    }
  }

  /** Those that are open, the latest first. */
  open(): Incident[] {
    return [...this.#open.values()].sort((a, b) => b.opened_ms - a.opened_ms)
  }

  /** Evidence of a detector. Returns the incident, and whether it is new; undefined where too many are open. */
  report(finding: Finding, nowMs: number): { incident: Incident; isNew: boolean } | undefined {
    const key = keyOf(finding.device.id, finding.kind)
    const known = this.#open.get(key)
    if (known !== undefined) {
      const strongest = finding.evidence.some((now, i) => {
        const before = known.evidence[i]
        return before === undefined || now.observed > before.observed
      })
      const incident: Incident = {
        ...known,
        last_ms: nowMs,
        ...(strongest
          ? { evidence: finding.evidence, sentence: finding.sentence, params: finding.params }
          : {}),
      }
      this.#open.set(key, incident)
      if (nowMs - (this.#toldMs.get(incident.id) ?? 0) >= CHANGE_MS) {
        this.#tell(incident, 'incident_changed', nowMs)
      }
      return { incident, isNew: false }
    }
    if (this.#open.size >= MAX_OPEN) {
      this.leftOut++
      return undefined
    }
    this.#count++
    const { device } = finding
    const incident: Incident = {
      type: 'incident',
      id: `${this.#parts.run}-i${this.#count.toString(36)}`,
      device_id: device.id,
      ...(device.mac === undefined ? {} : { mac: device.mac }),
      ips: [...device.ips],
      kind: finding.kind,
      severity: finding.severity,
      state: 'open',
      opened_ms: nowMs,
      last_ms: nowMs,
      sentence: finding.sentence,
      params: finding.params,
      evidence: finding.evidence,
      ...(finding.asks === undefined ? {} : { asks: finding.asks }),
    }
    this.#open.set(key, incident)
    this.#tell(incident, 'incident_opened', nowMs)
    return { incident, isNew: true }
  }

  /** Notes what was done about an incident, or why it could not be done. */
  note(id: string, what: Pick<Incident, 'action' | 'action_failed'>, nowMs: number): void {
    const found = this.#byId(id)
    if (found === undefined) return
    const { action_failed: _, ...rest } = found
    const incident: Incident = { ...rest, ...what }
    this.#open.set(keyOf(incident.device_id, incident.kind), incident)
    this.#tell(incident, 'incident_changed', nowMs)
  }

  /** Closes an incident; false if it is not open. */
  close(id: string, by: NonNullable<Incident['closed_by']>, nowMs: number): boolean {
    const found = this.#byId(id)
    if (found === undefined) return false
    const incident: Incident = { ...found, state: 'closed', closed_ms: nowMs, closed_by: by }
    this.#open.delete(keyOf(incident.device_id, incident.kind))
    this.#tell(incident, 'incident_closed', nowMs)
    this.#toldMs.delete(incident.id)
    this.#parts.closed(incident)
    return true
  }

  /**
   * A device was released: what it was quarantined for is over. `held`: the levels that still hold it, such as one that
   * somebody ordered to last in the place of a detector's.
   */
  released(deviceId: string, held: readonly Level[], nowMs: number): void {
    for (const { id, device_id, action } of this.open()) {
      if (device_id !== deviceId || action === undefined) continue
      if (!held.some((level) => covers(level, action.level))) this.close(id, 'released', nowMs)
    }
  }

  /** Closes what has been quiet, and tells what has changed since it was last told. */
  tick(nowMs: number): void {
    for (const incident of [...this.#open.values()]) {
      const isQuiet = nowMs - incident.last_ms >= QUIET_MS
      if (isQuiet && !this.#parts.stays(incident)) this.close(incident.id, 'quiet', nowMs)
      else {
        const toldMs = this.#toldMs.get(incident.id) ?? 0
        if (incident.last_ms > toldMs && nowMs - toldMs >= CHANGE_MS) {
          this.#tell(incident, 'incident_changed', nowMs)
        }
      }
    }
  }

  #byId(id: string): Incident | undefined {
    for (const incident of this.#open.values()) if (incident.id === id) return incident
    return undefined
  }

  #tell(
    incident: Incident,
    kind: 'incident_opened' | 'incident_changed' | 'incident_closed',
    nowMs: number,
  ): void {
    const { store, tell, event } = this.#parts
    store.save(incident)
    this.#toldMs.set(incident.id, nowMs)
    tell(incident)
    event({
      kind,
      time_ms: nowMs,
      device_id: incident.device_id,
      incident_id: incident.id,
      sentence: incident.sentence,
    })
  }
}

function keyOf(deviceId: string, kind: IncidentKind): string {
  return `${deviceId} ${kind}`
}
