// Just enough of DNS messages (RFC 1035, 4) for the lab's server and clients; independent of the product's own reader.

export const A = 1
export const CNAME = 5
export const AAAA = 28

/** A resource record whose data is an address or a name. */
export interface WireAnswer {
  name: string
  type: number
  ttl: number
  data: string
}

/** One message with one question. */
export interface WireMessage {
  id: number
  response: boolean
  truncated: boolean
  rcode: number
  name: string
  type: number
  answers: WireAnswer[]
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => {
    const bytes = Buffer.from(label, 'latin1')
    return Buffer.concat([Buffer.from([bytes.length]), bytes])
  })
  return Buffer.concat([...labels, Buffer.from([0])])
}

function encodeIpv6(ip: string): Buffer {
  const [head = '', tail] = ip.split('::')
  const left = head.split(':').filter((group) => group !== '')
  const right = (tail ?? '').split(':').filter((group) => group !== '')
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right]
  const out = Buffer.alloc(16)
  groups.forEach((group, i) => {
    out.writeUInt16BE(Number.parseInt(group, 16), i * 2)
  })
  return out
}

function encodeData(answer: WireAnswer): Buffer {
  if (answer.type === A) return Buffer.from(answer.data.split('.').map(Number))
  if (answer.type === AAAA) return encodeIpv6(answer.data)
  return encodeName(answer.data)
}

/** The bytes of a message, names uncompressed. */
export function encodeDns(message: WireMessage): Buffer {
  const head = Buffer.alloc(12)
  const flags = (message.response ? 0x8180 : 0x0100) | (message.truncated ? 0x0200 : 0)
  head.writeUInt16BE(message.id, 0)
  head.writeUInt16BE(flags | message.rcode, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(message.answers.length, 6)
  const parts = [head, encodeName(message.name), Buffer.from([0, message.type, 0, 1])]
  for (const answer of message.answers) {
    const data = encodeData(answer)
    const fixed = Buffer.alloc(10)
    fixed.writeUInt16BE(answer.type, 0)
    fixed.writeUInt16BE(1, 2)
    fixed.writeUInt32BE(answer.ttl, 4)
    fixed.writeUInt16BE(data.length, 8)
    parts.push(encodeName(answer.name), fixed, data)
  }
  return Buffer.concat(parts)
}

function readName(bytes: Buffer, at: number): { name: string; next: number } {
  const labels: string[] = []
  let pos = at
  for (let size = bytes.readUInt8(pos); size > 0; size = bytes.readUInt8(pos)) {
    if (size > 63) throw new Error('compressed names are not used in the lab')
    labels.push(bytes.toString('latin1', pos + 1, pos + 1 + size))
    pos += 1 + size
  }
  return { name: labels.join('.'), next: pos + 1 }
}

function readData(bytes: Buffer, type: number, at: number, size: number): string {
  if (type === A) return [...bytes.subarray(at, at + 4)].join('.')
  if (type !== AAAA) return readName(bytes, at).name
  const groups = Array.from({ length: size / 2 }, (_, i) => bytes.readUInt16BE(at + i * 2))
  return new URL(`http://[${groups.map((group) => group.toString(16)).join(':')}]/`).hostname.slice(
    1,
    -1,
  )
}

/** Reads what `encodeDns` writes. Throws for anything else. */
export function decodeDns(bytes: Buffer): WireMessage {
  const flags = bytes.readUInt16BE(2)
  const question = readName(bytes, 12)
  const answers: WireAnswer[] = []
  let pos = question.next + 4
  for (let i = 0; i < bytes.readUInt16BE(6); i++) {
    const { name, next } = readName(bytes, pos)
    const type = bytes.readUInt16BE(next)
    const size = bytes.readUInt16BE(next + 8)
    const data = readData(bytes, type, next + 10, size)
    answers.push({ name, type, ttl: bytes.readUInt32BE(next + 4), data })
    pos = next + 10 + size
  }
  return {
    id: bytes.readUInt16BE(0),
    response: (flags & 0x8000) !== 0,
    truncated: (flags & 0x0200) !== 0,
    rcode: flags & 15,
    name: question.name,
    type: bytes.readUInt16BE(question.next),
    answers,
  }
}
