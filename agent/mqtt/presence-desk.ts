// Which of several instances with one agent id speaks. What counts is who was on the broker first and without a break, not
// what clocks say: whoever comes asks, and stands back where one that speaks answers this very question. Whoever has spoken
// for a while stands back for nobody, whatever is claimed.
import { randomBytes } from 'node:crypto'
import type { Presence } from '../../protocol/messages.ts'
import { readPresence, writePresence } from './presence-read.ts'

export interface PresenceTimes {
  /** Whoever comes listens so long before it speaks. */
  settleMs: number
  /** Between two questions of one that stands by, and of one that has just begun to speak. */
  askMs: number
  /** After so long without an answer of the one that speaks, it has gone. */
  quietMs: number
  /** After its word, or the broker's, that it has gone. */
  goneMs: number
  /** For so long after it has connected, one that speaks stands back for another that speaks. */
  newMs: number
}

export interface PresenceOptions {
  agent: string
  instance: string
  /** `mqtt.command_key`: only what is signed with it is believed. */
  key?: string
  /** How long this one has run, by a clock that nobody sets. */
  upMs: () => number
  send: (payload: string) => void
  /** It speaks from now on, or stands by for `other`. */
  onState: (state: 'active' | 'standing_by', other?: string) => void
  /** The one that spoke has gone: a new connection, which hears again what is retained, and then it begins anew. */
  onGone: () => void
  /** Who else is there, while this one speaks: whenever that changes. */
  onOthers: (others: readonly string[]) => void
  /** Somebody answers as one that speaks, and has not signed it with this agent's key; called once. */
  onUnsigned: () => void
  times?: Partial<PresenceTimes>
}

const TIMES: PresenceTimes = {
  settleMs: 1000,
  askMs: 5000,
  quietMs: 20_000,
  goneMs: 2000,
  newMs: 30_000,
}
/** Two that have run for as long as each other but for this: then their names decide. */
const SAME_AGE_MS = 5000
/** Questions that are answered in a second: of whoever is believed, and of others. */
const MAX_ANSWERS = 200
const MAX_OTHER_ANSWERS = 20
const MAX_OTHERS = 16
/** It is said that one has gone by the broker, and by itself: whoever says so more often is not heeded. */
const MAX_HURRIED = 3
/** A question of before may still be answered. */
const KEPT_QUESTIONS = 6

/** One instance's part in it, from `connected` to `disconnected` and again. */
export class PresenceDesk {
  readonly #options: PresenceOptions
  readonly #times: PresenceTimes
  /** Others that are there, and when they were heard last. */
  readonly #others = new Map<string, number>()
  #state: Presence['state'] = 'waiting'
  #questions: string[] = []
  #askedMs = Number.NEGATIVE_INFINITY
  #connected = false
  #unsigned = false
  #connectedMs = 0
  /** When one that speaks was heard last. */
  #heardMs = 0
  #hurried = { sinceMs: Number.NEGATIVE_INFINITY, count: 0 }
  #leaving = false
  #answers = { sinceMs: 0, known: 0, others: 0 }
  #settle: NodeJS.Timeout | undefined
  #ask: NodeJS.Timeout | undefined

  constructor(options: PresenceOptions) {
    this.#options = options
    this.#times = { ...TIMES, ...options.times }
  }

  get state(): Presence['state'] {
    return this.#state
  }

  connected(): void {
    const { settleMs, askMs } = this.#times
    this.#connected = true
    this.#connectedMs = this.#options.upMs()
    this.#heardMs = this.#connectedMs
    this.#ask = setInterval(() => this.#tick(), askMs)
    this.#ask.unref()
    if (this.#state === 'waiting' && settleMs === 0) this.#speak()
    else this.#question()
    if (this.#state === 'waiting') this.#settle = setTimeout(() => this.#speak(), settleMs)
  }

  disconnected(): void {
    this.#connected = false
    clearInterval(this.#ask)
    clearTimeout(this.#settle)
  }

  /** A message on the topic `instance`. */
  heard(payload: Buffer): void {
    const { agent, key, instance } = this.#options
    const heard = readPresence(payload, agent, key)
    if (heard === undefined || heard.presence.instance === instance) return
    const { presence, believed } = heard
    if (presence.ask !== undefined && this.#mayAnswer(believed)) this.#say({ answer: presence.ask })
    if (presence.answer !== undefined && this.#questions.includes(presence.answer)) {
      if (believed) this.#proven(presence)
      else if (presence.state === 'active' && !this.#unsigned) {
        this.#unsigned = true
        this.#options.onUnsigned()
      }
    } else if (presence.ask !== undefined && believed) {
      // Whoever asks is there only if it answers, too.
      if (this.#options.upMs() - this.#askedMs >= this.#times.askMs) this.#question()
    }
    if (presence.bye === true) this.gone()
  }

  /** Somebody says that the one that speaks has gone: it is asked. */
  gone(): void {
    const { quietMs, goneMs } = this.#times
    const now = this.#options.upMs()
    if (this.#state !== 'standing_by') return
    if (now - this.#hurried.sinceMs >= goneMs) this.#hurried = { sinceMs: now, count: 0 }
    if (++this.#hurried.count > MAX_HURRIED) return
    this.#heardMs = now - quietMs
    this.#question()
    setTimeout(() => this.#tick(), goneMs).unref()
  }

  /** This one stops: it says so, and nothing more. */
  bye(): void {
    if (this.#state === 'active') this.#say({ bye: true })
    this.#leaving = true
  }

  get #settled(): boolean {
    const { upMs } = this.#options
    return this.#state === 'active' && upMs() - this.#connectedMs >= this.#times.newMs
  }

  #tick(): void {
    const { upMs, onGone } = this.#options
    if (!this.#connected) return
    if (this.#state === 'active') {
      this.#forgetGone()
      if (!this.#settled) this.#question()
    } else if (this.#state === 'standing_by') {
      if (upMs() - this.#heardMs < this.#times.quietMs) this.#question()
      else {
        this.#state = 'waiting'
        onGone()
      }
    }
  }

  /** Another one that is there now. */
  #proven(other: Presence): void {
    const speaks = other.state === 'active'
    if (this.#state === 'standing_by') {
      if (speaks) this.#heardMs = this.#options.upMs()
      return
    }
    const yields =
      this.#state === 'waiting'
        ? speaks || (other.state === 'waiting' && this.#isFirst(other))
        : speaks && !this.#settled && (other.settled || this.#isFirst(other))
    if (!yields) {
      this.#note(other)
      return
    }
    clearTimeout(this.#settle)
    this.#state = 'standing_by'
    this.#heardMs = this.#options.upMs()
    this.#others.clear()
    this.#options.onState('standing_by', other.instance)
  }

  #isFirst({ up_ms, instance }: Presence): boolean {
    const olderBy = up_ms - this.#options.upMs()
    return Math.abs(olderBy) > SAME_AGE_MS ? olderBy > 0 : instance < this.#options.instance
  }

  #note({ instance }: Presence): void {
    const isNew = !this.#others.has(instance)
    if (isNew && this.#others.size >= MAX_OTHERS) return
    this.#others.set(instance, this.#options.upMs())
    if (isNew && this.#state === 'active') this.#tellOthers()
  }

  #forgetGone(): void {
    const before = this.#others.size
    const since = this.#options.upMs() - this.#times.quietMs
    for (const [other, heardMs] of this.#others) if (heardMs < since) this.#others.delete(other)
    if (this.#others.size !== before) this.#tellOthers()
  }

  #tellOthers(): void {
    this.#options.onOthers([...this.#others.keys()])
  }

  #speak(): void {
    this.#state = 'active'
    this.#options.onState('active')
    if (this.#others.size > 0) this.#tellOthers()
  }

  #question(): void {
    const nonce = randomBytes(12).toString('base64url')
    this.#askedMs = this.#options.upMs()
    this.#questions = [...this.#questions.slice(1 - KEPT_QUESTIONS), nonce]
    this.#say({ ask: nonce })
  }

  #mayAnswer(believed: boolean): boolean {
    if (this.#leaving) return false
    const now = this.#options.upMs()
    if (now - this.#answers.sinceMs >= 1000) this.#answers = { sinceMs: now, known: 0, others: 0 }
    return believed
      ? this.#answers.known++ < MAX_ANSWERS
      : this.#answers.others++ < MAX_OTHER_ANSWERS
  }

  #say(more: Pick<Presence, 'ask' | 'answer' | 'bye'>): void {
    const { agent, key, instance, upMs, send } = this.#options
    const presence: Presence = {
      type: 'presence',
      instance,
      state: this.#state,
      settled: this.#settled,
      up_ms: Math.round(upMs()),
      ...more,
    }
    send(writePresence(presence, agent, key))
  }
}
