// The card of a dashboard. It reads entities, and, for administrators, what the agent says live.
import type { PropertyValues } from 'lit'
import { html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { HISTORY_POINT_MS } from '../../../protocol/home-assistant.ts'
import { DEFAULT_PREFIX } from '../../../protocol/topics.ts'
import { actStyles } from '../components/act-styles.ts'
import { shownText } from '../display-name.ts'
import type { I18n } from '../i18n.ts'
import type { Palette } from '../palette.ts'
import { LIGHT } from '../palette.ts'
import { sharedStyles } from '../styles.ts'
import type { CardConfig } from './card-config.ts'
import { checkConfig, DEFAULT_DEVICES, isShown } from './card-config.ts'
import type { CardModel } from './card-model.ts'
import { chosenOf, modelOf, watchedEntities } from './card-model.ts'
import { paletteAt } from './card-palette.ts'
import { deviceRow, emptyLine, headOf, notesOf, totalsOf } from './card-parts.ts'
import type { CardScene } from './card-scene.ts'
import { cardStyles } from './card-styles.ts'
import { switchStyles } from './detail-styles.ts'
import { configForm, learnChoices } from './editor.ts'
import { EntityOrders } from './entity-orders.ts'
import type { Hass } from './hass.ts'
import type { Home } from './home.ts'
import { HomeReader } from './home-reader.ts'
import { languageOf } from './language.ts'
import { LiveFeed } from './live-feed.ts'
import './homespin-card-device.ts'
import './homespin-card-traffic.ts'

const TICK_MS = 1000
/** Figures of time are drawn anew so often where nothing counts down. */
const SLOW_TICKS = 30

/** `custom:homespin-card`: see `CardConfig` for what can be set, docs/card.md for what it shows. */
export class HomespinCard extends LitElement {
  static override properties = {
    openId: { state: true },
    isWhole: { state: true },
    failure: { state: true },
    nowMs: { state: true },
  }
  declare openId: string | undefined
  declare isWhole: boolean
  declare failure: string | undefined
  declare nowMs: number

  static override styles = [sharedStyles, actStyles, switchStyles, cardStyles]

  static getConfigForm = configForm
  static getStubConfig = (hass?: Hass): Record<string, never> => {
    if (hass?.devices !== undefined) learnChoices(hass)
    return {}
  }

  #config: CardConfig | undefined
  #hass: Hass | undefined
  #home: Home | undefined
  #watched: readonly string[] = []
  #model: CardModel | undefined
  #i18n: I18n
  #palette: Palette = LIGHT
  #isRepainting = true
  #live: LiveFeed | undefined
  #followed = ''
  #timer: ReturnType<typeof setInterval> | undefined
  #ticks = 0
  readonly #reader = new HomeReader(
    (home) => this.#takeHome(home),
    (reason) => {
      this.failure = reason
    },
  )
  readonly #orders = new EntityOrders(
    () => this.#hass,
    () => this.requestUpdate(),
  )

  constructor() {
    super()
    this.isWhole = false
    this.nowMs = Date.now()
    this.#i18n = languageOf(undefined)
  }

  /** Takes the card's configuration. Throws an Error that the dashboard shows in the card's place. */
  setConfig(raw: unknown): void {
    this.#config = checkConfig(raw)
    this.openId = undefined
    this.#choose()
    this.requestUpdate()
  }

  /** Called by the dashboard with each change of anything: only what the card reads makes it draw. */
  set hass(hass: Hass) {
    const before = this.#hass
    this.#hass = hass
    if (before?.language !== hass.language || before?.locale !== hass.locale) {
      this.#i18n = languageOf(hass)
      this.requestUpdate()
    }
    if (before?.themes !== hass.themes || before?.selectedTheme !== hass.selectedTheme) {
      this.#isRepainting = true
      this.requestUpdate()
    }
    if (before?.devices !== hass.devices || before?.entities !== hass.entities) {
      learnChoices(hass)
      this.#reader.read(hass)
    }
    if (this.#watched.some((id) => before?.states[id] !== hass.states[id])) this.#readStates()
    if (before?.connection !== hass.connection || before?.user !== hass.user) this.#follow()
  }

  get hass(): Hass | undefined {
    return this.#hass
  }

  /** How high the card is, in steps of 50 pixels. */
  getCardSize(): number {
    if (this.#model?.isSingle) return 10
    const rows = Math.min(this.#model?.views.length ?? 3, this.#config?.max_devices ?? 6)
    return 5 + Math.ceil(rows * 1.2)
  }

  /** How large it is in a dashboard of sections. */
  getGridOptions() {
    return { columns: 12, rows: 'auto', min_columns: 6, min_rows: 4 }
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    this.#isRepainting = true
    this.#follow()
    if (this.#hass !== undefined) {
      this.#reader.read(this.#hass)
      this.#readStates()
    }
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    clearInterval(this.#timer)
    this.#orders.stop()
    this.#reader.stop()
    this.#unfollow()
  }

  override willUpdate(_changed: PropertyValues<this>): void {
    if (!this.#isRepainting || !this.isConnected || !this.hasUpdated) return
    this.#isRepainting = false
    // Native controls and their lists follow it.
    this.toggleAttribute('dark', this.#hass?.themes?.darkMode ?? false)
    this.#palette = paletteAt(this, this.#hass?.themes?.darkMode ?? false)
  }

  override firstUpdated(): void {
    // The colours of the theme are known once the style sheet is there.
    this.requestUpdate()
  }

  override render() {
    const config = this.#config
    const hass = this.#hass
    if (config === undefined || hass === undefined) return nothing
    const model = this.#model
    const scene = this.#scene(config)
    return html`
      <ha-card>
        <div class="body" @homespin-dismiss=${(event: CustomEvent<string>) => this.#orders.dismiss(event.detail)}>
          ${
            model === undefined
              ? emptyLine(
                  this.failure === undefined
                    ? this.#i18n.t('loading')
                    : this.#i18n.t('card_unread', { reason: this.failure }),
                )
              : model.isSingle
                ? this.#single(scene, model, hass)
                : this.#overview(scene, model, hass)
          }
        </div>
      </ha-card>
    `
  }

  #single(scene: CardScene, model: CardModel, hass: Hass) {
    const { i18n, config } = scene
    const [view] = model.views
    if (view === undefined) {
      return html`
        ${headOf(scene, model, config.title ?? i18n.t('card_name'))}
        ${emptyLine(i18n.t('card_missing'), i18n.t('card_missing_hint'))}
      `
    }
    return html`
      ${headOf(scene, model, config.title ?? shownText(view.device.name, view.device.id), view)}
      ${notesOf(scene, model)} ${totalsOf(scene, model)}
      <homespin-card-device .scene=${scene} .view=${view} .states=${hass.states}></homespin-card-device>
    `
  }

  #overview(scene: CardScene, model: CardModel, hass: Hass) {
    const { i18n, config } = scene
    const { views } = model
    const head = headOf(scene, model, config.title ?? i18n.t('card_name'))
    if (views.length === 0) {
      const which = model.isMissing ? 'card_missing' : 'card_none'
      return html`${head} ${notesOf(scene, model)} ${emptyLine(i18n.t(which), i18n.t(`${which}_hint`))}`
    }
    const most = config.max_devices ?? DEFAULT_DEVICES
    const shown = this.isWhole ? views : views.slice(0, most)
    const others = views.length - shown.length
    return html`
      ${head} ${notesOf(scene, model)} ${totalsOf(scene, model)}
      ${
        isShown(config, 'traffic')
          ? html`
              <homespin-card-traffic
                .i18n=${i18n}
                .palette=${scene.palette}
                .points=${model.history}
                .bucketMs=${Math.floor(scene.nowMs / HISTORY_POINT_MS) * HISTORY_POINT_MS}
              ></homespin-card-traffic>
            `
          : nothing
      }
      <ul class="devices">
        ${repeat(
          shown,
          ({ device }) => device.registry_id,
          (view) => {
            const id = view.device.registry_id
            const isOpen = this.openId === id
            const toggle = (): void => {
              this.openId = isOpen ? undefined : id
            }
            return html`
              <li>
                ${deviceRow(scene, view, isOpen, toggle)}
                ${
                  isOpen
                    ? html`<homespin-card-device .scene=${scene} .view=${view} .states=${hass.states} .isBelow=${true}></homespin-card-device>`
                    : nothing
                }
              </li>
            `
          },
        )}
      </ul>
      ${
        others > 0 || (this.isWhole && views.length > most)
          ? html`
              <div class="more">
                <button
                  type="button"
                  class="act slight"
                  aria-expanded=${this.isWhole ? 'true' : 'false'}
                  @click=${() => {
                    this.isWhole = !this.isWhole
                  }}
                >
                  ${this.isWhole ? i18n.t('card_fewer') : i18n.count('card_more', others)}
                </button>
              </div>
            `
          : nothing
      }
    `
  }

  #scene(config: CardConfig): CardScene {
    return {
      i18n: this.#i18n,
      palette: this.#palette,
      config,
      orders: this.#orders.orders,
      nowMs: this.nowMs,
      give: (order) => void this.#orders.give(order),
      liveOf: ({ device }) => this.#live?.of(device.agent),
    }
  }

  #takeHome(home: Home): void {
    this.#home = home
    this.failure = undefined
    this.#choose()
  }

  #choose(): void {
    if (this.#home === undefined || this.#config === undefined) return
    this.#watched = watchedEntities(chosenOf(this.#home, this.#config))
    this.#readStates()
    this.#follow()
  }

  #readStates(): void {
    if (this.#home === undefined || this.#config === undefined || this.#hass === undefined) return
    const { states } = this.#hass
    this.nowMs = Date.now()
    this.#model = modelOf(this.#home, this.#config, states, this.nowMs)
    this.#orders.notice(states)
    this.requestUpdate()
  }

  #follow(): void {
    const { user, connection } = this.#hass ?? {}
    const agents = [...new Set(this.#model?.views.map(({ device }) => device.agent))].sort()
    const mayListen = user?.is_admin === true && this.#config?.entities_only !== true
    const prefix = this.#config?.topic_prefix || DEFAULT_PREFIX
    const wanted = mayListen && this.isConnected ? `${prefix} ${agents.join()}` : ''
    if (wanted === this.#followed) return
    this.#unfollow()
    if (wanted === '' || connection === undefined || agents.length === 0) return
    this.#followed = wanted
    this.#live = new LiveFeed(connection, prefix, () => {
      this.nowMs = Date.now()
      this.requestUpdate()
    })
    this.#live.start(agents)
  }

  #unfollow(): void {
    this.#followed = ''
    this.#live?.stop()
    this.#live = undefined
  }

  #tick(): void {
    this.#ticks += 1
    const counts = this.#model?.views.some(
      ({ internet, quarantine }) =>
        internet?.until_ms !== undefined || quarantine?.until_ms !== undefined,
    )
    if (counts || this.#ticks % SLOW_TICKS === 0) this.nowMs = Date.now()
  }
}
