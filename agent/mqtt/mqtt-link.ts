// The connection to a broker, and the only file that knows the package mqtt. A new client is made for each try: what
// was not acknowledged is the publisher's to send again, so nothing waits unbounded or repeats itself in here.
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { connect as connectTcp } from 'node:net'
import type { IClientOptions } from 'mqtt'
import { MqttClient } from 'mqtt'
import { MAX_COMMAND_BYTES } from '../../protocol/commands.ts'
import type { Log } from '../log.ts'
import { backOffMs } from './back-off.ts'
import type { BrokerAt, Endpoint } from './broker-at.ts'
import { parseBrokerUrl } from './broker-at.ts'
import { cutFrames } from './frame-cut.ts'
import { linkFault, refusesVersion } from './link-fault.ts'
import { PACKET_OVERHEAD } from './packed-lines.ts'
import type { TlsFiles } from './tls-files.ts'
import { readTlsFiles } from './tls-files.ts'
import { Turns } from './turns.ts'

export interface MqttLinkOptions extends TlsFiles {
  /** `mqtt://host[:1883]` or `mqtts://host[:8883]`; a user and a password in it are used, never logged. */
  url: string
  user?: string
  password?: string
  /** Instead of these three, asked before each try; undefined: there is no broker yet. */
  find?: () => BrokerAt | undefined
  /** The client id is this, a dash and eight random hex digits. */
  clientIdPrefix: string
  /** What the broker publishes (QoS 1, retained) when this client is lost. */
  will: { topic: string; payload: string }
  /** Filters of topics to subscribe to, QoS 1, on each connect. */
  subscribe: readonly string[]
  /** Filter of orders, subscribed too; where the broker can, it tells which were published as retained (MQTT 5, 3.8.3.1). */
  commands?: string
  log: Log
  /** Default 20. */
  keepaliveSeconds?: number
  /** Default 10000: from the first packet to the broker's CONNACK. */
  connectTimeoutMs?: number
  /** Default 60000. */
  maxBackOffMs?: number
  random?: () => number
}

/** `done`: acknowledged (QoS 1) or handed to the socket (QoS 0). `refused`: the broker said no, for good. `lost`: the connection went first. */
export type PublishOutcome = 'done' | 'refused' | 'lost'

/** Where and with what a message wants to be answered (MQTT 5, 3.3.2.3.5 and .6). */
export interface ReplyTo {
  responseTopic?: string
  correlation?: Buffer
}

/** A message as it came. */
export interface Incoming extends ReplyTo {
  topic: string
  payload: Buffer
  retained: boolean
}

export interface PublishOptions {
  qos: 0 | 1
  retain: boolean
  /** Given back to who asked; only MQTT 5 carries it. */
  correlation?: Buffer
}

export interface LinkHandlers {
  connected(): void
  disconnected(): void
  message(topic: string, payload: Buffer, retained: boolean, reply?: ReplyTo): void
}

const MAX_INCOMING_BYTES = 256 * 1024

/** Keeps a connection to a broker: MQTT 5 first, 3.1.1 where that is refused. */
export class MqttLink {
  readonly #options: MqttLinkOptions
  readonly #turns = new Turns()
  #endpoint: Endpoint
  #credentials: { user?: string; password?: string } = {}
  #handlers: LinkHandlers | undefined
  #client: MqttClient | undefined
  #socket: Socket | undefined
  #version: 4 | 5 = 5
  #attempt = 0
  #loggedFault = ''
  #refusedTopics = new Set<string>()
  #retry: NodeJS.Timeout | undefined
  #stopped = true
  /** A connection was given up for another one. */
  #hurried = false
  #maxPacketBytes = Number.POSITIVE_INFINITY

  /** Throws an Error with a sentence for a URL that is not a broker's. */
  constructor(options: MqttLinkOptions) {
    this.#options = options
    this.#endpoint = parseBrokerUrl(options.url)
  }

  /** Begins to connect and returns at once; what comes of it is told to `handlers`. Throws when a certificate file can't be read. */
  start(handlers: LinkHandlers): void {
    this.#handlers = handlers
    this.#stopped = false
    readTlsFiles(this.#options)
    this.#connect()
  }

  /** Disconnects cleanly, within a second or by force. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#retry)
    const client = this.#client
    if (client === undefined) return
    await new Promise<void>((resolve) => {
      const force = setTimeout(() => client.end(true, () => resolve()), 1000)
      client.end(!client.connected, () => {
        clearTimeout(force)
        resolve()
      })
    })
    this.#socket?.destroy()
  }

  /** The broker is another one now, or this is another user there: gives up what stands and connects at once. */
  reconnect(): void {
    if (this.#stopped) return
    this.#attempt = 0
    this.#version = 5
    if (this.#retry !== undefined) {
      this.#connect()
      return
    }
    this.#hurried = true
    this.#socket?.destroy()
  }

  get connected(): boolean {
    return this.#client?.connected === true
  }

  /** 5, or 4 for MQTT 3.1.1. */
  get protocolVersion(): 4 | 5 {
    return this.#version
  }

  /** What the broker said that it takes at most, topic and header included. */
  get maxPacketBytes(): number {
    return this.#maxPacketBytes
  }

  /** Bytes that the kernel has not taken yet: the measure of a broker or a line that is too slow. */
  get bufferedBytes(): number {
    return this.#socket?.writableLength ?? 0
  }

  /** Publishes now or not at all; never throws. */
  publish(
    topic: string,
    payload: string | Buffer,
    { qos, retain, correlation }: PublishOptions,
  ): Promise<PublishOutcome> {
    const client = this.#client
    if (client === undefined || !client.connected) return Promise.resolve('lost')
    if (topic.length + Buffer.byteLength(payload) + PACKET_OVERHEAD > this.#maxPacketBytes) {
      // Sent all the same, it would end the connection, and again after each return.
      this.#logRefusedTopic(topic, new Error(`it takes ${this.#maxPacketBytes} bytes at most`))
      return Promise.resolve('refused')
    }
    return new Promise((resolve) => {
      const onClose = (): void => resolve('lost')
      client.once('close', onClose)
      const properties =
        correlation === undefined || this.#version !== 5
          ? {}
          : { properties: { correlationData: correlation } }
      client.publish(topic, payload, { qos, retain, ...properties }, (error) => {
        client.off('close', onClose)
        if (!error) return resolve('done')
        const code = (error as { code?: unknown }).code
        if (typeof code !== 'number' || code < 0x80) return resolve('lost')
        this.#logRefusedTopic(topic, error)
        resolve('refused')
      })
    })
  }

  /** Hears what is retained at these filters, in this connection alone and until the result is called. Where the broker does not let it, nothing comes. */
  hearRetained(filters: readonly string[]): () => void {
    const client = this.#client
    if (client?.connected !== true) return () => {}
    client.subscribe([...filters], { qos: 0 }, () => {})
    return () => {
      if (client.connected) client.unsubscribe([...filters], () => {})
    }
  }

  #connect(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    let fault: Error | undefined
    let wasConnected = false
    let client: MqttClient
    try {
      this.#locate()
      client = new MqttClient(() => this.#openSocket(), this.#clientOptions())
    } catch (error) {
      this.#plan(error as Error, false)
      return
    }
    client.setMaxListeners(0)
    this.#client = client
    const timeout = setTimeout(() => {
      fault = Object.assign(new Error('no answer'), { code: 'HOMESPIN_TIMEOUT' })
      client.end(true)
      this.#socket?.destroy()
    }, this.#options.connectTimeoutMs ?? 10_000)
    client.on('error', (error) => {
      const silent = error.message === 'Keepalive timeout'
      fault ??= silent ? Object.assign(new Error('silent'), { code: 'HOMESPIN_KEEPALIVE' }) : error
      // A broker's malformed packet is an error after which the client would read on.
      this.#socket?.destroy()
    })
    client.on('disconnect', (packet) => {
      fault ??= Object.assign(new Error('disconnected by the broker'), { code: packet.reasonCode })
    })
    client.on('connect', (connack) => {
      clearTimeout(timeout)
      wasConnected = true
      this.#attempt = 0
      this.#maxPacketBytes = connack.properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY
      this.#subscribe(client)
      this.#logConnected()
      this.#handlers?.connected()
    })
    // Called behind each message; the next one is read when this has called back.
    client.handleMessage = (_packet, goOn) => this.#turns.next(goOn)
    client.on('message', (topic, payload, packet) =>
      this.#handlers?.message(topic, payload, packet.retain, replyOf(packet.properties)),
    )
    client.once('close', () => {
      clearTimeout(timeout)
      client.end(true)
      if (wasConnected) this.#handlers?.disconnected()
      if (!this.#stopped) this.#plan(fault, wasConnected)
    })
  }

  /** Takes up where the broker is now, and who this is there. */
  #locate(): void {
    const { find, url, user, password } = this.#options
    const at = find === undefined ? { url, user, password } : find()
    if (at === undefined)
      throw Object.assign(new Error('no broker'), { code: 'HOMESPIN_NO_BROKER' })
    const endpoint = parseBrokerUrl(at.url)
    this.#endpoint = endpoint
    const who = { user: at.user ?? endpoint.user, password: at.password ?? endpoint.password }
    this.#credentials = {
      ...(who.user !== undefined && { user: who.user }),
      ...(who.password !== undefined && { password: who.password }),
    }
  }

  /** After a connection or a try has ended. */
  #plan(fault: Error | undefined, wasConnected: boolean): void {
    if (this.#hurried) {
      this.#hurried = false
      this.#retry = setTimeout(() => this.#connect(), 0)
      return
    }
    const refused = refusesVersion(fault)
    // Old brokers answer MQTT 5 with a closed connection: then the two versions take turns until one gets through.
    if (!wasConnected && (refused || fault === undefined || isReset(fault))) {
      const first = this.#version === 5
      this.#version = first ? 4 : 5
      if (first) {
        this.#options.log.debug('MQTT 5 was refused, trying 3.1.1')
        this.#retry = setTimeout(() => this.#connect(), 50)
        return
      }
    }
    this.#logFault(fault)
    const delay = backOffMs(
      this.#attempt++,
      this.#options.maxBackOffMs ?? 60_000,
      this.#options.random,
    )
    this.#retry = setTimeout(() => this.#connect(), delay)
  }

  #openSocket(): Socket {
    const { host, port, tls } = this.#endpoint
    const socket = tls
      ? // Not imported: with a broker of this network there is mostly no TLS, and it takes 5 MB.
        process.getBuiltinModule('node:tls').connect({
          host,
          port,
          ...(isName(host) && { servername: host }),
          // Anew for each try, so that a renewed certificate is taken up.
          ...readTlsFiles(this.#options),
        })
      : connectTcp({ host, port })
    socket.setNoDelay(true)
    cutFrames(socket, {
      maxBytes: MAX_INCOMING_BYTES,
      keptBytes: MAX_COMMAND_BYTES + 1,
      hasProperties: this.#version === 5,
    })
    this.#socket = socket
    return socket
  }

  #clientOptions(): IClientOptions {
    const { user, password } = this.#credentials
    return {
      protocolVersion: this.#version,
      clientId: `${this.#options.clientIdPrefix}-${randomBytes(4).toString('hex')}`,
      clean: true,
      ...(user !== undefined && { username: user }),
      ...(password !== undefined && { password }),
      keepalive: this.#options.keepaliveSeconds ?? 20,
      // With traffic every second pings would be put off for ever, and a half-open connection never noticed.
      reschedulePings: false,
      timerVariant: 'native',
      reconnectPeriod: 0,
      queueQoSZero: false,
      resubscribe: false,
      connectTimeout: this.#options.connectTimeoutMs ?? 10_000,
      will: {
        ...this.#options.will,
        payload: Buffer.from(this.#options.will.payload),
        qos: 1,
        retain: true,
      },
    }
  }

  #subscribe(client: MqttClient): void {
    const { subscribe, commands, log } = this.#options
    const topics: Record<string, { qos: 1; rap?: boolean }> = {}
    for (const topic of subscribe) topics[topic] = { qos: 1 }
    if (commands !== undefined) topics[commands] = { qos: 1, rap: true }
    const names = Object.keys(topics)
    if (names.length === 0) return
    client.subscribe(topics, (error) => {
      if (error && client.connected) {
        log.warn(
          `the broker does not let this user read ${names.join(', ')}: grant it in its access list`,
        )
      }
    })
  }

  #logConnected(): void {
    const version = this.#version === 5 ? 'MQTT 5' : 'MQTT 3.1.1'
    this.#options.log.info(`connected to ${this.#endpoint.shown} (${version})`)
    this.#loggedFault = ''
  }

  #logFault(fault: Error | undefined): void {
    const { key, sentence } = linkFault(fault, this.#endpoint.shown)
    if (key === this.#loggedFault) return
    this.#loggedFault = key
    this.#options.log.warn(`${sentence}. Trying again until it works.`)
  }

  #logRefusedTopic(topic: string, error: Error): void {
    const kind = topic.replace(/\/[0-9a-f]{12,16}$/, '/+')
    if (this.#refusedTopics.has(kind)) return
    this.#refusedTopics.add(kind)
    this.#options.log.warn(
      `the broker refuses ${kind} (${error.message}): raise its limit, or grant this user write access in its access list`,
    )
  }
}

function replyOf(
  properties: { responseTopic?: string; correlationData?: Buffer } | undefined,
): ReplyTo {
  const { responseTopic, correlationData } = properties ?? {}
  return {
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlation: correlationData }),
  }
}

function isName(host: string): boolean {
  return !/^[0-9.]+$/.test(host) && !host.includes(':')
}

function isReset(error: Error): boolean {
  return (error as { code?: unknown }).code === 'ECONNRESET'
}
