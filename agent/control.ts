// The half of the agent that acts: orders, the kernel that carries them out, and what is detected. What happens goes out
// through `tell`; the other half (agent.ts) hands in what is seen.
import { join } from 'node:path'
import type { BlockedBatch, Incident } from '../protocol/act.ts'
import type { AgentEvent, Capability, Device } from '../protocol/messages.ts'
import type { DevicePolicy, Group, JournalEntry, RuleView } from '../protocol/policy.ts'
import { formatMac } from './address.ts'
import type { Config } from './config.ts'
import { IncidentDesk } from './detect/incident-desk.ts'
import { IncidentStore } from './detect/incident-store.ts'
import { LimitBook } from './detect/limit-book.ts'
import type { Limits } from './detect/limits.ts'
import { limitsOf } from './detect/limits.ts'
import { ObservedDevices } from './detect/observed-devices.ts'
import { ReverseFirewall } from './detect/reverse-firewall.ts'
import type { Enforcement } from './enforce/contract.ts'
import type { DeviceEntry, Inventory } from './inventory/inventory.ts'
import type { Log } from './log.ts'
import type { IncidentBook } from './methods/changes.ts'
import type { LimitDesk } from './methods/limits.ts'
import type { PolicyEvents } from './policy/contract.ts'
import { Policy } from './policy/policy.ts'
import type { PolicyDevice } from './policy/resolve.ts'
import type { BoxTime } from './policy/timers.ts'

/** Entries of one `blocked` message: it stays below 64 KiB. */
const MAX_BLOCKED = 200

/** Where it is told what happens. */
export interface ControlTelling {
  rules: (rules: readonly RuleView[]) => void
  groups: (groups: readonly Group[]) => void
  journal: (entry: JournalEntry) => void
  incident: (incident: Incident) => void
  blocked: (batch: BlockedBatch) => void
  /** What holds for a device has changed. */
  device: (entry: DeviceEntry) => void
  event: (event: Omit<AgentEvent, 'type' | 'seq'>) => void
  capability: (name: string, capability: Capability) => void
}

export interface ControlParts {
  config: Config
  /** Begins the ids of this run. */
  run: string
  inventory: Inventory
  enforcement: Enforcement
  /** The clocks of this box. */
  time: BoxTime
  nowMs: () => number
  log: Log
  tell: ControlTelling
}

/** Holds what is ordered, and watches for what should be. */
export class Control {
  readonly #parts: ControlParts
  readonly policy: Policy
  readonly #store: IncidentStore
  readonly #incidents: IncidentDesk
  readonly #firewall: ReverseFirewall
  readonly #observed: ObservedDevices
  readonly #limits: LimitBook
  #blockedSeq = 0
  #blockedMs = 0
  #takingBlocked = false

  constructor(parts: ControlParts) {
    const { config, run, inventory, enforcement, time, log, tell } = parts
    this.#parts = parts
    this.policy = new Policy({
      dir: config.data,
      time,
      log: log.child('policy'),
      devices: {
        get: (id) => known(inventory.get(id)),
        all: () => [...inventory.all()].map(policyDevice),
        get size() {
          return inventory.size
        },
      },
      enforcement,
      events: this.#policyEvents(),
    })
    this.#store = new IncidentStore(join(config.data, 'incidents.db'), log.child('incidents'))
    this.#incidents = new IncidentDesk({
      store: this.#store,
      run,
      tell: tell.incident,
      event: tell.event,
      closed: (incident) => {
        this.#firewall.closed(incident)
        this.#observed.closed(incident)
      },
      stays: (incident) => this.#observed.keeps(incident),
    })
    this.#limits = new LimitBook(join(config.data, 'limits.json'), log.child('detect'))
    this.#firewall = new ReverseFirewall({
      desk: this.#incidents,
      run,
      limitsOf: (id) => this.#limitsOf(id),
      device: (id) => shown(inventory.get(id)),
      order: (order, by) => this.policy.order(order, by),
      evidence: (id) => this.policy.evidence(id),
      log: log.child('detect'),
    })
    this.#observed = new ObservedDevices({
      desk: this.#incidents,
      run,
      observed: () => this.policy.observed,
      device: (id) => shown(inventory.get(id)),
    })
    enforcement.onChange = (change) => {
      if (change.kind === 'capability') this.#tellCapabilities()
      this.policy.enforcementChanged(change)
    }
  }

  /** Brings the kernel to what is ordered. Throws for files of a newer Homespin. */
  async start(): Promise<void> {
    const { enforcement, nowMs } = this.#parts
    this.#blockedMs = nowMs()
    this.#store.start()
    this.#incidents.start()
    this.#limits.start()
    await enforcement.start()
    this.#tellCapabilities()
    await this.policy.start()
  }

  /** Tells what stands, once there is somebody to tell. */
  announce(): void {
    const { rules = [], groups = [] } = this.standing
    this.#parts.tell.rules(rules)
    this.#parts.tell.groups(groups)
    // Those told before it was known what holds for them.
    for (const entry of this.#parts.inventory.all()) this.#parts.tell.device(entry)
    for (const incident of this.#incidents.open()) this.#parts.tell.incident(incident)
  }

  async stop(): Promise<void> {
    await this.policy.stop()
    await this.#parts.enforcement.stop(this.#parts.config.enforce.on_stop === 'remove')
    this.#store.stop()
  }

  /** A device began a flow; see `FlowReaderParts.onBegun`. */
  begun(deviceId: string, remote: string, port: number, flow: number): void {
    this.#firewall.begun(deviceId, remote, port, flow)
    this.#observed.begun(deviceId, remote, port, flow)
  }

  /** Once a second, after what was seen in it. */
  tick(nowMs: number): void {
    this.#firewall.tick(performance.now(), nowMs)
    // Before the policy was read nobody is known to be observed.
    if (this.policy.isReady) this.#observed.tick(nowMs)
    this.#incidents.tick(nowMs)
    void this.#tellBlocked(nowMs)
    this.#tellProblems()
  }

  /** Addresses, MAC or name of devices changed, or devices came. */
  devicesChanged(ids: readonly string[]): void {
    this.policy.devicesChanged(ids)
  }

  /** Something was ordered about this very device: it is not forgotten for another. Before orders were read: about every one. */
  isOrdered(deviceId: string): boolean {
    if (!this.policy.isReady) return true
    return this.policy.isOrdered(deviceId) || this.#limits.exceptions.devices.has(deviceId)
  }

  /** What holds for a device; undefined where nothing can be enforced and nothing is ordered, and before the kernel was read. */
  policyOf(deviceId: string): DevicePolicy | undefined {
    if (!this.policy.isReady) return undefined
    return this.#parts.enforcement.capabilities().enforce?.ok
      ? this.policy.policyOf(deviceId)
      : undefined
  }

  /** What is ordered; nothing before that was read. */
  get standing(): { rules?: RuleView[]; groups?: Group[] } {
    if (!this.policy.isReady) return {}
    return { rules: this.policy.rules(), groups: this.policy.groups() }
  }

  /** Why incidents can't be stored now, as a sentence. */
  get storeProblem(): string | undefined {
    return this.#store.problem
  }

  get openIncidents(): Incident[] {
    return this.#incidents.open()
  }

  /** For the methods. */
  get incidents(): IncidentBook {
    return {
      find: ({ deviceId, state, limit }) =>
        state === 'open'
          ? // The store is told of evidence now and then.
            this.#incidents
              .open()
              .filter(({ device_id }) => deviceId === undefined || deviceId === device_id)
              .slice(0, limit)
          : this.#store.find({
              ...(deviceId === undefined ? {} : { device: deviceId }),
              ...(state === undefined ? {} : { state }),
              limit,
            }),
      resolve: (id) => {
        if (!this.#incidents.close(id, 'person', this.#parts.nowMs())) return undefined
        return this.#store.find({ limit: 1000 }).find((incident) => incident.id === id)
      },
    }
  }

  /** For the methods. */
  get limits(): LimitDesk {
    return {
      all: () => this.#limitsOfAll(),
      list: () => this.#limits.list(),
      set: (entry) => this.#limits.set(entry),
    }
  }

  #limitsOfAll(): Limits {
    const { connections, remotes, window_s, policy, level, for_s } =
      this.#parts.config.reverse_firewall
    return { connections, remotes, windowS: window_s, policy, level, forS: for_s }
  }

  #limitsOf(deviceId: string): Limits {
    const groups = this.policy.groups().filter((group) => group.device_ids.includes(deviceId))
    const ids = groups.map(({ id }) => id)
    return limitsOf(deviceId, ids, this.#limitsOfAll(), this.#limits.exceptions)
  }

  #policyEvents(): PolicyEvents {
    const { tell, inventory, nowMs } = this.#parts
    return {
      onRules: tell.rules,
      onGroups: tell.groups,
      onJournal: tell.journal,
      onDevices: (ids) => {
        for (const id of ids) {
          const entry = inventory.get(id)
          if (entry !== undefined) tell.device(entry)
        }
      },
      onEvent: ({ kind, rule, device_id, sentence }) => {
        tell.event({
          kind,
          time_ms: nowMs(),
          ...(rule === undefined ? {} : { rule_id: rule.id }),
          ...(device_id === undefined ? {} : { device_id }),
          sentence,
        })
        const isOver = kind === 'rule_removed' || kind === 'rule_expired'
        if (isOver && rule?.action === 'quarantine' && 'device_id' in rule.subject) {
          const { device_id: id } = rule.subject
          const { desired_level, also_level } = this.policy.policyOf(id)
          const held = [desired_level, also_level].filter((level) => level !== undefined)
          this.#incidents.released(id, held, nowMs())
        }
      },
    }
  }

  #tellCapabilities(): void {
    const { enforcement, tell, inventory } = this.#parts
    for (const [name, capability] of Object.entries(enforcement.capabilities())) {
      tell.capability(name, capability)
    }
    for (const entry of inventory.all()) tell.device(entry)
  }

  /** Whether all that is ordered is stored and held. */
  #tellProblems(): void {
    const { problems } = this.policy
    const ok = problems.length === 0
    const reason = ok ? 'All that is ordered is stored and holds.' : problems.join(' ')
    this.#parts.tell.capability('rules', { ok, reason })
  }

  /** Reads the counters of what was dropped; one reading at a time. */
  async #tellBlocked(nowMs: number): Promise<void> {
    if (this.#takingBlocked) return
    this.#takingBlocked = true
    const { enforcement, tell, log } = this.#parts
    try {
      const blocked = await enforcement.takeBlocked()
      const from_ms = Math.min(this.#blockedMs, nowMs)
      this.#blockedMs = nowMs
      for (let at = 0; at < blocked.length; at += MAX_BLOCKED) {
        this.#blockedSeq++
        tell.blocked({
          type: 'blocked_batch',
          seq: this.#blockedSeq,
          from_ms,
          to_ms: nowMs,
          blocked: blocked.slice(at, at + MAX_BLOCKED),
        })
      }
    } catch (error) {
      log.debug(`what was dropped could not be read: ${(error as Error).message}`)
    } finally {
      this.#takingBlocked = false
    }
  }
}

/** A device with what holds for it. */
export function withPolicy(device: Device, policy: DevicePolicy | undefined): Device {
  return policy === undefined ? device : { ...device, policy }
}

function policyDevice(entry: DeviceEntry): PolicyDevice {
  return {
    id: entry.id,
    ...(entry.mac === 0 ? {} : { mac: formatMac(entry.mac) }),
    ips: [...entry.ips.keys()],
    shared: entry.shared,
    name: entry.name,
  }
}

function known(entry: DeviceEntry | undefined): PolicyDevice | undefined {
  return entry === undefined ? undefined : policyDevice(entry)
}

function shown(
  entry: DeviceEntry | undefined,
): { id: string; name: string; mac?: string; ips: string[] } | undefined {
  if (entry === undefined) return undefined
  return {
    id: entry.id,
    name: entry.name,
    ...(entry.mac === 0 ? {} : { mac: formatMac(entry.mac) }),
    ips: [...entry.ips.keys()].toReversed(),
  }
}
