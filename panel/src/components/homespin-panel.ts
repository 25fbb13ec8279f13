import type { PropertyValues } from 'lit'
import { html, LitElement, nothing } from 'lit'
import type { Api } from '../api.ts'
import { createApi } from '../api.ts'
import type { FeedEvent, FeedState } from '../feed.ts'
import { Feed } from '../feed.ts'
import type { I18n, Key } from '../i18n.ts'
import { createI18n, pickLanguage } from '../i18n.ts'
import { devicesIcon, historyIcon, listIcon, mapIcon } from '../icons.ts'
import type { Selection } from '../links.ts'
import { bytesOf } from '../links.ts'
import { DARK, LIGHT, tintsOf } from '../palette.ts'
import type { Settings } from '../settings.ts'
import { loadSettings, loadToken, saveSettings, saveToken } from '../settings.ts'
import type { PanelState } from '../store.ts'
import { EMPTY, loseSight, receive } from '../store.ts'
import { sharedStyles, themeStyles } from '../styles.ts'
import type { TodayBase } from '../today.ts'
import { loadToday, todayOf } from '../today.ts'
import './homespin-connections.ts'
import './homespin-devices.ts'
import './homespin-header.ts'
import './homespin-history.ts'
import './homespin-map.ts'
import './homespin-selection.ts'
import './homespin-summary.ts'
import './homespin-token.ts'
import { panelStyles } from './panel-styles.ts'

const TODAY_MS = 300_000
// A tab that is looked away from for a moment keeps its feed; one that is forgotten does not bother the agent.
const HIDDEN_MS = 30_000
// Rates come every second: older ones are not drawn as if they were of now.
const STALE_MS = 5000

const VIEWS = [
  { id: 'devices', text: 'devices', icon: devicesIcon },
  { id: 'map', text: 'map_tab', icon: mapIcon },
  { id: 'history', text: 'history_tab', icon: historyIcon },
  { id: 'connections', text: 'connections', icon: listIcon },
] as const satisfies readonly { id: string; text: Key; icon: unknown }[]

type View = (typeof VIEWS)[number]['id']

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

  static override styles = [themeStyles, sharedStyles, panelStyles]

  readonly #api: Api
  readonly #feed: Feed
  readonly #dark = matchMedia('(prefers-color-scheme: dark)')
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)')
  #latest: PanelState = EMPTY
  #frame = 0
  #clock: ReturnType<typeof setInterval> | undefined
  #hiding: ReturnType<typeof setTimeout> | undefined
  #offsetMs: number | undefined
  #todayAt = Number.NEGATIVE_INFINITY
  #ratesAt = Number.NEGATIVE_INFINITY
  #today: AbortController | undefined
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
    this.#api = createApi(document.baseURI, () => this.#token)
    this.#feed = new Feed(this.#api, {
      onEvent: (event) => this.#receive(event),
      onState: (state, reason) => this.#hear(state, reason),
    })
    this.#i18n = this.#words()
    this.theme = this.#themeNow()
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#feed.start()
    this.#clock = setInterval(() => this.#tick(), 1000)
    this.#dark.addEventListener('change', this.#restyle)
    this.#still.addEventListener('change', this.#restyle)
    document.addEventListener('visibilitychange', this.#onVisibility)
    this.addEventListener('homespin-select', this.#onSelect)
    this.addEventListener('homespin-settings', this.#onSettings)
    this.addEventListener('homespin-token', this.#onToken)
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#feed.stop()
    this.#today?.abort()
    clearInterval(this.#clock)
    clearTimeout(this.#hiding)
    cancelAnimationFrame(this.#frame)
    this.#frame = 0
    this.#dark.removeEventListener('change', this.#restyle)
    this.#still.removeEventListener('change', this.#restyle)
    document.removeEventListener('visibilitychange', this.#onVisibility)
    this.removeEventListener('homespin-select', this.#onSelect)
    this.removeEventListener('homespin-settings', this.#onSettings)
    this.removeEventListener('homespin-token', this.#onToken)
  }

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('settings')) {
      this.#i18n = this.#words()
      this.theme = this.#themeNow()
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
    const isStill = this.#still.matches
    const today = todayOf(this.todayBases, state.devices, nowMs)
    const device = selection.device_id ? state.devices.get(selection.device_id) : undefined
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
                  <homespin-selection
                    ?hidden=${device === undefined && selection.remote === undefined}
                    .i18n=${i18n}
                    .device=${device}
                    .selection=${selection}
                    .today=${today}
                    .tint=${tints.get(selection.device_id ?? '')}
                    .nowMs=${nowMs}
                  ></homespin-selection>
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
              ${this.#tabs()}
            `
      }
    `
  }

  // Only a narrow page shows one view at a time; a wide one hides the tabs and shows everything.
  #tabs() {
    const i18n = this.#i18n
    return html`
      <nav class="tabs" aria-label=${i18n.t('views')}>
        ${VIEWS.map(
          ({ id, text, icon }) => html`
            <button
              type="button"
              aria-current=${this.view === id ? 'page' : nothing}
              @click=${() => this.#show(id)}
            >
              ${icon}<span>${i18n.t(text)}</span>
            </button>
          `,
        )}
      </nav>
    `
  }

  #show(view: View): void {
    this.view = view
    window.scrollTo({ top: 0 })
  }

  #receive(event: FeedEvent): void {
    this.#latest = receive(this.#latest, event)
    const { agent_ms } = this.#latest
    if (agent_ms !== undefined) this.#offsetMs = agent_ms - Date.now()
    if (event.name === 'rates') {
      this.#ratesAt = performance.now()
      void this.#refreshToday()
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

  async #refreshToday(): Promise<void> {
    if (performance.now() - this.#todayAt < TODAY_MS || this.#latest.devices.size === 0) return
    this.#todayAt = performance.now()
    this.#today?.abort()
    this.#today = new AbortController()
    const busiest = [...this.#latest.devices.values()].sort((a, b) => bytesOf(b) - bytesOf(a))
    try {
      this.todayBases = await loadToday(this.#api, busiest, this.#now(), this.#today.signal)
    } catch {
      // Without it the list shows no figures of today; it is asked for again.
    }
  }

  readonly #restyle = (): void => {
    this.theme = this.#themeNow()
    this.requestUpdate()
  }

  readonly #onVisibility = (): void => {
    clearTimeout(this.#hiding)
    if (document.hidden) this.#hiding = setTimeout(() => this.#feed.stop(), HIDDEN_MS)
    else if (this.feedState !== 'locked') this.#feed.start()
  }

  readonly #onSelect = ({ detail }: CustomEvent<Selection>): void => {
    const isNew = detail.device_id !== undefined && detail.device_id !== this.selection.device_id
    this.selection = detail
    if (isNew && this.view === 'devices') this.#show('map')
  }

  readonly #onSettings = ({ detail }: CustomEvent<Settings>): void => {
    this.settings = detail
    saveSettings(detail)
  }

  readonly #onToken = ({ detail }: CustomEvent<string>): void => {
    this.#token = detail
    saveToken(detail)
    this.#feed.start()
  }

  #words(): I18n {
    const { language, locale } = pickLanguage(this.settings.language, navigator.languages)
    return createI18n(language, locale)
  }

  #themeNow(): 'light' | 'dark' {
    if (this.settings.theme !== 'auto') return this.settings.theme
    return this.#dark.matches ? 'dark' : 'light'
  }
}

customElements.define('homespin-panel', HomespinPanel)
