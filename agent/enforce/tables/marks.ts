// Bits of packet and connection marks. Marks are shared with everybody on the box (routing policies, VPNs, containers mostly
// take the lower three bytes), so only these bits are ever set, cleared or tested, and always under their mask.

/** Packet: an answer from the internet to what the device was allowed to begin. Set on its way out, read in netdev egress. */
export const PACKET_ANSWER = 0x40000000

/** Packet: an answer to whoever began; set on its way out where an exception names ports. */
export const PACKET_REPLY = 0x20000000

/** Connection: DNS of a device whose queries are queued; its answers are queued too. */
export const CT_DNS = 0x10000000
/**
 * Connection: begun by the device to an address of a name that it had resolved or may reach (or DNS that is gated): goes on when
 * names expire. Taken back by the gate where a list becomes narrower.
 */
export const CT_RESOLVED = 0x40000000

/** As nft reads it. */
export function hex(bits: number): string {
  return `0x${(bits >>> 0).toString(16).padStart(8, '0')}`
}

/** The match for all of these bits. */
export function isSet(mark: 'ct mark' | 'meta mark', bits: number): string {
  return `${mark} and ${hex(bits)} == ${hex(bits)}`
}

/** The statement that sets these bits and leaves all others. */
export function setBits(mark: 'ct mark' | 'meta mark', bits: number): string {
  return `${mark} set ${mark} or ${hex(bits)}`
}
