import { html, LitElement, nothing } from 'lit'
import { HISTORY_POINT_MS } from '../../../protocol/home-assistant.ts'
import { actStyles } from '../components/act-styles.ts'
import { incidentStyles } from '../components/incident-row.ts'
import { define } from '../define.ts'
import { sharedStyles } from '../styles.ts'
import { isShown } from './card-config.ts'
import { controlsOf, faultsOf } from './card-controls.ts'
import { incidentRow } from './card-incidents.ts'
import { remoteList } from './card-remotes.ts'
import type { CardScene } from './card-scene.ts'
import { detailStyles, switchStyles } from './detail-styles.ts'
import type { DeviceView } from './device-view.ts'
import type { Hass } from './hass.ts'
import './homespin-card-traffic.ts'

/** Everything of one device. */
export class HomespinCardDevice extends LitElement {
  static override properties = {
    scene: { attribute: false },
    view: { attribute: false },
    states: { attribute: false },
    isBelow: { type: Boolean },
    remotesOf: { state: true },
  }
  declare scene: CardScene
  declare view: DeviceView
  /** Of Home Assistant: what holds before an order. */
  declare states: Hass['states']
  /** It stands below a line of the list, which has the switch already. */
  declare isBelow: boolean
  declare remotesOf: 'today' | 'now'

  static override styles = [sharedStyles, actStyles, incidentStyles, switchStyles, detailStyles]

  constructor() {
    super()
    this.isBelow = false
    this.remotesOf = 'today'
  }

  override render() {
    const { scene, view, states } = this
    const { config } = scene
    return html`
      ${isShown(config, 'incidents') ? incidentRow(scene, view, isShown(config, 'controls')) : nothing}
      ${isShown(config, 'controls') ? controlsOf(scene, view, states, this.isBelow) : faultsOf(scene, view)}
      ${isShown(config, 'traffic') ? this.#traffic() : nothing}
      ${isShown(config, 'remotes') ? this.#remotes() : nothing}
    `
  }

  #traffic() {
    const { i18n, palette, nowMs } = this.scene
    const { history, device } = this.view
    if (device.entities.downloaded === undefined)
      return html`<p class="note quiet"><span>${i18n.t('card_no_downloaded')}</span></p>`
    return html`
      <homespin-card-traffic
        .i18n=${i18n}
        .palette=${palette}
        .points=${history}
        .bucketMs=${Math.floor(nowMs / HISTORY_POINT_MS) * HISTORY_POINT_MS}
      ></homespin-card-traffic>
    `
  }

  #remotes() {
    const { scene, view } = this
    const { i18n } = scene
    const live = scene.liveOf(view)
    const isNow = live !== undefined && this.remotesOf === 'now'
    return html`
      <div class="section">
        <p class="line">
          <span class="what">${i18n.t('card_remotes')}</span>
          ${
            live === undefined
              ? html`<span class="muted small">${i18n.t('today')}</span>`
              : html`
                  <span class="segments" role="group">
                    ${(['today', 'now'] as const).map(
                      (span) => html`
                        <button
                          type="button"
                          aria-pressed=${this.remotesOf === span ? 'true' : 'false'}
                          @click=${() => {
                            this.remotesOf = span
                          }}
                        >
                          ${i18n.t(`card_${span}`)}
                        </button>
                      `,
                    )}
                  </span>
                `
          }
        </p>
        ${
          isNow
            ? remoteList(scene, live.remotes(view.device.id), i18n.t('card_no_remotes_now'))
            : remoteList(scene, view.remotes, i18n.t('card_no_remotes_today'))
        }
      </div>
    `
  }
}

define('homespin-card-device', HomespinCardDevice)
