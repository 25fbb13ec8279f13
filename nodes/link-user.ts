// What a node that uses a link tells it, and what it is told.
import type { BlockedBatch, Connection as Waiting } from '../protocol/act.ts'
import type { Dns } from '../protocol/messages.ts'
import type { Topics } from '../protocol/topics.ts'
import type { ConnectionState } from './connection.ts'
import type { FlowStep } from './flow-memory.ts'
import type { IncidentChange } from './incident-board.ts'
import type { DeviceChange } from './inventory.ts'

/**
 * `refused`: the broker does not want us, or does not let us read what the node needs. `waiting`: the broker is there, and
 * nothing was heard of the agent yet. `offline`: the agent has left. `protocol`: the agent speaks another major version, and
 * nothing that it says is passed on.
 */
export type LinkState =
  | Exclude<ConnectionState, 'connected'>
  | 'waiting'
  | 'offline'
  | 'protocol'
  | 'online'

/** Topics that are followed only while a node wants them. */
export type Want = 'flow' | 'dns' | 'event' | 'blocked' | 'connection' | 'incidents'

/** A node that uses a link. */
export interface LinkUser {
  wants: readonly Want[]
  /** Orders that it gives: their answers are followed. */
  verbs?: readonly string[]
  state: (state: LinkState) => void
  /** `complete`: nothing was lost up to here. */
  flows?: (steps: FlowStep[], complete: boolean) => void
  dns?: (dns: Dns[]) => void
  device?: (change: DeviceChange) => void
  /** The agent has spoken of a device, whether or not anything about it changed. */
  heard?: (id: string) => void
  blocked?: (batch: BlockedBatch) => void
  connection?: (connection: Waiting) => void
  incident?: (change: IncidentChange) => void
}

const QOS = { flow: 0, dns: 0, event: 1, blocked: 0, connection: 0, incidents: 1 } as const

/** What `user` alone wants to read, with the QoS of each topic. */
export function topicsOfUser({ wants, verbs }: LinkUser, topics: Topics): Map<string, 0 | 1> {
  return new Map([
    ...wants.map((want) => [topics[want], QOS[want]] as const),
    ...(verbs ?? []).map((verb) => [topics.response(verb), 1] as const),
  ])
}

/** What `user` cannot do without: its own topics, those that tell of the agent, and the devices where it is about them. */
export function needsOf(user: LinkUser, topics: Topics): string[] {
  const devices = user.device ? [topics.devices] : []
  return [topics.status, topics.info, ...devices, ...topicsOfUser(user, topics).keys()]
}

/** Why an order could not be given, for each state that a link may be in. */
export const ABSENCES: Record<LinkState, string> = {
  connecting: 'there is no connection to the broker',
  disconnected: 'there is no connection to the broker',
  refused: 'the broker does not let us in, or does not let us read of the agent',
  tls: 'the TLS settings of the connection cannot be used',
  waiting: 'nothing was heard of the agent',
  offline: 'the agent is not there',
  protocol: 'the agent speaks another protocol than these nodes',
  online: 'the connection was lost',
}
