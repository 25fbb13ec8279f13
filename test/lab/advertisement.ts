// A router's advertisement (RFC 4861, 4.2) as a frame, and as a capture of it alone.
import { addressBytes } from '../../agent/inventory/locality.ts'

function macBytes(mac: string): number[] {
  return mac.split(':').map((hex) => Number.parseInt(hex, 16))
}

/** RFC 4443, 2.3: over the addresses, the length and the next header too. */
function checksum(ip: Buffer): number {
  const message = ip.subarray(40)
  const pseudo = Buffer.alloc(40)
  ip.copy(pseudo, 0, 8, 40)
  pseudo.writeUInt32BE(message.length, 32)
  pseudo[39] = 58
  const all = Buffer.concat([pseudo, message])
  let sum = 0
  for (let i = 0; i < all.length; i += 2) sum += all.readUInt16BE(i)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

export interface Advertised {
  /** The router's, in the frame and in its option. */
  mac: string
  /** Zero: no router to the internet. */
  lifetimeS: number
  /** A /64. */
  prefix: string
}

/** From the ICMPv6 type on. */
export function advertisementMessage({ mac, lifetimeS, prefix }: Advertised): Buffer {
  const message = Buffer.alloc(16 + 8 + 32)
  message.set([134, 0, 0, 0, 64, 0])
  message.writeUInt16BE(lifetimeS, 6)
  message.set([1, 1, ...macBytes(mac)], 16)
  message.set([3, 4, 64, 0xc0], 24)
  message.writeUInt32BE(86_400, 28)
  message.writeUInt32BE(14_400, 32)
  message.set(addressBytes(prefix), 40)
  return message
}

/** To all nodes of a link. */
export function advertisementFrame(advertised: Advertised): Buffer {
  const message = advertisementMessage(advertised)
  const ip = Buffer.alloc(40)
  ip[0] = 0x60
  ip.writeUInt16BE(message.length, 4)
  ip.set([58, 255], 6)
  ip.set(addressBytes('fe80::1'), 8)
  ip.set(addressBytes('ff02::1'), 24)
  const packet = Buffer.concat([ip, message])
  packet.writeUInt16BE(checksum(packet), 42)
  const ethernet = Buffer.from([
    ...[0x33, 0x33, 0, 0, 0, 1],
    ...macBytes(advertised.mac),
    ...[0x86, 0xdd],
  ])
  return Buffer.concat([ethernet, packet])
}

/** A pcap file of one frame. */
export function pcapOf(frame: Buffer): Buffer {
  const head = Buffer.alloc(24)
  head.writeUInt32LE(0xa1b2c3d4, 0)
  head.set([2, 0, 4, 0], 4)
  head.writeUInt32LE(65_535, 16)
  head.writeUInt32LE(1, 20)
  const record = Buffer.alloc(16)
  record.writeUInt32LE(frame.length, 8)
  record.writeUInt32LE(frame.length, 12)
  return Buffer.concat([head, record, frame])
}
