// What a node of orders shows: what the kernel has, as the agent reads it back. Never what was ordered.
import type { Node, NodeAPI } from 'node-red'
import type { DevicePolicy } from '../protocol/policy.ts'
import type { AgentLink } from './agent-link.ts'
import type { Badge, Look } from './agent-node.ts'
import type { Ordered } from './guard-act.ts'

const OPEN: Look = { fill: 'green', shape: 'dot' }
const HELD: Look = { fill: 'blue', shape: 'dot' }
const DIFFERS: Look = { fill: 'red', shape: 'ring' }
const IDLE: Look = { fill: 'grey', shape: 'ring' }
const ASKED: Look = { fill: 'yellow', shape: 'ring' }
const FAILED: Look = { fill: 'red', shape: 'dot' }

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

  /** An order is under way. */
  asked(): void {
    this.#badge.setLast('homespin.status.asked', ASKED)
  }

  /** An order was not confirmed. */
  failed(): void {
    this.#badge.setLast('homespin.status.failed', FAILED)
  }

  /** An order about `device`, if it was about one, was confirmed; this was read back. */
  done(ordered: Ordered, device: unknown): void {
    const policies = Object.entries(ordered.policies)
    this.#policies.clear()
    for (const [id, policy] of policies) this.#policies.set(id, policy)
    // Where nothing changed nothing was read back.
    if (policies.length === 0) this.watch(device)
    this.#isIdle = policies.length === 0 && ordered.rules.some((rule) => rule.state === 'idle')
    this.#show()
  }

  /** The agent has spoken of a device, which is newer than what was read back. */
  heard(id: string): void {
    if (!this.#policies.has(id)) return
    this.#policies.set(id, undefined)
    this.#show()
  }

  #show(): void {
    const policies = [...this.#policies].flatMap(
      ([id, readBack]) => readBack ?? this.#link?.inventory.get(id)?.policy ?? [],
    )
    if (this.#isIdle) this.#badge.setLast('homespin.status.idle', IDLE)
    else if (policies.length === 0) this.#badge.setLast('')
    else if (policies.some((policy) => !policy.in_force)) {
      this.#badge.setLast('homespin.status.differs', DIFFERS)
    } else if (this.#shown === 'levels') this.#showLevels(policies)
    else this.#showRules(policies)
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
