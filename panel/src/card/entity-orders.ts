// Orders by Home Assistant's services: busy from the click until the entity's state shows it, and a refusal stays beside
// its control. Nothing here changes what is shown as holding: only states do.
import type { OrderFailure, OrderState } from '../orders.ts'
import type { Hass } from './hass.ts'

/** A service of an entity. */
export interface ServiceCall {
  domain: 'switch' | 'select' | 'number' | 'button'
  service: string
  entity: string
  data?: Readonly<Record<string, unknown>>
}

/** What is to be done. */
export interface EntityOrder {
  /** Which control gave it; one of a control is under way at a time. */
  key: string
  /** One after the other. */
  calls: readonly ServiceCall[]
  /** Whether the states show it. */
  isSeen: (states: Hass['states']) => boolean
}

/** How long the state is waited for once Home Assistant took the order. */
export const SEEN_MS = 12_000

/** Carries orders out between its making and `stop()`. */
export class EntityOrders {
  readonly #hass: () => Hass | undefined
  readonly #onChange: () => void
  readonly #seenMs: number
  readonly #orders = new Map<string, OrderState>()
  /** Given up on, though they may still be carried out. */
  readonly #late = new Map<string, EntityOrder>()
  readonly #awaited = new Map<
    string,
    { order: EntityOrder; timer: ReturnType<typeof setTimeout> }
  >()

  /** `seenMs`: how long a state is waited for. */
  constructor(hass: () => Hass | undefined, onChange: () => void, seenMs: number = SEEN_MS) {
    this.#hass = hass
    this.#onChange = onChange
    this.#seenMs = seenMs
  }

  /** How the orders are getting on, by key. */
  get orders(): ReadonlyMap<string, OrderState> {
    return this.#orders
  }

  /** Gives an order, unless its control is busy. */
  async give(order: EntityOrder): Promise<void> {
    const hass = this.#hass()
    if (hass === undefined || this.#orders.get(order.key)?.phase === 'busy') return
    this.#late.delete(order.key)
    this.#orders.set(order.key, { phase: 'busy' })
    this.#wait(order)
    this.#onChange()
    try {
      for (const { domain, service, entity, data = {} } of order.calls)
        await hass.callService(domain, service, data, { entity_id: entity }, false)
      this.notice(this.#hass()?.states ?? {})
    } catch (error) {
      this.#fail(order.key, failureOf(error))
    }
  }

  /** Ends the orders that the states show. Returns whether there were any. */
  notice(states: Hass['states']): boolean {
    let isAny = false
    for (const [key, { order, timer }] of this.#awaited) {
      if (!order.isSeen(states)) continue
      clearTimeout(timer)
      this.#awaited.delete(key)
      this.#orders.delete(key)
      isAny = true
    }
    for (const [key, order] of this.#late) {
      if (!order.isSeen(states)) continue
      this.#late.delete(key)
      this.#orders.delete(key)
      isAny = true
    }
    if (isAny) this.#onChange()
    return isAny
  }

  /** The refusal was read. */
  dismiss(key: string): void {
    if (this.#orders.get(key)?.phase !== 'failed') return
    this.#late.delete(key)
    this.#orders.delete(key)
    this.#onChange()
  }

  /** Waits for nothing any more. */
  stop(): void {
    for (const { timer } of this.#awaited.values()) clearTimeout(timer)
    this.#awaited.clear()
    this.#late.clear()
    this.#orders.clear()
  }

  #wait(order: EntityOrder): void {
    const timer = setTimeout(
      () => this.#fail(order.key, { phase: 'failed', kind: 'away' }),
      this.#seenMs,
    )
    this.#awaited.set(order.key, { order, timer })
  }

  #fail(key: string, failure: OrderFailure): void {
    const awaited = this.#awaited.get(key)
    if (awaited === undefined) return
    clearTimeout(awaited.timer)
    this.#awaited.delete(key)
    this.#orders.set(key, failure)
    if (failure.kind === 'away') this.#late.set(key, awaited.order)
    this.#onChange()
  }
}

function failureOf(error: unknown): OrderFailure {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  if (code === 'unauthorized') return { phase: 'failed', kind: 'forbidden' }
  return {
    phase: 'failed',
    kind: 'refused',
    reason: typeof message === 'string' ? message : String(error),
  }
}
