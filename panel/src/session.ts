// The page's side of the agent: the feed, the orders and what both told, as one value that is handed on once a frame.
import type { Api, Role, RoleReason } from './api.ts'
import { createApi } from './api.ts'
import type { Decision, FeedEvent, FeedState } from './feed.ts'
import { Feed } from './feed.ts'
import type { Order, OrderState } from './orders.ts'
import { OrderDesk, readPolicy } from './orders.ts'
import type { PanelState } from './store.ts'
import { EMPTY, loseSight, receive } from './store.ts'
import type { TodayBase } from './today.ts'
import { TodayWatch } from './today.ts'

// A tab that is looked away from for a moment keeps its feed; one that is forgotten does not bother the agent.
const HIDDEN_MS = 30_000
// Rates come every second: older ones are not drawn as if they were of now.
const STALE_MS = 5000
// What the feed told each second was drawn with the clock: it need not be drawn again for the clock alone.
const DRAWN_MS = 700

/** What the page knows at one moment. */
export interface Known {
  state: PanelState
  orders: ReadonlyMap<string, OrderState>
  feed: FeedState
  /** Why the agent refuses, while it does. */
  reason?: string | undefined
  today: ReadonlyMap<string, TodayBase>
  /** By the agent's clock; 0 while it is not known. */
  nowMs: number
  /** The last rates are of now. */
  isFresh: boolean
  /** What whoever looks may do, as far as the agent has said. */
  role: Role
  roleWhy: RoleReason
}

/** Nothing known yet. */
export const NOTHING_KNOWN: Known = {
  state: EMPTY,
  orders: new Map(),
  feed: 'connecting',
  today: new Map(),
  nowMs: 0,
  isFresh: false,
  role: 'admin',
  roleWhy: 'token',
}

/** Talks to the agent between `start()` and `stop()`. */
export class Session {
  readonly api: Api
  readonly #feed: Feed
  readonly #desk: OrderDesk
  readonly #today: TodayWatch
  readonly #onChange: (known: Known) => void
  /** What is known; `nowMs` and `isFresh` are told with the next frame. */
  #known: Known = NOTHING_KNOWN
  #frame = 0
  #drawnAt = Number.NEGATIVE_INFINITY
  #clock: ReturnType<typeof setInterval> | undefined
  #hiding: ReturnType<typeof setTimeout> | undefined
  #offsetMs: number | undefined
  #ratesAt = Number.NEGATIVE_INFINITY

  /** `base`: where the agent's API lies; `token`: asked for at each call. */
  constructor(base: string, token: () => string | undefined, onChange: (known: Known) => void) {
    this.#onChange = onChange
    this.api = createApi(base, token, (role, roleWhy) => this.#set({ role, roleWhy }))
    this.#desk = new OrderDesk({
      send: (verb, args, signal) => this.api.order(verb, args, signal),
      state: () => this.#known.state,
      refresh: async (signal) => {
        for (const event of await readPolicy(this.api, signal)) this.#receive(event)
      },
      onChange: (orders) => this.#set({ orders }),
      onTaken: ({ verb }, result) => {
        // A verdict shows nowhere else: what the agent took is all there is to know of it.
        if (verb === 'verdict') this.#receive({ name: 'decided', data: result as Decision })
      },
      onForbidden: () => this.#set({ role: 'view' }),
    })
    this.#feed = new Feed(this.api, {
      onEvent: (event) => this.#receive(event),
      onState: (feed, reason) => this.#hear(feed, reason),
    })
    this.#today = new TodayWatch(this.api, (today) => this.#set({ today }))
  }

  start(): void {
    this.#feed.start()
    this.#clock = setInterval(() => this.#tick(), 1000)
    document.addEventListener('visibilitychange', this.#onVisibility)
  }

  stop(): void {
    this.#feed.stop()
    this.#desk.stop()
    this.#today.stop()
    clearInterval(this.#clock)
    clearTimeout(this.#hiding)
    cancelAnimationFrame(this.#frame)
    this.#frame = 0
    document.removeEventListener('visibilitychange', this.#onVisibility)
  }

  /** Another token was given: it is tried, and its rights are not known yet. */
  retry(): void {
    this.#set({ role: 'admin' })
    this.#feed.start()
  }

  /** Gives an order. */
  give(order: Order): void {
    void this.#desk.give(order)
  }

  /** A refusal was read. */
  dismiss(key: string): void {
    this.#desk.dismiss(key)
  }

  #receive(event: FeedEvent): void {
    const state = receive(this.#known.state, event)
    this.#set({ state })
    this.#desk.notice(state)
    if (state.agent_ms !== undefined) this.#offsetMs = state.agent_ms - Date.now()
    if (event.name === 'rates') {
      this.#ratesAt = performance.now()
      void this.#today.refresh(state.devices.values(), this.#now())
    }
  }

  #hear(feed: FeedState, reason?: string): void {
    const { state } = this.#known
    const isBlind = feed === 'away' || feed === 'paused'
    this.#set({ feed, reason, ...(isBlind ? { state: loseSight(state) } : {}) })
  }

  #set(change: Partial<Known>): void {
    this.#known = { ...this.#known, ...change }
    this.#flush()
  }

  // At most one redraw a frame, and none while the page is hidden.
  #flush(): void {
    if (this.#frame !== 0) return
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0
      this.#drawnAt = performance.now()
      const isFresh = this.#drawnAt - this.#ratesAt < STALE_MS
      this.#known = { ...this.#known, nowMs: this.#now(), isFresh }
      this.#onChange(this.#known)
    })
  }

  #tick(): void {
    if (document.hidden) return
    const { feed, state } = this.#known
    if (feed === 'away') this.#set({ state: loseSight(state) })
    if (performance.now() - this.#drawnAt > DRAWN_MS) this.#flush()
  }

  #now(): number {
    return this.#offsetMs === undefined ? 0 : Date.now() + this.#offsetMs
  }

  readonly #onVisibility = (): void => {
    clearTimeout(this.#hiding)
    if (document.hidden) this.#hiding = setTimeout(() => this.#feed.stop(), HIDDEN_MS)
    else if (this.#known.feed !== 'locked') this.#feed.start()
  }
}
