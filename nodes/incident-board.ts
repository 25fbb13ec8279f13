// The open incidents of one agent, as its retained topics tell, and what is new about them.
import type { Incident } from '../protocol/act.ts'

/** What happened to an incident. `present`: it was open before we came. */
export type IncidentChangeKind = 'opened' | 'changed' | 'closed' | 'present'

/** One thing that happened to one incident. */
export interface IncidentChange {
  kind: IncidentChangeKind
  /** Of one that is closed: as it was last. */
  incident: Incident
}

interface Entry {
  incident: Incident
  text: string
  /** The session in which the agent last spoke of it. */
  session: number
}

/** How many open incidents are kept; beyond it new ones are refused. */
export const MAX_INCIDENTS = 256

/** How many that are closed are remembered, so that one is not told of twice. */
const MAX_CLOSED = 256

/** Knows the open incidents of one agent. Every change is told once. */
export class IncidentBoard {
  readonly #limit: number
  readonly #open = new Map<string, Entry>()
  readonly #closed = new Set<string>()
  #session = 0
  /** What was open before we came has been told: what comes from here on is new. */
  #isSettled = false

  constructor(limit: number = MAX_INCIDENTS) {
    this.#limit = limit
  }

  /** Those that are open, the oldest first. */
  incidents(): Incident[] {
    return [...this.#open.values()]
      .map((entry) => entry.incident)
      .sort((a, b) => a.opened_ms - b.opened_ms)
  }

  /** To be called when a connection begins: the broker names every open incident anew. */
  beginSession(): void {
    this.#session += 1
  }

  /** `retained`: the broker kept it for us; at first that means that it was open before we came. */
  take(incident: Incident, retained: boolean): IncidentChange | undefined {
    const entry = this.#open.get(incident.id)
    if (incident.state === 'closed') return this.#close(incident)
    const text = JSON.stringify(incident)
    if (entry) {
      entry.session = this.#session
      if (entry.text === text) return undefined
      entry.text = text
      entry.incident = incident
      return { kind: 'changed', incident }
    }
    if (this.#open.size >= this.#limit) {
      throw new Error(`there are more than ${this.#limit} open incidents; the others are left out`)
    }
    this.#open.set(incident.id, { incident, text, session: this.#session })
    this.#closed.delete(incident.id)
    return { kind: retained && !this.#isSettled ? 'present' : 'opened', incident }
  }

  /** The agent took it off the broker; where its last word was missed, this says so. */
  clear(id: string): IncidentChange | undefined {
    const entry = this.#open.get(id)
    return entry && this.#close({ ...entry.incident, state: 'closed' })
  }

  /** To be called once all that is retained has come: those that were not named in this session were closed meanwhile. */
  sweep(): IncidentChange[] {
    this.#isSettled = true
    const stale = [...this.#open.values()].filter((entry) => entry.session !== this.#session)
    return stale.flatMap((entry) => this.clear(entry.incident.id) ?? [])
  }

  /** Forgets all, when nobody follows incidents any more. */
  forget(): void {
    this.#open.clear()
    this.#closed.clear()
    this.#isSettled = false
  }

  #close(incident: Incident): IncidentChange | undefined {
    const { id } = incident
    this.#open.delete(id)
    if (this.#closed.has(id)) return undefined
    this.#closed.add(id)
    const [oldest] = this.#closed
    if (this.#closed.size > MAX_CLOSED && oldest !== undefined) this.#closed.delete(oldest)
    return { kind: 'closed', incident }
  }
}
