// Where the broker is, as the Supervisor tells it: it may be installed later, move, or get another password.
import { clearTimeout as clear, setTimeout as later } from 'node:timers'
import type { Log } from '../log.ts'
import type { BrokerAt, BrokerFinder } from '../mqtt/broker-at.ts'
import type { SupervisorClient } from './client.ts'
import { SupervisorError } from './client.ts'

export interface ServiceBrokerParts {
  client: SupervisorClient
  log: Log
  /** How often it is asked while there is none, and while there is one. Default 10 s and 60 s. */
  absentMs?: number
  presentMs?: number
}

/** Whoever tries to connect and fails makes it ask anew, but not more often than this. */
const SOONEST_MS = 3000

/** Follows `services/mqtt` of the Supervisor. */
export class ServiceBroker implements BrokerFinder {
  readonly #parts: ServiceBrokerParts
  #at: BrokerAt | undefined
  #askedMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #asking: Promise<void> | undefined
  #said = ''
  #stopped = true
  onChange: () => void = () => {}

  constructor(parts: ServiceBrokerParts) {
    this.#parts = parts
  }

  /** Asks once, so that a broker that is there is used at once; then goes on asking. */
  async start(): Promise<void> {
    this.#stopped = false
    await this.#ask()
  }

  stop(): void {
    this.#stopped = true
    clear(this.#timer)
  }

  /** What was told last. To be asked for it means that a connection is wanted, so it is asked for again. */
  readonly find = (): BrokerAt | undefined => {
    if (performance.now() - this.#askedMs > SOONEST_MS) void this.#ask()
    return this.#at
  }

  #ask(): Promise<void> {
    if (this.#stopped) return Promise.resolve()
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #askOnce(): Promise<void> {
    const { client, absentMs = 10_000, presentMs = 60_000 } = this.#parts
    clear(this.#timer)
    try {
      this.#take(brokerOf(await client.get('/services/mqtt')))
      this.#say('')
    } catch (error) {
      if (error instanceof SupervisorError && error.status === 400) this.#take(undefined)
      this.#say(sentenceOf(error))
    }
    this.#askedMs = performance.now()
    if (this.#stopped) return
    this.#timer = later(() => void this.#ask(), this.#at === undefined ? absentMs : presentMs)
    this.#timer.unref()
  }

  #take(at: BrokerAt | undefined): void {
    const before = this.#at
    this.#at = at
    if (this.#stopped || at === undefined) return
    const same =
      before?.url === at.url && before.user === at.user && before.password === at.password
    if (same) return
    this.#parts.log.info(`the Supervisor names the broker ${at.url}`)
    this.onChange()
  }

  /** Each state once. */
  #say(sentence: string): void {
    if (sentence === this.#said) return
    this.#said = sentence
    if (sentence !== '') this.#parts.log.warn(sentence)
  }
}

function sentenceOf(error: unknown): string {
  const status = error instanceof SupervisorError ? error.status : undefined
  if (status === 400) {
    return 'Home Assistant has no MQTT broker: install the app Mosquitto broker, then Homespin finds it by itself. Its page works without'
  }
  if (status === 403 || status === 401) {
    return `${(error as Error).message}: the manifest of this app must hold services: [mqtt:want]`
  }
  return `${(error as Error).message}; asking again until it does`
}

/** `{host, port, ssl, username, password}`, of a service that another app provides. Throws an Error for anything else. */
export function brokerOf(data: Record<string, unknown>): BrokerAt {
  const { host, port, ssl, username, password } = data
  const isHost = typeof host === 'string' && /^[A-Za-z0-9._:-]{1,253}$/.test(host)
  const number = Number(port)
  if (!isHost || !Number.isInteger(number) || number < 1 || number > 65535) {
    throw new Error('the Supervisor names a broker without a host and a port')
  }
  const name = host.includes(':') ? `[${host}]` : host
  return {
    url: `${ssl === true ? 'mqtts' : 'mqtt'}://${name}:${number}`,
    ...(typeof username === 'string' && username !== '' ? { user: username } : {}),
    ...(typeof password === 'string' && password !== '' ? { password } : {}),
  }
}
