// A DNS server for the queue's tests: answers by a table over UDP and TCP, echoes the question as it came, and counts.
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:net'
import { createServer, isIPv4, isIPv6 } from 'node:net'

export const TYPES = { A: 1, CNAME: 5, TXT: 16, AAAA: 28, HTTPS: 65 } as const

/** One record: `data` is an address, a name, text, or for HTTPS `target 4hint,… 6hint,…`. */
export interface ZoneRecord {
  name: string
  type: keyof typeof TYPES
  ttl?: number
  data: string
}

function nameBytes(name: string): Buffer {
  const labels = name === '' ? [] : name.split('.')
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ])
}

function ipv6Bytes(ip: string): Buffer {
  const [head = '', tail] = ip.split('::')
  const groups = (text: string): string[] => text.split(':').filter(Boolean)
  const [left, right] = [groups(head), groups(tail ?? '')]
  const all = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return Buffer.concat(all.map((group) => Buffer.from(group.padStart(4, '0'), 'hex')))
}

const addressBytes = (ip: string): Buffer =>
  isIPv6(ip) ? ipv6Bytes(ip) : Buffer.from(ip.split('.').map(Number))

function dataBytes({ type, data }: ZoneRecord): Buffer {
  if (type === 'A' || type === 'AAAA') return addressBytes(data)
  if (type === 'CNAME') return nameBytes(data)
  if (type === 'TXT') {
    const pieces = data.match(/.{1,200}/g) ?? []
    return Buffer.concat(
      pieces.map((text) => Buffer.from(`${String.fromCharCode(text.length)}${text}`)),
    )
  }
  const [target = '', hints = ''] = data.split(' ')
  const ips = hints.split(',').filter(Boolean)
  const hint = (key: number, list: string[]): Buffer => {
    const value = Buffer.concat(list.map(addressBytes))
    return list.length === 0
      ? value
      : Buffer.concat([Buffer.from([0, key, 0, value.length]), value])
  }
  return Buffer.concat([
    Buffer.from([0, 1]),
    nameBytes(target === '.' ? '' : target),
    hint(4, ips.filter(isIPv4)),
    hint(6, ips.filter(isIPv6)),
  ])
}

function recordBytes(record: ZoneRecord): Buffer {
  const data = dataBytes(record)
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(TYPES[record.type], 0)
  fixed.writeUInt16BE(1, 2)
  fixed.writeUInt32BE(record.ttl ?? 300, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([nameBytes(record.name), fixed, data])
}

/** Name in lower case, type, and where the question ends. */
function question(message: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = 12
  for (let size = message.readUInt8(at); size > 0; size = message.readUInt8(at)) {
    labels.push(message.toString('latin1', at + 1, at + 1 + size).toLowerCase())
    at += 1 + size
  }
  return { name: labels.join('.'), type: message.readUInt16BE(at + 1), end: at + 5 }
}

export class DnsServer {
  zone: ZoneRecord[] = []
  /** The next question is answered as if this had been asked. */
  lie: { name: string; data: string } | undefined
  /** Asked so often, by name. */
  asked: Record<string, number> = {}

  readonly #open = new Set<Socket>()

  /** Has nothing of the test before in mind, and says nothing more to who asked. */
  forget(): void {
    this.zone = []
    this.lie = undefined
    this.asked = {}
    for (const socket of this.#open) socket.resetAndDestroy()
  }

  listen(port: number): void {
    for (const kind of ['udp4', 'udp6'] as const) {
      const socket = createSocket({ type: kind, ipv6Only: kind === 'udp6' })
      socket.on('message', (bytes, from) => {
        socket.send(this.#answer(bytes, false), from.port, from.address)
      })
      socket.bind(port)
    }
    createServer((socket) => this.#serve(socket)).listen(port, '::')
  }

  #serve(socket: Socket): void {
    this.#open.add(socket)
    socket.on('close', () => this.#open.delete(socket))
    socket.setNoDelay(true)
    socket.on('error', () => {})
    let rest = Buffer.alloc(0)
    socket.on('data', async (piece) => {
      rest = Buffer.concat([rest, piece])
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const size = rest.readUInt16BE(0)
        const answer = this.#answer(rest.subarray(2, 2 + size), true)
        const split = question(rest.subarray(2, 2 + size)).name.startsWith('split')
        rest = rest.subarray(2 + size)
        const whole = Buffer.concat([
          Buffer.from([answer.length >> 8, answer.length & 255]),
          answer,
        ])
        // No more pieces than a server sends before the first is acknowledged.
        const step = split ? Math.ceil(whole.length / 7) : whole.length
        for (let at = 0; at < whole.length; at += step) {
          socket.write(whole.subarray(at, at + step))
          if (split) await new Promise((resolve) => setTimeout(resolve, 3))
        }
      }
    })
  }

  #lieTo(query: Buffer, { name, data }: { name: string; data: string }): Buffer {
    this.lie = undefined
    const head = Buffer.from(query.subarray(0, 12))
    head.writeUInt16BE(0x8180, 2)
    head.writeUInt16BE(1, 6)
    const asked = Buffer.concat([nameBytes(name), Buffer.from([0, 1, 0, 1])])
    return Buffer.concat([head, asked, recordBytes({ name, type: 'A', data })])
  }

  /** Over UDP at most 1200 bytes; beyond, truncated. `bad…` gets an answer whose records end too soon. */
  #answer(query: Buffer, tcp: boolean): Buffer {
    if (this.lie !== undefined) return this.#lieTo(query, this.lie)
    const { name, type, end } = question(query)
    this.asked[name] = (this.asked[name] ?? 0) + 1
    const found: ZoneRecord[] = []
    let at: string | undefined = name
    while (at !== undefined) {
      const of: ZoneRecord[] = this.zone.filter((record) => record.name === at)
      const alias: ZoneRecord | undefined = of.find((record) => record.type === 'CNAME')
      found.push(...(alias ? [alias] : of.filter((record) => TYPES[record.type] === type)))
      at = found.length < 20 ? alias?.data : undefined
    }
    const exists = this.zone.some((record) => record.name === name)
    const head = Buffer.from(query.subarray(0, end))
    head.writeUInt16BE(exists ? 0x8180 : 0x8183, 2)
    head.writeUInt16BE(found.length, 6)
    head.writeUInt16BE(0, 8)
    head.writeUInt16BE(0, 10)
    const whole = Buffer.concat([head, ...found.map(recordBytes)])
    if (name.startsWith('bad')) return whole.subarray(0, whole.length - 3)
    if (tcp || whole.length <= 1200) return whole
    head.writeUInt16BE(0x8380, 2)
    head.writeUInt16BE(0, 6)
    return head
  }
}
