// First packets that wait for a verdict: tells who asks, takes the answer, and leaves everything with a deadline to the thread.
import { CONNECTION, CONNECTION_BYTES, CONNECTION_FLAGS } from '../../../native/layout.ts'
import type {
  AskedDevice,
  Connections,
  FirstPackets,
  FirstPacketsCounters,
  FirstPacketsOptions,
} from '../../../native/queue.ts'
import type { Connection } from '../../../protocol/act.ts'
import type { Capability, Direction } from '../../../protocol/messages.ts'
import { formatIp } from '../../address.ts'
import { protocolName, serviceName } from '../../flows/services.ts'
import type { Log } from '../../log.ts'
import type { Desired } from '../../policy/desired.ts'
import type { Place } from '../place/place.ts'

/** The native thread, as far as it is used here. */
export type FirstPacketsThread = Pick<
  FirstPackets,
  'start' | 'stop' | 'setDevices' | 'verdict' | 'forget' | 'counters'
>

export interface FirstPacketsParts {
  /** Makes a thread; it serves its queue once it is started. */
  packets: (options: FirstPacketsOptions) => FirstPacketsThread
  /** A connection waits: publish it. */
  onConnection: (connection: Connection) => void
  /** What a device calls a remote. */
  nameOf: (deviceId: string, ip: string) => string | undefined
  /** Whether an address is of the home. */
  isLocal: (ip: string) => boolean
  /** Distinguishes the ids of this run from those of others: base 36. */
  run: string
  log: Log
}

export interface FirstPacketsSettings {
  /** What is done where nobody answers. */
  otherwise: 'accept' | 'drop'
  /** Milliseconds that a connection waits, 1 to 10000. */
  deadlineMs: number
}

/** What came of a verdict. `late`: it was decided before, or never waited. */
export type VerdictOutcome = 'decided' | 'late'

const HAS_PORTS = new Set([6, 17])
/** More can't wait: what the thread holds. */
const MOST_WAITING = 4096

export class FirstPacketDesk {
  readonly #parts: FirstPacketsParts
  readonly #settings: FirstPacketsSettings
  #thread: FirstPacketsThread | undefined
  #asked = ''
  #devices: AskedDevice[] = []
  /** Ids by the number that the thread has for them. */
  #ids = new Map<bigint, string>()
  /** By the number of the connection: when it is over. In the order of their deadlines. */
  readonly #waiting = new Map<number, number>()
  #problem: string | undefined = 'There is no place to enforce at yet.'

  constructor(settings: FirstPacketsSettings, parts: FirstPacketsParts) {
    this.#settings = settings
    this.#parts = parts
  }

  /** Serves the queue of a place; where it can't, `capability` says why. */
  start(place: Place): void {
    const options: FirstPacketsOptions = {
      queue: place.queues.first,
      deadlineMs: this.#settings.deadlineMs,
    }
    const asked = JSON.stringify([options, place.features.queue])
    if (asked === this.#asked) return
    this.stop()
    if (place.features.queue === undefined) {
      this.#problem =
        'The kernel puts no packets to user space (NFQUEUE), which asking before a connection needs.'
      return
    }
    try {
      const thread = this.#parts.packets(options)
      thread.setDevices(this.#devices)
      thread.start((connections) => this.#take(connections))
      this.#thread = thread
      this.#asked = asked
      this.#problem = undefined
    } catch (error) {
      this.#problem = `Connections can not be asked about: ${(error as Error).message}`
      this.#parts.log.warn(this.#problem)
    }
  }

  /** What waits is decided by the default; from then on everything passes. */
  stop(): void {
    this.#thread?.stop()
    this.#thread = undefined
    this.#asked = ''
    this.#waiting.clear()
    this.#problem = 'Asking before connections was stopped.'
  }

  capability(): Capability {
    if (this.#problem !== undefined) return { ok: false, reason: this.#problem }
    const { deadlineMs, otherwise } = this.#settings
    const reason = `A connection waits ${deadlineMs} ms for a verdict, then: ${otherwise}.`
    return { ok: true, reason }
  }

  /** Which devices are asked about. What was remembered of others is forgotten. */
  apply(desired: Desired): void {
    const accept = this.#settings.otherwise === 'accept'
    const devices = desired.devices
      .filter(({ restrictions }) => restrictions.ask !== undefined)
      .map(({ deviceId, mac, ips }) => ({ id: deviceId, mac, ips, accept }))
    const now = new Set(devices.map(({ id }) => id))
    const gone = this.#devices.filter(({ id }) => !now.has(id))
    this.#devices = devices
    this.#ids = new Map(devices.map(({ id }) => [BigInt(`0x${id}`), id]))
    this.#thread?.setDevices(devices)
    for (const { id } of gone) this.#thread?.forget(id)
  }

  /** Decides on a connection by the id that was published; `forMs`: and on all like it for so long. */
  verdict(id: string, accept: boolean, forMs = 0): VerdictOutcome {
    const [run, text = ''] = id.split('-')
    const number = /^[0-9a-z]{1,10}$/.test(text) ? Number.parseInt(text, 36) : Number.NaN
    const deadline = run === this.#parts.run ? this.#waiting.get(number) : undefined
    if (deadline === undefined || this.#thread === undefined) return 'late'
    this.#waiting.delete(number)
    if (deadline <= Date.now()) return 'late'
    this.#thread.verdict(number, accept, forMs)
    return 'decided'
  }

  counters(): FirstPacketsCounters | undefined {
    return this.#thread?.counters()
  }

  #take({ count, connections }: Connections): void {
    this.#forgetOld()
    const view = new DataView(connections)
    for (let i = 0; i < count; i++) {
      const connection = this.#read(view, i * CONNECTION_BYTES)
      if (connection) this.#parts.onConnection(connection)
    }
  }

  #forgetOld(): void {
    const now = Date.now()
    for (const [number, deadline] of this.#waiting) {
      if (deadline > now && this.#waiting.size < MOST_WAITING) break
      this.#waiting.delete(number)
    }
  }

  #read(view: DataView, at: number): Connection | undefined {
    const deviceId = this.#ids.get(view.getBigUint64(at + CONNECTION.DEVICE, true))
    const flags = view.getUint8(at + CONNECTION.FLAGS)
    const inbound = (flags & CONNECTION_FLAGS.INBOUND) !== 0
    const number = view.getFloat64(at + CONNECTION.ID, true)
    const deadline = view.getFloat64(at + CONNECTION.DEADLINE_MS, true)
    if (deviceId === undefined) return undefined
    this.#waiting.set(number, deadline)
    const protocolNumber = view.getUint8(at + CONNECTION.PROTOCOL)
    const ipv6 = (flags & CONNECTION_FLAGS.IPV6) !== 0
    const bytes = (offset: number, length: number): Uint8Array =>
      new Uint8Array(view.buffer, at + offset, length)
    const end = (ip: number, port: number): Connection['originator'] => ({
      ip: formatIp(bytes(ip, ipv6 ? 16 : 4), ipv6),
      ...(HAS_PORTS.has(protocolNumber) ? { port: view.getUint16(at + port, true) } : {}),
    })
    const originator = end(CONNECTION.ORIG_IP, CONNECTION.ORIG_PORT)
    const responder = end(CONNECTION.RESP_IP, CONNECTION.RESP_PORT)
    const mac = Array.from(bytes(CONNECTION.MAC, 6), (byte) => byte.toString(16).padStart(2, '0'))
    if (!inbound && mac.some((byte) => byte !== '00')) originator.mac = mac.join(':')
    const remote = inbound ? originator : responder
    const name = this.#parts.nameOf(deviceId, remote.ip)
    const service =
      responder.port === undefined ? undefined : serviceName(protocolNumber, responder.port)
    const direction: Direction = this.#parts.isLocal(remote.ip)
      ? 'local'
      : inbound
        ? 'inbound'
        : 'outbound'
    return {
      type: 'connection',
      id: `${this.#parts.run}-${number.toString(36)}`,
      device_id: deviceId,
      direction,
      protocol: protocolName(protocolNumber),
      originator,
      responder,
      ...(name === undefined ? {} : { remote_name: name }),
      ...(service === undefined ? {} : { service }),
      asked_ms: Math.round(view.getFloat64(at + CONNECTION.ASKED_MS, true)),
      deadline_ms: Math.round(deadline),
      default: (flags & CONNECTION_FLAGS.ACCEPTS) !== 0 ? 'accept' : 'drop',
    }
  }
}
