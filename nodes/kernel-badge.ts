// What a node of orders shows: what the kernel has, as the agent reads it back. Never what was ordered.
import type { Node, NodeAPI } from 'node-red'
import type { DevicePolicy, RuleView } from '../protocol/policy.ts'
import type { AgentLink } from './agent-link.ts'
import type { Badge, Look } from './agent-node.ts'
import type { Ordered } from './guard-act.ts'

const OPEN: Look = { fill: 'green', shape: 'dot' }
const HELD: Look = { fill: 'blue', shape: 'dot' }
const DIFFERS: Look = { fill: 'red', shape: 'ring' }
const IDLE: Look = { fill: 'grey', shape: 'ring' }
const ASKED: Look = { fill: 'yellow', shape: 'ring' }
const FAILED: Look = { fill: 'red', shape: 'dot' }
const PARTLY: Look = { fill: 'yellow', shape: 'dot' }

/** An order waits to be confirmed for a minute; no badge waits longer than this. */
const MAX_WAIT_MS = 600_000
const MAX_DATE_MS = 8.64e15

const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })

/** Levels of quarantine, or blocks and exceptions. */
export type Shown = 'levels' | 'rules'

/** Follows the devices that the last order was about. */
export class KernelBadge {
  readonly #RED: NodeAPI
  readonly #badge: Badge
  readonly #shown: Shown
  /** What was read back with the last order, until the device's own topic says more. */
  readonly #policies = new Map<string, DevicePolicy | undefined>()
  #link: AgentLink | undefined
  #isIdle = false
  /** When the last order is rolled back, by the agent's clock, unless somebody confirms it. */
  #unconfirmedMs: number | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(RED: NodeAPI, badge: Badge, shown: Shown) {
    this.#RED = RED
    this.#badge = badge
    this.#shown = shown
  }

  /** Where the devices are. */
  follow(link: AgentLink | undefined): void {
    this.#link = link
  }

  /** Follows the device that `text` means, where it is exactly one. */
  watch(text: unknown): void {
    const found = typeof text === 'string' ? (this.#link?.inventory.find(text) ?? []) : []
    const [device] = found
    if (found.length !== 1 || !device) return
    this.#policies.clear()
    this.#policies.set(device.id, undefined)
    this.#isIdle = false
    this.#show()
  }

  /** Nothing more is shown. */
  stop(): void {
    clearTimeout(this.#timer)
  }

  /** An order is under way. */
  asked(): void {
    this.#badge.setLast('homespin.status.asked', ASKED)
  }

  /** An order was not confirmed. */
  failed(): void {
    this.#badge.setLast('homespin.status.failed', FAILED)
  }

  /**
   * An order about `device`, if it was about one, was carried out; this was read back. `unconfirmed`: rules that will be rolled
   * back unless somebody confirms them.
   */
  done(ordered: Ordered, device: unknown, unconfirmed: readonly RuleView[]): void {
    const policies = Object.entries(ordered.policies)
    this.#policies.clear()
    for (const [id, policy] of policies) this.#policies.set(id, policy)
    // Where nothing changed nothing was read back.
    if (policies.length === 0) this.watch(device)
    this.#isIdle = policies.length === 0 && ordered.rules.some((rule) => rule.state === 'idle')
    this.#awaitConfirmation(unconfirmed)
    this.#show()
  }

  /** The agent has spoken of a device, which is newer than what was read back. */
  heard(id: string): void {
    if (!this.#policies.has(id)) return
    this.#policies.set(id, undefined)
    this.#show()
  }

  /** Its time is taken by this box's clock, since the order came: the clocks of two boxes differ. */
  #awaitConfirmation(rules: readonly RuleView[]): void {
    clearTimeout(this.#timer)
    const [first] = rules
    this.#unconfirmedMs = first?.confirm_until_ms
    if (!first || this.#unconfirmedMs === undefined) return
    // A time that no clock can show is none.
    this.#unconfirmedMs = Math.min(MAX_DATE_MS, this.#unconfirmedMs)
    const waitMs = Math.min(MAX_WAIT_MS, Math.max(0, this.#unconfirmedMs - first.created_ms))
    this.#timer = setTimeout(() => {
      this.#unconfirmedMs = undefined
      this.#show()
    }, waitMs)
    this.#timer.unref()
  }

  #show(): void {
    const policies = [...this.#policies].flatMap(
      ([id, readBack]) => readBack ?? this.#link?.inventory.get(id)?.policy ?? [],
    )
    if (this.#isIdle) this.#badge.setLast('homespin.status.idle', IDLE)
    else if (policies.length === 0) this.#badge.setLast('')
    else if (policies.some((policy) => !policy.in_force)) {
      this.#badge.setLast('homespin.status.differs', DIFFERS)
    } else if (this.#unconfirmedMs !== undefined && policies.some((each) => this.#holds(each))) {
      const time = CLOCK.format(this.#unconfirmedMs)
      this.#badge.setLast(this.#RED._('homespin.status.unconfirmed', { time }), ASKED)
    } else if (policies.some((each) => this.#holds(each) && each.uncovered)) {
      this.#badge.setLast('homespin.status.uncovered', PARTLY)
    } else if (this.#shown === 'levels') this.#showLevels(policies)
    else this.#showRules(policies)
  }

  /** Something of what this node orders holds. */
  #holds({ level, rules }: DevicePolicy): boolean {
    return this.#shown === 'rules' ? rules.length > 0 : level !== undefined && level !== 'observe'
  }

  #showLevels(policies: DevicePolicy[]): void {
    const held = policies.flatMap((policy) => policy.level ?? [])
    const [first] = held
    if (first === undefined) this.#badge.setLast('homespin.status.open', OPEN)
    else if (policies.length === 1) this.#badge.setLast(`homespin.status.${first}`, HELD)
    else this.#badge.setLast(this.#RED._('homespin.status.held', { count: held.length }), HELD)
  }

  #showRules(policies: DevicePolicy[]): void {
    const { size } = new Set(policies.flatMap((policy) => policy.rules))
    if (size === 0) this.#badge.setLast('homespin.status.no_rules', OPEN)
    else this.#badge.setLast(this.#RED._('homespin.status.rules', { count: size }), HELD)
  }
}

/** The name of the flow that a node is in, as Node-RED gives it to nodes. */
export function flowNameOf(RED: NodeAPI, node: Node): unknown {
  return RED.util.evaluateNodeProperty('NR_FLOW_NAME', 'env', node, {})
}
