// Neighbours that answered this box, or its router, on what is captured: they are there, even if they say nothing else.
import type { NetlinkEvent } from '../../native/index.ts'
import { parseMac } from '../address.ts'
import type { Locality } from '../inventory/locality.ts'
import { addressBytes } from '../inventory/locality.ts'
import type { Box } from './box.ts'
import type { Plan } from './plan.ts'

type Neighbour = NetlinkEvent & { kind: 'neighbour' }

/** Kept at most until it is known what is captured: as many as a kernel keeps at most by default, and more. */
const MOST_WAITING = 16384

export interface NeighboursParts {
  box: Box
  locality: Locality
  onNeighbour: (mac: number, ip: string, ipv6: boolean) => void
}

/** Tells of those of the home. The kernel tells of neighbours before there is a plan: these wait for it. */
export class Neighbours {
  readonly #parts: NeighboursParts
  #waiting: Neighbour[] = []

  constructor(parts: NeighboursParts) {
    this.#parts = parts
  }

  take(event: Neighbour, plan: Plan | undefined): void {
    if (event.removed || !event.reachable || event.mac === undefined) return
    if (plan !== undefined) this.#tell(event, plan)
    else if (this.#waiting.length < MOST_WAITING) this.#waiting.push(event)
  }

  /** What is captured is known, and what the home is. */
  planned(plan: Plan): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const event of waiting) this.#tell(event, plan)
  }

  #tell(event: Neighbour, plan: Plan): void {
    const { box, locality, onNeighbour } = this.#parts
    const name = box.links.get(event.index)?.name
    if (!plan.specs.some((spec) => spec.name === name)) return
    const mac = parseMac(event.mac ?? '')
    const bytes = addressBytes(event.ip)
    const ipv6 = bytes.length === 16
    if (mac === undefined || !locality.isLocal(bytes, 0, ipv6, mac)) return
    onNeighbour(mac, event.ip, ipv6)
  }
}
