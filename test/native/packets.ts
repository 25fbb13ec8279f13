// Packets and captures made by hand, byte by byte.
import { isIPv6 } from 'node:net'

export const MAC_A = '02:0d:e0:00:00:01'
export const MAC_B = '02:0d:e0:ff:00:01'
export const BROADCAST = 'ff:ff:ff:ff:ff:ff'

export const FIN = 1
export const SYN = 2
export const RST = 4
export const PSH = 8
export const ACK = 16

/** Big-endian numbers: `u(2, 1, 2)` is two of two bytes. */
export function u(bytes: number, ...values: number[]): Buffer {
  const out = Buffer.alloc(bytes * values.length)
  values.forEach((value, i) => {
    out.writeUIntBE(value, i * bytes, bytes)
  })
  return out
}

export function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex')
}

export function ipBytes(ip: string): Buffer {
  if (!isIPv6(ip)) return Buffer.from(ip.split('.').map(Number))
  const [head = '', tail = ''] = ip.split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const before = groups(head)
  const after = groups(tail)
  const zeros = ip.includes('::') ? Array<string>(8 - before.length - after.length).fill('0') : []
  return u(2, ...[...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16)))
}

export interface EthernetOptions {
  src?: string
  dst?: string
  /** Tags from the outside in: EtherType and id. */
  tags?: [number, number][]
}

export function ethernet(type: number, payload: Buffer, options: EthernetOptions = {}): Buffer {
  const { src = MAC_A, dst = MAC_B, tags = [] } = options
  return Buffer.concat([
    macBytes(dst),
    macBytes(src),
    ...tags.map(([tag, id]) => u(2, tag, id)),
    u(2, type),
    payload,
  ])
}

export interface Ipv4Options {
  src?: string
  dst?: string
  protocol?: number
  options?: Buffer
  id?: number
  /** In bytes. */
  fragmentOffset?: number
  moreFragments?: boolean
  totalLength?: number
  headerWords?: number
  version?: number
}

export function ipv4(payload: Buffer, given: Ipv4Options = {}): Buffer {
  const options = given.options ?? Buffer.alloc(0)
  const words = given.headerWords ?? 5 + options.length / 4
  const fragment = ((given.fragmentOffset ?? 0) / 8) | (given.moreFragments ? 0x2000 : 0)
  return Buffer.concat([
    u(1, ((given.version ?? 4) << 4) | words, 0),
    u(2, given.totalLength ?? 20 + options.length + payload.length, given.id ?? 1, fragment),
    u(1, 64, given.protocol ?? 17, 0, 0),
    ipBytes(given.src ?? '192.0.2.11'),
    ipBytes(given.dst ?? '203.0.113.9'),
    options,
    payload,
  ])
}

export interface Ipv6Options {
  src?: string
  dst?: string
  next?: number
  payloadLength?: number
  version?: number
}

export function ipv6(payload: Buffer, given: Ipv6Options = {}): Buffer {
  return Buffer.concat([
    u(1, (given.version ?? 6) << 4, 0, 0, 0),
    u(2, given.payloadLength ?? payload.length),
    u(1, given.next ?? 17, 64),
    ipBytes(given.src ?? '2001:db8:1::b'),
    ipBytes(given.dst ?? '2001:db8:113::9'),
    payload,
  ])
}

export function udp(
  sport: number,
  dport: number,
  data: Buffer = Buffer.alloc(0),
  length = data.length + 8,
): Buffer {
  return Buffer.concat([u(2, sport, dport, length, 0), data])
}

export interface TcpOptions {
  flags?: number
  seq?: number
  ack?: number
  data?: Buffer
  offsetWords?: number
}

export function tcp(sport: number, dport: number, given: TcpOptions = {}): Buffer {
  const offset = given.offsetWords ?? 5
  return Buffer.concat([
    u(2, sport, dport),
    u(4, (given.seq ?? 1) >>> 0, (given.ack ?? 0) >>> 0),
    u(1, offset << 4, given.flags ?? ACK),
    u(2, 65535, 0, 0),
    given.data ?? Buffer.alloc(0),
  ])
}

export interface Talk {
  client?: string
  server?: string
  clientMac?: string
  serverMac?: string
  clientPort?: number
  serverPort?: number
}

/** Frames of one conversation over IPv4 or IPv6, as the addresses are. */
export class Conversation {
  readonly #talk: Required<Talk>

  constructor(talk: Talk = {}) {
    this.#talk = {
      client: '192.0.2.11',
      server: '203.0.113.9',
      clientMac: MAC_A,
      serverMac: MAC_B,
      clientPort: 50123,
      serverPort: 443,
      ...talk,
    }
  }

  udp(up: boolean, data: Buffer): Buffer {
    const { clientPort, serverPort } = this.#talk
    return this.#frame(
      up,
      17,
      up ? udp(clientPort, serverPort, data) : udp(serverPort, clientPort, data),
    )
  }

  tcp(up: boolean, options: TcpOptions): Buffer {
    const { clientPort, serverPort } = this.#talk
    return this.#frame(
      up,
      6,
      up ? tcp(clientPort, serverPort, options) : tcp(serverPort, clientPort, options),
    )
  }

  #frame(up: boolean, protocol: number, payload: Buffer): Buffer {
    const { client, server, clientMac, serverMac } = this.#talk
    const [src, dst] = up ? [client, server] : [server, client]
    const macs = up ? { src: clientMac, dst: serverMac } : { src: serverMac, dst: clientMac }
    return isIPv6(client)
      ? ethernet(0x86dd, ipv6(payload, { src, dst, next: protocol }), macs)
      : ethernet(0x0800, ipv4(payload, { src, dst, protocol }), macs)
  }
}

export interface Captured {
  data: Buffer
  /** Seconds since the capture's start. */
  at?: number
  /** On the wire, when it was snapped. */
  length?: number
}

/** When all our captures begin, in seconds. */
export const START_S = 1_790_000_000

export interface PcapOptions {
  link?: number
  bigEndian?: boolean
  nanoseconds?: boolean
}

export function pcap(packets: readonly (Captured | Buffer)[], options: PcapOptions = {}): Buffer {
  const { link = 1, bigEndian = false, nanoseconds = false } = options
  const words = (...values: number[]): Buffer => {
    const out = Buffer.alloc(values.length * 4)
    values.forEach((value, i) => {
      if (bigEndian) out.writeUInt32BE(value, i * 4)
      else out.writeUInt32LE(value, i * 4)
    })
    return out
  }
  const version = bigEndian ? u(2, 2, 4) : Buffer.from([2, 0, 4, 0])
  const head = [words(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4), version, words(0, 0, 65535, link)]
  const body = packets.map((packet) => {
    const { data, at = 0, length = undefined } = Buffer.isBuffer(packet) ? { data: packet } : packet
    const whole = Math.floor(at)
    const fraction = Math.round((at - whole) * (nanoseconds ? 1e9 : 1e6))
    return Buffer.concat([
      words(START_S + whole, fraction, data.length, length ?? data.length),
      data,
    ])
  })
  return Buffer.concat([...head, ...body])
}

/** Writes the blocks of pcapng, in either byte order. */
export class Pcapng {
  readonly #little: boolean
  readonly #blocks: Buffer[] = []

  constructor(little = true) {
    this.#little = little
  }

  n(bytes: number, ...values: number[]): Buffer {
    const out = u(bytes, ...values)
    if (this.#little)
      for (let i = 0; i < out.length; i += bytes) out.subarray(i, i + bytes).reverse()
    return out
  }

  block(type: number, body: Buffer, length?: number): this {
    const padded = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)])
    const size = this.n(4, length ?? padded.length + 12)
    this.#blocks.push(Buffer.concat([this.n(4, type), size, padded, size]))
    return this
  }

  section(): this {
    return this.block(
      0x0a0d0d0a,
      Buffer.concat([this.n(4, 0x1a2b3c4d), this.n(2, 1, 0), Buffer.alloc(8, 255)]),
    )
  }

  option(code: number, value: Buffer): Buffer {
    return Buffer.concat([
      this.n(2, code, value.length),
      value,
      Buffer.alloc((4 - (value.length % 4)) % 4),
    ])
  }

  interface(link = 1, options: Buffer[] = [], snap = 0): this {
    return this.block(1, Buffer.concat([this.n(2, link, 0), this.n(4, snap), ...options]))
  }

  packet(data: Buffer, ticks: bigint, index = 0, length = data.length): this {
    const time = this.n(4, Number(ticks >> 32n), Number(ticks & 0xffffffffn))
    return this.block(
      6,
      Buffer.concat([this.n(4, index), time, this.n(4, data.length, length), data]),
    )
  }

  simple(data: Buffer, length = data.length): this {
    return this.block(3, Buffer.concat([this.n(4, length), data]))
  }

  old(data: Buffer, ticks: bigint, index = 0): this {
    const time = this.n(4, Number(ticks >> 32n), Number(ticks & 0xffffffffn))
    return this.block(
      2,
      Buffer.concat([this.n(2, index, 0), time, this.n(4, data.length, data.length), data]),
    )
  }

  bytes(): Buffer {
    return Buffer.concat(this.#blocks)
  }
}
