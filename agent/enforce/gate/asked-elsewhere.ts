// Devices that have rules on names and ask where no gate is: another machine of their network, which is seen on a bridge, or
// somebody whom nobody sees, which follows from connections of a device that never asks here.
import { BlockList, isIPv6 } from 'node:net'
import type { Desired } from '../../policy/desired.ts'
import type { Place } from '../place/place.ts'
import { needsNames } from '../place/uncovered.ts'

const DNS_PORT = 53
/** So many connections to the internet, over so long, without one question: answers from before are old then. */
const CONNECTIONS = 8
const WATCH_MS = 120_000

/** What was seen of one device since it has rules on names. */
interface Seen {
  ips: readonly string[]
  /** It asks here, so that the gate has its questions. */
  asks: boolean
  /** The machine of its own network that it asks. */
  resolver?: string
  connections: number
  firstMs: number
}

function versionOf(ip: string): 'ipv4' | 'ipv6' {
  return isIPv6(ip) ? 'ipv6' : 'ipv4'
}

function networkOf(prefix: string): BlockList {
  const network = new BlockList()
  const [address = '', length] = prefix.split('/')
  network.addSubnet(address, Number(length), versionOf(address))
  return network
}

export class AskedElsewhere {
  #own: ReadonlySet<string> = new Set()
  #networks: readonly BlockList[] = []
  /** Whether what two machines of one network say to each other passes the gate. */
  #bridged = false
  #devices = new Map<string, Seen>()
  /** Something can be said of a device that could not before. */
  onFound: () => void = () => {}

  /** Where this box stands. */
  stand({ own, lan, bridgeNetfilter }: Place): void {
    this.#own = new Set(own)
    this.#networks = lan.map(networkOf)
    this.#bridged = bridgeNetfilter === true
  }

  /** Which devices are watched: those with rules on names. */
  apply({ devices }: Desired): void {
    const before = this.#devices
    this.#devices = new Map(
      devices.filter(needsNames).map(({ deviceId, ips }) => {
        const fresh = { asks: false, connections: 0, firstMs: 0 }
        return [deviceId, { ...(before.get(deviceId) ?? fresh), ips }]
      }),
    )
  }

  /** A device began a flow; `nowMs`: of any clock that only goes on. */
  begun(deviceId: string, remote: string, port: number, nowMs: number): void {
    const seen = this.#devices.get(deviceId)
    if (seen === undefined) return
    const near = this.#networks.some((network) => network.check(remote, versionOf(remote)))
    const asksHere = this.#own.has(remote) || !this.#isNeighbour(seen, remote) || this.#bridged
    if (port === DNS_PORT) {
      if (asksHere) seen.asks = true
      else if (seen.resolver === undefined) {
        seen.resolver = remote
        this.onFound()
      }
      return
    }
    if (near || seen.asks || seen.resolver !== undefined || seen.connections >= CONNECTIONS) return
    if (seen.connections === 0) seen.firstMs = nowMs
    // The last of them only counts when enough time is over.
    if (seen.connections < CONNECTIONS - 1) seen.connections++
    else if (nowMs - seen.firstMs >= WATCH_MS) {
      seen.connections++
      this.onFound()
    }
  }

  /** What of a device's names is asked past the gate, in a sentence. */
  uncovered(deviceId: string): string | undefined {
    const seen = this.#devices.get(deviceId)
    if (seen?.resolver !== undefined) {
      return `It asks ${seen.resolver}, a machine of its own network, for names: these questions do not pass the gate.`
    }
    if (seen === undefined || seen.asks || seen.connections < CONNECTIONS) return undefined
    return 'It reaches the internet and has asked for no name here: it asks another machine of its network, or in a hidden way, past the gate.'
  }

  #isNeighbour({ ips }: Seen, remote: string): boolean {
    return this.#networks.some(
      (network) =>
        network.check(remote, versionOf(remote)) &&
        ips.some((ip) => network.check(ip, versionOf(ip))),
    )
  }
}
