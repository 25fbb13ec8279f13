// Which MACs carry remotes' traffic, from what is seen: devices' own questions, answered by way of them. What a MAC merely sends
// is no evidence, as anybody can write any source into a frame; the answer to a question of another device is hard to forge.

/** Different networks of remotes before a MAC counts as a router's. */
const NETWORKS_OF_A_ROUTER = 3
/** So long it counts without another answer. */
const KEPT_MS = 3_600_000
/** MACs that are remembered; of more the one without an answer for longest goes. */
const MAX_MACS = 256
const SWEEP_MS = 60_000

interface Carried {
  /** /24 of IPv4 and /48 of IPv6, as numbers; none any more once they are enough. */
  networks: Set<number>
  router: boolean
  lastMs: number
}

/** Remembers answers for an hour. */
export class RouterEvidence {
  readonly #macs = new Map<number, Carried>()
  #sweptMs = 0

  /** A remote's answer to another device came from `mac`. */
  note(bytes: Uint8Array, offset: number, ipv6: boolean, mac: number, timeMs: number): void {
    if (timeMs - this.#sweptMs > SWEEP_MS || timeMs < this.#sweptMs) this.#sweep(timeMs)
    let carried = this.#macs.get(mac)
    if (carried === undefined) {
      if (this.#macs.size >= MAX_MACS) this.#dropOldest()
      carried = { networks: new Set(), router: false, lastMs: timeMs }
      this.#macs.set(mac, carried)
    }
    if (timeMs > carried.lastMs) carried.lastMs = timeMs
    if (carried.router) return
    carried.networks.add(networkOf(bytes, offset, ipv6))
    if (carried.networks.size < NETWORKS_OF_A_ROUTER) return
    carried.router = true
    carried.networks.clear()
  }

  /** Remotes of several networks answered by way of it. */
  isRouter(mac: number): boolean {
    return this.#macs.get(mac)?.router === true
  }

  /** A remote, at least, answered by way of it. */
  carries(mac: number): boolean {
    return this.#macs.has(mac)
  }

  clear(): void {
    this.#macs.clear()
  }

  #sweep(timeMs: number): void {
    this.#sweptMs = timeMs
    for (const [mac, { lastMs }] of this.#macs) {
      if (timeMs - lastMs > KEPT_MS) this.#macs.delete(mac)
    }
  }

  #dropOldest(): void {
    let oldest: number | undefined
    let oldestMs = Number.POSITIVE_INFINITY
    for (const [mac, { lastMs }] of this.#macs) {
      if (lastMs >= oldestMs) continue
      oldest = mac
      oldestMs = lastMs
    }
    if (oldest !== undefined) this.#macs.delete(oldest)
  }
}

function networkOf(bytes: Uint8Array, offset: number, ipv6: boolean): number {
  let network = 0
  for (let i = 0; i < (ipv6 ? 6 : 3); i++) network = network * 256 + (bytes[offset + i] as number)
  return network
}
