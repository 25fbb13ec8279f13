// Live capture: keeps what is captured in step with what the kernel says of this box.
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import type { Capture, Netlink, NetlinkEvent } from '../../native/index.ts'
import { parseMac } from '../address.ts'
import type { Locality } from '../inventory/locality.ts'
import { parsePrefix } from '../inventory/locality.ts'
import type { Log } from '../log.ts'
import { Box } from './box.ts'
import { Neighbours } from './neighbours.ts'
import type { Plan, Wanted } from './plan.ts'
import { planCapture } from './plan.ts'

/** Changes that come together are taken together. */
const SETTLE_MS = 100
/** How long the kernel may take to tell what there is. */
const FIRST_PLAN_MS = 5000

export interface LiveParts {
  capture: Capture
  netlink: Netlink
  locality: Locality
  log: Log
  /** A neighbour of a captured network answered: it is there, even if it says nothing else. */
  onNeighbour: (mac: number, ip: string, ipv6: boolean) => void
  onPlan: (plan: Plan) => void
  /** What the kernel says of this box has changed. */
  onBox: () => void
}

/** Captures interfaces. */
export class LiveCapture {
  readonly #parts: LiveParts
  readonly #wanted: Wanted
  /** What the kernel says of this box. */
  readonly box = new Box()
  readonly #neighbours: Neighbours
  #plan: Plan | undefined
  #specs = ''
  #timer: NodeJS.Timeout | undefined
  #nudged: string | undefined
  /** How often netlink messages were lost. */
  overruns = 0

  constructor(wanted: Omit<Wanted, 'forwards'>, parts: LiveParts) {
    this.#parts = parts
    this.#wanted = { ...wanted, forwards: forwards() }
    const { locality, onNeighbour } = parts
    this.#neighbours = new Neighbours({ box: this.box, locality, onNeighbour })
  }

  /** Resolves with the first plan, once it captures. Throws an Error that says what is missing. */
  async start(): Promise<Plan> {
    const plan = await new Promise<Plan>((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error('the kernel did not tell of its interfaces (rtnetlink)')),
        FIRST_PLAN_MS,
      )
      const first = (events: NetlinkEvent[]): void => {
        this.#onEvents(events)
        if (this.#plan !== undefined || !events.some((event) => event.kind === 'synchronised'))
          return
        clearTimeout(late)
        try {
          resolve(this.#replan())
        } catch (error) {
          reject(error)
        }
      }
      try {
        this.#parts.netlink.start(first)
      } catch (error) {
        clearTimeout(late)
        reject(error)
      }
    })
    return plan
  }

  /** What is captured now; undefined before `start`. */
  get plan(): Plan | undefined {
    return this.#plan
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#parts.netlink.stop()
  }

  #onEvents(events: NetlinkEvent[]): void {
    let planned = false
    for (const event of events) {
      if (this.box.apply(event)) planned = true
      if (event.kind === 'overrun') {
        this.overruns++
        this.#parts.log.warn('netlink messages were lost; reading the tables anew')
      }
      if (event.kind === 'neighbour') this.#neighbours.take(event, this.#plan)
    }
    if (this.#plan !== undefined) this.#parts.onBox()
    if (!planned || this.#plan === undefined || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#tryReplan()
    }, SETTLE_MS)
  }

  /** A change that leaves nothing to capture keeps the last plan: interfaces come back. */
  #tryReplan(): void {
    // After an overrun the tables are being told anew; their end is a change, too.
    if (!this.box.whole) return
    try {
      this.#replan()
    } catch (error) {
      this.#parts.log.warn(`${(error as Error).message}; keeping what was captured before`)
    }
  }

  #replan(): Plan {
    const { capture, locality, onPlan } = this.#parts
    // What `auto` came to is kept: a mode does not change behind the user's back.
    const mode =
      this.#plan?.mode === undefined ? this.#wanted.mode : (this.#plan.mode as Wanted['mode'])
    const interfaces =
      this.#wanted.interfaces.length > 0 || this.#plan === undefined
        ? this.#wanted.interfaces
        : chosenBy(this.#plan)
    const plan = planCapture({ ...this.#wanted, mode, interfaces }, this.box)
    locality.setPrefixes(plan.lan.flatMap((text) => parsePrefix(text) ?? []))
    for (const router of plan.routers) locality.addRouter(parseMac(router) ?? 0)
    capture.setLocality({ prefixes: plan.lan, own: plan.own })
    const specs = JSON.stringify(plan.specs)
    if (specs !== this.#specs) {
      capture.setInterfaces(plan.specs)
      this.#specs = specs
    }
    this.#nudge(plan.unresolvedGateway)
    this.#plan = plan
    onPlan(plan)
    this.#neighbours.planned(plan)
    return plan
  }

  /** One datagram to the discard port (RFC 863) makes the kernel ask for the gateway's MAC. */
  #nudge(gateway: string | undefined): void {
    if (gateway === this.#nudged) return
    this.#nudged = gateway
    if (gateway === undefined) return
    const socket = createSocket(gateway.includes(':') ? 'udp6' : 'udp4')
    socket.on('error', () => socket.close())
    socket.send('', 9, gateway, () => socket.close())
  }
}

/** The interfaces that a plan came to by itself; of a bridge not its ports, which come and go. */
function chosenBy({ mode, specs }: Plan): string[] {
  return specs
    .filter((spec) => mode !== 'bridge' || spec.count === 'own_outgoing')
    .map((spec) => spec.name)
}

function forwards(): boolean {
  try {
    return readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1'
  } catch {
    return false
  }
}
