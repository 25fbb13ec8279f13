// A policy desk for a test: real files in a folder of its own, clocks that are set, and a kernel that only records.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {
  ActualDevice,
  Applied,
  Order as Asked,
  Enforcement,
  Refusal,
} from '../../../agent/enforce/contract.ts'
import type { By, Order, PolicyEvents, Term } from '../../../agent/policy/contract.ts'
import type { Desired, DesiredMatch } from '../../../agent/policy/desired.ts'
import { levelsOf, NOTHING } from '../../../agent/policy/desired.ts'
import type { PolicyOptions } from '../../../agent/policy/policy.ts'
import { Policy } from '../../../agent/policy/policy.ts'
import type { PolicyDevice } from '../../../agent/policy/resolve.ts'
import type { BoxTime } from '../../../agent/policy/timers.ts'
import type { JournalEntry, Level, Match, Restriction, RuleView } from '../../../protocol/policy.ts'
import { recordingLog } from '../mqtt/listener.ts'

const cleanUps: (() => Promise<unknown> | unknown)[] = []

/** For `afterEach`. */
export async function removeAll(): Promise<void> {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
}

export function onRemove(cleanUp: () => Promise<unknown> | unknown): void {
  cleanUps.push(cleanUp)
}

export function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'homespin-policy-'))
  onRemove(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Stands for enforce/, which is made elsewhere: has what it is told, refuses what it is told to refuse. */
export class RecordingKernel implements Enforcement {
  desired: Desired = NOTHING
  applied: Desired[] = []
  /** Why a rule is refused by the kernel; undefined: it is not. */
  fails: ((ruleId: string, desired: Desired) => string | undefined) | undefined
  refuses: (order: Asked) => Refusal | undefined = () => undefined
  /** Rejects instead of applying. */
  broken: string | undefined
  delayMs = 0
  onChange: Enforcement['onChange'] = () => {}

  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  capabilities() {
    return {}
  }
  refusal(order: Asked): Refusal | undefined {
    return this.refuses(order)
  }
  async apply(desired: Desired): Promise<Applied> {
    await new Promise((resolve) => setTimeout(resolve, this.delayMs))
    if (this.broken !== undefined) throw new Error(this.broken)
    const failed = new Map<string, string>()
    for (const id of this.fails === undefined ? [] : ruleIdsOf(desired)) {
      const why = this.fails?.(id, desired)
      if (why !== undefined) failed.set(id, why)
    }
    this.desired = desired
    this.applied.push(desired)
    return { failed }
  }
  actual(): ReadonlyMap<string, ActualDevice> {
    const failed = (id: string): boolean => this.fails?.(id, this.desired) !== undefined
    return new Map(
      this.desired.devices.map((device) => [
        device.deviceId,
        {
          ...heldOf(
            levelsOf(device).flatMap((one) =>
              failed(one.ruleId) || one.level === 'observe' ? [] : [one.level],
            ),
          ),
          rules: new Set(device.matches.map(({ ruleId }) => ruleId).filter((id) => !failed(id))),
          restrictions: new Set(
            Object.entries(device.restrictions)
              .filter(([, { ruleId }]) => !failed(ruleId))
              .map(([name]) => name as Restriction),
          ),
        },
      ]),
    )
  }
  async takeBlocked() {
    return []
  }

  level(deviceId: string): Level | undefined {
    return this.device(deviceId)?.level?.level
  }
  device(deviceId: string) {
    return this.desired.devices.find((device) => device.deviceId === deviceId)
  }
  matches(deviceId: string): readonly DesiredMatch[] {
    return this.device(deviceId)?.matches ?? []
  }
}

function heldOf([level, ...further]: readonly Level[]): Pick<ActualDevice, 'level' | 'further'> {
  if (level === undefined) return {}
  return further.length === 0 ? { level } : { level, further }
}

function ruleIdsOf({ devices, everyone, unknown }: Desired): Set<string> {
  const ids = new Set<string>(everyone.map(({ ruleId }) => ruleId))
  for (const { ruleId } of levelsOf(unknown ?? {})) ids.add(ruleId)
  for (const device of devices) {
    const orders = [...levelsOf(device), ...Object.values(device.restrictions), ...device.matches]
    for (const { ruleId } of orders) ids.add(ruleId)
  }
  return ids
}

/** Clocks that stand still until they are set. */
export interface SetTime extends BoxTime {
  wallMs: number
  boot: number
  isSynchronised: boolean
  /** Time passes, on both. */
  pass: (ms: number) => void
  /** The box is started again, `offMs` later. */
  reboot: (offMs: number) => void
}

let boots = 0

export function setTime(wallMs = Date.UTC(2026, 5, 1, 12)): SetTime {
  const time: SetTime = {
    wallMs,
    boot: 1_000_000,
    isSynchronised: true,
    bootId: `boot-${++boots}`,
    wall: { now: () => time.wallMs },
    bootMs: () => time.boot,
    synchronised: () => time.isSynchronised,
    pass: (ms) => {
      time.wallMs += ms
      time.boot += ms
    },
    reboot: (offMs) => {
      time.bootId = `boot-${++boots}`
      time.boot = 5_000
      time.wallMs += offMs
    },
  }
  return time
}

export const ME: By = { actor: { kind: 'person', name: 'me', via: 'http' }, reason: 'a test' }

export function id(n: number): string {
  return (0x020de0000000 + n).toString(16).padStart(12, '0')
}

export function device(n: number, more: Partial<PolicyDevice> = {}): PolicyDevice {
  const mac = id(n).match(/../g)?.join(':') ?? ''
  return { id: id(n), mac, ips: [`192.0.2.${n % 250}`], name: `device ${n}`, ...more }
}

export interface Made {
  policy: Policy
  kernel: RecordingKernel
  time: SetTime
  dir: string
  lines: string[]
  devices: Map<string, PolicyDevice>
  told: {
    rules: RuleView[][]
    journal: JournalEntry[]
    devices: string[][]
    events: Parameters<PolicyEvents['onEvent']>[0][]
  }
  /** What is due by the clocks is done. */
  settle: () => Promise<void>
  /** Stops it and starts another on the same files, after `between`. */
  again: (between?: () => void) => Promise<Made>
}

export interface MakeOptions extends Partial<PolicyOptions> {
  time?: SetTime
  kernel?: RecordingKernel
  known?: readonly PolicyDevice[]
}

/** A started desk that knows ten devices. */
export async function make(options: MakeOptions = {}): Promise<Made> {
  const dir = options.dir ?? folder()
  const time = options.time ?? setTime()
  const kernel = options.kernel ?? new RecordingKernel()
  const known = options.known ?? Array.from({ length: 10 }, (_, n) => device(n + 1))
  const devices = new Map(known.map((one) => [one.id, one]))
  const log = recordingLog()
  const told: Made['told'] = { rules: [], journal: [], devices: [], events: [] }
  const policy = new Policy({
    dir,
    log,
    enforcement: kernel,
    devices: { get: (one) => devices.get(one), all: () => devices.values(), size: devices.size },
    events: {
      onRules: (rules) => told.rules.push(rules),
      onGroups: () => {},
      onJournal: (entry) => told.journal.push(entry),
      onDevices: (ids) => told.devices.push([...ids]),
      onEvent: (event) => told.events.push(event),
    },
    paceMs: 0,
    ...options,
    time,
  })
  await policy.start()
  onRemove(() => policy.stop())
  const made: Made = {
    policy,
    kernel,
    time,
    dir,
    lines: log.lines,
    devices,
    told,
    settle: async () => {
      policy.check()
      await policy.idle()
    },
    again: async (between = () => {}) => {
      await policy.stop()
      between()
      return await make({ ...options, dir, time, kernel, known: [...devices.values()] })
    },
  }
  return made
}

export function block(n: number, match: Match, term: Term = {}): Extract<Order, { match: Match }> {
  return { action: 'block', subject: { device_id: id(n) }, match, term }
}

export function quarantine(n: number, level: Level, term: Term = {}): Order {
  return { action: 'quarantine', subject: { device_id: id(n) }, level, term }
}
