// TLS 1.3 records as an observer sees them (RFC 8446, 6066): hellos in the clear, the rest closed.
import type { Random } from './random.ts'

/** What a ClientHello says that anybody cares about. */
export interface Hello {
  /** Server name; absent: none is sent (a connection to a bare address). */
  serverName?: string
  /** Application protocols, in order of preference. */
  alpn: readonly string[]
  /** QUIC's transport parameters (RFC 9001, 8.2); the hello then has no legacy session id. */
  transportParameters?: Buffer
}

const HANDSHAKE = 22
const CHANGE_CIPHER_SPEC = 20
const APPLICATION_DATA = 23
const RECORD_LIMIT = 16384

function sized(bytes: number, body: Buffer): Buffer {
  const length = Buffer.alloc(bytes)
  length.writeUIntBE(body.length, 0, bytes)
  return Buffer.concat([length, body])
}

function extension(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(type, 0)
  return Buffer.concat([head, sized(2, body)])
}

function keyShare(random: Random): Buffer {
  return Buffer.concat([Buffer.from([0, 0x1d]), sized(2, random.bytes(32))])
}

/** One TLS record. */
export function record(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, 3, type === HANDSHAKE ? 1 : 3]), sized(2, body)])
}

/** The handshake message ClientHello, without the record around it. */
export function clientHello(hello: Hello, random: Random): Buffer {
  const quic = hello.transportParameters
  const protocols = hello.alpn.map((each) => sized(1, Buffer.from(each)))
  const extensions = [
    extension(10, Buffer.from('0004001d0017', 'hex')),
    extension(13, Buffer.from('0006040308040401', 'hex')),
    extension(16, sized(2, Buffer.concat(protocols))),
    extension(43, Buffer.from('020304', 'hex')),
    extension(45, Buffer.from('0101', 'hex')),
    extension(51, sized(2, keyShare(random))),
  ]
  if (hello.serverName) {
    const name = Buffer.concat([Buffer.from([0]), sized(2, Buffer.from(hello.serverName))])
    extensions.unshift(extension(0, sized(2, name)))
  }
  if (quic) extensions.push(extension(57, quic))
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    random.bytes(32),
    sized(1, quic ? Buffer.alloc(0) : random.bytes(32)),
    sized(2, Buffer.from('130113021303', 'hex')),
    Buffer.from([1, 0]),
    sized(2, Buffer.concat(extensions)),
  ])
  return Buffer.concat([Buffer.from([1]), sized(3, body)])
}

/** The handshake message ServerHello for AES-128-GCM. */
export function serverHello(random: Random, quic: boolean): Buffer {
  const extensions = Buffer.concat([
    extension(43, Buffer.from('0304', 'hex')),
    extension(51, keyShare(random)),
  ])
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    random.bytes(32),
    sized(1, quic ? Buffer.alloc(0) : random.bytes(32)),
    Buffer.from('130100', 'hex'),
    sized(2, extensions),
  ])
  return Buffer.concat([Buffer.from([2]), sized(3, body)])
}

/** What a client sends first. */
export function clientFlight(hello: Hello, random: Random): Buffer {
  return record(HANDSHAKE, clientHello(hello, random))
}

/** What a server answers: its hello, then closed records with a certificate of usual size. */
export function serverFlight(random: Random, noise: Noise): Buffer {
  return Buffer.concat([
    record(HANDSHAKE, serverHello(random, false)),
    record(CHANGE_CIPHER_SPEC, Buffer.from([1])),
    record(APPLICATION_DATA, noise.take(random.integer(2400, 3600))),
  ])
}

/** How a client ends the handshake. */
export function clientFinished(noise: Noise): Buffer {
  return Buffer.concat([
    record(CHANGE_CIPHER_SPEC, Buffer.from([1])),
    record(APPLICATION_DATA, noise.take(53)),
  ])
}

/** About `length` bytes of closed application data. */
export function applicationData(length: number, noise: Noise): Buffer {
  const records: Buffer[] = []
  for (let left = length; left > 0; left -= RECORD_LIMIT)
    records.push(record(APPLICATION_DATA, noise.take(Math.min(left, RECORD_LIMIT) + 17)))
  return Buffer.concat(records)
}

/** Bytes that look like ciphertext, cheaper than new ones each time. */
export class Noise {
  readonly #pool: Buffer
  #at = 0

  constructor(random: Random) {
    this.#pool = random.bytes(65_521)
  }

  /** At most 32 KiB, as a view: not to be written to. */
  take(length: number): Buffer {
    if (this.#at + length > this.#pool.length) this.#at = (this.#at + length) % 8191
    const bytes = this.#pool.subarray(this.#at, this.#at + length)
    this.#at += length
    return bytes
  }
}
