// DNS and TLS messages made by hand.
import { ipBytes, u } from './packets.ts'

/** A name as labels on the wire; `''` is the root. */
export function wireName(name: string): Buffer {
  const labels = name === '' ? [] : name.split('.')
  return Buffer.concat([
    ...labels.flatMap((label) => [u(1, label.length), Buffer.from(label, 'latin1')]),
    u(1, 0),
  ])
}

export interface DnsOptions {
  id?: number
  flags?: number
  questions?: number
  answers?: Buffer[]
  answerCount?: number
  qtype?: number
  /** Instead of the question's name. */
  rawName?: Buffer
}

export function dns(name: string, given: DnsOptions = {}): Buffer {
  const answers = given.answers ?? []
  return Buffer.concat([
    u(
      2,
      given.id ?? 0x1234,
      given.flags ?? 0x0100,
      given.questions ?? 1,
      given.answerCount ?? answers.length,
      0,
      0,
    ),
    given.rawName ?? wireName(name),
    u(2, given.qtype ?? 1, 1),
    ...answers,
  ])
}

/** An answer; the owner is the question's name (a pointer to it) unless given. */
export function record(
  rtype: number,
  data: Buffer,
  owner: Buffer = u(2, 0xc00c),
  ttl = 60,
  length = data.length,
): Buffer {
  return Buffer.concat([owner, u(2, rtype, 1), u(4, ttl), u(2, length), data])
}

export const a = (ip: string, owner?: Buffer): Buffer => record(1, ipBytes(ip), owner)
export const aaaa = (ip: string, owner?: Buffer): Buffer => record(28, ipBytes(ip), owner)
export const cname = (name: string, owner?: Buffer): Buffer => record(5, wireName(name), owner)

/** As it is on TCP, with its length before it. */
export const framed = (message: Buffer): Buffer => Buffer.concat([u(2, message.length), message])

export interface HelloOptions {
  /** Bytes of a key share before the name, as of a post-quantum exchange. */
  keyShare?: number
  /** Instead of the extension server_name. */
  rawName?: Buffer
}

/** A ClientHello as a handshake message. */
export function clientHello(name: string | undefined, given: HelloOptions = {}): Buffer {
  const extension = (type: number, body: Buffer): Buffer =>
    Buffer.concat([u(2, type, body.length), body])
  const host = Buffer.from(name ?? '', 'latin1')
  const serverName =
    given.rawName ?? Buffer.concat([u(2, host.length + 3), u(1, 0), u(2, host.length), host])
  const extensions = Buffer.concat([
    extension(51, Buffer.alloc(given.keyShare ?? 40)),
    ...(name === undefined && !given.rawName ? [] : [extension(0, serverName)]),
    extension(43, Buffer.from([2, 3, 4])),
  ])
  const body = Buffer.concat([
    u(2, 0x0303),
    Buffer.alloc(32, 7),
    u(1, 32),
    Buffer.alloc(32, 8),
    u(2, 4, 0x1301, 0x1302),
    u(1, 1, 0),
    u(2, extensions.length),
    extensions,
  ])
  return Buffer.concat([u(1, 1), u(3, body.length), body])
}

/** A message as TLS records of so many bytes at most. */
export function records(message: Buffer, most = 16384, type = 22): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < message.length; at += most) {
    const part = message.subarray(at, at + most)
    parts.push(u(1, type), u(2, 0x0301, part.length), part)
  }
  return Buffer.concat(parts)
}
