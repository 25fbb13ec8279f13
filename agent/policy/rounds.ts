// Round after round: what was ordered meanwhile becomes one transaction of the store and one of the kernel.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../log.ts'
import { PolicyError } from './contract.ts'
import type { Holder } from './holder.ts'
import type { Ledger, Taken } from './ledger.ts'
import type { Plan } from './plan.ts'

/** Orders in one round: more would keep the event loop busy. */
const MAX_ORDERS = 200
/** Orders that wait; more are turned away. */
const MAX_WAITING = 20_000
const MAX_PAUSE_MS = 100
/** How often what the kernel refuses is taken out and the rest tried again, before all is taken out. */
const MAX_TRIES = 3

export interface RoundsParts {
  log: Log
  ledger: Ledger
  holder: Holder
  wallNow: () => number
  /** What the box does by itself at this moment: hands over each plan in turn. */
  own: (take: (plan: Plan) => void) => void
  /** Changes that the kernel has; empty where only what it holds was made anew. */
  done: (taken: readonly Taken[]) => void
  /** Rounds begin at most this often. */
  paceMs: number
}

/** An order that was carried out. */
export interface Carried {
  /** Absent where there was nothing to change. */
  taken?: Taken
  /** Why it is not on the disk, a sentence. */
  notStored?: string
}

interface Waiting {
  plan: () => Plan | undefined
  resolve: (carried: Carried) => void
  reject: (error: unknown) => void
}

interface Ordered {
  waiting: Waiting
  taken: Taken
}

export class Rounds {
  readonly #parts: RoundsParts
  #waiting: Waiting[] = []
  #again = false
  #stopped = false
  #running: Promise<void> | undefined

  constructor(parts: RoundsParts) {
    this.#parts = parts
  }

  /** `plan` is asked when its round comes. Resolves once the kernel has it. */
  submit(plan: () => Plan | undefined): Promise<Carried> {
    if (this.#stopped) {
      return Promise.reject(new PolicyError('unavailable', 'The agent is stopping.'))
    }
    if (this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(
        new PolicyError('unavailable', 'Too many orders wait; send fewer at once.'),
      )
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ plan, resolve, reject })
      this.#wake()
    })
  }

  /** Makes anew what the kernel shall hold. */
  again(): void {
    this.#again = true
    this.#wake()
  }

  /** Resolves once nothing waits. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** What waits is turned away; the round that runs is finished. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const { reject } of this.#waiting.splice(0)) {
      reject(new PolicyError('unavailable', 'The agent is stopping.'))
    }
    await this.idle()
  }

  #wake(): void {
    if (this.#running !== undefined || this.#stopped) return
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    // Orders of the same turn of the event loop come together.
    await Promise.resolve()
    while (!this.#stopped && (this.#waiting.length > 0 || this.#again)) {
      const began = performance.now()
      const anew = this.#again
      this.#again = false
      const orders = this.#waiting.splice(0, MAX_ORDERS)
      try {
        await this.#round(orders, anew)
      } catch (error) {
        this.#parts.log.error(`a change of the policy failed: ${(error as Error).stack}`)
        for (const { reject } of orders) reject(error)
      }
      const tookMs = performance.now() - began
      // A flood of new devices makes work without an order: then a pause in proportion, no longer than an order may wait.
      const slowMs = orders.length === 0 ? Math.min(tookMs * 4, MAX_PAUSE_MS) : 0
      const waitMs = Math.max(this.#parts.paceMs - tookMs, slowMs)
      if (waitMs > 0) await sleep(waitMs)
    }
    // In the same turn as the look at what waits: an order that comes after it starts a run of its own.
    this.#running = undefined
  }

  async #round(orders: readonly Waiting[], anew: boolean): Promise<void> {
    const { ledger, holder, own, done } = this.#parts
    const mine: Taken[] = []
    own((plan) => mine.push(this.#take(plan)))
    const ordered: Ordered[] = []
    const unchanged: Waiting[] = []
    for (const waiting of orders) {
      try {
        const plan = waiting.plan()
        if (plan === undefined) unchanged.push(waiting)
        else ordered.push({ waiting, taken: this.#take(plan) })
      } catch (error) {
        waiting.reject(error)
      }
    }
    const changed = anew || mine.length + ordered.length > 0
    const notStored = ledger.waits ? ledger.write() : ledger.problem
    if (changed) await holder.hold()
    const held = await this.#turnAwayRefused(ordered)
    if (changed) done([...mine, ...held.map(({ taken }) => taken)])
    const more = notStored === undefined ? {} : { notStored }
    for (const { waiting, taken } of held) waiting.resolve({ taken, ...more })
    for (const { resolve } of unchanged) resolve({})
  }

  #take(plan: Plan): Taken {
    return this.#parts.ledger.take(plan, this.#parts.wallNow())
  }

  /** Takes out what the kernel does not take, and has the rest held. Tells which orders stand. */
  async #turnAwayRefused(ordered: readonly Ordered[]): Promise<readonly Ordered[]> {
    const { ledger, holder } = this.#parts
    let left = ordered
    for (let tries = 1; left.length > 0; tries++) {
      const refused = left.filter((one) => tries > MAX_TRIES || this.#whyNot(one) !== undefined)
      if (refused.length === 0) break
      const reasons = refused.map((one) => this.#whyNot(one))
      for (const { taken } of [...refused].reverse()) ledger.takeBack(taken)
      ledger.write()
      await holder.hold()
      refused.forEach(({ waiting }, n) => {
        const why = reasons[n] ?? 'The kernel did not take it together with other orders.'
        waiting.reject(new PolicyError('unavailable', why))
      })
      left = left.filter((one) => !refused.includes(one))
    }
    return left
  }

  #whyNot({ taken }: Ordered): string | undefined {
    const { holder, ledger } = this.#parts
    if (holder.trouble !== undefined) return holder.trouble
    const failed = taken.plan.change.added.find(
      ({ id }) => holder.failed.has(id) && ledger.state.rules.has(id),
    )
    return failed && holder.failed.get(failed.id)
  }
}
