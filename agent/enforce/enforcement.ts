// The enforcement on a kernel: what policy/ asks for, put together out of the parts of this room.
import type { Blocked } from '../../protocol/act.ts'
import type { Capability } from '../../protocol/messages.ts'
import type { Box } from '../capture/box.ts'
import type { Plan } from '../capture/plan.ts'
import type { Log } from '../log.ts'
import type { Desired, DesiredDevice } from '../policy/desired.ts'
import type {
  ActualDevice,
  Applied,
  Enforcement,
  EnforcementChange,
  Order,
  Refusal,
} from './contract.ts'
import type { Told } from './gate/believed.ts'
import { gateSurroundings, withResolvers } from './gate/believed.ts'
import type { DnsGating } from './gate/dns-gate.ts'
import type { GateSurroundings } from './gate/dns-policy.ts'
import type { FirstPacketDesk } from './gate/first-packets.ts'
import type { Whose } from './gate/narrowing.ts'
import type { ElementChange, Kernel, KernelProbes } from './kernel/kernel.ts'
import type { Trouble } from './place/capabilities.ts'
import { capabilitiesOf, passing, troubleOf } from './place/capabilities.ts'
import type { ForwardDoor } from './place/door-watch.ts'
import { DoorWatch } from './place/door-watch.ts'
import { HeardIpv6 } from './place/heard-ipv6.ts'
import type { Place } from './place/place.ts'
import type { PlaceWatchParts } from './place/place-watch.ts'
import { PlaceWatch } from './place/place-watch.ts'
import { ProtectedList } from './place/protected.ts'
import { rulesOfDesired } from './place/protected-desired.ts'
import { refusalOf } from './place/refusals.ts'
import type { PlaceOptions, Standing } from './place/standing.ts'
import { uncoveredNames } from './place/uncovered.ts'
import { actualOf } from './reconcile/actual.ts'
import { BlockedCounter } from './reconcile/blocked.ts'
import { forgetLearned, OPEN_SETS, SHUT_SETS } from './reconcile/forget-learned.ts'
import { Reconciler } from './reconcile/reconciler.ts'
import type { Ruleset } from './reconcile/reconciler-ruleset.ts'
import type { Written } from './reconcile/reconciler-writer.ts'
import { KernelWriter } from './reconcile/reconciler-writer.ts'
import type { Elements } from './tables/sets.ts'

/** Where what the kernel took is kept for the next boot. */
export interface KeptRules {
  keep: (desired: Desired, place: Place) => void
  /** Resolves once it is kept; `forget`: once nothing is. */
  stop: (forget: boolean) => Promise<void>
}

export interface EnforcementParts extends Told {
  kernel: Kernel
  ruleset: Ruleset
  /** Fed by capture/; `boxChanged` says when. */
  box: Box
  /** What is captured now. */
  plan: () => Plan | undefined
  resolvConf: () => Promise<string | undefined>
  /** Addresses of the broker now, besides those of the options; does not reject. */
  brokers?: () => Promise<readonly string[]>
  /** Addresses of this agent's machine, where that is not the box. */
  agents?: () => readonly string[]
  /** What can't be done here, whatever the kernel can. */
  missing?: Readonly<Record<string, Capability>>
  door?: ForwardDoor
  /** Names. Absent: nothing can be ordered about them. */
  gate?: DnsGating
  /** First packets. Absent: nobody can be asked. */
  first?: FirstPacketDesk
  /** Keeps what the kernel took for the next boot. */
  kept?: KeptRules
  /** Whether bridged packets pass the inet hooks now. */
  bridgeNetfilter?: () => Promise<boolean>
  /** What sysfs says of links. */
  portFacts?: PlaceWatchParts['portFacts']
  /** Milliseconds of CLOCK_BOOTTIME. */
  bootMs: () => number
  log: Log
}

/** The second, unless the first is there and not well. */
function unless(needed: Capability | undefined, capability: Capability): Capability {
  return needed?.ok === false ? needed : capability
}

export class KernelEnforcement implements Enforcement {
  readonly #parts: EnforcementParts
  readonly #protected = new ProtectedList()
  readonly #writer: KernelWriter
  readonly #reconciler: Reconciler
  readonly #watch: PlaceWatch
  readonly #blocked: BlockedCounter
  #standing: Standing | undefined
  /** As it was told, before what is in the way was looked at. */
  #asked: Standing | undefined
  readonly #door: DoorWatch
  readonly #heard = new HeardIpv6()
  #probes: KernelProbes | undefined
  #written: Written | undefined
  #problem: Trouble | undefined = passing('Enforcement has not started yet.')
  #told = ''
  #taken = false
  #watching = false
  #stopped = false
  #beginning: Promise<void> = Promise.resolve()
  #placing: Promise<void> = Promise.resolve()
  onChange: (change: EnforcementChange) => void = () => {}

  constructor(options: PlaceOptions, parts: EnforcementParts) {
    this.#parts = parts
    const { kernel, ruleset, bootMs, log } = parts
    this.#writer = new KernelWriter({
      kernel,
      ruleset,
      protected: this.#protected,
      dynamic: (place, now) => parts.gate?.elements(place, now) ?? new Map(),
      replaced: () => parts.gate?.restore(),
      bootMs,
    })
    this.#blocked = new BlockedCounter(kernel, ruleset, this.#writer)
    this.#reconciler = new Reconciler({
      writer: this.#writer,
      ruleset,
      log,
      onTampering: (sentence, problem) =>
        this.onChange({
          kind: 'tampering',
          sentence,
          ...(problem === undefined ? {} : { problem }),
        }),
      onWritten: (written, asked) => {
        const failed = (of: Written | undefined): string => JSON.stringify([...(of?.failed ?? [])])
        const isOther = !asked && failed(written) !== failed(this.#written)
        this.#written = written
        // Where nothing had to be written the kernel was not asked.
        this.#setProblem(passing(kernel.away))
        const place = this.#standing?.place
        if (place !== undefined) parts.kept?.keep(written.desired, place)
        this.onChange(
          isOther
            ? { kind: 'capability', sentence: 'What may be ordered here has changed.' }
            : { kind: 'changed', sentence: 'The kernel has what was ordered.' },
        )
      },
      onFailure: (why) => this.#setProblem(passing(why)),
    })
    if (parts.gate) {
      parts.gate.elsewhere.onFound = () =>
        this.onChange({ kind: 'changed', sentence: 'A device asks for names past the gate.' })
      parts.gate.onNarrowed = (whose) => this.#forget(whose, OPEN_SETS)
      parts.gate.onUnblocked = (whose) => this.#forget(whose, SHUT_SETS)
    }
    this.#heard.onChange = () => this.boxChanged()
    this.#door = new DoorWatch({ door: parts.door, log, onLook: () => this.#lookAtDoor() })
    this.#watch = new PlaceWatch(options, {
      box: parts.box,
      plan: parts.plan,
      probe: (interfaces) => kernel.probe(interfaces),
      flowtables: () => kernel.flowtables(),
      heard: () => this.#heard.now,
      resolvConf: parts.resolvConf,
      ...(parts.brokers === undefined ? {} : { brokers: parts.brokers }),
      ...(parts.agents === undefined ? {} : { agents: parts.agents }),
      ...(parts.bridgeNetfilter === undefined ? {} : { bridgeNetfilter: parts.bridgeNetfilter }),
      ...(parts.portFacts === undefined ? {} : { portFacts: parts.portFacts }),
      log,
      onPlace: (standing, probes) => {
        this.#placing = this.#placing.then(() => this.#take(standing, probes))
      },
      onLinks: (place, links) => {
        const levels = new Set(ruleset.levels(place).values)
        if (this.#taken) this.#reconciler.begin(place, levels, links)
      },
      onSurroundings: (surroundings) => {
        this.#protected.follow(surroundings)
        parts.gate?.follow(this.#around())
        this.#followResolvers()
      },
    })
  }

  async start(): Promise<void> {
    const { kernel, log } = this.#parts
    kernel.onForeignChange = (change) => {
      this.#reconciler.foreign(change)
      this.#watch.rulesChanged()
      this.#door.changed()
    }
    kernel.onAway = (away) => {
      this.#setProblem(passing(away))
      if (away !== undefined) return
      // It could not be reached when this began.
      if (!this.#watching) this.#beginning = this.#beginning.then(() => this.#begin())
      // Anything may have happened meanwhile.
      else this.#reconciler.refresh()
      this.boxChanged()
    }
    try {
      await kernel.start()
      await this.#begin()
    } catch (error) {
      this.#problem = troubleOf(error)
      log.warn(`nothing can be enforced here: ${this.#problem.reason}`)
    }
    this.#told = JSON.stringify(this.capabilities())
  }

  /** Once the kernel can be reached. */
  async #begin(): Promise<void> {
    const { kernel, log } = this.#parts
    if (this.#watching || this.#stopped) return
    try {
      this.#problem = passing(kernel.away)
      this.#watching = true
      await this.#watch.start()
      this.#door.start()
      await this.#placing
    } catch (error) {
      // Where it has gone away again, it begins when it is back.
      this.#watching = kernel.away === undefined
      this.#problem = troubleOf(error)
      log.warn(`nothing can be enforced here: ${this.#problem.reason}`)
    }
    this.#tellCapabilities()
  }

  async stop(remove: boolean): Promise<void> {
    const { kernel, gate, first, kept, log } = this.#parts
    this.#stopped = true
    await this.#watch.stop()
    await this.#beginning
    this.#door.stop()
    await this.#placing
    await this.#reconciler.stop()
    await kept?.stop(remove)
    gate?.stop()
    first?.stop()
    kernel.onForeignChange = () => {}
    kernel.onAway = () => {}
    if (remove && this.#probes !== undefined) {
      await this.#writer
        .remove(this.#probes.bridge.works)
        .catch((error: Error) => log.warn(`what was ordered stays in force: ${error.message}`))
      await this.#door.close()
    }
    await kernel.stop()
    this.#problem = passing('Enforcement was stopped.')
  }

  /** The box that capture/ follows, or its plan, has changed. */
  boxChanged(): void {
    if (this.#watching) this.#watch.changed()
  }

  /** A message of neighbour discovery, as the capture hands it up. */
  heard(message: Buffer, head: Buffer): void {
    this.#heard.hear(message, head)
  }

  capabilities(): Record<string, Capability> {
    const { ruleset, gate, first, missing } = this.#parts
    const found = capabilitiesOf(this.#standing, this.#probes, this.#problem, ruleset)
    if (!found.enforce?.ok) return found
    return {
      ...found,
      ...missing,
      ...(gate && { dns_gate: gate.capability() }),
      // The gate's thread says for both that they are served.
      ...(first && { first_packets: unless(gate?.capability(), first.capability()) }),
    }
  }

  refusal(order: Order): Refusal | undefined {
    return refusalOf(order, {
      capabilities: this.capabilities(),
      place: this.#standing?.place,
      protected: this.#protected,
    })
  }

  async apply(desired: Desired): Promise<Applied> {
    this.#parts.gate?.apply(desired, this.#around())
    this.#parts.first?.apply(desired)
    const { enforce } = capabilitiesOf(this.#standing, this.#probes, undefined, this.#parts.ruleset)
    const reached = this.#parts.kernel.away === undefined
    if (enforce?.ok && this.#taken && reached) return await this.#reconciler.apply(desired)
    this.#reconciler.want(desired)
    const why = this.#problem?.reason ?? enforce?.reason ?? 'Nothing can be enforced here.'
    return { failed: new Map(rulesOfDesired(desired).map((rule) => [rule, why])) }
  }

  actual(): ReadonlyMap<string, ActualDevice> {
    const place = this.#standing?.place
    if (this.#written === undefined || place === undefined) return new Map()
    const { ruleset, gate } = this.#parts
    const broken = place.features.queue === undefined ? undefined : gate?.capability()
    const uncovered = (device: DesiredDevice): string | undefined => {
      const said = [
        ruleset.uncovered(place, device),
        gate?.uncovered(device.deviceId),
        uncoveredNames(broken, device),
      ]
      return said.filter((each) => each !== undefined).join(' ') || undefined
    }
    return actualOf(this.#written, this.#writer.held, this.#parts.bootMs(), uncovered)
  }

  async takeBlocked(): Promise<readonly Blocked[]> {
    const counted = await this.#blocked.take(this.#written)
    return [...counted, ...(this.#parts.gate?.takeBlocked() ?? [])]
  }

  /** For the DNS gate: addresses of names, in sets that are for them. Resolves when the kernel has them. */
  async writeDynamic(changes: readonly ElementChange[]): Promise<void> {
    await this.#writer.writeDynamic(changes)
  }

  async #take(standing: Standing, probes: KernelProbes): Promise<void> {
    const { log, ruleset } = this.#parts
    this.#probes = probes
    this.#asked = standing
    this.#standing = withResolvers(await this.#door.behind(standing), this.#protected, this.#parts)
    const { place } = this.#standing
    this.#parts.gate?.follow(this.#around())
    if (place !== undefined) {
      const levels = new Set(ruleset.levels(place).values)
      if (!this.#taken) {
        this.#writer.setPlace(place, levels)
        await this.#writer.lookAgain().catch((error: Error) => {
          log.warn(`what an earlier run left could not be read: ${error.message}`)
        })
      }
      this.#taken = true
      this.#parts.gate?.start(place)
      this.#parts.first?.start(place)
      this.#reconciler.begin(place, levels, this.#standing.links)
      this.#parts.gate?.restore()
    }
    this.#tellCapabilities()
  }

  /** What was learned for these, and by no gate that is there, goes. */
  #forget(whose: Whose, sets: RegExp): void {
    const { gate, kernel, bootMs, log } = this.#parts
    const known = (): Elements => {
      const place = this.#standing?.place
      return place === undefined ? new Map() : (gate?.elements(place, bootMs()) ?? new Map())
    }
    const forgetting = { ...whose, sets, known, restore: () => gate?.restore() }
    forgetLearned(forgetting, this.#writer, kernel).catch((error: Error) =>
      log.warn(`addresses of names stay until their time is over: ${error.message}`),
    )
  }

  #around(): GateSurroundings {
    return gateSurroundings(this.#protected, this.#parts, this.#standing?.place?.lan ?? [])
  }

  /** The resolvers of this box are others now: elements follow, the place is the same. */
  #followResolvers(): void {
    this.#placing = this.#placing.then(async () => {
      const [asked, standing, probes] = [this.#asked, this.#standing, this.#probes]
      if (asked === undefined || standing?.place === undefined || probes === undefined) return
      const { place } = withResolvers(standing, this.#protected, this.#parts)
      const isSame = place?.resolvers?.join() === standing.place.resolvers?.join()
      if (!isSame) await this.#take(asked, probes)
    })
  }

  /** What is routed may be dropped now, or no longer. */
  #lookAtDoor(): void {
    this.#placing = this.#placing.then(async () => {
      const [asked, probes] = [this.#asked, this.#probes]
      if (asked?.place === undefined || probes === undefined || this.#stopped) return
      const found = await this.#door.behind(asked)
      const isSame = (found.place === undefined) === (this.#standing?.place === undefined)
      if (!isSame) await this.#take(asked, probes)
    })
  }

  #setProblem(problem: Trouble | undefined): void {
    if (problem?.reason === this.#problem?.reason) return
    this.#problem = problem
    this.#tellCapabilities()
  }

  #tellCapabilities(): void {
    const now = JSON.stringify(this.capabilities())
    if (this.#told === '' || now === this.#told) return
    this.#told = now
    const { enforce } = this.capabilities()
    this.onChange({ kind: 'capability', sentence: enforce?.reason ?? '' })
  }
}
