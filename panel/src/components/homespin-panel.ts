import type { PropertyValues } from 'lit'
import { html, LitElement, nothing } from 'lit'
import type { Scene } from '../acting.ts'
import type { Api, Role, RoleReason } from '../api.ts'
import { createApi } from '../api.ts'
import type { Told } from '../events.ts'
import type { Decision, FeedEvent, FeedState } from '../feed.ts'
import { Feed } from '../feed.ts'
import type { I18n } from '../i18n.ts'
import { createI18n, pickLanguage } from '../i18n.ts'
import type { Selection } from '../links.ts'
import { Look } from '../look.ts'
import type { OrderState } from '../orders.ts'
import { OrderDesk, readPolicy } from '../orders.ts'
import { DARK, LIGHT, tintsOf } from '../palette.ts'
import type { Settings } from '../settings.ts'
import { loadSettings, loadToken, saveSettings, saveToken } from '../settings.ts'
import type { PanelState } from '../store.ts'
import { EMPTY, loseSight, receive } from '../store.ts'
import { sharedStyles, themeStyles } from '../styles.ts'
import type { TodayBase } from '../today.ts'
import { TodayWatch, todayOf } from '../today.ts'
import './homespin-connections.ts'
import './homespin-control.ts'
import './homespin-device-control.ts'
import './homespin-devices.ts'
import './homespin-header.ts'
import './homespin-history.ts'
import './homespin-map.ts'
import './homespin-notices.ts'
import './homespin-remote-control.ts'
import './homespin-sections.ts'
import './homespin-selection.ts'
import './homespin-summary.ts'
import './homespin-tabs.ts'
import './homespin-token.ts'
import type { Section } from './homespin-sections.ts'
import { SECTIONS } from './homespin-sections.ts'
import type { View } from './homespin-tabs.ts'
import { panelStyles } from './panel-styles.ts'

// A tab that is looked away from for a moment keeps its feed; one that is forgotten does not bother the agent.
const HIDDEN_MS = 30_000
// Rates come every second: older ones are not drawn as if they were of now.
const STALE_MS = 5000

/** The whole page: owns the feed, the state, the selection and the settings, and hands them down. */
export class HomespinPanel extends LitElement {
  static override properties = {
    theme: { reflect: true },
    view: { reflect: true },
    state: { state: true },
    feedState: { state: true },
    reason: { state: true },
    selection: { state: true },
    settings: { state: true },
    todayBases: { state: true },
    nowMs: { state: true },
    orders: { state: true },
    role: { state: true },
    isControl: { type: Boolean, reflect: true, attribute: 'control' },
  }
  declare theme: 'light' | 'dark'
  declare view: View
  declare state: PanelState
  declare feedState: FeedState
  declare reason: string | undefined
  declare selection: Selection
  declare settings: Settings
  declare todayBases: ReadonlyMap<string, TodayBase>
  declare nowMs: number
  declare orders: ReadonlyMap<string, OrderState>
  /** What whoever looks may do, as far as the agent has said. */
  declare role: Role
  #viewerWhy: RoleReason = 'token'
  declare isControl: boolean

  static override styles = [themeStyles, sharedStyles, panelStyles]

  readonly #api: Api
  readonly #feed: Feed
  readonly #desk: OrderDesk
  readonly #today: TodayWatch
  readonly #look = new Look(() => {
    this.theme = this.#look.theme(this.settings)
    this.requestUpdate()
  })
  #latest: PanelState = EMPTY
  #latestOrders: ReadonlyMap<string, OrderState> = new Map()
  #section: Section = 'rules'
  #frame = 0
  #clock: ReturnType<typeof setInterval> | undefined
  #hiding: ReturnType<typeof setTimeout> | undefined
  #offsetMs: number | undefined
  #ratesAt = Number.NEGATIVE_INFINITY
  #token: string | undefined
  #i18n: I18n
  #tints: ReadonlyMap<string, number> = new Map()

  constructor() {
    super()
    this.view = 'devices'
    this.state = EMPTY
    this.feedState = 'connecting'
    this.selection = {}
    this.settings = loadSettings()
    this.todayBases = new Map()
    this.nowMs = 0
    this.#token = loadToken()
    this.orders = this.#latestOrders
    this.role = 'admin'
    this.isControl = false
    this.#api = createApi(document.baseURI, () => this.#token, this.#setRole)
    this.#desk = new OrderDesk({
      send: (verb, args, signal) => this.#api.order(verb, args, signal),
      state: () => this.#latest,
      refresh: async (signal) => {
        for (const event of await readPolicy(this.#api, signal)) this.#receive(event)
      },
      onChange: (orders) => {
        this.#latestOrders = orders
        this.#flush()
      },
      onTaken: ({ verb }, result) => {
        // A verdict shows nowhere else: what the agent took is all there is to know of it.
        if (verb === 'verdict') this.#receive({ name: 'decided', data: result as Decision })
      },
      onForbidden: () => this.#setRole('view'),
    })
    this.#feed = new Feed(this.#api, {
      onEvent: (event) => this.#receive(event),
      onState: (state, reason) => this.#hear(state, reason),
    })
    this.#today = new TodayWatch(this.#api, (bases) => {
      this.todayBases = bases
    })
    this.#i18n = this.#words()
    this.theme = this.#look.theme(this.settings)
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#feed.start()
    this.#clock = setInterval(() => this.#tick(), 1000)
    this.#look.start()
    document.addEventListener('visibilitychange', this.#onVisibility)
    for (const [name, hear] of this.#told) this.addEventListener(name, hear as EventListener)
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#feed.stop()
    this.#desk.stop()
    this.#today.stop()
    clearInterval(this.#clock)
    clearTimeout(this.#hiding)
    cancelAnimationFrame(this.#frame)
    this.#frame = 0
    this.#look.stop()
    document.removeEventListener('visibilitychange', this.#onVisibility)
    for (const [name, hear] of this.#told) this.removeEventListener(name, hear as EventListener)
  }

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('settings')) {
      this.#i18n = this.#words()
      this.theme = this.#look.theme(this.settings)
    }
    const before = changed.get('state')
    if (before?.devices !== this.state.devices) this.#tints = tintsOf(this.state.devices.values())
  }

  override updated(): void {
    document.documentElement.dataset.theme = this.theme
    document.documentElement.lang = this.#i18n.locale
    const agent = this.state.info?.agent
    document.title = agent ? `${agent} – Homespin` : 'Homespin'
  }

  override render() {
    const i18n = this.#i18n
    const { state, selection, settings, nowMs } = this
    const palette = this.theme === 'dark' ? DARK : LIGHT
    const tints = this.#tints
    const isLive = this.feedState === 'live' && performance.now() - this.#ratesAt < STALE_MS
    const isStill = this.#look.isStill
    const today = todayOf(this.todayBases, state.devices, nowMs)
    const device = selection.device_id ? state.devices.get(selection.device_id) : undefined
    const scene: Scene = {
      i18n,
      state,
      orders: this.orders,
      mayAct: this.role === 'admin',
      viewerWhy: this.#viewerWhy,
      isLive: this.feedState === 'live',
      nowMs,
    }
    return html`
      <homespin-header
        .i18n=${i18n}
        .info=${state.info}
        .feed=${this.feedState}
        .reason=${this.reason}
        .complete=${state.complete}
        .settings=${settings}
      ></homespin-header>
      ${
        this.feedState === 'locked'
          ? html`<homespin-token .i18n=${i18n} .isWrong=${this.#token !== undefined}></homespin-token>`
          : html`
              <main>
                <homespin-summary
                  .i18n=${i18n}
                  .state=${state}
                  .selection=${selection}
                  .isLive=${isLive}
                  ?compact=${this.view !== 'devices'}
                ></homespin-summary>
                <homespin-devices
                  class="card"
                  .i18n=${i18n}
                  .state=${state}
                  .today=${today}
                  .tints=${tints}
                  .selection=${selection}
                  .isLive=${isLive}
                  .nowMs=${nowMs}
                ></homespin-devices>
                <div class="rest">
                  <homespin-notices .scene=${scene}></homespin-notices>
                  <homespin-sections
                    .scene=${scene}
                    .section=${this.#sectionShown()}
                    @section=${(event: CustomEvent<Section | undefined>) => this.#show(event.detail ?? 'devices')}
                  ></homespin-sections>
                  ${
                    this.isControl
                      ? html`<homespin-control
                          .scene=${scene}
                          .api=${this.#api}
                          .section=${this.#section}
                        ></homespin-control>`
                      : nothing
                  }
                  <homespin-selection
                    ?hidden=${device === undefined && selection.remote === undefined}
                    .i18n=${i18n}
                    .device=${device}
                    .selection=${selection}
                    .today=${today}
                    .tint=${tints.get(selection.device_id ?? '')}
                    .nowMs=${nowMs}
                  ></homespin-selection>
                  ${
                    device === undefined
                      ? nothing
                      : html`<homespin-device-control
                          .scene=${scene}
                          .device=${device}
                        ></homespin-device-control>`
                  }
                  ${
                    selection.remote === undefined
                      ? nothing
                      : html`<homespin-remote-control
                          .scene=${scene}
                          .remote=${selection.remote}
                          .device=${device}
                        ></homespin-remote-control>`
                  }
                  <homespin-map
                    .i18n=${i18n}
                    .state=${state}
                    .tints=${tints}
                    .selection=${selection}
                    .palette=${palette}
                    .isStill=${isStill}
                    .nowMs=${nowMs}
                  ></homespin-map>
                  <homespin-history
                    .i18n=${i18n}
                    .api=${this.#api}
                    .selection=${selection}
                    .palette=${palette}
                    .isStill=${isStill}
                    .nowMs=${nowMs}
                  ></homespin-history>
                  <homespin-connections
                    .i18n=${i18n}
                    .state=${state}
                    .tints=${tints}
                    .selection=${selection}
                    .nowMs=${nowMs}
                  ></homespin-connections>
                </div>
              </main>
              <homespin-tabs
                .i18n=${i18n}
                .view=${this.view}
                .section=${this.#section}
                @view=${(event: CustomEvent<View>) => this.#show(event.detail)}
              ></homespin-tabs>
            `
      }
    `
  }

  #sectionShown(): Section | undefined {
    return SECTIONS.find((section) => section === this.view)
  }

  #show(view: View): void {
    this.view = view
    const section = this.#sectionShown()
    this.isControl = section !== undefined
    this.#section = section ?? this.#section
    window.scrollTo({ top: 0 })
  }

  #receive(event: FeedEvent): void {
    this.#latest = receive(this.#latest, event)
    this.#desk.notice(this.#latest)
    const { agent_ms } = this.#latest
    if (agent_ms !== undefined) this.#offsetMs = agent_ms - Date.now()
    if (event.name === 'rates') {
      this.#ratesAt = performance.now()
      void this.#today.refresh(this.#latest.devices.values(), this.#now())
    }
    this.#flush()
  }

  #hear(state: FeedState, reason?: string): void {
    this.reason = reason
    if (state === 'away' || state === 'paused') this.#latest = loseSight(this.#latest)
    this.feedState = state
    this.#flush()
  }

  // At most one redraw a frame, and none while the page is hidden.
  #flush(): void {
    if (this.#frame !== 0) return
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0
      this.state = this.#latest
      this.orders = this.#latestOrders
      this.nowMs = this.#now()
    })
  }

  #tick(): void {
    if (document.hidden) return
    if (this.feedState === 'away') this.#latest = loseSight(this.#latest)
    this.#flush()
  }

  #now(): number {
    return this.#offsetMs === undefined ? 0 : Date.now() + this.#offsetMs
  }

  readonly #setRole = (role: Role, why: RoleReason = this.#viewerWhy): void => {
    this.#viewerWhy = why
    this.role = role
  }

  readonly #onVisibility = (): void => {
    clearTimeout(this.#hiding)
    if (document.hidden) this.#hiding = setTimeout(() => this.#feed.stop(), HIDDEN_MS)
    else if (this.feedState !== 'locked') this.#feed.start()
  }

  readonly #told = Object.entries({
    'homespin-select': ({ detail }) => this.#select(detail),
    'homespin-settings': ({ detail }) => {
      this.settings = detail
      saveSettings(detail)
    },
    'homespin-token': ({ detail }) => {
      this.#token = detail
      saveToken(detail)
      this.role = 'admin'
      this.#feed.start()
    },
    'homespin-order': ({ detail }) => void this.#desk.give(detail),
    'homespin-dismiss': ({ detail }) => this.#desk.dismiss(detail),
  } satisfies { [Name in keyof Told]: (event: CustomEvent<Told[Name]>) => void })

  #select(selection: Selection): void {
    const { device_id } = selection
    const isNew = device_id !== undefined && device_id !== this.selection.device_id
    this.selection = selection
    if (isNew && (this.view === 'devices' || this.isControl)) this.#show('map')
  }

  #words(): I18n {
    const { language, locale } = pickLanguage(this.settings.language, navigator.languages)
    return createI18n(language, locale)
  }
}

customElements.define('homespin-panel', HomespinPanel)
