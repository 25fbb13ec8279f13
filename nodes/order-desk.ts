// Orders to an agent, from the moment they are given to the moment they are answered.
import { createHmac, randomUUID } from 'node:crypto'
import type { CommandErrorCode, CommandResponse } from '../protocol/commands.ts'
import { MAX_COMMAND_BYTES, MAX_COMMAND_TTL_MS } from '../protocol/commands.ts'
import type { Topics } from '../protocol/topics.ts'

/**
 * Why an order was not confirmed. `not_sent`: the agent was not there, so nothing was ordered. `no_answer`: it was ordered,
 * and nobody knows what became of it. The others are the agent's own.
 */
export type OrderErrorCode = CommandErrorCode | 'not_sent' | 'no_answer'

/** An order that was not confirmed; the message is one sentence, the agent's where it has answered. */
export class OrderError extends Error {
  readonly code: OrderErrorCode

  constructor(code: OrderErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

export interface OrderDeskOptions {
  agent: string
  topics: Topics
  /** `mqtt.command_key` of the agent; absent: orders are not signed. */
  key?: string
  /** Publishes at QoS 1; false: there is no connection. `refused` is called where the broker says no. */
  publish: (topic: string, payload: string, refused: (reason: string) => void) => boolean
  /** Why the agent can't be reached at this moment. */
  absence: () => string
  /** Whether the broker does not let us read `topic`: an answer there would never come. */
  isDenied: (topic: string) => boolean
}

interface Pending {
  id: string
  verb: string
  payload: string
  isSent: boolean
  timer: NodeJS.Timeout
  done: (result: unknown) => void
  failed: (error: OrderError) => void
}

/** Orders that may wait for an answer at once. */
export const MAX_PENDING = 256

/** Sends orders and finds their answers by id. */
export class OrderDesk {
  readonly #options: OrderDeskOptions
  readonly #pending = new Map<string, Pending>()
  #isOpen = false

  constructor(options: OrderDeskOptions) {
    this.#options = options
  }

  /** How many orders wait for an answer. */
  get size(): number {
    return this.#pending.size
  }

  /**
   * Gives an order, and resolves with its result once the agent says that it is carried out. An order waits for an agent that
   * is not there, and is sent again after a lost connection: the agent carries the same id out once. Rejects with an
   * `OrderError`, at the latest after `waitMs` (at most `MAX_COMMAND_TTL_MS`). `ttlMs`: how old it may be when the agent gets
   * it, by the clocks of two boxes; absent: as long as is waited.
   */
  order(
    verb: string,
    args: Record<string, unknown>,
    waitMs: number,
    ttlMs: number = waitMs,
  ): Promise<unknown> {
    const id = randomUUID()
    const [wait_ms, ttl_ms] = [waitMs, ttlMs].map(bounded) as [number, number]
    const json = JSON.stringify({ ...args, id, issued_ms: Date.now(), ttl_ms })
    const payload = this.#signed(verb, json)
    if (Buffer.byteLength(payload) > MAX_COMMAND_BYTES) {
      const why = `the order has more than ${MAX_COMMAND_BYTES} bytes: shorten what it is made of`
      return Promise.reject(new OrderError('too_large', why))
    }
    const answers = this.#options.topics.response(verb)
    if (this.#options.isDenied(answers)) {
      const why = `the broker does not let this user read ${answers}: nothing was ordered`
      return Promise.reject(new OrderError('forbidden', why))
    }
    if (this.#pending.size >= MAX_PENDING) {
      const why = `${MAX_PENDING} orders wait for an answer: give them more slowly`
      return Promise.reject(new OrderError('unavailable', why))
    }
    return new Promise((done, failed) => {
      // Not unref'd: who waits for an answer is owed one, and it is seconds at most.
      const timer = setTimeout(() => this.#giveUp(id, wait_ms), wait_ms)
      const pending = { id, verb, payload, isSent: false, timer, done, failed }
      this.#pending.set(id, pending)
      if (this.#isOpen) this.#send(pending)
    })
  }

  /** Says whether the agent is there. When it comes (back), all that waits is sent, with the ids that it had. */
  setOpen(isOpen: boolean): void {
    if (isOpen === this.#isOpen) return
    this.#isOpen = isOpen
    if (isOpen) for (const pending of this.#pending.values()) this.#send(pending)
  }

  /** Takes an answer that came under `response/<verb>`; those that nobody waits for (any more) are left alone. */
  take(verb: string, response: CommandResponse): void {
    const pending = this.#pending.get(response.id)
    if (!pending || pending.verb !== verb) return
    this.#remove(pending)
    if (response.ok) pending.done(response.result)
    else pending.failed(new OrderError(response.error.code, response.error.message))
  }

  /** Fails all that waits. */
  stop(): void {
    this.#isOpen = false
    for (const pending of this.#pending.values()) {
      this.#remove(pending)
      pending.failed(this.#unanswered(pending, 'the flow was stopped before the agent answered'))
    }
  }

  #signed(verb: string, json: string): string {
    const { agent, key } = this.#options
    if (key === undefined) return json
    const hmac = createHmac('sha256', key).update(`${agent}\n${verb}\n`).update(json)
    return `${hmac.digest('hex')}.${json}`
  }

  #send(pending: Pending): void {
    const topic = this.#options.topics.command(pending.verb)
    const refused = (reason: string): void => {
      if (this.#pending.get(pending.id) !== pending) return
      this.#remove(pending)
      const why = `the broker does not let this user write ${topic}: ${reason}`
      pending.failed(new OrderError('forbidden', why))
    }
    if (this.#options.publish(topic, pending.payload, refused)) pending.isSent = true
  }

  #giveUp(id: string, waitMs: number): void {
    const pending = this.#pending.get(id)
    if (!pending) return
    this.#remove(pending)
    pending.failed(this.#unanswered(pending, `the agent did not answer within ${waitMs / 1000} s`))
  }

  #unanswered({ isSent }: Pending, why: string): OrderError {
    return isSent
      ? new OrderError('no_answer', `${why}: whether the order was carried out is not known`)
      : new OrderError('not_sent', `${why}: ${this.#options.absence()}, and nothing was ordered`)
  }

  #remove({ id, timer }: Pending): void {
    clearTimeout(timer)
    this.#pending.delete(id)
  }
}

/** A time that an order may have, in whole milliseconds. */
function bounded(ms: number): number {
  return Math.min(MAX_COMMAND_TTL_MS, Math.max(1, Math.round(ms)))
}
