// Ethernet frames with right lengths and checksums: RFC 791, 8200, 768, 9293, 792, 4443, 826.

/** An IPv4 or IPv6 address, as bytes and as people write it. */
export interface Address {
  bytes: Buffer
  text: string
  v6: boolean
}

/** Between whom a frame goes, on the link and in IP. */
export interface Ends {
  sourceMac: Buffer
  targetMac: Buffer
  source: Address
  target: Address
}

export const TCP = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16 } as const

/** What one TCP segment says besides its ports. */
export interface Segment {
  sequence: number
  acknowledgment: number
  /** Bits of `TCP`. */
  flags: number
  payload: Buffer
}

const ETHERNET = 14
const MINIMUM = 60
const SYN_OPTIONS = Buffer.from('020405a00101040201030307', 'hex')
const NOTHING = Buffer.alloc(0)

/** Reads an address, `192.0.2.1` or `2001:db8::1`. Throws a RangeError for anything else. */
export function address(text: string): Address {
  if (!text.includes(':')) {
    const bytes = Buffer.from(text.split('.').map(Number))
    if (bytes.length !== 4) throw new RangeError(`${text} is no IPv4 address`)
    return { bytes, text, v6: false }
  }
  const [head = '', tail] = text.split('::')
  const words = (part: string): string[] => (part ? part.split(':') : [])
  const front = words(head)
  const back = words(tail ?? '')
  const gap = tail === undefined ? 0 : 8 - front.length - back.length
  const all = [...front, ...Array<string>(gap).fill('0'), ...back]
  if (all.length !== 8) throw new RangeError(`${text} is no IPv6 address`)
  const bytes = Buffer.alloc(16)
  for (const [i, word] of all.entries()) bytes.writeUInt16BE(Number.parseInt(word, 16), i * 2)
  return { bytes, text, v6: true }
}

/** Bytes of a MAC address written with colons. */
export function mac(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll(':', ''), 'hex')
  if (bytes.length !== 6) throw new RangeError(`${text} is no MAC address`)
  return bytes
}

/** Link address of a multicast group (RFC 1112, 2464) or of the IPv4 broadcast. */
export function multicastMac(group: Address): Buffer {
  const b = group.bytes
  if (group.v6) return Buffer.from([0x33, 0x33, b[12]!, b[13]!, b[14]!, b[15]!])
  if (b[0] === 255) return Buffer.alloc(6, 0xff)
  return Buffer.from([1, 0, 0x5e, b[1]! & 0x7f, b[2]!, b[3]!])
}

/** Adds the 16-bit words of `bytes` from `start` to `sum` (RFC 1071); an odd last byte counts as the high one. */
function addWords(sum: number, bytes: Buffer, start: number, end: number): number {
  let i = start
  for (; i + 1 < end; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!
  return i < end ? sum + (bytes[i]! << 8) : sum
}

function fold(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}

/** A frame whose IP payload is `size` zeros for the caller to fill in, and where in it they begin. */
function ipFrame(ends: Ends, protocol: number, size: number, hops: number, id: number): Buffer {
  const { source, target } = ends
  const header = source.v6 ? 40 : 20
  const frame = Buffer.allocUnsafe(ETHERNET + header + size)
  ends.targetMac.copy(frame, 0)
  ends.sourceMac.copy(frame, 6)
  frame.writeUInt16BE(source.v6 ? 0x86dd : 0x0800, 12)
  if (source.v6) {
    frame.writeUInt32BE(0x60000000, 14)
    frame.writeUInt16BE(size, 18)
    frame[20] = protocol
    frame[21] = hops
    source.bytes.copy(frame, 22)
    target.bytes.copy(frame, 38)
  } else {
    frame.writeUInt16BE(0x4500, 14)
    frame.writeUInt16BE(20 + size, 16)
    frame.writeUInt16BE(id & 0xffff, 18)
    frame.writeUInt16BE(0x4000, 20)
    frame[22] = hops
    frame[23] = protocol
    frame.writeUInt16BE(0, 24)
    source.bytes.copy(frame, 26)
    target.bytes.copy(frame, 30)
    frame.writeUInt16BE(fold(addWords(0, frame, 14, 34)), 24)
  }
  return frame
}

/** The checksum over the pseudo header (RFC 8200, 8.1) and everything from `start`, whose own field is still zero. */
function transportChecksum(frame: Buffer, start: number, protocol: number): number {
  const size = frame.length - start
  const addresses = start === ETHERNET + 40 ? 22 : 26
  return fold(
    addWords(addWords(protocol + size, frame, addresses, start), frame, start, frame.length),
  )
}

/** A UDP datagram. */
export function udpFrame(
  ends: Ends,
  sourcePort: number,
  targetPort: number,
  payload: Buffer,
  id = 0,
): Buffer {
  const hops = isMulticast(ends.target) ? 255 : 64
  const frame = ipFrame(ends, 17, 8 + payload.length, hops, id)
  const start = frame.length - payload.length - 8
  frame.writeUInt16BE(sourcePort, start)
  frame.writeUInt16BE(targetPort, start + 2)
  frame.writeUInt16BE(8 + payload.length, start + 4)
  frame.writeUInt16BE(0, start + 6)
  payload.copy(frame, start + 8)
  frame.writeUInt16BE(transportChecksum(frame, start, 17) || 0xffff, start + 6)
  return frame
}

/** A TCP segment; a SYN carries the options that everybody sends. */
export function tcpFrame(
  ends: Ends,
  sourcePort: number,
  targetPort: number,
  segment: Segment,
  id = 0,
): Buffer {
  const options = segment.flags & TCP.SYN ? SYN_OPTIONS : NOTHING
  const size = 20 + options.length + segment.payload.length
  const frame = ipFrame(ends, 6, size, 64, id)
  const start = frame.length - size
  frame.writeUInt16BE(sourcePort, start)
  frame.writeUInt16BE(targetPort, start + 2)
  frame.writeUInt32BE(segment.sequence >>> 0, start + 4)
  frame.writeUInt32BE(segment.flags & TCP.ACK ? segment.acknowledgment >>> 0 : 0, start + 8)
  frame[start + 12] = ((20 + options.length) / 4) << 4
  frame[start + 13] = segment.flags
  frame.writeUInt16BE(64240, start + 14)
  frame.writeUInt32BE(0, start + 16)
  options.copy(frame, start + 20)
  segment.payload.copy(frame, start + 20 + options.length)
  frame.writeUInt16BE(transportChecksum(frame, start, 6), start + 16)
  return frame
}

/** An ICMP message for IPv4, an ICMPv6 one for IPv6; `message` has its checksum still zero. */
export function icmpFrame(ends: Ends, message: Buffer, hops: number, id = 0): Buffer {
  const protocol = ends.source.v6 ? 58 : 1
  const frame = ipFrame(ends, protocol, message.length, hops, id)
  const start = frame.length - message.length
  message.copy(frame, start)
  const checksum = ends.source.v6
    ? transportChecksum(frame, start, protocol)
    : fold(addWords(0, frame, start, frame.length))
  frame.writeUInt16BE(checksum, start + 2)
  return frame
}

/** An ARP request or reply for IPv4 over Ethernet. */
export function arpFrame(ends: Ends, request: boolean): Buffer {
  const frame = Buffer.alloc(42)
  ;(request ? Buffer.alloc(6, 0xff) : ends.targetMac).copy(frame, 0)
  ends.sourceMac.copy(frame, 6)
  frame.write('08060001080006040001', 12, 'hex')
  frame[21] = request ? 1 : 2
  ends.sourceMac.copy(frame, 22)
  ends.source.bytes.copy(frame, 28)
  if (!request) ends.targetMac.copy(frame, 32)
  ends.target.bytes.copy(frame, 38)
  return padded(frame)
}

/** As it comes off a wire: Ethernet pads what is shorter than 60 bytes. */
export function padded(frame: Buffer): Buffer {
  if (frame.length >= MINIMUM) return frame
  const whole = Buffer.alloc(MINIMUM)
  frame.copy(whole)
  return whole
}

/** Whether `target` is a group or the broadcast address. */
export function isMulticast(target: Address): boolean {
  const first = target.bytes[0]!
  return target.v6 ? first === 0xff : first >= 224
}
