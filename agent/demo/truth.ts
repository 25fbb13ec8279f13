// What a capture of the demo home truly holds, counted from the bytes of its frames and not by what built them.
import { LONGEST_PAUSE_S, SHORTEST_RETURN_S } from './scenario.ts'
import type { Note, Packet } from './world.ts'

/** Of one device, by its MAC: frames from it (`sent`) and to it (`received`); bytes from the IP header on. */
export interface DeviceTruth {
  mac: string
  hostname: string
  ips: string[]
  ip_bytes_sent: number
  ip_bytes_received: number
  ip_packets_sent: number
  ip_packets_received: number
  /** Query messages by name, over UDP and TCP. */
  dns: Record<string, number>
  /** TLS connections over TCP by server name. */
  sni: Record<string, number>
  /** QUIC connections by server name. */
  quic: Record<string, number>
  /** HTTP requests in the clear by host. */
  http: Record<string, number>
}

/** What a capture holds in all. */
export interface Truth {
  seed: number
  packets: number
  /** Whole frames. */
  bytes: number
  ip_packets: number
  ip_bytes: number
  flows: number
  dns_queries: number
  /** MAC of the router, which is none of the devices below. */
  gateway: string
  devices: DeviceTruth[]
}

/** One device, before anything was counted. */
export interface Known {
  mac: Buffer
  hostname: string
  ips: string[]
}

/** Counts as frames go by. */
export class TruthCounter {
  readonly #truth: Truth
  readonly #byMac = new Map<string, DeviceTruth>()
  /** When each 5-tuple was last seen, in microseconds. */
  readonly #lastSeen = new Map<string, number>()

  constructor(seed: number, gateway: Buffer, devices: readonly Known[]) {
    const none = {
      ip_bytes_sent: 0,
      ip_bytes_received: 0,
      ip_packets_sent: 0,
      ip_packets_received: 0,
    }
    for (const { mac, hostname, ips } of devices) {
      const text = macText(mac)
      const names = { dns: {}, sni: {}, quic: {}, http: {} }
      this.#byMac.set(text, { mac: text, hostname, ips, ...none, ...names })
    }
    this.#truth = {
      seed,
      packets: 0,
      bytes: 0,
      ip_packets: 0,
      ip_bytes: 0,
      flows: 0,
      dns_queries: 0,
      gateway: macText(gateway),
      devices: [...this.#byMac.values()],
    }
  }

  note(note: Note): void {
    const device = this.#byMac.get(macText(note.mac))
    if (note.kind === 'dns') this.#truth.dns_queries++
    if (device) device[note.kind][note.name] = (device[note.kind][note.name] ?? 0) + 1
  }

  /** Throws if a flow pauses in a way that different meters would count differently. */
  count({ frame, timeUs }: Packet): void {
    const truth = this.#truth
    truth.packets++
    truth.bytes += frame.length
    const type = frame.readUInt16BE(12)
    if (type !== 0x0800 && type !== 0x86dd) return
    const v6 = type === 0x86dd
    const bytes = v6 ? 40 + frame.readUInt16BE(18) : frame.readUInt16BE(16)
    truth.ip_packets++
    truth.ip_bytes += bytes
    const from = this.#byMac.get(macText(frame.subarray(6, 12)))
    if (from) {
      from.ip_packets_sent++
      from.ip_bytes_sent += bytes
    }
    const to = this.#byMac.get(macText(frame.subarray(0, 6)))
    if (to) {
      to.ip_packets_received++
      to.ip_bytes_received += bytes
    }
    this.#countFlow(frame, v6, timeUs)
  }

  result(): Truth {
    return this.#truth
  }

  #countFlow(frame: Buffer, v6: boolean, timeUs: number): void {
    const protocol = frame[v6 ? 20 : 23]!
    const [source, target, transport] = v6 ? [22, 38, 54] : [26, 30, 34]
    const ported = protocol === 6 || protocol === 17
    const end = (at: number, port: number): string =>
      frame.toString('hex', at, at + (v6 ? 16 : 4)) + (ported ? frame.readUInt16BE(port) : '')
    const ends = [end(source, transport), end(target, transport + 2)].sort()
    const key = `${protocol} ${ends[0]} ${ends[1]}`
    const pauseS = (timeUs - (this.#lastSeen.get(key) ?? Number.NEGATIVE_INFINITY)) / 1e6
    this.#lastSeen.set(key, timeUs)
    if (pauseS > SHORTEST_RETURN_S) this.#truth.flows++
    else if (pauseS > LONGEST_PAUSE_S)
      throw new Error(`the demo home is wrong: flow ${key} pauses for ${pauseS.toFixed(1)} s`)
  }
}

function macText(mac: Buffer): string {
  return mac.toString('hex').replace(/..(?!$)/g, '$&:')
}
