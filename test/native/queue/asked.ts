// Connections that the thread asks about, as their records say.
import { CONNECTION, CONNECTION_BYTES, CONNECTION_FLAGS } from '../../../native/layout.ts'
import type { Connections } from '../../../native/queue.ts'

/** A connection as a record has it. */
export interface Asked {
  id: number
  device: string
  from: string
  to: string
  fromPort: number
  toPort: number
  protocol: number
  inbound: boolean
  waitMs: number
}

function addressText(bytes: Uint8Array, ipv6: boolean): string {
  if (!ipv6) return bytes.subarray(0, 4).join('.')
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  )
  return groups.join(':').replace(/(^|:)0(:0)+(:|$)/, '::')
}

export function askedOf({ count, connections }: Connections): Asked[] {
  const view = new DataView(connections)
  return Array.from({ length: count }, (_, i) => {
    const at = i * CONNECTION_BYTES
    const flags = view.getUint8(at + CONNECTION.FLAGS)
    const ipv6 = (flags & CONNECTION_FLAGS.IPV6) !== 0
    const ip = (offset: number): string =>
      addressText(new Uint8Array(connections, at + offset, 16), ipv6)
    const device = view.getBigUint64(at + CONNECTION.DEVICE, true)
    const ms = (offset: number): number => view.getFloat64(at + offset, true)
    return {
      id: view.getFloat64(at + CONNECTION.ID, true),
      device: device.toString(16).padStart(12, '0'),
      from: ip(CONNECTION.ORIG_IP),
      to: ip(CONNECTION.RESP_IP),
      fromPort: view.getUint16(at + CONNECTION.ORIG_PORT, true),
      toPort: view.getUint16(at + CONNECTION.RESP_PORT, true),
      protocol: view.getUint8(at + CONNECTION.PROTOCOL),
      inbound: (flags & CONNECTION_FLAGS.INBOUND) !== 0,
      waitMs: ms(CONNECTION.DEADLINE_MS) - ms(CONNECTION.ASKED_MS),
    }
  })
}
