// The one place that knows the MQTT client.
import { randomBytes } from 'node:crypto'
import type { IClientOptions, MqttClient } from 'mqtt'
import { connect } from 'mqtt'
import { MAX_PAYLOAD_BYTES } from '../protocol/topics.ts'

/** Where the broker is, and as whom we come. */
export interface BrokerOptions {
  host: string
  port: number
  /** Options of node:tls (ca, cert, key, rejectUnauthorized, …); absent: no TLS. */
  tls?: Record<string, unknown>
  username?: string
  password?: string
}

/**
 * `refused`: the broker is there and does not want this user. `tls`: certificate, key or passphrase cannot be used, so nothing
 * was sent to anyone.
 */
export type ConnectionState = 'connecting' | 'connected' | 'disconnected' | 'refused' | 'tls'

/** What a connection tells. */
export interface ConnectionListener {
  /** `reason`: a sentence, for `disconnected`, `refused` and `tls`. */
  state: (state: ConnectionState, reason?: string) => void
  /** The broker has answered whether we may read `topic`; `refusal`: why not. */
  granted?: (topic: string, refusal: string | undefined) => void
  /** `retained`: the broker has kept it for us. */
  message: (topic: string, payload: Uint8Array, retained: boolean) => void
}

/** How long to wait before the next try: doubled each time, from `firstMs` to `maxMs`. */
export interface BackOff {
  firstMs: number
  maxMs: number
}

const BACK_OFF: BackOff = { firstMs: 1000, maxMs: 30000 }
const CONNECT_TIMEOUT_MS = 10000
const KEEPALIVE_S = 30
/** A connection that held for this long was a good one: after it the back-off begins anew. */
const GOOD_AFTER_MS = 10000
const STOP_TIMEOUT_MS = 2000
/** Besides the payload a packet carries its topic and a few properties. */
const MAX_PACKET_BYTES = MAX_PAYLOAD_BYTES + 1024

// Reason codes of MQTT 3.1.1 (3.2.2.3) and MQTT 5 (3.2.2.2).
const WRONG_VERSION = new Set([1, 0x84])
const NOT_AUTHORISED = new Set([4, 5, 0x86, 0x87])

/**
 * One connection to a broker that comes back by itself. MQTT 5 is tried first and 3.1.1 on refusal, by a new client for each
 * try: the client itself neither changes its version nor waits longer each time.
 */
export class Connection {
  readonly #broker: BrokerOptions
  readonly #listener: ConnectionListener
  readonly #backOff: BackOff
  readonly #topics = new Map<string, 0 | 1>()
  #client: MqttClient | undefined
  #timer: NodeJS.Timeout | undefined
  #version: 4 | 5 = 5
  #failures = 0
  #running = false

  constructor(broker: BrokerOptions, listener: ConnectionListener, backOff: BackOff = BACK_OFF) {
    this.#broker = broker
    this.#listener = listener
    this.#backOff = backOff
  }

  /** The version in use: 5, or 4 for MQTT 3.1.1. */
  get version(): 4 | 5 {
    return this.#version
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    this.#failures = 0
    this.#listener.state('connecting')
    this.#open()
  }

  /** Closes the connection; it tells nothing more until the next `start()`. */
  async stop(): Promise<void> {
    this.#running = false
    clearTimeout(this.#timer)
    const client = this.#client
    this.#client = undefined
    if (client) await end(client)
  }

  /** Follows `topic` now and after each reconnect. */
  subscribe(topic: string, qos: 0 | 1): void {
    this.#topics.set(topic, qos)
    if (this.#client?.connected) this.#ask(this.#client, topic, qos)
  }

  unsubscribe(topic: string): void {
    if (this.#topics.delete(topic) && this.#client?.connected) this.#client.unsubscribe(topic)
  }

  /**
   * Publishes `payload` at QoS 1, unretained. False: there is no connection, and nothing is kept for later. True does not
   * mean that it has arrived: who must know waits for an answer. `refused` is called where the broker says no, which one of
   * MQTT 3.1.1 cannot.
   */
  publish(topic: string, payload: string, refused: (reason: string) => void): boolean {
    const client = this.#client
    if (!client?.connected) return false
    client.publish(topic, payload, { qos: 1, retain: false }, (error) => {
      const code = (error as { code?: unknown } | undefined)?.code
      // A connection that is lost meanwhile ends here too, with no number.
      if (error && typeof code === 'number') refused(error.message)
    })
    return true
  }

  #open(): void {
    let failure: (Error & { code?: unknown }) | undefined
    let upSince: number | undefined
    const client = this.#connect()
    if (!client) return
    this.#client = client
    // A client that has been replaced or stopped still emits, and an error nobody listens to would end Node-RED.
    const isCurrent = (): boolean => this.#client === client
    client.on('error', (error: Error) => {
      failure = error
    })
    client.on('connect', () => {
      if (!isCurrent()) return
      upSince = performance.now()
      this.#listener.state('connected')
      for (const [topic, qos] of this.#topics) this.#ask(client, topic, qos)
    })
    client.on('message', (topic, payload, packet) => {
      if (isCurrent()) this.#listener.message(topic, payload, packet.retain)
    })
    client.on('close', () => {
      if (!isCurrent()) return
      this.#client = undefined
      client.end(true)
      if (upSince === undefined) {
        this.#afterRefusal(failure)
        return
      }
      if (performance.now() - upSince >= GOOD_AFTER_MS) this.#failures = 0
      this.#retry('disconnected', failure?.message ?? 'the broker closed the connection')
    })
  }

  /** Undefined, and tried again later, where Node.js can make nothing of the options: then it throws, for TLS alone. */
  #connect(): MqttClient | undefined {
    try {
      return connect(this.#options())
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      const says = `the TLS settings cannot be used (${why}): check certificate, key, passphrase and CA`
      this.#retry(this.#broker.tls ? 'tls' : 'disconnected', this.#broker.tls ? says : why)
      return undefined
    }
  }

  /** The try ended without a connection. */
  #afterRefusal(failure: (Error & { code?: unknown }) | undefined): void {
    const code = failure?.code
    if (typeof code === 'number' && NOT_AUTHORISED.has(code)) {
      this.#retry('refused', 'the broker refuses this user and password')
      return
    }
    // The network says no with a code in letters; a broker that cannot MQTT 5 says so, answers what cannot be read, or hangs up.
    const mayBeVersion = typeof code === 'number' ? WRONG_VERSION.has(code) : code === undefined
    if (mayBeVersion && this.#version === 5) {
      this.#version = 4
      this.#open()
      return
    }
    if (mayBeVersion) this.#version = 5
    this.#retry(
      'disconnected',
      failure?.message || 'the broker closed the connection before it answered',
    )
  }

  #retry(state: ConnectionState, reason: string): void {
    this.#listener.state(state, reason)
    if (!this.#running) return
    const { firstMs, maxMs } = this.#backOff
    const waitMs = Math.min(maxMs, firstMs * 2 ** Math.min(this.#failures, 16))
    this.#failures += 1
    // Spread out, so that many flows do not come back to a broker in the same moment.
    this.#timer = setTimeout(() => this.#open(), waitMs * (0.75 + Math.random() / 2))
    this.#timer.unref()
  }

  /** Each topic by itself, so that one that is refused takes no other with it. */
  #ask(client: MqttClient, topic: string, qos: 0 | 1): void {
    client.subscribe(topic, { qos }, (error, granted) => {
      // A connection that is lost meanwhile ends here too, and a topic may no longer be wanted.
      if (this.#client !== client || !client.connected || !this.#topics.has(topic)) return
      const isRefused = granted?.some((grant) => grant.qos > 2)
      this.#listener.granted?.(topic, error?.message ?? (isRefused ? 'refused' : undefined))
    })
  }

  #options(): IClientOptions {
    const { host, port, tls, username, password } = this.#broker
    return {
      ...tls,
      protocol: tls ? 'mqtts' : 'mqtt',
      host,
      port,
      username: username || undefined,
      password: password || undefined,
      clientId: `homespin-nr-${randomBytes(4).toString('hex')}`,
      protocolVersion: this.#version,
      // A broker that keeps to MQTT 5 does not even send us what is too large.
      properties: this.#version === 5 ? { maximumPacketSize: MAX_PACKET_BYTES } : undefined,
      clean: true,
      resubscribe: false,
      reconnectPeriod: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      keepalive: KEEPALIVE_S,
    }
  }
}

/** Says goodbye, and hangs up where that takes too long. */
async function end(client: MqttClient): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      client.end(true)
      resolve()
    }, STOP_TIMEOUT_MS)
    timer.unref()
    client.end(!client.connected, () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
