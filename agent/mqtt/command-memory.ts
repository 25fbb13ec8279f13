// Which orders were taken already: the same one is answered again and not carried out again, also after a restart.
import { MAX_COMMAND_SKEW_MS } from '../../protocol/commands.ts'
import type { Command } from './command-read.ts'

/** What is kept of an order over restarts. */
export interface TakenCommand {
  id: string
  digest: string
  /** When it has expired for everybody, by the clock on the wall. */
  endsMs: number
}

/** Keeps the ids of orders over restarts. */
export interface CommandStore {
  /** The latest ones, in the order in which they were added. */
  load(): TakenCommand[]
  /** Called before an order is carried out. Throws where it can't be kept; what was given then may be given again. */
  add(taken: TakenCommand): void
}

interface Taken {
  digest: string
  endsMs: number
  /** Absent while it is being carried out, for one of an earlier run, and where it is large. */
  answer?: Promise<string>
}

/** Orders that are remembered: at 300 a second those of the longest life of one. */
export const MAX_TAKEN = 65_536
/** Longer than anybody's clock lets an order be taken, by as much as the own clock may step back. */
const MARGIN_MS = 2 * MAX_COMMAND_SKEW_MS
/** Answers that are kept to be given again, in characters. */
const MAX_ANSWERS = 1_000_000
/** Where times can't be compared, orders are remembered so long after their end. */
const KEPT_MS = 24 * 3_600_000

/** What is known of an order. */
export type Known =
  /** `notKept`: a restart will not know of it; why, as the disk says it. */
  | { kind: 'new'; notKept?: string }
  /** Its answer is given again. */
  | { kind: 'again'; answer: Promise<string> }
  | { kind: 'replayed'; message: string }
  | { kind: 'full' }

/** Remembers orders by id; the oldest that have expired go first. */
export class CommandMemory {
  readonly #store: CommandStore
  readonly #taken = new Map<string, Taken>()
  readonly #answers = new Map<string, number>()
  /** Those that the disk did not take, the oldest first. */
  readonly #unkept = new Map<string, TakenCommand>()
  #answerSize = 0

  constructor(store: CommandStore) {
    this.#store = store
  }

  /** Reads what earlier runs have taken. */
  load(): void {
    for (const { id, digest, endsMs } of this.#store.load()) this.#taken.set(id, { digest, endsMs })
  }

  /**
   * Looks an order up, and remembers a new one. `synchronised`: the clock can be believed, so that what has ended can't come
   * again. A disk that takes nothing must not keep an order from being carried out: it is remembered all the same, and kept
   * once there is room.
   */
  take(command: Command, nowMs: number, synchronised: boolean): Known {
    this.#forgetEnded(nowMs, synchronised)
    const { id, digest } = command
    const known = this.#taken.get(id)
    if (known !== undefined) {
      if (known.digest !== digest)
        return { kind: 'replayed', message: 'another command had this id: each needs its own' }
      if (known.answer !== undefined) return { kind: 'again', answer: known.answer }
      return { kind: 'replayed', message: 'it was taken before; its answer is no longer kept' }
    }
    if (this.#taken.size >= MAX_TAKEN) {
      if (synchronised) return { kind: 'full' }
      this.#forget(this.#taken.keys().next().value ?? '')
    }
    const endsMs = Math.max(command.issuedMs + command.ttlMs, nowMs) + MARGIN_MS
    this.#taken.set(id, { digest, endsMs })
    this.#unkept.set(id, { id, digest, endsMs })
    const notKept = this.#keepAll()
    return { kind: 'new', ...(notKept === undefined ? {} : { notKept }) }
  }

  /** Why not all are kept; undefined: they are. */
  #keepAll(): string | undefined {
    try {
      for (const [id, taken] of this.#unkept) {
        this.#store.add(taken)
        this.#unkept.delete(id)
      }
      return undefined
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code ?? error)
    }
  }

  /** Keeps the answer of an order that was taken, for whoever sends it again. */
  answer(id: string, answer: Promise<string>): void {
    const taken = this.#taken.get(id)
    if (taken === undefined) return
    taken.answer = answer
    void answer.then((text) => {
      if (this.#taken.get(id) === taken) this.#keep(id, text.length)
    })
  }

  #keep(id: string, size: number): void {
    this.#answers.set(id, size)
    this.#answerSize += size
    for (const [old, length] of this.#answers) {
      if (this.#answerSize <= MAX_ANSWERS) return
      this.#answers.delete(old)
      this.#answerSize -= length
      delete this.#taken.get(old)?.answer
    }
  }

  /** The oldest first, up to one that may come again. */
  #forgetEnded(nowMs: number, synchronised: boolean): void {
    const kept = synchronised ? 0 : KEPT_MS
    for (const [id, { endsMs }] of this.#taken) {
      // One that was taken while the clock was far ahead must not stay for ever.
      if (endsMs + kept > nowMs && endsMs - nowMs < KEPT_MS) return
      this.#forget(id)
    }
  }

  #forget(id: string): void {
    this.#taken.delete(id)
    this.#unkept.delete(id)
    this.#answerSize -= this.#answers.get(id) ?? 0
    this.#answers.delete(id)
  }
}
