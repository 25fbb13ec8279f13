// The page behind Home Assistant: served to the Supervisor alone, on its own interface, whatever others can reach or forge
// (CVE-2026-34205: an address of a bridge can be reached from the LAN through this box).
import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Log } from '../log.ts'
import type { SupervisorClient } from './client.ts'
import { SupervisorError } from './client.ts'

/** The Supervisor's fixed address in its own network. */
const SUPERVISOR_ADDRESS = '172.30.32.2'

/** Listens on an address and port for what comes in by one interface; gives the descriptor. */
export type ListenOnDevice = (address: string, port: number, device: string) => number

export interface IngressParts {
  client: SupervisorClient
  log: Log
  listenOnDevice: ListenOnDevice
  /** A server that is not listening yet, of the page for who comes through Home Assistant. */
  makeServer: () => Server
  /** How often it is looked whether the interface is as it was, and the Supervisor asked. Default 5 s and 60 s. */
  lookMs?: number
  askMs?: number
}

/** As the Supervisor tells them. */
interface Facts {
  address: string
  port: number
}

/** Where to listen; another one when the Supervisor's network was made anew. */
interface Place extends Facts {
  device: string
  /** The kernel binds to it, not to the name. */
  index: string
}

/** Listens where the Supervisor asks, and follows it. */
export class Ingress {
  readonly #parts: IngressParts
  #server: Server | undefined
  #place: Place | undefined
  #facts: Facts | undefined
  #askedMs = 0
  #timer: NodeJS.Timeout | undefined
  #said = ''
  #stopped = true

  constructor(parts: IngressParts) {
    this.#parts = parts
  }

  /** Tries at once; a Supervisor or a network that is not there yet is waited for. */
  async start(): Promise<void> {
    this.#stopped = false
    await this.#look()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#close()
  }

  /** Where it listens now. */
  get place(): Readonly<Place> | undefined {
    return this.#place
  }

  async #look(): Promise<void> {
    const { log, lookMs = 5000 } = this.#parts
    try {
      await this.#follow()
      this.#said = ''
    } catch (error) {
      const sentence = (error as Error).message
      if (sentence !== this.#said) log.warn(`no page in Home Assistant yet: ${sentence}`)
      this.#said = sentence
    }
    if (this.#stopped) return
    this.#timer = setTimeout(() => void this.#look(), lookMs)
    this.#timer.unref()
  }

  async #follow(): Promise<void> {
    const place = placeOf(await this.#ask())
    if (this.#stopped || same(place, this.#place)) return
    await this.#close()
    await this.#listen(place)
  }

  async #ask(): Promise<Facts> {
    const { client, askMs = 60_000 } = this.#parts
    const known = this.#facts
    if (known !== undefined && performance.now() - this.#askedMs < askMs) return known
    try {
      this.#facts = factsOf(await client.self())
      this.#askedMs = performance.now()
      return this.#facts
    } catch (error) {
      // While the Supervisor is being updated, what it said before holds.
      if (error instanceof SupervisorError && known !== undefined) return known
      throw error
    }
  }

  async #listen(place: Place): Promise<void> {
    const { listenOnDevice, makeServer, log } = this.#parts
    const { address, port, device } = place
    const fd = listenOnDevice(address, port, device)
    const server = makeServer()
    // The device keeps out who is not in the Supervisor's network; this, the other apps that are.
    server.prependListener('connection', (socket: Socket) => {
      if (socket.remoteAddress !== SUPERVISOR_ADDRESS) socket.destroy()
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ fd }, resolve)
    })
    this.#server = server
    this.#place = place
    log.info(`the page is served to Home Assistant on ${address}:${port} of ${device}`)
  }

  async #close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    this.#place = undefined
    if (server === undefined) return
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    await closed
  }
}

/** Where the Supervisor says that it will ask. Throws an Error with a sentence. */
export function factsOf(data: Record<string, unknown>): Facts {
  const { ip_address, ingress, ingress_port } = data
  if (ingress === false) throw new Error('the manifest of this app does not ask for ingress')
  const port = Number(ingress_port)
  if (typeof ip_address !== 'string' || !(port > 0 && port <= 65535)) {
    throw new Error('the Supervisor does not tell address and port')
  }
  return { address: ip_address, port }
}

function placeOf({ address, port }: Facts): Place {
  for (const [device, addresses = []] of Object.entries(networkInterfaces())) {
    if (!addresses.some((each) => each.address === address)) continue
    const index = readFileSync(`/sys/class/net/${device}/ifindex`, 'utf8').trim()
    return { address, port, device, index }
  }
  throw new Error(
    `no interface of this machine has the address ${address} that the Supervisor names: is host_network on?`,
  )
}

function same(a: Place, b: Place | undefined): boolean {
  return (
    a.address === b?.address && a.port === b.port && a.device === b.device && a.index === b.index
  )
}
