// In which order devices of earlier runs are taken back, where the table has not room for all.
import type { Device } from '../../protocol/messages.ts'

/** Devices that somebody named first, then those that named themselves, then those seen last. */
export function bestFirst(one: Device, other: Device): number {
  return rank(one) - rank(other) || other.last_seen_ms - one.last_seen_ms
}

function rank({ name_source }: Device): number {
  if (name_source === 'user' || name_source === 'home_assistant') return 0
  return name_source === 'vendor' || name_source === 'address' ? 2 : 1
}
