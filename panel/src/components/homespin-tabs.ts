import { css, html, LitElement, nothing } from 'lit'
import type { I18n, Key } from '../i18n.ts'
import { controlIcon, devicesIcon, historyIcon, listIcon, mapIcon } from '../icons.ts'
import { sharedStyles } from '../styles.ts'
import type { Section } from './homespin-sections.ts'

const TRAFFIC = [
  { id: 'devices', text: 'devices', icon: devicesIcon },
  { id: 'map', text: 'map_tab', icon: mapIcon },
  { id: 'history', text: 'history_tab', icon: historyIcon },
  { id: 'connections', text: 'connections', icon: listIcon },
] as const satisfies readonly { id: string; text: Key; icon: unknown }[]

/** What a narrow page shows; a wide one shows all views of traffic at once, or one section beside the devices. */
export type View = (typeof TRAFFIC)[number]['id'] | Section

/** Only a narrow page shows one view at a time; a wide one hides this. Fires `view`. */
export class HomespinTabs extends LitElement {
  static override properties = {
    i18n: { attribute: false },
    view: { attribute: false },
    section: { attribute: false },
  }
  declare i18n: I18n
  declare view: View
  /** The section that was looked at last. */
  declare section: Section

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
      }
    `,
  ]

  override render() {
    const { i18n, view, section } = this
    const isControl = TRAFFIC.every(({ id }) => id !== view)
    return html`
      <nav class="tabs" aria-label=${i18n.t('views')}>
        ${TRAFFIC.map(({ id, text, icon }) => this.#tab(id, text, icon, id === view))}
        ${this.#tab(section, 'control', controlIcon, isControl)}
      </nav>
    `
  }

  #tab(view: View, text: Key, icon: unknown, isCurrent: boolean) {
    return html`
      <button
        type="button"
        aria-current=${isCurrent ? 'page' : nothing}
        @click=${() => this.dispatchEvent(new CustomEvent('view', { detail: view }))}
      >
        ${icon}<span>${this.i18n.t(text)}</span>
      </button>
    `
  }
}

customElements.define('homespin-tabs', HomespinTabs)
