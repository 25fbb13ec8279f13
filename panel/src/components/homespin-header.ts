import { css, html, LitElement, nothing } from 'lit'
import type { Info, Loss } from '../../../protocol/messages.ts'
import { shownName, shownSentence } from '../display-name.ts'
import { tell } from '../events.ts'
import type { FeedState } from '../feed.ts'
import type { I18n, Language } from '../i18n.ts'
import { LANGUAGES } from '../i18n.ts'
import { logoIcon, moonIcon, sunIcon, systemIcon, warnIcon } from '../icons.ts'
import type { Settings } from '../settings.ts'
import { THEMES } from '../settings.ts'
import { sharedStyles } from '../styles.ts'

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

/** Which agent this is, what it can see, whether it is there and whether it saw everything; theme and language. */
export class HomespinHeader extends LitElement {
  static override properties = {
    i18n: { attribute: false },
    info: { attribute: false },
    feed: { attribute: false },
    reason: { attribute: false },
    complete: { attribute: false },
    settings: { attribute: false },
  }
  declare i18n: I18n
  declare info: Info | undefined
  declare feed: FeedState
  /** Why the agent refuses, while it does. */
  declare reason: string | undefined
  declare complete: boolean | undefined
  declare settings: Settings

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: block;
        background: var(--hs-surface);
        border-bottom: 1px solid var(--hs-line);
      }
      header {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 8px 14px;
        max-width: 1760px;
        margin: 0 auto;
        padding: 10px 20px;
      }
      .brand {
        display: flex;
        align-items: center;
        gap: 10px;
        min-width: 0;
      }
      h1 {
        font-size: 16px;
        font-weight: 650;
        letter-spacing: -0.01em;
        line-height: 1.2;
      }
      .pill {
        display: inline-flex;
        align-items: center;
        gap: 7px;
        height: 28px;
        padding: 0 11px;
        border-radius: 14px;
        background: var(--hs-raised);
        font-size: 13px;
        font-weight: 550;
        white-space: nowrap;
      }
      .pill .dot {
        width: 8px;
        height: 8px;
      }
      .live .dot {
        background: var(--hs-good);
        box-shadow: 0 0 0 3px color-mix(in srgb, var(--hs-good) 22%, transparent);
      }
      .warn {
        background: var(--hs-warnGround);
        color: var(--hs-warn);
      }
      .warn .dot {
        background: var(--hs-warn);
      }
      .about {
        flex: 1 1 240px;
        min-width: 0;
        color: var(--hs-muted);
        font-size: 13px;
      }
      .about b {
        color: var(--hs-ink);
        font-weight: 600;
      }
      .tools {
        display: flex;
        gap: 8px;
        align-items: center;
      }
      .tools .segments button {
        padding: 0 8px;
        display: grid;
        place-items: center;
      }
      details {
        position: relative;
      }
      summary {
        cursor: pointer;
        list-style: none;
      }
      summary::-webkit-details-marker {
        display: none;
      }
      .losses {
        position: absolute;
        z-index: 5;
        top: 36px;
        left: 0;
        width: max-content;
        max-width: min(340px, 86vw);
        padding: 12px 14px;
        box-shadow: 0 8px 28px rgb(0 0 0 / 18%);
      }
      .losses li {
        margin-top: 4px;
        color: var(--hs-muted);
      }
      @media (max-width: 1024px) {
        .about {
          order: 3;
          flex-basis: 100%;
        }
        .tools {
          margin-inline-start: auto;
        }
      }
      .cycle {
        display: none;
        padding: 0 9px;
      }
      @media (max-width: 860px) {
        header {
          padding: 10px 14px;
        }
      }
      @media (max-width: 480px) {
        .loss-word {
          display: none;
        }
        .product,
        .tools .segments {
          display: none;
        }
        .cycle {
          display: grid;
          place-items: center;
        }
        header {
          gap: 8px;
        }
        .tools select {
          width: 74px;
        }
      }
    `,
  ]

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
        ${this.#state()} ${this.#losses()}
        ${this.#about()}
        <div class="tools">${this.#themeCycle()} ${this.#theme()} ${this.#language()}</div>
      </header>
    `
  }

  #about() {
    const { i18n, info, reason } = this
    if (reason !== undefined) {
      const { text, title } = shownName(reason)
      return html`<p class="about clip" title=${title} lang="en">${text}</p>`
    }
    if (info === undefined) return html`<p class="about"></p>`
    const { title } = shownName(info.visibility, '')
    return html`
      <p class="about clip" title=${title}>
        <b>${i18n.t(`mode_${info.mode}`)}</b> · <span lang="en">${title}</span>
      </p>
    `
  }

  #state() {
    const { i18n, feed, complete } = this
    const state = feed === 'live' && complete === false ? 'incomplete' : feed
    const hint =
      state === 'live' || state === 'incomplete' || state === 'away'
        ? i18n.t(`state_${state}_hint`)
        : i18n.t(`state_${state}`)
    const look =
      state === 'live' ? 'live' : state === 'incomplete' || state === 'away' ? 'warn' : ''
    return html`
      <span class="pill ${look}" role="status" title=${hint}>
        <span class="dot"></span>${i18n.t(`state_${state}`)}
      </span>
    `
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
    return html`
      <details @keydown=${this.#escape} @focusout=${this.#leave}>
        <summary class="pill warn" aria-label=${i18n.t('loss_short')}>
          ${warnIcon} <span class="loss-word">${i18n.t('loss_short')}</span>
        </summary>
        <div class="losses card small">
          <strong>${i18n.t('loss_title')}</strong>
          <ul>
            ${lost.map((name) => html`<li>${i18n.count(`loss_${name}`, info.loss[name] ?? 0)}</li>`)}
            ${down.map(({ name }) => html`<li>${i18n.t('interface_down', { name })}</li>`)}
            ${ill.map((sentence) => html`<li lang="en">${sentence}</li>`)}
          </ul>
        </div>
      </details>
    `
  }

  #escape(event: KeyboardEvent): void {
    if (event.key === 'Escape') (event.currentTarget as HTMLDetailsElement).open = false
  }

  #leave(event: FocusEvent): void {
    const details = event.currentTarget as HTMLDetailsElement
    if (!details.contains(event.relatedTarget as Node | null)) details.open = false
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
    `
  }
}

customElements.define('homespin-header', HomespinHeader)
