import type { PropertyValues } from 'lit'
import { html, LitElement, nothing } from 'lit'
import type { Device } from '../../../protocol/messages.ts'
import type { Scene } from '../acting.ts'
import { shownName } from '../display-name.ts'
import type { Told } from '../events.ts'
import type { I18n } from '../i18n.ts'
import { createI18n, pickLanguage } from '../i18n.ts'
import type { Selection } from '../links.ts'
import { Look } from '../look.ts'
import { DARK, LIGHT, tintsOf } from '../palette.ts'
import type { Place, Section, View } from '../place.ts'
import { placeFragment, readPlace, sectionOf } from '../place.ts'
import { openIncidents } from '../policy-state.ts'
import type { Known } from '../session.ts'
import { NOTHING_KNOWN, Session } from '../session.ts'
import type { Settings } from '../settings.ts'
import { loadSettings, loadToken, saveSettings, saveToken } from '../settings.ts'
import { blindnessOf } from '../sight.ts'
import { sharedStyles, themeStyles } from '../styles.ts'
import { todayOf } from '../today.ts'
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
import { panelStyles } from './panel-styles.ts'

/** The whole page: owns the session with the agent, the place and the settings, and hands them down. */
export class HomespinPanel extends LitElement {
  static override properties = {
    theme: { reflect: true },
    view: { reflect: true },
    isControl: { type: Boolean, reflect: true, attribute: 'control' },
    known: { state: true },
    selection: { state: true },
    settings: { state: true },
  }
  declare theme: 'light' | 'dark'
  declare view: View
  declare isControl: boolean
  declare known: Known
  declare selection: Selection
  declare settings: Settings

  static override styles = [themeStyles, sharedStyles, panelStyles]

  readonly #session: Session
  readonly #look = new Look(() => {
    this.theme = this.#look.theme(this.settings)
    this.requestUpdate()
  })
  /** The section that was looked at last. */
  #section: Section = 'rules'
  #token: string | undefined
  #i18n: I18n
  #tints: ReadonlyMap<string, number> = new Map()

  constructor() {
    super()
    this.settings = loadSettings()
    this.known = NOTHING_KNOWN
    this.#token = loadToken()
    this.#session = new Session(
      document.baseURI,
      () => this.#token,
      (known) => {
        this.known = known
      },
    )
    this.#i18n = this.#words()
    this.theme = this.#look.theme(this.settings)
    this.view = 'devices'
    this.isControl = false
    this.selection = {}
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#takePlace()
    this.#session.start()
    this.#look.start()
    window.addEventListener('popstate', this.#takePlace)
    for (const [name, hear] of this.#told) this.addEventListener(name, hear as EventListener)
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#session.stop()
    this.#look.stop()
    window.removeEventListener('popstate', this.#takePlace)
    for (const [name, hear] of this.#told) this.removeEventListener(name, hear as EventListener)
  }

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('settings')) {
      this.#i18n = this.#words()
      this.theme = this.#look.theme(this.settings)
    }
    const { devices } = this.known.state
    if (changed.get('known')?.state.devices !== devices) this.#tints = tintsOf(devices.values())
  }

  override updated(): void {
    document.documentElement.dataset.theme = this.theme
    document.documentElement.lang = this.#i18n.locale
    const agent = this.known.state.info?.agent
    document.title = agent ? `${agent} – Homespin` : 'Homespin'
  }

  override render() {
    const { known } = this
    return html`
      <homespin-header
        .i18n=${this.#i18n}
        .info=${known.state.info}
        .feed=${known.feed}
        .reason=${known.reason}
        .complete=${known.state.complete}
        .settings=${this.settings}
      ></homespin-header>
      ${
        known.feed === 'locked'
          ? html`<homespin-token .i18n=${this.#i18n} .isWrong=${this.#token !== undefined}></homespin-token>`
          : this.#main()
      }
    `
  }

  #main() {
    const i18n = this.#i18n
    const { known, selection } = this
    const { state, nowMs } = known
    const tints = this.#tints
    const blindness = blindnessOf(state.info)
    const isLive = known.feed === 'live' && known.isFresh && blindness === undefined
    const today = todayOf(known.today, state.devices, nowMs)
    const device = selection.device_id ? state.devices.get(selection.device_id) : undefined
    // Where the details of the selection stand; elsewhere the summary says whose figures it shows.
    const isDetailed = !this.isControl && !(this.#look.isNarrow && this.view === 'devices')
    const scene = this.#scene()
    return html`
      <main>
        <homespin-notices .scene=${scene}></homespin-notices>
        <homespin-summary
          .i18n=${i18n}
          .state=${state}
          .selection=${selection}
          .whose=${isDetailed ? undefined : this.#whose(device)}
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
          .blindness=${blindness}
          .isDetailed=${isDetailed}
          .nowMs=${nowMs}
        ></homespin-devices>
        <div class="rest">
          <homespin-sections
            .scene=${scene}
            .section=${sectionOf(this.view)}
            @section=${(event: CustomEvent<Section | undefined>) => this.#go({ view: event.detail ?? 'devices', selection })}
          ></homespin-sections>
          ${
            this.isControl
              ? html`<homespin-control
                  .scene=${scene}
                  .api=${this.#session.api}
                  .section=${this.#section}
                ></homespin-control>`
              : nothing
          }
          ${this.#traffic(scene, device)}
        </div>
      </main>
      <homespin-tabs
        .i18n=${i18n}
        .view=${this.view}
        .section=${this.#section}
        .incidents=${openIncidents(state.policy.incidents.values()).length}
        @view=${(event: CustomEvent<View>) => this.#go({ view: event.detail, selection })}
      ></homespin-tabs>
    `
  }

  #traffic(scene: Scene, device: Device | undefined) {
    const i18n = this.#i18n
    const { selection, known } = this
    const { state, nowMs } = known
    const tints = this.#tints
    const palette = this.theme === 'dark' ? DARK : LIGHT
    const { isStill } = this.#look
    return html`
      <homespin-selection
        ?hidden=${selection.device_id === undefined && selection.remote === undefined}
        .i18n=${i18n}
        .device=${device}
        .selection=${selection}
        .today=${todayOf(known.today, state.devices, nowMs)}
        .tint=${tints.get(selection.device_id ?? '')}
        .nowMs=${nowMs}
      ></homespin-selection>
      ${
        device === undefined
          ? nothing
          : html`<homespin-device-control .scene=${scene} .device=${device}></homespin-device-control>`
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
        .api=${this.#session.api}
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
    `
  }

  #scene(): Scene {
    const { state, orders, role, roleWhy, feed, nowMs } = this.known
    return {
      i18n: this.#i18n,
      state,
      orders,
      mayAct: role === 'admin',
      viewerWhy: roleWhy,
      isLive: feed === 'live',
      nowMs,
    }
  }

  #whose(device: Device | undefined): string | undefined {
    const { device_id } = this.selection
    return device_id === undefined ? undefined : shownName(device?.name, device_id).text
  }

  /** The place is where Back, a reload or a link leads. */
  readonly #takePlace = (): void => this.#stand(readPlace(location.hash))

  /** Goes to a place, from which Back leads here. */
  #go(place: Place): void {
    const fragment = placeFragment(place)
    if (fragment !== location.hash) {
      history.pushState(null, '', `${location.pathname}${location.search}${fragment}`)
    }
    // On a wide page what is seen of traffic stays where it is.
    const isElsewhere = sectionOf(place.view) !== undefined || this.isControl
    if (isElsewhere || (this.#look.isNarrow && place.view !== this.view)) {
      window.scrollTo({ top: 0 })
    }
    this.#stand(place)
  }

  #stand({ view, selection }: Place): void {
    const section = sectionOf(view)
    this.view = view
    this.isControl = section !== undefined
    this.#section = section ?? this.#section
    this.selection = selection
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
      this.#session.retry()
    },
    'homespin-order': ({ detail }) => this.#session.give(detail),
    'homespin-dismiss': ({ detail }) => this.#session.dismiss(detail),
  } satisfies { [Name in keyof Told]: (event: CustomEvent<Told[Name]>) => void })

  #select(selection: Selection): void {
    const isAny = selection.device_id !== undefined || selection.remote !== undefined
    // What is selected is shown where its details are.
    const isAway = this.isControl || this.view === 'devices'
    this.#go({ view: isAny && isAway ? 'map' : this.view, selection })
  }

  #words(): I18n {
    const { language, locale } = pickLanguage(this.settings.language, navigator.languages)
    return createI18n(language, locale)
  }
}

customElements.define('homespin-panel', HomespinPanel)
