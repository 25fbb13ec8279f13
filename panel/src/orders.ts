// Orders from click to state: an order is busy until what the agent tells shows it, and a refusal stays beside its control.
// Nothing here ever changes what is shown as holding: only the feed, and reads of the agent, do.
import type { DevicePolicy, RuleView } from '../../protocol/policy.ts'
import type { Api } from './api.ts'
import { ApiError } from './api.ts'
import type { FeedEvent } from './feed.ts'
import type { PanelState } from './store.ts'

/** What is to be done. */
export interface Order {
  /** Which control gave it; one order of a control is under way at a time. */
  key: string
  /** Method of the agent. */
  verb: string
  args: object
  /** Whether the state shows it; absent: what the answer tells is compared. */
  isSeen?: (state: PanelState) => boolean
}

/** How an order is getting on; none at all: the state shows what came of it. */
export type OrderState = { phase: 'busy' } | OrderFailure

/** Why an order was not carried out, or not wholly. */
export interface OrderFailure {
  phase: 'failed'
  /** `refused`: the agent's answer; `forbidden`: no right to; `away`: no answer; `warned`: done, but. */
  kind: 'refused' | 'forbidden' | 'away' | 'warned'
  /** The agent's sentence, raw. */
  reason?: string
}

/** What orders that stand answer with. */
export interface Ordered {
  rules?: readonly RuleView[]
  policies?: Readonly<Record<string, DevicePolicy>>
  not_stored?: string
  still_held?: string
}

/** What orders need. */
export interface OrderParts {
  send: (verb: string, args: object, signal: AbortSignal) => Promise<unknown>
  state: () => PanelState
  /** Reads the state from the agent, where the feed did not tell it. */
  refresh: (signal: AbortSignal) => Promise<void>
  onChange: (orders: ReadonlyMap<string, OrderState>) => void
  /** The agent took it. */
  onTaken?: (order: Order, result: unknown) => void
  /** Whoever asks has no right to order. */
  onForbidden?: () => void
}

/** An answer takes no longer than this: the agent's own patience with the kernel is shorter. */
const ANSWER_MS = 20_000
/** How long the feed is waited for after an answer, before the state is read. */
export const SEEN_MS = 2000
/** Refusals that are kept. */
const MAX_FAILED = 30

/** Carries orders out. */
export class OrderDesk {
  readonly #parts: OrderParts
  #abort = new AbortController()
  /** Answered, and not shown by the state yet. */
  readonly #waiting = new Map<string, { isSeen: (state: PanelState) => boolean; go: () => void }>()
  #orders: ReadonlyMap<string, OrderState> = new Map()

  constructor(parts: OrderParts) {
    this.#parts = parts
  }

  /** Gives an order; resolves when its control is no longer busy. */
  async give(order: Order): Promise<void> {
    if (this.#orders.get(order.key)?.phase === 'busy') return
    this.#set(order.key, { phase: 'busy' })
    const { signal } = this.#abort
    try {
      const patience = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)])
      const result = await this.#parts.send(order.verb, order.args, patience)
      this.#parts.onTaken?.(order, result)
      await this.#seen(order, result as Ordered, signal)
      const { not_stored, still_held } = (result as Ordered | null) ?? {}
      const warning = not_stored ?? still_held
      const isDone = warning === undefined
      this.#set(
        order.key,
        isDone ? undefined : { phase: 'failed', kind: 'warned', reason: warning },
      )
    } catch (error) {
      if (signal.aborted) return
      const failure = failureOf(error)
      this.#set(order.key, failure)
      if (failure.kind === 'forbidden') this.#parts.onForbidden?.()
    }
  }

  /** The state has changed. */
  notice(state: PanelState): void {
    for (const { isSeen, go } of this.#waiting.values()) if (isSeen(state)) go()
  }

  /** A refusal was read. */
  dismiss(key: string): void {
    if (this.#orders.get(key)?.phase === 'failed') this.#set(key, undefined)
  }

  /** Gives up what is under way; what was ordered is ordered. */
  stop(): void {
    this.#abort.abort()
    this.#abort = new AbortController()
  }

  async #seen(order: Order, result: Ordered | null, signal: AbortSignal): Promise<void> {
    const isSeen = order.isSeen ?? ((state: PanelState) => shows(state, result ?? {}))
    if (isSeen(this.#parts.state())) return
    const wasSeen = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), SEEN_MS)
      const go = (): void => {
        clearTimeout(timer)
        resolve(true)
      }
      this.#waiting.set(order.key, { isSeen, go })
    })
    this.#waiting.delete(order.key)
    // What is read now is the truth, whether or not it is what was asked for.
    if (!wasSeen) await this.#parts.refresh(signal)
  }

  #set(key: string, state: OrderState | undefined): void {
    const orders = new Map(this.#orders)
    orders.delete(key)
    if (state !== undefined) orders.set(key, state)
    const failed = [...orders].filter(([, { phase }]) => phase === 'failed')
    for (const [old] of failed.slice(0, -MAX_FAILED)) orders.delete(old)
    this.#orders = orders
    this.#parts.onChange(orders)
  }
}

/** What holds, read from the agent, as the feed would have told it. */
export async function readPolicy(api: Api, signal: AbortSignal): Promise<FeedEvent[]> {
  const [{ devices }, rules] = await Promise.all([api.devices(signal), api.rules(signal)])
  return [
    ...devices.map((device): FeedEvent => ({ name: 'device', data: device })),
    { name: 'rules', data: rules },
  ]
}

/** Whether the state tells what an answer told. */
export function shows(state: PanelState, { rules = [], policies = {} }: Ordered): boolean {
  const known = new Map(state.policy.rules?.map((rule) => [rule.id, rule]))
  const areThere = rules.every((rule) => known.get(rule.id)?.created_ms === rule.created_ms)
  return (
    areThere &&
    Object.entries(policies).every(([id, policy]) => {
      const device = state.devices.get(id)
      return device === undefined || marksOf(device.policy) === marksOf(policy)
    })
  )
}

function marksOf(policy: DevicePolicy | undefined): string {
  if (policy === undefined) return ''
  const { accepted, desired_level, level, also_level } = policy
  const { rules, restrictions, in_force, level_reason } = policy
  return JSON.stringify([
    accepted,
    desired_level,
    level,
    also_level,
    level_reason,
    [...rules].sort(),
    [...restrictions].sort(),
    in_force,
  ])
}

function failureOf(error: unknown): OrderFailure {
  if (!(error instanceof ApiError)) return { phase: 'failed', kind: 'away' }
  // Orders that are refused may have status 403 too: the code tells them from a missing right.
  const isForbidden = error.status === 401 || error.code === 'forbidden'
  return {
    phase: 'failed',
    kind: isForbidden ? 'forbidden' : 'refused',
    reason: error.message,
  }
}
