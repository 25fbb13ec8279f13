// Whether something stands in the way of what a gateway routes, such as Docker's FORWARD policy: looked at whenever the place or
// somebody's nftables change, and now and then, as iptables-legacy tells nobody of its changes.
import type { Log } from '../../log.ts'
import type { Standing } from './standing.ts'

/** Something in the way. */
export interface ForwardDoor {
  /** Opens it for a place; the reason where it can't be. Undefined: nothing is in the way any more. */
  open: (standing: Standing) => Promise<string | undefined>
  /** Takes back all that was done; rejects where some of it is left. */
  close: () => Promise<void>
}

export interface DoorWatchParts {
  door: ForwardDoor | undefined
  log: Log
  /** It may be another one now; in its turn `behind` is to be asked. */
  onLook: () => void
}

/** So long after others changed nftables it is looked: Docker may have begun, and begins with many changes. */
const AFTER_CHANGE_MS = 3000
const SELDOM_MS = 60_000

export class DoorWatch {
  readonly #parts: DoorWatchParts
  readonly #seldomMs: number
  #soon: NodeJS.Timeout | undefined
  #seldom: NodeJS.Timeout | undefined

  constructor(parts: DoorWatchParts, seldomMs = SELDOM_MS) {
    this.#parts = parts
    this.#seldomMs = seldomMs
  }

  start(): void {
    if (this.#parts.door === undefined) return
    this.#seldom = setInterval(() => this.#parts.onLook(), this.#seldomMs)
    this.#seldom.unref()
  }

  /** Somebody changed something in nftables. */
  changed(): void {
    if (this.#parts.door === undefined || this.#soon !== undefined) return
    this.#soon = setTimeout(() => {
      this.#soon = undefined
      this.#parts.onLook()
    }, AFTER_CHANGE_MS)
  }

  /** Where the box stands, seen through the door. */
  async behind(standing: Standing): Promise<Standing> {
    const reason = standing.place && (await this.#parts.door?.open(standing))
    return reason === undefined ? standing : { reason }
  }

  stop(): void {
    clearTimeout(this.#soon)
    clearInterval(this.#seldom)
  }

  /** Takes back what was done to it; what could not be is told. */
  async close(): Promise<void> {
    const { door, log } = this.#parts
    await door?.close().catch((error: Error) => {
      log.warn(`what was opened for routed traffic stays open: ${error.message}`)
    })
  }
}
