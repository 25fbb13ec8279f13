// What one second of traffic came to; the one thing that flows hand on to history, mqtt and http.
import type { Dns } from '../protocol/messages.ts'

/** Bytes and packets that one device exchanged with one remote (or other device) since the interval before. */
export interface Traffic {
  device_id: string
  /** Name, else address of the remote. */
  remote: string
  sent_bytes: number
  received_bytes: number
  sent_packets: number
  received_packets: number
}

/**
 * Flows that changed, as they go out. They are never objects: of those, a busy second has more than a home's box has memory
 * for. What is read here is good until the next interval.
 */
export interface ChangedFlows {
  readonly count: number
  /**
   * Each flow as a line of JSON (`Flow`) with its line feed, in order, in pieces of whole lines: each is good until the next.
   * `names`: whether with those of its remote.
   */
  lines: (names: boolean) => Iterable<Buffer>
  /** Bytes of a flow so far, both ways. */
  bytes: (index: number) => number
}

export const NO_FLOWS: ChangedFlows = {
  count: 0,
  lines: () => [],
  bytes: () => 0,
}

/** What changed between `from_ms` and `to_ms`. */
export interface Interval {
  from_ms: number
  to_ms: number
  /** False where anything was lost. */
  complete: boolean
  /** Flows that changed, and queries; empty while nobody takes them. */
  flows: ChangedFlows
  dns: readonly Dns[]
  traffic: readonly Traffic[]
}
