// Says over MQTT what happens: topics from protocol/topics.ts alone, nothing larger than MAX_PAYLOAD_BYTES,
// nothing kept without a bound.
import { isIP } from 'node:net'
import type { Blocked, BlockedBatch, Connection, Incident } from '../../protocol/act.ts'
import type { AgentEvent, Device, Info } from '../../protocol/messages.ts'
import type { Topics } from '../../protocol/topics.ts'
import { MAX_PAYLOAD_BYTES } from '../../protocol/topics.ts'
import type { Interval } from '../interval.ts'
import type { Log } from '../log.ts'
import { Backlog } from './backlog.ts'
import { dnsRecord } from './batch.ts'
import { BatchStream } from './batch-stream.ts'
import { BlockedStream } from './blocked-stream.ts'
import { DeviceBoard } from './device-board.ts'
import { Leftovers } from './leftovers.ts'
import type { Incoming, LinkHandlers, PublishOptions, PublishOutcome } from './mqtt-link.ts'
import type { OutboxLimits, StateKind } from './outbox.ts'
import { MAX_DEVICES, Outbox } from './outbox.ts'

/** What the publisher needs of a connection; `MqttLink` is one. */
export interface Link {
  readonly connected: boolean
  readonly maxPacketBytes: number
  readonly bufferedBytes: number
  start(handlers: LinkHandlers): void
  stop(): Promise<void>
  /** Gives up what stands and connects anew; absent where a connection is never lost. */
  reconnect?(): void
  /** Hears what is retained at these filters until the result is called; undefined or absent where nothing can be left over. */
  hearRetained?(filters: readonly string[]): (() => void) | undefined
  publish(topic: string, payload: string | Buffer, options: PublishOptions): Promise<PublishOutcome>
}

export interface PublisherOptions {
  link: Link
  topics: Topics
  /** As in `Info`: tells this run of the agent from another with the same id. */
  instance: string
  clock: { now(): number }
  log: Log
  /** False: no DNS topic, and no names of remotes in flows. */
  publishNames: boolean
  /** Called with each message on a command topic, also with those that are retained. */
  onCommand?: (message: Incoming) => void
  /** Least time between two messages about a device's counters. Default 30000. */
  counterIntervalMs?: number
  limits?: OutboxLimits & { maxFlows?: number; maxDns?: number; maxBacklogBytes?: number }
  /** As `LeftoverOptions.listenMs`. */
  leftoverMs?: number
}

/** The `will` and `subscribe` options of the link that a publisher with these topics needs. */
export function linkNeeds(topics: Topics): {
  will: { topic: string; payload: string }
  subscribe: string[]
  commands: string
} {
  return {
    will: { topic: topics.status, payload: 'offline' },
    subscribe: [topics.status, topics.info, topics.instance],
    commands: topics.commands,
  }
}

const MEBIBYTE = 1024 * 1024
/** How often the own `info` is put right after somebody else wrote there. */
const CORRECT_MS = 5000

/** Publishes intervals, devices, events and the agent's own state. */
export class Publisher {
  readonly #options: PublisherOptions
  readonly #outbox: Outbox
  readonly #board: DeviceBoard
  readonly #leftovers: Leftovers
  readonly #streams: { flows: BatchStream; dns: BatchStream; blocked: BlockedStream }
  /** Topics of orders begin with it. */
  readonly #commandBase: string
  #info: Info | undefined
  #correctedMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #stopping = false
  #complete = false
  #unsent = 0

  constructor(options: PublisherOptions) {
    const { link, topics, limits = {} } = options
    this.#options = options
    this.#commandBase = topics.commands.slice(0, -1)
    this.#board = new DeviceBoard(options.counterIntervalMs ?? 30_000)
    const send = (topic: string, payload: string, retain: boolean): Promise<PublishOutcome> =>
      link.publish(topic, payload, { qos: 1, retain })
    this.#outbox = new Outbox(send, options.log, limits)
    this.#leftovers = new Leftovers({
      link,
      topics,
      isTold: (topic) => this.#outbox.tells(topic),
      log: options.log,
      maxHeard: 2 * (limits.maxDevices ?? MAX_DEVICES) + 10_000,
      ...(options.leftoverMs === undefined ? {} : { listenMs: options.leftoverMs }),
    })
    const bytes = limits.maxBacklogBytes ?? 4 * MEBIBYTE
    this.#streams = {
      flows: new BatchStream(
        link,
        topics.flow,
        'flows',
        new Backlog(limits.maxFlows ?? 20_000, bytes),
      ),
      dns: new BatchStream(
        link,
        topics.dns,
        'dns',
        new Backlog(limits.maxDns ?? 10_000, bytes / 2),
      ),
      blocked: new BlockedStream(link, topics.blocked),
    }
  }

  /** Starts the link and says `online` whenever it stands. */
  start(): void {
    const { link, topics, clock } = this.#options
    this.#stopping = false
    this.#outbox.setState(topics.status, 'online')
    link.start({
      connected: () => {
        this.#outbox.open()
        this.#streams.flows.flush()
        this.#streams.dns.flush()
        this.#streams.blocked.flush()
        if (this.#complete) this.#leftovers.look()
      },
      disconnected: () => {
        this.#leftovers.stop()
        this.#outbox.close()
      },
      message: (topic, payload, retained, reply) => {
        if (topic.startsWith(this.#commandBase)) {
          if (!this.#stopping) this.#options.onCommand?.({ topic, payload, retained, ...reply })
        } else this.#onMessage(topic, payload, retained)
      },
    })
    this.#timer = setInterval(() => {
      for (const device of this.#board.takeDue(clock.now())) this.#showDevice(device)
    }, 1000)
    this.#timer.unref()
  }

  /** Everything that there is has been told: what else is retained on the topics of devices and incidents is left over. */
  complete(): void {
    this.#complete = true
    if (this.#options.link.connected) this.#leftovers.look()
  }

  /** Hands over what waits, as far as that goes in two seconds, says `offline` and disconnects. */
  async stop(): Promise<void> {
    const { link, topics } = this.#options
    this.#stopping = true
    clearInterval(this.#timer)
    this.#leftovers.stop()
    await within(1000, this.#outbox.drained())
    if (link.connected)
      await within(1000, link.publish(topics.status, 'offline', { qos: 1, retain: true }))
    this.#outbox.close()
    await link.stop()
  }

  /** Publishes an interval's flows and DNS queries; while the broker is away or slow they are merged and wait. */
  publishInterval(interval: Interval): void {
    const { publishNames } = this.#options
    const { from_ms, to_ms, complete, flows, dns } = interval
    const span = { from_ms, to_ms, complete }
    this.#streams.flows.addLines(span, flows.lines(publishNames))
    if (publishNames && dns.length > 0) this.#streams.dns.add(span, undefined, dns.map(dnsRecord))
  }

  /** While flows are under way, resolves when they have gone. */
  get busy(): Promise<void> | undefined {
    return this.#streams.flows.busy
  }

  publishInfo(info: Info): void {
    this.#info = info
    this.#setState(this.#options.topics.info, JSON.stringify(info))
  }

  /** Publishes a device: at once where anything but its counters changed, else at most every 30 s. */
  publishDevice(device: Device): void {
    if (this.#board.offer(device, this.#options.clock.now())) this.#showDevice(device)
  }

  /** Clears a device's retained state. */
  forgetDevice(id: string): void {
    this.#board.forget(id)
    this.#setState(this.#options.topics.device(id), '', 'device')
  }

  publishEvent(event: AgentEvent): void {
    const payload = JSON.stringify(event)
    if (this.#fits(payload)) this.#outbox.addEvent(this.#options.topics.event, payload)
  }

  /** Publishes an incident: retained while it is open; at its end once unretained, and then it is cleared. */
  publishIncident(incident: Incident): void {
    const topic = this.#options.topics.incident(incident.id)
    const payload = JSON.stringify(incident)
    const clear = (): void => this.#setState(topic, '')
    if (incident.state === 'open') this.#setState(topic, payload)
    else if (this.#fits(payload)) this.#outbox.addEvent(topic, payload, clear)
    else clear()
  }

  /** Publishes what was dropped; while the broker is away or slow it is summed up and waits. */
  publishBlocked({ from_ms, to_ms, blocked }: BlockedBatch): void {
    const shown = this.#options.publishNames ? blocked : blocked.map(withoutName)
    this.#streams.blocked.add({ from_ms, to_ms, blocked: shown })
  }

  /** Publishes a first packet that waits: now or never, and never is counted. */
  publishConnection(connection: Connection): void {
    const { link, topics, publishNames } = this.#options
    const { remote_name, ...nameless } = connection
    const payload = JSON.stringify(publishNames ? connection : nameless)
    if (!link.connected || link.bufferedBytes > MEBIBYTE) this.#unsent++
    else if (this.#fits(payload))
      void link.publish(topics.connection, payload, { qos: 0, retain: false })
  }

  /** What was dropped since the start, for `Info.loss`: events, states, flows, DNS queries, what was blocked and what waited. */
  get spoolDropped(): number {
    return (
      this.#outbox.dropped +
      this.#streams.flows.dropped +
      this.#streams.dns.dropped +
      this.#streams.blocked.dropped +
      this.#unsent
    )
  }

  #showDevice(device: Device): void {
    this.#setState(this.#options.topics.device(device.id), JSON.stringify(device), 'device')
  }

  #setState(topic: string, payload: string, of: StateKind = 'own'): void {
    if (this.#fits(payload)) this.#outbox.setState(topic, payload, of)
  }

  #fits(payload: string): boolean {
    // Four bytes a unit are more than UTF-8 takes: the count is needed for large ones only.
    if (payload.length * 4 <= MAX_PAYLOAD_BYTES || Buffer.byteLength(payload) <= MAX_PAYLOAD_BYTES)
      return true
    this.#unsent++
    return false
  }

  /** Its own words come back too; what others have written on the agent's own topics is put right. */
  #onMessage(topic: string, payload: Buffer, retained: boolean): void {
    const { topics, instance, clock } = this.#options
    // Live messages only: a retained one may be left over from a run that is gone.
    if (this.#leftovers.take(topic, payload, retained) || retained || this.#stopping) return
    if (topic === topics.status && payload.toString('latin1') === 'offline') {
      // The will of a lost connection of ours, or another instance that stopped: this one is here.
      this.#outbox.setState(topics.status, 'online')
      return
    }
    if (topic !== topics.info || this.#info === undefined) return
    const now = clock.now()
    const own = payload.includes(`"instance":"${instance}"`)
    if (own || Math.abs(now - this.#correctedMs) < CORRECT_MS) return
    this.#correctedMs = now
    this.#setState(topics.info, JSON.stringify(this.#info))
  }
}

/** What a name can't be told of: an address stays. */
function withoutName(blocked: Blocked): Blocked {
  const { remote, ...nameless } = blocked
  return remote === undefined || isIP(remote.replace(/\/\d+$/, '')) !== 0 ? blocked : nameless
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, ms)))])
  clearTimeout(timer)
}
