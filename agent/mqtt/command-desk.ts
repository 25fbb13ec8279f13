// Takes orders that come by MQTT, has the registry carry them out, and answers each of them.
import type { CommandErrorCode, CommandResponse } from '../../protocol/commands.ts'
import { MAX_PAYLOAD_BYTES } from '../../protocol/topics.ts'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { AnyMethod, Methods } from '../methods/registry.ts'
import { MethodError } from '../methods/registry.ts'
import type { CommandMemory } from './command-memory.ts'
import type { CommandPolicy } from './command-policy.ts'
import type { Command, Refused } from './command-read.ts'
import { readCommand, verbOf } from './command-read.ts'
import type { Incoming } from './mqtt-link.ts'
import { nameless } from './nameless.ts'

export interface CommandDeskOptions {
  agent: string
  policy: CommandPolicy
  /** `mqtt.command_key`: orders must be signed with it. */
  key?: string
  /** Verbs that are taken unsigned all the same. */
  unsigned?: readonly string[]
  methods: Methods
  /** False: answers have no names of remotes. */
  publishNames: boolean
  memory: CommandMemory
  clock: Clock
  /** Whether the clock of this box is synchronised: only then are the times of orders compared with it. */
  isSynchronised: () => boolean
  /** Publishes an answer under `response/<verb>`, and where the order asks for it. */
  answer: (verb: string, payload: string, to: Incoming) => void
  /** Takes a retained order off the broker. */
  clear: (topic: string) => void
  log: Log
}

interface Job {
  command: Command
  method: AnyMethod
  /** Why its id is not kept over a restart. */
  notKept: string | undefined
  /** Of performance.now(). */
  sinceMs: number
  done: (answer: string) => void
}

/** Orders that are carried out at once. */
const MAX_ACTIVE = 256
/** Orders that wait for that. */
const MAX_WAITING = 4096
/** Of an order that a restart of the agent would not know of. */
const NOT_KEPT =
  'It was carried out, but the disk does not take its id: the same command would be carried out again if it came after a restart.'
/** Where an answer goes that has no verb of its own. */
const NO_VERB = 'unknown'

/** The desk; `take` never throws. */
export class CommandDesk {
  readonly #options: CommandDeskOptions
  readonly #methods: ReadonlyMap<string, AnyMethod>
  #waiting: Job[] = []
  #next = 0
  #active = 0
  #ready = false
  /** Why the ids of orders are not kept. */
  #notKept: string | undefined

  constructor(options: CommandDeskOptions) {
    this.#options = options
    this.#methods = new Map(options.methods.list().map((method) => [method.name, method]))
  }

  /** Reads which orders were taken before. */
  start(): void {
    this.#options.memory.load()
    this.#ready = true
  }

  /** Takes no more orders; what is being carried out is, and is answered if the link still stands. */
  stop(): void {
    this.#ready = false
    this.#waiting = []
    this.#next = 0
  }

  /** Takes a message on a command topic. An empty one clears a topic and is no order. */
  take(message: Incoming): void {
    const { topic, payload, retained } = message
    if (payload.length === 0) return
    if (retained) this.#options.clear(topic)
    const verb = verbOf(topic)
    const { agent, key, unsigned, clock, isSynchronised } = this.#options
    const nowMs = clock.now()
    const synchronised = isSynchronised()
    const read = readCommand(verb ?? NO_VERB, payload, retained, {
      agent,
      ...(key === undefined ? {} : { key }),
      ...(unsigned === undefined ? {} : { unsigned }),
      nowMs,
      synchronised,
    })
    const outcome = 'code' in read ? read : this.#begin(read, verb, nowMs, synchronised)
    if ('code' in outcome) this.#options.answer(outcome.verb, textOf(failureOf(outcome)), message)
    else void outcome.then((text) => this.#options.answer(read.verb, text, message))
  }

  /** Begins to carry an order out: the answer to come, or why it was not begun. */
  #begin(
    command: Command,
    verb: string | undefined,
    nowMs: number,
    synchronised: boolean,
  ): Promise<string> | Refused {
    const method = this.#permitted(command, verb)
    if ('code' in method) return method
    if (this.#waiting.length - this.#next >= MAX_WAITING) return tooMany(command)
    // Whoever reads twice reads anew: only changes are carried out once for each id.
    if (method.role === 'view') return this.#carryOut(command, method)
    const { memory } = this.#options
    const known = memory.take(command, nowMs, synchronised)
    if (known.kind === 'full') return tooMany(command)
    if (known.kind === 'replayed') return refusal(command, 'replayed', known.message)
    if (known.kind === 'again') return known.answer
    this.#tellKept(known.notKept)
    const answer = this.#carryOut(command, method, known.notKept)
    memory.answer(command.id, answer)
    return answer
  }

  /** Says once that ids are not kept, and once that they are again. */
  #tellKept(notKept: string | undefined): void {
    const { log } = this.#options
    if (notKept !== undefined && this.#notKept === undefined) {
      log.error(`ids of commands can't be kept (${notKept}); they are carried out all the same`)
    } else if (notKept === undefined && this.#notKept !== undefined) {
      log.info('ids of commands are kept again')
    }
    this.#notKept = notKept
  }

  /** The method of a command, or why it may not be called by MQTT. */
  #permitted(command: Command, verb: string | undefined): AnyMethod | Refused {
    const { policy } = this.#options
    if (policy === 'none') {
      return refusal(command, 'forbidden', 'this agent takes no commands by MQTT (mqtt.commands)')
    }
    const method = verb === undefined ? undefined : this.#methods.get(verb)
    if (method === undefined)
      return refusal(command, 'unknown_method', 'there is no method of that name')
    if (policy === 'safe' && !method.safe) {
      const why = `${method.name} is taken by MQTT only with mqtt.commands: all; use the page or the command line`
      return refusal(command, 'forbidden', why)
    }
    return method
  }

  /** The answer, once there is one; orders begin in the order in which they came. */
  #carryOut(command: Command, method: AnyMethod, notKept?: string): Promise<string> {
    return new Promise((done) => {
      this.#waiting.push({ command, method, notKept, sinceMs: performance.now(), done })
      this.#pump()
    })
  }

  #pump(): void {
    while (this.#ready && this.#active < MAX_ACTIVE && this.#next < this.#waiting.length) {
      const job = this.#waiting[this.#next++] as Job
      if (this.#next === this.#waiting.length) {
        this.#waiting = []
        this.#next = 0
      }
      this.#active++
      void this.#run(job).then((answer) => {
        this.#active--
        job.done(answer)
        this.#pump()
      })
    }
  }

  async #run({ command, method, notKept, sinceMs }: Job): Promise<string> {
    if (performance.now() - sinceMs > command.ttlMs) {
      return textOf(failureOf(refusal(command, 'expired', 'it waited here longer than its ttl_ms')))
    }
    try {
      const { args, id } = command
      const result = await this.#options.methods.call(method.name, args, {
        role: 'admin',
        via: 'mqtt',
        ...(this.#options.policy === 'safe' ? { safeOnly: true } : {}),
      })
      const told = this.#options.publishNames ? result : nameless(method.name, result)
      const text = textOf({
        ...{ type: 'response', id, ok: true, result: told ?? null },
        ...(notKept === undefined ? {} : { not_kept: NOT_KEPT }),
      })
      if (Buffer.byteLength(text) <= MAX_PAYLOAD_BYTES) return text
      const why = `the answer has more than ${MAX_PAYLOAD_BYTES} bytes: ask for less, or over HTTP`
      return textOf(failureOf(refusal(command, 'too_large', why)))
    } catch (error) {
      if (error instanceof MethodError)
        return textOf(failureOf(refusal(command, error.code, error.message)))
      this.#options.log.error(
        () =>
          `a command failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`,
      )
      const why = 'something went wrong in the agent; its log says what'
      return textOf(failureOf(refusal(command, 'internal', why)))
    }
  }
}

function refusal({ verb, id }: Command, code: CommandErrorCode, message: string): Refused {
  return { verb, id, code, message }
}

function tooMany(command: Command): Refused {
  return refusal(command, 'unavailable', 'too many commands at once: send them more slowly')
}

function failureOf({ id, code, message }: Refused): CommandResponse {
  return { type: 'response', id, ok: false, error: { code, message } }
}

function textOf(response: CommandResponse): string {
  return JSON.stringify(response)
}
