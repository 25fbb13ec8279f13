import { css, html, LitElement, nothing } from 'lit'
import type { Scene } from '../acting.ts'
import type { Section } from '../place.ts'
import { SECTIONS } from '../place.ts'
import { openIncidents } from '../policy-state.ts'
import { sharedStyles } from '../styles.ts'
import './homespin-panic.ts'

/** Goes between traffic and what is ordered; fires `section` with undefined for traffic. */
export class HomespinSections extends LitElement {
  static override properties = { scene: { attribute: false }, section: { attribute: false } }
  declare scene: Scene
  /** Absent: traffic. */
  declare section: Section | undefined

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        justify-content: space-between;
        gap: 8px 12px;
      }
      nav {
        max-width: 100%;
        flex-wrap: wrap;
      }
      nav button[aria-current] {
        background: var(--hs-chosen);
        color: var(--hs-ink);
        box-shadow: 0 1px 2px rgb(0 0 0 / 14%);
      }
      .count {
        display: inline-block;
        min-width: 17px;
        padding: 0 5px;
        border-radius: 9px;
        background: var(--hs-bad);
        color: var(--hs-surface);
        font-size: 11px;
        line-height: 17px;
        text-align: center;
      }
      .count.quiet {
        background: var(--hs-line);
        color: var(--hs-muted);
      }
      @media (max-width: 420px) {
        nav.segments {
          gap: 0;
        }
        nav.segments button {
          padding: 0 6px;
          font-size: 12.5px;
        }
      }
      @media (max-width: 860px) {
        .traffic {
          display: none;
        }
      }
    `,
  ]

  override render() {
    const { i18n, state } = this.scene
    const counts: Partial<Record<Section, number>> = {
      rules: state.policy.rules?.length ?? 0,
      incidents: openIncidents(state.policy.incidents.values()).length,
    }
    return html`
      <nav class="segments" aria-label=${i18n.t('sections')}>
        <button
          type="button"
          class="traffic"
          aria-current=${this.section === undefined ? 'page' : nothing}
          @click=${() => this.#go(undefined)}
        >
          ${i18n.t('traffic')}
        </button>
        ${SECTIONS.map((section) => {
          const n = counts[section] ?? 0
          return html`
            <button
              type="button"
              aria-current=${this.section === section ? 'page' : nothing}
              @click=${() => this.#go(section)}
            >
              ${i18n.t(section)}
              ${
                n === 0
                  ? nothing
                  : html`<span class="count ${section === 'incidents' ? '' : 'quiet'}">${i18n.number(n)}</span>`
              }
            </button>
          `
        })}
      </nav>
      ${this.section === undefined ? nothing : html`<homespin-panic .scene=${this.scene}></homespin-panic>`}
    `
  }

  #go(section: Section | undefined): void {
    this.dispatchEvent(new CustomEvent('section', { detail: section }))
  }
}

customElements.define('homespin-sections', HomespinSections)
