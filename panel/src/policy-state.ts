// What is ordered and what came of it, as the agent told it: pure, and everything in it bounded.
import type { Blocked, Connection, Incident } from '../../protocol/act.ts'
import type { Group, JournalEntry, RuleView } from '../../protocol/policy.ts'
import type { FeedEvent } from './feed.ts'

/** Changes that are kept from the feed; older ones are read from the agent. */
export const MAX_JOURNAL = 200
/** Incidents that are kept; beyond it the closed and then the oldest ones go. */
export const MAX_INCIDENTS = 600
/** Sums of what was blocked; beyond it those that were longest quiet go. */
export const MAX_BLOCKED = 500
/** First packets that are shown; beyond it the oldest go. */
export const MAX_HELD = 50
/** How long a first packet is shown after its deadline. */
export const KEEP_HELD_MS = 30_000
/** Rules that are kept; the agent has fewer. */
export const MAX_RULES = 5000

/** Everything of one device, remote, cause and direction that was dropped since this page looks. */
export interface BlockedSum extends Blocked {
  key: string
  first_ms: number
  last_ms: number
}

/** A first packet that waits, or waited until a moment ago. */
export interface Held {
  connection: Connection
  /** What this page decided, once the agent took it. */
  verdict?: 'accept' | 'drop'
}

/** What the feed told of policy; absent: it told nothing yet. */
export interface PolicyState {
  /** Every order that stands, oldest first. */
  rules?: readonly RuleView[]
  groups?: readonly Group[]
  /** Changes since this page looks, the latest first. */
  journal: readonly JournalEntry[]
  incidents: ReadonlyMap<string, Incident>
  blocked: ReadonlyMap<string, BlockedSum>
  held: readonly Held[]
  /** Counts the agent's snapshots: what was read before the last one may have missed something. */
  snapshots: number
}

export const NO_POLICY: PolicyState = {
  journal: [],
  incidents: new Map(),
  blocked: new Map(),
  held: [],
  snapshots: 0,
}

/** The policy after an event; events of other things change nothing. */
export function receivePolicy(state: PolicyState, event: FeedEvent): PolicyState {
  switch (event.name) {
    case 'devices':
      return afterSnapshot(state)
    case 'rules':
      return { ...state, rules: event.data.rules.slice(0, MAX_RULES) }
    case 'groups':
      return { ...state, groups: event.data.groups }
    case 'journal':
      return { ...state, journal: withEntry(state.journal, event.data) }
    case 'incident':
      return { ...state, incidents: withIncident(state.incidents, event.data) }
    case 'blocked':
      return { ...state, blocked: withBlocked(state.blocked, event.data) }
    case 'connection':
      return { ...state, held: withHeld(state.held, event.data) }
    case 'decided': {
      const { connection: id, verdict } = event.data
      const held = state.held.map((one) => (one.connection.id === id ? { ...one, verdict } : one))
      return { ...state, held }
    }
    default:
      return state
  }
}

/** Those that wait, and those whose time was over a moment ago, the latest first. */
export function heldAt(held: readonly Held[], now_ms: number): Held[] {
  return held.filter(({ connection }) => now_ms - connection.deadline_ms < KEEP_HELD_MS).reverse()
}

/** The open incidents, the worst and then the latest first. */
export function openIncidents(incidents: Iterable<Incident>): Incident[] {
  const ranks = ['info', 'low', 'medium', 'high']
  const rank = ({ severity }: Incident): number => ranks.indexOf(severity)
  return [...incidents]
    .filter(({ state }) => state === 'open')
    .sort((a, b) => rank(b) - rank(a) || b.opened_ms - a.opened_ms)
}

// A snapshot tells every open incident again right after this: one that ended while nobody looked is not among them.
function afterSnapshot(state: PolicyState): PolicyState {
  const closed = [...state.incidents].filter(([, incident]) => incident.state === 'closed')
  return { ...state, incidents: new Map(closed), journal: [], snapshots: state.snapshots + 1 }
}

function withEntry(journal: readonly JournalEntry[], entry: JournalEntry): JournalEntry[] {
  const others = journal
    .filter(({ seq }) => seq !== entry.seq)
    .map((one) => (one.seq === entry.undoes ? { ...one, undone_by: entry.seq } : one))
  return [entry, ...others].sort((a, b) => b.seq - a.seq).slice(0, MAX_JOURNAL)
}

function withIncident(
  known: ReadonlyMap<string, Incident>,
  incident: Incident,
): ReadonlyMap<string, Incident> {
  const incidents = new Map(known).set(incident.id, incident)
  if (incidents.size <= MAX_INCIDENTS) return incidents
  const rank = ({ state, last_ms }: Incident): number => (state === 'open' ? 1e15 : 0) + last_ms
  const kept = [...incidents].sort((a, b) => rank(b[1]) - rank(a[1])).slice(0, MAX_INCIDENTS)
  return new Map(kept)
}

function withBlocked(
  known: ReadonlyMap<string, BlockedSum>,
  batch: { blocked: readonly Blocked[]; from_ms: number; to_ms: number },
): ReadonlyMap<string, BlockedSum> {
  const sums = new Map(known)
  for (const one of batch.blocked) {
    const { device_id, cause, direction, remote = '', rule_id = '' } = one
    const key = JSON.stringify([device_id, cause, direction, remote, rule_id])
    const before = sums.get(key)
    sums.set(key, {
      ...one,
      key,
      packets: one.packets + (before?.packets ?? 0),
      bytes: one.bytes + (before?.bytes ?? 0),
      first_ms: before?.first_ms ?? batch.from_ms,
      last_ms: batch.to_ms,
    })
  }
  if (sums.size <= MAX_BLOCKED) return sums
  const kept = [...sums].sort((a, b) => b[1].last_ms - a[1].last_ms).slice(0, MAX_BLOCKED)
  return new Map(kept)
}

function withHeld(held: readonly Held[], connection: Connection): Held[] {
  const others = held.filter((one) => one.connection.id !== connection.id)
  return [...others, { connection }].slice(-MAX_HELD)
}
