// The live feed: one stream, opened again with growing pauses when it breaks, closed while nobody looks.
import type { FlowList, LiveEvents } from '../../protocol/http.ts'
import type { Api } from './api.ts'
import { ApiError, wantsToken } from './api.ts'
import type { ServerEvent } from './sse.ts'
import { EventParser } from './sse.ts'

/** A verdict that the agent took from this page. */
export interface Decision {
  connection: string
  verdict: 'accept' | 'drop'
}

/** What comes in: the named events of the agent, the listing of flows that follows each connect, and own verdicts. */
export type FeedEvent =
  | { [Name in keyof LiveEvents]: { name: Name; data: LiveEvents[Name] } }[keyof LiveEvents]
  | { name: 'flow_list'; data: FlowList }
  | { name: 'decided'; data: Decision }

/** `away`: the agent cannot be reached, and is tried again; `locked`: it wants a token; `paused`: the page is hidden. */
export type FeedState = 'connecting' | 'live' | 'away' | 'locked' | 'paused'

/** Where the feed reports to. */
export interface FeedListener {
  onEvent(event: FeedEvent): void
  /** `reason` is what the agent said, where it refused. */
  onState(state: FeedState, reason?: string): void
}

/** How many flows are asked for after a connect. */
export const LISTED_FLOWS = 1000

// The agent says something every 15 seconds at least: a stream that is silent for longer is a dead connection.
const SILENCE_MS = 40_000
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000
const LIST_AGAIN_MS = 30_000

const NAMES: ReadonlySet<string> = new Set<keyof LiveEvents>([
  'info',
  'devices',
  'flows',
  'rates',
  'device',
  'event',
  'rules',
  'groups',
  'journal',
  'incident',
  'blocked',
  'connection',
])

/** Reads an event of the stream; undefined for one of a later version. Throws on data that is not JSON. */
export function readEvent({ name, data }: ServerEvent): FeedEvent | undefined {
  return NAMES.has(name) ? ({ name, data: JSON.parse(data) } as FeedEvent) : undefined
}

/** How long to wait before attempt `n` (from 0), in milliseconds; `chance` from 0 to 1 spreads many pages. */
export function pauseBefore(n: number, chance: number): number {
  const most = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** n)
  return most * (0.5 + chance / 2)
}

/** Keeps one stream open between `start()` and `stop()`. */
export class Feed {
  readonly #api: Api
  readonly #listener: FeedListener
  #abort: AbortController | undefined
  #listedAt = 0

  constructor(api: Api, listener: FeedListener) {
    this.#api = api
    this.#listener = listener
  }

  /** Opens the stream; does nothing when it is open. */
  start(): void {
    if (this.#abort !== undefined) return
    this.#abort = new AbortController()
    void this.#run(this.#abort.signal)
  }

  /** Closes the stream and says `paused`. */
  stop(): void {
    if (this.#abort === undefined) return
    this.#abort.abort()
    this.#abort = undefined
    this.#listener.onState('paused')
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.#listener.onState('connecting')
    for (let attempt = 0; !signal.aborted; attempt++) {
      const startedAt = performance.now()
      let reason: string | undefined
      try {
        await this.#read(signal)
      } catch (error) {
        if (signal.aborted) return
        if (wantsToken(error)) {
          this.#abort = undefined
          this.#listener.onState('locked')
          return
        }
        if (error instanceof ApiError) reason = error.message
      }
      if (signal.aborted) return
      this.#listener.onState('away', reason)
      if (performance.now() - startedAt > LONGEST_PAUSE_MS) attempt = 0
      await sleep(pauseBefore(attempt, Math.random()), signal)
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const watch = new AbortController()
    const both = AbortSignal.any([signal, watch.signal])
    const bark = () => watch.abort(new Error('the live feed fell silent'))
    let dog = setTimeout(bark, SILENCE_MS)
    try {
      const stream = await this.#api.live(both)
      const parser = new EventParser()
      const decoder = new TextDecoder()
      const reader = stream.getReader()
      let isLive = false
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        clearTimeout(dog)
        dog = setTimeout(bark, SILENCE_MS)
        for (const text of parser.push(decoder.decode(value, { stream: true }))) {
          const event = readEvent(text)
          if (event === undefined) continue
          if (!isLive) {
            isLive = true
            this.#listener.onState('live')
            void this.#list(both)
          }
          this.#listener.onEvent(event)
          if (event.name === 'flows' && event.data.changed > event.data.flows.length) {
            this.#listAgain(both)
          }
        }
      }
    } finally {
      clearTimeout(dog)
      watch.abort()
    }
  }

  // An event holds at most 1000 flows: what it left out is caught up with by a listing now and then.
  #listAgain(signal: AbortSignal): void {
    if (performance.now() - this.#listedAt > LIST_AGAIN_MS) void this.#list(signal)
  }

  async #list(signal: AbortSignal): Promise<void> {
    this.#listedAt = performance.now()
    try {
      const data = await this.#api.flows(LISTED_FLOWS, signal)
      if (!signal.aborted) this.#listener.onEvent({ name: 'flow_list', data })
    } catch {
      // The stream brings every flow that still changes; the next connect lists again.
    }
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}
