// Follows Home Assistant's registries over its websocket: what devices are called there, who made them and where they are.
import type { Auth, Connection } from 'home-assistant-js-websocket'
import { parseMac } from '../address.ts'
import type { Inventory } from '../inventory/inventory.ts'
import type { Log } from '../log.ts'
import type { AreaChange } from './areas.ts'
import { areaChanges } from './areas.ts'
import type { HomeAssistantMemory } from './memory.ts'
import type { NamedFacts } from './registry-facts.ts'
import { registryFacts } from './registry-facts.ts'
import { openSocket } from './registry-socket.ts'

export interface RegistryAccess {
  /** `ws://…` or `wss://…`. */
  url: string
  token: string
}

export interface RegistryParts {
  access: RegistryAccess
  /** Id of this agent. */
  agent: string
  memory: Pick<HomeAssistantMemory, 'areaOf' | 'setArea'>
  inventory: Inventory
  log: Log
  /** What is known of devices has changed, or whether anything can be known. */
  onChange: () => void
}

/** Changes that come together are read together. */
const SETTLE_MS = 500
/** After a refusal it is tried again so often: a token can be given anew without a restart of Home Assistant. */
const RETRY_MS = 60_000
const FOLLOWED = 'device_registry_updated'

/** Keeps what the registries say, and names devices by it. */
export class Registry {
  readonly #parts: RegistryParts
  #facts: ReadonlyMap<number, NamedFacts> = new Map()
  #connection: Connection | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  /** The registries were read once: a name that is not there is not known. */
  #hasRead = false
  #problem: string | undefined
  /** Areas that Home Assistant would not have: not asked for again. */
  readonly #refusedAreas = new Set<string>()
  #settled: () => void = () => {}
  /** Resolves once the registries were read, or could not be. */
  readonly settled = new Promise<void>((resolve) => {
    this.#settled = resolve
  })

  constructor(parts: RegistryParts) {
    this.#parts = parts
  }

  /** Begins to connect, and goes on trying until `stop`. */
  start(): void {
    void this.#connect()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#connection?.close()
  }

  /** Why nothing can be read, in one sentence. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** What is known of a device, by its MAC. */
  factsOf(mac: string | undefined): NamedFacts | undefined {
    const key = mac === undefined ? undefined : parseMac(mac)
    return key === undefined ? undefined : this.#facts.get(key)
  }

  /** Names a device as Home Assistant does; a name that was Home Assistant's and is no more is taken back. */
  name(deviceId: string): void {
    const { inventory } = this.#parts
    const entry = inventory.get(deviceId)
    if (entry === undefined || entry.mac === 0 || !this.#hasRead) return
    const name = this.#facts.get(entry.mac)?.name
    if (name !== undefined) inventory.name(entry, name, 'home_assistant')
    else if (entry.nameSource === 'home_assistant') inventory.unname(entry)
  }

  async #connect(): Promise<void> {
    const { access, log } = this.#parts
    const haws = await import('home-assistant-js-websocket')
    const auth = { wsUrl: access.url, accessToken: access.token, expired: false } as Auth
    try {
      // Until it answers: Home Assistant may start after this box.
      const connection = await haws.createConnection({
        auth,
        setupRetry: -1,
        createSocket: openSocket,
      })
      if (this.#stopped) return connection.close()
      this.#connection = connection
      connection.addEventListener('ready', () => this.#changed())
      connection.addEventListener('reconnect-error', () => this.#refused(haws.ERR_INVALID_AUTH))
      await connection.subscribeEvents(() => this.#changed(), FOLLOWED)
      await this.#read(connection)
      log.info(`names of devices are taken from Home Assistant ${connection.haVersion}`)
    } catch (error) {
      this.#refused(error, haws.ERR_INVALID_AUTH)
    }
  }

  /** It does not let us in, or not read. */
  #refused(error: unknown, invalid: unknown = error): void {
    if (this.#stopped) return
    const why =
      error === invalid
        ? 'Home Assistant refuses the token: make a new one in the profile of an administrator'
        : `the registries of Home Assistant can't be read: ${textOfError(error)}`
    if (this.#problem === undefined) this.#parts.log.warn(why)
    this.#tellProblem(why)
    this.#settled()
    this.#connection?.close()
    this.#connection = undefined
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#connect(), RETRY_MS).unref()
  }

  #changed(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#reread(), SETTLE_MS).unref()
  }

  async #reread(): Promise<void> {
    const connection = this.#connection
    if (connection === undefined || this.#stopped) return
    try {
      await this.#read(connection)
    } catch (error) {
      // A connection that was lost comes back by itself, and then tells that it is ready.
      this.#parts.log.debug(`the registries were not read: ${textOfError(error)}`)
    }
  }

  async #read(connection: Connection): Promise<void> {
    const devices = await connection.sendMessagePromise({ type: 'config/device_registry/list' })
    this.#facts = registryFacts(devices)
    this.#hasRead = true
    this.#tellProblem(undefined)
    this.#apply()
    const { agent, memory } = this.#parts
    const changes = areaChanges(devices, agent, (id) => memory.areaOf(id))
    for (const change of changes) await this.#setArea(connection, change)
  }

  /** What it changes comes back as an event, and is read again: then nothing is left to be set. */
  async #setArea(
    connection: Connection,
    { deviceId, registryId, areaId }: AreaChange,
  ): Promise<void> {
    const key = `${registryId} ${areaId}`
    if (this.#refusedAreas.has(key)) return
    const { memory, log } = this.#parts
    const before = memory.areaOf(deviceId)
    const change = { device_id: registryId, area_id: areaId }
    try {
      // First: what was set and is not remembered would count as a person's.
      memory.setArea(deviceId, areaId)
      await connection.sendMessagePromise({ type: 'config/device_registry/update', ...change })
    } catch (error) {
      memory.setArea(deviceId, before)
      this.#refusedAreas.add(key)
      log.debug(`Home Assistant did not set the area of ${deviceId}: ${textOfError(error)}`)
    }
  }

  /** All that was read is in force. */
  #apply(): void {
    this.#settled()
    for (const { id } of this.#parts.inventory.all()) this.name(id)
    this.#parts.onChange()
  }

  #tellProblem(problem: string | undefined): void {
    const hasChanged = this.#problem !== problem
    this.#problem = problem
    if (hasChanged) this.#parts.onChange()
  }
}

/** Its errors are numbers, answers with a message, or errors. */
function textOfError(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown }
  return String(message ?? error).slice(0, 200)
}
