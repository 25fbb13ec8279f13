// The DNS gate of the enforcement: hands what is ordered about names to the thread that gates DNS, and tells what was refused.

import type {
  DnsGate,
  DnsGateCounters,
  DnsGateOptions,
  GateElement,
  GateEvents,
  GateSet,
} from '../../../native/dns-gate.ts'
import type { Blocked } from '../../../protocol/act.ts'
import type { Capability } from '../../../protocol/messages.ts'
import type { Log } from '../../log.ts'
import type { Desired, DesiredDevice, DesiredMatch } from '../../policy/desired.ts'
import { NOTHING } from '../../policy/desired.ts'
import type { Place } from '../place/place.ts'
import { CT_RESOLVED, PACKET_ANSWER } from '../tables/marks.ts'
import { SERVED, TABLE } from '../tables/ruleset-sets.ts'
import type { ElementSpec, Elements, SetId, SetSpec } from '../tables/sets.ts'
import { AskedElsewhere } from './asked-elsewhere.ts'
import type { GateSurroundings } from './dns-policy.ts'
import { dnsPolicyOf, gateSets, ruleOfName } from './dns-policy.ts'
import { HeardNames } from './heard-names.ts'
import { Hearing } from './hearing.ts'
import type { Whose } from './narrowing.ts'
import { isClosed, narrowed, onLists, unblocked } from './narrowing.ts'

/** The native thread, as far as it is used here. */
export type GateThread = Pick<
  DnsGate,
  | 'start'
  | 'stop'
  | 'setPolicy'
  | 'hear'
  | 'takeMarks'
  | 'restore'
  | 'serve'
  | 'elements'
  | 'port'
  | 'counters'
>

/** An answer that was seen on its way to a device. */
export interface SeenAnswer {
  /** The name that was asked for, then its aliases in order. */
  names: readonly string[]
  ips: readonly string[]
  ttlS: number
  deviceId: string
  /** The address of the device. */
  client: string
  /** The address of who answered, and the MAC that sent the frame. */
  resolver: string
  sender?: string
}

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
/** What a name and its aliases are at most to the thread. */
const MOST_NAMES = 16

/** By which interfaces packets come that wait: what begins outside comes by an uplink. */
function servedAt({ interfaces, uplinks }: Place): string[] {
  return [...new Set([...interfaces, ...uplinks])]
}

function blockedDomains(matches: readonly DesiredMatch[]): string[] {
  return matches.flatMap(({ action, domain }) =>
    action === 'block' && domain !== undefined ? [domain] : [],
  )
}

/** The element of a set of the kernel; undefined: it is not for this set. */
function keyIn(gateSet: GateSet, { set, mac, source, ip }: GateElement): string | undefined {
  const has = mac !== undefined ? 'mac' : source !== undefined ? 'ip' : 'none'
  const fits = set === gateSet.kind && ip.includes(':') === gateSet.ipv6 && has === gateSet.key
  if (!fits) return undefined
  const before = mac ?? source
  return before === undefined ? ip : `${before} . ${ip}`
}

export class DnsGating {
  readonly #parts: DnsGatingParts
  #thread: GateThread | undefined
  #desired: Desired = NOTHING
  #around: GateSurroundings = { protect: [], resolvers: [], local: [] }
  #byMac = new Map<string, DesiredDevice>()
  #byIp = new Map<string, DesiredDevice>()
  #byId = new Map<string, DesiredDevice>()
  /** Something was applied, so that a change is known as one. */
  #began = false
  /** Who has lost something, and whose connections are looked at anew: handed to the thread, in its order; and who waits for one. */
  readonly #narrowing: Whose[] = []
  #narrowed: Whose[] = []
  /** Why connections of these devices go on. */
  readonly #unended = new Map<string, string>()
  #refused = new Map<string, Blocked>()
  #place: Place | undefined
  #asked = ''
  readonly #heard = new HeardNames()
  readonly #hearing = new Hearing((heard) => this.#thread?.hear(heard))
  /** Who asks past the gate. */
  readonly elsewhere = new AskedElsewhere()
  /** Domains that are blocked, each with the device behind it unless it is for everybody. */
  #blocked: ReadonlySet<string> = new Set()
  /** Since the thread is there. */
  #hasLearned = false
  /** Packets are put into the queues only while this says that they are served. */
  #serves = false
  #problem: string | undefined = 'There is no place to enforce at yet.'
  /** Some names are no longer allowed to these, and what they allowed is out of the sets; or none is blocked any more. */
  onNarrowed: (whose: Whose) => void = () => {}
  onUnblocked: (whose: Whose) => void = () => {}

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
    this.#hasLearned = false
    this.#hearing.stop()
    // What was not told is done by the next thread.
    this.#narrowed = [...this.#narrowing.splice(0), ...this.#narrowed]
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
    const before = this.#began ? this.#desired : desired
    this.#began = true
    this.#desired = desired
    const less = narrowed(before, desired)
    if (less.everyone || less.devices.length > 0) this.#narrowed.push(less)
    this.elsewhere.apply(desired)
    this.#around = around
    const { devices } = desired
    this.#byId = new Map(devices.map((device) => [device.deviceId, device]))
    this.#byMac = new Map(
      devices.flatMap((device) => (device.mac === undefined ? [] : [[device.mac, device]])),
    )
    this.#byIp = new Map(
      devices.flatMap((device) => device.ips.map((ip): [string, DesiredDevice] => [ip, device])),
    )
    this.#hand()
    this.#shutKnown()
    const free = unblocked(before, desired)
    if (free.everyone || free.devices.length > 0) this.onUnblocked(free)
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

  /** What of a device's orders on names is open, in a sentence. */
  uncovered(deviceId: string): string | undefined {
    const said = [this.elsewhere.uncovered(deviceId), this.#unended.get(deviceId)]
    return said.filter((each) => each !== undefined).join(' ') || undefined
  }

  /**
   * An answer that was seen, wherever that went: addresses of blocked names are shut, for others than who asked only if whoever
   * answered is believed.
   */
  hear({ names, ips, ttlS, deviceId, client, resolver, sender }: SeenAnswer): void {
    const device = this.#byId.get(deviceId)
    const believed = this.#believes(resolver, sender)
    // Nothing is ordered about who asked, so nothing can be shut for it alone.
    if (!believed && device === undefined) return
    const only = believed ? undefined : { mac: device?.mac, ip: client }
    const heard = { names: names.slice(0, MOST_NAMES), ips, ttlS, only }
    this.#heard.hear(heard, Date.now())
    if (this.#blocked.size > 0) this.#hearing.push([heard])
  }

  /**
   * What was learned, as it has to be in the sets of a place: for when all of them are written anew. Sets are left out as long as
   * nothing was learned at all: an earlier run may have filled them.
   */
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
    this.#hasLearned ||= learned.length > 0
    if (!this.#hasLearned) return found
    for (const gateSet of gateSets(this.#parts.sets(place))) {
      const elements = new Map<string, ElementSpec>()
      for (const each of learned) {
        const key = keyIn(gateSet, each)
        if (key === undefined) continue
        elements.set(key, { untilBootMs: nowBootMs + each.leftMs, ruleIds: [] })
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

  /** Whether an answer was of a resolver that is believed, and not of somebody in the home who poses as one. */
  #believes(resolver: string, sender: string | undefined): boolean {
    const { resolvers, neighbours = [] } = this.#around
    if (resolvers.length > 0 && !resolvers.includes(resolver)) return false
    const place = this.#place
    if (place === undefined || sender === undefined) return false
    return place.infrastructure.includes(sender) || neighbours.includes(resolver)
  }

  #hand(): void {
    const { protect, resolvers, local } = this.#around
    const none = { devices: [], block: [], allow: [], protect, resolvers, local }
    const home = this.#place?.lan ?? []
    const policy = dnsPolicyOf(this.#desired, { ...this.#around, home })
    this.#thread?.setPolicy(policy ?? none)
    this.#narrow()
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
    this.#hearing.push(this.#heard.of(domains, Date.now()))
  }

  /** Connections of devices whose lists became narrower lose the mark by which they go on. */
  #narrow(): void {
    for (const whose of this.#thread === undefined ? [] : this.#narrowed.splice(0)) {
      const ids = new Set(onLists(whose).map(({ deviceId }) => deviceId))
      // A device may have more addresses than are known: only what surely is another one's stays.
      const others = this.#desired.devices.filter(
        (device) => isClosed(device) && !ids.has(device.deviceId),
      )
      this.#narrowing.push(whose)
      // Where nobody is on a list no mark is meant, only the turn.
      const mark = ids.size > 0 ? CT_RESOLVED : 0
      this.#thread?.takeMarks(
        mark,
        others.flatMap(({ ips }) => ips),
      )
    }
  }

  #ended(marks: GateEvents['marks']): void {
    for (const { error } of marks) {
      const whose = this.#narrowing.shift()
      if (whose === undefined) continue
      for (const { deviceId } of onLists(whose)) {
        if (error === undefined) this.#unended.delete(deviceId)
        else this.#unended.set(deviceId, `Connections from before its list may go on: ${error}.`)
      }
      if (error !== undefined) this.#parts.log.warn(`connections go on: ${error}`)
      this.onNarrowed(whose)
    }
  }

  #take({ refused, marks }: GateEvents): void {
    this.#ended(marks)
    for (const { mac, source, name, count } of refused) {
      const device = mac === undefined ? this.#byIp.get(source ?? '') : this.#byMac.get(mac)
      const rule = ruleOfName(this.#desired, device, name)
      const deviceId = device?.deviceId ?? mac?.replaceAll(':', '') ?? ''
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
