// The DNS gate of the enforcement: hands what is ordered about names to the thread that gates DNS, and tells what was refused.

import type {
  DnsGate,
  DnsGateCounters,
  DnsGateOptions,
  GateEvents,
  HeardAddresses,
} from '../../../native/queue.ts'
import type { Blocked } from '../../../protocol/act.ts'
import type { Capability } from '../../../protocol/messages.ts'
import type { Log } from '../../log.ts'
import type { Desired, DesiredDevice, DesiredMatch } from '../../policy/desired.ts'
import { NOTHING } from '../../policy/desired.ts'
import type { Place } from '../place/place.ts'
import { PACKET_ANSWER } from '../tables/marks.ts'
import { SERVED, TABLE } from '../tables/ruleset-sets.ts'
import type { ElementSpec, Elements, SetId, SetSpec } from '../tables/sets.ts'
import { AskedElsewhere } from './asked-elsewhere.ts'
import type { GateSurroundings } from './dns-policy.ts'
import { dnsPolicyOf, gateSets, ruleOfName } from './dns-policy.ts'
import { HeardNames } from './heard-names.ts'

/** The native thread, as far as it is used here. */
export type GateThread = Pick<
  DnsGate,
  'start' | 'stop' | 'setPolicy' | 'hear' | 'restore' | 'serve' | 'elements' | 'port' | 'counters'
>

export interface DnsGatingParts {
  /** Makes a thread; it serves its queue once it is started. */
  gate: (options: DnsGateOptions) => GateThread
  /** Sets that there are at a place. */
  sets: (place: Place) => readonly SetSpec[]
  log: Log
}

/** What does not pass the gate. */
const PAST: Record<Place['position'], string> = {
  two_armed: 'Not what they ask another machine of their own network.',
  one_armed:
    'Not what they ask the router or another machine of their own network, nor what they ask over IPv6: let DHCP name this box as resolver.',
  bridge:
    'What they ask others than this box only if bridged packets pass the inet hooks (bridge-nf-call-iptables); let DHCP name this box as resolver.',
}
/** Until the thread says so itself. */
const SERVED_MS = 700
/** Refused names that are kept until they are taken; more are counted together, without the name. */
const MOST_REFUSED = 2048

/** By which interfaces packets come that wait: what begins outside comes by an uplink. */
function servedAt({ interfaces, uplinks }: Place): string[] {
  return [...new Set([...interfaces, ...uplinks])]
}

function blockedDomains(matches: readonly DesiredMatch[]): string[] {
  return matches.flatMap(({ action, domain }) =>
    action === 'block' && domain !== undefined ? [domain] : [],
  )
}

export class DnsGating {
  readonly #parts: DnsGatingParts
  #thread: GateThread | undefined
  #desired: Desired = NOTHING
  #around: GateSurroundings = { protect: [], resolvers: [], local: [] }
  #byMac = new Map<string, DesiredDevice>()
  #refused = new Map<string, Blocked>()
  #place: Place | undefined
  #asked = ''
  readonly #heard = new HeardNames()
  /** Who asks past the gate. */
  readonly elsewhere = new AskedElsewhere()
  /** Domains that are blocked, each with the device behind it unless it is for everybody. */
  #blocked: ReadonlySet<string> = new Set()
  /** Packets are put into the queues only while this says that they are served. */
  #serves = false
  #problem: string | undefined = 'There is no place to enforce at yet.'

  constructor(parts: DnsGatingParts) {
    this.#parts = parts
  }

  /** Serves the queue of a place; where it can't, `capability` says why. Once more with another place: begins anew there. */
  start(place: Place): void {
    const options: DnsGateOptions = {
      queue: place.queues.dns,
      sets: gateSets(this.#parts.sets(place)),
      served: { table: TABLE, set: SERVED },
      answerMark: PACKET_ANSWER,
    }
    const asked = JSON.stringify([options, place.features.queue])
    this.#place = place
    this.elsewhere.stand(place)
    if (asked === this.#asked) {
      this.#hand()
      return
    }
    this.stop()
    if (place.features.queue === undefined) {
      this.#problem = 'The kernel puts no packets to user space (NFQUEUE), which a DNS gate needs.'
      return
    }
    try {
      const thread = this.#parts.gate(options)
      thread.start((events) => this.#take(events))
      this.#thread = thread
      this.#asked = asked
      this.#problem = undefined
    } catch (error) {
      this.#problem = `DNS can not be gated: ${(error as Error).message}`
      this.#parts.log.warn(this.#problem)
      return
    }
    this.#hand()
  }

  /** DNS is open from then on; elements that were learned stay until their time is over. */
  stop(): void {
    this.#thread?.stop()
    this.#thread = undefined
    this.#asked = ''
    this.#serves = false
    this.#problem = 'The DNS gate was stopped.'
  }

  capability(): Capability {
    if (this.#problem !== undefined) return { ok: false, reason: this.#problem }
    const way = this.#place?.features.queue === 'nft' ? "nft's queue" : 'the xt target'
    const place = this.#place
    const past =
      place?.bridgeNetfilter && place.position === 'bridge' ? '' : place && PAST[place.position]
    return {
      ok: true,
      reason: `DNS of chosen devices passes this program, by ${way}. ${past ?? ''}`.trim(),
    }
  }

  /** Before the kernel gets the sets of a `Desired`: from now on its names hold. */
  apply(desired: Desired, around: GateSurroundings): void {
    this.#desired = desired
    this.elsewhere.apply(desired)
    this.#around = around
    this.#byMac = new Map(
      desired.devices.flatMap((device) => (device.mac === undefined ? [] : [[device.mac, device]])),
    )
    this.#hand()
    this.#shutKnown()
  }

  /** What is around has changed: who is believed, and what no block may take. */
  follow(around: GateSurroundings): void {
    if (JSON.stringify(around) === JSON.stringify(this.#around)) return
    this.#around = around
    this.#hand()
  }

  /** The tables were made anew, by us or by somebody else: what was learned goes into the sets again. */
  restore(): void {
    this.#thread?.restore()
  }

  /** Addresses of a name that were seen in an answer, wherever that went: those of blocked names are shut. */
  hear(heard: HeardAddresses): void {
    this.#heard.hear(heard, Date.now())
    if (this.#blocked.size > 0) this.#thread?.hear(heard)
  }

  /** What was learned, as it has to be in the sets of a place: for when all of them are written anew. */
  elements(place: Place, nowBootMs: number): Elements {
    const found = new Map<SetId, Map<string, ElementSpec>>()
    const learned = this.#thread?.elements() ?? []
    if (this.#serves) {
      const untilBootMs = nowBootMs + SERVED_MS
      const served = servedAt(place).map((name): [string, ElementSpec] => [
        name,
        { untilBootMs, ruleIds: [] },
      ])
      found.set(`inet ${TABLE} ${SERVED}`, new Map(served))
    }
    if (learned.length === 0) return found
    for (const gateSet of gateSets(this.#parts.sets(place))) {
      const elements = new Map<string, ElementSpec>()
      for (const { set, mac, ip, leftMs } of learned) {
        const fits =
          set === gateSet.kind &&
          ip.includes(':') === gateSet.ipv6 &&
          (mac === undefined) === gateSet.everyone
        if (!fits) continue
        const key = mac === undefined ? ip : `${mac} . ${ip}`
        elements.set(key, { untilBootMs: nowBootMs + leftMs, ruleIds: [] })
      }
      found.set(`${gateSet.family} ${gateSet.table} ${gateSet.set}`, elements)
    }
    return found
  }

  /** Netlink port whose changes in nftables are not somebody else's. */
  port(): number {
    return this.#thread?.port() ?? 0
  }

  counters(): DnsGateCounters | undefined {
    return this.#thread?.counters()
  }

  /** Names that did not exist for somebody since the last call. */
  takeBlocked(): Blocked[] {
    const all = [...this.#refused.values()]
    this.#refused.clear()
    return all
  }

  #hand(): void {
    const { protect, resolvers, local } = this.#around
    const none = { devices: [], block: [], allow: [], protect, resolvers, local }
    const policy = dnsPolicyOf(this.#desired, this.#around)
    this.#thread?.setPolicy(policy ?? none)
    // Nobody pays for what is not ordered.
    const asks = this.#desired.devices.some(({ restrictions }) => restrictions.ask !== undefined)
    this.#serves = this.#thread !== undefined && (policy !== undefined || asks)
    this.#thread?.serve(this.#serves && this.#place ? servedAt(this.#place) : [])
  }

  /** Whoever resolved a name before it was blocked knows its addresses. */
  #shutKnown(): void {
    const { devices, everyone } = this.#desired
    const before = this.#blocked
    // A rule for another device is as new as a name.
    this.#blocked = new Set([
      ...blockedDomains(everyone),
      ...devices.flatMap(({ deviceId, matches }) =>
        blockedDomains(matches).map((domain) => `${domain} ${deviceId}`),
      ),
    ])
    const added = [...this.#blocked].filter((each) => !before.has(each))
    if (added.length === 0) return
    const domains = new Set(added.map((each) => each.split(' ')[0] as string))
    for (const heard of this.#heard.of(domains, Date.now())) this.#thread?.hear(heard)
  }

  #take({ refused }: GateEvents): void {
    for (const { mac, name, count } of refused) {
      const device = this.#byMac.get(mac)
      const rule = ruleOfName(this.#desired, device, name)
      const deviceId = device?.deviceId ?? mac.replaceAll(':', '')
      const full = this.#refused.size >= MOST_REFUSED
      const key = full ? deviceId : `${deviceId} ${rule} ${name}`
      const known = this.#refused.get(key)
      if (known) {
        known.packets += count
        continue
      }
      // One entry a device beyond the cap: devices are bounded.
      this.#refused.set(key, {
        device_id: deviceId,
        ...(rule === undefined ? {} : { rule_id: rule }),
        cause: 'dns',
        ...(full ? {} : { remote: name }),
        direction: 'from_device',
        packets: count,
        bytes: 0,
      })
    }
  }
}
