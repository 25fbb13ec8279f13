// `GET api/live`: server-sent events. Each frame is made once for all clients; a client that does not read gets
// frames left out, later a fresh snapshot, and is cut when it stays behind.
import type { ServerResponse } from 'node:http'
import type { BlockedBatch, Connection, Incident } from '../../protocol/act.ts'
import type { DeviceList, DeviceRate, LiveEvents } from '../../protocol/http.ts'
import type { AgentEvent, Device, Info } from '../../protocol/messages.ts'
import type { Group, JournalEntry, RuleView } from '../../protocol/policy.ts'
import type { ChangedFlows, Interval } from '../interval.ts'

/** All that holds at this moment. */
export interface LiveSnapshot {
  info: Info
  devices: DeviceList
  /** Absent where nothing can be ordered. */
  rules?: readonly RuleView[]
  groups?: readonly Group[]
  /** Those that are open. */
  incidents?: readonly Incident[]
}

export interface LiveFeedOptions {
  /** What a new client, or one that fell behind, gets first. */
  snapshot: () => LiveSnapshot
  /** Default 16. */
  maxClients?: number
  /** Bytes that may wait for one client, besides one frame. Default 1 MiB: a busy second is half of that. */
  maxBufferedBytes?: number
  /** How long a client may stay behind. Default 30000. */
  maxBehindMs?: number
  /** Default 15000. */
  heartbeatMs?: number
}

interface Client {
  response: ServerResponse
  /** Since when frames are left out; undefined: it keeps up. */
  behindSinceMs: number | undefined
}

/** Flows in one frame. */
const MAX_FLOWS = 1000
/** Of a batch that has so many flows there are several a second. */
const MANY_FLOWS = 4096
const FLOWS_OF_MANY = 250
/** DNS queries in one frame. */
const MAX_QUERIES = 250
const LINE_FEED = 10
const COMMA = Buffer.from(',')

/** Tells every connected page what happens. */
export class LiveFeed {
  readonly #options: LiveFeedOptions
  readonly #clients = new Set<Client>()
  #heartbeat: NodeJS.Timeout | undefined

  constructor(options: LiveFeedOptions) {
    this.#options = options
  }

  start(): void {
    this.#heartbeat = setInterval(() => this.#beat(), this.#options.heartbeatMs ?? 15_000)
    this.#heartbeat.unref()
  }

  stop(): void {
    clearInterval(this.#heartbeat)
    for (const { response } of this.#clients) response.destroy()
    this.#clients.clear()
  }

  /** How many clients there are: without any, frames need not be made. */
  get clients(): number {
    return this.#clients.size
  }

  /** Makes `response` a client of the feed; false where there are as many as are allowed. */
  join(response: ServerResponse): boolean {
    if (this.#clients.size >= (this.#options.maxClients ?? 16)) return false
    response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      // A proxy that gathers answers would hold the feed back.
      'X-Accel-Buffering': 'no',
    })
    const client: Client = { response, behindSinceMs: undefined }
    this.#clients.add(client)
    response.on('close', () => this.#clients.delete(client))
    response.write('retry: 2000\n\n')
    this.#sendSnapshot(client)
    return true
  }

  /** One second of traffic, with the rates of the devices over it. */
  interval(interval: Interval, rates: readonly DeviceRate[]): void {
    if (this.#clients.size === 0) return
    this.#sendFrame(flowsFrame(interval))
    const { dns, to_ms } = interval
    if (dns.length > 0)
      this.#send('dns', { dns: dns.slice(0, MAX_QUERIES), asked: dns.length, to_ms })
    this.#send('rates', { rates: [...rates], to_ms })
  }

  device(device: Device): void {
    this.#send('device', device)
  }

  event(event: AgentEvent): void {
    this.#send('event', event)
  }

  info(info: Info): void {
    this.#send('info', info)
  }

  /** All rules, whenever one of them or its state has changed. */
  rules(rules: readonly RuleView[]): void {
    this.#send('rules', { rules: [...rules] })
  }

  groups(groups: readonly Group[]): void {
    this.#send('groups', { groups: [...groups] })
  }

  journal(entry: JournalEntry): void {
    this.#send('journal', entry)
  }

  incident(incident: Incident): void {
    this.#send('incident', incident)
  }

  blocked(batch: BlockedBatch): void {
    this.#send('blocked', batch)
  }

  connection(connection: Connection): void {
    this.#send('connection', connection)
  }

  #send<Name extends keyof LiveEvents>(name: Name, data: LiveEvents[Name]): void {
    if (this.#clients.size === 0) return
    this.#sendFrame(frameOf(name, data))
  }

  #sendFrame(frame: string | Buffer): void {
    for (const client of this.#clients) this.#write(client, frame)
  }

  #write(client: Client, frame: string | Buffer): void {
    if (this.#isBehind(client)) return
    client.response.write(frame)
  }

  /** Whether `client` gets nothing now; one that has caught up gets a snapshot instead of what it missed. */
  #isBehind(client: Client): boolean {
    const { response } = client
    const waiting = response.writableLength
    if (client.behindSinceMs === undefined) {
      if (waiting <= (this.#options.maxBufferedBytes ?? 1024 * 1024)) return false
      client.behindSinceMs = performance.now()
      return true
    }
    if (waiting > 0) {
      if (performance.now() - client.behindSinceMs > (this.#options.maxBehindMs ?? 30_000))
        response.destroy()
      return true
    }
    client.behindSinceMs = undefined
    this.#sendSnapshot(client)
    return false
  }

  #sendSnapshot({ response }: Client): void {
    const { info, devices, rules, groups, incidents = [] } = this.#options.snapshot()
    let frames = frameOf('info', info) + frameOf('devices', devices)
    if (rules !== undefined) frames += frameOf('rules', { rules: [...rules] })
    if (groups !== undefined) frames += frameOf('groups', { groups: [...groups] })
    for (const incident of incidents) frames += frameOf('incident', incident)
    response.write(frames)
  }

  #beat(): void {
    for (const client of this.#clients) this.#write(client, ': still here\n\n')
  }
}

/** JSON has no raw line breaks, so one `data` line holds it (WHATWG HTML, 9.2.6). */
function frameOf<Name extends keyof LiveEvents>(name: Name, data: LiveEvents[Name]): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

/** The event `flows`, put together from lines of JSON that are there. */
function flowsFrame({ flows, complete, to_ms }: Interval): Buffer {
  const head = Buffer.from('event: flows\ndata: {"flows":[')
  const end = `],"changed":${flows.count},"complete":${complete},"to_ms":${to_ms}}\n\n`
  const pieces: Buffer[] = []
  for (const line of largest(flows)) pieces.push(pieces.length === 0 ? head : COMMA, line)
  if (pieces.length === 0) pieces.push(head)
  return Buffer.concat([...pieces, Buffer.from(end)])
}

/** The lines of the flows with most bytes, those first; without their line feeds. */
function largest(flows: ChangedFlows): Buffer[] {
  const { count } = flows
  const limit = count < MANY_FLOWS ? MAX_FLOWS : FLOWS_OF_MANY
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  order.sort((a, b) => flows.bytes(b) - flows.bytes(a))
  const ranks = new Map<number, number>()
  for (const [rank, i] of order.subarray(0, limit).entries()) ranks.set(i, rank)
  const lines: Buffer[] = []
  let i = 0
  for (const piece of flows.lines(true)) {
    for (let at = 0, end = 0; at < piece.length; at = end + 1, i++) {
      end = piece.indexOf(LINE_FEED, at)
      const rank = ranks.get(i)
      if (rank !== undefined) lines[rank] = Buffer.from(piece.subarray(at, end))
    }
  }
  return lines
}
