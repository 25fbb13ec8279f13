// What a detector orders about a device: tried until it holds, with growing pauses; given up where it is refused for good.
import type { Incident } from '../../protocol/act.ts'
import type { Log } from '../log.ts'
import type { By, Order, Ordered } from '../policy/contract.ts'
import { PolicyError } from '../policy/contract.ts'
import type { IncidentDesk } from './incident-desk.ts'
import type { Limits } from './limits.ts'

/** Pauses between two tries, in seconds of the detector's clock. */
const FIRST_WAIT_S = 1
const LONGEST_WAIT_S = 60
/** What nobody asked about for so long is forgotten. */
const FORGET_S = 3600

export interface DetectorOrdersParts {
  desk: IncidentDesk
  order: (order: Order, by: By) => Promise<Ordered>
  log: Log
}

/** Now. */
export interface Moment {
  /** Of a clock that only goes forward. */
  second: number
  /** Milliseconds since the epoch. */
  nowMs: number
}

interface Attempt {
  /** Absent where too many incidents are open: what is done is done all the same. */
  incidentId: string | undefined
  waitS: number
  /** Not before this second. */
  next: number
  isRunning: boolean
  /** It will not be taken. */
  isRefused: boolean
}

/** Keeps one attempt per device. */
export class DetectorOrders {
  readonly #parts: DetectorOrdersParts
  readonly #attempts = new Map<string, Attempt>()

  constructor(parts: DetectorOrdersParts) {
    this.#parts = parts
  }

  /** Orders what an incident asks for, unless that was done, is refused, or has to wait. */
  quarantine(
    deviceId: string,
    incident: Incident | undefined,
    limits: Limits,
    reason: string,
    at: Moment,
  ): void {
    if (incident?.action !== undefined) return
    let attempt = this.#attempts.get(deviceId)
    if (attempt === undefined || attempt.incidentId !== incident?.id) {
      attempt = {
        incidentId: incident?.id,
        waitS: FIRST_WAIT_S,
        next: at.second,
        isRunning: false,
        isRefused: false,
      }
      this.#attempts.set(deviceId, attempt)
    }
    if (attempt.isRunning || attempt.isRefused || at.second < attempt.next) return
    void this.#try(deviceId, attempt, limits, reason, at)
  }

  /** Somebody has decided about a device, or its incident is over. */
  forget(deviceId: string): void {
    this.#attempts.delete(deviceId)
  }

  forgetOld(second: number): void {
    for (const [id, { next, isRunning }] of this.#attempts) {
      if (!isRunning && next + FORGET_S < second) this.#attempts.delete(id)
    }
  }

  async #try(
    deviceId: string,
    attempt: Attempt,
    { level, forS }: Limits,
    reason: string,
    { second, nowMs }: Moment,
  ): Promise<void> {
    const { order, desk, log } = this.#parts
    attempt.isRunning = true
    try {
      const { rules } = await order(
        {
          action: 'quarantine',
          subject: { device_id: deviceId },
          level,
          term: { forS },
        },
        {
          actor: { kind: 'detector', name: 'connection_rate', via: 'detector' },
          reason: reason.slice(0, 200),
        },
      )
      // Without an incident nothing else tells that it holds.
      attempt.next = second + forS
      const rule = rules[0]
      if (rule !== undefined) {
        desk.note(attempt.incidentId ?? '', { action: { level, rule_id: rule.id } }, nowMs)
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      attempt.isRefused =
        error instanceof PolicyError && ['refused', 'not_found'].includes(error.code)
      attempt.next = second + attempt.waitS
      attempt.waitS = Math.min(attempt.waitS * 2, LONGEST_WAIT_S)
      log.warn(`${deviceId} was not quarantined: ${why}`)
      desk.note(attempt.incidentId ?? '', { action_failed: why }, nowMs)
    } finally {
      attempt.isRunning = false
    }
  }
}
