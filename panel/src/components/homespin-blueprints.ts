import { css, html, LitElement, nothing } from 'lit'
import type { Scene } from '../acting.ts'
import type { Api } from '../api.ts'
import { shownSentence } from '../display-name.ts'
import { warnIcon } from '../icons.ts'
import { sharedStyles } from '../styles.ts'
import { actStyles } from './act-styles.ts'

/** What the agent answers: what Home Assistant has now. */
interface Installed {
  blueprints: readonly { path: string; name: string; replaced: boolean }[]
}

type Phase =
  | { is: 'idle' | 'busy' }
  | { is: 'done'; installed: Installed }
  | { is: 'failed'; why: string }

/** Saves Homespin's blueprints in Home Assistant, when somebody who may act asks for it. */
export class HomespinBlueprints extends LitElement {
  static override properties = {
    scene: { attribute: false },
    api: { attribute: false },
    phase: { state: true },
  }
  declare scene: Scene
  declare api: Api
  declare phase: Phase

  static override styles = [
    sharedStyles,
    actStyles,
    css`
      :host {
        display: block;
        margin-top: 14px;
      }
      .body {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 10px;
        justify-items: start;
        padding: 0 16px 14px;
      }
      p {
        margin: 0;
      }
      ul {
        margin: 0;
        padding-left: 18px;
      }
    `,
  ]

  #asking = new AbortController()

  constructor() {
    super()
    this.phase = { is: 'idle' }
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#asking.abort()
    this.phase = { is: 'idle' }
  }

  override render() {
    const { i18n, mayAct, isLive } = this.scene
    if (!mayAct) return nothing
    const { phase } = this
    const isBusy = phase.is === 'busy'
    return html`
      <section class="card" aria-labelledby="blueprints">
        <div class="head"><h2 id="blueprints">${i18n.t('blueprints')}</h2></div>
        <div class="body">
          <p class="small muted">${i18n.t('blueprints_hint')}</p>
          <button
            type="button"
            class="act"
            aria-busy=${isBusy ? 'true' : 'false'}
            aria-disabled=${isBusy || !isLive ? 'true' : nothing}
            @click=${() => void this.#install()}
          >
            ${i18n.t('blueprints_install')}
          </button>
          <div role="status">${this.#result()}</div>
        </div>
      </section>
    `
  }

  #result() {
    const { i18n } = this.scene
    const { phase } = this
    if (phase.is === 'failed') {
      return html`<p class="fault" role="alert">
        ${warnIcon}
        <span>${i18n.t('blueprints_failed')} <bdi lang="en">${shownSentence(phase.why)}</bdi></span>
      </p>`
    }
    if (phase.is !== 'done') return nothing
    return html`
      <p class="small">${i18n.t('blueprints_done')}</p>
      <ul class="small">
        ${phase.installed.blueprints.map(
          ({ name, replaced }) =>
            html`<li>${name}${replaced ? html` <span class="muted">(${i18n.t('blueprints_replaced')})</span>` : nothing}</li>`,
        )}
      </ul>
    `
  }

  async #install(): Promise<void> {
    if (this.phase.is === 'busy' || !this.scene.isLive) return
    this.phase = { is: 'busy' }
    this.#asking = new AbortController()
    const { signal } = this.#asking
    try {
      const installed = (await this.api.order('blueprints-install', {}, signal)) as Installed
      this.phase = { is: 'done', installed }
    } catch (error) {
      if (!signal.aborted) this.phase = { is: 'failed', why: (error as Error).message }
    }
  }
}

customElements.define('homespin-blueprints', HomespinBlueprints)
