// What one second of traffic came to; the one thing that flows hand on to history, mqtt and http.
import type { Dns, Flow } from '../protocol/messages.ts'

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

/** What changed between `from_ms` and `to_ms`. */
export interface Interval {
  from_ms: number
  to_ms: number
  /** False where anything was lost. */
  complete: boolean
  /** Flows that changed, and queries; empty while nobody takes them. */
  flows: readonly Flow[]
  dns: readonly Dns[]
  traffic: readonly Traffic[]
}
