// A capture of UDP datagrams from one port each to port 9000, to be played as fast as can be.

function macBytes(mac: string): number[] {
  return mac.split(':').map((hex) => Number.parseInt(hex, 16))
}

/** RFC 1071 over the header at `at`. */
function checksum(frame: Buffer, at: number, length: number): number {
  let sum = 0
  for (let i = 0; i < length; i += 2) sum += frame.readUInt16BE(at + i)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

function frameOf(from: string, to: string, source: string, target: string, port: number): Buffer {
  const frame = Buffer.alloc(60)
  frame.set([...macBytes(to), ...macBytes(from), 0x08, 0x00])
  frame.set([0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17], 14)
  frame.set(source.split('.').map(Number), 26)
  frame.set(target.split('.').map(Number), 30)
  frame.writeUInt16BE(checksum(frame, 14, 20), 24)
  frame.writeUInt16BE(port, 34)
  frame.writeUInt16BE(9000, 36)
  frame.writeUInt16BE(26, 38)
  return frame
}

/** A pcap file of `count` of them. */
export function datagrams(
  from: string,
  to: string,
  source: string,
  target: string,
  count: number,
): Buffer {
  const head = Buffer.alloc(24)
  head.writeUInt32LE(0xa1b2c3d4, 0)
  head.set([2, 0, 4, 0], 4)
  head.writeUInt32LE(65_535, 16)
  head.writeUInt32LE(1, 20)
  const packets = Array.from({ length: count }, (_, i) => {
    const frame = frameOf(from, to, source, target, 20_000 + i)
    const record = Buffer.alloc(16)
    record.writeUInt32LE(frame.length, 8)
    record.writeUInt32LE(frame.length, 12)
    return Buffer.concat([record, frame])
  })
  return Buffer.concat([head, ...packets])
}
