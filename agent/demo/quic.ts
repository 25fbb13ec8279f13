// QUIC version 1 as an observer sees it (RFC 9000, 9001): Initial packets under their public keys, the rest closed.
import { createCipheriv, createHmac } from 'node:crypto'
import type { Random } from './random.ts'
import type { Noise } from './tls-messages.ts'
import { clientHello, serverHello } from './tls-messages.ts'

const INITIAL_SALT = Buffer.from('38762cf7f55934b34d179ae6a4c80cadccbb7f0a', 'hex')
const SMALLEST_INITIAL = 1200
const TAG_BYTES = 16
const PACKET_NUMBER_BYTES = 2

/** What protects the Initial packets of one end. */
export interface InitialKeys {
  key: Buffer
  iv: Buffer
  headerProtection: Buffer
}

function expandLabel(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`)
  const info = Buffer.concat([
    Buffer.from([0, length, name.length]),
    name,
    Buffer.from([0]),
    Buffer.from([1]),
  ])
  return createHmac('sha256', secret).update(info).digest().subarray(0, length)
}

/** Keys of `client` or server, made of the connection id that the client chose first (RFC 9001, 5.2). */
export function initialKeys(connectionId: Buffer, client: boolean): InitialKeys {
  const initial = createHmac('sha256', INITIAL_SALT).update(connectionId).digest()
  const secret = expandLabel(initial, client ? 'client in' : 'server in', 32)
  return {
    key: expandLabel(secret, 'quic key', 16),
    iv: expandLabel(secret, 'quic iv', 12),
    headerProtection: expandLabel(secret, 'quic hp', 16),
  }
}

/** A variable-length integer below 2^14, in two bytes (RFC 9000, 16). */
function twoBytes(value: number): Buffer {
  return Buffer.from([0x40 | (value >> 8), value & 0xff])
}

function cryptoFrame(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from([6, 0]), twoBytes(message.length), message])
}

/** One Initial packet: sealed, then its header protected (RFC 9001, 5.3 and 5.4). */
function initialPacket(
  keys: InitialKeys,
  target: Buffer,
  source: Buffer,
  frames: Buffer,
  size: number,
): Buffer {
  const fixed = Buffer.concat([
    Buffer.from([0xc0 | (PACKET_NUMBER_BYTES - 1), 0, 0, 0, 1, target.length]),
    target,
    Buffer.from([source.length]),
    source,
    Buffer.from([0]),
  ])
  const overhead = fixed.length + 2 + PACKET_NUMBER_BYTES + TAG_BYTES
  const plain = Buffer.concat([frames], Math.max(frames.length, size - overhead))
  const length = twoBytes(PACKET_NUMBER_BYTES + plain.length + TAG_BYTES)
  const header = Buffer.concat([fixed, length, Buffer.alloc(PACKET_NUMBER_BYTES)])
  const cipher = createCipheriv('aes-128-gcm', keys.key, keys.iv)
  cipher.setAAD(header)
  const sealed = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  const packet = Buffer.concat([header, sealed])

  const number = header.length - PACKET_NUMBER_BYTES
  const sample = packet.subarray(number + 4, number + 20)
  const mask = createCipheriv('aes-128-ecb', keys.headerProtection, null).update(sample)
  packet[0]! ^= mask[0]! & 0x0f
  for (let i = 0; i < PACKET_NUMBER_BYTES; i++) packet[number + i]! ^= mask[1 + i]!
  return packet
}

/** The client's first datagram, with a ClientHello that names the server. */
export function clientInitial(
  serverName: string,
  connectionId: Buffer,
  source: Buffer,
  random: Random,
): Buffer {
  const transportParameters = Buffer.concat([
    Buffer.from('010480007530', 'hex'),
    Buffer.from([0x0f, source.length]),
    source,
  ])
  const hello = clientHello({ serverName, alpn: ['h3'], transportParameters }, random)
  return initialPacket(
    initialKeys(connectionId, true),
    connectionId,
    source,
    cryptoFrame(hello),
    SMALLEST_INITIAL,
  )
}

/** The server's first datagram: an acknowledgment, its ServerHello, and a closed Handshake packet behind. */
export function serverInitial(
  connectionId: Buffer,
  client: Buffer,
  source: Buffer,
  random: Random,
  noise: Noise,
): Buffer {
  const acknowledgment = Buffer.from([2, 0, 0, 0, 0])
  const frames = Buffer.concat([acknowledgment, cryptoFrame(serverHello(random, true))])
  const initial = initialPacket(initialKeys(connectionId, false), client, source, frames, 0)
  const body = noise.take(SMALLEST_INITIAL - initial.length - client.length - source.length - 9)
  const handshake = Buffer.concat([
    Buffer.from([0xe0 | (PACKET_NUMBER_BYTES - 1), 0, 0, 0, 1, client.length]),
    client,
    Buffer.from([source.length]),
    source,
    twoBytes(body.length),
    body,
  ])
  return Buffer.concat([initial, handshake])
}

/** A packet with a short header: about `length` closed bytes. */
export function shortPacket(target: Buffer, length: number, noise: Noise): Buffer {
  return Buffer.concat([Buffer.from([0x41]), target, noise.take(Math.max(length, 24))])
}
