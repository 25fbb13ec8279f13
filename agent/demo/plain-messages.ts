// Messages that devices send in the clear: DHCP, NTP, MQTT, HTTP, SSDP, ICMPv6, CoAP.
import type { Address } from './frames.ts'
import type { Random } from './random.ts'

const DHCP_BYTES = 300
const NTP_EPOCH_S = 2_208_988_800

export const DHCP = { DISCOVER: 1, OFFER: 2, REQUEST: 3, ACK: 5 } as const

/** What a DHCP message says (RFC 2131). */
export interface DhcpMessage {
  kind: number
  transaction: number
  mac: Buffer
  /** What the client holds already, for a renewal. */
  held?: Address
  /** What is offered, asked for or given. */
  lease?: Address
  server?: Address
  /** Option 12, by clients. */
  hostname?: string
  /** Option 60, by clients. */
  vendorClass?: string
}

/** A DHCP message with its options. */
export function dhcpMessage(message: DhcpMessage): Buffer {
  const reply = message.kind === DHCP.OFFER || message.kind === DHCP.ACK
  const head = Buffer.alloc(240)
  head.set([reply ? 2 : 1, 1, 6, 0])
  head.writeUInt32BE(message.transaction, 4)
  message.held?.bytes.copy(head, 12)
  if (reply) message.lease?.bytes.copy(head, 16)
  message.mac.copy(head, 28)
  head.writeUInt32BE(0x63825363, 236)
  const option = (code: number, body: Buffer): Buffer =>
    Buffer.concat([Buffer.from([code, body.length]), body])
  const options = [option(53, Buffer.from([message.kind]))]
  if (reply && message.server) {
    options.push(option(54, message.server.bytes), option(51, Buffer.from([0, 0, 0x0e, 0x10])))
    options.push(option(1, Buffer.from([255, 255, 255, 0])), option(3, message.server.bytes))
    options.push(option(6, message.server.bytes))
  }
  if (!reply && message.lease) options.push(option(50, message.lease.bytes))
  if (message.hostname) options.push(option(12, Buffer.from(message.hostname)))
  if (message.vendorClass) options.push(option(60, Buffer.from(message.vendorClass)))
  if (!reply) options.push(option(55, Buffer.from([1, 3, 6, 15, 28, 42])))
  const whole = Buffer.concat([head, ...options, Buffer.from([255])])
  return Buffer.concat([whole], Math.max(DHCP_BYTES, whole.length))
}

/** An NTP request, or its answer (RFC 5905). */
export function ntpMessage(timeMs: number, answer: boolean): Buffer {
  const message = Buffer.alloc(48)
  message[0] = answer ? 0x24 : 0x23
  if (answer) message.set([2, 6, 0xec], 1)
  message.writeUInt32BE((Math.floor(timeMs / 1000) + NTP_EPOCH_S) >>> 0, 40)
  message.writeUInt32BE(Math.floor(((timeMs % 1000) / 1000) * 0x1_0000_0000) >>> 0, 44)
  return message
}

function mqttPacket(first: number, body: Buffer): Buffer {
  const length = body.length < 128 ? [body.length] : [0x80 | (body.length & 0x7f), body.length >> 7]
  return Buffer.concat([Buffer.from([first, ...length]), body])
}

function mqttText(text: string): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(Buffer.byteLength(text), 0)
  return Buffer.concat([length, Buffer.from(text)])
}

/** MQTT 3.1.1 packets; payloads below 16 KiB. */
export const mqttPackets = {
  connect: (clientId: string): Buffer =>
    mqttPacket(
      0x10,
      Buffer.concat([mqttText('MQTT'), Buffer.from([4, 2, 0, 15]), mqttText(clientId)]),
    ),
  accepted: (): Buffer => mqttPacket(0x20, Buffer.from([0, 0])),
  publish: (topic: string, payload: string): Buffer =>
    mqttPacket(0x30, Buffer.concat([mqttText(topic), Buffer.from(payload)])),
  ping: (): Buffer => mqttPacket(0xc0, Buffer.alloc(0)),
  pong: (): Buffer => mqttPacket(0xd0, Buffer.alloc(0)),
} as const

/** The head of an HTTP/1.1 request, with a body of `length` bytes to follow. */
export function httpRequest(
  method: string,
  host: string,
  path: string,
  agent: string,
  length = 0,
): Buffer {
  const body = length
    ? `Content-Type: application/octet-stream\r\nContent-Length: ${length}\r\n`
    : ''
  return Buffer.from(
    `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: ${agent}\r\n${body}\r\n`,
  )
}

/** The head of an answer with a body of `length` bytes to follow. */
export function httpResponse(length: number): Buffer {
  const type = 'Content-Type: application/octet-stream'
  return Buffer.from(`HTTP/1.1 200 OK\r\n${type}\r\nContent-Length: ${length}\r\n\r\n`)
}

/** A search for every root device (UPnP 1.1). */
export function ssdpSearch(target: string): Buffer {
  return Buffer.from(
    `M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 2\r\nST: ${target}\r\n\r\n`,
  )
}

/** What a device answers to a search. */
export function ssdpAnswer(target: string, location: string, id: string): Buffer {
  return Buffer.from(
    `HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\nLOCATION: ${location}\r\nST: ${target}\r\nUSN: uuid:${id}::${target}\r\n\r\n`,
  )
}

/** A neighbour solicitation or advertisement (RFC 4861) for `target` from the owner of `mac`. */
export function neighbourMessage(solicitation: boolean, target: Address, mac: Buffer): Buffer {
  const message = Buffer.alloc(32)
  message[0] = solicitation ? 135 : 136
  if (!solicitation) message[4] = 0x60
  target.bytes.copy(message, 8)
  message.set([solicitation ? 1 : 2, 1], 24)
  mac.copy(message, 26)
  return message
}

/** A router advertisement (RFC 4861) of a /64 prefix. */
export function routerAdvertisement(prefix: Address, mac: Buffer): Buffer {
  const message = Buffer.alloc(56)
  message.set([134, 0, 0, 0, 64, 0, 0x07, 0x08])
  message.set([1, 1], 16)
  mac.copy(message, 18)
  message.set([3, 4, 64, 0xc0], 24)
  message.writeUInt32BE(86_400, 28)
  message.writeUInt32BE(14_400, 32)
  prefix.bytes.copy(message, 40)
  return message
}

/** An echo request or reply, of ICMP or ICMPv6, with 56 bytes of data. */
export function echoMessage(v6: boolean, request: boolean, id: number, sequence: number): Buffer {
  const message = Buffer.alloc(64, 0x2e)
  message.writeUInt32BE(0, 0)
  message[0] = v6 ? (request ? 128 : 129) : request ? 8 : 0
  message.writeUInt16BE(id, 4)
  message.writeUInt16BE(sequence, 6)
  return message
}

/** A confirmable CoAP GET of `path`, or the answer with `payload` (RFC 7252). */
export function coapMessage(id: number, token: Buffer, path: string, payload?: string): Buffer {
  const head = Buffer.alloc(4)
  head[0] = (payload === undefined ? 0x40 : 0x60) | token.length
  head[1] = payload === undefined ? 0x01 : 0x45
  head.writeUInt16BE(id, 2)
  if (payload !== undefined)
    return Buffer.concat([head, token, Buffer.from([0xff]), Buffer.from(payload)])
  return Buffer.concat([head, token, Buffer.from([0xb0 | path.length]), Buffer.from(path)])
}

/** A version 4 UUID. */
export function uuid(random: Random): string {
  const hex = random.bytes(16).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
}
