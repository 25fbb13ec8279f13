// What the agent says of itself: where it looks, what it can do, what it lost. Told when it changes.
import type { Batch } from '../native/index.ts'
import type {
  AgentEvent,
  Capability,
  Info,
  InterfaceInfo,
  Loss,
  Mode,
} from '../protocol/messages.ts'
import { PROTOCOL } from '../protocol/messages.ts'

/** Counters alone are told this often. */
const COUNTERS_MS = 10_000

const NOTHING_LOST: Loss = {
  ring_packets: 0,
  name_packets: 0,
  netlink_overruns: 0,
  flows_evicted: 0,
  spool_messages: 0,
}

export interface InfoBoardParts {
  instance: string
  agent: string
  version: string
  startedMs: number
  tell: (info: Info) => void
  event: (event: Omit<AgentEvent, 'type' | 'seq'>) => void
}

/** Keeps `info` true. */
export class InfoBoard {
  readonly #parts: InfoBoardParts
  #info: Info
  #told: [InterfaceInfo[], Loss] | undefined
  #toldMs = 0
  #published = false

  constructor(parts: InfoBoardParts) {
    this.#parts = parts
    this.#info = {
      type: 'info',
      protocol: PROTOCOL,
      instance: parts.instance,
      agent: parts.agent,
      version: parts.version,
      roles: ['agent', 'controller'],
      mode: 'host',
      visibility: 'nothing yet: the agent is starting',
      lan: [],
      capabilities: {},
      interfaces: [],
      loss: NOTHING_LOST,
      started_ms: parts.startedMs,
    }
  }

  get info(): Info {
    return this.#info
  }

  /** From now on every change is told, this first. */
  publish(): void {
    this.#published = true
    this.#tell()
  }

  setPlace(mode: Mode, lan: readonly string[], visibility: string): void {
    this.#set({ mode, lan: [...lan], visibility })
  }

  setCapability(name: string, capability: Capability): void {
    const before = this.#info.capabilities[name]
    if (JSON.stringify(before) === JSON.stringify(capability)) return
    this.#set({ capabilities: { ...this.#info.capabilities, [name]: capability } })
    if (before === undefined || before.ok === capability.ok) return
    this.#parts.event({
      kind: 'capability_changed',
      time_ms: Date.now(),
      sentence: `${name}: ${capability.reason}`,
    })
  }

  /** What can't be stored now; empty or undefined where all can. */
  setStored(problems: readonly (string | undefined)[]): void {
    const reasons = problems.filter((each) => each !== undefined)
    const ok = reasons.length === 0
    this.setCapability('store', {
      ok,
      reason: ok ? 'All that is kept is stored.' : reasons.join(' '),
    })
  }

  /** After each tick: interfaces that went or came and losses are told at once, other counters now and then. */
  update(batch: Batch, loss: Loss, nowMs: number): void {
    const interfaces: InterfaceInfo[] = batch.interfaces.map(({ name, up, packets, dropped }) => ({
      name,
      state: up ? 'up' : 'down',
      packets,
      dropped,
    }))
    this.#tellInterfaces(interfaces, batch, nowMs)
    const before = this.#info
    this.#info = { ...before, interfaces, loss }
    const urgent =
      states(interfaces) !== states(before.interfaces) || total(loss) > total(before.loss)
    if (!urgent && nowMs - this.#toldMs < COUNTERS_MS) return
    if (JSON.stringify(this.#told) !== JSON.stringify([interfaces, loss])) this.#tell()
    this.#toldMs = nowMs
  }

  #tellInterfaces(interfaces: readonly InterfaceInfo[], batch: Batch, nowMs: number): void {
    const before = new Map(this.#info.interfaces.map((i) => [i.name, i.state]))
    for (const { name, state } of interfaces) {
      const was = before.get(name)
      if (was === state || (was === undefined && state === 'up')) continue
      const reason = batch.interfaces.find((i) => i.name === name)?.reason
      this.#parts.event({
        kind: state === 'up' ? 'interface_up' : 'interface_down',
        time_ms: nowMs,
        interface: name,
        sentence:
          state === 'up'
            ? `${name} is captured again`
            : `${name} is not captured: ${reason ?? 'it is gone'}; waiting for it`,
      })
    }
  }

  #set(change: Partial<Info>): void {
    this.#info = { ...this.#info, ...change }
    this.#tell()
  }

  #tell(): void {
    if (!this.#published) return
    this.#told = [this.#info.interfaces, this.#info.loss]
    this.#parts.tell(this.#info)
  }
}

function states(interfaces: readonly InterfaceInfo[]): string {
  return interfaces.map(({ name, state }) => `${name} ${state}`).join()
}

function total(loss: Loss): number {
  return Object.values(loss).reduce((sum, count) => sum + count, 0)
}
