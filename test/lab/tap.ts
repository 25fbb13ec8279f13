// A subscriber to everything that an agent says, as any other program on the broker would be.
import type { MqttClient } from 'mqtt'
import { connectAsync } from 'mqtt'
import type { Blocked, BlockedBatch, Incident } from '../../protocol/act.ts'
import type {
  AgentEvent,
  Device,
  Dns,
  DnsBatch,
  Flow,
  FlowBatch,
  Info,
} from '../../protocol/messages.ts'
import { topicsOf } from '../../protocol/topics.ts'
import type { Counted } from './counters.ts'
import { nothing } from './counters.ts'
import { until } from './process.ts'

export class Tap {
  /** The last of each flow, by id. */
  readonly flows = new Map<string, Flow>()
  /** When each flow was first heard of. */
  readonly heardOf = new Map<string, number>()
  readonly dns: Dns[] = []
  readonly devices = new Map<string, Device>()
  readonly events: AgentEvent[] = []
  readonly blocked: Blocked[] = []
  /** Those that are retained: open. */
  readonly incidents = new Map<string, Incident>()
  readonly statuses: string[] = []
  /** Gaps in the sequence numbers of batches, and batches that say they are not complete. */
  gaps = 0
  incomplete = 0
  info?: Info
  /** Called with each message about a device. */
  onDevice: ((device: Device) => void) | undefined
  readonly #agent: string
  readonly #sequences = new Map<string, number>()
  #client?: MqttClient

  constructor(agent: string) {
    this.#agent = agent
  }

  async start(url: string, timeoutMs = 10_000): Promise<void> {
    const connected = until(
      `a connection to ${url}`,
      () => connectAsync(url, { reconnectPeriod: 200 }, false).catch(() => undefined),
      timeoutMs,
      100,
    )
    this.#client = await connected
    this.#client.on('message', (topic, payload) => this.#take(topic, payload.toString()))
    await this.#client.subscribeAsync(`homespin/${this.#agent}/#`, { qos: 1 })
  }

  async stop(): Promise<void> {
    await this.#client?.endAsync(true)
  }

  /** Waits until the agent says that all its interfaces are captured. */
  async untilCapturing(timeoutMs = 10_000): Promise<void> {
    await until(
      'interfaces that are up in the info message',
      () => {
        const all = this.info?.interfaces ?? []
        const up = all.filter((one) => one.state === 'up')
        return this.statuses.at(-1) === 'online' && up.length > 0 && up.length === all.length
          ? true
          : undefined
      },
      timeoutMs,
    )
  }

  /** Bytes and packets by device, added up from the flows. */
  totals(): Map<string, Counted> {
    const totals = new Map<string, Counted>()
    const add = (id: string, sent: number, received: number, up: number, down: number): void => {
      const total = totals.get(id) ?? nothing()
      total.sent_bytes += sent
      total.received_bytes += received
      total.sent_packets += up
      total.received_packets += down
      totals.set(id, total)
    }
    for (const flow of this.flows.values()) {
      const { sent_bytes, received_bytes, sent_packets, received_packets } = flow
      add(flow.device_id, sent_bytes, received_bytes, sent_packets, received_packets)
      if (flow.peer_device_id === undefined) continue
      add(flow.peer_device_id, received_bytes, sent_bytes, received_packets, sent_packets)
    }
    return totals
  }

  /** The flow between two ends, in either direction. */
  flowBetween(local: { ip: string; port: number }, remote: { ip: string; port: number }) {
    const name = (end: { ip: string; port?: number }): string => `${end.ip} ${end.port}`
    const [one, other] = [name(local), name(remote)]
    return [...this.flows.values()].find((flow) => {
      const ends = [name(flow.originator), name(flow.responder)]
      return ends.includes(one) && ends.includes(other)
    })
  }

  #take(topic: string, text: string): void {
    const topics = topicsOf(this.#agent)
    if (topic === topics.status) this.statuses.push(text)
    else if (topic === topics.info) this.info = JSON.parse(text) as Info
    else if (topic === topics.event) this.events.push(JSON.parse(text) as AgentEvent)
    else if (topic === topics.blocked) {
      this.blocked.push(...(JSON.parse(text) as BlockedBatch).blocked)
    } else if (topic.startsWith(topics.incident('0').slice(0, -1))) {
      const id = topic.slice(topic.lastIndexOf('/') + 1)
      if (text === '') this.incidents.delete(id)
      else this.incidents.set(id, JSON.parse(text) as Incident)
    } else if (topic === topics.flow) {
      const batch = JSON.parse(text) as FlowBatch
      this.#follow(topic, batch)
      for (const flow of batch.flows) {
        this.flows.set(flow.id, flow)
        if (!this.heardOf.has(flow.id)) this.heardOf.set(flow.id, Date.now())
      }
    } else if (topic === topics.dns) {
      const batch = JSON.parse(text) as DnsBatch
      this.#follow(topic, batch)
      this.dns.push(...batch.dns)
    } else if (topic.startsWith(topics.device('000000000000').slice(0, -12))) {
      const id = topic.slice(topic.lastIndexOf('/') + 1)
      if (text === '') {
        this.devices.delete(id)
        return
      }
      const device = JSON.parse(text) as Device
      this.devices.set(id, device)
      this.onDevice?.(device)
    }
  }

  #follow(topic: string, batch: { seq: number; complete: boolean }): void {
    const last = this.#sequences.get(topic)
    if (last !== undefined && batch.seq !== last + 1) this.gaps += 1
    this.#sequences.set(topic, batch.seq)
    if (!batch.complete) this.incomplete += 1
  }
}
