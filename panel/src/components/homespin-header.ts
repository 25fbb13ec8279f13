import type { TemplateResult } from 'lit'
import { html, LitElement, nothing } from 'lit'
import type { Info, Loss } from '../../../protocol/messages.ts'
import { agentText } from '../agent-words.ts'
import { shownName, shownSentence } from '../display-name.ts'
import { tell } from '../events.ts'
import type { FeedState } from '../feed.ts'
import type { I18n, Language } from '../i18n.ts'
import { LANGUAGES } from '../i18n.ts'
import { foldIcon, globeIcon, logoIcon, moonIcon, sunIcon, systemIcon, warnIcon } from '../icons.ts'
import type { Settings } from '../settings.ts'
import { THEMES } from '../settings.ts'
import { blindnessOf } from '../sight.ts'
import { sharedStyles } from '../styles.ts'
import { headerStyles } from './header-styles.ts'

const LOSSES = [
  'ring_packets',
  'name_packets',
  'netlink_overruns',
  'flows_evicted',
  'spool_messages',
  'devices_evicted',
  'devices_refused',
] as const satisfies readonly (keyof Loss)[]

/** What of the agent itself people have to know when it is not well; its sentences say what to do. */
const HEALTH = ['capture', 'store', 'rules', 'instance'] as const

const THEME_ICONS = { auto: systemIcon, light: sunIcon, dark: moonIcon }

/** How much of the present is seen; the pill's look and text. */
type Sight = FeedState | 'incomplete' | 'blind'

const LOOKS: Readonly<Partial<Record<Sight, string>>> = {
  live: 'live',
  incomplete: 'warn',
  blind: 'warn',
  away: 'warn',
}

/** Which agent this is, what it can see, whether it is there and whether it saw everything; theme and language. */
export class HomespinHeader extends LitElement {
  static override properties = {
    i18n: { attribute: false },
    info: { attribute: false },
    feed: { attribute: false },
    reason: { attribute: false },
    complete: { attribute: false },
    settings: { attribute: false },
    isOpen: { state: true },
  }
  declare i18n: I18n
  declare info: Info | undefined
  declare feed: FeedState
  /** Why the agent refuses, while it does. */
  declare reason: string | undefined
  declare complete: boolean | undefined
  declare settings: Settings
  /** The line about the agent is unfolded. */
  declare isOpen: boolean

  static override styles = [sharedStyles, headerStyles]

  constructor() {
    super()
    this.isOpen = false
  }

  override render() {
    const { i18n, info } = this
    return html`
      <header>
        <div class="brand">
          ${logoIcon}
          <h1 class="clip">
            <span class="product">${i18n.t('app')}</span>
            ${info ? html`<span class="muted">${info.agent}</span>` : nothing}
          </h1>
        </div>
        <div class="states">${this.#state()} ${this.#losses()}</div>
        ${this.#about()}
        <div class="tools">${this.#themeCycle()} ${this.#theme()} ${this.#language()}</div>
      </header>
    `
  }

  /** What it sees; unfolded also what the state means. */
  #about() {
    const { i18n, info, reason, isOpen } = this
    if (info === undefined && reason === undefined) return html`<p class="about"></p>`
    const { text, lang } =
      reason === undefined
        ? agentText(info?.visibility, i18n)
        : { text: shownName(reason, '').title, lang: 'en' }
    const mode = reason === undefined && info !== undefined ? i18n.t(`mode_${info.mode}`) : ''
    return html`
      <div class="about">
        <button
          type="button"
          class="plain"
          aria-expanded=${isOpen ? 'true' : 'false'}
          title=${isOpen ? nothing : text}
          @click=${() => {
            this.isOpen = !isOpen
          }}
        >
          <span class=${isOpen ? 'whole' : 'clip'}>
            ${mode === '' ? nothing : html`<b>${mode}</b> · `}<bdi lang=${lang ?? nothing}>${text}</bdi>
          </span>
          <span class="fold">${foldIcon}</span>
        </button>
        ${isOpen ? html`<p><b>${this.#sightText()}:</b> ${this.#sightHint()}</p>` : nothing}
      </div>
    `
  }

  get #sight(): Sight {
    const { feed, complete, info } = this
    if (feed !== 'live') return feed
    if (blindnessOf(info) !== undefined) return 'blind'
    return complete === false ? 'incomplete' : 'live'
  }

  #sightText(): string {
    return this.i18n.t(`state_${this.#sight}`)
  }

  #sightHint(): string {
    const sight = this.#sight
    const hasHint =
      sight === 'live' || sight === 'incomplete' || sight === 'blind' || sight === 'away'
    return this.i18n.t(hasHint ? `state_${sight}_hint` : `state_${sight}`)
  }

  #state() {
    const { i18n } = this
    const sight = this.#sight
    return html`
      <span class="pill ${LOOKS[sight] ?? ''}" role="status" title=${this.#sightHint()}>
        <span class="dot"></span>
        ${
          sight === 'incomplete'
            ? html`<span class="long">${i18n.t('state_incomplete')}</span
                ><span class="short">${i18n.t('state_incomplete_short')}</span>`
            : this.#sightText()
        }
      </span>
    `
  }

  #list(title: 'ill_title' | 'down_title' | 'loss_title', items: readonly TemplateResult[]) {
    if (items.length === 0) return nothing
    return html`<strong>${this.i18n.t(title)}</strong><ul>${items}</ul>`
  }

  #losses() {
    const { i18n, info } = this
    if (info === undefined) return nothing
    const lost = LOSSES.filter((name) => (info.loss[name] ?? 0) > 0)
    const down = info.interfaces.filter(({ state }) => state === 'down')
    const ill = HEALTH.flatMap((name) => {
      const capability = info.capabilities[name]
      return capability === undefined || capability.ok ? [] : [shownSentence(capability.reason)]
    })
    if (lost.length + down.length + ill.length === 0) return nothing
    // What is wrong now stands before what was lost once.
    const short = ill.length > 0 ? 'ill_short' : 'loss_short'
    const label =
      lost.length + ill.length > 0 ? i18n.t(short) : i18n.count('down_short', down.length)
    return html`
      <details @focusout=${this.#leave}>
        <summary class="pill warn" aria-label=${label}>
          ${warnIcon} <span class="long">${label}</span>
        </summary>
        <div class="losses card small">
          ${this.#list(
            'ill_title',
            ill.map((sentence) => html`<li lang="en">${sentence}</li>`),
          )}
          ${this.#list(
            'down_title',
            down.map(({ name }) => html`<li>${i18n.t('interface_down', { name })}</li>`),
          )}
          ${this.#list(
            'loss_title',
            lost.map((name) => html`<li>${i18n.count(`loss_${name}`, info.loss[name] ?? 0)}</li>`),
          )}
        </div>
      </details>
    `
  }

  override connectedCallback(): void {
    super.connectedCallback()
    document.addEventListener('pointerdown', this.#pressed)
    document.addEventListener('keydown', this.#typed)
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    document.removeEventListener('pointerdown', this.#pressed)
    document.removeEventListener('keydown', this.#typed)
  }

  readonly #typed = ({ key }: KeyboardEvent): void => {
    const details = this.renderRoot.querySelector('details')
    if (key !== 'Escape' || !details?.open) return
    details.open = false
    details.querySelector('summary')?.focus()
  }

  // A press inside it, to mark a sentence, takes the focus to nothing at all.
  #leave(event: FocusEvent): void {
    const details = event.currentTarget as HTMLDetailsElement
    const to = event.relatedTarget as Node | null
    if (to !== null && !details.contains(to)) details.open = false
  }

  readonly #pressed = (event: PointerEvent): void => {
    const details = this.renderRoot.querySelector('details')
    if (details !== null && !event.composedPath().includes(details)) details.open = false
  }

  #theme() {
    const { i18n, settings } = this
    return html`
      <div class="segments" role="group" aria-label=${i18n.t('theme')}>
        ${THEMES.map(
          (theme) => html`
            <button
              type="button"
              aria-pressed=${settings.theme === theme ? 'true' : 'false'}
              aria-label=${i18n.t(`theme_${theme}`)}
              title=${i18n.t(`theme_${theme}`)}
              @click=${() => tell(this, 'homespin-settings', { ...settings, theme })}
            >
              ${THEME_ICONS[theme]}
            </button>
          `,
        )}
      </div>
    `
  }

  // A phone has no room for three buttons: one goes round.
  #themeCycle() {
    const { i18n, settings } = this
    const next = THEMES[(THEMES.indexOf(settings.theme) + 1) % THEMES.length] ?? 'auto'
    const label = `${i18n.t('theme')}: ${i18n.t(`theme_${settings.theme}`)}`
    return html`
      <button
        type="button"
        class="field cycle"
        aria-label=${label}
        title=${label}
        @click=${() => tell(this, 'homespin-settings', { ...settings, theme: next })}
      >
        ${THEME_ICONS[settings.theme]}
      </button>
    `
  }

  #language() {
    const { i18n, settings } = this
    const change = (event: Event): void => {
      const language = (event.target as HTMLSelectElement).value as Language | 'auto'
      tell(this, 'homespin-settings', { ...settings, language })
    }
    return html`
      <span class="language">
        ${globeIcon}
        <select
          class="field"
          aria-label=${i18n.t('language')}
          title=${i18n.t('language')}
          .value=${settings.language}
          @change=${change}
        >
          <option value="auto" ?selected=${settings.language === 'auto'} title=${i18n.t('language_auto_long')}>
            ${i18n.t('language_auto')}
          </option>
          ${LANGUAGES.map(
            (language) => html`
              <option value=${language} lang=${language} ?selected=${settings.language === language}>
                ${language === 'en' ? 'English' : 'Nederlands'}
              </option>
            `,
          )}
        </select>
      </span>
    `
  }
}

customElements.define('homespin-header', HomespinHeader)
