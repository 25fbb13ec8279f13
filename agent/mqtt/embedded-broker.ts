// A broker for those who have none: aedes (MQTT 3.1.1) behind limits, so that no client can fill the memory.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import type { Aedes, AedesOptions } from 'aedes'
import type { ListenAddress } from '../listen.ts'
import { isLoopback, listenNear, urlHost } from '../listen.ts'
import type { Log } from '../log.ts'
import { limitFrames } from './frame-limit.ts'
import type { PublishOutcome } from './mqtt-link.ts'
import { Turns } from './turns.ts'

export interface EmbeddedBrokerOptions {
  listen: ListenAddress
  /** Needed where `listen.host` can be reached from other machines. */
  user?: string
  password?: string
  log: Log
  /** Default 50. */
  maxClients?: number
  /** Largest packet that a client may send. Default 256 KiB. */
  maxPacketBytes?: number
  /** How much may wait for a slow client before others wait for it too. Default 512 KiB. */
  maxBufferedBytes?: number
  /** How long a slow client has then to take it all, before it is cut. Default 2000. */
  drainTimeoutMs?: number
}

const MAX_RETAINED_TOPICS = 10_000
const MAX_RETAINED_BYTES = 16 * 1024 * 1024
const MAX_SUBSCRIPTIONS = 100
const MAX_TOPIC_LENGTH = 512

/** The embedded broker. Sessions are never kept: each client starts clean. */
export class EmbeddedBroker {
  readonly #options: EmbeddedBrokerOptions
  readonly #sockets = new Set<Socket>()
  readonly #retained = new RetainedLedger()
  readonly #turns = new Turns()
  #server: Server | undefined
  #aedes: Aedes | undefined
  /** Settles with the last message that was published from within; never rejects. */
  #publishing: Promise<unknown> = Promise.resolve()
  #port = 0

  constructor(options: EmbeddedBrokerOptions) {
    this.#options = options
  }

  /** Listens. Throws an Error with a sentence when the port is taken, or when it would be open to others without a password. */
  async start(): Promise<void> {
    const { listen, password, log } = this.#options
    if (!isLoopback(listen.host) && (password === undefined || password === '')) {
      throw new Error(
        `the embedded broker would be open to everyone on ${listen.host}: set a user and a password, or listen on 127.0.0.1`,
      )
    }
    // Loaded here, because whoever has a broker of their own needs none of it in memory.
    const { Aedes } = await import('aedes')
    const aedes = new Aedes(this.#aedesOptions())
    await aedes.listen()
    aedes.on('clientError', (client, error) =>
      log.debug(() => `client ${client.id} was cut: ${error.message}`),
    )
    aedes.on('connectionError', (_client, error) =>
      log.debug(() => `a connection was refused: ${error.message}`),
    )
    const server = createServer({
      highWaterMark: this.#options.maxBufferedBytes ?? 512 * 1024,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
    })
    server.maxConnections = this.#options.maxClients ?? 50
    server.on('connection', (socket) => this.#admit(socket, aedes))
    server.on('drop', () => log.debug('a client was turned away: there are as many as are allowed'))
    this.#aedes = aedes
    this.#server = server
    try {
      this.#port = await listenNear(
        server,
        listen,
        'the embedded MQTT broker',
        'mqtt.embedded_port (--mqtt-embedded-port)',
      )
    } catch (error) {
      await this.stop()
      throw error
    }
    log.info(`listening on ${this.url}`)
  }

  /** Cuts all clients and frees the port. */
  async stop(): Promise<void> {
    const server = this.#server
    const aedes = this.#aedes
    this.#server = undefined
    this.#aedes = undefined
    const closed = new Promise<void>((resolve) => {
      if (server === undefined) resolve()
      else server.close(() => resolve())
    })
    if (aedes !== undefined) await new Promise<void>((resolve) => aedes.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  /** `mqtt://host:port`, for clients on this machine. */
  get url(): string {
    const { host } = this.#options.listen
    const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
    return `mqtt://${urlHost(reachable)}:${this.#port}`
  }

  get port(): number {
    return this.#port
  }

  /** Clients that are connected now. */
  get clients(): number {
    return this.#aedes?.connectedClients ?? 0
  }

  /** Bytes that wait for clients: none, and no message is held any more but those that are retained. */
  get bufferedBytes(): number {
    let bytes = 0
    for (const socket of this.#sockets) bytes += socket.writableLength
    return bytes
  }

  /** Publishes from within; resolves when it has gone to every client, or waits for one that is slow. */
  publish(
    topic: string,
    payload: Buffer,
    { qos, retain }: { qos: 0 | 1; retain: boolean },
  ): Promise<PublishOutcome> {
    const aedes = this.#aedes
    if (aedes === undefined) return Promise.resolve('lost')
    // The agent bounds itself; clients have room of their own, and none of it is its.
    if (retain) this.#retained.release(topic)
    const packet = { cmd: 'publish', topic, payload, qos, retain, dup: false } as const
    // One after the other: aedes numbers messages as they are given, keeps the retained ones first, and takes one that
    // then comes after a higher number for a second copy.
    const outcome = this.#publishing.then(
      () =>
        new Promise<PublishOutcome>((resolve) => {
          aedes.publish(packet, (error) => resolve(error ? 'refused' : 'done'))
        }),
    )
    this.#publishing = outcome
    return outcome
  }

  /** Calls back with each message that this filter matches, from now until the end; `retained` as it was published. */
  hear(
    filter: string,
    onMessage: (payload: Buffer, topic: string, retained: boolean) => void,
  ): void {
    const deliver = (
      packet: { payload: string | Buffer; topic: string; retain: boolean },
      done: () => void,
    ): void => {
      onMessage(Buffer.from(packet.payload as Buffer), packet.topic, packet.retain)
      this.#turns.next(done)
    }
    this.#aedes?.subscribe(filter, deliver, () => {})
  }

  #admit(socket: Socket, aedes: Aedes): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    limitFrames(socket, this.#options.maxPacketBytes ?? 256 * 1024)
    aedes.handle(socket)
  }

  #aedesOptions(): AedesOptions {
    const { user, password } = this.#options
    return {
      connectTimeout: 10_000,
      drainTimeout: this.#options.drainTimeoutMs ?? 2000,
      maxInflightInbound: 20,
      maxTopicLevels: 20,
      preConnect: (_client, packet, callback) => {
        // A kept session would gather messages for a client that may never return.
        packet.clean = true
        callback(null, packet.clientId.length <= 256)
      },
      authenticate: (_client, givenUser, givenPassword, callback) => {
        const open = password === undefined || password === ''
        const right =
          open || (same(givenUser ?? '', user ?? '') && same(givenPassword ?? '', password))
        if (right) callback(null, true)
        else callback(Object.assign(new Error('wrong user or password'), { returnCode: 4 }), false)
      },
      authorizePublish: (_client, packet, callback) => {
        if (packet.topic.startsWith('$SYS/'))
          return callback(new Error("$SYS/ is the broker's own"))
        if (packet.topic.length > MAX_TOPIC_LENGTH)
          return callback(new Error('the topic is too long'))
        if (packet.retain && !this.#retained.admit(packet.topic, packet.payload.length))
          packet.retain = false
        callback(null)
      },
      authorizeSubscribe: (client, subscription, callback) => {
        const held = Object.keys(
          (client as unknown as { subscriptions: object }).subscriptions,
        ).length
        const allowed = held < MAX_SUBSCRIPTIONS && subscription.topic.length <= MAX_TOPIC_LENGTH
        callback(null, allowed ? subscription : null)
      },
    }
  }
}

/** Keeps count of what clients retain, because aedes keeps all of it in memory for ever. */
class RetainedLedger {
  readonly #sizes = new Map<string, number>()
  #bytes = 0

  /** Whether `topic` may retain `size` bytes more; a size of 0 takes it off the ledger. */
  admit(topic: string, size: number): boolean {
    const held = this.#sizes.get(topic)
    const after = this.#bytes - (held ?? 0) + size
    if (size === 0) this.#sizes.delete(topic)
    else if (after > MAX_RETAINED_BYTES) return false
    else if (held === undefined && this.#sizes.size >= MAX_RETAINED_TOPICS) return false
    else this.#sizes.set(topic, size)
    this.#bytes = after
    return true
  }

  /** What stands at `topic` is no client's any more. */
  release(topic: string): void {
    this.admit(topic, 0)
  }
}

function same(given: string | Buffer, expected: string | Buffer): boolean {
  return timingSafeEqual(digest(given), digest(expected))
}

function digest(text: string | Buffer): Buffer {
  return createHash('sha256').update(text).digest()
}
