// A capture without `--lan`: which MACs are routers, and which networks are the home's, from who carries what.
import { FLOW, FLOW_FLAGS, FLOW_RECORD_BYTES } from '../../native/layout.ts'
import { isGroupMac, macKey } from '../address.ts'
import type { Locality, Prefix } from '../inventory/locality.ts'
import { isGroupAddress, isLinkLocal, isPrivate } from '../inventory/locality.ts'
import { FlowRecords } from './records.ts'

/** Networks noted per MAC and family: more say no more. */
const ENOUGH = 8
/** A device may have addresses of its old, its unique local and its global IPv6 network at once. */
const IPV6_NETWORKS_OF_A_DEVICE = 3
const MAX_MACS = 65536

/** The networks of one MAC: IPv4 by /24, IPv6 by /64, as the bytes of the prefix. */
interface Carried {
  v4: Map<string, Uint8Array>
  v6: Map<string, Uint8Array>
  publicIp: boolean
  privateIp: boolean
}

/** Looks at records, then decides once. */
export class LocalityInference {
  readonly #macs = new Map<number, Carried>()

  look(buffer: ArrayBuffer, count: number): void {
    const records = new FlowRecords(buffer)
    for (let i = 0; i < count; i++) {
      const base = i * FLOW_RECORD_BYTES
      const ipv6 = (records.byte(base, FLOW.FLAGS) & FLOW_FLAGS.IPV6) !== 0
      this.#note(records, base + FLOW.ORIG_MAC, base + FLOW.ORIG_IP, ipv6)
      this.#note(records, base + FLOW.RESP_MAC, base + FLOW.RESP_IP, ipv6)
    }
  }

  #note(records: FlowRecords, macAt: number, ipAt: number, ipv6: boolean): void {
    const mac = macKey(records.words, macAt >> 1)
    const { bytes } = records
    if (mac === 0 || isGroupMac(mac) || isGroupAddress(bytes, ipAt, ipv6)) return
    if (isLinkLocal(bytes, ipAt, ipv6)) return
    let carried = this.#macs.get(mac)
    if (carried === undefined) {
      if (this.#macs.size >= MAX_MACS) return
      carried = { v4: new Map(), v6: new Map(), publicIp: false, privateIp: false }
      this.#macs.set(mac, carried)
    }
    if (isPrivate(bytes, ipAt, ipv6)) carried.privateIp = true
    else carried.publicIp = true
    const networks = ipv6 ? carried.v6 : carried.v4
    if (networks.size >= ENOUGH) return
    const network = bytes.subarray(ipAt, ipAt + (ipv6 ? 8 : 3))
    const key = network.toString('latin1')
    if (!networks.has(key)) networks.set(key, Uint8Array.from(network))
  }

  /** Tells `locality` what was found. */
  conclude(locality: Locality): void {
    const privateHome = [...this.#macs.values()].some((c) => c.privateIp && !c.publicIp)
    const prefixes = new Map<string, Prefix>()
    const routers: number[] = []
    for (const [mac, carried] of this.#macs) {
      const router =
        carried.v4.size > 1 ||
        carried.v6.size > IPV6_NETWORKS_OF_A_DEVICE ||
        (privateHome && carried.publicIp && carried.v4.size > 0 && !carried.privateIp)
      if (router) routers.push(mac)
      else addNetworks(prefixes, carried)
    }
    locality.setPrefixes([...prefixes.values()].slice(0, 256), true)
    for (const mac of routers) locality.addRouter(mac)
  }
}

function addNetworks(prefixes: Map<string, Prefix>, carried: Carried): void {
  for (const [key, bytes] of carried.v4) {
    prefixes.set(`4${key}`, { ipv6: false, bytes: pad(bytes, 4), length: 24 })
  }
  for (const [key, bytes] of carried.v6) {
    prefixes.set(`6${key}`, { ipv6: true, bytes: pad(bytes, 16), length: 64 })
  }
}

function pad(bytes: Uint8Array, length: number): Uint8Array {
  const whole = new Uint8Array(length)
  whole.set(bytes)
  return whole
}
