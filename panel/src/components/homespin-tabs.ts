import { css, html, LitElement, nothing } from 'lit'
import type { I18n, Key } from '../i18n.ts'
import { controlIcon, devicesIcon, historyIcon, listIcon, mapIcon } from '../icons.ts'
import type { Section, View } from '../place.ts'
import { sectionOf, TRAFFIC_VIEWS } from '../place.ts'
import { sharedStyles } from '../styles.ts'

const TRAFFIC = {
  devices: { text: 'devices', icon: devicesIcon },
  map: { text: 'map_tab', icon: mapIcon },
  history: { text: 'history_tab', icon: historyIcon },
  connections: { text: 'connections_tab', icon: listIcon },
} as const satisfies Record<(typeof TRAFFIC_VIEWS)[number], { text: Key; icon: unknown }>

/** Only a narrow page shows one view at a time; a wide one hides this. Fires `view`. */
export class HomespinTabs extends LitElement {
  static override properties = {
    i18n: { attribute: false },
    view: { attribute: false },
    section: { attribute: false },
    incidents: { attribute: false },
  }
  declare i18n: I18n
  declare view: View
  /** The section that was looked at last. */
  declare section: Section
  /** How many are open. */
  declare incidents: number

  static override styles = [
    sharedStyles,
    css`
      .tabs {
        display: none;
      }
      @media (max-width: 860px) {
        .tabs {
          position: fixed;
          inset: auto 0 0;
          z-index: 4;
          display: grid;
          grid-template-columns: repeat(5, 1fr);
          padding-bottom: env(safe-area-inset-bottom);
          background: var(--hs-surface);
          border-top: 1px solid var(--hs-line);
        }
        .tabs button {
          display: grid;
          justify-items: center;
          gap: 2px;
          position: relative;
          min-width: 0;
          padding: 8px 1px 7px;
          border: 0;
          background: none;
          color: var(--hs-muted);
          font-size: 11px;
        }
        .tabs button[aria-current] {
          color: var(--hs-accent);
          font-weight: 600;
        }
        .tabs button:focus-visible {
          outline-offset: -3px;
        }
        .count {
          position: absolute;
          top: 4px;
          left: calc(50% + 5px);
          min-width: 17px;
          padding: 0 5px;
          border-radius: 9px;
          background: var(--hs-bad);
          color: var(--hs-surface);
          font-size: 11px;
          font-weight: 600;
          line-height: 17px;
        }
      }
      @media (max-width: 340px) {
        .tabs button {
          font-size: 10px;
        }
      }
    `,
  ]

  override render() {
    const { i18n, view, section, incidents } = this
    const count =
      incidents === 0
        ? nothing
        : html`<span class="count" aria-hidden="true">${i18n.number(incidents)}</span
            ><span class="hidden-text">${i18n.count('open_incidents', incidents)}</span>`
    return html`
      <nav class="tabs" aria-label=${i18n.t('views')}>
        ${TRAFFIC_VIEWS.map((id) => this.#tab(id, TRAFFIC[id].text, TRAFFIC[id].icon, id === view))}
        ${this.#tab(section, 'control', controlIcon, sectionOf(view) !== undefined, count)}
      </nav>
    `
  }

  #tab(view: View, text: Key, icon: unknown, isCurrent: boolean, count: unknown = nothing) {
    return html`
      <button
        type="button"
        aria-current=${isCurrent ? 'page' : nothing}
        @click=${() => this.dispatchEvent(new CustomEvent('view', { detail: view }))}
      >
        ${icon}<span>${this.i18n.t(text)}</span>${count}
      </button>
    `
  }
}

customElements.define('homespin-tabs', HomespinTabs)
