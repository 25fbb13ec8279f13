// `GET api/live`: server-sent events. Each frame is made once for all clients; a client that does not read gets
// frames left out, later a fresh snapshot, and is cut when it stays behind.
import type { ServerResponse } from 'node:http'
import type { DeviceList, DeviceRate, LiveEvents } from '../../protocol/http.ts'
import type { AgentEvent, Device, Flow, Info } from '../../protocol/messages.ts'
import type { Interval } from '../interval.ts'

export interface LiveFeedOptions {
  /** What a new client, or one that fell behind, gets first. */
  snapshot: () => { info: Info; devices: DeviceList }
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
    const { flows, complete, to_ms } = interval
    this.#send('flows', {
      flows: largest(flows, MAX_FLOWS),
      changed: flows.length,
      complete,
      to_ms,
    })
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

  #send<Name extends keyof LiveEvents>(name: Name, data: LiveEvents[Name]): void {
    if (this.#clients.size === 0) return
    const frame = frameOf(name, data)
    for (const client of this.#clients) this.#write(client, frame)
  }

  #write(client: Client, frame: string): void {
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
    const { info, devices } = this.#options.snapshot()
    response.write(frameOf('info', info) + frameOf('devices', devices))
  }

  #beat(): void {
    for (const client of this.#clients) this.#write(client, ': still here\n\n')
  }
}

/** JSON has no raw line breaks, so one `data` line holds it (WHATWG HTML, 9.2.6). */
function frameOf<Name extends keyof LiveEvents>(name: Name, data: LiveEvents[Name]): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

function largest(flows: readonly Flow[], limit: number): Flow[] {
  const bytes = (flow: Flow): number => flow.sent_bytes + flow.received_bytes
  const sorted = [...flows].sort((a, b) => bytes(b) - bytes(a))
  return sorted.length > limit ? sorted.slice(0, limit) : sorted
}
