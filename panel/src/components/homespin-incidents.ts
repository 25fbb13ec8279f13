import type { PropertyValues } from 'lit'
import { css, html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import type { Incident } from '../../../protocol/act.ts'
import type { Scene } from '../acting.ts'
import type { Api } from '../api.ts'
import { shownSentence } from '../display-name.ts'
import { openIncidents } from '../policy-state.ts'
import { sharedStyles } from '../styles.ts'
import { actStyles } from './act-styles.ts'
import { incidentRow, incidentStyles } from './incident-row.ts'
import { viewerNote } from './order-control.ts'

const CLOSED = 100

/** What devices did and should not have done: the open ones, and those that are over. */
export class HomespinIncidents extends LitElement {
  static override properties = {
    scene: { attribute: false },
    api: { attribute: false },
    shown: { state: true },
    closed: { state: true },
    fault: { state: true },
  }
  declare scene: Scene
  declare api: Api
  declare shown: 'open' | 'closed'
  declare closed: readonly Incident[] | undefined
  declare fault: string | undefined

  static override styles = [
    sharedStyles,
    actStyles,
    incidentStyles,
    css`
      .notes {
        padding: 0 16px 10px;
      }
    `,
  ]

  #abort: AbortController | undefined

  constructor() {
    super()
    this.shown = 'open'
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#abort?.abort()
  }

  override updated(changed: PropertyValues<this>): void {
    if (changed.has('shown') && this.shown === 'closed') void this.#load()
  }

  override render() {
    const { scene, shown, fault } = this
    const { i18n } = scene
    const open = openIncidents(scene.state.policy.incidents.values())
    const rows = shown === 'open' ? open : this.#closed()
    return html`
      <section class="card" aria-labelledby="title">
        <div class="head">
          <h2 id="title">${i18n.t('incidents')}</h2>
          <div class="segments" role="group" aria-label=${i18n.t('state')}>
            ${(['open', 'closed'] as const).map(
              (one) => html`
                <button
                  type="button"
                  aria-pressed=${one === shown ? 'true' : 'false'}
                  @click=${() => {
                    this.shown = one
                  }}
                >
                  ${i18n.t(`incidents_${one}`)}
                  ${one === 'open' && open.length > 0 ? `(${i18n.number(open.length)})` : nothing}
                </button>
              `,
            )}
          </div>
        </div>
        <div class="notes">
          ${viewerNote(scene) ?? nothing}
          ${
            fault !== undefined && shown === 'closed'
              ? html`<p class="fault" role="alert">
                  <span>${i18n.t('not_read')} <bdi lang="en">${shownSentence(fault)}</bdi></span>
                  <button type="button" class="plain" @click=${() => this.#load()}>${i18n.t('retry')}</button>
                </p>`
              : nothing
          }
        </div>
        ${
          rows === undefined
            ? html`<p class="empty">${fault === undefined ? i18n.t('loading') : nothing}</p>`
            : rows.length === 0
              ? html`<p class="empty"><strong>${i18n.t(`no_incidents_${shown}`)}</strong>${i18n.t('no_incidents_hint')}</p>`
              : html`<ul class="incidents">
                  ${repeat(
                    rows,
                    ({ id }) => id,
                    (incident) => incidentRow(scene, incident),
                  )}
                </ul>`
        }
      </section>
    `
  }

  #closed(): Incident[] | undefined {
    if (this.closed === undefined) return undefined
    const known = new Map(this.closed.map((incident) => [incident.id, incident]))
    for (const incident of this.scene.state.policy.incidents.values()) {
      if (incident.state === 'closed') known.set(incident.id, incident)
    }
    return [...known.values()].sort((a, b) => (b.closed_ms ?? 0) - (a.closed_ms ?? 0))
  }

  async #load(): Promise<void> {
    this.#abort?.abort()
    this.#abort = new AbortController()
    const { signal } = this.#abort
    try {
      const { incidents } = await this.api.incidents('closed', CLOSED, signal)
      this.closed = incidents
      this.fault = undefined
    } catch (error) {
      if (!signal.aborted) this.fault = error instanceof Error ? error.message : ''
    }
  }
}

customElements.define('homespin-incidents', HomespinIncidents)
